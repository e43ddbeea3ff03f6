"""SeqIO tasks over compressed data sets and over plain text (needs TensorFlow).

* `tasks.registration.register(DIR)`: one task for a directory that `pipelines.compress` wrote.
* `tasks.registered`: importing it registers every directory in the environment variable
  EQUALINFO_DATASETS.
* `tasks.text.register_text_task(NAME, SOURCE)`: straight from text, with the compiled tokenizer.
* `tasks.baselines`: `bytes` and `sentencepiece` straight from text.
* `tasks.pairs`: spelling, and codecs as sequence-to-sequence tasks.
* `tasks.prompts`: prompts for `t5x.infer`.
* `tasks.sources`: where text comes from, C4 files or TFDS.
* `tasks.batches.task_batches(NAME, ...)`: any of these for the local trainer, streamed.
* `tasks.vocabulary` (a codec directory, or a `.eqi` file),
  `tasks.metrics`, `tasks.features`: what the tasks are made of.

With T5X:

  export EQUALINFO_DATASETS=/data/c4_equal_info
  python -m t5x.train ... --gin.MIXTURE_OR_TASK_MODULE="'tasks.registered'"
                          --gin.MIXTURE_OR_TASK_NAME="'equal_info_b16_v65k'"

Straight from text, name a module of your own instead, in which stands

  from tasks.sources import tfds_text
  from tasks.text import register_text_task

  source = tfds_text("c4/en:3.1.0", {"train": "train", "validation": "validation"})
  register_text_task("c4_text", source, "c4.eqi")

Nothing happens at the import of this package.
"""
