import dataclasses

import pytest

from equalinfo.report import findings
from report.results_made import method, results


def equal_info(width, bits, uniform=3.0):
    return method(f"EqualInfo[{width}, 256]", 2.0, uniform, uniform - 0.01, [bits])


@pytest.mark.parametrize(("bits", "holds"), [(4.001, True), (3.9, False), (4.1, False)])
def test_ac_stays_within_half_a_percent_of_uniform(bits, holds):
    found = results(
        method("AC[256]", 4.0, 4.0, 4.0, [bits]), method("StaticAC[256]", 2.0, 4.6, 4.6, [4.6])
    )
    assert findings.ac_stays_uniform(found).holds is holds


def test_what_was_not_run_is_neither_true_nor_false():
    nothing = results(method("Bytes", 1.0, 8.0, 4.6))
    for one in findings.all_findings(nothing):
        if one is not None and "ids do not depend" not in one.claim:
            assert one.holds is None, one.claim


@pytest.mark.parametrize(("bits", "holds"), [(2.9, True), (2.995, False), (3.1, False)])
def test_equal_info_learns_below_unigram_and_uniform(bits, holds):
    assert findings.equal_info_learns(results(equal_info(16, bits))).holds is holds


def test_longer_windows_learn_less_per_token():
    falling = [equal_info(w, b) for w, b in ((16, 2.0), (32, 2.5), (64, 2.8), (128, 2.9))]
    assert findings.longer_windows_learn_less(results(*falling)).holds is True
    none_of_the_long_ones = [
        equal_info(w, b) for w, b in ((16, 2.9), (32, 3.0), (64, 2.999), (128, 3.01))
    ]
    assert findings.longer_windows_learn_less(results(*none_of_the_long_ones)).holds is True
    falling[1] = equal_info(32, 1.5)
    found = findings.longer_windows_learn_less(results(*falling))
    assert found.holds is False
    assert found.reason


def test_vocabularies_are_compared_at_the_same_size():
    small = method("GZip[256]", 2.0, 3.5, 3.5, [3.4])
    large = method("GZip[65k]", 4.0, 3.5, 3.5, [3.45])
    assert findings.gzip_vocabulary_does_not_help(results(small, large)).holds is True
    other_size = dataclasses.replace(large, models={"small": large.models["tiny"]})
    assert findings.gzip_vocabulary_does_not_help(results(small, other_size)).holds is None


def test_decompression():
    def pair(name, accuracy):
        return {
            "method": name,
            "paper": name,
            "task": "decompress",
            "accuracy": accuracy,
            "byte_lm": 0.7,
            "steps": 1,
        }

    learned = [pair("EqualInfo[16, 256]", 0.9), pair("AC[256]", 0.705)]
    assert findings.decompression(results(pairs=learned)).holds is True
    assert findings.decompression(results(pairs=[learned[0], pair("AC[256]", 0.8)])).holds is False


def test_errors_of_the_papers_windows():
    totals = {"validation": {"windows": 50, "window_errors": 10, "verified_examples": 3}}
    lossy = method(
        "EqualInfoAC[16, 256]", 2.0, 3.0, 3.0, lossless=False, window_bits=16, totals=totals
    )
    found = findings.exact_code_is_exact(results(lossy))
    assert found.holds is True
    assert "20.0%" in found.evidence
