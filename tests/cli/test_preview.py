"""`sightline preview` as a user runs it: a process of its own, real pictures, files to look at, and mistakes."""

import base64
import io
import json
import re
from pathlib import Path

import numpy as np
import pytest
from command_line import fails, sightline
from PIL import Image
from sklearn.datasets import load_digits

from sightline import preprocessing
from sightline.recipe import Recipe, apply_overrides
from sightline.training import prepare, survey
from sightline.training.course import course_of
from sightline.training.feed import Feed


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("pictures")
    loaded = load_digits()
    for number, (image, label) in enumerate(zip(loaded.images[:120], loaded.target[:120], strict=True)):
        path = root / f"animal {'abcdefghij'[label]}x" / f"{number}.png"
        path.parent.mkdir(exist_ok=True)
        Image.fromarray((image * 255 / 16).round().astype(np.uint8)).save(path)
    return root


@pytest.fixture(scope="module")
def prepared(folder):
    """The same pictures as the command reads them."""
    return prepare(survey(str(folder), apply_overrides(Recipe(), {"augmentation.policy": "strong"})))


def embedded(page: str) -> list[Image.Image]:
    return [
        Image.open(io.BytesIO(base64.b64decode(data)))
        for data in re.findall(r'src="data:image/png;base64,([^"]+)"', page)
    ]


