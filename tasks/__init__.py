"""SeqIO tasks over compressed data sets and over plain text (needs TensorFlow).

* `tasks.registration.register(DIR)`: one task for a directory that `pipelines.compress` wrote.
* `tasks.registered`: importing it registers every directory in the environment variable
  EQUALINFO_DATASETS.
* `tasks.baselines`: `bytes` and `sentencepiece` straight from text.
* `tasks.vocabulary`, `tasks.metrics`, `tasks.features`: what the tasks are made of.

With T5X:

  export EQUALINFO_DATASETS=/data/c4_equal_info
  python -m t5x.train ... --gin.MIXTURE_OR_TASK_MODULE="'tasks.registered'"
                          --gin.MIXTURE_OR_TASK_NAME="'equal_info_b16_v65k'"

Nothing happens at the import of this package.
"""
