"""How much of the input may be unusable before a job fails."""

from collections.abc import Sequence
from dataclasses import dataclass


class JobFailedError(RuntimeError):
    """The input was read, but too much of it could not be used: there is no manifest."""


@dataclass(frozen=True)
class Limits:
    """What a job bears.

    Attributes:
      max_reject_fraction: of the documents, 0..1.
      allow_damaged_files: keep what a damaged file gave before it broke off.
    """

    max_reject_fraction: float
    allow_damaged_files: bool


def check_limits(
    limits: Limits, *, documents: int, rejected: int, damages: Sequence[str], see: str
) -> None:
    """Raise a JobFailedError where files are damaged or too many documents were rejected."""
    if damages and not limits.allow_damaged_files:
        raise JobFailedError(
            f"{len(damages)} input files are damaged; the first is {damages[0]}. Fetch them again, "
            f"or pass --allow_damaged_files to keep the documents before the damage. All: {see}"
        )
    if damages and not documents:
        raise JobFailedError(
            f"there is no document: {len(damages)} input files are damaged; the first is "
            f"{damages[0]}. All: {see}"
        )
    fraction = rejected / max(1, documents + rejected)
    if fraction > limits.max_reject_fraction:
        raise JobFailedError(
            f"{rejected} of {documents + rejected} documents were rejected ({fraction:.4%}), the "
            f"limit is {limits.max_reject_fraction:.4%}. Mend the input, or raise "
            f"--max_reject_fraction. All: {see}"
        )
