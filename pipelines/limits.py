"""How much of the input may be unusable before a job fails."""

from collections.abc import Sequence

from equalinfo.data.text import Limits


class JobFailedError(RuntimeError):
    """The input was read, but too much of it could not be used: there is no manifest."""


def check_limits(
    limits: Limits,
    *,
    documents: int,
    rejected: int,
    damages: Sequence[str],
    rejects: str,
    see: str = "",
) -> None:
    """Raise a JobFailedError where files are damaged or too many documents were rejected.

    Args:
      limits: that are borne.
      documents: that could be used.
      rejected: that could not.
      damages: "file: why" of each file that broke off.
      rejects: the first reasons.
      see: where all of them are.
    """
    fault = limits.fault(documents=documents, rejected=rejected, rejects=rejects, damages=damages)
    if fault:
        raise JobFailedError(f"{fault}. All: {see}" if see else f"{fault}.")
