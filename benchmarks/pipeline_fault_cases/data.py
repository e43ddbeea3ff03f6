"""Inputs that vanish, are cut off, have flipped bits or bad lines; flipped bits in the output."""

import gzip
import json
import os
import random
import shutil
from collections.abc import Callable, Iterator
from functools import partial
from operator import itemgetter
from pathlib import Path

import pyarrow as pa
import zstandard
from pyarrow import parquet

from benchmarks.pipeline_fault_cases.command import Command, Ended, Job, Tally
from benchmarks.pipeline_identity import directory_sha256
from equalinfo.data.manifest import Manifest

MORE = ["--method=gzip"]


def cases(texts: list[str], work: Path, tries: int, seed: int) -> Iterator[Tally]:
    """Every case, on four inputs made of `texts`: two .json.gz, one .json.zst, one .parquet."""
    data = _Data(texts, work / "in", work / "out")
    draw = random.Random(seed)
    yield _vanishing(data)
    for name, reason in (
        ("a.json.gz", "a.json.gz: file damaged"),
        ("b.json.zst", "b.json.zst: file damaged"),
        ("c.parquet", "c.parquet: file damaged"),
    ):
        yield _cut_off(data, name, reason, tries, draw)
    yield _flipped_input(data, tries, draw)
    yield _bad_lines(texts, work / "bad", work / "bad-out")
    yield from _flipped_outputs(data, tries, draw)


class _Data:
    """Inputs, and what comes of them undisturbed."""

    def __init__(self, texts: list[str], inputs: Path, output: Path) -> None:
        inputs.mkdir(parents=True)
        quarter = len(texts) // 4
        parts = [texts[start : start + quarter] for start in range(0, 4 * quarter, quarter)]
        packed = zstandard.ZstdCompressor(write_checksum=True).compress
        (inputs / "a.json.gz").write_bytes(gzip.compress(_lines(parts[0]), mtime=0))
        (inputs / "b.json.zst").write_bytes(packed(_lines(parts[1])))
        table = pa.table({"text": parts[2]})
        parquet.write_table(table, inputs / "c.parquet", row_group_size=100)
        (inputs / "d.json.gz").write_bytes(gzip.compress(_lines(parts[3]), mtime=0))
        self.inputs = inputs
        self.job = Job([inputs / "*"], output, MORE)
        ended = self.job.run()
        if ended.status != 0:
            raise RuntimeError(f"the undisturbed run failed: {ended.text[-1000:]}")
        self.expected = directory_sha256(output)

    def with_input(self, name: str, change: Callable[[bytes], bytes]) -> Ended:
        """Run on an empty directory with one input changed, and give it back as it was.

        Also its time of change: so a copy that keeps times mends a file whose bits rotted.
        """
        path = self.inputs / name
        content, status = path.read_bytes(), path.stat()
        shutil.rmtree(self.job.output)
        path.write_bytes(change(content))
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
        ended = self.job.run()
        path.write_bytes(content)
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
        return ended


def _lines(texts: list[str]) -> bytes:
    return b"".join(json.dumps({"text": text}).encode() + b"\n" for text in texts)


def _vanishing(data: _Data) -> Tally:
    """Between listing and reading: when the workers have been started, and not yet begun."""
    tally = Tally("an input vanishes", tries=2)
    for workers in (1, 2):
        shutil.rmtree(data.job.output)
        command = Job(data.job.inputs, data.job.output, [*MORE, f"--workers={workers}"]).start()
        if workers > 1:
            command.wait_for_workers(1)
        else:
            _wait_for(data.job.output / "codec" / "codec.json", command)
        (data.inputs / "d.json.gz").rename(data.inputs.parent / "away")
        ended = command.wait()
        (data.inputs.parent / "away").rename(data.inputs / "d.json.gz")
        tally.must_fail(ended, "d.json.gz.*No such file")
        tally.must_succeed(data.job.run(), data.job.output, data.expected)
    return tally


def _wait_for(path: Path, command: Command) -> None:
    while not path.exists() and command.process.poll() is None:
        pass


