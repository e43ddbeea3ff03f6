import csv
import io

import pytest

from experiments.analysis.significance import Sample
from experiments.report import sections, tables
from experiments.table import Table, show
from results_made import method, results, totals


def test_cells():
    assert show(None) == "not run"
    assert show(True) == "yes"
    assert show(1234567) == "1,234,567"
    assert show(Sample(1.5, float("nan"), 1)) == "1.5000 (n=1)"
    assert show(Sample(1.5, 0.25, 3)) == "1.5000 ± 0.2500 (n=3)"


def test_csv_has_full_values_and_markdown_is_escaped():
    table = Table("k", "t", ("a", "b"), [("x|y", 1 / 3), ("z", None)])
    assert list(csv.reader(io.StringIO(table.to_csv()))) == [
        ["a", "b"],
        ["x|y", "0.3333333333333333"],
        ["z", "not run"],
    ]
    assert table.to_markdown().splitlines() == [
        "| a | b |",
        "|---|--:|",
        "| x\\|y | 0.333 |",
        "| z | not run |",
    ]


def test_models_carry_seeds_mean_and_spread():
    found = results(method("Bytes", 1.0, 8.0, 4.6, [2.0, 2.2]), method("GZip[256]", 2.0, 3.5, 3.5))
    (row,) = tables.models(found).rows
    assert row[:3] == ("Bytes", "tiny", "0, 1")
    assert row[3].n == 2
    assert row[3].mean == 2.1
    assert row[8] == 20 * 4 * 100 / 1e6  # as many tokens as the records hold, not their length


def test_byte_matched_rows_have_seen_the_same_bytes():
    # Tokens of 2 and of 4 bytes: the second has seen as much text after half the steps.
    found = results(
        method("GZip[256]", 2.0, 3.5, 3.5, [3.4]),
        method("GZip[65k]", 4.0, 3.5, 3.5, [3.45], totals=totals(bytes_per_token=4.0)),
    )
    rows = tables.byte_matched(found).rows
    assert [row[:3] for row in rows[:2]] == [("GZip[256]", "tiny", 20), ("GZip[65k]", "tiny", 10)]
    assert rows[0][4] == rows[1][4] == 20 * 4 * 100 * 2 / 1e6
    assert rows[1][5] == 3.45 + 1


@pytest.mark.parametrize("lossless", [True, False])
def test_windows_that_were_not_verified_are_not_run(lossless):
    one = method("A", 2.0, 3.0, 3.0, lossless=lossless, window_bits=16)
    assert one.wrong_windows() is None
    found = totals(errors=7, verified=3)
    one = method("A", 2.0, 3.0, 3.0, lossless=lossless, window_bits=16, totals=found)
    assert one.wrong_windows() == 7 / 50


def test_the_page_tells_how_many_models_were_trained(tmp_path):
    found = results(method("Bytes", 1.0, 8.0, 4.6, [2.0]))  # of seeds 0 and 1
    part = sections.part(found, tmp_path)
    assert any("Seeds: 0, 1; 1 of 2 M2s were trained." in one for one in part.about)


def test_all_tables_are_there_and_rectangular():
    found = tables.all_tables(results(method("Bytes", 1.0, 8.0, 4.6, [2.0, 2.2])))
    assert len({table.key for table in found}) == len(found)
    for table in found:
        assert all(len(row) == len(table.columns) for row in table.rows), table.key
