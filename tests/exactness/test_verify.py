"""Verifying a run: an intact one is right in all points, and whatever is altered, torn or lost is named."""

import json
import os
import shutil

import numpy as np
import pytest
from PIL import Image

from sightline.errors import DataError, TrainingError
from sightline.recipe import Recipe, apply_overrides
from sightline.training import directory, prepare, start, survey, train
from sightline.training.verify import verify

CHOICES = {
    "network": "lenet", "network.width": 0.5, "training.epochs": 2, "training.threads": 1, "training.batch_size": 16,
    "augmentation": "none",
}  # fmt: skip

ELSEWHERE = {directory.SHEET, directory.TRANSFER}
"""Files that this training, without augmentation and from scratch, does not leave."""


@pytest.fixture
def trained(digits, exactly, tmp_path):
    """Return a finished run, the folder of its pictures, and a cache for their pixels."""
    pictures = tmp_path / "pictures"
    exactly.store(digits, pictures)
    cache = tmp_path / "cache"
    with directory.made(tmp_path / "run", source=pictures, overwrite=False) as path:
        session = start(prepare(survey(pictures, apply_overrides(Recipe(), CHOICES)), cache=cache), path)
        for _ in session.events():
            pass
        session.seal()
    return path, pictures, cache


def wrong(trained, **choices):
    path, _, cache = trained
    return {found.what: found.says for found in verify(path, cache=cache, **choices) if not found.right}


def test_an_intact_run_is_right_in_all_points(trained):
    path, _, cache = trained
    before = {file: file.read_bytes() for file in path.rglob("*") if file.is_file()}
    found = {finding.what: finding for finding in verify(path, cache=cache, steps=12)}
    assert all(finding.right for finding in found.values())
    assert set(found) >= {*directory.LASTING} - ELSEWHERE | {"fingerprint", "pictures", "training"}
    assert found["training"].says.endswith("the same weights after steps 1, 7, 10")
    assert {file: file.read_bytes() for file in path.rglob("*") if file.is_file()} == before


