"""What an experiment runs: a TOML file, read into dataclasses and checked."""

import dataclasses
import tomllib
import types
import typing
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar, Self


@dataclasses.dataclass(frozen=True)
class Config:
    """Of any experiment.

    Attributes:
      folder: of the configs that are known by name.
      title: of the page.
      about: what it runs on and how long it takes.
      train, validation: text files, as of `pipelines.compress --input`; documents are taken from
        their start.
    """

    folder: ClassVar[Path]

    title: str
    about: str
    train: tuple[str, ...]
    validation: tuple[str, ...]

    @classmethod
    def path(cls, name: str) -> Path:
        """Of a config: a file, or one of those known by name.

        Raises:
          ValueError: there is none.
        """
        for path in (cls.folder / f"{name}.toml", Path(name)):
            if path.is_file():
                return path
        known = ", ".join(sorted(file.stem for file in cls.folder.glob("*.toml")))
        raise ValueError(f"--config={name}: no such file, and none of {known}.")

    @classmethod
    def load(cls, name: str) -> Self:
        """Read a config.

        Args:
          name: of a file, or of one of those known by name.

        Raises:
          ValueError: no such config, or a wrong entry; the message names it.
        """
        path = cls.path(name)
        try:
            config: Self = _make(cls, tomllib.loads(path.read_text("utf-8")), "")
            config.check()
        except ValueError as error:  # of TOML, too
            raise ValueError(f"{path}: {error}") from None
        return config

    def check(self) -> None:
        """Raise ValueError where entries do not go together."""

    def on(self, train: Sequence[str], validation: Sequence[str]) -> Self:
        """The experiment on other text, where some is given."""
        train, validation = tuple(train) or self.train, tuple(validation) or self.validation
        return dataclasses.replace(self, train=train, validation=validation)


def _make(kind: Any, value: Any, place: str) -> Any:
    """A value of a type, of what TOML has: a table is a dataclass, a string of words a tuple."""
    origin, of = typing.get_origin(kind), typing.get_args(kind)
    if origin is types.UnionType:  # with None, which TOML cannot say
        return _make(of[0], value, place)
    if dataclasses.is_dataclass(kind):
        return _dataclass(kind, value, place)
    if origin is tuple:
        value = value.split() if isinstance(value, str) else value
        if not isinstance(value, list):
            raise ValueError(f"{place} = {value!r} is no list.")
        return tuple(_make(of[0], one, f"[{place}]") for one in value)
    if origin is dict and dataclasses.is_dataclass(of[1]):
        if not isinstance(value, dict) or not all(isinstance(x, dict) for x in value.values()):
            raise ValueError(f"{place} = {value!r} is no table of tables.")
        return {
            name: _make(of[1], {**one, "name": name}, f"{place}.{name}")
            for name, one in value.items()
        }
    accepted: Any = {float: (float, int), Any: object}.get(kind, origin or kind)
    if not isinstance(value, accepted) or (isinstance(value, bool) and kind not in (bool, Any)):
        raise ValueError(f"{place} = {value!r} is no {getattr(kind, '__name__', kind)}.")
    return value


def _dataclass(kind: Any, values: dict[str, Any], place: str) -> Any:
    where = f"[{place}]: " if place else ""
    fields = {field.name: field for field in dataclasses.fields(kind)}
    if not isinstance(values, dict):
        raise ValueError(f"{where}{values!r} is no table of {', '.join(fields)}.")
    for name in values:
        if name not in fields:
            raise ValueError(f"{where}{name!r} is none of {', '.join(fields)}.")
    for name, field in fields.items():
        default = (field.default, field.default_factory)
        if default == (dataclasses.MISSING,) * 2 and name not in values:
            raise ValueError(f"{where}{name!r} is missing.")
    types_of = typing.get_type_hints(kind)
    return kind(**{name: _make(types_of[name], one, name) for name, one in values.items()})
