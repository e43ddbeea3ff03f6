"""`equalinfo show`: a text as its tokens, on the terminal, as a page or as an image."""

import argparse
import os
import shutil
import sys
from typing import Any, TextIO

from equalinfo.cli.command import add_command
from equalinfo.data.options import local_path

IMAGE_WIDTH = 100  # characters


def add(commands: Any) -> None:
    """Register the command."""
    parser = add_command(
        commands,
        "show",
        _show,
        "print a text coloured by token, with ids and bits below, or draw it as a page or image",
    )
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("text", nargs="?", metavar="TEXT", help="the text; - reads standard input")
    source.add_argument("--file", type=local_path, help="read the text, of any bytes, from a file")
    add = parser.add_argument
    add("--codebook", metavar="FILE.eqi", help="or the name of one in the package, its default")
    add(
        "--sentencepiece",
        type=local_path,
        metavar="MODEL",
        help="beside it, the same text in the pieces of a SentencePiece model",
    )
    add("--eos", action="store_true", help="end the text with EOS, as the pipelines do")
    add("--html", metavar="FILE", help="write a page instead")
    add("--png", type=local_path, metavar="FILE", help="write an image instead: .png, .svg or .pdf")
    add(
        "--width",
        type=int,
        help=f"characters of a line; default: the terminal's, {IMAGE_WIDTH} in an image",
    )
    add(
        "--color",
        choices=["auto", "always", "never"],
        default="auto",
        help="auto, the default: on a terminal, unless NO_COLOR is set",
    )


def use_color(choice: str, stream: TextIO) -> bool:
    """Whether to write colours: `auto` does on terminals, unless NO_COLOR is set."""
    if choice != "auto":
        return choice == "always"
    plain = os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb"
    return stream.isatty() and not plain


def _show(arguments: argparse.Namespace) -> None:
    from equalinfo.codebook.shipped import resolve_codebook
    from equalinfo.show.panel import of_tokenizer
    from equalinfo.show.sentencepiece import of_sentencepiece
    from equalinfo.tokenizer import Tokenizer

    if arguments.width is not None and arguments.width < 1:
        raise ValueError(f"--width={arguments.width} is less than 1.")
    if arguments.png is not None:
        from equalinfo.show import image

        image.check_suffix(arguments.png)
    text = _text(arguments)
    tokenizer = Tokenizer(resolve_codebook(arguments.codebook))
    panels = [of_tokenizer(tokenizer, text, eos=arguments.eos)]
    if arguments.sentencepiece is not None:
        panels.append(of_sentencepiece(arguments.sentencepiece, text, eos=arguments.eos))
    if arguments.html is not None:
        from equalinfo.data import storage
        from equalinfo.show import page

        storage.write_text(arguments.html, page.render(panels))
        print(arguments.html)
    if arguments.png is not None:
        image.save(panels, arguments.png, arguments.width or IMAGE_WIDTH)
        print(arguments.png)
    if arguments.html is None and arguments.png is None:
        from equalinfo.show import terminal

        width = arguments.width or shutil.get_terminal_size().columns
        color = use_color(arguments.color, sys.stdout)
        print("\n".join(terminal.render(panel, width, color=color) for panel in panels), end="")


def _text(arguments: argparse.Namespace) -> bytes:
    if arguments.file is not None:
        content: bytes = arguments.file.read_bytes()
        return content
    if arguments.text == "-":
        return sys.stdin.buffer.read()
    # As it was typed: bytes that are not UTF-8 reach Python as lone surrogates.
    return os.fsencode(arguments.text)
