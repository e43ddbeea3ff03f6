"""`equalinfo export`: a codebook for Hugging Face or as a list, a run as a checkpoint of T5X."""

import argparse
from typing import Any

from equalinfo.cli.command import add_command
from equalinfo.data.options import local_path


def add(commands: Any) -> None:
    """Add the command."""
    parser = add_command(
        commands,
        "export",
        run,
        "write a codebook as a Hugging Face tokenizer, which loads without this package, or as a "
        "list of tokens and scores, or a run of `equalinfo train` as a checkpoint of T5X",
    )
    parser.add_argument(
        "source",
        nargs="?",
        help="--hf and --tokens: file of `equalinfo compile`, or the name of a codebook in the "
        "package, default: its newest; --t5x: run directory",
    )
    target = parser.add_mutually_exclusive_group(required=True)
    target.add_argument("--hf", metavar="DIR", help="tokenizer directory to write")
    target.add_argument(
        "--tokens", metavar="FILE", help="list to write: a token and its score a line"
    )
    target.add_argument("--t5x", type=local_path, metavar="DIR", help="MODEL_DIR of T5X to write")


def run(arguments: argparse.Namespace) -> None:
    """Write the files and print their names."""
    written = _checkpoint(arguments) if arguments.t5x else _tokenizer(arguments)
    for path in written:
        print(path)


def _tokenizer(arguments: argparse.Namespace) -> list[str]:
    from equalinfo import hugging_face
    from equalinfo.codebook import token_list
    from equalinfo.codebook.shipped import resolve_codebook

    codebook = resolve_codebook(arguments.source)
    if arguments.hf:
        return hugging_face.export(codebook, arguments.hf)
    token_list.write(codebook, arguments.tokens)
    return [arguments.tokens]


def _checkpoint(arguments: argparse.Namespace) -> list[str]:
    from equalinfo.lm.t5x_checkpoint import save_t5x_params
    from equalinfo.lm.train import load_params

    if arguments.source is None:
        raise ValueError("--t5x needs a run of `equalinfo train`: equalinfo export RUN --t5x DIR.")
    _, params, step = load_params(local_path(arguments.source))
    return [str(save_t5x_params(arguments.t5x, params, step))]
