"""`equalinfo encode` and `equalinfo decode`: files or standard input to token ids, and back."""

import argparse
import shutil
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import fields, replace
from tempfile import TemporaryFile
from typing import TYPE_CHECKING, Any, BinaryIO

from equalinfo.cli.command import add_command
from equalinfo.codebook.limits import PARSES
from equalinfo.data.options import add_text_options

if TYPE_CHECKING:
    from equalinfo.tokenizer import Ids, Tokenizer

_DTYPES = ("uint16", "uint32", "int32")
_CODEBOOK = "a .eqi file, or the name of one in the package; default: the package's newest"


def add(commands: Any) -> None:
    """Add the commands."""
    parser = add_command(
        commands,
        "encode",
        _encode,
        "token ids of files or of standard input: a text a line, or one array",
    )
    add = parser.add_argument
    add(
        "files",
        nargs="*",
        metavar="FILE",
        help="what compress takes: .json, .jsonl, .parquet, also .gz or .zst; any other file is "
        "plain text of any bytes, unpacked where it begins as .gz, .zst, .bz2 or .xz does. "
        "Default, and -: standard input, plain text",
    )
    add("--codebook", metavar="FILE.eqi", help=_CODEBOOK)
    add("--parse", choices=PARSES, help="how text is cut; default: the codebook's own")
    add("-o", "--output", help="default: standard output")
    add(
        "--output_format",
        choices=("id", "piece", "npy", "raw"),
        default="id",
        help="id (default): decimal, a text a line. piece: the tokens' texts, to look at. npy, "
        "raw: one array of all ids, 1 after each text; raw has no header and is little-endian",
    )
    add("--dtype", choices=_DTYPES, help="of npy and raw; default: int32")
    add(
        "--documents",
        choices=("line", "whole"),
        default="line",
        help="what one text is in plain text: a line (default), or the whole file",
    )
    add_text_options(parser)
    add("--num_threads", type=int, default=1, help="default: 1")

    parser = add_command(commands, "decode", _decode, "the text of token ids: undoes encode")
    add = parser.add_argument
    add("files", nargs="*", metavar="FILE", help="ids; default, and -: standard input")
    add("--codebook", metavar="FILE.eqi", help=_CODEBOOK)
    add("-o", "--output", help="default: standard output")
    add(
        "--input_format",
        choices=("auto", "id", "npy", "raw"),
        default="auto",
        help="auto (default): npy where the name ends so, else id",
    )
    add("--dtype", choices=_DTYPES, help="of raw; default: int32")
    add(
        "--output_format",
        choices=("text", "jsonl"),
        default="text",
        help="text (default): the bytes, and a newline after each text. jsonl: a text a line, in "
        "the field `text`",
    )
    add(
        "--documents",
        choices=("line", "whole"),
        default="line",
        help="whole: nothing goes between texts, as encode with this option needs it",
    )


def _encode(arguments: argparse.Namespace) -> None:
    from equalinfo.codebook.shipped import resolve_codebook
    from equalinfo.data import token_files
    from equalinfo.tokenizer import Tokenizer

    form = arguments.output_format
    is_array = form in ("npy", "raw")
    if arguments.dtype and not is_array:
        raise ValueError(f"--dtype is of --output_format npy and raw, not of {form}.")
    if form == "npy" and arguments.output is None:
        raise ValueError("--output_format npy needs --output: its header is written last.")
    if arguments.num_threads < 1:
        raise ValueError(f"--num_threads={arguments.num_threads} is less than 1.")
    tokenizer = Tokenizer(resolve_codebook(arguments.codebook), arguments.parse)
    pieces = _pieces(tokenizer, arguments)
    with _output(arguments.output, is_array) as out:
        if is_array:
            dtype = arguments.dtype or "int32"
            token_files.write_array(out, pieces, dtype, tokenizer.vocab_size, npy=form == "npy")
            return
        if form == "id":
            names = [b"%d" % id for id in range(tokenizer.vocab_size)]
        else:
            names = _piece_names(tokenizer)
        token_files.write_lines(out, pieces, names)
        if arguments.documents == "whole":
            out.write(b"\n")


