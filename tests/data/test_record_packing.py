"""Records packed by the batch are those of the obvious way, byte for byte."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from equalinfo.alphabet import EOS_BYTE
from equalinfo.codecs.base import Encoded
from equalinfo.codecs.batch import Joined
from equalinfo.data.record_packing import pack_records
from equalinfo.data.records import parse
from tests.records import cut_example, serialize


def _encoded(text: bytes, tokens: int, rng: np.random.Generator) -> Encoded:
    ends = np.sort(rng.integers(0, len(text) + 1, tokens))
    if tokens:
        ends[-1] = len(text)
    top = rng.choice([2, 130, 20_000, 1 << 20])
    return Encoded(rng.integers(0, top, tokens).astype(np.int32), ends.astype(np.int64), tokens)


def _examples(rng: np.random.Generator, number: int) -> tuple[list, Joined, list]:
    examples, encoded, sources = [], [], []
    for index in range(number):
        size = int(rng.choice([0, 1, 5, 200, 3000]))
        anything = rng.integers(0, 0xFE, size)
        text = rng.choice([97, 98, EOS_BYTE[0]], size) if rng.random() < 0.5 else anything
        tokens = int(rng.integers(1, size + 2)) if size else 0
        examples.append(text.astype(np.uint8).tobytes())
        encoded.append(_encoded(examples[-1], tokens, rng))
        sources.append(f"ünï-{'x' * int(rng.choice([0, 3, 200]))}.gz:{index}:{size * 1000}")
    return encoded, Joined(examples), sources


@given(st.integers(0, 2**32 - 1), st.integers(0, 12), st.sampled_from([1, 2, 7, 512]))
def test_same_bytes_as_cut_example_and_serialize(seed: int, number: int, max_tokens: int) -> None:
    rng = np.random.default_rng(seed)
    encoded, examples, sources = _examples(rng, number)
    packed = pack_records(encoded, examples, sources, max_tokens)
    expected = [
        record
        for one in zip(encoded, examples, sources, strict=True)
        for record in cut_example(*one, max_tokens)
    ]
    pieces = [
        packed.data[start:end].tobytes()
        for start, end in zip([0, *packed.ends], packed.ends, strict=False)
    ]
    assert pieces == [serialize(record) for record in expected]
    assert packed.num_tokens.tolist() == [len(record.targets) for record in expected]
    assert packed.num_bytes.tolist() == [record.num_bytes for record in expected]
    assert packed.num_documents.tolist() == [record.num_documents for record in expected]


def test_only_the_first_parts() -> None:
    rng = np.random.default_rng(0)
    encoded, examples, sources = _examples(rng, 9)
    packed = pack_records(encoded, examples, sources, 7, max_parts=1)
    first = [one for one in zip(encoded, examples, sources, strict=True) if len(one[0].ids)]
    assert packed.data.tobytes() == b"".join(serialize(cut_example(*one, 7)[0]) for one in first)


def test_the_longest_numbers_fit() -> None:
    examples = Joined([b"x" * 70_000])
    encoded = Encoded(np.array([2**31 - 1], np.int32), np.array([70_000]), 1)
    packed = pack_records([encoded], examples, ["n" * 70_000], 512)
    (record,) = cut_example(encoded, examples[0], "n" * 70_000, 512)
    assert packed.data.tobytes() == serialize(record)
    assert parse(packed.data.tobytes()).num_bytes == 70_000


def test_ends_that_do_not_cover_the_example() -> None:
    encoded = Encoded(np.array([3, 4], np.int32), np.array([1, 2]), 2)
    with pytest.raises(ValueError, match=r"example f:0:0: 2 tokens cover 2 of 3"):
        pack_records([encoded], Joined([b"abc"]), ["f:0:0"], 512)
