"""The M1 that comes with the package; `equalinfo/models/README.md` says what it is."""

from functools import lru_cache
from importlib import resources

from equalinfo.m1.frozen.file import FrozenM1
from equalinfo.m1.frozen.model import FrozenModel

DEFAULT_M1 = "english-3m-v1.eqm"


@lru_cache(maxsize=4)
def shipped_m1(precision: int = 16, name: str = DEFAULT_M1) -> FrozenModel:
    """A frozen M1 of the package, loaded once a process.

    Args:
      precision: P of its frequencies.
      name: of a file in `equalinfo/models`: older ones stay there when a better one comes.

    Raises:
      ValueError: no such name.
    """
    folder = resources.files("equalinfo") / "models"
    names = sorted(x.name for x in folder.iterdir() if x.name.endswith(".eqm"))
    if name not in names:
        raise ValueError(f"the package has no M1 {name!r}. It has: {', '.join(names)}.")
    with resources.as_file(folder / name) as path:
        return FrozenModel(FrozenM1.load(path), precision)
