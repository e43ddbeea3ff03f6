"""The exported tokenizer is this one: same ids for every str, same text for all ids."""

import gzip
import json
import os
import re
import subprocess
import sys
from dataclasses import replace
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from equalinfo import hugging_face
from equalinfo.alphabet import EOS
from equalinfo.codebook import Codebook
from equalinfo.codebook.plain import PIECE
from equalinfo.data import storage
from equalinfo.tokenizer import Tokenizer
from models import HashModel
from tests.codebook.books import codebook_of, random_codebook

NEEDS = "needs the dev extra: pip install -e '.[dev]'"

# What Unicode normalisation, byte-level letters, special tokens or a pattern could get wrong.
HARD = [
    *("", "\0", "\x1f", "\x7f", "\x80", "\xa0", "\xad", "\r\n", "\u2028", "\ufeff", "\ufffe"),
    *("e\u0301", "\u0301", "\u00e9", "\ufb01", "\u0130", "\u212b", "\ud55c", "\u1112\u1161"),
    *("\ue000", "\U000f0000", "\U0010ffff", "👩‍👩‍👧", "\u0120", "\u010a", "\u0143", "\u2581"),
    *("<pad>", "</s>", "<unk>", "<0x00>", "[PAD]", "##s", "<|endoftext|>", "\\", "^", "-", "]"),
    *(*hugging_face.SPECIAL_TOKENS.values(), hugging_face.EOS_LETTER),
]

CODEBOOKS = {
    "shipped": lambda: Tokenizer.default("english-65536-v1.eqi"),
    "best_first": lambda: compiled(HashModel(peak=24), 4000),
    "interval": lambda: compiled(HashModel(), 1024, plan="interval"),
    # Nearly all codes hold EOS, which no text has.
    "eos": lambda: compiled(HashModel(favourite=EOS), 600),
    # One text of each length up to the limit.
    "deep": lambda: compiled(HashModel(favourite=ord("a")), 256 + hugging_face.MAX_SYMBOLS),
    # Few of the prefixes of its texts are texts.
    "sparse": lambda: parsed("longest", random_codebook(1)),
    "fewest": lambda: parsed("fewest", random_codebook(1)),
    "fewest best_first": lambda: parsed("fewest", compiled(HashModel(peak=24), 4000).codebook),
    # All spellings of a text with as many tokens cost the same; or all of any number.
    "ties": lambda: Tokenizer(codebook_of(words("ab \u00e9", 4), token_cost=1)),
    "nothing costs": lambda: Tokenizer(codebook_of(words("ab", 3)[1::2])),
    # Sums as large as they can be.
    "dear": lambda: Tokenizer(codebook_of(words("ab", 4), token_cost=65535)),
}


def words(letters: str, longest: int) -> list[bytes]:
    """All of two letters and more."""
    lengths = range(2, longest + 1)
    return ["".join(word).encode() for n in lengths for word in product(letters, repeat=n)]


def parsed(parse: str, book: Codebook) -> Tokenizer:
    info = replace(book.info, parse=parse)
    return Tokenizer(Codebook(info, book.texts, book.offsets, book.information))


def compiled(model: HashModel, num_codes: int, plan: str = "best_first") -> Tokenizer:
    return Tokenizer(Codebook.compile(model, num_codes, plan=plan, progress=False))


@cache
def both(name: str) -> tuple[Tokenizer, Any]:
    """Ours and the exported one."""
    tokenizers = pytest.importorskip("tokenizers", reason=NEEDS)
    ours = CODEBOOKS[name]()
    content = json.dumps(hugging_face.tokenizer_json(ours.codebook))
    return ours, tokenizers.Tokenizer.from_str(content)


def check_same(name: str, text: str) -> None:
    ours, exported = both(name)
    ids = ours.encode(text).tolist()
    assert exported.encode(text).ids == ids
    assert exported.decode(ids) == text


every_codebook = pytest.mark.parametrize("name", CODEBOOKS)


@every_codebook
@given(st.lists(st.one_of(st.text(), st.text("etaoin ,.\n"), st.sampled_from(HARD))).map("".join))
def test_ids_of_any_text(name: str, text: str) -> None:
    check_same(name, text)


