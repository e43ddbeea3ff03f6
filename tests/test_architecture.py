"""docs/architecture.md: its picture is that of the imports, and what it names exists."""

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest


@pytest.fixture(scope="module")
def drawing(repository: Path) -> ModuleType:
    path = repository / "docs" / "draw_architecture.py"
    spec = importlib.util.spec_from_file_location("draw_architecture", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_picture_is_up_to_date(drawing: ModuleType) -> None:
    fresh = drawing.draw()
    assert drawing.PICTURE.read_text("utf-8") == fresh, "run: python docs/draw_architecture.py"


def test_no_circle_of_imports(drawing: ModuleType) -> None:
    assert drawing.circles(drawing.module_graph()) == []
    assert drawing.circles(drawing.room_graph()) == []


def test_circles_are_found(drawing: ModuleType) -> None:
    assert drawing.circles({"a": {"b"}, "b": {"c"}, "c": {"b"}, "d": {"a"}}) == [["b", "c"]]


def test_every_file_that_the_page_names_exists(repository: Path) -> None:
    page = (repository / "docs" / "architecture.md").read_text("utf-8")
    named = set(re.findall(r"`((?:\w+/)+(?:[\w.]+)?)`", page))
    assert len(named) > 20
    places = [name for name in named if "NAME" not in name]
    assert not [name for name in sorted(places) if not (repository / name).exists()]
