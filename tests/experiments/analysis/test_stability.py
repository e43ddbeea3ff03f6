import numpy as np
import pytest

from experiments.analysis.stability import common_words, prefix_distances


def test_distances_of_known_sequences():
    known = {
        b"a s": [1, 2, 3, 4],
        b"b s": [9, 2, 3, 4],  # one replaced
        b"c s": [2, 3, 4],  # one deleted
        b"d s": [1, 2, 70_000, 3, 4],  # one inserted
        b"e s": [],
    }
    calls = []

    def encode(texts):
        calls.append(texts)
        return [np.array(known[text], np.int32) for text in texts]

    got = prefix_distances(encode, list("abcde"), "s")
    assert got.dtype == np.int64
    assert got.tolist() == [
        [0, 1, 1, 1, 4],
        [1, 0, 1, 2, 4],
        [1, 1, 0, 2, 3],
        [1, 2, 2, 0, 5],
        [4, 4, 3, 5, 0],
    ]
    assert len(calls) == 1


def test_bytes_are_stable_far_beyond_255_tokens():
    def encode(texts):
        return [np.frombuffer(text, np.uint8).astype(np.int32) for text in texts]

    got = prefix_distances(encode, ["cat", "car", "x" * 700], "y" * 1000)
    assert got.tolist() == [[0, 1, 700], [1, 0, 700], [700, 700, 0]]


def test_common_words_are_counted_across_texts_and_ties_are_decided():
    texts = ["The cat, the dog.", "Dog 42 x_y THE été"]
    assert common_words(texts, 3) == ["the", "dog", "cat"]
    assert common_words(texts, 6) == ["the", "dog", "cat", "x", "y", "été"]
    assert common_words(reversed(texts), 6) == common_words(texts, 6)


def test_too_few_words_are_refused():
    with pytest.raises(ValueError, match="2 different words, fewer than number=3"):
        common_words(["a b a"], 3)
