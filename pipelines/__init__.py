"""Apache Beam pipelines, run from the checkout: `python -m pipelines.<name>`. Not in the wheel."""