@every_codebook
@given(data=st.data())
def test_ids_of_texts_of_codes(name: str, data: st.DataObject) -> None:
    """Random text seldom walks deep into the trie; this does, and leaves it anywhere."""
    ours, _ = both(name)
    ids = data.draw(st.lists(st.integers(0, ours.vocab_size - 1)))
    text = ours.decode_bytes(ids).decode(errors="ignore")
    check_same(name, text[data.draw(st.integers(0, 5)) :])


def test_ids_of_characters_of_all_planes() -> None:
    codes = [code for code in range(0x110000) if code < 0x3000 or code % 97 == 0]
    check_same("shipped", "".join(chr(code) for code in codes if not 0xD800 <= code < 0xE000))


def test_ids_of_real_text(repository: Path) -> None:
    documents = []
    for path in sorted((repository / "demo" / "text").glob("*.gz")):
        with gzip.open(path, "rt", encoding="utf-8") as file:
            documents += [json.loads(line)["text"] for line in file]
    for document in documents[::4]:
        check_same("shipped", document)
    check_same("shipped", "\n".join(documents)[:200_000])
    check_same("best_first", "".join(documents)[:50_000])


@every_codebook
def test_ids_of_long_runs(name: str) -> None:
    for piece in ("a", "a" * 399 + "b", "-", "\0", "\U0001f600"):
        check_same(name, piece * (20_000 // len(piece)))


@pytest.mark.parametrize("name", ["fewest", "ties", "dear"])
def test_ids_of_texts_of_many_pieces(name: str) -> None:
    """Pieces are cut after as many bytes, also inside a character; a Viterbi begins anew."""
    rng = np.random.default_rng(0)
    for letters in ("ab", "a\u00e9"):
        for size in (PIECE, PIECE + 1, 2 * PIECE + 5):
            check_same(name, "".join(rng.choice(list(letters), size).tolist()))


def test_ids_of_batches() -> None:
    rng = np.random.default_rng(0)
    texts = ["".join(rng.choice(list("ab \u00e9"), n).tolist()) for n in (0, 1, 50, 200, PIECE, 7)]
    ours, exported = both("ties")
    ids = [ours.encode(text).tolist() for text in texts]
    for _ in range(2):  # the second time from its cache
        assert [encoding.ids for encoding in exported.encode_batch(texts)] == ids


@every_codebook
@given(data=st.data())
def test_text_of_any_ids(name: str, data: st.DataObject) -> None:
    """What a model may emit: half characters, special ids, ends of documents."""
    ours, exported = both(name)
    ids = data.draw(st.lists(st.integers(0, ours.vocab_size - 1)))
    for skip in (False, True):
        assert exported.decode(ids, skip_special_tokens=skip) == ours.decode(ids)


@every_codebook
def test_vocabulary(name: str) -> None:
    """A code has its id, and one letter a symbol; no text has the letter of EOS."""
    ours, exported = both(name)
    ids = exported.get_vocab()
    assert sorted(ids.values()) == list(range(ours.vocab_size)) == list(range(len(ids)))
    names = sorted(ids, key=ids.__getitem__)
    assert names[:3] == list(hugging_face.SPECIAL_TOKENS.values())
    codebook = ours.codebook
    assert [len(name) for name in names[3:]] == np.diff(codebook.offsets).tolist()
    letters = np.array(list("".join(names[3:])))
    assert np.array_equal(letters == hugging_face.EOS_LETTER, codebook.texts == EOS)


def test_a_text_too_long_is_refused() -> None:
    deep = compiled(HashModel(favourite=ord("a")), 257 + hugging_face.MAX_SYMBOLS)
    with pytest.raises(ValueError, match=r"code \d+ has 401 symbols, of 400"):
        hugging_face.tokenizer_json(deep.codebook)


def test_pattern_stops_only_where_a_text_ends() -> None:
    texts = [b"abc", b"abcdef", b"abxy", b"b\xff", (ord("c"), EOS), (ord("d"), ord("e"), EOS)]
    pattern = hugging_face.longest_match_pattern(codebook_of(texts, parse="longest"))
    assert re.findall(pattern, "abcdeabxyababcdefbdec") == [
        *("abc", "d", "e", "abxy", "a", "b", "abcdef", "b", "d", "e", "c")
    ]


def test_files_are_the_same_every_time(tmp_path: Path) -> None:
    codebook = compiled(HashModel(), 600).codebook
    first, second = (
        [Path(path) for path in hugging_face.export(codebook, tmp_path / name)]
        for name in ("new/first", "second")
    )
    assert [path.name for path in first] == ["tokenizer.json", "tokenizer_config.json", "README.md"]
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]
    assert codebook.sha256 in first[2].read_text() and "| 603 |" in first[2].read_text()


@pytest.mark.parametrize("fails", [0, 1, 2])
def test_a_full_disk_leaves_nothing(
    fails: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write, written = storage.HashingFile.write, []

    def write_or_fail(file: storage.HashingFile, data: bytes) -> int:
        written.append(data)
        if len(written) == fails + 1:
            raise OSError(28, "No space left on device")
        return write(file, data)

    monkeypatch.setattr(storage.HashingFile, "write", write_or_fail)
    codebook = compiled(HashModel(), 600).codebook
    with pytest.raises(OSError, match="No space left"):
        hugging_face.export(codebook, tmp_path / "out")
    assert list((tmp_path / "out").iterdir()) == []
    assert len(hugging_face.export(codebook, tmp_path / "out")) == 3


def test_a_file_of_the_user_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("mine")
    with pytest.raises(FileExistsError, match=r"already has README\.md\. "):
        hugging_face.export(compiled(HashModel(), 300).codebook, tmp_path)
    assert [path.read_text() for path in tmp_path.iterdir()] == ["mine"]


IN_TRANSFORMERS = """
import json, sys
sys.modules["equalinfo"] = None  # whoever imports it now gets an ImportError
directory, cases = sys.argv[1], json.load(sys.stdin)
from transformers import AutoTokenizer, PreTrainedTokenizerFast

named = AutoTokenizer.from_pretrained(directory)
named.save_pretrained(directory + "/saved")
for tokenizer in (
    named,
    PreTrainedTokenizerFast.from_pretrained(directory),
    PreTrainedTokenizerFast(tokenizer_file=directory + "/tokenizer.json"),
    AutoTokenizer.from_pretrained(directory + "/saved"),
):
    for text, ids in cases:
        assert tokenizer(text)["input_ids"] == ids == tokenizer.encode(text), text
        assert tokenizer.decode(ids) == text, text
        assert tokenizer.decode(ids, skip_special_tokens=True) == text, text
        assert tokenizer.convert_tokens_to_ids(tokenizer.tokenize(text)) == ids, text
    assert len(tokenizer) == tokenizer.vocab_size == int(sys.argv[2])
assert (named.pad_token_id, named.eos_token_id, named.unk_token_id) == (0, 1, 2)
padded = named(["", "ab"], padding=True)
assert set(padded["input_ids"][0]) == {0} == set(padded["attention_mask"][0])
assert named.decode([0, 1, *cases[-1][1], 2]) == cases[-1][0]
assert len(named) == int(sys.argv[2])
print("same")
"""


@pytest.mark.parametrize("name", ["shipped", "fewest"])
def test_transformers_loads_it_without_this_package(name: str, tmp_path: Path) -> None:
    pytest.importorskip("transformers", reason=NEEDS)
    ours, _ = both(name)
    hugging_face.export(ours.codebook, tmp_path)
    texts = [*HARD, "".join(HARD), " a  b ,don 't . it 's", "The end of the text."]
    cases = [(text, ours.encode(text).tolist()) for text in texts]
    run = subprocess.run(
        [sys.executable, "-c", IN_TRANSFORMERS, str(tmp_path), str(ours.vocab_size)],
        input=json.dumps(cases),
        env={**os.environ, "HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path / "home")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (run.returncode, run.stdout) == (0, "same\n"), run.stderr
