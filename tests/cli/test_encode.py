"""`equalinfo encode` and `equalinfo decode`: every byte comes back, and errors say where."""

import gzip
import io
import json
import os
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from equalinfo.cli import main
from equalinfo.codebook import Codebook
from equalinfo.data import storage, token_files
from equalinfo.ids import EOS_ID
from equalinfo.tokenizer import Tokenizer
from tests.models import HashModel

NASTY = b"the fox\r\n\n\xff\xfe\xe2\x82 \xc3\xa9\n" + b"^" * 5000 + b"\n\nno newline"


@pytest.fixture(scope="module")
def codebook(tmp_path_factory):
    path = tmp_path_factory.mktemp("codebook") / "small.eqi"
    Codebook.compile(HashModel(order=1), num_codes=300, progress=False).save(path)
    return path


@pytest.fixture(scope="module")
def tokenizer(codebook):
    return Tokenizer.load(codebook)


@pytest.fixture
def command(codebook, capfdbinary, monkeypatch):
    """Function: run a command on the small codebook; what it prints, or its error."""

    def run(name, *arguments, stdin=b"", status=0):
        monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(stdin)))
        assert main([name, *map(str, arguments), "--codebook", str(codebook)]) == status
        sys.stdout.flush()
        out, err = capfdbinary.readouterr()
        return err.decode() if status else out

    return run


@pytest.mark.parametrize("text", [b"", b"\n", b"a", b"a\n", NASTY, NASTY + b"\n"])
@pytest.mark.parametrize("documents", ["line", "whole"])
@pytest.mark.parametrize("form", ["id", "raw", "npy"])
def test_bytes_in_are_bytes_out(command, tmp_path, text, documents, form):
    """From a file and from standard input, through every form of ids."""
    (tmp_path / "in").write_bytes(text)
    options = ["--documents", documents]
    out = tmp_path / "out.npy"
    for source, stdin in (([tmp_path / "in"], b""), ([], text), (["-"], text)):
        written = ["--output_format", form, "-o", out]
        command("encode", *source, *options, *written, stdin=stdin)
        assert command("decode", out, "--input_format", form, *options) == text
        assert not [name for name in os.listdir(tmp_path) if name.startswith(".")]


def test_ids_are_those_of_each_line(command, tokenizer):
    lines = [b"the fox", b"", b"\xff"]
    printed = command("encode", stdin=b"\n".join(lines)).split(b"\n")
    assert [[int(id) for id in line.split()] for line in printed] == [
        tokenizer.encode(line).tolist() for line in lines
    ]
    raw = command("encode", "--output_format", "raw", "--dtype", "uint16", stdin=b"the fox\n")
    assert np.frombuffer(raw, "<u2").tolist() == [*tokenizer.encode("the fox").tolist(), EOS_ID]


def test_pieces_can_be_read(command):
    printed = command("encode", "--output_format", "piece", stdin=b"a \xff\nb").decode()
    assert printed.replace(" ", "") == "a·\u2039FF\u203a\nb"


@given(
    text=st.binary(max_size=60) | st.text("ab\n", max_size=60).map(str.encode),
    size=st.integers(1, 9),
)
@settings(deadline=None)
def test_blocks_may_be_cut_anywhere(tokenizer, text, size):
    """What a block holds changes no id, and blocks of decimal ids change no byte."""
    lines = text.split(b"\n")
    ids = np.concatenate([part for line in lines for part in (tokenizer.encode(line), [EOS_ID])])
    blocks = [text[start : start + size] for start in range(0, len(text), size)]
    pieces = list(token_files.encode_lines(tokenizer, blocks))
    assert np.concatenate(pieces).tolist() == ids[:-1].tolist()
    written = io.BytesIO()
    token_files.write_lines(written, pieces, [b"%d" % id for id in range(tokenizer.vocab_size)])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(token_files, "_BLOCK_BYTES", size)
        written.seek(0)
        read = token_files.read_lines(written, "ids", tokenizer.vocab_size)
        assert b"".join(token_files.decode_stream(tokenizer, read)) == text


@pytest.mark.parametrize("blanks", [b"", b" ", b"  \t"])
def test_blanks_are_no_text(tokenizer, blanks):
    ids = token_files.read_lines(io.BytesIO(blanks), "ids", tokenizer.vocab_size)
    assert list(token_files.decode_texts(tokenizer, ids)) == []


