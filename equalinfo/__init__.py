"""Train language models over neurally compressed text.

Where things are, in the order of the flow:

  alphabet      the 257 symbols: bytes and EOS
  m1            M1 at run time: integer frequencies of the next symbol
  frequencies   the one border between floats and integers
  coding        arithmetic coding, the exact Equal-Info code, the paper's windows
  codebook      a set of texts, one a token, chosen from text or compiled from an M1
  tokenizer     text -> token ids and back through a codebook: all that many users need
  data          files where they lie, text from them, and what a data set is on disk
  evaluation    tokenizers of any make, compared
  codecs        methods: text -> token ids and back
  score         bits/byte, FLOPs/byte
  lm            the Transformer for M1 and M2, and a local trainer

Importing this package imports none of them: `equalinfo.Tokenizer` loads NumPy when it is first
named, numba where there is more than a little text, JAX where models are trained or sampled.
"""

import importlib
from typing import TYPE_CHECKING, Any

from equalinfo.version import __version__

if TYPE_CHECKING:
    from equalinfo.data.dataset import Dataset
    from equalinfo.tokenizer import Tokenizer

__all__ = ["Dataset", "Tokenizer", "__version__"]


def __getattr__(name: str) -> Any:
    modules = {"Tokenizer": "equalinfo.tokenizer", "Dataset": "equalinfo.data.dataset"}
    if name in modules:
        return getattr(importlib.import_module(modules[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
