"""The compiled tokenizer: M1 as a table of texts.

`book` has texts and codes of one compiled M1, `file` its `.eqi` file. `walk` encodes: longest
matches over the double array, with the plain reference beside it; `lookup` decodes to bytes.
`double_array` is the trie as the walk wants it, `trie` what the texts of a file must satisfy.
`enumeration` asks M1 for texts, `plans` say which; `from_text` needs no M1.
"""

from equalinfo.codebook.book import Codebook, CodebookInfo
from equalinfo.codebook.limits import BEST_FIRST, INTERVAL, MAX_CODES, MIN_CODES, PLANS

__all__ = [
    "BEST_FIRST",
    "INTERVAL",
    "MAX_CODES",
    "MIN_CODES",
    "PLANS",
    "Codebook",
    "CodebookInfo",
]
