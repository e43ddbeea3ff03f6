"""The paper's numbers stand in two places: here, and in the headers of gin files."""

import re

import pytest

from equalinfo.report import paper

NAMES = {
    "bytes": "Bytes",
    "sentencepiece": "SentencePiece",
    "ac": "AC",
    "static_ac": "StaticAC",
    "gzip": "GZip",
    "equal_info_ac": "EqualInfoAC",
}
LINE = re.compile(
    r"^#   (?P<method>\w+?)(?:_b(?P<bits>\d+))?(?:_v(?P<codes>\w+?))?(?P<delay>_delay)?"
    r"(?:_trimmed)? +[\d.]+ +[\d.]+(?P<scores>(?: +[\d.-]+){4})$",
    re.MULTILINE,
)


def rows(repository):
    for path in sorted((repository / "gin" / "codecs").glob("*.gin")):
        for match in LINE.finditer(path.read_text()):
            if match["method"] in NAMES:
                sizes = ", ".join(x for x in (match["bits"], match["codes"]) if x)
                name = "Delay" if match["delay"] else NAMES[match["method"]]
                found = f"{name}[{sizes}]" if sizes and name != "SentencePiece" else name
                yield found, tuple(match["scores"].split())


def test_headers_of_gin_files_have_the_papers_scores(repository):
    found = dict(rows(repository))
    assert len(found) >= 15
    for name, scores in found.items():
        if name in paper.BITS_PER_BYTE:
            assert tuple(map(float, scores)) == paper.BITS_PER_BYTE[name], name
        else:
            assert float(scores[2]) == pytest.approx(paper.BITS_PER_BYTE_403M[name]), name
