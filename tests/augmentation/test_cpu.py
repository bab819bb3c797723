"""The fast path against the definition, and the same pixels whatever the threads, the batch or the order."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sightline.augmentation import draw, identity, reference, render
from sightline.augmentation.cpu_streams import uniform, words
from sightline.errors import DataError
from sightline.keys import purpose
from sightline.recipe import operations as op
from sightline.recipe.augmentation import Augmentation

TOLERANCE = 1e-4
"""Of the range of values, as float32 has it."""
STRAIGHT = (op.Lens, op.Perspective)


def every(channels: int, without: tuple[type, ...] = ()) -> tuple[op.AnyOperation, ...]:
    """Return all operations that go together."""
    left_out = (op.AlternatingFlip, op.Cutmix, *without, *(op.NEEDS_COLOR if channels == 1 else ()))
    return tuple(each() for each in op.ORDER if each not in left_out)


SIZES = st.one_of(
    st.tuples(st.integers(1, 5), st.integers(1, 5)),
    st.tuples(st.integers(1, 70), st.integers(1, 70)),
    st.sampled_from([(513, 257), (1, 300), (300, 1), (130, 91), (224, 224)]),
)


@settings(max_examples=60, deadline=None)
@given(
    size=SIZES,
    result=st.one_of(st.none(), st.tuples(st.integers(1, 60), st.integers(1, 60))),
    channels=st.sampled_from([1, 3]),
    fill=st.sampled_from(["reflect", "edge", "constant"]),
    interpolation=st.sampled_from(["bilinear", "bicubic"]),
    straight=st.booleans(),
    seed=st.integers(0, 2**32),
)
def test_fast_path_is_the_definition(size, result, channels, fill, interpolation, straight, seed):
    images = np.random.default_rng(seed).integers(0, 256, (3, *size, channels), dtype=np.uint8)
    chosen = Augmentation(
        operations=every(channels, STRAIGHT if straight else ()),
        fill=fill,
        fill_value=77 if fill == "constant" else 0,
        interpolation=interpolation,
    )
    plan = draw(chosen, np.arange(3), seed=seed, source=size, size=result, channels=channels)
    plan = plan.standardized(np.full(channels, 2.0), np.full(channels, -0.5))
    found, expected = render(images, plan), reference.render(images, plan).numpy()
    # the scale of 2 widens the range of values to 2
    assert np.abs(found - expected).max() <= 2 * TOLERANCE


@settings(max_examples=60, deadline=None)
@given(
    numbers=st.lists(st.floats(-1e6, 1e6), min_size=9, max_size=9),
    power=st.integers(-6, 3),
    fill=st.sampled_from(["reflect", "edge", "constant"]),
    size=st.tuples(st.integers(1, 20), st.integers(1, 20)),
)
def test_extreme_homographies_stay_inside_memory_and_on_smooth_pictures_right(numbers, power, fill, size):
    """Anywhere: finite values in range; where places are nearer than 1e5 pixels, those of the definition."""
    y, x = np.mgrid[: size[0], : size[1]]
    images = np.stack([(5 * x + 3 * y) % 256] * 3, axis=-1).astype(np.uint8)[None]
    matrix = np.array(numbers).reshape(1, 3, 3) * 10.0**power
    plan = replace(identity(1, source=size), homography=matrix, fill=fill)
    found, expected = render(images, plan), reference.render(images, plan).numpy()
    assert np.isfinite(found).all()
    assert found.min() >= 0
    assert found.max() <= 1
    places_x, places_y = (place.numpy() for place in reference.places(plan, 0))
    near = (np.abs(places_x) < 1e5) & (np.abs(places_y) < 1e5)
    assert np.abs(found - expected)[0][near].max(initial=0) <= TOLERANCE


@pytest.mark.parametrize("channels", [1, 3])
def test_nearest_differs_only_where_a_place_lies_between_two_pixels(channels, pictures):
    images = pictures(6, 40, 33, channels)
    chosen = Augmentation(operations=every(channels, (op.GaussianNoise, op.SaltPepper)), interpolation="nearest")
    plan = draw(chosen, np.arange(6), source=(40, 33), channels=channels)
    apart = np.abs(render(images, plan) - reference.render(images, plan).numpy()) > TOLERANCE
    assert apart.mean() < 1e-3


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("side", [1, 2, 8, 33, 64, 300])
def test_exact_where_no_interpolation_is_needed(channels, side, pictures):
    """Identity, flips, quarter turns and whole-pixel translations are the pictures' own bits, times 1/255."""
    images = pictures(2, side, side, channels)
    expected = images * np.float32(1 / 255)
    plain = {"source": (side, side), "channels": channels}
    np.testing.assert_array_equal(render(images, identity(2, **plain)), expected)
    for operation, change in (
        (op.HorizontalFlip(probability=1), lambda p: np.flip(p, 2)),
        (op.VerticalFlip(probability=1), lambda p: np.flip(p, 1)),
        (op.Rotation(degrees=(90, 90)), lambda p: np.rot90(p, -1, (1, 2))),
        (op.Rotation(degrees=(180, 180)), lambda p: np.rot90(p, 2, (1, 2))),
    ):
        found = render(images, draw([operation], [1, 2], **plain))
        np.testing.assert_array_equal(found, change(expected), err_msg=operation.name)
    moved = identity(2, **plain)
    step = min(3, side)
    moved.homography[:, 0, 2] = -step
    padded = np.pad(expected, ((0, 0), (0, 0), (step, 0), (0, 0)), mode="symmetric")
    np.testing.assert_array_equal(render(images, moved), padded[:, :, :side])


