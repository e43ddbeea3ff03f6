"""P: integer frequencies sum to 2^P."""

from equalinfo.alphabet import NUM_SYMBOLS

DEFAULT_PRECISION = 16
AC_PRECISION = 14
"""Of the paper's range coder: every probability is at least 2^-14 [paper 3.3]."""

MIN_PRECISION = 9  # 2^9 is the first power of two that gives each of 257 symbols a point.
MAX_PRECISION = 20  # p M with 32 fractional bits stays exact in float64 (53 bits).


def check_precision(precision: int) -> None:
    """Raise ValueError unless 9 <= precision <= 20."""
    if not MIN_PRECISION <= precision <= MAX_PRECISION:
        raise ValueError(
            f"precision={precision} is outside {MIN_PRECISION}..{MAX_PRECISION}: frequencies of "
            f"{NUM_SYMBOLS} symbols sum to 2^precision, each at least 1. "
            f"Use {DEFAULT_PRECISION}, or {AC_PRECISION} for ac and static_ac, as in the paper."
        )
