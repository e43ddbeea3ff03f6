"""Does a model learn better on these tokens? Tokenizers compared at equal parameters and text.

config      what to run (TOML)
tokenizers  trained on the study's own text; `superbpe` trains what no library does
splits      random splits of tokens in training (StochasTok)
steps       what is kept (experiments.store): tokenizer, tokens, n-grams, rate, models
flops       of a model, from its shape
results     what was run, as numbers
claims      statements about them: each holds, does not, or is not decided
figures, sections   what a person reads (experiments.page)
"""
