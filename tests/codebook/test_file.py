"""A file means the same tokens for ever; one that is damaged, or made up, is refused."""

import gzip
import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

from equalinfo import Tokenizer, container
from equalinfo.codebook import Codebook, file
from equalinfo.codebook.file import CodebookInfo
from equalinfo.codebook.limits import FEWEST, LONGEST, PARSES
from tests.codebook.books import codebook_of, glued, random_codebook
from tests.models import HashModel

BOOK = random_codebook(0)


def shipped(repository: Path) -> Path:
    return repository / "equalinfo" / "codebooks" / "english-65536-v1.eqi"


SHIPPED = sorted(Path(__file__).parents[2].glob("equalinfo/codebooks/*.eqi"))


@pytest.mark.parametrize("name", [path.name for path in SHIPPED])
def test_ids_of_a_shipped_codebook_never_change(repository: Path, name: str) -> None:
    golden = json.loads((repository / "tests" / "golden" / "tokenizer.json").read_text())
    documents = []
    for path in sorted((repository / "demo" / "text").glob("*.gz")):
        with gzip.open(path, "rt", encoding="utf-8") as lines:
            documents += [json.loads(line)["text"] for line in lines]
    text = "\n".join(documents).encode() + hashlib.shake_256(b"").digest(100_000)
    assert hashlib.sha256(text).hexdigest() == golden["text_sha256"]
    found = {}
    for parse in PARSES:
        tokenizer = Tokenizer.default(name, parse)
        (ids,) = tokenizer.encode_batch([text])
        found[parse] = [len(ids), hashlib.sha256(ids.astype("<i4").tobytes()).hexdigest()]
    assert {"sha256": tokenizer.codebook.sha256, **found} == golden["codebooks"][name]


def test_a_file_of_format_2_is_written_back_as_it_is(repository: Path, tmp_path: Path) -> None:
    book = Codebook.load(shipped(repository))
    assert (book.format_version, book.info.parse, book.info.token_cost) == (2, LONGEST, 0)
    book.save(tmp_path / "again.eqi")
    assert (tmp_path / "again.eqi").read_bytes() == shipped(repository).read_bytes()
    # Nothing reads its double array: with another one it means the same, under another sha256.
    tensors = book._tensors()
    tensors["entries"] = tensors["entries"][:9].copy()
    header = {**book._header(), "sha256": file.content_sha256(book._header(), tensors)}
    container.write(tmp_path / "other.eqi", container.CODEBOOK, header, tensors)
    other = Codebook.load(tmp_path / "other.eqi")
    text = glued(book, 3000, seed=0)
    assert other.sha256 != book.sha256
    assert other.encode(text).tolist() == book.encode(text).tolist()


def test_a_file_of_format_2_has_every_prefix(tmp_path: Path) -> None:
    info = replace(BOOK.info, plan="best_first", parse=LONGEST, token_cost=0, made_of=MADE_OF)
    entries = np.zeros(1, np.uint64)
    for one, old in ((info, entries), (info, None)):
        with pytest.raises(ValueError, match=r"\d+ prefixes of its texts are not among them"):
            Codebook(one, BOOK.texts, BOOK.offsets, BOOK.information, None, old)


@pytest.mark.parametrize("name", ["unigram", "best_first", "interval"])
def test_file_is_reproducible_and_restores_everything(name: str, tmp_path: Path) -> None:
    book = BOOK
    if name != "unigram":
        model = HashModel(order=1, peak=12)
        book = Codebook.compile(model, 512, plan=name, progress=False)
    again = Codebook(book.info, book.texts, book.offsets, book.information)
    for one, path in ((book, "a.eqi"), (again, "b.eqi")):
        one.save(tmp_path / path)
    content = (tmp_path / "a.eqi").read_bytes()
    assert (tmp_path / "b.eqi").read_bytes() == content
    loaded = Codebook.load(tmp_path / "a.eqi")
    assert (loaded.info, loaded.sha256, loaded.format_version) == (book.info, book.sha256, 3)
    for table in ("texts", "offsets", "information"):
        np.testing.assert_array_equal(getattr(loaded, table), getattr(book, table))
    loaded.save(tmp_path / "a.eqi")
    assert (tmp_path / "a.eqi").read_bytes() == content
    text = glued(book, 3000, seed=0)
    for parse in PARSES:
        assert loaded.encode(text, parse).tolist() == book.encode(text, parse).tolist()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.eqi", "b.eqi"]


