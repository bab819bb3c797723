"""Draws are a function of seed, epoch and identity, and of nothing else: not of batches, order or other operations."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sightline.augmentation import draw
from sightline.recipe import operations as op
from sightline.recipe.augmentation import Augmentation

SMALL = {"source": (12, 10)}
KEYS = np.random.default_rng(5).integers(0, 2**64, 24, dtype=np.uint64)
POOL = np.random.default_rng(6).integers(0, 2**64, 50, dtype=np.uint64)

identities = st.integers(0, 2**64 - 1)


def partners(plan, pool):
    """Return the identity of every picture's partner, with its weight and its box; None where there is none."""
    others = pool[plan.others]
    return [
        (int(others[row - plan.own]), float(weight), box.tolist()) if row >= 0 else None
        for row, weight, box in zip(plan.partner, plan.weight, plan.paste, strict=True)
    ]


@given(st.lists(identities, min_size=1, max_size=4), st.integers(0, 2**31), st.integers(1, 2**31))
@settings(max_examples=8, deadline=None)
def test_a_picture_has_its_numbers_whoever_else_is_in_the_batch(
    every_operation, assert_same_rows, records, seed, epoch
):
    together = draw(every_operation, records, seed=seed, epoch=epoch, pool=POOL, **SMALL)
    found = partners(together, POOL)
    for row, record in enumerate(records):
        alone = draw(every_operation, [record], seed=seed, epoch=epoch, pool=POOL, **SMALL)
        assert_same_rows(together, alone, slice(row, row + 1), slice(0, 1))
        assert partners(alone, POOL) == [found[row]]


def test_order_and_split_of_a_batch_change_nothing(every_operation, assert_same_rows):
    whole = draw(every_operation, KEYS, seed=1, pool=POOL, **SMALL)
    order = np.random.default_rng(0).permutation(len(KEYS))
    shuffled = draw(every_operation, KEYS[order], seed=1, pool=POOL, **SMALL)
    assert_same_rows(whole, shuffled, order, slice(0, len(KEYS)))
    expected = partners(whole, POOL)
    assert partners(shuffled, POOL) == [expected[i] for i in order]
    for size in (1, 5, 7, 23):
        parts = [slice(at, min(at + size, len(KEYS))) for at in range(0, len(KEYS), size)]
        for part in parts:
            split = draw(every_operation, KEYS[part], seed=1, pool=POOL, **SMALL)
            assert_same_rows(whole, split, part, slice(0, split.own))
            assert partners(split, POOL) == expected[part]


def test_seed_epoch_and_identity_each_change_the_numbers():
    listed = [op.Rotation(), op.Lens(), op.Gamma(), op.GaussianNoise(), op.Brightness(), op.Elastic()]

    def numbers(keys, **more):
        plan = draw(listed, keys, **more, **SMALL)
        return [plan.homography[:, 0, 0], plan.lens, plan.gamma, plan.noise, plan.color[:, 0, 0], plan.noise_key,
                plan.grid[:, 0, 0, 0]]  # fmt: skip

    base = numbers(KEYS, seed=3, epoch=4)
    # seed + epoch and seed + identity must not meet either
    others = [
        numbers(KEYS, seed=4, epoch=4), numbers(KEYS, seed=3, epoch=5), numbers(KEYS, seed=4, epoch=3),
        numbers(KEYS + np.uint64(1), seed=3, epoch=4), numbers(KEYS - np.uint64(1), seed=4, epoch=4),
        numbers(KEYS - np.uint64(1), seed=3, epoch=5), numbers(KEYS ^ np.uint64(1 << 40), seed=3, epoch=4),
    ]  # fmt: skip
    for other in others:
        for ours, theirs in zip(base, other, strict=True):
            assert not np.any(ours == theirs)


