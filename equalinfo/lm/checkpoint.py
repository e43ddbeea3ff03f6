"""Orbax checkpoints: parameters and optimizer state; the step is also the data position."""

import json
from pathlib import Path
from typing import Any

import orbax.checkpoint as ocp

PyTree = Any


class Checkpoints:
    """The newest checkpoints of a run directory."""

    def __init__(self, directory: Path, keep: int = 2) -> None:
        self._manager = ocp.CheckpointManager(
            Path(directory).absolute(),
            options=ocp.CheckpointManagerOptions(
                max_to_keep=keep, enable_async_checkpointing=False
            ),
        )

    def save(self, step: int, state: PyTree) -> None:
        """Write a checkpoint; a step already saved is left alone."""
        if step not in self._manager.all_steps():
            self._manager.save(step, args=ocp.args.StandardSave(state))

    def restore_latest(self, like: PyTree) -> tuple[int, PyTree]:
        """(step, state) of the newest checkpoint; (0, `like`) where there is none."""
        step = self._manager.latest_step()
        if step is None:
            return 0, like
        return step, self._manager.restore(step, args=ocp.args.StandardRestore(like))

    def close(self) -> None:
        """Release the manager's threads."""
        self._manager.close()


# A run may be continued with other values of these: they do not touch the parameters of a step.
_FREE = ("steps", "eval_every", "eval_batches", "checkpoint_every", "log_every", "max_seconds")


def claim(directory: Path, identity: dict[str, Any]) -> None:
    """Write `config.json`, or check that the one there is the same run.

    Raises:
      ValueError: another config or other data; names what differs.
    """
    path = Path(directory) / "config.json"
    identity = json.loads(json.dumps(identity))
    if path.exists():
        there = json.loads(path.read_text())
        ours, theirs = _flat(identity), _flat(there)
        for key in sorted(ours.keys() | theirs.keys()):
            if key.rpartition("/")[2] in _FREE:
                continue
            if ours.get(key) != theirs.get(key):
                raise ValueError(
                    f"{directory} holds a run with {key}={theirs.get(key)!r}, but this one has "
                    f"{key}={ours.get(key)!r}. Continue it with the same settings, or use another "
                    "directory (which may begin with its parameters: --init_from)."
                )
    path.write_text(json.dumps(identity, indent=2) + "\n")


def _flat(tree: Any, prefix: str = "") -> dict[str, Any]:
    if not isinstance(tree, dict):
        return {prefix: tree}
    out: dict[str, Any] = {}
    for key, value in tree.items():
        out.update(_flat(value, f"{prefix}/{key}" if prefix else key))
    return out
