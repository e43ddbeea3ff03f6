import numpy as np
import pytest

from equalinfo.alphabet import EOS, join
from equalinfo.ids import ids_to_symbols, symbols_to_ids
from equalinfo.lm.data import (
    Batch,
    ByteBatches,
    IteratorBatches,
    OrderedBatches,
    RowBatches,
    TokenRows,
    make_batch,
)
from equalinfo.m1.frozen.counts.beside import beside_network
from tests.m1.frozen.counts_models import TEXT, random_counts


def rows(number: int, length: int = 8) -> TokenRows:
    targets = np.arange(1, number * length + 1, dtype=np.int32).reshape(number, length)
    return TokenRows(targets, np.arange(number, dtype=np.int64))


def test_ids_are_those_of_byt5():
    symbols = join([b"\x00a", "é".encode()])
    assert symbols_to_ids(symbols).tolist() == [3, 100, 1, 0xC3 + 3, 0xA9 + 3, 1]
    np.testing.assert_array_equal(ids_to_symbols(symbols_to_ids(symbols)), symbols)


def test_inputs_are_targets_shifted_and_restart_with_each_segment():
    batch = make_batch(np.arange(1, 9, dtype=np.int32)[None], np.array([8]), np.array([3]))
    assert batch.inputs.tolist() == [[0, 1, 2, 0, 4, 5, 0, 7]]
    assert batch.segments.tolist() == [[1, 1, 1, 2, 2, 2, 3, 3]]


def test_padding_weighs_nothing():
    batch = make_batch(np.array([[5, 6, 0]], np.int32), np.array([2]), np.array([3]))
    assert batch.weights.tolist() == [[1, 1, 0]]


def test_an_epoch_holds_each_row_once_and_epochs_differ():
    batches = RowBatches(rows(20), batch_size=4, seed=3)
    epochs = [
        [int(x) for step in range(5 * e, 5 * e + 5) for x in batches.batch(step).num_bytes]
        for e in range(3)
    ]
    assert all(sorted(epoch) == list(range(20)) for epoch in epochs)
    assert epochs[0] != epochs[1] != epochs[2]


def test_a_batch_depends_on_its_step_alone():
    one, two = RowBatches(rows(20), 4, seed=3), RowBatches(rows(20), 4, seed=3)
    forward = [one.batch(step).targets for step in range(12)]
    backward = [two.batch(step).targets for step in reversed(range(12))]
    for a, b in zip(forward, reversed(backward), strict=True):
        np.testing.assert_array_equal(a, b)


def test_ordered_batches_hold_every_row_once_and_pad_the_last():
    batches = OrderedBatches(rows(10), batch_size=4)
    got = [batches.batch(i) for i in range(batches.batches_per_epoch)]
    assert sum(float(b.weights.sum()) for b in got) == 80
    assert sum(int(b.num_bytes.sum()) for b in got) == sum(range(10))
    assert all(b.targets.shape == (4, 8) for b in got)


def test_too_little_data_is_refused():
    with pytest.raises(ValueError, match="3 examples, fewer than one batch of 4"):
        RowBatches(rows(3), 4)


def test_byte_examples_are_runs_of_the_text_and_begin_anywhere():
    symbols = np.arange(4000, dtype=np.uint16) % 256
    batches = ByteBatches(symbols, batch_size=6, length=100, seed=5)
    starts = set()
    for step in range(3 * batches.batches_per_epoch):
        for row in batches.batch(step).targets:
            np.testing.assert_array_equal(np.diff(row) % 256, 1)  # a run, nothing skipped
            starts.add(int(row[0]))
    assert len(starts) > 60  # every epoch cuts at other places


def test_another_text_of_the_same_length_is_other_data():
    one, two = (ByteBatches(np.full(4000, x, np.uint16), 4, 64) for x in (65, 66))
    assert one.fingerprint != two.fingerprint


def test_byte_examples_count_bytes_without_eos():
    symbols = join([b"abc"] * 100)
    batch = ByteBatches(symbols, batch_size=2, length=40).batch(0)
    assert batch.num_bytes.tolist() == [30, 30]
    assert np.sum(ids_to_symbols(batch.targets) == EOS) == 20


def test_segment_lengths_take_turns():
    symbols = np.zeros(4000, np.uint16)
    batch = ByteBatches(symbols, batch_size=4, length=64, segment_lengths=(64, 16)).batch(0)
    assert batch.segments.max(axis=1).tolist() == [1, 4, 1, 4]


def test_counts_stand_beside_each_segment():
    counts = random_counts()
    symbols = join([TEXT] * 40)
    batches = ByteBatches(symbols, 4, 64, (64, 16), counts=counts)
    assert batches.fingerprint != ByteBatches(symbols, 4, 64, (64, 16)).fingerprint
    batch = batches.batch(0)
    text = ids_to_symbols(batch.targets)
    for row, begin, end in ((0, 0, 64), (1, 16, 32)):
        logits, shares = beside_network(counts, text[row, begin:end], window=row == 1)
        np.testing.assert_array_equal(batch.counts[row, begin:end], logits)
        np.testing.assert_array_equal(batch.shares[row, begin:end], shares)


def test_segment_longer_than_the_example_is_refused():
    with pytest.raises(ValueError, match=r"segment length 65 is not within 1\.\.64"):
        ByteBatches(np.zeros(4000, np.uint16), 4, 64, (65,))


def test_iterator_batches_skip_to_the_step_of_a_resumed_run():
    def batches():
        for i in range(5):
            targets = np.full((1, 2), i + 1, np.int32)
            yield make_batch(targets, np.array([2]), np.array([2]))

    data = IteratorBatches(batches, "five")

    def first(batch: Batch) -> int:
        return int(batch.targets[0, 0])

    assert [first(data.batch(i)) for i in (0, 1, 4)] == [1, 2, 5]
    assert first(data.batch(2)) == 3  # back: starts again
    with pytest.raises(ValueError, match="ended after 5 batches"):
        data.batch(5)
