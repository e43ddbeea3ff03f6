"""Small datasets for the tests of `pipelines.verify`, made and verified without Beam."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from equalinfo import codecs
from equalinfo.alphabet import join
from equalinfo.data.manifest import Manifest, ManifestError, Shard, Split
from equalinfo.data.records import parse
from equalinfo.data.text import Limits
from equalinfo.m1.static import StaticModel
from pipelines import output, worker
from pipelines.output import Job
from pipelines.shard import Layout, ShardTask
from pipelines.sources import find
from pipelines.verification import DatasetError, Findings, ShardCheck, check_dataset, verify_shard
from pipelines.verify import Report
from tests.records import frame

TINY = ["One.", "", "Zwei äöü.", "Three and some more text, " * 3, "4", "Five, five, five.", "6"]
TINY_SHARD = "train.tfrecord-00000-of-00001"
LAYOUT = Layout("train", 8, 60, 3, "none", False)

LOSSLESS = ("bytes", "gzip", "static_ac", "ac", "equal_info", "codebook", "wide", "delay")
METHODS = (*LOSSLESS, "greedy")


def make_codec(name: str) -> codecs.Codec:
    """One of METHODS; where it needs an M1, one without context."""
    counts = np.bincount(join(text.encode() for text in TINY), minlength=257)
    m14, m16 = StaticModel.from_counts(counts, 14), StaticModel.from_counts(counts, 16)
    make: dict[str, Callable[[], codecs.Codec]] = {
        "bytes": lambda: codecs.create("bytes"),
        "gzip": lambda: codecs.create("gzip", token_bits=9),
        "static_ac": lambda: codecs.create("static_ac", model=m14),
        "ac": lambda: codecs.create("ac", model=m14, token_bits=7),
        "equal_info": lambda: codecs.create("equal_info"),
        "codebook": lambda: codecs.create("codebook"),
        "wide": lambda: codecs.create("equal_info", model=m16, window_bits=24, token_bits=10),
        "delay": lambda: codecs.create("equal_info_ac", model=m14, token_bits=11, delay=True),
        "greedy": lambda: codecs.create("equal_info_ac", model=m14, token_bits=8),
    }
    return make[name]()


def prepare(
    out: Path, codec: codecs.Codec, layout: Layout, limits: Limits, tasks: Sequence[ShardTask]
) -> Job:
    """A directory ready for shards."""
    with TemporaryDirectory() as saved:
        codec.save(saved)
        head = output.manifest_head(codec, layout, codecs.describe(saved))
        return output.prepare(str(out), saved, head, layout, limits, tasks)


def make_dataset(files: Sequence[Path], out: Path, codec: codecs.Codec, **layout: object) -> Path:
    """Compress without Beam."""
    found = find([str(file) for file in files])
    tasks = [ShardTask(file, index, len(found)) for index, file in enumerate(found)]
    limits = Limits(max_reject_fraction=0.5, allow_damaged_files=True)
    shape = replace(LAYOUT, **layout)  # type: ignore[arg-type]
    job = prepare(out, codec, shape, limits, tasks)
    output.finish(job, [worker.Compress(job).do(task) for task in tasks])
    return out


def shard_checks(
    directory: Path, inputs: Sequence[Path] = (), findings: Findings | None = None
) -> list[ShardCheck]:
    """What is verified of the shards of all splits; 100 differences a shard are shown."""
    manifest = Manifest.load(directory)
    files = find([str(path) for path in inputs]) if inputs else None
    splits = sorted(manifest.splits)
    return check_dataset(str(directory), manifest, splits, files, findings or Findings(100))


def verified(directory: Path, inputs: Sequence[Path] = ()) -> Report:
    """The report of all splits."""
    findings = Findings(100)
    results = tuple(map(verify_shard, shard_checks(directory, inputs, findings)))
    manifest = Manifest.load(directory)
    return Report(str(directory), manifest, tuple(sorted(manifest.splits)), findings, results)


def differences(directory: Path, inputs: Sequence[Path] = ()) -> list[str]:
    """What is said of a dataset that is not as it should be; nothing of one that is."""
    try:
        found = verified(directory, inputs)
    except (ManifestError, DatasetError) as error:
        return [str(error)]
    return found.lines() if found.total else []


def edit_records(out: Path, records: Sequence[bytes], *, count: bool) -> None:
    """Put other records in the only shard; the manifest gets its sha256, and with `count` more."""
    manifest = Manifest.load(out)
    (shard,) = manifest.split("train").shards
    path = out / shard.file
    path.write_bytes(b"".join(map(frame, records)))
    shard = replace(shard, sha256=sha256(path.read_bytes()).hexdigest())
    if count:
        parsed = [parse(data) for data in records]
        tokens = sum(len(record.targets) for record in parsed)
        shard = replace(
            shard,
            documents=sum(record.num_documents for record in parsed),
            bytes=sum(record.num_bytes for record in parsed),
            examples=sum(record.part == 0 for record in parsed),
            records=len(parsed),
            tokens=tokens,
            windows=tokens if shard.windows else 0,
        )
    write_manifest(out, manifest, shard)


def write_manifest(out: Path, manifest: Manifest, shard: Shard) -> None:
    """Write a manifest of one split of one shard."""
    (out / "manifest.json").write_text(
        replace(manifest, splits={"train": Split((shard,))}).to_json()
    )


def flips(path: Path) -> Iterator[int]:
    """Flip a bit of each byte, one after the other; the file is as it was at the end."""
    data = path.read_bytes()
    for place in range(len(data)):
        changed = bytearray(data)
        changed[place] ^= 1 << (place % 8)
        path.write_bytes(changed)
        yield place
    path.write_bytes(data)
