"""What is done with the library, and is not it: run from a checkout, never installed.

report    the paper's tables and figures from one config, and its findings tested
study     tokenizers compared by the models that are trained on their tokens
analysis  the paper's analyses as functions

What report and study share: store, config, command, and what makes their page (part, drawing,
table, page).
"""
