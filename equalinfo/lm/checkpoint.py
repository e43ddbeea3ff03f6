"""A run directory: whose run it is, and Orbax checkpoints of its parameters and optimizer state."""

import dataclasses
import json
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orbax.checkpoint as ocp
from flax.traverse_util import flatten_dict
from tqdm import tqdm

from equalinfo.data import storage
from equalinfo.data.manifest import MANIFEST_FILE
from equalinfo.lm.config import TrainConfig

PyTree = Any

CHECKPOINTS = "checkpoints"
"""Their folder in a run directory."""

_SUMS = "sha256.json"  # in a checkpoint: of each other file, as it was saved


class Checkpoints:
    """The newest checkpoints of a run directory; the step is also the data's position."""

    def __init__(self, directory: Path, keep: int = 2) -> None:
        self._directory = Path(directory).absolute()
        self._manager = ocp.CheckpointManager(
            self._directory,
            options=ocp.CheckpointManagerOptions(
                max_to_keep=keep, enable_async_checkpointing=False
            ),
        )

    def save(self, step: int, state: PyTree) -> None:
        """Write a checkpoint; a step already saved is left alone."""
        if step not in self._manager.all_steps():
            self._manager.save(step, args=ocp.args.StandardSave(state))
            folder = self._directory / str(step)
            storage.write_text(str(folder / _SUMS), json.dumps(_sums(folder), indent=2) + "\n")

    def restore_newest(self, like: PyTree, set_aside: bool = False) -> tuple[int, PyTree]:
        """(step, state) of the newest checkpoint that can be read; (0, `like`) where there is none.

        Newer ones, cut off by a full disk or a crash or changed since they were saved, are passed
        over with a warning.

        Args:
          like: arrays of the same shapes.
          set_aside: rename those to `damaged-STEP`, so that the run writes their steps again.

        Raises:
          ValueError: there are checkpoints, and none can be read.
        """
        steps = sorted(self._manager.all_steps(), reverse=True)
        damaged: dict[int, Exception] = {}
        for step in steps:
            try:
                _check_files(self._directory / str(step))
                state = self._manager.restore(step, args=ocp.args.StandardRestore(like))
            except Exception as error:  # of Orbax, TensorStore, JSON or the file system
                damaged[step] = error
                continue
            self._pass_over(damaged, step, set_aside)
            return step, state
        if damaged:
            newest, reason = next(iter(damaged.items()))
            raise ValueError(
                f"{self._directory}: no checkpoint can be read, of steps {sorted(damaged)}. The "
                f"newest: {_reason(reason)}. Restore {self._directory / str(newest)}, or begin "
                "again in another directory."
            ) from reason
        return 0, like

    def _pass_over(self, damaged: dict[int, Exception], step: int, set_aside: bool) -> None:
        for newer, error in damaged.items():
            place = self._directory / str(newer)
            message = f"warning: {place} is damaged ({_reason(error)}); going on from step {step}."
            if set_aside:
                aside = self._directory.parent / f"damaged-{newer}"
                shutil.rmtree(aside, ignore_errors=True)
                place.rename(aside)
                message += f" It is {aside} now."
            tqdm.write(message, file=sys.stderr)
        if damaged and set_aside:
            self._manager.reload()

    def close(self) -> None:
        """Release the manager's threads."""
        self._manager.close()


def _sums(folder: Path) -> dict[str, str]:
    """sha256 of each file, by its path in the folder."""
    files = (path for path in sorted(folder.rglob("*")) if path.is_file() and path.name != _SUMS)
    return {path.relative_to(folder).as_posix(): storage.sha256(str(path)) for path in files}


def _check_files(folder: Path) -> None:
    """See that a checkpoint is what was saved; those of before have no sums, and pass.

    Raises:
      ValueError: a file has other bytes, or is missing.
    """
    if not (folder / _SUMS).exists():
        return
    found = _sums(folder)
    for name, saved in json.loads((folder / _SUMS).read_text("utf-8")).items():
        if found.get(name) != saved:
            raise ValueError(f"{name} is not as it was saved")


def _reason(error: Exception) -> str:
    """The first line of what may be a hundred."""
    return f"{type(error).__name__}: {(str(error).splitlines() or [''])[0][:200]}"


# A run may be continued with other values of these: they do not touch the parameters of a step.
_FREE = ("steps", "eval_every", "eval_batches", "checkpoint_every", "log_every", "max_seconds")


def read_identity(directory: Path) -> dict[str, Any]:
    """`config.json` of a run: {"config": a `TrainConfig`, "data": what names the data}.

    Where it is known, also {"codec": codec.json of the data}.

    Raises:
      FileNotFoundError: there is none.
    """
    path = Path(directory) / "config.json"
    if not path.exists():
        raise FileNotFoundError(
            f"{path} does not exist: {directory} is not a run of the local trainer."
        )
    found: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return found


def trained_codec(directory: Path) -> dict[str, Any] | None:
    """codec.json of what a run was trained on; None: unknown, of runs of before and of T5X."""
    if not (directory / "config.json").exists():
        return None
    codec: dict[str, Any] | None = read_identity(directory).get("codec")
    return codec


def trained_beside(directory: Path) -> str | None:
    """sha256 of the counts that a run was trained beside; None: it was trained alone."""
    if not (directory / "config.json").exists():
        return None
    counts: str | None = read_identity(directory)["data"].get("counts")
    return counts


def claim(
    directory: Path,
    config: TrainConfig,
    data: Mapping[str, Any],
    codec: Mapping[str, Any] | None = None,
) -> None:
    """Make the directory this run's; `codec` is noted for `trained_codec`.

    Raises:
      ValueError: it is another's, see `check`.
    """
    check(directory, config, data)
    content = {"config": dataclasses.asdict(config), "data": data}
    content |= {"codec": codec} if codec else {}
    storage.write_text(str(directory / "config.json"), json.dumps(content, indent=2) + "\n")


def check(
    directory: Path, config: TrainConfig, data: Mapping[str, Any], partly: bool = False
) -> None:
    """Check that a run directory is empty or this run's.

    Args:
      directory: of the run.
      config: of the run.
      data: `Batches.fingerprint`.
      partly: `data` is what is known before the data is read.

    Raises:
      ValueError: it holds a run of another config or other data, and it names what differs; or it
        holds a data set.
    """
    if (directory / MANIFEST_FILE).exists():
        raise ValueError(f"{directory} holds a data set: give the run a directory of its own.")
    if not (directory / "config.json").exists():
        return
    content = json.loads(json.dumps({"config": dataclasses.asdict(config), "data": data}))
    theirs, ours = (flatten_dict(x, sep="/") for x in (read_identity(directory), content))
    different = {  # by their names without "config/" and "data/"
        key.partition("/")[2]: (theirs.get(key), ours.get(key))
        for key in sorted(ours if partly else ours.keys() | theirs.keys())
        if key.rpartition("/")[2] not in _FREE
        and not key.startswith("codec/")
        and ours.get(key) != theirs.get(key)
    }
    if different:
        has = ", ".join(f"{name}={their}" for name, (their, _) in different.items())
        wants = ", ".join(f"{name}={our}" for name, (_, our) in different.items())
        folder = directory / CHECKPOINTS
        if folder.is_dir() and any(folder.iterdir()):
            fix = "use another directory (which may begin with its parameters: --init_from)."
        else:
            fix = "delete it, if it does not run any more: it has no checkpoint."
        raise ValueError(
            f"{directory} holds a run with {has}, but this one has {wants}. Continue it with the "
            f"same settings, or {fix}"
        )
