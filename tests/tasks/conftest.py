"""Tiny codecs and data sets for the tests of tasks/."""

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("seqio", reason="tasks need SeqIO: pip install 'equalinfo[seqio]'")

import seqio

from equalinfo import alphabet, codecs
from equalinfo.codebook import Codebook
from equalinfo.codecs.base import Codec
from equalinfo.data.manifest import Manifest, Shard, Split
from equalinfo.data.records import Record
from equalinfo.m1.static import StaticModel
from sentencepiece_models import train_usual
from tests.records import cut_example, serialize, write_records

TEXT = (
    "It was the best of times, it was the worst of times, it was the age of wisdom, it was the "
    "age of foolishness, it was the epoch of belief. Größe, naïve café, 東京 and 🙂 are text too.\n"
)


def static_model(precision: int) -> StaticModel:
    """Byte counts of TEXT; every symbol can occur."""
    counts = np.bincount(alphabet.join([TEXT.encode()] * 20), minlength=alphabet.NUM_SYMBOLS)
    return StaticModel.from_counts(counts + 1, precision)


@pytest.fixture(scope="session")
def sentencepiece_model(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A Unigram model with T5's special ids, trained on TEXT."""
    words = TEXT.split()
    sentences = [" ".join(words[i:] + words[:i]) for i in range(len(words))]
    return train_usual(sentences, tmp_path_factory.mktemp("sp") / "tiny", 90)


@pytest.fixture(scope="session")
def codec_directories(
    tmp_path_factory: pytest.TempPathFactory, sentencepiece_model: str
) -> dict[str, Path]:
    """Saved codecs by a short name; windows equal to tokens, shorter and across tokens."""
    made: dict[str, Codec] = {
        "bytes": codecs.create("bytes"),
        "sentencepiece": codecs.create("sentencepiece", model=sentencepiece_model),
        "gzip": codecs.create("gzip", token_bits=16),
        "static_ac": codecs.create("static_ac", model=static_model(14), token_bits=8),
        "equal_info": codecs.create(
            "equal_info", model=static_model(16), window_bits=12, token_bits=12, quiet=True
        ),
        "equal_info_n8": codecs.create(
            "equal_info", model=static_model(16), window_bits=12, token_bits=8, quiet=True
        ),
        "equal_info_ac": codecs.create(
            "equal_info_ac", model=static_model(14), window_bits=16, token_bits=16
        ),
    }
    root = tmp_path_factory.mktemp("codecs")
    for name, codec in made.items():
        codec.save(root / name)
    return {name: root / name for name in made}


def documents(number: int, seed: int = 0) -> list[bytes]:
    """Pieces of TEXT of many lengths, an empty one among them."""
    rng = np.random.default_rng(seed)
    long = TEXT * 4
    texts = [long[rng.integers(80) :][: rng.integers(1, 400)].encode() for _ in range(number)]
    return [b"", *texts[1:]]


DatasetWriter = Callable[..., Path]


@pytest.fixture
def write_dataset(tmp_path: Path, codec_directories: Mapping[str, Path]) -> DatasetWriter:
    """write(codec name, {split: [documents of each shard]}, length=L) -> directory."""

    def write(
        codec_name: str,
        splits: Mapping[str, Sequence[Sequence[bytes]]],
        length: int = 16,
        directory: str = "data",
    ) -> Path:
        root = tmp_path / directory
        codec = codecs.load(codec_directories[codec_name])
        codec.save(root / "codec")
        written = {}
        for split, inputs in splits.items():
            shards = []
            for number, texts in enumerate(inputs):
                name = f"{split}.tfrecord-{number:05d}-of-{len(inputs):05d}"
                shards.append(_write_shard(root / name, codec, texts, length))
            written[split] = Split(tuple(shards))
        manifest = Manifest(
            equalinfo_version="0.1.0",
            method=codec.method,
            lossless=codec.lossless,
            vocab_size=codec.vocab_size,
            token_bits=codec.token_bits,
            pad_id=0,
            eos_id=1,
            codec=seqio_codec_json(root / "codec"),
            sequence_length=length,
            example_bytes=512,
            documents_per_sequence=8,
            trim="none",
            splits=written,
        )
        (root / "manifest.json").write_text(manifest.to_json(), "utf-8")
        return root

    return write


def seqio_codec_json(directory: Path) -> dict[str, object]:
    """codec.json, as the manifest repeats it."""
    import json

    content: dict[str, object] = json.loads((directory / "codec.json").read_text("utf-8"))
    return content


def _write_shard(path: Path, codec: Codec, texts: Sequence[bytes], length: int) -> Shard:
    records: list[Record] = []
    examples = windows = 0
    for first in range(0, len(texts), 8):
        sequence = alphabet.join(texts[first : first + 8])
        offset = 0
        for symbols in alphabet.cut(sequence, 512):
            encoded = codec.encode([symbols])[0]
            records += cut_example(encoded, symbols, f"{path.name}:{first}:{offset}", length)
            offset += len(symbols)
            examples += 1
            windows += encoded.windows
    with open(path, "wb") as file:
        write_records(file, map(serialize, records))
    return Shard(
        file=path.name,
        sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
        input=f"{path.name}.txt",
        documents=len(texts),
        bytes=sum(map(len, texts)),
        examples=examples,
        records=len(records),
        tokens=sum(len(record.targets) for record in records),
        windows=windows,
        rejected=0,
        damaged=0,
        trimmed_documents=0,
        trimmed_bytes=0,
        trimmed_tokens=0,
        verified_examples=0,
        window_errors=0,
    )


@pytest.fixture(autouse=True)
def own_registry(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No test sees the tasks of another."""
    from tasks import registration

    monkeypatch.setattr(seqio.TaskRegistry, "_REGISTRY", {})
    monkeypatch.setattr(registration, "_registered", {})
    yield


@pytest.fixture
def make_documents() -> Callable[..., list[bytes]]:
    """`documents`."""
    return documents


@pytest.fixture
def text() -> str:
    """TEXT."""
    return TEXT


@pytest.fixture(scope="session")
def codebook(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A `.eqi` file of 1,500 codes; some hold EOS."""
    path = tmp_path_factory.mktemp("codebook") / "tiny.eqi"
    Codebook.compile(static_model(16), 1500, progress=False).save(path)
    return path
