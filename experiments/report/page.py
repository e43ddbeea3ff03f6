"""The report's files: `report.html`, and each table and figure by itself."""

from html import escape
from pathlib import Path

from experiments.report.config import Config
from experiments.report.figures import all_figures
from experiments.report.findings import Finding, all_findings
from experiments.report.part import Image, Part
from experiments.report.results import Results
from experiments.report.table import Table, show
from experiments.report.tables import all_tables

PAGE = "report.html"
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
_UNKNOWN = (
    "Tables 1 and 13 and Figures 1, 2 and 7 are not here: they hold no measurement, or our notes "
    "on the paper do not say which."
)


def write(results: Results, folder: Path, study: Part | None = None) -> Path:
    """Write all files of the report below `folder`; the page's path.

    Args:
      results: of the runs.
      folder: gets `report.html`, `tables/*.csv`, `tables/*.md`, `figures/*.png`, `figures/*.svg`,
        `findings.md`.
      study: shown after the findings.
    """
    tables, figures = folder / "tables", folder / "figures"
    for directory in (tables, figures):
        directory.mkdir(parents=True, exist_ok=True)
    findings = all_findings(results)
    (folder / "findings.md").write_text(findings_markdown(findings), "utf-8")
    sections = [
        _section("findings", "What the paper found, and whether it holds here", _findings(findings))
    ]
    if study is not None:
        sections += _study(study)
    for table in all_tables(results):
        (tables / f"{table.key}.csv").write_text(table.to_csv(), "utf-8")
        (tables / f"{table.key}.md").write_text(table.to_markdown(), "utf-8")
        sections.append(_section(f"t-{table.key}", table.title, _table(table)))
    for drawn in all_figures(results):
        paths = drawn.save(figures)
        body = f'<p class="note">{escape(drawn.note)}</p>'
        if paths:
            body += _image(Image.of(paths[0], drawn.title, drawn.note))
        sections.append(_section(f"f-{drawn.key}", drawn.title, body))
    page = folder / PAGE
    page.write_text(_page(results, sections), "utf-8")
    return page


def _study(study: Part) -> list[tuple[str, str, str]]:
    """Sections of a study: what it says, its tables, its figures."""
    note = f'<p class="note">{escape(study.about)}</p>'
    claims = _section("study", f"Study “{study.title}”", note + _findings(list(study.findings)))
    tables = [_section(f"s-{table.key}", table.title, _table(table)) for table in study.tables]
    images = [
        _section(f"s-{one.key}", one.title, f'<p class="note">{escape(one.note)}</p>{_image(one)}')
        for one in study.images
    ]
    return [claims, *tables, *images]


def _image(one: Image) -> str:
    return f'<img alt="{escape(one.title)}" src="data:image/png;base64,{one.png}">'


def findings_markdown(findings: list[Finding]) -> str:
    """The findings as a list."""
    lines = []
    for one in findings:
        lines.append(f"- **{_verdict(one)[1]}**: {one.claim} ({one.source}). {one.evidence}")
        if one.reason:
            lines.append(f"  Likely reason: {one.reason}")
    return "\n".join(lines) + "\n"


def _seeds(results: Results) -> str:
    """How many of the M2s that the config asks for were trained."""
    config = results.config
    if config.training is None:
        return "No M2 is trained here."
    wanted = [
        seed in one.models.get(size, {})
        for one in results.methods
        for size in one.method.m2
        for seed in one.method.seeds or config.seeds
    ]
    seeds = ", ".join(map(str, config.seeds))
    return f"Seeds: {seeds}; {sum(wanted)} of {len(wanted)} M2s were trained."


def _verdict(one: Finding) -> tuple[str, str]:
    if one.holds is None:
        return "open", "not decided here" if one.reason else "not run"
    return ("holds", "holds") if one.holds else ("fails", "does not hold here")


def _findings(findings: list[Finding]) -> str:
    items = []
    for one in findings:
        kind, words = _verdict(one)
        reason = f". Likely reason: {one.reason}" if one.reason else ""
        items.append(
            f'<li><span class="{kind}">{words}</span>: {escape(one.claim)} '
            f"({escape(one.source)})<br>{escape(one.evidence)}{escape(reason)}</li>"
        )
    return f"<ul>{''.join(items)}</ul>"


def _section(key: str, title: str, body: str) -> tuple[str, str, str]:
    return key, title, f'<section id="{key}"><h2>{escape(title)}</h2>{body}</section>'


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
        f'<p class="note">{escape(table.note)}</p><div class="scroll"><table><thead><tr>{head}</tr>'
        f"</thead><tbody>{''.join(rows)}</tbody></table></div>"
    )


def _page(results: Results, sections: list[tuple[str, str, str]]) -> str:
    config: Config = results.config
    size = ", ".join(
        f"{split}: {counts['documents']:,} documents, {counts['bytes']:,} bytes"
        for split, counts in results.text.items()
    )
    links = "".join(f'<li><a href="#{key}">{escape(title)}</a></li>' for key, title, _ in sections)
    return (
        "<!DOCTYPE html>\n"
        '<html lang="en"><head><meta charset="utf-8"><meta name="viewport" '
        'content="width=device-width,initial-scale=1">'
        f"<title>equalinfo report: {escape(config.title)}</title><style>{_STYLE}</style></head>"
        f"<body><h1>Training LLMs over Neurally Compressed Text: report “{escape(config.title)}”"
        f"</h1><p>{escape(config.about)}</p><p>{escape(size)}. {_seeds(results)}</p>"
        f"<p class='note'>{_UNKNOWN}</p><nav><ul>{links}</ul></nav>"
        f"{''.join(body for _, _, body in sections)}</body></html>\n"
    )
