"""The order of an epoch: everything once, evenly divided, by identity."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from sightline.training.batches import batches, steps_per_epoch


@given(st.integers(1, 300), st.integers(1, 64), st.integers(0, 5), st.integers(1, 4))
def test_every_record_once_and_no_small_rest(count, batch_size, seed, epoch):
    records = np.arange(1000, 1000 + count)
    divided = batches(
        records, records.astype(np.uint64), steps=steps_per_epoch(count, batch_size), seed=seed, epoch=epoch
    )
    sizes = [len(batch) for batch in divided]
    assert sorted(np.concatenate(divided).tolist()) == records.tolist()
    assert len(divided) == steps_per_epoch(count, batch_size)
    assert max(sizes) <= max(batch_size, 3 if batch_size == 2 else 0)
    assert min(sizes) > 1 or batch_size == 1 or count == 1
    assert max(sizes) - min(sizes) <= 1


def test_the_order_changes_with_epoch_and_seed_only():
    records = np.arange(100)
    keys = records.astype(np.uint64) * np.uint64(977)

    def order(**changes):
        settings = {"steps": 10, "seed": 0, "epoch": 1} | changes
        return np.concatenate(batches(records, keys, **settings)).tolist()

    assert order() == order()
    assert order() == order(steps=4)
    assert order() != order(epoch=2)
    assert order() != order(seed=1)
