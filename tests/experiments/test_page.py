import pytest

from experiments import page
from experiments.part import Finding, Image, Part
from experiments.table import Table

PART = Part(
    "Study: cpu",
    ["what was done", "how"],
    [Finding("A beats B", "counted", True, "1 < 2"), Finding("C", "D", None, "", "why")],
    [Table("models", "Models", ("name", "bits"), [("A", 1.5), ("B", None)], "note")],
    [Image("training", "A figure", "its note", "iVBORw0KGgo="), Image("none", "None", "no", "")],
)


def test_a_part_is_read_as_it_was_written(tmp_path):
    PART.save(tmp_path)
    assert Part.load(tmp_path) == PART
    with pytest.raises(FileNotFoundError, match="holds no finished page"):
        Part.load(tmp_path / "nowhere")


def test_the_page_shows_its_own_part_and_others(tmp_path):
    own = Part("Own", ["about it"], [], [Table("models", "Mine", ("a",), [(1,)])], [])
    text = page.write([own, PART], tmp_path, "report").read_text("utf-8")
    shown = ("Own", "about it", "Study: cpu", "what was done", "A beats B", "1 &lt; 2", "not run")
    for said in (*shown, "why", "<td", "base64,iVBORw0KGgo="):
        assert said in text, said
    for key in ("findings", "t-models", "1-findings", "1-t-models", "1-f-training", "1-f-none"):
        assert text.count(f'id="{key}"') == text.count(f'href="#{key}"') == 1
    assert (tmp_path / "tables" / "models.csv").read_text() == "a\n1\n"
    assert Part.load(tmp_path).title == "Own"


def test_the_same_as_markdown(tmp_path):
    page.write([PART], tmp_path, "study")
    assert (
        (tmp_path / "study.md").read_text("utf-8")
        == """# Study: cpu

what was done

how

## What was claimed, and whether it holds here

- **holds**: A beats B (counted). 1 < 2
- **not run**: C (D). why

## Models

| name | bits |
|---|--:|
| A | 1.500 |
| B | not run |

note

## A figure

![A figure](figures/training.png)

its note

## None

no
"""
    )
