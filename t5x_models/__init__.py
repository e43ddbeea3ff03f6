"""What T5X needs to train this project's language models beyond T5X itself (needs T5X).

* `t5x_models.language_model`: T5X's decoder-only model with bits/byte beside the loss.
* `t5x_models.byte_metrics`: its metrics, exact over batches, devices and hosts.
* `t5x_models.inference`: what `t5x.infer` writes.
* `t5x_models.from_task`: what a model takes from the task it is trained on.

A folder of its own, since `equalinfo` and `tasks` work without T5X. The gin files in `gin/` name
what is here. Nothing happens at the import of this package.
"""
