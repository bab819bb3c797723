"""Plans: kept in a file and read back number for number, and refused where they cannot be rendered."""

from dataclasses import fields, replace

import numpy as np
import pytest

from sightline.augmentation import Plan, draw, identity, reference, render
from sightline.errors import RecipeError
from sightline.recipe.augmentation import Augmentation


@pytest.fixture
def plan(every_operation):
    pool = np.arange(100, 120).astype(np.uint64)
    chosen = Augmentation(operations=tuple(every_operation), fill="constant", fill_value=40, interpolation="bicubic")
    return draw(chosen, np.arange(5), seed=4, source=(20, 24), size=(16, 18), pool=pool)


def test_a_saved_plan_is_read_back_number_for_number(tmp_path, plan):
    plan = plan.standardized(np.array([1.0, 2.0, 1 / 3]), np.array([0.1, -np.pi, 5e-324]))
    plan.save(tmp_path / "plan.npz")
    again = Plan.load(tmp_path / "plan.npz")
    for field in fields(plan):
        ours, theirs = getattr(plan, field.name), getattr(again, field.name)
        assert type(ours) is type(theirs), field.name
        if isinstance(ours, np.ndarray):
            assert ours.dtype == theirs.dtype, field.name
            np.testing.assert_array_equal(ours, theirs, err_msg=field.name)
        else:
            assert ours == theirs, field.name
    again.save(str(tmp_path / "again.npz"))
    assert (tmp_path / "again.npz").read_bytes() == (tmp_path / "plan.npz").read_bytes()


def test_saving_keeps_the_name_and_replaces_what_is_there(tmp_path):
    path = tmp_path / "plan of tuesday"
    identity(2, source=(4, 4)).save(path)
    identity(3, source=(4, 4)).save(path)
    assert len(Plan.load(path)) == 3
    assert [each.name for each in tmp_path.iterdir()] == [path.name]


FLOATS = ["homography", "lens", "grid", "blur", "sharpen", "color", "gamma", "noise", "salt_pepper", "weight", "scale",
          "offset"]  # fmt: skip


@pytest.mark.parametrize("name", FLOATS)
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("make", [render, reference.render])
def test_numbers_that_are_not_finite_are_refused_with_their_place(plan, name, value, make):
    spoiled = getattr(plan, name).copy()
    spoiled[(2, *(0,) * (spoiled.ndim - 1))] = value
    with pytest.raises(RecipeError) as caught:
        make(np.zeros((len(plan), *plan.source, plan.channels), np.uint8), replace(plan, **{name: spoiled}))
    said = str(caught.value)
    assert said.startswith(f"plan.{name}: found ")
    assert "row 2" in said
    assert "wanted finite numbers" in said
    assert "\n" not in said


def test_a_spoiled_file_is_refused_too(tmp_path, plan):
    plan.lens[1] = np.nan
    plan.save(tmp_path / "plan.npz")
    with pytest.raises(RecipeError, match=r"plan\.lens: found .*nan.* in row 1"):
        Plan.load(tmp_path / "plan.npz")


@pytest.fixture
def foreign(tmp_path, plan):
    """Return files that are no plans, by name."""
    plan.save(tmp_path / "whole")
    stored = (tmp_path / "whole").read_bytes()
    contents = {
        "empty": b"",
        "text": b"a poem",
        "magic alone": b"PK\x03\x04",
        "torn": stored[: len(stored) // 2],
        "torn at the end": stored[:-10],
        "flipped": stored[:200] + bytes([stored[200] ^ 0xFF]) + stored[201:],
    }
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
    np.savez(tmp_path / "arrays.npz", x=np.ones(3))
    np.save(tmp_path / "array.npy", np.ones(3))
    np.savez(tmp_path / "pickled.npz", plain=np.array({"own": 1}, dtype=object))
    np.savez(tmp_path / "no json.npz", plain=np.array("[1"))
    np.savez(tmp_path / "fields missing.npz", plain=np.array('{"source": [1, 1], "size": [1, 1]}'))
    (tmp_path / "folder").mkdir()
    return tmp_path


@pytest.mark.parametrize(
    "name",
    ["empty", "text", "magic alone", "torn", "torn at the end", "flipped", "arrays.npz", "array.npy", "pickled.npz",
     "no json.npz", "fields missing.npz", "folder", "missing"],
)  # fmt: skip
def test_a_foreign_file_is_refused_by_name(foreign, name):
    with pytest.raises(RecipeError) as caught:
        Plan.load(foreign / name)
    said = str(caught.value)
    assert str(foreign / name) in said
    assert "wanted a plan that Plan.save wrote" in said
    assert "\n" not in said


@pytest.mark.parametrize("channels", [1, 3])
def test_the_identity_has_a_row_for_every_picture_and_mixes_nothing(channels):
    plan = identity(3, source=(4, 6), size=(2, 3), channels=channels)
    assert len(plan) == plan.own == 3
    assert plan.channels == channels
    assert not plan.mixes
    assert (plan.source, plan.size) == ((4, 6), (2, 3))
    for name in FLOATS:
        assert getattr(plan, name).dtype.kind == "f"


def test_standardizing_asks_for_a_number_or_one_for_each_channel(plan):
    np.testing.assert_array_equal(plan.standardized(np.array(2.0), np.array(0.5)).scale, [2.0, 2.0, 2.0])
    with pytest.raises(ValueError, match="broadcast"):
        plan.standardized(np.ones(2), np.zeros(2))
