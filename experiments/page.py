"""The page of an experiment, as HTML and as Markdown, and each table by itself."""

from collections.abc import Iterator, Sequence
from html import escape
from pathlib import Path

from experiments.part import Finding, Image, Part
from experiments.table import Table, show

_STYLE = """
:root{color-scheme:light dark;--paper:#fff;--ink:#1b1b1b;--soft:#5f5f5f;--line:#ddd;--good:#0a6b2d;
--bad:#a3000b}
@media(prefers-color-scheme:dark){:root{--paper:#16181b;--ink:#ececec;--soft:#a2a6ab;--line:#3a3d42;
--good:#7fd99a;--bad:#ffb3a3}}
body{margin:0 auto;max-width:76rem;padding:1.5rem;background:var(--paper);color:var(--ink);
font:15px/1.5 system-ui,sans-serif}
h1{font-size:1.6rem}h2{font-size:1.15rem;margin-top:2.5rem}
p.note{color:var(--soft);max-width:60rem}
.scroll{overflow-x:auto}
table{border-collapse:collapse;font-size:.86rem;font-variant-numeric:tabular-nums}
th,td{border-bottom:1px solid var(--line);padding:.25rem .6rem;text-align:right;vertical-align:top}
th:first-child,td:first-child{text-align:left}
td.text{text-align:left;max-width:44rem;overflow-wrap:anywhere}
td.missing{color:var(--soft);font-style:italic}
img{max-width:100%;background:#fff}
.holds{color:var(--good);font-weight:600}.fails{color:var(--bad);font-weight:600}
.open{color:var(--soft);font-weight:600}
nav{columns:2;font-size:.9rem}
"""
_COLORS = {True: "holds", False: "fails", None: "open"}
_FINDINGS = "What was claimed, and whether it holds here"


def write(parts: Sequence[Part], out: Path, name: str) -> Path:
    """Write the page of an experiment; the path of its HTML.

    Args:
      parts: its own, whose figures are in `out`/figures, and what it shows of others.
      out: gets NAME.html, which needs no other file, NAME.md and part.json of the first part, and
        its tables/*.csv and tables/*.md.
      name: of the page.
    """
    own = parts[0]
    own.save(out)
    (out / f"{name}.md").write_text(_markdown(own), "utf-8")
    tables = out / "tables"
    tables.mkdir(exist_ok=True)
    for table in own.tables:
        (tables / f"{table.key}.csv").write_text(table.to_csv(), "utf-8")
        (tables / f"{table.key}.md").write_text(table.to_markdown(), "utf-8")
    path = out / f"{name}.html"
    path.write_text(_html(parts), "utf-8")
    return path


def _markdown(part: Part) -> str:
    sections = [f"# {part.title}", *part.about]
    if part.findings:
        sections += [f"## {_FINDINGS}", "\n".join(map(_item, part.findings))]
    for table in part.tables:
        sections += [f"## {table.title}", table.to_markdown().strip(), table.note]
    for one in part.images:
        drawn = f"![{one.title}](figures/{one.key}.png)" if one.png else ""
        sections += [f"## {one.title}", drawn, one.note]
    return "\n\n".join(section for section in sections if section) + "\n"


def _item(one: Finding) -> str:
    return f"- **{one.verdict}**: {one.claim} ({one.source}). {one.numbers}".rstrip()


def _html(parts: Sequence[Part]) -> str:
    sections = [section for number, part in enumerate(parts) for section in _sections(part, number)]
    links = "".join(f'<li><a href="#{key}">{escape(title)}</a></li>' for key, title, _ in sections)
    title = escape(parts[0].title)
    return (
        "<!DOCTYPE html>\n"
        '<html lang="en"><head><meta charset="utf-8"><meta name="viewport" '
        'content="width=device-width,initial-scale=1">'
        f"<title>equalinfo: {title}</title><style>{_STYLE}</style></head><body><h1>{title}</h1>"
        f"{_notes(parts[0].about)}<nav><ul>{links}</ul></nav>"
        + "".join(
            f'<section id="{key}"><h2>{escape(head)}</h2>{body}</section>'
            for key, head, body in sections
        )
        + "</body></html>\n"
    )


def _sections(part: Part, number: int) -> Iterator[tuple[str, str, str]]:
    """(id, title, body) of each; of the page's own part, 0, without its title."""
    of_part = f"{number}-" if number else ""
    title, about = (part.title, _notes(part.about)) if number else (_FINDINGS, "")
    yield f"{of_part}findings", title, about + _findings(part.findings)
    for table in part.tables:
        yield f"{of_part}t-{table.key}", table.title, _table(table)
    for one in part.images:
        yield f"{of_part}f-{one.key}", one.title, _notes([one.note]) + _image(one)


def _notes(paragraphs: Sequence[str]) -> str:
    return "".join(f'<p class="note">{escape(one)}</p>' for one in paragraphs if one)


def _image(one: Image) -> str:
    if not one.png:
        return ""
    return f'<img alt="{escape(one.title)}" src="data:image/png;base64,{one.png}">'


def _findings(findings: Sequence[Finding]) -> str:
    items = [
        f'<li><span class="{_COLORS[one.holds]}">{one.verdict}</span>: {escape(one.claim)} '
        f"({escape(one.source)})<br>{escape(one.numbers)}</li>"
        for one in findings
    ]
    return f"<ul>{''.join(items)}</ul>"


def _table(table: Table) -> str:
    head = "".join(f"<th>{escape(name)}</th>" for name in table.columns)
    rows = []
    for row in table.rows:
        cells = []
        for cell in row:
            words = isinstance(cell, str) and len(cell) > 24
            kind = "missing" if cell is None else "text" if words else ""
            cells.append(f'<td class="{kind}">{escape(show(cell))}</td>')
        rows.append(f"<tr>{''.join(cells)}</tr>")
    return (
        f'{_notes([table.note])}<div class="scroll"><table><thead><tr>{head}</tr>'
        f"</thead><tbody>{''.join(rows)}</tbody></table></div>"
    )
