"""How much of the input may be unusable before a job fails."""

from collections.abc import Sequence

from equalinfo.data.text import Limits


class JobFailedError(RuntimeError):
    """The input was read, but too much of it could not be used: there is no manifest."""


def check_limits(
    limits: Limits, *, documents: int, rejected: int, damages: Sequence[str], see: str
) -> None:
    """Raise a JobFailedError where files are damaged or too many documents were rejected."""
    fault = limits.fault(documents=documents, rejected=rejected, rejects=see, damages=damages)
    if fault:
        raise JobFailedError(f"{fault}. All: {see}")
