"""Few training pictures of each class: nested for growing numbers, copies together, and the rest where it belongs."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sightline import data
from sightline.data import Limits


def catalogue(images, labels):
    source = data.open_source((images, labels))
    limits = Limits(10**6, 10**6, 10.0)
    return data.build_catalogue(source, limits=limits, threads=1, progress=data.Silent(), max_refused_fraction=0.0)


@pytest.fixture(scope="module")
def pictures():
    random = np.random.default_rng(0)
    images = random.integers(0, 256, (60, 4, 4)).astype(np.uint8)
    images[50:] = images[:10]  # copies
    return catalogue(images, np.concatenate([np.arange(50) % 3, np.arange(10) % 3]))


@given(st.integers(1, 12), st.integers(0, 5))
@settings(deadline=None, max_examples=30)
def test_so_many_different_pictures_of_each_class_and_no_picture_on_two_sides(pictures, count, seed):
    fractions = {"validation_fraction": 0.0, "test_fraction": 0.0}
    found = data.split(pictures, seed=seed, **fractions, training_per_class=count)
    for label in range(3):
        own = found.train[pictures.labels[found.train] == label]
        assert len(np.unique(pictures.keys[own])) == count
    assert not set(pictures.keys[found.train]) & set(pictures.keys[found.test])
    assert sorted([*found.train, *found.test]) == list(range(60))
    more = data.split(pictures, seed=seed, **fractions, training_per_class=count + 1)
    assert set(found.train) < set(more.train)


def test_more_than_there_are_keeps_all(pictures):
    found = data.split(pictures, seed=0, validation_fraction=0.1, test_fraction=0.2, training_per_class=999)
    plain = data.split(pictures, seed=0, validation_fraction=0.1, test_fraction=0.2)
    for side in ("train", "validation", "test"):
        assert np.array_equal(getattr(found, side), getattr(plain, side))


def test_a_sources_own_test_set_stays_as_it_is(tmp_path):
    random = np.random.default_rng(1)
    images = random.integers(0, 256, (30, 4, 4)).astype(np.uint8)
    labels = np.arange(30) % 3
    np.savez(
        tmp_path / "a.npz", train_images=images[:21], train_labels=labels[:21], test_images=images[21:],
        test_labels=labels[21:],
    )  # fmt: skip
    source = data.open_source(str(tmp_path / "a.npz"))
    limits = Limits(10**6, 10**6, 10.0)
    found = data.build_catalogue(source, limits=limits, threads=1, progress=data.Silent(), max_refused_fraction=0.0)
    split = data.split(found, seed=0, validation_fraction=0.0, test_fraction=0.3, training_per_class=2)
    assert len(split.train) == 6
    assert len(split.test) == 9
    assert len(split.validation) == 0