def test_an_operation_draws_the_same_beside_others_and_in_any_order(every_operation, rows):
    """Whatever is not composed of several operations keeps its numbers; what is composed is seen to below."""
    alone = {each.name: draw([each], KEYS, seed=2, **SMALL) for each in every_operation}
    owned = {"elastic": ("grid",), "lens": ("lens",), "gamma": ("gamma",), "gaussian_noise": ("noise", "noise_key"),
             "salt_pepper": ("salt_pepper", "noise_key"), "sharpen": ("sharpen",), "jpeg": ("jpeg",),
             "erasing": ("erase",)}  # fmt: skip
    for listed in (every_operation, every_operation[::-1]):
        plan = rows(draw(listed, KEYS, seed=2, **SMALL))
        for name, names in owned.items():
            for field in names:
                np.testing.assert_array_equal(plan[field], rows(alone[name])[field], err_msg=f"{name} {field}")


@pytest.mark.parametrize("reverse", [False, True])
def test_geometry_composes_what_each_operation_draws_alone(middle, reverse):
    """The picture goes through the list from first to last, so the way back is the product from first to last."""
    listed = [each() for each in op.GEOMETRY if each is not op.AlternatingFlip]
    listed = listed[::-1] if reverse else listed
    expected = np.broadcast_to(np.eye(3), (len(KEYS), 3, 3))
    for each in listed:
        expected = expected @ middle(draw([each], KEYS, seed=2, **SMALL))
    np.testing.assert_allclose(middle(draw(listed, KEYS, seed=2, **SMALL)), expected, atol=1e-12)


@pytest.mark.parametrize("reverse", [False, True])
def test_color_composes_what_each_operation_draws_alone(reverse):
    listed = [each() for each in op.COLOR]
    listed = listed[::-1] if reverse else listed
    values = np.random.default_rng(1).random((len(KEYS), 3))
    expected = values
    for each in listed:
        color = draw([each], KEYS, seed=2, **SMALL).color
        expected = np.einsum("nij,nj->ni", color[..., :-1], expected) + color[..., -1]
    color = draw(listed, KEYS, seed=2, **SMALL).color
    found = np.einsum("nij,nj->ni", color[..., :-1], values) + color[..., -1]
    np.testing.assert_allclose(found, expected, atol=1e-12)


def test_mixup_and_cutmix_choose_their_pictures_whichever_is_listed_first():
    keys = np.arange(400)
    mixup, cutmix = op.Mixup(probability=0.3), op.Cutmix(probability=0.4)

    def found(*listed):
        return partners(draw(listed, keys, seed=2, pool=POOL, source=(32, 32)), POOL)

    assert found(mixup, cutmix) == found(cutmix, mixup)


def test_alternating_flip_mirrors_a_random_half_and_then_each_picture_in_turn():
    keys = np.arange(2000)

    def mirrored(epoch, seed=0):
        plan = draw([op.AlternatingFlip()], keys, seed=seed, epoch=epoch, **SMALL)
        assert set(plan.homography[:, 0, 0]) == {-1.0, 1.0}
        return plan.homography[:, 0, 0] < 0

    first = mirrored(1)
    assert abs(first.mean() - 0.5) < 0.05
    for epoch in range(2, 7):
        np.testing.assert_array_equal(mirrored(epoch), first if epoch % 2 else ~first)
    assert 0.4 < (mirrored(1, seed=1) == first).mean() < 0.6


def test_trivial_does_exactly_one_operation_to_each_picture_and_each_as_often(middle):
    listed = (op.Lens(strength=(0.1, 0.2), probability=0.1), op.Gamma(exponent=(2, 3)), op.Sharpen(amount=(1, 2)),
              op.GaussianNoise(deviation=(0.1, 0.2)), op.Rotation(degrees=(5, 10)), op.Erasing(area=(0.3, 0.5)),
              op.Brightness(factor=(0.5, 0.6)), op.Blur(sigma_pixels=(1, 2)))  # fmt: skip
    chosen = Augmentation(policy="trivial", operations=listed)
    count = 4000
    plan = draw(chosen, np.arange(count), seed=9, **SMALL)
    done = np.stack([
        plan.lens != 0, plan.gamma != 1, plan.sharpen != 0, plan.noise != 0, middle(plan)[:, 0, 1] != 0,
        plan.erase.any(axis=1), plan.color[:, 0, 0] != 1, plan.blur.any(axis=1),
    ])  # fmt: skip
    np.testing.assert_array_equal(done.sum(axis=0), 1)
    # five standard deviations of a binomial number
    assert np.abs(done.sum(axis=1) - count / 8).max() < 5 * np.sqrt(count * 7 / 64)
    other = draw(chosen, np.arange(count), seed=9, epoch=2, **SMALL)
    assert abs(((other.lens != 0) & done[0]).sum() - count / 64) < 5 * np.sqrt(count / 64)


