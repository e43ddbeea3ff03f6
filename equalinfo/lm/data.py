"""Batches for training, without TensorFlow: a pure function of the data, a seed and the step.

Nothing needs to be saved to resume: the step is the position. Within an epoch every example is seen
exactly once, in an order drawn from (seed, epoch).
"""

import dataclasses
import hashlib
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from equalinfo.alphabet import EOS, NUM_SYMBOLS, Symbols
from equalinfo.codecs import codec_of
from equalinfo.data.dataset import Dataset
from equalinfo.data.manifest import Manifest
from equalinfo.ids import ids_to_symbols, symbols_to_ids
from equalinfo.m1.frozen.counts.beside import beside_network
from equalinfo.m1.frozen.counts.tables import FrozenCounts

Int32 = npt.NDArray[np.int32]
Float32 = npt.NDArray[np.float32]


@dataclasses.dataclass(frozen=True)
class Batch:
    """What a model trains on. Padding has target 0, weight 0.

    Attributes:
      inputs: int32[B, L], targets shifted right; 0 at the start of each segment.
      targets: int32[B, L].
      weights: float32[B, L].
      segments: int32[B, L]; attention stays within a segment.
      num_bytes: int64[B], bytes of text the targets stand for.
      counts: int16[B, L, 257], logits of symbols in 1/1,024 bit that are added to the model's;
        None: the model predicts alone.
      shares: float32[B, L], what the model's logits are multiplied with before.
    """

    inputs: Int32
    targets: Int32
    weights: Float32
    segments: Int32
    num_bytes: npt.NDArray[np.int64]
    counts: npt.NDArray[np.int16] | None = None
    shares: Float32 | None = None


class Batches(Protocol):
    """Random access to batches.

    Attributes:
      fingerprint: names the data and its order; a run is continued only with the same.
      batches_per_epoch: after how many every example has come once; None: unknown.
    """

    fingerprint: Mapping[str, Any]
    batches_per_epoch: int | None

    def batch(self, step: int) -> Batch:
        """The batch of a step, the same on every call."""


def make_batch(
    targets: Int32,
    num_bytes: npt.NDArray[np.int64],
    segment_length: Int32,
    weights: Float32 | None = None,
) -> Batch:
    """Shift, weigh and segment.

    Args:
      targets: int32[B, L], 0 is padding.
      num_bytes: int64[B].
      segment_length: int32[B]; the row is cut into segments of that many tokens.
      weights: float32[B, L] of the loss; None: 1, and 0 for padding.
    """
    positions = np.arange(targets.shape[1], dtype=np.int32)[None, :]
    segments = positions // segment_length[:, None] + 1
    inputs = np.zeros_like(targets)
    inputs[:, 1:] = targets[:, :-1]
    inputs[positions % segment_length[:, None] == 0] = 0
    if weights is None:
        weights = (targets != 0).astype(np.float32)
    return Batch(inputs, targets, weights, segments.astype(np.int32), num_bytes)


class Epochs:
    """Which example comes at which place: a fresh permutation each epoch."""

    def __init__(self, num_examples: int, batch_size: int, seed: int) -> None:
        if num_examples < batch_size:
            raise ValueError(
                f"the data has {num_examples} examples, fewer than one batch of {batch_size}. "
                "Use a smaller batch size, shorter examples or more data."
            )
        self.batches_per_epoch = num_examples // batch_size
        self._num_examples = num_examples
        self._batch_size = batch_size
        self._seed = seed
        self._epoch = -1
        self._order: npt.NDArray[np.int64] = np.empty(0, np.int64)

    def examples(self, step: int) -> tuple[int, npt.NDArray[np.int64]]:
        """(epoch, int64[batch_size] example numbers) of a step."""
        epoch, place = divmod(step, self.batches_per_epoch)
        if epoch != self._epoch:
            rng = np.random.default_rng([self._seed, epoch])
            self._order = rng.permutation(self._num_examples)
            self._epoch = epoch
        return epoch, self._order[place * self._batch_size : (place + 1) * self._batch_size]


