"""`sightline transfer` and `train --from` as a user runs them."""

import json

import numpy as np
import pytest
from command_line import fails, sightline

import sightline as package

QUICK = ["--set", "training.threads=1", "--set", "augmentation=none", "--epochs", 1]


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with two halves of digits as files and a run on the first."""
    from sklearn.datasets import load_digits

    folder = tmp_path_factory.mktemp("transfer")
    loaded = load_digits()
    images, labels = (loaded.images * 255 / 16).round().astype(np.uint8), loaded.target
    for name, chosen in (("low", labels < 5), ("high", labels >= 5)):
        np.savez(folder / f"{name}.npz", images=images[chosen], labels=labels[chosen])
    choices = {"network": "vgg", "network.widths": [8, 8], "network.convolutions": [1, 1], "training.epochs": 2}
    choices |= {"training.threads": 1, "augmentation": "none"}
    package.train(str(folder / "low.npz"), choices, out=folder / "low-run", cache=folder / "cache")
    return folder


def test_a_transfer_tells_its_stages_rates_and_what_was_forgotten(place):
    done = sightline(
        "transfer", "low-run", "high.npz", *QUICK, "--head-epochs", 3, "--source-data", "low.npz", "--out", "run",
        cwd=place,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    for said in (
        "Stage 1 of 2: a new head on frozen features, 3 epochs",
        "Stage 2 of 2: all layers, 1 epochs",
        "Batch normalization keeps the statistics that the weights came with",
        "tensors loaded from low-run",
        "rate at its peak",
        "Source: the old last layer was right on",
        "Test: accuracy",
    ):
        assert said in done.stdout, said
    report = json.loads((place / "run" / "transfer.json").read_text())
    assert report["weights"] == "low-run"
    assert (place / "run" / "transfer.png").read_bytes().startswith(b"\x89PNG")
    verified = sightline("verify", "run", "--steps", 1, cwd=place)
    assert verified.returncode == 0, verified.stdout + verified.stderr
    (place / "run" / "transfer.json").write_text("{}")
    fails(sightline("verify", "run", cwd=place), 7, "transfer.json")


def test_train_from_is_the_same_and_the_recipe_says_which_weights(place):
    shown = sightline("train", "high.npz", "--from", "low-run/model.safetensors", "--print-recipe", cwd=place)
    assert shown.returncode == 0, shown.stderr
    digest = json.loads((place / "low-run" / "events.jsonl").read_text().splitlines()[-1])["fingerprint"]
    assert 'weights = "low-run/model.safetensors"' in shown.stdout
    assert f'digest = "{digest}' in shown.stdout
    assert 'statistics = "inherited"' in shown.stdout
    assert 'depth = "both"' in shown.stdout


def test_what_is_no_weights_is_one_sentence_and_its_code(place):
    fails(sightline("transfer", "nowhere.safetensors", "high.npz", cwd=place), 4, "nowhere.safetensors: cannot be read")
    (place / "w.pth").write_bytes(b"\x80\x02.")
    fails(
        sightline("transfer", "w.pth", "high.npz", cwd=place), 4, "sightline convert w.pth w.safetensors",
    )  # fmt: skip
    fails(sightline("transfer", "low-run", "high.npz", "--curve", "5,x", cwd=place), 2, "wanted numbers of pictures")
    fails(
        sightline("train", "high.npz", "--set", "transfer.depth=head", cwd=place), 2, "without transfer.weights",
    )  # fmt: skip
    assert not (place / "runs").exists() or not list((place / "runs").iterdir())


def test_a_curve_is_drawn_continued_and_tells_every_training(place):
    arguments = ["transfer", "low-run", "high.npz", *QUICK, "--head-epochs", 2, "--seeds", 2, "--out", "curve"]
    done = sightline(*arguments, "--curve", "4,2", cwd=place)
    assert done.returncode == 0, done.stderr
    assert "2 per class" in done.stdout
    assert "transferred, both stages" in done.stdout
    table = (place / "curve" / "curve.csv").read_text().splitlines()
    assert table[0] == "arm,per_class,mean_accuracy,standard_deviation,seeds"
    assert len(table) == 1 + 4 * 2
    numbers = json.loads((place / "curve" / "curve.json").read_text())
    assert {(t["arm"], t["per_class"], t["seed"]) for t in numbers["trials"]} == {
        (arm, size, seed) for arm in ("default", "scratch", "head", "both") for size in (2, 4) for seed in (0, 1)
    }
    assert (place / "curve" / "curve.png").read_bytes().startswith(b"\x89PNG")
    # What was trained is not trained again, and gives the same numbers.
    before = {path: path.stat().st_mtime_ns for path in (place / "curve" / "runs").glob("*/model.safetensors")}
    again = sightline(*arguments, "--curve", "2,4", cwd=place)
    assert again.returncode == 0, again.stderr
    assert before == {path: path.stat().st_mtime_ns for path in (place / "curve" / "runs").glob("*/model.safetensors")}
    assert json.loads((place / "curve" / "curve.json").read_text())["trials"] == numbers["trials"]
