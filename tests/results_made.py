"""Results made by hand, whose tables and findings are known."""

from experiments.report.config import Config, Method, Training
from experiments.report.results import MethodResults, Results


def totals(windows=50, errors=0, verified=0, bytes_per_token=2.0):
    """Of the manifest of a data set: 100 tokens a record in training."""
    return {
        "train": {"tokens": 1000, "records": 10, "bytes": int(1000 * bytes_per_token)},
        "validation": {
            "windows": windows,
            "window_errors": errors,
            "verified_examples": verified,
        },
    }


def measures(ratio: float, uniform: float, unigram: float, **more):
    return {
        "scores": {
            "bytes_per_token": ratio,
            "uniform": uniform,
            "unigram": unigram,
            "unigram_entropy": unigram,
            "num_bytes": 1000,
            "num_tokens": int(1000 / ratio),
        },
        "totals": totals(),
        "token_bits": 8,
        "window_bits": None,
        "tokens_per_window": None,
        "lossless": True,
        "deterministic": True,
        "code_space": {"codes": 256, "used": 256, "entropy_bits": 8.0},
        "divergence": None,
        "stability": {"words": 2, "mean": 1.0, "percentiles": [0.0, 1.0, 2.0], "tokens": 10.0},
        "sentence": {"ids": [3], "pieces": ["a|b"], "bits": [["a|b", 0, 8]]},
        "texts_of_tokens": None,
        **more,
    }


def model(bits: float, uniform: float):
    scores = {
        "model": bits,
        "uniform": uniform,
        "accuracy": 0.1,
        "flops_per_byte": 2e6,
        "bytes_per_token": 2.0,
        "parameters": 1000,
    }
    curve = [
        {"step": step, "eval/bits_per_byte": value, "eval/loss": value}
        for step, value in ((10, bits + 1), (20, bits))
    ]
    return {"scores": scores, "curve": curve}


def method(name, ratio, uniform, unigram, bits=None, **more) -> MethodResults:
    """Of one M2 size; `bits`: bits/byte over seeds."""
    options = ("--method", "bytes")
    models = {"tiny": dict(enumerate(model(x, uniform) for x in bits))} if bits else {}
    paper_name = name.replace("EqualInfo[", "EqualInfoAC[")
    return MethodResults(
        Method(name, options, paper=paper_name, m2=("tiny",) if bits else ()),
        measures(ratio, uniform, unigram, **more),
        None,
        models,
    )


def results(*methods: MethodResults, pairs=()) -> Results:
    config = Config(
        title="made",
        about="by hand",
        train=(),
        validation=(),
        train_bytes=1,
        validation_bytes=1,
        methods=tuple(one.method for one in methods),
        training=Training(steps=20, batch_size=4, evaluations=2, eval_batches=1),
        seeds=(0, 1),
    )
    text = {"train": {"documents": 3, "bytes": 1000}, "validation": {"documents": 1, "bytes": 1000}}
    return Results(config, text, list(methods), None, list(pairs))