def test_bits_do_not_depend_on_threads_batches_or_order(pictures):
    count, size = 256, (32, 24)
    images, keys = pictures(count, *size), np.arange(count, dtype=np.uint64) * 977
    chosen = every(3)

    def shown(rows: np.ndarray, threads: int) -> np.ndarray:
        plan = draw(chosen, keys[rows], seed=5, epoch=3, source=size, pool=keys)
        return render(images[np.concatenate([rows, plan.others])], plan, threads=threads)

    whole = shown(np.arange(count), threads=1)
    for threads in (2, 4):
        np.testing.assert_array_equal(shown(np.arange(count), threads), whole)
    for batch in (1, 7):
        parts = [shown(np.arange(i, min(i + batch, 40)), 2) for i in range(0, 40, batch)]
        np.testing.assert_array_equal(np.concatenate(parts), whole[:40])
    order = np.random.default_rng(1).permutation(count)
    np.testing.assert_array_equal(shown(order, 2), whole[order])


def test_tensors_give_channels_last_tensors_of_the_same_numbers(pictures):
    images = pictures(3, 12, 17)
    plan = draw("strong", np.arange(3), source=(12, 17))
    found = render(torch.from_numpy(images), plan)
    assert found.shape == (3, 3, 12, 17)
    assert found.is_contiguous(memory_format=torch.channels_last)
    np.testing.assert_array_equal(found.permute(0, 2, 3, 1).numpy(), render(images, plan))
    short = render(torch.from_numpy(images), plan, dtype=torch.bfloat16)
    assert torch.equal(short, found.to(torch.bfloat16))


def test_results_go_where_there_is_room(pictures):
    images, plan = pictures(4, 9, 9), draw("standard", np.arange(4), source=(9, 9))
    room = np.full((6, 9, 9, 3), np.nan, np.float32)
    found = render(images, plan, out=room)
    assert np.shares_memory(found, room)
    np.testing.assert_array_equal(found, render(images, plan))
    assert np.isnan(room[4:]).all()


def test_sources_are_not_changed_and_may_be_read_only(pictures):
    images = pictures(4, 16, 16)
    before = images.copy()
    images.setflags(write=False)
    render(images, draw("strong", np.arange(4), source=(16, 16)))
    np.testing.assert_array_equal(images, before)


@pytest.mark.parametrize(
    "wrong", [np.zeros((2, 8, 8, 3), np.float32), np.zeros((2, 8, 9, 3), np.uint8), np.zeros((3, 8, 8, 3), np.uint8)]
)
def test_pictures_that_the_plan_is_not_for_are_refused(wrong):
    with pytest.raises(DataError, match="which the plan was drawn for"):
        render(wrong, draw("light", [1, 2], source=(8, 8)))


@given(key=st.integers(0, 2**63), records=st.lists(st.integers(0, 2**64 - 1), min_size=1), epoch=st.integers(0, 9))
def test_compiled_streams_give_the_words_of_keys(key, records, epoch):
    stream = purpose(key, "test")
    identities = np.array(records, dtype=np.uint64)
    drawn, numbers = np.empty((len(records), 8), np.uint32), np.empty((10, len(records)))
    words(np.uint64(stream.key), identities, epoch, drawn)
    other = purpose(key, "other")
    uniform(np.array([stream.key, other.key], np.uint64), np.array([3, 2]), identities, epoch, numbers)
    np.testing.assert_array_equal(drawn, stream.bits(identities, epoch=epoch, draws=8))
    np.testing.assert_array_equal(numbers[:6].T, stream.uniform(identities, epoch=epoch, draws=6))
    np.testing.assert_array_equal(numbers[6:].T, other.uniform(identities, epoch=epoch, draws=4))
