"""What the network is fed: by identity, standardized as in evaluation, mixed with partners of the training split."""

import numpy as np
import pytest
import torch

from sightline import preprocessing
from sightline.recipe import Recipe, apply_overrides
from sightline.training import prepare, survey
from sightline.training.course import course_of
from sightline.training.feed import AHEAD, Feed
from sightline.training.growing import share_of_side

STANDARD = ["rotation", "translation", "brightness", "gaussian_noise"]


def feed_of(operations, tmp_path, **fields) -> Feed:
    chance = np.random.default_rng(0)
    images = chance.integers(0, 256, (60, 16, 12, 3), dtype=np.uint8)
    labels = np.arange(60) % 3
    policy = {"augmentation.operations": operations} if operations else {"augmentation.policy": "none"}
    changes = {"data.image_size": [16, 12], "training.epochs": 30, "training.seed": 7, **policy, **fields}
    prepared = prepare(survey((images, labels), apply_overrides(Recipe(), changes)), cache=tmp_path)
    module = preprocessing.module(prepared.statistics)
    course = course_of(prepared.resolved.recipe, len(prepared.split.train))
    return Feed(prepared, module, "cpu", course, ahead=AHEAD)


def shown(feed: Feed, epoch: int, records: np.ndarray) -> np.ndarray:
    (shard,) = feed.load(epoch, records)
    return shard.inputs.numpy().copy()


def test_without_augmentation_inputs_are_those_of_evaluation(tmp_path):
    feed = feed_of([], tmp_path)
    records = feed.prepared.split.train[:10]
    pixels = torch.from_numpy(feed.prepared.pixels.gather(records))
    np.testing.assert_array_equal(shown(feed, 3, records), feed.standardize(pixels).numpy())


@pytest.mark.parametrize("operations", [STANDARD, ["crop", "mixup"], [{"name": "cutmix", "probability": 0.5}]])
def test_a_picture_is_shown_alike_in_any_batch_and_otherwise_in_another_epoch(operations, tmp_path):
    feed = feed_of(operations, tmp_path)
    records = feed.prepared.split.train
    whole = shown(feed, 2, records)
    parts = [shown(feed, 2, records[start : start + 7]) for start in range(0, len(records), 7)]
    np.testing.assert_array_equal(np.concatenate(parts), whole)
    np.testing.assert_array_equal(shown(feed, 2, records[::-1]), whole[::-1])
    assert (shown(feed, 3, records) != whole).any()


def test_an_operation_that_changes_nothing_leaves_the_standardized_picture(tmp_path):
    """The standardization in the plan is that of evaluation, within the rounding of float32."""
    feed = feed_of([{"name": "brightness", "factor": [1, 1]}], tmp_path)
    records = feed.prepared.split.train
    pixels = torch.from_numpy(feed.prepared.pixels.gather(records))
    np.testing.assert_allclose(shown(feed, 1, records), feed.standardize(pixels).numpy(), atol=2e-6)


@pytest.mark.parametrize("fields", [{"preprocessing.center": "pixel"}, {"preprocessing.decorrelate": "zca"}])
def test_statistics_of_single_pixels_are_applied_after_the_augmentation(fields, tmp_path):
    feed = feed_of([{"name": "horizontal_flip", "probability": 1.0}], tmp_path, **fields)
    records = feed.prepared.split.train
    flipped = np.flip(feed.prepared.pixels.gather(records), axis=2).copy()
    expected = feed.standardize(torch.from_numpy(flipped)).numpy()
    np.testing.assert_allclose(shown(feed, 1, records), expected, atol=1e-4)


def test_labels_are_mixed_as_the_pixels_are(tmp_path):
    feed = feed_of(["mixup"], tmp_path)
    prepared, records = feed.prepared, feed.prepared.split.train
    (shard,) = feed.load(1, records)
    plan = feed.plan(1, records)
    partners = prepared.split.train[plan.others][plan.partner - plan.own]
    assert set(partners) <= set(prepared.split.train)
    np.testing.assert_array_equal(shard.mixture.labels.numpy(), prepared.catalogue.labels[partners])
    np.testing.assert_allclose(shard.mixture.own.numpy(), plan.weight, atol=1e-7)
    own, other = (feed.standardize(torch.from_numpy(prepared.pixels.gather(each))) for each in (records, partners))
    weight = torch.from_numpy(plan.weight).float()[:, None, None, None]
    torch.testing.assert_close(shard.inputs, weight * own + (1 - weight) * other, atol=1e-5, rtol=0)
    np.testing.assert_allclose(shard.targets(3).sum(1).numpy(), 1.0, atol=1e-6)


