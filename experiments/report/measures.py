"""Analyses of one method's data set: what needs its tokens or its codec, but no M2."""

import dataclasses
import functools
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from equalinfo import score
from equalinfo.alphabet import EOS, Symbols, as_symbols, cut, from_bytes, join, split
from equalinfo.codebook.limits import M1_PLANS
from equalinfo.codecs.base import Codec, Ids
from equalinfo.coding.bits import tokens_to_bits, tokens_to_codes
from equalinfo.data.dataset import Dataset
from equalinfo.data.manifest import Manifest
from equalinfo.ids import ID_OFFSET, PAD_ID
from equalinfo.lm.data import TokenRows
from equalinfo.lm.evaluate import evaluate_dataset
from experiments.analysis import divergence, stability, windows
from experiments.report import runs
from experiments.report.config import Config, Method
from experiments.store import Store, key_of

SENTENCE = "The quick brown fox jumps over the lazy dog, and nobody in the village was surprised."
"""Tokenized side by side, and what words are put before."""

_VERSION = 1  # of what `_measure` finds: another number, and all is measured again
_DISTANCES = "distances.npy"
_TEXT_BYTES = 200_000  # for texts of tokens
_SHOWN_IDS, _SHOWN_TEXTS = 3, 6
_DETERMINISM_EXAMPLES, _DETERMINISM_BYTES = 12, 1500


def measure(store: Store, config: Config, text: Path, data: Path, method: Method) -> Path:
    """The folder of a method's analyses; its result is the dictionary that `_measure` returns."""
    inputs = {
        "version": _VERSION,
        "data": key_of(data),
        "text": key_of(text),
        "samples": config.samples,
        "stream_bits": config.stream_bits,
        "ngrams": config.ngrams,
        "words": config.stability_words,
        "sentence": SENTENCE,
    }
    return store.run(
        "measures", method.name, inputs, lambda folder: _measure(folder, config, text, data)
    )


def distances(folder: Path) -> npt.NDArray[np.int64]:
    """Of a folder of `measure`: Levenshtein distances of all pairs of prefixed sentences."""
    found: npt.NDArray[np.int64] = np.load(folder / _DISTANCES)
    return found


def _measure(folder: Path, config: Config, text: Path, data: Path) -> dict[str, Any]:
    manifest = Manifest.load(data)
    codec = Dataset.open(data).codec()
    measured = "train" if "train" in manifest.splits else "validation"
    rows = TokenRows.load(data, measured, progress=False)
    counts = score.token_counts([rows.targets], manifest.vocab_size)
    documents = runs.documents(text, "validation")
    words = _common_words(text, config.stability_words)

    def encode(texts: Sequence[bytes]) -> list[Ids]:
        return [one.ids for one in codec.encode([as_symbols(list(x)) for x in texts])]

    found = stability.prefix_distances(encode, words, SENTENCE)
    np.save(folder / _DISTANCES, found)
    # Those without a training split are too short.
    is_stream = codec.is_bit_stream and measured == "train"
    codes = rows.targets[rows.targets != PAD_ID] - ID_OFFSET
    pairs = found[np.triu_indices(len(found), 1)]
    per_window = codec.tokens_per_window(codec.options())
    return {
        "scores": dataclasses.asdict(evaluate_dataset(data, "validation", progress=False)),
        "totals": {name: manifest.split(name).totals for name in manifest.splits},
        "token_bits": codec.token_bits,
        "window_bits": codec.options().get("window_bits"),
        "tokens_per_window": per_window,
        "lossless": codec.lossless,
        "runs_model": codec.runs_model,
        "code_space": windows.used_codes(counts),
        "divergence": _divergence(tokens_to_bits(codes, codec.token_bits), config)
        if is_stream
        else None,
        "stability": {
            "words": len(words),
            "mean": float(pairs.mean()),
            "percentiles": np.percentile(pairs, (5, 50, 95)).tolist(),
            "tokens": float(np.mean([len(ids) for ids in encode([SENTENCE.encode()])])),
        },
        "sentence": _sentence(codec),
        "texts_of_tokens": _texts_of_tokens(codec, documents, per_window) if per_window else None,
        "deterministic": _deterministic(codec, documents),
    }


@functools.lru_cache(maxsize=1)
def _common_words(text: Path, number: int) -> list[str]:
    """Of the training text, once for all methods."""
    texts = (document.decode("utf-8") for document in runs.documents(text, "train"))
    return stability.common_words(texts, number)


