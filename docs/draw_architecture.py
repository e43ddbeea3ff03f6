"""Draw docs/figures/architecture.svg: the repository's rooms, and which imports which.

    python docs/draw_architecture.py

A room is a package; modules of `equalinfo` that lie in none are one room together. An arrow that
follows from others is left out. Bytes depend on the sources alone; a test compares them.
"""

import ast
from collections.abc import Iterable, Iterator, Mapping
from html import escape
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PICTURE = ROOT / "docs" / "figures" / "architecture.svg"
PACKAGES = ("equalinfo", "pipelines", "tasks", "t5x_models", "experiments")
FACE, TOKENIZER, FLOOR = "equalinfo", "equalinfo: tokenizer", "equalinfo: floor"
"""Modules of `equalinfo` in no room: those that know data sets, those that know codebooks, and
those that rooms stand on."""

DATA = "equalinfo/data/"
BOTTOM = ("equalinfo/coding/", "equalinfo/m1/")

WIDTH, HEIGHT = 246, 92  # of a box
GAP, ROW = 24, 140  # between boxes of a row; from row to row
LINES, LENGTH = 4, 40  # of what a box says, in characters

Graph = dict[str, set[str]]


def modules(root: Path = ROOT) -> dict[str, Path]:
    """Dotted name -> file, of all packages."""
    found = {}
    for package in PACKAGES:
        for path in sorted((root / package).rglob("*.py")):
            parts = path.relative_to(root).with_suffix("").parts
            found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def room_of(module: str, names: Mapping[str, Path]) -> str:
    """The room of a module: its top package, or its package within `equalinfo`; else `FACE`."""
    top, *rest = module.split(".")
    if top != "equalinfo":
        return f"{top}/"
    if rest and names[f"equalinfo.{rest[0]}"].name == "__init__.py":
        return f"equalinfo/{rest[0]}/"
    return FACE