@dataclasses.dataclass(frozen=True)
class TokenRows:
    """The records of a data set in memory, one a row: for data that fits; T5X streams any amount.

    Attributes:
      targets: int32[n, L], 0 is padding.
      num_bytes: int64[n], bytes of text a row stands for.
      weights: float32[n, L] of the loss, for rows that are predicted in part; None: 1 for each
        token that is not padding.
    """

    targets: Int32
    num_bytes: npt.NDArray[np.int64]
    weights: Float32 | None = None

    @property
    def num_tokens(self) -> int:
        """Tokens that count in the loss; not padding."""
        return int(np.count_nonzero(self.targets if self.weights is None else self.weights))

    @classmethod
    def load(
        cls, directory: str | os.PathLike[str], split: str, progress: bool = True
    ) -> "TokenRows":
        """Read a split that `pipelines.compress` wrote.

        Raises:
          ManifestError, DamagedRecordsError: see `equalinfo.data.dataset.Dataset.read`.
        """
        dataset = Dataset.open(directory)
        manifest = dataset.manifest
        number = manifest.split(split).totals["records"]
        targets = np.zeros((number, manifest.sequence_length), np.int32)
        num_bytes = np.zeros(number, np.int64)
        bar = tqdm(dataset.read(split), f"read {split}", number, disable=not progress, leave=False)
        for i, record in enumerate(bar):
            targets[i, : len(record.targets)] = record.targets
            num_bytes[i] = record.num_bytes
        return cls(targets, num_bytes)


class RowBatches:
    """Shuffled batches of whole rows, each row once an epoch."""

    def __init__(self, rows: TokenRows, batch_size: int, seed: int = 0) -> None:
        self._rows = rows
        self._epochs = Epochs(len(rows.targets), batch_size, seed)
        self.batches_per_epoch: int | None = self._epochs.batches_per_epoch
        self.fingerprint: Mapping[str, Any] = {
            "rows": _digest(rows.targets),
            "batch_size": batch_size,
            "seed": seed,
            **({} if rows.weights is None else {"weights": _digest(rows.weights)}),
        }

    def batch(self, step: int) -> Batch:
        """See `Batches`."""
        _, examples = self._epochs.examples(step)
        return _whole_rows(self._rows, examples)


