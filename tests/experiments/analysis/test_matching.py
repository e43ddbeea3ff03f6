import numpy as np
import pytest

from experiments.analysis.matching import Curve, at_bytes, byte_matched

# 100, 200, 300 tokens; 400, 800, 1200 bytes
CURVE = Curve(np.array([10, 20, 30]), np.array([3.0, 2.0, 1.5]), 10, 4.0)


def test_what_a_run_has_seen():
    assert CURVE.tokens_seen.tolist() == [100, 200, 300]
    assert CURVE.bytes_seen.tolist() == [400, 800, 1200]


@pytest.mark.parametrize(
    ("budget", "step", "score"),
    [(400, 10, 3.0), (600, 15, 2.5), (800, 20, 2.0), (1000, 25, 1.75), (1200, 30, 1.5)],
)
def test_a_run_is_read_off_between_its_evaluations(budget, step, score):
    point = at_bytes(CURVE, budget)
    assert (point.step, point.bytes_seen, point.tokens_seen) == (step, budget, budget / 4)
    assert point.bits_per_byte == score


def test_budgets_outside_of_the_run_are_refused():
    with pytest.raises(ValueError, match=r"399 bytes .* 400 \(step 10\) to 1200"):
        at_bytes(CURVE, 399)
    with pytest.raises(ValueError, match=r"1210 bytes are outside"):
        at_bytes(CURVE, 1210)


def test_runs_are_matched_at_the_fewest_bytes():
    short = Curve(np.array([50, 100]), np.array([4.0, 3.5]), 10, 1.0)
    got = byte_matched({"bytes": short, "equal_info": CURVE})
    assert got["bytes"].step == 100 and got["bytes"].bytes_seen == 1000
    assert got["equal_info"].step == 25 and got["equal_info"].bytes_seen == 1000
    assert byte_matched({}) == {}
    late = Curve(np.array([200]), np.array([1.0]), 10, 4.0)  # first scored after all others ended
    assert byte_matched({"late": late, "equal_info": CURVE}) == {}
