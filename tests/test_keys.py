"""Random numbers by identity: the published generator, and independence of everything but the identity."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from sightline.keys import philox, purpose

# Known answers published with Random123 (philox4x32-10).
KNOWN = [
    ((0, 0, 0, 0), (0, 0), (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
    ((0xFFFFFFFF,) * 4, (0xFFFFFFFF,) * 2, (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)),
    (
        (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
        (0xA4093822, 0x299F31D0),
        (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1),
    ),
]

identities = st.integers(0, 2**64 - 1)


@pytest.mark.parametrize(("counter", "key", "expected"), KNOWN)
def test_philox_gives_the_published_answers(counter, key, expected):
    assert philox(counter, key) == expected
    words = philox(tuple(np.array([[word]], dtype=np.uint64) for word in counter), key)
    assert tuple(int(word[0, 0]) for word in words) == expected


@given(st.lists(identities, min_size=1, max_size=20), st.integers(0, 2**32 - 1), st.integers(1, 9))
def test_a_record_has_its_numbers_whoever_else_is_asked_for(records, epoch, draws):
    stream = purpose(3, "test")
    together = stream.bits(np.array(records, dtype=np.uint64), epoch=epoch, draws=draws)
    alone = [stream.bits(record, epoch=epoch, draws=draws)[0] for record in records]
    np.testing.assert_array_equal(together, alone)
    more = stream.bits(np.array(records, dtype=np.uint64), epoch=epoch, draws=draws + 3)
    np.testing.assert_array_equal(more[:, :draws], together)


def test_seed_purpose_epoch_and_record_each_change_every_number():
    record = np.array([7], dtype=np.uint64)
    base = purpose(0, "a").uniform(record, epoch=1, draws=50)
    others = [
        purpose(1, "a").uniform(record, epoch=1, draws=50),
        purpose(0, "b").uniform(record, epoch=1, draws=50),
        purpose(0, "a").uniform(record, epoch=2, draws=50),
        purpose(0, "a").uniform(record + np.uint64(1), epoch=1, draws=50),
        # seed + index schemes would make these two meet
        purpose(1, "a").uniform(record - np.uint64(1), epoch=1, draws=50),
    ]
    for other in others:
        assert not np.any(other == base)


def test_numbers_are_uniform_and_uncorrelated():
    numbers = purpose(11, "test").uniform(np.arange(20_000, dtype=np.uint64), draws=2)
    assert numbers.min() >= 0.0
    assert numbers.max() < 1.0
    for column in numbers.T:
        assert stats.kstest(column, "uniform").pvalue > 1e-3
    assert abs(np.corrcoef(numbers.T)[0, 1]) < 0.03
    assert abs(np.corrcoef(numbers[:-1, 0], numbers[1:, 0])[0, 1]) < 0.03


@given(st.lists(identities, min_size=1, max_size=50, unique=True), st.randoms(use_true_random=False))
def test_an_order_depends_on_the_records_and_not_on_how_they_are_listed(records, shuffler):
    keys = np.array(records, dtype=np.uint64)
    shuffled = list(records)
    shuffler.shuffle(shuffled)
    other = np.array(shuffled, dtype=np.uint64)
    stream = purpose(5, "order")
    np.testing.assert_array_equal(keys[stream.permutation(keys, epoch=2)], other[stream.permutation(other, epoch=2)])


def test_orders_of_two_epochs_differ():
    keys = np.arange(100, dtype=np.uint64)
    stream = purpose(5, "order")
    assert not np.array_equal(stream.permutation(keys, epoch=1), stream.permutation(keys, epoch=2))


@given(st.integers(0, 2**62), st.integers(0, 2**31), st.integers(0, 2**62))
def test_torch_seeds_are_the_streams_bits_in_torchs_range(seed, epoch, step):
    stream = purpose(seed, "dropout")
    found = stream.torch_seed(epoch=epoch, step=step)
    high, low = (int(word) for word in stream.bits(step, epoch=epoch, draws=2)[0])
    assert found == ((high << 32) | low) >> 1
    assert 0 <= found < 2**63