def imports(module: str, path: Path, names: Mapping[str, Path]) -> Iterator[str]:
    """Modules that a module imports, those within functions too."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in names)
        elif isinstance(node, ast.ImportFrom) and not node.level and node.module in names:
            # `from package import name`: a module, or something the package holds.
            for alias in node.names:
                full = f"{node.module}.{alias.name}"
                yield full if full in names else node.module


def module_graph(root: Path = ROOT) -> Graph:
    """Module -> modules that it imports."""
    names = modules(root)
    return {name: set(imports(name, path, names)) - {name} for name, path in names.items()}


def rooms(root: Path = ROOT) -> dict[str, str]:
    """Module -> room."""
    names, graph = modules(root), module_graph(root)
    room = {module: room_of(module, names) for module in names}
    bottom = {module for module in names if room[module] in BOTTOM}
    floor = {x for module in bottom for x in _reach(graph, module) if room[x] == FACE}
    floor.update(*(_reach(graph, module) for module in floor))
    for module in sorted(names, key=lambda x: len(_reach(graph, x))):
        if room[module] == FACE != module and _reach(graph, module) <= floor:
            floor.add(module)  # no room stands on it, but it stands on none
    for module in names:
        reached = {room[x] for x in _reach(graph, module) - floor}
        if module in floor:
            room[module] = FLOOR
        elif room[module] == FACE != module and DATA not in reached:
            room[module] = TOKENIZER
    return room


def room_graph(root: Path = ROOT) -> Graph:
    """Room -> rooms that it imports."""
    room = rooms(root)
    graph: Graph = {one: set() for one in room.values()}
    for module, imported in module_graph(root).items():
        graph[room[module]].update(room[one] for one in imported)
    return {one: others - {one} for one, others in graph.items()}


def circles(graph: Graph) -> list[list[str]]:
    """Sets of nodes that reach each other, largest first."""
    reached = {node: _reach(graph, node) for node in graph}
    found = {
        tuple(sorted({node, *(x for x in reached[node] if node in reached[x])}))
        for node in graph
        if node in reached[node]
    }
    return sorted(map(list, found), key=lambda nodes: (-len(nodes), nodes))


def _reach(graph: Graph, start: str) -> set[str]:
    found: set[str] = set()
    waiting = [start]
    while waiting:
        for node in graph.get(waiting.pop(), ()):
            if node not in found:
                found.add(node)
                waiting.append(node)
    return found


def reduced(graph: Graph) -> Graph:
    """Without arrows that follow from others."""
    return {
        node: {
            other
            for other in others
            if node in _reach(graph, other)  # in a circle all are needed
            or not any(other in _reach(graph, between) for between in others - {other})
        }
        for node, others in graph.items()
    }


def rows(graph: Graph) -> list[list[str]]:
    """Rooms from top to bottom: each below all that import it, neighbours near each other."""
    depth: dict[str, int] = {}

    def height(node: str) -> int:
        if node not in depth:
            depth[node] = 0  # a circle ends here
            depth[node] = 1 + max(map(height, sorted(graph[node])), default=-1)
        return depth[node]

    for node in sorted(graph):
        height(node)
    found = [
        sorted(x for x in graph if depth[x] == level) for level in range(max(depth.values()) + 1)
    ]
    found = [row for row in reversed(found) if row]
    for _ in range(4):
        place = {node: (i + 0.5) / len(row) for row in found for i, node in enumerate(row)}
        near = {
            node: [place[x] for x in graph if x in graph[node] or node in graph[x]]
            for node in graph
        }
        for row in found:
            row.sort(key=lambda x: (round(sum(near[x]) / max(1, len(near[x])), 6), x))
    return found


def about(room: str, root: Path = ROOT) -> str:
    """What a room is for: the first sentence of its docstring."""
    if room in (FACE, TOKENIZER, FLOOR):
        inside = sorted(x for x, y in rooms(root).items() if y == room and "." in x)
        return ", ".join(module.partition(".")[2].replace(".", "/") for module in inside)
    path = root / room / "__init__.py"
    text = ast.get_docstring(ast.parse(path.read_text("utf-8"))) or ""
    return " ".join(text.split("\n\n")[0].split()).split(". ")[0].rstrip(".").replace("`", "")


def draw(root: Path = ROOT) -> str:
    """The picture, as SVG."""
    graph = room_graph(root)
    layout = rows(graph)
    width = max(len(row) for row in layout) * (WIDTH + GAP) + GAP
    place: dict[str, tuple[float, float]] = {}
    for number, row in enumerate(layout):
        left = (width - len(row) * (WIDTH + GAP) + GAP) / 2
        for i, node in enumerate(row):
            place[node] = left + i * (WIDTH + GAP), 20 + number * ROW
    height = 20 + (len(layout) - 1) * ROW + HEIGHT + 20
    arrows = sorted((a, b) for a, others in reduced(graph).items() for b in others)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        f'width="{width}" height="{height}" font-family="sans-serif">',
        "<title>Rooms of the repository; an arrow: imports</title>",
        f'<rect width="{width}" height="{height}" fill="#fff"/>',
    ]
    parts += [_arrow(place, arrows, *arrow) for arrow in arrows]
    parts += [_box(node, about(node, root), *place[node]) for row in layout for node in row]
    return "\n".join([*parts, "</svg>"]) + "\n"


def _arrow(
    place: Mapping[str, tuple[float, float]], arrows: Iterable[tuple[str, str]], a: str, b: str
) -> str:
    """From the lower edge of `a` to the upper edge of `b`, beside the arrows of both."""

    def share(ends: list[str], end: str) -> float:
        ends.sort(key=lambda node: place[node][0])
        return (ends.index(end) + 1) / (len(ends) + 1)

    x0 = place[a][0] + WIDTH * share([y for x, y in arrows if x == a], b)
    x1 = place[b][0] + WIDTH * share([x for x, y in arrows if y == b], a)
    y0, y1 = place[a][1] + HEIGHT, place[b][1] - 2
    bend = min(60, abs(y1 - y0) / 2)
    return (
        f'<path d="M{x0:.0f},{y0:.0f} C{x0:.0f},{y0 + bend:.0f} {x1:.0f},{y1 - bend:.0f} '
        f'{x1:.0f},{y1 - 6:.0f}" fill="none" stroke="#99a"/>'
        f'<path d="M{x1 - 4:.0f},{y1 - 8:.0f} h8 l-4,8 z" fill="#667"/>'
    )


def _box(node: str, text: str, x: float, y: float) -> str:
    inside = node.startswith("equalinfo")
    fill = "#e8f0fb" if inside else "#f6efe3"
    lines = list(_wrapped(text))
    if len(lines) > LINES:
        lines[LINES - 1 :] = [lines[LINES - 1] + " ..."]
    out = [
        f'<rect x="{x:.0f}" y="{y:.0f}" width="{WIDTH}" height="{HEIGHT}" rx="6" fill="{fill}" '
        'stroke="#556"/>',
        f'<text x="{x + 10:.0f}" y="{y + 20:.0f}" font-size="14" font-weight="bold" '
        f'fill="#112">{escape(node)}</text>',
    ]
    for number, line in enumerate(lines):
        out.append(
            f'<text x="{x + 10:.0f}" y="{y + 38 + 15 * number:.0f}" font-size="11.5" '
            f'fill="#334">{escape(line)}</text>'
        )
    return "".join(out)


def _wrapped(text: str) -> Iterator[str]:
    line = ""
    for word in text.split():
        if line and len(line) + 1 + len(word) > LENGTH:
            yield line
            line = ""
        line = f"{line} {word}".strip()
    yield line


if __name__ == "__main__":
    PICTURE.write_text(draw(), "utf-8")
    print(PICTURE.relative_to(ROOT))
    for circle in circles(module_graph()):
        print("circle of imports:", ", ".join(circle))
