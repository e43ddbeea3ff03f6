"""A trainer that writes down which rows each step was trained on, for the tests in this folder."""

import hashlib
import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jax
import numpy as np
from t5x import trainer


class RecordingTrainer(trainer.Trainer):
    """Writes MODEL_DIR/rows-PROCESS.jsonl: {"step": before the update, "rows": [digest, ...]}.

    Args:
      kill_at: the process kills itself before it trains on the batch of this step.
    """

    def __init__(self, *args: Any, kill_at: int | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._kill_at = kill_at

    def train(self, batch_iter: Any, num_steps: int, start_step: int | None = None) -> Any:
        return super().train(self._recorded(batch_iter, start_step), num_steps, start_step)

    def _recorded(self, batch_iter: Any, start_step: int | None) -> Iterator[Any]:
        step = int(self.train_state.step if start_step is None else start_step)
        directory = Path(self.train_metrics_manager.summary_dir).parent
        with (directory / f"rows-{jax.process_index()}.jsonl").open("a") as file:
            for batch in batch_iter:
                if step == self._kill_at:
                    os.kill(os.getpid(), signal.SIGKILL)
                # A row that several devices hold (model parallel) counts once.
                shards = {
                    shard.index[0].start or 0: np.asarray(shard.data)
                    for shard in batch["decoder_target_tokens"].addressable_shards
                }
                rows = [row_digest(row) for start in sorted(shards) for row in shards[start]]
                file.write(json.dumps({"step": step, "rows": rows}) + "\n")
                file.flush()
                step += 1
                yield batch


def row_digest(row: np.ndarray) -> str:
    """Of token ids int32[L], padding included."""
    return hashlib.sha256(np.asarray(row, np.int32).tobytes()).hexdigest()[:16]
