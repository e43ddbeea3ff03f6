"""Sequence-to-sequence tasks for a decoder-only model [paper 5.2, Table 5; A.3].

A pair is read as one row: inputs, then targets, the loss on the targets only. Inputs and targets of
different vocabularies are told apart by their ids: those of targets are shifted by the input
vocabulary. So is the border between them, which needs no separator.

    inputs, targets = pair_vocabularies("decompress", codec.vocab_size)
    rows = pair_rows(codec_pairs("decompress", codec, texts), inputs, length=1536)
    train(config, RowBatches(rows, 32), directory, OrderedBatches(valid_rows, 32))

with `inputs + targets` ids in the model.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from equalinfo.alphabet import Symbols, as_symbols
from equalinfo.codecs.base import Codec
from equalinfo.ids import EOS_ID, ID_OFFSET, symbols_to_ids
from equalinfo.lm.data import Int32, TokenRows

BYTE_VOCAB_SIZE = ID_OFFSET + 256


@dataclass(frozen=True)
class Pair:
    """What a model reads, and what it has to say.

    Attributes:
      inputs: int32[n], ids from 1; may be empty.
      targets: int32[m], ids from 1, of their own vocabulary.
      num_bytes: bytes of text that the targets stand for; EOS is none.
    """

    inputs: Int32
    targets: Int32
    num_bytes: int


@dataclass(frozen=True)
class PairRows(TokenRows):
    """Pairs as rows, which the trainer takes as it takes any.

    Attributes:
      targets: int32[n, L], inputs and targets; 0 is padding.
      num_bytes: int64[n], bytes of text that a row's targets stand for.
      weights: float32[n, L], 1 on targets, 0 on inputs and padding.
      skipped: pairs that were longer than a row.
    """

    skipped: int = 0


DIRECTIONS = ("decompress", "compress", "bytes")


def codec_pairs(direction: str, codec: Codec, texts: Sequence[Symbols]) -> list[Pair]:
    """Texts as pairs, by what is to be learned [paper 5.2].

    "decompress": tokens -> bytes (id = byte + 3, EOS 1, as in ByT5). "compress": bytes -> tokens.
    "bytes": nothing -> bytes, a byte LM on the targets of "decompress", to compare with; with the
    same input vocabulary the rows hold the same target ids.

    Args:
      direction: one of DIRECTIONS.
      codec: compresses.
      texts: uint16[n] each, symbols, as `alphabet.cut` makes them; 1,024 in the paper.
    """
    plain = [symbols_to_ids(as_symbols(text, f"text {i}")) for i, text in enumerate(texts)]
    sizes = [int(np.count_nonzero(ids != EOS_ID)) for ids in plain]
    tokens = [np.empty(0, np.int32)] * len(plain)
    if direction != "bytes":
        tokens = [encoded.ids for encoded in codec.encode(texts)]
    inputs, targets = (plain, tokens) if direction == "compress" else (tokens, plain)
    return list(map(Pair, inputs, targets, sizes))


def pair_vocabularies(direction: str, codec_vocab: int) -> tuple[int, int]:
    """Ids of inputs, and of targets; a model of rows of such pairs needs the sum."""
    sizes = codec_vocab, BYTE_VOCAB_SIZE
    return sizes[::-1] if direction == "compress" else sizes


def spelling_pairs(
    words: Sequence[str], encode: Callable[[Sequence[bytes]], Sequence[Int32]]
) -> list[Pair]:
    """A word's tokens -> its letters, each encoded by itself, as in WikiSpell [paper A.3].

    Both sides are tokens of one vocabulary, that of an M2 to fine-tune, so rows are made with
    `input_vocab=0`; EOS (1) ends the word, and ends the spelling.

    Args:
      words: their letters are Unicode code points.
      encode: texts -> token ids of each.
    """
    letters = sorted({letter for word in words for letter in word})
    known = dict(zip(letters, encode([letter.encode() for letter in letters]), strict=True))
    end = np.array([EOS_ID], np.int32)
    pairs = []
    for word, ids in zip(words, encode([word.encode() for word in words]), strict=True):
        spelled = np.concatenate([*(known[letter] for letter in word), end])
        pairs.append(Pair(np.concatenate([ids, end]), spelled, len(word.encode())))
    return pairs


def pair_rows(pairs: Iterable[Pair], input_vocab: int, length: int) -> PairRows:
    """One pair a row: inputs, targets shifted by the input vocabulary, padding [paper 5.2].

    Args:
      pairs: one that is longer than a row is left out, and counted: half a text would be another
        task.
      input_vocab: ids of inputs are below it; 0: inputs and targets share one vocabulary, nothing
        is shifted, and the inputs' own end must tell where they stop.
      length: L, ids in a row.

    Raises:
      ValueError: an id is out of range, or a pair has no targets.
    """
    kept: list[Pair] = []
    skipped = 0
    for number, pair in enumerate(pairs):
        _check(number, pair, input_vocab)
        if len(pair.inputs) + len(pair.targets) > length:
            skipped += 1
        else:
            kept.append(pair)
    targets = np.zeros((len(kept), length), np.int32)
    weights = np.zeros((len(kept), length), np.float32)
    for row, pair in enumerate(kept):
        start, end = len(pair.inputs), len(pair.inputs) + len(pair.targets)
        targets[row, :start] = pair.inputs
        targets[row, start:end] = pair.targets + input_vocab
        weights[row, start:end] = 1
    num_bytes = np.array([pair.num_bytes for pair in kept], np.int64)
    return PairRows(targets, num_bytes, weights, skipped)


def _check(number: int, pair: Pair, input_vocab: int) -> None:
    if not len(pair.targets):
        raise ValueError(f"pair {number} has no targets: there is nothing to learn. Leave it out.")
    for name, ids, limit in (("inputs", pair.inputs, input_vocab), ("targets", pair.targets, 0)):
        wrong = np.flatnonzero((ids < 1) | ((ids >= limit) if limit else False))
        if wrong.size:
            place = int(wrong[0])
            below = f" and less than input_vocab={limit}" if limit else ""
            raise ValueError(
                f"pair {number}, {name}, place {place}: id {int(ids[place])}, expected 1 or more"
                f"{below}. Cut padding off, and take input_vocab from the codec's vocab_size."
            )
