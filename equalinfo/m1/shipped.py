"""The M1s that come with the package; `equalinfo/models/README.md` says what they are."""

from functools import lru_cache
from importlib import resources

from equalinfo.m1.frozen import file
from equalinfo.m1.frozen.counts.tables import FrozenCounts
from equalinfo.m1.frozen.model import FrozenModel

DEFAULT_M1 = "english-3m-v3"

COUNTS = "counts"
"""The default M1's counts without its network: less dense, and many times as fast."""


def shipped_names() -> list[str]:
    """What `shipped_m1` takes. Older M1s stay when a better one comes."""
    folder = resources.files("equalinfo") / "models"
    files = (x.name for x in folder.iterdir() if x.name.endswith(".eqm"))
    return [COUNTS, *sorted(name.removesuffix(".eqm") for name in files)]


def has_counts(name: str) -> bool:
    """Whether one of `shipped_names` has counts: all but the first version."""
    return name != "english-3m-v1"


@lru_cache(maxsize=4)
def shipped_m1(precision: int = 16, name: str = DEFAULT_M1) -> FrozenModel:
    """A frozen M1 of the package, loaded once a process.

    Args:
      precision: P of its frequencies.
      name: one of `shipped_names`.

    Raises:
      ValueError: no such name.
    """
    if name not in (names := shipped_names()):
        raise ValueError(f"the package has no M1 {name!r}. It has: {', '.join(names)}.")
    network, counts = _read(DEFAULT_M1 if name == COUNTS else name)
    return FrozenModel(None if name == COUNTS else network, precision, counts=counts)


@lru_cache(maxsize=2)  # models of several precisions share the tables
def _read(name: str) -> tuple[file.FrozenM1 | None, FrozenCounts | None]:
    folder = resources.files("equalinfo") / "models"
    with resources.as_file(folder / f"{name}.eqm") as path:
        return file.read(path)