def test_trivial_mixes_only_the_pictures_that_mixing_falls_on():
    chosen = Augmentation(policy="trivial", operations=(op.Mixup(), op.Cutmix(), op.Lens(strength=(0.1, 0.2))))
    plan = draw(chosen, np.arange(3000), pool=POOL, source=(32, 32))
    bent, mixed = plan.lens[: plan.own] != 0, plan.partner >= 0
    np.testing.assert_array_equal(bent, ~mixed)
    assert abs(mixed.mean() - 2 / 3) < 0.05


def test_partners_come_from_the_pool_with_the_plan_they_have_by_themselves(every_operation, assert_same_rows):
    plan = draw(every_operation, KEYS, seed=3, epoch=2, pool=POOL, **SMALL)
    assert plan.own == len(KEYS)
    assert len(plan) == plan.own + len(plan.others)
    mixed = plan.partner >= 0
    # both probabilities are one half, so every picture is mixed
    assert mixed.all()
    assert set(plan.partner[mixed]) == set(range(plan.own, len(plan)))
    assert len(set(plan.others.tolist())) == len(plan.others)
    without = [each for each in every_operation if not isinstance(each, op.CHANGES_LABELS)]
    itself = draw(without, POOL[plan.others], seed=3, epoch=2, **SMALL)
    assert_same_rows(plan, itself, slice(plan.own, None))


def test_unmixed_pictures_have_no_partner_and_their_whole_label():
    plan = draw([op.Mixup(probability=0.5)], np.arange(200), pool=POOL, **SMALL)
    unmixed = plan.partner < 0
    assert 60 < unmixed.sum() < 140
    np.testing.assert_array_equal(plan.weight[unmixed], 1.0)
    assert not plan.paste.any()
    plan = draw([op.Mixup(probability=0.0)], np.arange(20), pool=POOL, **SMALL)
    assert not plan.mixes
    assert len(plan) == plan.own == 20
    assert len(plan.others) == 0


def test_without_a_pool_partners_are_of_the_batch():
    plan = draw([op.Mixup()], KEYS, **SMALL)
    assert len(plan) == plan.own == len(KEYS)
    assert len(plan.others) == 0
    assert plan.partner.min() >= 0
    assert plan.partner.max() < len(KEYS)


def test_a_batch_of_no_pictures_has_a_plan(every_operation):
    for pool in (None, POOL):
        plan = draw(every_operation, [], pool=pool, **SMALL)
        assert len(plan) == plan.own == 0
        assert not plan.mixes


def test_drawing_leaves_its_arguments_alone():
    keys, pool = KEYS.copy(), POOL.copy()
    plan = draw([op.Mixup(), op.Rotation()], keys, pool=pool, **SMALL)
    plan.homography[:], plan.others[:] = 0, 0
    np.testing.assert_array_equal(keys, KEYS)
    np.testing.assert_array_equal(pool, POOL)
    again = draw([op.Mixup(), op.Rotation()], keys, pool=pool, **SMALL)
    assert again.homography.any()


def test_pad_and_crop_moves_by_whole_pixels_each_way_on_its_own(middle):
    keys = np.arange(4000)
    moves = middle(draw([op.PadAndCrop()], keys, source=(32, 32)))[:, :2, 2]
    np.testing.assert_array_equal(moves, np.round(moves))
    assert set(moves[:, 0]) == set(moves[:, 1]) == set(range(-4, 5))
    # 9 moves each way: both agree in one of 9 pictures, here within 4 standard errors
    assert abs((moves[:, 0] == moves[:, 1]).mean() - 1 / 9) < 0.02
