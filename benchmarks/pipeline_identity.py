"""Claim: the same bytes on every runner, in any order, and however the work is shared out.

    python -m benchmarks.pipeline_identity --text 'C4/train/c4-train.0000[0-2]-*.json.gz'

Compresses the same files in every setting below and takes one sha256 over all files of the dataset
directory, their names included. Prints one JSON line a setting; exits with 1 where one differs
from the first, or fails.
"""

import argparse
import contextlib
import glob
import hashlib
import io
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from unittest import mock

from pipelines import compress, shard
from pipelines.options import BATCHES, FILES

ROOT = Path(__file__).resolve().parents[1]
DEMO = ROOT / "demo" / "text" / "train-*.json.gz"
BUNDLES_TWICE = ("--runner=BundleBasedDirectRunner", "--direct_runner_bundle_repeat=1")
_START_SECONDS = 120

Run = Callable[[Sequence[str]], int]
"""Compresses with the arguments of `pipelines.compress`; gives the exit status."""


def main(argv: Sequence[str] | None = None) -> int:
    """Compare the settings."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--text", default=str(DEMO), help="glob of input files")
    parser.add_argument("--settings", nargs="+", default=list(SETTINGS), choices=list(SETTINGS))
    options, more = parser.parse_known_args(argv)
    files = sorted(glob.glob(options.text))
    if not files:
        parser.error(f"--text={options.text!r} fits no file.")
    expected = ""
    differences = 0
    with tempfile.TemporaryDirectory() as directory, services() as endpoints:
        for name in options.settings:
            out = Path(directory, name.replace(" ", "-"))
            start = time.monotonic()
            status, log = run_setting(name, [*files], out, more, endpoints)
            found = directory_sha256(out) if status == 0 else ""
            expected = expected or found
            same = status == 0 and found == expected
            differences += not same
            line = {
                "setting": name,
                "sha256": found,
                "same": same,
                "seconds": round(time.monotonic() - start, 1),
                **({} if status == 0 else {"error": log[-1000:]}),
            }
            print(json.dumps(line), flush=True)
    return int(differences > 0)


def run_setting(
    name: str, files: Sequence[str], out: Path, more: Sequence[str], endpoints: Sequence[str]
) -> tuple[int, str]:
    """Compress `files` to `out` in one of SETTINGS.

    Args:
      name: of the setting.
      files: input files.
      out: a directory that is not there yet.
      more: further arguments of `pipelines.compress`.
      endpoints: that `services` gives.

    Returns:
      The exit status, and what was printed.
    """
    files = files[::-1] if name == "reversed input" else files
    argv = ["--input", *files, "--output", str(out), "--quiet", *more]
    log = io.StringIO()
    with contextlib.redirect_stdout(log), contextlib.redirect_stderr(log):
        status = SETTINGS[name](endpoints)(argv)
    return status, log.getvalue()


def directory_sha256(directory: Path) -> str:
    """Over the names and the bytes of all files below `directory`."""
    total = hashlib.sha256()
    for path in sorted(path for path in directory.rglob("*") if path.is_file()):
        name = path.relative_to(directory).as_posix()
        total.update(f"{name} {hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode())
    return total.hexdigest()


@contextlib.contextmanager
def services() -> Iterator[tuple[str, str]]:
    """Beam's local job service and an external worker pool, each a process; their addresses."""
    with (
        socket.create_server(("localhost", 0)) as one,
        socket.create_server(("localhost", 0)) as two,
    ):
        ports = [one.getsockname()[1], two.getsockname()[1]]
    # The pool starts `python`, which must be this one and find `pipelines`.
    environment = {
        **os.environ,
        "PATH": os.pathsep.join([os.path.dirname(sys.executable), os.environ["PATH"]]),
        "PYTHONPATH": str(ROOT),
    }
    commands = (
        ["apache_beam.runners.portability.local_job_service_main", f"--port={ports[0]}"],
        ["apache_beam.runners.worker.worker_pool_main", f"--service_port={ports[1]}"],
    )
    with contextlib.ExitStack() as started:
        for command in commands:
            process = subprocess.Popen(
                [sys.executable, "-m", *command],
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            started.enter_context(process)
            started.callback(process.terminate)
        for port in ports:
            _wait_for(port)
        yield f"localhost:{ports[0]}", f"localhost:{ports[1]}"


def _wait_for(port: int) -> None:
    end = time.monotonic() + _START_SECONDS
    while True:
        try:
            socket.create_connection(("localhost", port)).close()
            return
        except OSError:
            if time.monotonic() > end:
                raise
            time.sleep(0.1)


def _with(*flags: str) -> Callable[[Sequence[str]], Run]:
    return lambda _: lambda argv: compress.main([*argv, *flags])


def _loopback(endpoints: Sequence[str], *more: str) -> Run:
    flags = ("--runner=PortableRunner", f"--job_endpoint={endpoints[0]}")
    return lambda argv: compress.main([*argv, *flags, "--environment_type=LOOPBACK", *more])


def _external(endpoints: Sequence[str], *more: str) -> Run:
    flags = ("--runner=PortableRunner", f"--job_endpoint={endpoints[0]}")
    pool = ("--environment_type=EXTERNAL", f"--environment_config={endpoints[1]}")
    return lambda argv: compress.main([*argv, *flags, *pool, *more])


def _task_array(argv: Sequence[str]) -> int:
    """Three tasks, the last first; the same command without a task finishes."""
    failed = 0
    for task in (2, 1, 0):
        failed += compress.main([*argv, f"--task_index={task}", "--num_tasks=3"])
    return failed or compress.main(argv)


def _dask(argv: Sequence[str]) -> int:
    import distributed

    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None
    ) as cluster:
        return compress.main([*argv, "--dask", cluster.scheduler_address])


def _other_batches(argv: Sequence[str]) -> int:
    """A fifth of the examples a batch, and batches that the number of symbols ends."""
    with (
        mock.patch.object(shard, "BATCH_EXAMPLES", 51),
        mock.patch.object(shard, "BATCH_SYMBOLS", 200_000),
    ):
        return compress.main([*argv])


_B = f"--spread={BATCHES}"
_DIRECT = "--runner=DirectRunner"
_TWO = ("--direct_running_mode=multi_processing", "--direct_num_workers=2")
SETTINGS: dict[str, Callable[[Sequence[str]], Run]] = {
    "one process": _with(),
    "one process, batches": _with(_B),
    "processes 2": _with("--workers=2"),
    "processes 2, batches": _with("--workers=2", _B),
    "Beam in_memory": _with(_DIRECT),
    "Beam in_memory, batches": _with(_DIRECT, _B),
    "Beam multi_processing 2": _with(_DIRECT, *_TWO),
    "Beam multi_processing 2, batches": _with(_DIRECT, *_TWO, _B),
    "bundles twice": _with(*BUNDLES_TWICE),
    "bundles twice, batches": _with(*BUNDLES_TWICE, _B),
    "loopback": lambda endpoints: _loopback(endpoints, f"--spread={FILES}"),
    "loopback, batches": lambda endpoints: _loopback(endpoints, _B),
    "external pool": lambda endpoints: _external(endpoints, f"--spread={FILES}"),
    "external pool, batches": lambda endpoints: _external(endpoints, _B),
    "dask": lambda _: _dask,
    "task array": lambda _: _task_array,
    "reversed input": _with(),
    "other batches": lambda _: _other_batches,
    "other batches, batches": lambda _: lambda argv: _other_batches([*argv, _B]),
}
"""Name -> what runs, given the endpoints of `services`. The runner options of Beam are in it."""


if __name__ == "__main__":
    sys.exit(main())
