"""Every tokenizer of a study counts the bytes of its text, and spells it."""

import dataclasses
import itertools
from pathlib import Path

import numpy as np
import pytest

from equalinfo.alphabet import EOS, join
from equalinfo.data.options import TextOptions
from equalinfo.ids import EOS_ID, ID_OFFSET
from experiments import store
from experiments.store import Store
from experiments.study import splits, steps, superbpe, tokenizers
from experiments.study.config import Study, Tokenizer
from experiments.study.tokenizers import Tokens

TEXT = Path(__file__).resolve().parents[3] / "demo" / "text"
DOCUMENTS = list(TextOptions().documents([str(min(TEXT.glob("train-*")))]))[:60]
ENTRIES = Study.load("tiny").tokenizers


@pytest.mark.parametrize("name", [name for name in ENTRIES if "split" not in name])
def test_tokens_stand_for_all_of_the_text(name: str, tmp_path: Path) -> None:
    entry = ENTRIES[name]
    if entry.codes:
        entry = dataclasses.replace(entry, codes=512)
    tokenizers.train(entry, DOCUMENTS, tmp_path)
    encoder = tokenizers.load(tmp_path)
    found = encoder.encode(DOCUMENTS)
    assert found.total_bytes == sum(map(len, DOCUMENTS))
    assert found.symbols.sum() == len(join(DOCUMENTS))
    assert found.ids.min() >= EOS_ID and found.ids.max() < encoder.vocab_size
    assert len(found.ids) % encoder.unit == 0
    # One text, one id: what splits rest on.
    if encoder.unit == 1 and not name.startswith("StaticAC"):
        ends = np.cumsum(found.symbols, dtype=np.int64)
        text = join(DOCUMENTS)
        spelled: dict[int, bytes] = {}
        for i, end, size in zip(found.ids, ends, found.symbols, strict=True):
            symbols = text[end - size : end].tobytes()
            assert spelled.setdefault(int(i), symbols) == symbols


@pytest.mark.parametrize(
    ("model", "parameters"), [("english-3m-v1", 3_147_904), ("counts", 0), (None, None)]
)
def test_flops_know_the_m1_that_reads_every_byte(
    model: str | None, parameters: int | None, tmp_path: Path
) -> None:
    study = dataclasses.replace(Study.load("tiny"), validation_bytes=2_000)
    options = {"method": "ac", "model": model} if model else {"method": "bytes"}
    entry = Tokenizer("M1", "codec", 0, options)
    folder = steps.tokens(Store(tmp_path), study, entry, 2_000)
    assert store.result(folder)["m1_parameters"] == (parameters or 0)


def test_bpe_is_that_of_its_library() -> None:
    made = superbpe.train(DOCUMENTS, 512)
    text = DOCUMENTS[0].decode()
    assert made.decode(made.encode(text).ids) == text
    assert made.get_vocab_size() == 512
    assert not any(" " in made.decode([i]).strip() for i in range(512))


def reference(
    pieces: list[list[str]], ids: dict[str, int], codes: int, max_words: int
) -> list[tuple[str, str]]:
    """BPE across words, told the slow way; of equal pairs that of the lowest ids."""
    found = []
    while len(ids) < codes:
        counts: dict[tuple[str, str], int] = {}
        for piece in pieces:
            for pair in itertools.pairwise(piece):
                if "".join(pair).count("Ġ") <= max_words:
                    counts[pair] = counts.get(pair, 0) + 1
        best = min(counts, key=lambda pair: (-counts[pair], ids[pair[0]], ids[pair[1]]))
        ids.setdefault("".join(best), len(ids))
        found.append(best)
        for piece in pieces:
            i = 0
            while i + 1 < len(piece):
                if (piece[i], piece[i + 1]) == best:
                    piece[i : i + 2] = ["".join(best)]
                i += 1
    return found


@pytest.mark.parametrize("seed", range(4))
def test_pairs_merge_across_words_as_told_the_slow_way(seed: int) -> None:
    rng = np.random.default_rng(seed)
    letters = ["a", "b", "Ġ", "c"]
    pieces = [[letters[i] for i in rng.choice(4, 300, p=[0.4, 0.3, 0.2, 0.1])] for _ in range(5)]
    ids = {name: i for i, name in enumerate(letters)}
    tokens = [-1]
    for piece in pieces:
        tokens += [*(ids[name] for name in piece), -1]
    expected_ids = dict(ids)
    expected = reference(pieces, expected_ids, 60, 2)
    assert superbpe._merge_pairs(np.array(tokens, np.int32), ids, 60, 2) == expected
    assert ids == expected_ids


def test_superbpe_has_tokens_across_words(tmp_path: Path) -> None:
    made = superbpe.train(DOCUMENTS, 512, transition=0.6)
    assert made.get_vocab_size() == 512
    texts = [made.decode([i]) for i in range(512)]
    assert any(" " in text.strip() for text in texts)
    assert max(text.count(" ") for text in texts) <= 4
    for document in DOCUMENTS[:5]:
        text = document.decode()
        assert made.decode(made.encode(text).ids) == text


def test_superbpe_refuses_a_text_too_short() -> None:
    with pytest.raises(ValueError, match="Give more text"):
        superbpe.train([b"ab"], 512)


def test_splits_spell_the_same(tmp_path: Path) -> None:
    entry = Tokenizer("codebook", "codebook", 512)
    tokenizers.train(entry, DOCUMENTS, tmp_path)
    found = tokenizers.load(tmp_path).encode(DOCUMENTS)
    text = join(DOCUMENTS)
    split = splits.split(found, text, 0.5, seed=1)
    assert len(split.ids) > 1.1 * len(found.ids)
    assert split.total_bytes == found.total_bytes
    ends = np.cumsum(found.symbols, dtype=np.int64)
    spelled = {
        int(i): text[end - size : end].tobytes()
        for i, end, size in zip(found.ids, ends, found.symbols, strict=True)
    }
    assert b"".join(spelled[int(i)] for i in split.ids) == text.tobytes()
    at = np.cumsum(split.symbols, dtype=np.int64)
    np.testing.assert_array_equal(np.add.reduceat(text != EOS, at - split.symbols), split.num_bytes)
    for one, other in zip(splits.split(found, text, 0.5, seed=1), split, strict=True):
        np.testing.assert_array_equal(one, other)
    for one, other in zip(splits.split(found, text, 0.0, seed=1), found, strict=True):
        np.testing.assert_array_equal(one, other)


def test_examples_hold_the_text_in_order() -> None:
    found = Tokens(
        np.arange(3, 10, dtype=np.int32) + ID_OFFSET,
        np.full(7, 2, np.uint16),
        np.arange(7, dtype=np.uint16),
    )
    rows = steps.cut(found, 3)
    assert rows.targets.tolist() == [[6, 7, 8], [9, 10, 11], [12, 0, 0]]
    assert rows.num_bytes.tolist() == [3, 12, 6]
    assert rows.num_tokens == 7
