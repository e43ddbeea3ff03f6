"""`python -m experiments.report`: the paper's tables and figures from one config, beside its own.

config    what to run: text, methods, models, seeds (TOML)
runs      the steps: text, data sets (pipelines.compress), models (equalinfo train)
measures  analyses of data sets and runs (experiments.analysis)
paper     the paper's numbers
tables, figures, findings, sections   what a person reads (experiments.page)
"""
