"""A codebook of windows from text alone."""

import numpy as np

from equalinfo.alphabet import Symbols
from equalinfo.codebook.book import Codebook
from equalinfo.codebook.limits import check_m1_plan
from equalinfo.m1.base import DEFAULT_PRECISION
from equalinfo.m1.counts import CountModel


def compile_from_text(
    text: Symbols,
    num_codes: int = 1 << 16,
    *,
    plan: str = "best_first",
    rounds: int = 3,
    precision: int = DEFAULT_PRECISION,
    progress: bool = True,
) -> Codebook:
    """Count a text and compile what was counted: counts take the place of a trained M1.

    Windows do not begin anywhere, but where the window before ended: at the beginning of words more
    often than inside them. So the text is cut with the first codebook, and counted again where its
    windows begin. On 50 MB of English that brings 6% more bytes/token, the third round 0.3%.

    Args:
      text: uint16[n], documents joined with EOS. 10 MB and more are worth while at 65,536 codes.
      num_codes: V.
      plan: best_first or interval.
      rounds: how often to count, at least 1.
      precision: P.
      progress: draw bars.
    """
    check_m1_plan(plan)
    if rounds < 1:
        raise ValueError(f"rounds={rounds} is less than 1.")
    starts = None
    for left in reversed(range(rounds)):
        model = CountModel.from_symbols(text, starts, precision=precision)
        codebook = Codebook.compile(
            model, num_codes, plan=plan, context=model.max_context, progress=progress
        )
        if left:
            ends = np.cumsum(codebook.lengths(codebook.encode(text)))
            starts = np.concatenate([np.zeros(1, np.int64), ends[:-1]])
    return codebook