def test_a_sheet_and_a_page_of_the_whole_recipe(folder, tmp_path):
    done = sightline(
        "preview", folder, "--set", "augmentation.policy=standard", "--classes", 3, "--draws", 2, cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    assert "Wrote preview.png" in done.stdout
    assert "Wrote preview.html" in done.stdout
    assert sorted(file.name for file in tmp_path.iterdir()) == ["preview.html", "preview.png"]
    page = (tmp_path / "preview.html").read_text(encoding="utf-8")
    headings = re.findall(r"<th scope=col>(.*?)</th>", page)
    assert headings == [
        "original", "horizontal flip", "rotation 0°", "rotation 10°", "translation 0% right, 0% down",
        "translation 10% right, 10% down", "scaling × 1", "scaling × 1.18", "brightness × 1", "brightness × 1.2",
        "contrast × 1", "contrast × 1.2", "epoch 1", "epoch 2",
    ]  # fmt: skip
    assert re.findall(r"<th scope=row>(.*?)</th>", page) == ["animal ax", "animal bx", "animal cx"]
    shown = embedded(page)
    assert len(shown) == 3 * len(headings)
    for row in range(3):
        original, flipped, unturned, turned, *_ = (np.asarray(each) for each in shown[row * len(headings) :])
        np.testing.assert_array_equal(flipped, original[:, ::-1])
        np.testing.assert_array_equal(unturned, original)
        assert (turned != original).any()
        assert (np.asarray(shown[(row + 1) * len(headings) - 1]) != np.asarray(shown[-2 - row])).any()
    with Image.open(tmp_path / "preview.png") as picture:
        assert picture.width > len(headings) * 96


def test_a_record_is_exactly_what_the_network_is_shown(folder, tmp_path):
    """The training's own feed gives the pixels; pictures are stored larger than they are shown, and have partners."""
    fields = {
        "augmentation.policy": "custom",
        "augmentation.operations": ["rotation", "crop", "gaussian_noise", "mixup"],
        "data.image_size": 16,
        "data.stored_size": 24,
        "preprocessing.center": "none",
        "preprocessing.scale": "none",
        "training.device": "cpu",
        "training.seed": 4,
    }
    prepared = prepare(survey(str(folder), apply_overrides(Recipe(), fields)))
    catalogue, training = prepared.catalogue, prepared.split.train
    name = catalogue.name(int(training[5]))
    overrides = [part for field, value in fields.items() for part in ("--set", f"{field}={json.dumps(value)}")]
    done = sightline("preview", folder, *overrides, "--record", name, "--epoch", 3, "--out", "one.html", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    course = course_of(prepared.resolved.recipe, len(training))
    (shard,) = Feed(prepared, preprocessing.module(prepared.statistics), "cpu", course).load(3, training[:9])
    network_sees = shard.inputs[5].numpy()
    original, partner, result = embedded((tmp_path / "one.html").read_text(encoding="utf-8"))
    assert result.size == original.size == partner.size == (16, 16)
    np.testing.assert_array_equal(np.asarray(original), prepared.pixels.gather(training[5:6])[0, :, :, 0])
    np.testing.assert_array_equal(np.asarray(result), np.round(255 * network_sees[0]).astype(np.uint8))
    label = catalogue.class_names[catalogue.labels[training[5]]]
    assert f"{name} ({label}, training), epoch 3, seed 4" in done.stdout
    told = [line.split()[0] for line in done.stdout.splitlines() if line.startswith("    ")]
    assert told == ["rotation", "crop", "gaussian", "mixup"]
    share = float(re.search(r"mixup with a partner, label [^%]*?(\d+)%", done.stdout).group(1)) / 100
    assert share == pytest.approx(float(shard.mixture.own[5]), abs=0.006)


def test_a_record_that_is_held_out_is_left_as_it_is(folder, prepared, tmp_path):
    name = prepared.catalogue.name(int(prepared.split.test[0]))
    done = sightline(
        "preview", folder, "--set", "augmentation=strong", "--record", name, "--out", "one.html", cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    assert "test), epoch 1" in done.stdout
    assert "held out: left as it is" in done.stdout
    original, result = embedded((tmp_path / "one.html").read_text(encoding="utf-8"))
    np.testing.assert_array_equal(np.asarray(original), np.asarray(result))


def test_a_name_that_fits_none_or_several(folder, tmp_path):
    fails(
        sightline("preview", folder, "--record", "animal ax/100000.png", cwd=tmp_path),
        3,
        "no usable picture",
        "Did you mean",
    )
    fails(
        sightline("preview", folder, "--record", "0.png", cwd=tmp_path),
        3,
        "pictures whose name ends in '0.png'",
        "in full",
    )
    assert not list(tmp_path.iterdir())
    done = sightline("preview", folder, "--record", "/117.png", "--out", "new/place", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert sorted(file.name for file in (tmp_path / "new" / "place").iterdir()) == ["preview.html", "preview.png"]


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["--record", "1.png", "--draws", "3"], 2, "leave out --classes and --draws"),
        (["--set", "augmentation.policy=stronger"], 2, "augmentation.policy"),
        (["--set", "augmentation=['saturation']"], 2, "saturation"),
        (["--out", "nowhere/x.png"], 6, "no folder nowhere"),
        (["--out", "photo.png"], 6, "is no preview"),
    ],
)
def test_mistakes_are_one_sentence_and_write_nothing(folder, tmp_path, arguments, code, said):
    (tmp_path / "photo.png").write_bytes(b"a photograph")
    fails(sightline("preview", folder, *arguments, cwd=tmp_path), code, said)
    assert [file.read_bytes() for file in tmp_path.iterdir()] == [b"a photograph"]


def test_nothing_is_written_among_the_pictures(folder, tmp_path):
    before = sorted(folder.rglob("*"))
    fails(sightline("preview", ".", cwd=folder), 6, "taken for a picture to train on")
    assert sorted(folder.rglob("*")) == before


def test_an_earlier_preview_is_replaced_and_a_single_file_is_the_only_one(folder, tmp_path):
    for policy in ("none", "light"):
        done = sightline(
            "preview", folder, "--set", f"augmentation={policy}", "--out", "a.PNG", "--draws", 1, cwd=tmp_path
        )
        assert done.returncode == 0, done.stderr
        with Image.open(tmp_path / "a.PNG") as picture:
            width = picture.width
    assert [file.name for file in tmp_path.iterdir()] == ["a.PNG"]
    assert width > 4 * 96
