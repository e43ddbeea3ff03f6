"""Train language models over neurally compressed text.

Where things are, in the order of the flow:

  alphabet      the 257 symbols: bytes and EOS
  m1            M1 at run time: integer frequencies of the next symbol
  frequencies   the one border between floats and integers
  coding        arithmetic coding, the exact Equal-Info code, the paper's windows
  codebook      the exact code compiled into a table
  codecs        methods: text -> token ids and back
  records, tfrecord, manifest, dataset   what a data set is on disk
  score         bits/byte, FLOPs/byte
  lm            the Transformer for M1 and M2, and a local trainer

Importing this package imports none of them: JAX and numba load where they are used.
"""

from equalinfo.version import __version__

__all__ = ["__version__"]
