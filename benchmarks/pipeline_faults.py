"""Claim: whatever happens to a job, it fails and says why, or its next run gives the same bytes.

    python -m benchmarks.pipeline_faults --kills 20

Disturbs the real command in the ways below, runs it again, and compares the sha256 over all files
of the dataset directory with that of a run which nothing disturbed. Prints one JSON line a case:

  tries           how often it was done
  failed_clearly  runs that ended with status 1 and, last of all, a message that names the cause
  identical       next runs with the bytes of the undisturbed one
  wrong           what else happened; must be empty

Exits with 1 where something is wrong, or a case cannot be tried on this machine.

  kills  kill -9 of a local worker, of the launcher; at random moments (two workers)
  disks  disk full, no room for another file, read-only directory (needs Linux's `unshare`)
  data   inputs that vanish, are cut off, have flipped bits or bad lines; flipped output bits
"""

import argparse
import glob
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path

from benchmarks.pipeline_fault_cases import data, disks, kills
from benchmarks.pipeline_fault_cases.command import Tally
from benchmarks.pipeline_identity import DEMO
from equalinfo.data.options import TextOptions

GROUPS = ("kills", "disks", "data")
KILL_INPUTS = 6
"""Of growing size, so that kills hit in the middle and between: 28 MB of the demo's text."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the cases."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("--text", default=str(DEMO), help="four or more small .json.gz files")
    add("--cases", nargs="+", default=GROUPS, choices=GROUPS)
    add("--kills", type=int, default=20, help="of workers, and of launchers")
    add("--tries", type=int, default=10, help="of each damage")
    add("--seed", type=int, default=0)
    add("--mount", action="store_true", help=argparse.SUPPRESS)  # this process may
    options = parser.parse_args(argv)
    files = [Path(name) for name in sorted(glob.glob(options.text))]
    if len(files) < 4:
        parser.error(f"--text={options.text!r} fits {len(files)} files, not four.")
    wrong = 0
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        inputs = work / "in"
        inputs.mkdir()
        if "kills" in options.cases:
            large = work / "large"
            large.mkdir()
            for size in range(1, KILL_INPUTS + 1):
                parts = [files[(size + number) % len(files)] for number in range(2 * size)]
                (large / f"{size}.json.gz").write_bytes(b"".join(p.read_bytes() for p in parts))
            wrong += _report(kills.cases(large, work, options.kills, options.seed))
        if "disks" in options.cases:
            if options.mount:
                for file in files[:4]:
                    (inputs / file.name).write_bytes(file.read_bytes())
                wrong += _report(disks.cases(inputs, work, options.seed))
            else:
                wrong += _in_namespace(options)
        if "data" in options.cases:
            texts = [text.decode() for text in TextOptions().documents(list(map(str, files)))]
            wrong += _report(data.cases(texts, work / "data", options.tries, options.seed))
    return int(wrong > 0)


def _report(tallies: Iterable[Tally]) -> int:
    wrong = 0
    for tally in tallies:
        print(tally.line(), flush=True)
        wrong += len(tally.wrong)
    return wrong


def _in_namespace(options: argparse.Namespace) -> int:
    """Run the cases that mount file systems in a process that may; 1 where something is wrong."""
    command = [sys.executable, "-m", "benchmarks.pipeline_faults", "--cases=disks", "--mount"]
    arguments = [f"--text={options.text}", f"--seed={options.seed}"]
    tally = Tally("disks")
    try:
        subprocess.run([*disks.NAMESPACE, "true"], check=True, capture_output=True, text=True)
    except FileNotFoundError as error:
        tally.wrong.append(f"cannot be tried here: {error}")
    except subprocess.CalledProcessError as error:
        tally.wrong.append(f"cannot be tried here: {error.stderr.strip()}")
    else:
        return subprocess.run([*disks.NAMESPACE, *command, *arguments], check=False).returncode
    return _report([tally])


if __name__ == "__main__":
    sys.exit(main())