def test_documents_of_files(command, tmp_path, tokenizer):
    """Of all formats that compress takes; a text that a file leaves open ends with it."""
    texts = ["the\nfox", "", "é"]
    lines = "".join(json.dumps({"body": text}) + "\n" for text in texts)
    (tmp_path / "a.jsonl.gz").write_bytes(gzip.compress(lines.encode()))
    (tmp_path / "b.txt.gz").write_bytes(gzip.compress(b"one\n\ntwo"))
    (tmp_path / "c.md").write_bytes(b"three")
    out = tmp_path / "ids.npy"
    files = [tmp_path / name for name in ("a.jsonl.gz", "b.txt.gz", "c.md")]
    command("encode", *files, "--text_field", "body", "--output_format", "npy", "-o", out)
    printed = command("decode", out, "--output_format", "jsonl").decode()
    expected = [*texts, "one", "", "two", "three"]
    assert [json.loads(line)["text"] for line in printed.splitlines()] == expected
    assert np.load(out).dtype == np.int32
    many = command("encode", "--num_threads", 2, *files, "--text_field", "body")
    assert len(many.split(b"\n")) == len(expected)


def test_parquet(command, tmp_path):
    pa = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    parquet.write_table(pa.table({"text": ["one", "two"]}), tmp_path / "a.parquet")
    ids = command("encode", tmp_path / "a.parquet")
    assert command("decode", stdin=ids) == b"one\ntwo\n"


def test_special_ids_stand_for_nothing(command, tokenizer):
    ids = tokenizer.encode(b"fox").tolist()
    line = " ".join(map(str, [0, *ids, 1, 2])).encode()
    assert command("decode", stdin=line + b"\r\n") == b"fox\n"


@pytest.mark.parametrize(
    ("ids", "form", "message"),
    [
        (b"3 4\n\n5 x 9\n", "id", r"input:3: 'x' is no id from 0 to 302"),
        (b"3 303\n", "id", "input:1: '303' is no id"),
        (b"3 -1\n", "id", "input:1: '-1' is no id"),
        (b"3\n" + b"9" * 5000, "id", "input:2: '9999"),
        (b"\xff", "id", "input:1: "),
        (b"\x03\0\0\0\x04", "raw", "has 5 bytes, which is no whole number of int32"),
        (b"\x03\0\0\0\xff\xff\xff\xff", "raw", "input, place 1: -1 is no id"),
    ],
)
def test_what_is_no_id(command, ids, form, message):
    error = command("decode", "--input_format", form, stdin=ids, status=1)
    assert message in error and "Traceback" not in error


def test_errors(command, tmp_path):
    (tmp_path / "bad.jsonl").write_bytes(b'{"text": "a"}\n{"text": "\xff"}\n')
    (tmp_path / "cut.txt.gz").write_bytes(gzip.compress(b"text" * 99)[:-5])
    np.save(tmp_path / "square.npy", np.zeros((2, 2), np.int32))
    (tmp_path / "no.npy").write_bytes(b"no array")
    out = tmp_path / "out"
    for message, arguments in {
        "bad.jsonl:2: invalid UTF-8": ("encode", tmp_path / "bad.jsonl", "-o", out),
        "cut.txt.gz is damaged": ("encode", tmp_path / "cut.txt.gz", "-o", out),
        "there is no file": ("encode", tmp_path / "none"),
        "(looked from": ("decode", tmp_path / "none"),
        "is a directory": ("decode", tmp_path),
        "int32[2, 2], expected integers[tokens]": ("decode", tmp_path / "square.npy"),
        "is no .npy file": ("decode", tmp_path / "no.npy"),
        "needs --output": ("encode", "--output_format", "npy"),
        "--dtype is of --output_format": ("encode", "--dtype", "uint16"),
        "--dtype is of --input_format": ("decode", "--dtype", "uint16"),
        "--num_threads=0": ("encode", "--num_threads", 0),
        "needs a file": ("decode", "--input_format", "npy"),
    }.items():
        assert message in command(*arguments, status=1)
    assert not out.exists()
    ids = command("encode", stdin=b"a\n\xff")
    error = command("decode", "--output_format", "jsonl", stdin=ids, status=1)
    assert "text 2 is not UTF-8" in error


def test_ids_that_a_type_cannot_hold(capsys):
    assert main(["encode", "--output_format", "raw", "--dtype", "uint16"]) == 1
    assert "ids reach 65538, and uint16 65535" in capsys.readouterr().err