def test_batches_that_are_prepared_ahead_are_not_overwritten(tmp_path):
    feed = feed_of(STANDARD, tmp_path)
    order = np.array_split(feed.prepared.split.train, 12)
    kept = [feed.load(1, records)[0].inputs for records in order[: AHEAD + 2]]
    for records, inputs in zip(order, kept, strict=False):
        np.testing.assert_array_equal(inputs.numpy(), shown(feed_of(STANDARD, tmp_path), 1, records))


@pytest.mark.parametrize("ahead", [1, 2, 4])
def test_an_epoch_is_the_same_however_far_ahead_it_is_prepared(ahead, tmp_path):
    operations = ["rotation", {"name": "mixup", "probability": 0.5}]
    inline, threaded = feed_of(operations, tmp_path), feed_of(operations, tmp_path)
    inline.ahead, threaded.ahead = 0, ahead
    order = np.array_split(inline.prepared.split.train, 9)
    for (one,), (other,) in zip(inline.epoch(2, order), threaded.epoch(2, order), strict=True):
        assert torch.equal(one.inputs, other.inputs)
        assert torch.equal(one.targets(3), other.targets(3))


@pytest.mark.parametrize("operations", [[], ["rotation", "mixup"]])
def test_parts_are_the_batch_one_after_the_other(operations, tmp_path):
    whole = feed_of(operations, tmp_path)
    divided = feed_of(operations, tmp_path, **{"training.gradient_accumulation": 4, "network.normalization": "none"})
    records = whole.prepared.split.train[:11]
    (one,) = whole.load(2, records)
    parts = divided.load(2, records)
    assert [len(part.labels) for part in parts] == [3, 3, 3, 2]
    assert torch.equal(torch.cat([part.inputs for part in parts]), one.inputs)
    assert torch.equal(torch.cat([part.targets(3) for part in parts]), one.targets(3))
    assert len(divided.load(2, records[:3])) == 3
    normalized = feed_of(operations, tmp_path, **{"training.gradient_accumulation": 4})
    assert [len(part.labels) for part in normalized.load(2, records[:5])] == [3, 2]


def test_crops_draw_from_larger_pictures(tmp_path):
    feed = feed_of([{"name": "crop", "area": [0.25, 0.3]}], tmp_path, **{"data.image_size": [8, 6]})
    assert feed.prepared.training_pixels.shape[1:3] == (16, 12)
    assert feed.prepared.pixels.shape[1:3] == (8, 6)
    assert shown(feed, 1, feed.prepared.split.train[:5]).shape == (5, 3, 8, 6)


def test_sizes_grow_evenly_and_are_whole_in_time():
    shares = [share_of_side(epoch, 10, smallest=0.5, whole_from=0.6) for epoch in range(1, 11)]
    np.testing.assert_allclose(shares, [0.5 + min(0.5, epoch / 12) for epoch in range(10)])
    assert shares[-1] == 1.0
    assert share_of_side(1, 1, smallest=0.5, whole_from=0.6) == 1.0


@pytest.mark.parametrize("operations", [[], ["horizontal_flip", "rotation"]])
def test_early_epochs_see_smaller_pictures_of_the_same_thing(operations, tmp_path):
    feed = feed_of(operations, tmp_path, **{"training.smallest_size": 0.5})
    whole = feed_of(operations, tmp_path)
    records = feed.prepared.split.train[:8]
    assert shown(feed, 1, records).shape == (8, 3, 8, 8)  # half would be 8 × 6, of which 8 are the least
    assert shown(feed, 10, records).shape == (8, 3, 12, 9)
    np.testing.assert_array_equal(shown(feed, 19, records), shown(whole, 19, records))
    # A smaller view of the same picture: its mean is about the same.
    small, large = shown(feed, 10, records), shown(whole, 10, records)
    np.testing.assert_allclose(small.mean(axis=(2, 3)), large.mean(axis=(2, 3)), atol=0.2)


def test_a_batch_of_another_size_has_room_of_its_own(tmp_path):
    feed = feed_of(["horizontal_flip"], tmp_path, **{"training.smallest_size": 0.5})
    records = feed.prepared.split.train[:8]
    for epoch in (1, 10, 30, 1, 30):
        again = feed_of(["horizontal_flip"], tmp_path, **{"training.smallest_size": 0.5})
        np.testing.assert_array_equal(shown(feed, epoch, records), shown(again, epoch, records))
