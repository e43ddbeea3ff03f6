"""The paper's analyses as pure functions: arrays in, arrays and dataclasses out [paper 5, 6].

No files are read and nothing is drawn here: `experiments.report` does both. They need the extra
`report`.

  divergence    how far from random the bits of a token stream are [paper 6.3, D.6]
  stability     how far a word put before a sentence moves its tokens [paper 6.1, Fig 8]
  windows       texts of tokens, accuracy by place in the window, codes used [paper 6.1, 6.2]
  significance  Welch's t-test of two sets of runs [paper Table 11]
  matching      runs compared after the same bytes of text [paper 5.3]
"""