def _cut_off(data: _Data, name: str, reason: str, tries: int, draw: random.Random) -> Tally:
    tally = Tally(f"{name} cut off", more={"kept_bytes": []})
    size = (data.inputs / name).stat().st_size
    for number in range(tries):
        kept = (0, 1, size - 1)[number] if number < 3 else draw.randrange(2, size - 1)
        tally.more["kept_bytes"].append(kept)
        tally.tries += 1
        tally.must_fail(data.with_input(name, itemgetter(slice(kept))), reason)
        tally.must_succeed(data.job.run(), data.job.output, data.expected)
    return tally


def _flipped_input(data: _Data, tries: int, draw: random.Random) -> Tally:
    """In a gzip file; a bit of its header that means nothing may change nothing."""
    tally = Tally("a flipped bit in a .json.gz", more={"meant_nothing": 0})
    size = (data.inputs / "a.json.gz").stat().st_size
    for _ in range(tries):
        tally.tries += 1
        place = draw.randrange(8 * size)
        ended = data.with_input("a.json.gz", partial(flip, place=place))
        if ended.status == 0:
            tally.more["meant_nothing"] += 1
        else:
            tally.must_fail(ended, "a.json.gz: (file damaged|[0-9]+ of its first)")
        tally.must_succeed(
            data.job.run() if ended.status else ended, data.job.output, data.expected
        )
    return tally


def flip(content: bytes, place: int) -> bytes:
    """Change the bit number `place`."""
    changed = bytearray(content)
    changed[place // 8] ^= 1 << place % 8
    return bytes(changed)


def _bad_lines(texts: list[str], inputs: Path, output: Path) -> Tally:
    """Every 100th line of each of two files."""
    inputs.mkdir()
    for name in ("a.json", "b.json"):
        lines = _lines(texts).splitlines(keepends=True)
        lines[::100] = [line[: len(line) // 2] + b"\n" for line in lines[::100]]
        (inputs / name).write_bytes(b"".join(lines))
    bad = 2 * len(texts[::100])
    good = [text for number, text in enumerate(texts) if number % 100]
    tally = Tally("1% bad lines", tries=2, more={"bad_lines": bad})
    job = Job([inputs / "*"], output, [*MORE, "--max_reject_fraction=0.009"])
    tally.must_fail(job.run(), f"{bad} of {2 * len(texts)} documents were rejected.*limit is 0.9")
    job = Job([inputs / "*"], output, [*MORE, "--max_reject_fraction=0.02"])
    ended = job.run()
    if ended.status != 0:
        tally.wrong.append(f"with a limit of 2%: {ended.text[-500:]}")
        return tally
    totals = Manifest.load(output).split("train").totals
    rejects = (output / "rejects-train.jsonl").read_text("utf-8").splitlines()
    sizes = 2 * sum(len(text.encode()) for text in good)
    counts = (totals["documents"], totals["bytes"], totals["rejected"], len(rejects))
    if counts != (2 * len(good), sizes, bad, bad):
        tally.wrong.append(f"documents, bytes, rejects and their lines: {counts}")
    else:
        tally.identical += 1
    return tally


def _flipped_outputs(data: _Data, tries: int, draw: random.Random) -> Iterator[Tally]:
    """`pipelines.verify` must see each; the dataset itself stays as it was."""
    shards = sorted(data.job.output.glob("train.tfrecord-*"))
    others = [data.job.output / "manifest.json", *sorted((data.job.output / "codec").iterdir())]
    for case, paths in (("record", shards), ("manifest or codec", others)):
        tally = Tally(f"a flipped bit in a {case}, seen by pipelines.verify")
        for number in range(tries):
            tally.tries += 1
            path = paths[number % len(paths)]
            content = path.read_bytes()
            path.write_bytes(flip(content, draw.randrange(8 * len(content))))
            ended = Command("pipelines.verify", "--dataset", data.job.output).wait()
            path.write_bytes(content)
            tally.must_fail(ended, ".")
        ended = Command("pipelines.verify", "--dataset", data.job.output).wait()
        if ended.status == 0:
            tally.more["sound_dataset_passes"] = True
        else:
            tally.wrong.append(f"the sound dataset fails: {ended.text[-500:]}")
        yield tally