class OrderedBatches:
    """All rows in order, once; the last batch is filled with padding. For evaluation."""

    def __init__(self, rows: TokenRows, batch_size: int) -> None:
        self._rows = rows
        self._batch_size = batch_size
        self.batches_per_epoch: int | None = -(-len(rows.targets) // batch_size)
        self.fingerprint: Mapping[str, Any] = {
            "rows": _digest(rows.targets),
            "batch_size": batch_size,
        }

    def batch(self, step: int) -> Batch:
        """See `Batches`."""
        start = step * self._batch_size
        return _whole_rows(self._rows, slice(start, start + self._batch_size), self._batch_size)


def _whole_rows(
    rows: TokenRows, which: slice | npt.NDArray[np.int64], batch_size: int = 0
) -> Batch:
    """One segment a row, filled with padding up to `batch_size` rows."""
    targets = rows.targets[which]
    missing = ((0, max(0, batch_size - len(targets))), (0, 0))
    targets = np.pad(targets, missing)
    return make_batch(
        targets,
        np.pad(rows.num_bytes[which], missing[0]),
        np.full(len(targets), targets.shape[1], np.int32),
        None if rows.weights is None else np.pad(rows.weights[which], missing),
    )


class IteratorBatches:
    """Batches of any iterator, in its order; a resumed run skips what it has seen."""

    def __init__(self, make_iterator: Callable[[], Iterator[Batch]], fingerprint: str) -> None:
        """Take batches from `make_iterator()`.

        Args:
          make_iterator: starts the data from its beginning, always in the same order.
          fingerprint: names the data; a run is continued only with the same.
        """
        self._make_iterator = make_iterator
        self._iterator: Iterator[Batch] | None = None
        self._next = 0
        self.fingerprint: Mapping[str, Any] = {"name": fingerprint}
        self.batches_per_epoch: int | None = None

    def batch(self, step: int) -> Batch:
        """See `Batches`. Going forward is cheap; going back starts the iterator again."""
        if self._iterator is None or step < self._next:
            self._iterator = self._make_iterator()
            self._next = 0
        for batch in self._iterator:
            self._next += 1
            if self._next == step + 1:
                return batch
        raise ValueError(
            f"the data ended after {self._next} batches, but step {step} was asked for. "
            "Repeat the data in the iterator, or train for fewer steps."
        )


class ByteBatches:
    """Examples for M1: pieces of joined documents that begin anywhere.

    The symbols come from `load_symbols`.

    Windows begin anywhere in a text, so M1's empty context must mean "anywhere", not "start of a
    document": cuts ignore documents, shift every epoch, and no BOS marks them.
    """

    def __init__(
        self,
        symbols: Symbols,
        batch_size: int,
        length: int = 1024,
        segment_lengths: Sequence[int] = (),
        seed: int = 0,
        counts: FrozenCounts | None = None,
    ) -> None:
        """Cut the text into examples.

        Args:
          symbols: uint16[n], documents joined with EOS.
          batch_size: examples per batch.
          length: symbols per example, L; 1,024 [paper 2].
          segment_lengths: context lengths to train for; example i of a batch is cut into segments
            of `segment_lengths[i % len]` symbols. Default: whole examples.
          seed: of the order.
          counts: the model learns what these lack, that have not counted the text: in whole
            examples as texts with a history, in shorter segments as windows.
        """
        for segment in segment_lengths:
            if not 1 <= segment <= length:
                raise ValueError(f"segment length {segment} is not within 1..{length}.")
        if len(symbols) < 2 * length:
            raise ValueError(f"{len(symbols)} symbols are too few for examples of {length}.")
        self._symbols = symbols
        self._length = length
        cycle = np.array(segment_lengths or (length,), np.int32)
        self._segment_length = cycle[np.arange(batch_size) % len(cycle)]
        self._epochs = Epochs((len(symbols) - length) // length, batch_size, seed)
        self._seed = seed
        self._counts = counts
        self.batches_per_epoch: int | None = self._epochs.batches_per_epoch
        self.fingerprint: Mapping[str, Any] = {
            "symbols": _digest(symbols),
            "length": length,
            "batch_size": batch_size,
            "segment_lengths": cycle.tolist(),
            "seed": seed,
            **({} if counts is None else {"counts": counts.sha256}),
        }

    def batch(self, step: int) -> Batch:
        """See `Batches`."""
        epoch, examples = self._epochs.examples(step)
        shift = int(np.random.default_rng([self._seed, epoch, 1]).integers(self._length))
        starts = examples * self._length + shift
        symbols = self._symbols[starts[:, None] + np.arange(self._length)[None, :]]
        num_bytes = np.asarray(np.sum(symbols != EOS, axis=1, dtype=np.int64))
        batch = make_batch(symbols_to_ids(symbols), num_bytes, self._segment_length)
        if self._counts is None:
            return batch
        logits = np.empty((*symbols.shape, NUM_SYMBOLS), np.int16)
        shares = np.empty(symbols.shape, np.float32)
        for row, segment in enumerate(self._segment_length):
            for begin in range(0, self._length, segment):
                part = slice(begin, begin + segment)
                window = bool(segment < self._length)
                logits[row, part], shares[row, part] = beside_network(
                    self._counts, symbols[row, part], window
                )
        return dataclasses.replace(batch, counts=logits, shares=shares)


def _digest(array: npt.NDArray[Any]) -> str:
    """Of an array's values, for fingerprints."""
    return hashlib.sha256(np.ascontiguousarray(array).data).hexdigest()[:16]


def mean_the_same(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether ids of two codecs, each as its codec.json, stand for the same text."""
    if one == other:
        return True
    first, second = (
        codec_of(codec["method"]).meaning(codec["options"], codec["assets"])
        for codec in (one, other)
    )
    return first == second


def check_same_codec(directory: str | os.PathLike[str], other: str | os.PathLike[str]) -> None:
    """See that ids of two data sets stand for the same text.

    Raises:
      ValueError: they do not.
    """
    if not mean_the_same(Manifest.load(directory).codec, Manifest.load(other).codec):
        raise ValueError(
            f"{other} was compressed with another codec than {directory}: their tokens mean "
            "different things. Compress both with `--codec DIR` of the first."
        )


def load_symbols(directory: str | os.PathLike[str], split: str, progress: bool = True) -> Symbols:
    """The text of a data set of method `bytes`, as one run of symbols, uint16[bytes + documents].

    Raises:
      ValueError: the data set is of another method.
    """
    dataset = Dataset.open(directory)
    manifest = dataset.manifest
    if not codec_of(manifest.method).ids_are_symbols:
        raise ValueError(
            f"{directory} was compressed with method {manifest.method!r}: a byte LM trains on "
            "method 'bytes'. Write one: python -m pipelines.compress --method bytes ..."
        )
    totals = manifest.split(split).totals
    symbols = np.empty(totals["tokens"], np.uint16)
    end = 0
    number = manifest.split(split).totals["records"]
    bar = tqdm(dataset.read(split), f"read {split}", number, disable=not progress, leave=False)
    for record in bar:
        start, end = end, end + len(record.targets)
        symbols[start:end] = ids_to_symbols(record.targets)
    return symbols
