"""Token ids: id = code + 3, after pad, eos and unk, as SeqIO and T5X expect."""

import numpy as np
import numpy.typing as npt

from equalinfo.alphabet import EOS, Symbols

PAD_ID, EOS_ID, UNK_ID = 0, 1, 2
ID_OFFSET = 3

Ids = npt.NDArray[np.int32]


def symbols_to_ids(symbols: Symbols) -> Ids:
    """Symbols -> ids of a byte LM: byte + 3, EOS -> 1, as in ByT5 [paper 3.1]; of any shape."""
    ids = symbols.astype(np.int32)
    ids += ID_OFFSET
    ids[symbols == EOS] = EOS_ID
    return ids


def ids_to_symbols(ids: Ids) -> Symbols:
    """Undo `symbols_to_ids`."""
    return np.where(ids == EOS_ID, EOS, ids - ID_OFFSET).astype(np.uint16)