def _divergence(bits: npt.NDArray[np.uint8], config: Config) -> dict[str, Any]:
    """KL from uniform by n: [5th, 50th, 95th percentile], in bits.

    All streams are cut to the same length: the estimates' bias depends on it.
    """
    if len(bits) < config.stream_bits:
        raise ValueError(
            f"the training split makes {len(bits):,} bits, fewer than stream_bits="
            f"{config.stream_bits:,}. Set that lower in the config, or train_bytes higher."
        )
    bits = bits[: config.stream_bits]
    numbers = list(range(1, config.ngrams + 1))
    out: dict[str, Any] = {"bits": len(bits), "n": numbers}
    for kind, overlapping in (("ngrams", True), ("tokens", False)):
        found = divergence.kl_percentiles(bits, numbers, config.samples, (5, 50, 95), overlapping)
        for estimator, values in zip(("plug_in", "miller_madow"), found, strict=True):
            out[f"{kind}_{estimator}"] = values.tolist()
    return out


def random_baseline(store: Store, config: Config) -> Path:
    """`_divergence` of as many bits of the system's random source [paper 6.3]."""
    return store.run(
        "random",
        "bits",
        {"bits": config.stream_bits, "samples": config.samples, "ngrams": config.ngrams},
        lambda _: _divergence(divergence.random_bits(config.stream_bits), config),
    )


def _sentence(codec: Codec) -> dict[str, Any]:
    """Of `SENTENCE`: its ids, the characters that tokens complete, and bits of characters."""
    symbols = join([SENTENCE.encode()])
    (encoded,) = codec.encode([symbols])
    completed = windows.character_map(symbols, encoded.ends, codec.token_bits)
    codebook = getattr(codec, "codebook", None)
    by_symbol = completed
    if codebook and codebook.info.plan in M1_PLANS:
        codes = tokens_to_codes(encoded.ids - ID_OFFSET, codec.token_bits, codebook.window_bits)
        by_symbol = windows.symbol_map(codebook, codes)
    return {
        "ids": encoded.ids.tolist(),
        "pieces": [_printable(one.text) for one in completed],
        "bits": [[_printable(text), start, end] for text, start, end in by_symbol],
    }


def _texts_of_tokens(
    codec: Codec, documents: list[bytes], per_window: int
) -> dict[str, Any] | None:
    """Of the most frequent ids: the most frequent window texts by position [paper Table 8, 14]."""
    if per_window > 2:
        return None
    symbols = cut(join(documents)[:_TEXT_BYTES], 10_240)
    encoded = codec.encode(symbols)
    ids = Counter(np.concatenate([one.ids for one in encoded]).tolist())
    chosen = [id_ for id_, _ in ids.most_common(_SHOWN_IDS)]
    totals: dict[int, list[Counter[bytes]]] = {
        id_: [Counter() for _ in range(per_window)] for id_ in chosen
    }
    for one, text in zip(encoded, symbols, strict=True):
        found = windows.texts_of_tokens(one.ids, one.ends, text, per_window, chosen)
        for id_, places in found.items():
            for total, counts in zip(totals[id_], places, strict=True):
                total.update(counts)
    return {
        str(id_): [
            {
                "occurrences": sum(counts.values()),
                "different": len(counts),
                "texts": [
                    [_printable(text), number] for text, number in counts.most_common(_SHOWN_TEXTS)
                ],
            }
            for counts in places
        ]
        for id_, places in totals.items()
    }


def _printable(text: bytes) -> str:
    """For people: escapes undone, a sign for EOS."""
    symbols = from_bytes(text)
    end = "⏎" if len(symbols) and symbols[-1] == EOS else ""
    return "⏎".join(x.decode("utf-8", "replace") for x in split(symbols)) + end


def _deterministic(codec: Codec, documents: list[bytes]) -> bool:
    """Whether ids are the same one text at a time, all at once, and in reverse order."""
    texts: list[Symbols] = cut(join(documents), _DETERMINISM_BYTES)[:_DETERMINISM_EXAMPLES]
    together = codec.encode(texts)
    backwards = codec.encode(texts[::-1])[::-1]
    alone = [codec.encode([text])[0] for text in texts]
    return all(
        np.array_equal(a.ids, b.ids) and np.array_equal(a.ids, c.ids)
        for a, b, c in zip(together, backwards, alone, strict=True)
    )