def test_where_nodes_lie_does_not_change_the_tokens() -> None:
    """A better packing is another file, but of the same tokens."""
    bases = BOOK._bases
    assert bases is not None
    other = Codebook(BOOK.info, BOOK.texts, BOOK.offsets, BOOK.information, bases + np.uint32(999))
    assert other.sha256 != BOOK.sha256
    text = glued(BOOK, 3000, seed=0)
    for parse in PARSES:
        assert other.encode(text, parse).tolist() == BOOK.encode(text, parse).tolist()


@pytest.mark.parametrize("version", [2, 3])
def test_a_damaged_file_is_refused(version: int, tmp_path: Path) -> None:
    book = BOOK
    if version == 2:
        closed = Codebook.compile(HashModel(order=1, peak=12), 512, progress=False)
        made_of = {**closed.info.made_of, "float_border": False}
        tables = (closed.texts, closed.offsets, closed.information)
        book = Codebook(
            replace(closed.info, made_of=made_of), *tables, None, np.zeros(99, np.uint64)
        )
    path = tmp_path / "bad.eqi"
    book.save(path)
    good = path.read_bytes()
    rng = np.random.default_rng(0)
    # The JSON header, and places all over the tables.
    places = [*range(0, 500, 3), *rng.integers(500, len(good), 60).tolist()]
    for place in places:
        bad = bytearray(good)
        bad[place] ^= 1 << int(rng.integers(8))
        path.write_bytes(bad)
        try:
            loaded = Codebook.load(path)
        except ValueError as error:
            assert "bad.eqi" in str(error)
            continue
        # Only what carries no meaning, such as spaces in the header, may change unnoticed.
        assert (loaded.info, loaded.sha256) == (book.info, book.sha256)
    for size in (0, 7, 100, len(good) - 1):
        path.write_bytes(good[:size])
        with pytest.raises(ValueError, match=r"bad\.eqi"):
            Codebook.load(path)


