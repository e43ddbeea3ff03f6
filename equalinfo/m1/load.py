"""M1s as people name them: a file, the one of the package, or the model itself."""

import os

from equalinfo import container
from equalinfo.m1.base import FrequencyModel

ModelOrPath = FrequencyModel | str | os.PathLike[str]


def load_model(path: str | os.PathLike[str], precision: int | None) -> FrequencyModel:
    """Read an M1, frozen or static.

    Args:
      path: a safetensors file; its metadata says which kind.
      precision: P of the frequencies; None takes the file's own.

    Raises:
      FileNotFoundError: there is no such file.
      ValueError: not an M1 file, or a static one of another precision.
    """
    kind = container.kind_of_header(container.read_header(path, "frozen or static M1"))
    if kind == container.FROZEN:
        from equalinfo.m1.frozen.model import FrozenModel  # compiles kernels

        return FrozenModel.load(path) if precision is None else FrozenModel.load(path, precision)
    if kind == container.STATIC:
        from equalinfo.m1.static import StaticModel

        model = StaticModel.load(path)
        if precision not in (None, model.precision):
            raise ValueError(
                f"{os.fspath(path)}: its frequencies have precision {model.precision}, expected "
                f"{precision}. Count them again at that precision."
            )
        return model
    raise ValueError(
        f"{os.fspath(path)} is not an M1 (it is {kind or 'none of our files'}). Make one with "
        "`equalinfo freeze`."
    )


def resolve_model(model: ModelOrPath | None, precision: int | None, default: int) -> FrequencyModel:
    """The model itself, the one in the file, or (None) the M1 that comes with the package.

    Args:
      model: see above.
      precision: P that its frequencies must have; None: any, if the model itself is given.
      default: P of a file, and of the package's M1, where `precision` is None.

    Raises:
      FileNotFoundError, ValueError: see `load_model`; the model has another precision.
    """
    wanted = default if precision is None else precision
    if model is None:
        from equalinfo.m1.shipped import shipped_m1  # compiles kernels

        return shipped_m1(wanted)
    if isinstance(model, str | os.PathLike):
        return load_model(model, wanted)
    if precision not in (None, model.precision):
        raise ValueError(f"precision={precision}, but M1 has precision={model.precision}.")
    return model
