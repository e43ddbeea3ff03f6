"""What the folders promise: no circle of imports, and a method is known to its codec alone."""

import ast
from collections.abc import Iterator
from pathlib import Path

import grimp
import pytest

from equalinfo.codecs import METHODS

PRODUCT = ("equalinfo", "pipelines", "tasks", "t5x_models", "experiments")

# Trains tokenizers of many kinds, which it names as its config does.
NAMES_METHODS = {"experiments/study/config.py", "experiments/study/tokenizers.py"}


def circles(imports: dict[str, set[str]]) -> list[list[str]]:
    """Modules that import each other, directly or through others (Tarjan)."""
    number: dict[str, int] = {}
    lowest: dict[str, int] = {}
    path: list[str] = []
    found = []

    def visit(module: str) -> None:
        number[module] = lowest[module] = len(number)
        path.append(module)
        for other in imports[module]:
            if other not in number:
                visit(other)
                lowest[module] = min(lowest[module], lowest[other])
            elif other in path:
                lowest[module] = min(lowest[module], number[other])
        if lowest[module] == number[module]:
            group = path[path.index(module) :]
            del path[path.index(module) :]
            if len(group) > 1:
                found.append(sorted(group))

    for module in imports:
        if module not in number:
            visit(module)
    return found


def test_circles_are_found() -> None:
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"b", "d"}, "d": set()}) == [["b", "c"]]


def test_no_circle_of_imports() -> None:
    """Imports inside functions count, and those for types."""
    graph = grimp.build_graph(*PRODUCT, cache_dir=None)
    imports = {name: graph.find_modules_directly_imported_by(name) for name in graph.modules}
    assert circles(imports) == []


def test_what_kernels_use_is_watched(repository: Path) -> None:
    """numba keeps what it compiles until one of the files in `equalinfo.jit`'s folders changes."""
    graph = grimp.build_graph("equalinfo", cache_dir=None)
    kernels = graph.find_modules_that_directly_import("equalinfo.jit")
    folders = {folder for name in kernels for folder in parents(name)}
    used = {other for name in kernels for other in graph.find_upstream_modules(name)} | kernels
    files = {name for name in used if not (repository / name.replace(".", "/")).is_dir()}
    unwatched = {name for name in files if name.rpartition(".")[0] not in folders}
    assert unwatched == {"equalinfo.codecs.base", "equalinfo.codecs.batch"}  # for classes of theirs


def parents(module: str) -> list[str]:
    """The packages above a module."""
    parts = module.split(".")
    return [".".join(parts[:number]) for number in range(1, len(parts))]


def knowledge_of_methods(tree: ast.AST) -> Iterator[int]:
    """Lines that tell methods or kinds of codebook codecs apart."""
    for node in ast.walk(tree):
        names = {
            part.value
            for part in ast.walk(node)
            if isinstance(part, ast.Constant) and isinstance(part.value, str)
        } & METHODS.keys()
        if isinstance(node, ast.Compare) and names and "method" in ast.unparse(node):
            yield node.lineno
        # A table: "bytes" alone and "codebook" alone are words, too.
        if isinstance(node, ast.Tuple | ast.List | ast.Set | ast.Dict) and len(names) > 1:
            yield node.lineno
        if isinstance(node, ast.Constant) and node.value in names - {"bytes", "codebook"}:
            yield node.lineno
        asked = isinstance(node, ast.Call) and ast.unparse(node.func) == "isinstance"
        if asked and ast.unparse(node.args[1]) in ("Codebook", "WindowCodec"):
            yield node.lineno


@pytest.mark.parametrize(
    ("code", "number"),
    [
        ("codec.method == 'bytes'", 1),
        ("manifest.method in {'gzip'}", 2),
        ("T = ('bytes', 'codebook')", 1),
        ("isinstance(x, Codebook)", 1),
        ("totals['bytes'] == direction['codebook']", 0),
    ],
)
def test_knowledge_is_found(code: str, number: int) -> None:
    assert len(list(knowledge_of_methods(ast.parse(code)))) == number


def test_only_codecs_know_methods(repository: Path) -> None:
    found = [
        f"{path.relative_to(repository)}:{line}"
        for folder in PRODUCT
        for path in sorted((repository / folder).rglob("*.py"))
        if not path.is_relative_to(repository / "equalinfo" / "codecs")
        and str(path.relative_to(repository)) not in NAMES_METHODS
        for line in knowledge_of_methods(ast.parse(path.read_text("utf-8")))
    ]
    assert found == []