@pytest.mark.parametrize("name", [name for name in directory.LASTING if name not in ELSEWHERE])
def test_an_altered_or_lost_file_is_named(name, trained):
    path = trained[0] / name
    whole = bytearray(path.read_bytes())
    whole[len(whole) // 2] ^= 1
    path.write_bytes(whole)
    assert "its digest differs" in wrong(trained)[name]
    path.unlink()
    if name != directory.RECIPE:
        assert "cannot be read" in wrong(trained)[name]


def test_pictures_that_are_all_gone_are_one_sentence(trained):
    trained[1].rename(trained[1].with_name("elsewhere"))
    assert wrong(trained).keys() == {"pictures"}
    path, pictures, cache = trained
    assert all(each.right for each in verify(path, pictures.with_name("elsewhere"), cache=cache))


@pytest.mark.parametrize("left", [b"", b"half a line"])
def test_a_list_of_digests_that_was_cut_approves_nothing(left, trained):
    path = trained[0] / "SHA256SUMS"
    path.write_bytes(left)
    if left:
        with pytest.raises(DataError, match="wanted a digest and a name"):
            wrong(trained)
        return
    assert {"model.safetensors", "events.jsonl"} < wrong(trained).keys()
    path.unlink()
    assert "is missing, although the training came to its end" in wrong(trained)["SHA256SUMS"]


@pytest.mark.parametrize("damage", ["x\n", '"'])
@pytest.mark.parametrize("name", [directory.CATALOGUE, directory.REFUSED])
def test_damaged_lists_of_an_unfinished_run_are_a_sentence(name, damage, trained):
    path = trained[0] / name
    (trained[0] / "SHA256SUMS").unlink()
    with path.open("a") as file:
        file.write(damage)
    with (trained[0] / directory.EVENTS).open("a") as log:
        log.write("5\n")
    assert f"{path}: " in wrong(trained)["pictures"]


def test_a_run_without_its_recipe_is_named(trained):
    (trained[0] / directory.RECIPE).unlink()
    assert wrong(trained) == {directory.RECIPE: "is missing"}


def test_a_lost_copy_and_other_sides_are_noticed(digits, exactly, tmp_path):
    pictures = tmp_path / "pictures"
    images, labels = digits
    for side, chosen in {"val": slice(0, 30), "train": slice(30, None)}.items():
        exactly.store((images[chosen], labels[chosen]), pictures / side)
    first = next((pictures / "train" / "class 1").iterdir())
    copy = first.with_name("copy.png")
    shutil.copy(first, copy)
    cache = tmp_path / "cache"
    with directory.made(tmp_path / "run", source=pictures, overwrite=False) as path:
        session = start(prepare(survey(pictures, apply_overrides(Recipe(), CHOICES)), cache=cache), path)
        for _ in session.events(stop=lambda: session.state.step >= 3):
            pass
    trained = path, pictures, cache
    assert wrong(trained) == {}
    copy.unlink()
    assert wrong(trained) == {"pictures": "missing: train/class 1/copy.png"}
    shutil.copy(first, copy)
    moved = next((pictures / "val" / "class 2").iterdir())
    moved.rename(pictures / "train" / "class 2" / moved.name)
    assert "moved to another side" in wrong(trained)["pictures"]


def test_a_run_that_broke_down_breaks_down_again(digits, tmp_path):
    choices = {
        **CHOICES,
        "network.normalization": "none",
        "optimizer": "sgd",
        "optimizer.learning_rate": 100.0,
        "schedule": "constant",
    }
    with pytest.raises(TrainingError):
        train(digits, choices, out=tmp_path / "run", cache=tmp_path / "cache")
    found = list(verify(tmp_path / "run", digits, steps=100, cache=tmp_path / "cache"))
    assert all(each.right for each in found)
    says = [each.says for each in found if each.what == "training"]
    assert "breaks down after step" in says[0]
    assert "the same weights after steps 1" in says[1]


def test_an_altered_checkpoint_is_named(trained):
    newest = max((trained[0] / directory.CHECKPOINTS).glob("step-*"))
    newest.write_bytes(newest.read_bytes()[:-1])
    assert wrong(trained) == {f"checkpoints/{newest.name}": "is altered or torn"}


def test_pictures_that_changed_went_or_came_are_named(trained):
    _, pictures, _ = trained
    altered, gone, *_ = sorted((pictures / "class 1").iterdir())
    image = np.array(Image.open(altered))
    stamp = altered.stat()
    image[0, 0] ^= 1
    Image.fromarray(image).save(altered)
    os.utime(altered, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
    gone.unlink()
    Image.fromarray(255 - image).save(pictures / "class 2" / "another.png")
    renamed = next((pictures / "class 0").iterdir())
    renamed.rename(renamed.with_name("renamed.png"))
    assert wrong(trained) == {
        "pictures": f"changed: class 1/{altered.name}; missing: class 1/{gone.name}; new: class 2/another.png"
    }


def test_another_course_of_the_weights_is_found(trained):
    """The digests of the log are what a new training is held against."""
    events = trained[0] / directory.EVENTS
    lines = [json.loads(line) for line in events.read_text().splitlines()]
    next(line for line in lines if line.get("step") == 10)["weights"] = "0" * 16
    events.write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert wrong(trained, steps=11)["training"] == (
        "again from the beginning: after step 10 the weights are others than those of the run"
    )
    assert "training" not in wrong(trained, steps=9)


def test_a_run_that_ended_early_is_verified_as_far_as_it_went(digits, prepared_with, exactly, tmp_path):
    session = exactly.begun(prepared_with(), tmp_path / "run")
    for _ in session.events(stop=lambda: session.state.step >= 5):
        pass
    found = list(verify(tmp_path / "run", digits))
    assert all(each.right for each in found)
    assert [each.what for each in found][-1] == "pictures"
    assert "has not come to its end" in found[0].says