def _pieces(tokenizer: "Tokenizer", arguments: argparse.Namespace) -> Iterator["Ids"]:
    """Ids of all files; a text ends where a file does, and the last one as its file has it."""
    import numpy as np

    from equalinfo.data import formats, token_files
    from equalinfo.data.find import find, limited
    from equalinfo.data.options import TextOptions
    from equalinfo.ids import EOS_ID

    names = token_files.expand(arguments.files)
    suffixes = formats.suffixes("json") + formats.suffixes("parquet")
    options, whole = TextOptions.of(arguments), arguments.documents == "whole"
    structured = [name for name in names if name.lower().endswith(suffixes)]
    if structured and whole:
        raise ValueError(f"--documents whole is of plain text: {structured[0]} has documents.")
    idle = [field for field in fields(options) if not structured or field.name == "limit"]
    for field in idle if len(structured) < len(names) else ():
        if (value := getattr(options, field.name)) != field.default:
            raise ValueError(f"--{field.name}={value} is of .json and .parquet, not of plain text.")
    listed = [file for name in structured for file in find([name], options.text_field)]
    limits = {file.path: file.limit for file in limited(listed, options.limit)}
    is_open = False
    for name in names:
        if name in structured and name not in limits:
            continue
        if is_open:
            yield np.array([EOS_ID], np.int32)
            is_open = False
        if name in structured:
            documents = replace(options, limit=limits[name]).documents([name])
            found = token_files.encode_documents(tokenizer, documents, arguments.num_threads)
        else:
            blocks = _blocks(name)
            if whole:
                found = token_files.encode_whole(tokenizer, blocks)
            else:
                found = token_files.encode_lines(tokenizer, blocks, arguments.num_threads)
        for ids in found:
            if ids.size:
                is_open = int(ids[-1]) != EOS_ID
                yield ids
        is_open |= whole


def _blocks(name: str) -> Iterator[bytes]:
    from equalinfo.data import token_files

    with _input(name) as (file, shown):
        yield from token_files.plain_blocks(file, shown)


@contextmanager
def _input(name: str) -> Iterator[tuple[BinaryIO, str]]:
    """A file to read, or standard input; and its name for errors."""
    from equalinfo.data import storage

    if name == "-":
        yield sys.stdin.buffer, "standard input"
        return
    with storage.open_read(name) as file:
        yield file, name


def _piece_names(tokenizer: "Tokenizer") -> list[bytes]:
    from equalinfo.evaluation.vocabularies import token_symbols
    from equalinfo.ids import ID_OFFSET
    from equalinfo.show.glyphs import shown

    names = [shown(text.tolist()).encode() for text in token_symbols(tokenizer)]
    return [b""] * ID_OFFSET + names


def _decode(arguments: argparse.Namespace) -> None:
    from equalinfo.codebook.shipped import resolve_codebook
    from equalinfo.data import token_files
    from equalinfo.tokenizer import Tokenizer

    tokenizer = Tokenizer(resolve_codebook(arguments.codebook))
    files = token_files.expand(arguments.files)
    forms = [
        arguments.input_format
        if arguments.input_format != "auto"
        else "npy"
        if name.lower().endswith(".npy")
        else "id"
        for name in files
    ]
    if arguments.dtype and "raw" not in forms:
        raise ValueError("--dtype is of --input_format raw.")
    if ("-", "npy") in zip(files, forms, strict=True):
        raise ValueError("--input_format npy needs a file: its array is mapped into memory.")

    def pieces() -> Iterator["Ids"]:
        for name, form in zip(files, forms, strict=True):
            yield from _ids(name, form, arguments.dtype or "int32", tokenizer.vocab_size)

    whole = arguments.documents == "whole"
    with _output(arguments.output, is_binary=False) as out:
        if arguments.output_format == "text":
            out.writelines(token_files.decode_stream(tokenizer, pieces(), whole=whole))
        else:
            texts = token_files.decode_texts(tokenizer, pieces(), whole=whole)
            out.writelines(_json_lines(texts))


def _ids(name: str, form: str, dtype: str, vocab_size: int) -> Iterator["Ids"]:
    from equalinfo.data import token_files

    with _input(name) as (file, shown):
        if form == "npy":
            yield from token_files.read_npy(name, vocab_size)
        elif form == "raw":
            yield from token_files.read_raw(file, shown, dtype, vocab_size)
        else:
            yield from token_files.read_lines(file, shown, vocab_size)


def _json_lines(texts: Iterable[bytes]) -> Iterator[bytes]:
    import orjson

    for number, text in enumerate(texts, 1):
        try:
            yield orjson.dumps({"text": text.decode("utf-8")}) + b"\n"
        except UnicodeDecodeError as error:
            raise ValueError(
                f"text {number} is not UTF-8: {error.reason} at byte {error.start}. JSON cannot "
                "hold it; --output_format text can."
            ) from error


@contextmanager
def _output(path: str | None, is_binary: bool) -> Iterator[BinaryIO]:
    from equalinfo.data import storage
    from equalinfo.data.token_files import replacing

    if path is not None and storage.is_local(path):
        storage.check_output(path)
        with replacing(path) as file:
            yield file
        return
    if path is not None:
        with TemporaryFile() as file:
            yield file
            file.seek(0)
            with storage.create(path) as there:
                shutil.copyfileobj(file, there)
        return
    if is_binary and sys.stdout.isatty():
        raise ValueError("raw ids are not for a terminal. Give --output, or a pipe.")
    yield sys.stdout.buffer
    sys.stdout.buffer.flush()
