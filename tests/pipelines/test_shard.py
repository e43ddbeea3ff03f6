"""One input file to one shard: exact accounts, bounded memory, nothing half written."""

import gzip
import json
import tracemalloc
from collections.abc import Callable, Sequence
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from equalinfo import alphabet, codecs
from equalinfo.codecs.base import Codec, Encoded
from equalinfo.data.records import Record, parse
from equalinfo.data.tfrecord import read_records
from pipelines import examples as examples_module
from pipelines import shard
from pipelines.examples import Example, batches, cut_documents
from pipelines.shard import (
    AccountError,
    CodecFaultError,
    Layout,
    ShardReport,
    ShardTask,
    compress_shard,
)
from pipelines.sources import find

LAYOUT = Layout(
    split="train",
    sequence_length=64,
    example_bytes=1000,
    documents_per_sequence=128,
    trim="none",
    verify=False,
)


def _compress(
    path: Path, out: Path, codec: Codec | None = None, **changes: object
) -> tuple[ShardReport, list[Record]]:
    layout = Layout(**{**vars(LAYOUT), **changes})  # type: ignore[arg-type]
    codec = codec or codecs.create("bytes")
    report = compress_shard(ShardTask(find([str(path)])[0], 0, 1), layout, codec, str(out))
    with open(out / report.shard.file, "rb") as file:
        return report, [parse(data) for data in read_records(file, "shard")]


@given(
    documents=st.lists(st.text(max_size=15).map(str.encode), max_size=12),
    per_sequence=st.integers(1, 12),
    size=st.integers(4, 12),
    cut_after=st.integers(0, 3),
)
def test_lazy_cutting_is_joining_then_cutting(
    documents: list[bytes], per_sequence: int, size: int, cut_after: int
) -> None:
    expected = []
    for first in range(0, len(documents), per_sequence):
        offset = 0
        for piece in alphabet.cut(alphabet.join(documents[first : first + per_sequence]), size):
            expected.append((f"in:{first}:{offset}", piece.tolist()))
            offset += len(piece)
    with mock.patch.object(examples_module, "_CUT_AFTER_EXAMPLES", cut_after):
        found = list(cut_documents(documents, "in", per_sequence, size))
    cut = [(example.source, alphabet.from_bytes(example.text).tolist()) for example in found]
    assert cut == expected


