"""A double array that has been laid out leads to every node, and nowhere else."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from equalinfo import Tokenizer
from equalinfo.codebook import double_array, trie
from equalinfo.codebook.double_array import BREAK, MAX_BASE, MAX_PLACES, WALK_SYMBOLS
from equalinfo.codebook.packing import pack
from tests.codebook.books import Text, tables

SINGLES: list[Text] = [(symbol,) for symbol in range(257)]

words = st.lists(st.integers(0, 256), min_size=2, max_size=5).map(tuple)


def trie_of(longer: set[Text]) -> trie.Trie:
    texts = sorted({*SINGLES, *longer})
    return trie.build(*tables(texts), len(texts))


@settings(max_examples=50)
@given(st.sets(words, max_size=60), st.integers(0, 99))
def test_every_node_is_found_and_nothing_else(longer: set[Text], seed: int) -> None:
    tree = trie_of(longer)
    bits = np.random.default_rng(seed).integers(0, 65536, 257 + len(longer)).astype(np.uint16)
    array = double_array.lay_out(tree, pack(tree, bits), bits)
    node_at, bases = array.node_at, [0, *array.bases.tolist(), *array.free_bases.tolist()]
    symbols = np.arange(WALK_SYMBOLS)
    children = set(zip(tree.parents.tolist(), tree.symbols.tolist(), strict=True))
    assert len({*bases}) == len(bases)
    for node, base in enumerate(bases, -1):
        at = node_at[base + symbols]
        says = np.where(at < 0, -1, tree.symbols[at])
        found = set(symbols[says == symbols].tolist())
        assert found == {last for parent, last in children if parent == node < len(tree.parents)}
    assert node_at[BREAK] < 0
    assert max(bases) + WALK_SYMBOLS <= array.size


BITS = np.zeros(261, np.uint16)
TREE = trie_of({(97, 97), (97, 99), (98, 97), (98, 98, 98)})  # inner: a, b, bb


@pytest.mark.parametrize(
    ("bases", "message"),
    [
        ([300, 400], "2 bases, expected 3"),
        ([300, 400, 500, 600], "4 bases, expected 3"),
        ([300, 400, 300], "two nodes of the trie share a base"),
        ([300, 0, 500], "two nodes of the trie share a base"),
        ([300, 302, 500], "two nodes of the trie lie at one place"),
        ([100, 400, 500], "two nodes of the trie lie at one place"),  # those of the root
        ([160, 400, 500], "two nodes of the trie lie at one place"),  # that of BREAK
        ([300, 400, MAX_PLACES], f"base {MAX_PLACES} is beyond the {MAX_PLACES} places"),
        ([300, 400, 2**32 - 1], "base 4294967295 is beyond"),
    ],
)
def test_bases_that_lead_elsewhere_are_refused(bases: list[int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        double_array.lay_out(TREE, np.array(bases, np.uint32), BITS)


def test_bases_up_to_the_last_place() -> None:
    last = MAX_BASE
    array = double_array.lay_out(TREE, np.array([300, 400, last], np.uint32), BITS)
    assert int(array.places.max()) < array.size <= MAX_PLACES
    with pytest.raises(ValueError, match="is beyond"):
        double_array.lay_out(TREE, np.array([300, 400, last + 1], np.uint32), BITS)


def test_text_packs_tightly() -> None:
    book = Tokenizer.default().codebook
    assert book._double_array.size <= 1.03 * len(book._trie.parents)
