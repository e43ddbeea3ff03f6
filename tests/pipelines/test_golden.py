"""The bytes of shards and codecs do not change unawares."""

import hashlib
import json
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from equalinfo import alphabet, codecs
from equalinfo.m1.static import StaticModel
from pipelines.shard import Layout, ShardTask, compress_shard
from pipelines.sources import find

GOLDEN = Path(__file__).resolve().parents[1] / "golden" / "shards.json"

SMALL = Path(__file__).resolve().parents[2] / "equalinfo" / "codebooks" / "english-8192-v2.eqi"

# gzip is not here: its bytes are those of the machine's zlib.
CODECS: dict[str, Callable[[StaticModel, StaticModel], codecs.Codec]] = {
    "bytes": lambda p14, p16: codecs.create("bytes"),
    "static_ac": lambda p14, p16: codecs.create("static_ac", model=p14),
    "ac": lambda p14, p16: codecs.create("ac", model=p14, token_bits=7),
    "equal_info_ac": lambda p14, p16: codecs.create("equal_info_ac", model=p14, delay=True),
    "equal_info": lambda p14, p16: codecs.create(
        "equal_info", model=p16, window_bits=12, token_bits=12, quiet=True
    ),
    "equal_info_interval": lambda p14, p16: codecs.create(
        "equal_info", model=p16, window_bits=12, plan="interval", quiet=True
    ),
    "equal_info_package": lambda p14, p16: codecs.create("equal_info"),
    "codebook": lambda p14, p16: codecs.create("codebook", codebook=SMALL),
    "codebook_longest": lambda p14, p16: codecs.create("codebook", codebook=SMALL, parse="longest"),
    "equal_info_wide": lambda p14, p16: codecs.create(
        "equal_info", model=p16, window_bits=24, token_bits=10, quiet=True
    ),
}


@pytest.mark.parametrize("name", CODECS)
def test_shards_are_those_of_the_golden_file(
    name: str, write_json: Callable[..., Path], texts: Sequence[str], tmp_path: Path
) -> None:
    symbols = alphabet.join([text.encode() for text in texts])
    counts = np.bincount(symbols, minlength=alphabet.NUM_SYMBOLS)
    codec = CODECS[name](StaticModel.from_counts(counts, 14), StaticModel.from_counts(counts, 16))
    codec.save(tmp_path / "codec")
    path = write_json("a.json", texts)
    layout = Layout("train", 64, 1000, 128, "none", False)
    compress_shard(ShardTask(find([str(path)])[0], 0, 1), layout, codec, str(tmp_path / "out"))
    found = {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for folder in ("codec", "out")
        for path in sorted((tmp_path / folder).iterdir())
    }
    assert found == json.loads(GOLDEN.read_text("utf-8"))[name], (
        f"The files of {name!r} have changed. If they had to: raise the format version of what "
        f"changed, say so in CHANGELOG.md, and put these into {GOLDEN.name}: {json.dumps(found)}"
    )
