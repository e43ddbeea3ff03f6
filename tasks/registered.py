"""Register data sets by importing this module: a T5X or gin user's MIXTURE_OR_TASK_MODULE.

Every directory in the environment variable EQUALINFO_DATASETS (separated by `:`, as in PATH, or by
`;` where one is remote) is registered under the name that its manifest gives
(`tasks.registration.task_name`), or under NAME where the entry is `NAME=DIR`.
"""

import os

from tasks.registration import register_all

VARIABLE = "EQUALINFO_DATASETS"

if not os.environ.get(VARIABLE):
    raise ValueError(
        f"tasks.registered was imported, but the environment variable {VARIABLE} names no "
        f"data set. Set it to what pipelines.compress wrote: {VARIABLE}=/data/a:NAME=/data/b."
    )

TASKS = register_all(os.environ[VARIABLE])
"""Names of the tasks, in the order of the variable."""