def test_a_file_of_another_kind_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "bad.eqi"
    with pytest.raises(FileNotFoundError, match="absent"):
        Codebook.load(tmp_path / "absent.eqi")
    # Types that NumPy lacks, and JSON too deep for Python.
    known = json.dumps({"format": "equalinfo.codebook", "format_version": 3})
    for kind, text in (("F8_E4M3", known), ("I64", "[" * 100_000)):
        tensor = {"dtype": kind, "shape": [0], "data_offsets": [0, 0]}
        header = json.dumps({"__metadata__": {"equalinfo": text}, "texts": tensor}).encode()
        path.write_bytes(len(header).to_bytes(8, "little") + header)
        with pytest.raises(ValueError, match=r"bad\.eqi"):
            Codebook.load(path)
    save_file({"texts": BOOK.texts}, path)
    with pytest.raises(ValueError, match="not a codebook"):
        Codebook.load(path)
    for version in (1, 4, "3", None, True):
        container.write(
            path, container.CODEBOOK, {**BOOK._header(), "format_version": version}, BOOK._tensors()
        )
        with pytest.raises(ValueError, match=r"bad\.eqi has format version .* reads 2 and 3"):
            Codebook.load(path)
    old = {"offsets": BOOK.offsets, "entries": np.zeros(1, np.uint64)}
    for tensors in (
        {**BOOK._tensors(), "texts": BOOK.texts.astype(np.int64)},
        {**BOOK._tensors(), "more": BOOK.texts},
        {"texts": BOOK.texts, "information": BOOK.information, **old},  # of format 2
    ):
        container.write(path, container.CODEBOOK, BOOK._header(), tensors)
        with pytest.raises(ValueError, match=r"bad\.eqi is damaged: it holds .*, expected"):
            Codebook.load(path)


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("plan", 7, "'plan' is 7, expected str"),
        ("plan", "greedy", "plan 'greedy' is unknown"),
        ("num_codes", "600", "'num_codes' is '600', expected int"),
        ("num_codes", True, "'num_codes' is True, expected int"),
        ("num_codes", 600.0, "'num_codes' is 600.0, expected int"),
        ("num_codes", 256, "num_codes=256 is not in 257"),
        ("num_codes", 10**40, "is not in 257"),
        ("num_codes", 300, "of 300 codes|expected 300"),
        ("parse", None, "'parse' is None, expected str"),
        ("parse", "shortest", "parse 'shortest' is unknown"),
        ("token_cost", "1", "'token_cost' is '1', expected int"),
        ("token_cost", -1, "token_cost=-1 is not an integer in 0..65535"),
        ("token_cost", 65536, "token_cost=65536 is not an integer in 0..65535"),
        ("made_of", [], "'made_of' is [], expected dict"),
        ("made_of", {"a": 1.5}, "made_of['a'] is 1.5, expected an integer or a string"),
        ("made_of", {"a": None}, "made_of['a'] is None"),
        ("made_of", {"a": {"b": 1}}, "made_of['a'] is {'b': 1}"),
    ],
)
def test_header_fields_that_cannot_be(field: str, value: Any, message: str, tmp_path: Path) -> None:
    header = {**BOOK._header(), field: value}
    header["sha256"] = file.content_sha256(header, BOOK._tensors())
    container.write(tmp_path / "bad.eqi", container.CODEBOOK, header, BOOK._tensors())
    with pytest.raises(ValueError, match=r"bad\.eqi is damaged: ") as raised:
        Codebook.load(tmp_path / "bad.eqi")
    assert any(part in str(raised.value) for part in message.split("|"))
    del header[field]
    container.write(tmp_path / "bad.eqi", container.CODEBOOK, header, BOOK._tensors())
    with pytest.raises(ValueError, match=rf"bad\.eqi is damaged: '{field}'"):
        Codebook.load(tmp_path / "bad.eqi")


MADE_OF: dict[str, Any] = {"precision": 16, "m1_sha256": "", "m1_context": 64}


@pytest.mark.parametrize(
    "wrong",
    [
        *({"precision": value} for value in (-1, 8, 999, "16")),
        {"m1_context": -1},
        {"m1_context": "64"},
        {"m1_sha256": 5},
    ],
)
def test_an_m1_that_cannot_be_is_refused(wrong: dict[str, Any], tmp_path: Path) -> None:
    book = codebook_of([])
    info = CodebookInfo("best_first", 257, LONGEST, 0, MADE_OF)
    Codebook(info, book.texts, book.offsets, book.information).save(tmp_path / "bad.eqi")
    header, tensors = file.read(tmp_path / "bad.eqi")
    header["made_of"] = {**MADE_OF, **wrong}
    container.write(tmp_path / "bad.eqi", container.CODEBOOK, header, tensors)
    with pytest.raises(ValueError, match=r"bad\.eqi is damaged: "):
        Codebook.load(tmp_path / "bad.eqi")


def test_tables_of_another_size_are_refused() -> None:
    info, texts, offsets = BOOK.info, BOOK.texts, BOOK.offsets
    message = rf"information of {BOOK.num_codes - 1} codes, expected {BOOK.num_codes}"
    with pytest.raises(ValueError, match=message):
        Codebook(info, texts, offsets, BOOK.information[:-1])
    with pytest.raises(ValueError, match="bases, expected"):
        Codebook(info, texts, offsets, BOOK.information, BOOK._bases[:-1])  # type: ignore[index]
    with pytest.raises(ValueError, match="two nodes of the trie share a base"):
        bases = np.zeros_like(BOOK._bases)
        Codebook(info, texts, offsets, BOOK.information, bases)
    for cost in (-1, 65536, 1.0, True):
        with pytest.raises(ValueError, match=rf"token_cost={cost} is not an integer in 0\.\.65535"):
            Codebook(replace(info, token_cost=cost), texts, offsets, BOOK.information)  # type: ignore[arg-type]
    assert BOOK.info.parse == FEWEST
