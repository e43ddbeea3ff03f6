"""The compiled tokenizer: a set of texts, one for each code, and how text is parsed into them.

`book` has the texts, `file` the `.eqi` file. `trie` is the set as a trie, `double_array` where its
nodes lie in memory (`packing` decides). Two parses: `longest` and `fewest`, behind one face in
`parsers`; `plain` has both as slow and obvious as can be. `lookup` decodes.
Which texts: `unigram` chooses them for a corpus; `enumeration` asks M1 for windows, `plans` say
which, `from_text` needs no M1.
"""

from equalinfo.codebook.book import Codebook as Codebook
