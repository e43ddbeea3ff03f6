"""`python -m experiments.report --config tiny`, whole."""

import csv
import io
import re
from pathlib import Path

import matplotlib.image
import matplotlib.pyplot as plt
import pytest

from equalinfo.cli import main as equalinfo_command
from experiments.report.__main__ import main
from experiments.report.build import commands, gather
from experiments.report.config import Config
from experiments.report.figures import all_figures
from experiments.store import Store

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    out = tmp_path_factory.mktemp("report")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)
        assert main(["--config", "tiny", "--out", str(out)]) == 0
    return out


@pytest.mark.slow
def test_all_sections_are_there_and_figures_are_not_empty(report, monkeypatch):
    page = (report / "report.html").read_text("utf-8")
    assert not re.search(r'(src|href)="(?!data:|#)', page)  # it needs no other file
    figures = sorted((report / "figures").glob("*.png"))
    assert len(figures) == 8
    for path in figures:
        image = matplotlib.image.imread(path)
        assert image.std() > 0.02, path.name
        assert path.with_suffix(".svg").stat().st_size > 5_000
        assert f'id="f-{path.stem}"' in page
    tables = sorted((report / "tables").glob("*.csv"))
    assert len(tables) == 15
    for path in tables:
        rows = list(csv.reader(io.StringIO(path.read_text("utf-8"))))
        assert len(rows) > 1, path.name
        assert path.with_suffix(".md").exists()
        assert f'id="t-{path.stem}"' in page


@pytest.mark.slow
def test_figures_hold_data(report, monkeypatch):
    monkeypatch.chdir(ROOT)
    results = gather(Config.load("tiny"), Store(report / "steps"))
    for drawn in all_figures(results):
        drawn_axes = [axes for axes in drawn.figure.axes if axes.get_visible()]
        assert drawn_axes, drawn.key
        for axes in drawn_axes:
            held = [*axes.lines, *axes.images, *axes.patches, *axes.collections]
            assert held, f"{drawn.key}: {axes.get_title()!r} is empty"
        plt.close(drawn.figure)


@pytest.mark.slow
def test_numbers_in_tables_are_those_of_the_runs(report):
    with (report / "tables" / "table-02-10-12-ratios.csv").open() as file:
        ratios = {row["method"]: row["bytes/token"] for row in csv.DictReader(file)}
    assert float(ratios["EqualInfo[16, 65k]"]) == 2 * float(ratios["EqualInfo[16, 256]"])
    with (report / "tables" / "table-15-16-17-models.csv").open() as file:
        models = {row["method"]: row for row in csv.DictReader(file)}
    assert models["Bytes"]["seeds"] == "0, 1"
    assert "n=2" in models["Bytes"]["bits/byte"]
    page = (report / "report.md").read_text()
    assert "**holds**: the paper's windows do not decode" in page
    assert "not run" in page


@pytest.mark.slow
def test_run_again_does_nothing_anew_and_writes_the_same(report, monkeypatch):
    steps = {path: path.stat().st_mtime_ns for path in report.glob("steps/*/step.json")}
    assert len(steps) > 20
    tables = {path: path.read_bytes() for path in (report / "tables").iterdir()}
    monkeypatch.chdir(ROOT)
    assert main(["--config", "tiny", "--out", str(report)]) == 0
    assert {path: path.stat().st_mtime_ns for path in report.glob("steps/*/step.json")} == steps
    assert {path: path.read_bytes() for path in (report / "tables").iterdir()} == tables


def test_nothing_to_draw_is_an_error(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(ROOT)
    assert main(["--config", "tiny", "--out", str(tmp_path), "--only_draw"]) == 1
    assert "holds nothing of this config" in capsys.readouterr().err


def test_the_old_command_names_the_new_one(capsys):
    with pytest.raises(SystemExit):
        equalinfo_command(["report", "--config", "tiny", "--out", "report"])
    assert "python -m experiments.report" in capsys.readouterr().err


def test_text_is_asked_for(tmp_path, capsys):
    assert main(["--config", "laptop", "--out", str(tmp_path)]) == 1
    assert "Give --train GLOB" in capsys.readouterr().err


def test_the_papers_scale_is_printed_as_commands():
    text = commands(Config.load("paper"))
    assert text.count("python -m t5x.train") > 60
    assert "--gin_file=gin/models/sizes/2b.gin --gin.MIXTURE_OR_TASK_NAME=\"'bytes'\"" in text
    assert "--method equal_info_ac --window_bits 16 --token_bits 8 --m1 M1.eqm --delay" in text
