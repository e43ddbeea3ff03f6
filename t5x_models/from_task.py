"""What a model takes from the task it is trained on, so that no gin file repeats it.

Each function is called by gin with `task` and `module` bound to the macros MIXTURE_OR_TASK_NAME and
MIXTURE_OR_TASK_MODULE.
"""

import seqio

from equalinfo.codecs.base import M1_ASSET
from equalinfo.lm import config, evaluate
from tasks.vocabulary import CodecVocabulary, vocabulary_of


def vocabulary(task: str, module: str | None = None) -> seqio.Vocabulary:
    """See `vocabulary_of`."""
    return vocabulary_of(task, module)


def padded_vocab_size(task: str, module: str | None = None) -> int:
    """Ids of the vocabulary, rounded up to a multiple of 128."""
    return config.padded_vocab_size(vocabulary(task, module).vocab_size)


def tokens_per_window(task: str, module: str | None = None) -> int | None:
    """Tokens of one window; None where there are no windows, or tokens cross their ends."""
    codec = vocabulary(task, module)
    return codec.tokens_per_window if isinstance(codec, CodecVocabulary) else None


def ends_with_eos(task: str, module: str | None = None) -> bool:
    """Whether the id 1 can stand in the targets; not where windows hold EOS as a symbol."""
    codec = vocabulary(task, module)
    return not isinstance(codec, CodecVocabulary) or codec.eos_in_stream


def m1_parameters(task: str, module: str | None = None) -> int:
    """Parameters, without embeddings, of the M1 that runs on every byte; 0 where none does."""
    codec = vocabulary(task, module)
    if not isinstance(codec, CodecVocabulary) or M1_ASSET not in codec.assets:
        return 0  # of a text task's codebook there is no directory either
    return evaluate.m1_parameters(codec.directory)