def test_batches_depend_on_the_examples_only() -> None:
    examples = [Example(str(n), bytes(10_240)) for n in range(shard.BATCH_EXAMPLES * 2)]
    most = shard.BATCH_EXAMPLES, shard.BATCH_SYMBOLS
    grouped = list(batches(iter(examples), *most))
    assert [example for batch in grouped for example in batch] == examples
    assert [len(batch) for batch in grouped] == [shard.BATCH_EXAMPLES] * 2
    longer = [Example("a", bytes(20_480))] * shard.BATCH_EXAMPLES
    assert [len(batch) for batch in batches(longer, *most)] == [shard.BATCH_EXAMPLES // 2] * 2
    large = [Example("a", bytes(shard.BATCH_SYMBOLS + 1))] * 2
    assert [len(batch) for batch in batches(large, *most)] == [1, 1]
    small = [Example("a", bytes(1))] * (shard.BATCH_EXAMPLES + 1)
    assert [len(batch) for batch in batches(small, *most)] == [shard.BATCH_EXAMPLES, 1]


def test_accounts_and_sources(
    write_json: Callable[..., Path], texts: Sequence[str], tmp_path: Path
) -> None:
    report, records = _compress(write_json("a.json.gz", texts), tmp_path)
    counts = report.shard
    assert counts.documents == len(texts) == sum(record.num_documents for record in records)
    assert counts.bytes == sum(len(text.encode()) for text in texts)
    assert counts.bytes == sum(record.num_bytes for record in records)
    assert counts.records == len(records)
    assert counts.tokens == sum(len(record.targets) for record in records)
    assert {record.source.split(":")[1] for record in records} == {"0", "128", "256"}
    assert max(len(record.targets) for record in records) == 64
    sources = list(dict.fromkeys(record.source for record in records))
    assert counts.examples == len(sources)
    for source in sources:
        parts = [record.part for record in records if record.source == source]
        assert parts == list(range(len(parts)))


def test_trim_paper_keeps_the_first_record_of_each_example(
    write_json: Callable[..., Path], texts: Sequence[str], tmp_path: Path
) -> None:
    path = write_json("a.json.gz", texts)
    whole, every = _compress(path, tmp_path / "whole")
    report, records = _compress(path, tmp_path / "trimmed", trim="paper")
    kept = [record for record in every if record.part == 0]
    dropped = [record for record in every if record.part > 0]
    assert [record.checksum for record in records] == [record.checksum for record in kept]
    trimmed = report.shard
    assert trimmed.documents == whole.shard.documents and trimmed.bytes == whole.shard.bytes
    assert trimmed.records == trimmed.examples == whole.shard.examples == len(kept)
    assert trimmed.trimmed_bytes == sum(record.num_bytes for record in dropped) > 0
    assert trimmed.trimmed_documents == sum(record.num_documents for record in dropped) > 0
    assert trimmed.trimmed_tokens == sum(len(record.targets) for record in dropped)
    assert trimmed.tokens + trimmed.trimmed_tokens == whole.shard.tokens
    assert sum(record.num_bytes for record in records) == trimmed.bytes - trimmed.trimmed_bytes


def test_same_bytes_whatever_an_earlier_attempt_left(
    write_json: Callable[..., Path], texts: Sequence[str], tmp_path: Path
) -> None:
    path = write_json("a.json.gz", texts)
    first, _ = _compress(path, tmp_path)
    again, _ = _compress(path, tmp_path)
    assert first == again
    assert [entry.name for entry in tmp_path.iterdir() if entry.is_file()] == [first.shard.file]


def test_rejects_go_to_a_file_and_the_rest_on(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(b'{"text": "one"}\nnot json\n{"text": "two"}\n{"\\ud800": 1}\n')
    report, records = _compress(path, tmp_path)
    assert (report.shard.documents, report.shard.rejected, report.shard.damaged) == (2, 2, 0)
    lines = (tmp_path / "rejects-train-00000-of-00001.jsonl").read_text("utf-8").splitlines()
    rejects = [json.loads(line) for line in lines]
    assert [reject["place"] for reject in rejects] == ["a.json:2", "a.json:4"]
    assert "invalid JSON" in rejects[0]["reason"]
    assert sum(record.num_documents for record in records) == 2


def test_a_damaged_file_keeps_what_came_before(
    write_json: Callable[..., Path], texts: Sequence[str], tmp_path: Path
) -> None:
    path = write_json("a.json.gz", texts)
    path.write_bytes(path.read_bytes()[:-200])
    report, _ = _compress(path, tmp_path)
    kept = report.shard.documents
    assert 0 < kept < len(texts) and report.shard.damaged == 1
    assert report.damage.startswith(f"file damaged after document {kept}: the compressed file was")
    (line,) = (tmp_path / "rejects-train-00000-of-00001.jsonl").read_text().splitlines()
    assert json.loads(line) == {"place": "a.json.gz", "reason": report.damage}


def test_empty_file_gives_an_empty_shard(write_json: Callable[..., Path], tmp_path: Path) -> None:
    report, records = _compress(write_json("a.json.gz", []), tmp_path)
    assert records == [] and report.shard.documents == 0
    assert (tmp_path / report.shard.file).read_bytes() == b""


class _Failing(codecs.METHODS["bytes"]):  # type: ignore[misc,name-defined]
    """Fails after the first batch, as a worker that dies would."""

    calls = 0

    def encode(self, examples: Sequence[alphabet.Symbols]) -> list[Encoded]:
        self.calls += 1
        if self.calls > 1:
            raise OSError("no space left on device")
        return super().encode(examples)


def test_a_crash_leaves_no_half_shard(
    write_json: Callable[..., Path],
    texts: Sequence[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(shard, "BATCH_EXAMPLES", 2 * shard._SMALL_BATCH)
    path = write_json("a.json", texts)
    path.write_bytes(b"bad line\n" + path.read_bytes())
    with pytest.raises(OSError, match="no space"):
        _compress(path, tmp_path / "out", _Failing())
    assert list((tmp_path / "out").iterdir()) == []


class _Wrong(codecs.METHODS["bytes"]):  # type: ignore[misc,name-defined]
    """Claims to be lossless and is not."""

    def decode(self, ids, lengths=None, *, allow_errors=False):  # type: ignore[no-untyped-def]
        decoded = super().decode(ids, lengths, allow_errors=allow_errors)
        decoded[-1] = decoded[-1] // 2
        return decoded


def test_verify(write_json: Callable[..., Path], texts: Sequence[str], tmp_path: Path) -> None:
    path = write_json("a.json", texts)
    report, _ = _compress(path, tmp_path, codecs.create("gzip"), verify=True)
    assert report.shard.verified_examples == report.shard.examples > 0
    assert report.shard.window_errors == 0
    with pytest.raises(CodecFaultError, match=r"'bytes' does not restore example a\.json:"):
        _compress(path, tmp_path, _Wrong(), verify=True)


@pytest.mark.parametrize("change", [lambda b: b[1:], lambda b: [b[0], *b]])
def test_lost_or_doubled_text_is_noticed(
    write_json: Callable[..., Path],
    texts: Sequence[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    change: Callable[[list[shard.Example]], list[shard.Example]],
) -> None:
    monkeypatch.setattr(shard, "batches", lambda examples, *_: [change(list(examples))])
    path = write_json("a.json", texts)
    for trim in ("none", "paper"):
        with pytest.raises(AccountError, match=r"304 documents .* the records cover"):
            _compress(path, tmp_path / "out", trim=trim)
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (lambda b: b[:-1], "its last batch did not come; 4 batches did"),
        (lambda b: [b[0], *b], "batch 0 came where batch 1 was due"),
        (lambda b: [b[1], b[0], *b[2:]], "batch 1 came where batch 0 was due"),
        (lambda b: [*b, b[-1]], "batch 4 came where batch 5 was due, after the last one"),
        (lambda b: [], "its last batch did not come; 0 batches did"),
    ],
)
def test_batches_that_a_runner_loses_doubles_or_mixes_up(
    write_json: Callable[..., Path],
    texts: Sequence[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    change: Callable[[list[shard.EncodedBatch]], list[shard.EncodedBatch]],
    match: str,
) -> None:
    monkeypatch.setattr(shard, "BATCH_EXAMPLES", 8 * shard._SMALL_BATCH)
    task = ShardTask(find([str(write_json("a.json", texts))])[0], 0, 1)
    codec = codecs.create("bytes")
    encoded = [
        shard.encode_batch(batch, LAYOUT, codec)
        for batch in shard.read_batches(task, LAYOUT, runs_model=False)
    ]
    assert len(encoded) == 5
    out = tmp_path / "out"
    with pytest.raises(AccountError, match=match):
        shard.write_shard(task, LAYOUT, str(out), change(encoded))
    assert list(out.iterdir()) == []
    report = shard.write_shard(task, LAYOUT, str(out), encoded)
    assert report == compress_shard(task, LAYOUT, codec, str(tmp_path / "whole"))


def test_five_megabyte_document(tmp_path: Path) -> None:
    text = "Zeile mit Umläuten äöü and more. " * 150_000
    path = tmp_path / "a.json.gz"
    path.write_bytes(gzip.compress(json.dumps({"text": text}).encode(), 1))
    codec = codecs.create("gzip")
    report, records = _compress(path, tmp_path / "out", codec, example_bytes=10_240)
    assert report.shard.documents == 1
    assert report.shard.bytes == len(text.encode()) > 5_000_000
    assert sum(record.num_bytes for record in records) == report.shard.bytes
    sources = list(dict.fromkeys(record.source for record in records))
    last = [record for record in records if record.source == sources[-1]]
    (symbols,) = codec.decode(
        [np.concatenate([record.targets for record in last])],
        [sum(record.num_symbols for record in last)],
    )
    assert symbols[-1] == alphabet.EOS
    assert text.encode().endswith(bytes(symbols[:-1].astype(np.uint8)))


def test_memory_does_not_grow_with_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shard, "BATCH_SYMBOLS", 1 << 17)
    codec = codecs.create("gzip")
    peaks = []
    for megabytes in (1, 4):
        path = tmp_path / f"{megabytes}.txt"
        path.write_bytes((b"x" * 999 + b"\n") * 1000 * megabytes)
        tracemalloc.start()
        _compress(path, tmp_path / "out", codec, example_bytes=10_240)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.2 * peaks[0] < 10_000_000, peaks