def test_codebooks_of_the_package_have_names(capsys):
    assert main(["encode", "--codebook", "none"]) == 1
    assert "there is no codebook 'none'" in (error := capsys.readouterr().err)
    assert "english-65536-v1.eqi" in error


def test_a_reader_that_has_seen_enough(codebook, tmp_path):
    (tmp_path / "in").write_bytes(b"text\n" * (1 << 20))
    command = [sys.executable, "-m", "equalinfo.cli", "encode", "--codebook", str(codebook)]
    with subprocess.Popen(
        [*command, str(tmp_path / "in")], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None and process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 0


def test_the_parse_can_be_named(capsysbinary, tmp_path):
    text = tmp_path / "text.txt"
    text.write_text("What a text costs, and by which parse it is cut, are two things. " * 9)
    lines = []
    for parse in ("longest", "fewest"):
        assert main(["encode", str(text), "--parse", parse]) == 0
        lines.append(capsysbinary.readouterr().out)
        expected = Tokenizer.default(parse=parse).encode(text.read_text()).tolist()
        assert list(map(int, lines[-1].split())) == expected
    assert lines[0] != lines[1]


def test_each_file_is_a_text(command, tmp_path):
    """An empty file has no line, and is a text where files are."""
    for name, content in (("a", b"a"), ("empty", b""), ("b", b"b")):
        (tmp_path / name).write_bytes(content)
    files = [tmp_path / name for name in ("a", "empty", "empty", "b")]
    one = command("encode", *files)
    assert command("decode", stdin=one) == b"a\nb"
    whole = command("encode", "--documents", "whole", *files)
    (tmp_path / "ids").write_bytes(whole)
    lines = command("decode", tmp_path / "ids", "--output_format", "jsonl").splitlines()
    assert [json.loads(line)["text"] for line in lines] == ["a", "", "", "b"]


def test_options_of_other_files_are_refused(command, tmp_path):
    (tmp_path / "a.jsonl").write_text('{"text": "a"}\n')
    said = command("encode", "--documents", "whole", tmp_path / "a.jsonl", status=1)
    assert "--documents whole is of plain text" in said
    (tmp_path / "b.txt").write_text("a\nb\n")
    for files in ([], [tmp_path / "a.jsonl", tmp_path / "b.txt"]):
        said = command("encode", "--limit", 1, *files, stdin=b"a\nb\n", status=1)
        assert "--limit=1 is of .json and .parquet" in said


def test_a_limit_is_of_all_files(command, tmp_path):
    files = [tmp_path / f"{name}.jsonl" for name in "abc"]
    for path in files:
        path.write_text(f'{{"text": "{path.stem}"}}\n' * 9)
    for limit, text in ((2, b"a\nb\n"), (4, b"a\na\nb\nc\n")):
        assert command("decode", stdin=command("encode", "--limit", limit, *files)) == text


def test_words_may_begin_as_bzip2_does(command):
    assert command("decode", stdin=command("encode", stdin=b"BZh is a word")) == b"BZh is a word"


def test_ids_may_be_apart_by_any_space(command, monkeypatch):
    monkeypatch.setattr(token_files, "_BLOCK_BYTES", 8)
    monkeypatch.setattr(token_files, "_LONGEST_WORD", 6)
    assert command("decode", stdin=b"100\t" * 40) == command("decode", stdin=b"100 " * 40)


def test_what_is_no_plain_file_stays_what_it_is(command, tmp_path):
    """/dev/null, a pipe, a link."""
    (tmp_path / "in").write_bytes(b"a")
    target, link, pipe = (tmp_path / name for name in ("target", "link", "pipe"))
    target.touch()
    link.symlink_to(target)
    command("encode", tmp_path / "in", "-o", link)
    assert link.is_symlink() and target.read_bytes() == command("encode", tmp_path / "in")
    os.mkfifo(pipe)
    reading = subprocess.Popen(["cat", pipe], stdout=subprocess.PIPE)
    command("encode", tmp_path / "in", "-o", pipe)
    assert reading.communicate(timeout=60)[0] == target.read_bytes()
    assert pipe.is_fifo()
    storage.write_text(str(link), "x")
    assert link.is_symlink() and target.read_text() == "x"
    reading = subprocess.Popen(["cat", pipe], stdout=subprocess.PIPE)
    storage.write_text(str(pipe), "y")
    assert reading.communicate(timeout=60)[0] == b"y" and pipe.is_fifo()
