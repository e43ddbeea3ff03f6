"""What can be compiled."""

from equalinfo.alphabet import NUM_SYMBOLS

UNIGRAM, BEST_FIRST, INTERVAL = "unigram", "best_first", "interval"
M1_PLANS = (BEST_FIRST, INTERVAL)
PLANS = (UNIGRAM, *M1_PLANS)

LONGEST, FEWEST = "longest", "fewest"
PARSES = (LONGEST, FEWEST)

MAX_SYMBOLS = (1 << 16) - 1
"""Of a text."""

MAX_FEWEST_SYMBOLS = (1 << 8) - 1
"""Of a text, that parse `fewest` can handle."""

MAX_TOKEN_COST = (1 << 16) - 1
"""In 1/256 bit. No code costs more: with it all cost the same, and `fewest` is fewest tokens."""

MIN_CODES, MAX_CODES = NUM_SYMBOLS, 1 << 20
MIN_INTERVAL_BITS = 9


def check_num_codes(plan: str, num_codes: int) -> None:
    """Raise a ValueError unless `plan` can make a codebook of `num_codes`."""
    if plan not in PLANS:
        raise ValueError(f"plan {plan!r} is unknown. Use one of {', '.join(PLANS)}.")
    if not MIN_CODES <= num_codes <= MAX_CODES:
        raise ValueError(
            f"num_codes={num_codes} is not in {MIN_CODES}..{MAX_CODES}: a codebook holds at least "
            f"the {NUM_SYMBOLS} symbols, and more than 2^20 texts cannot be enumerated in memory. "
            "Wider windows need the streaming coder (method equal_info with window_bits > 20)."
        )
    if plan == INTERVAL and num_codes & (num_codes - 1):
        raise ValueError(
            f"num_codes={num_codes} is not a power of two, which plan 'interval' needs: its codes "
            f"are windows of W bits, W {MIN_INTERVAL_BITS}..20. Use one, or plan 'best_first'."
        )


def check_m1_plan(plan: str) -> None:
    """Raise a ValueError unless `plan` makes texts of an M1."""
    if plan not in M1_PLANS:
        raise ValueError(
            f"plan {plan!r} is none of {', '.join(M1_PLANS)}, which make codebooks of an M1; "
            f"{UNIGRAM!r} makes one of text, with equalinfo.codebook.unigram.train_on_documents."
        )


def check_parse(parse: str, longest: int = 0) -> None:
    """Raise a ValueError unless texts of up to `longest` symbols can be parsed so."""
    if parse not in PARSES:
        raise ValueError(f"parse {parse!r} is unknown. Use one of {', '.join(PARSES)}.")
    if parse == FEWEST and longest > MAX_FEWEST_SYMBOLS:
        raise ValueError(
            f"a text of this codebook has {longest} symbols, of {MAX_FEWEST_SYMBOLS} that parse "
            "'fewest' can handle. Use parse 'longest'."
        )
