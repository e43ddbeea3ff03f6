"""M1s as people name them: a file, the one of the package, or the model itself."""

import os
from collections.abc import Callable

from equalinfo import container
from equalinfo.data import storage
from equalinfo.m1.base import FrequencyModel

ModelOrPath = FrequencyModel | str | os.PathLike[str]


Loader = Callable[[str | os.PathLike[str], int | None], FrequencyModel]
"""(path, precision or None) -> the model; a ValueError where it cannot have that precision."""


def _frozen(path: str | os.PathLike[str], precision: int | None) -> FrequencyModel:
    from equalinfo.m1.frozen.model import FrozenModel  # compiles kernels

    return FrozenModel.load(path) if precision is None else FrozenModel.load(path, precision)


def _static(path: str | os.PathLike[str], precision: int | None) -> FrequencyModel:
    from equalinfo.m1.static import StaticModel

    model = StaticModel.load(path)
    if precision not in (None, model.precision):
        raise ValueError(
            f"{os.fspath(path)}: its frequencies have precision {model.precision}, expected "
            f"{precision}. Count them again at that precision."
        )
    return model


LOADERS: dict[str, Loader] = {container.FROZEN: _frozen, container.STATIC: _static}
"""What reads an M1's file, by its kind, a key of `container.KINDS`."""


def register(kind: str, words: container.Header, loader: Loader) -> None:
    """Add a kind of M1: a `FrequencyModel` with `save`, in a file of its own, and this line.

    From then on codecs take its file, keep it in their directory and load it again.

    Args:
      kind: in words, for errors.
      words: what the header of its files says, and no other's.
      loader: reads one.

    Raises:
      ValueError: there is such a kind.
    """
    if container.kind_of_header(words) or kind in container.KINDS:
        raise ValueError(f"{kind!r}, {words}: there is such a kind of file already.")
    container.KINDS[kind] = words
    LOADERS[kind] = loader


def load_model(path: str | os.PathLike[str], precision: int | None) -> FrequencyModel:
    """Read an M1 of any kind.

    Args:
      path: a safetensors file; its metadata says which kind.
      precision: P of the frequencies; None takes the file's own.

    Raises:
      FileNotFoundError: there is no such file.
      ValueError: not an M1 file, or a static one of another precision.
    """
    kind = container.kind_of_header(container.read_header(path, "frozen or static M1"))
    if kind not in LOADERS:
        raise ValueError(
            f"{os.fspath(path)} is not an M1 (it is {kind or 'none of our files'}). Make one with "
            "`equalinfo freeze`."
        )
    return LOADERS[kind](path, precision)


def resolve_model(
    model: ModelOrPath | None,
    precision: int | None,
    default: int,
    with_counts: int | None = None,
) -> FrequencyModel:
    """The model itself, the one in the file, or one that comes with the package.

    Args:
      model: a model, a file, or the name of an M1 of the package (`shipped.shipped_names`); None:
        the package's default. A file comes first.
      precision: P that its frequencies must have; None: any, if the model itself is given.
      default: P of a file, and of the package's M1, where `precision` is None.
      with_counts: the same for frozen M1s with counts; None: `default`.

    Raises:
      FileNotFoundError, ValueError: see `load_model`; the model has another precision.
    """
    wanted = default if precision is None else precision
    if isinstance(model, str | os.PathLike) and storage.exists(os.fspath(model)):
        if precision is None and with_counts is not None and _has_counts(model):
            wanted = with_counts
        return load_model(model, wanted)
    if model is None or isinstance(model, str):
        from equalinfo.m1.shipped import DEFAULT_M1, has_counts, shipped_m1, shipped_names

        name = DEFAULT_M1 if model is None else model
        if name not in (names := shipped_names()):
            raise FileNotFoundError(
                f"M1 file {name} does not exist, and the package has no M1 of that name: it has "
                f"{', '.join(names)}."
            )
        if precision is None and with_counts is not None and has_counts(name):
            wanted = with_counts
        return shipped_m1(wanted, name)
    if isinstance(model, os.PathLike):
        return load_model(model, wanted)
    if precision not in (None, model.precision):
        raise ValueError(f"precision={precision}, but M1 has precision={model.precision}.")
    return model


def _has_counts(path: str | os.PathLike[str]) -> bool:
    header = container.read_header(path, "frozen M1")
    return (
        container.kind_of_header(header) == container.FROZEN and header.get("format_version") != 1
    )
