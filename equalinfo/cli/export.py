"""`equalinfo export [CODEBOOK.eqi] --hf DIR`: a codebook as a Hugging Face tokenizer."""

import argparse
from pathlib import Path
from typing import Any

from equalinfo.cli.command import add_command


def add(commands: Any) -> None:
    """Add the command."""
    parser = add_command(
        commands,
        "export",
        run,
        "write a codebook as a Hugging Face tokenizer, which loads without this package",
    )
    parser.add_argument(
        "codebook",
        type=Path,
        nargs="?",
        help="file of `equalinfo compile`; default: the shipped one",
    )
    parser.add_argument("--hf", type=Path, required=True, metavar="DIR", help="directory to write")


def run(arguments: argparse.Namespace) -> None:
    """Write the files and print their names."""
    from equalinfo import hugging_face
    from equalinfo.tokenizer import Tokenizer

    path = arguments.codebook
    tokenizer = Tokenizer.default() if path is None else Tokenizer.load(path)
    for written in hugging_face.export(tokenizer.codebook, arguments.hf):
        print(written)
