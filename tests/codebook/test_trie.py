"""The trie of a set of texts is that of its prefixes; a set that is none is refused."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from equalinfo.alphabet import NUM_SYMBOLS
from equalinfo.codebook import trie
from tests.codebook.books import Text, tables

SINGLES: list[Text] = [(symbol,) for symbol in range(NUM_SYMBOLS)]

words = st.lists(st.sampled_from([0, 97, 98, 256]), min_size=2, max_size=9).map(tuple)


@given(st.sets(words, max_size=40))
def test_nodes_are_the_prefixes_in_lexicographic_order(longer: set[Text]) -> None:
    texts = sorted({*SINGLES, *longer})
    prefixes = sorted({text[:size] for text in texts for size in range(1, len(text) + 1)})
    found = trie.build(*tables(texts), len(texts))
    assert found.symbols.tolist() == [prefix[-1] for prefix in prefixes]
    numbers = {prefix: number for number, prefix in enumerate(prefixes)}
    assert found.parents.tolist() == [numbers.get(prefix[:-1], -1) for prefix in prefixes]
    codes = {text: code for code, text in enumerate(texts)}
    assert found.codes.tolist() == [codes.get(prefix, -1) for prefix in prefixes]
    parents = {prefix[:-1] for prefix in prefixes}
    assert found.inner.tolist() == [numbers[one] for one in prefixes if one in parents]
    sizes = trie.byte_lengths(*tables(texts))
    assert sizes.tolist() == [sum(symbol < 256 for symbol in text) for text in texts]


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        ([*SINGLES[:98], (), *SINGLES[98:]], "the text of code 98 is empty"),
        ([*SINGLES, (257,)], "symbol 257 at 257 is not in 0..256"),
        ([*SINGLES, (256,)], "the text of code 257 is that of code 256, or begins it"),
        ([(0, 1), *SINGLES], "the text of code 1 is that of code 0, or begins it"),
        ([*SINGLES[:98], (97, 5, 5), (97, 5), *SINGLES[98:]], "of code 99 is that of code 98"),
        ([*SINGLES, (97, 5)], "the text of code 257 comes before that of code 256"),
        ([*SINGLES[:98], (97, 9), (97, 5), *SINGLES[98:]], "of code 99 comes before that of co"),
        (SINGLES[:256], "256 texts of one symbol, expected 257: not every text can be encoded"),
    ],
)
def test_a_set_of_texts_that_is_none_is_refused(texts: list[Text], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        trie.build(*tables(texts), len(texts))


def test_offsets_that_are_none_are_refused() -> None:
    texts, offsets = tables(SINGLES)
    for wrong, message in (
        (offsets[:-1], "257 offsets, expected 258 for 257 codes"),
        (offsets + 1, "offsets run from 1 to 258, expected 0 to 257"),
        (np.append(offsets[:-1], 256), "offsets run from 0 to 256, expected 0 to 257"),
    ):
        with pytest.raises(ValueError, match=message):
            trie.build(texts, wrong, 257)
    # Differences that are positive in int64 arithmetic only: each step is 2^64 / codes.
    places = [code * (2**64 // 257) for code in range(257)] + [257]
    with pytest.raises(ValueError, match="is empty"):
        trie.build(texts, np.array(places, np.uint64).view(np.int64), 257)


def test_the_most_prefixes_that_a_codebook_can_hold() -> None:
    size = (trie.MAX_NODES - NUM_SYMBOLS) // 33 + 1
    longer = [(97, second, *(98,) * (size - 2)) for second in range(33)]
    spare = trie.MAX_NODES - NUM_SYMBOLS - 33 * (size - 1)  # `a` is a symbol
    longer[-1] += (98,) * spare
    texts = sorted([*SINGLES, *longer])
    assert len(trie.build(*tables(texts), len(texts)).parents) == trie.MAX_NODES
    longer[-1] += (98,)
    texts = sorted([*SINGLES, *longer])
    message = "the texts have 2,097,153 prefixes, of 2,097,152 .* Use fewer codes or shorter"
    with pytest.raises(ValueError, match=message):
        trie.build(*tables(texts), len(texts))
