"""Forgetting is what the old last layer gets wrong afterwards: held against the sealed models themselves."""

import json

import numpy as np
import pytest
import torch

import sightline
from sightline.errors import DataError, ModelFileError, RecipeError
from sightline.model import load
from sightline.training import judge

CHOICES = {
    "training.threads": 1,
    "training.epochs": 4,
    "transfer.head_epochs": 3,
    "transfer.depth": "both",
    "augmentation": "none",
    "data.validation_fraction": 0.0,
}


@pytest.fixture(scope="module")
def halves(tmp_path_factory):
    """Digits below five as a file, those from five on, and a model that was trained on the first."""
    from sklearn.datasets import load_digits

    folder = tmp_path_factory.mktemp("halves")
    loaded = load_digits()
    images, labels = (loaded.images * 255 / 16).round().astype(np.uint8), loaded.target
    for name, chosen in (("low", labels < 5), ("high", labels >= 5)):
        np.savez(folder / f"{name}.npz", images=images[chosen], labels=labels[chosen])
    network = {"network": "vgg", "network.widths": [12, 16], "network.convolutions": [1, 1], "training.epochs": 6}
    run = sightline.train(
        str(folder / "low.npz"),
        {**network, "training.threads": 1, "augmentation": "none", "optimizer.learning_rate": 0.02},
        out=folder / "run",
        cache=folder / "cache",
    )
    return folder, run.model_path


def transferred(halves, out, **choices):
    folder, model = halves
    chosen = {**CHOICES, "transfer.source_data": str(folder / "low.npz"), **choices}
    run = sightline.transfer(model, str(folder / "high.npz"), chosen, out=out, cache=folder / "cache")
    return run, json.loads((run.path / "transfer.json").read_text())


def test_before_is_what_the_old_model_says_of_itself_and_after_what_its_head_says_of_new_features(halves, tmp_path):
    folder, model = halves
    run, report = transferred(
        halves, tmp_path / "run", **{"transfer.rate_factor": 1.0, "optimizer.learning_rate": 0.02}
    )
    judged = judge(load(model), str(folder / "low.npz"))
    assert report["source_before"] == pytest.approx(judged.metrics.accuracy, abs=1e-9)
    assert report["source_images"] == judged.metrics.images
    assert judged.metrics.accuracy > 0.9
    # After, put together by hand from the two sealed files.
    old, new = load(model), run.model()
    weights = {**new.weights, **{n: t for n, t in old.weights.items() if n.startswith("classifier.")}}
    network = old._computation._modules["cpu"][0]
    kept = {name: torch.from_numpy(np.array(tensor)) for name, tensor in weights.items() if name in old.weights}
    network.load_state_dict(kept)
    after = judge(old, str(folder / "low.npz")).metrics.accuracy
    assert report["source_after"] == pytest.approx(after, abs=1e-9)
    assert report["forgotten"] == pytest.approx(report["source_before"] - after)
    assert report["forgotten"] > 0.05  # at the full rate there is something to be forgotten
    shares = [point["share"] for point in report["path"]]
    assert shares == [step / 10 for step in range(11)]
    assert report["path"][0]["source_accuracy"] == report["source_before"]
    assert report["path"][-1]["source_accuracy"] == report["source_after"]
    target = run.metrics["test"]
    assert report["path"][-1]["target_accuracy"] == pytest.approx(target["accuracy"])


def test_a_head_alone_forgets_nothing(halves, tmp_path):
    _, report = transferred(halves, tmp_path / "run", **{"transfer.depth": "head", "training.epochs": "auto"})
    assert report["forgotten"] == 0.0
    assert report["source_before"] == report["source_after"] > 0.9


def test_gentler_ways_forget_less(halves, tmp_path):
    """One seed, and differences of tens of points: full rate, a tenth, distilled, pulled back, half of the way."""
    full = {"transfer.rate_factor": 1.0, "optimizer.learning_rate": 0.02, "transfer.layer_decay": 1.0}
    ways = {
        "full": full,
        "default": {"optimizer.learning_rate": 0.02},
        "distilled": {**full, "transfer.distillation": 5.0},
        "half": {**full, "transfer.interpolation": 0.5},
    }
    lost = {name: transferred(halves, tmp_path / name, **choices)[1]["forgotten"] for name, choices in ways.items()}
    for name in ("default", "distilled", "half"):
        assert lost[name] < 0.6 * lost["full"], lost


def test_what_cannot_be_measured_is_refused_before_anything_is_trained(halves, tmp_path, weights_of):
    folder, _ = halves
    with pytest.raises(DataError, match="which the model does not know"):
        transferred(halves, tmp_path / "a", **{"transfer.source_data": str(folder / "high.npz")})
    with pytest.raises(RecipeError, match=r"transfer\.source_data: found .* does not say which classes"):
        sightline.transfer(
            weights_of("resnet18"), "digits", {**CHOICES, "transfer.source_data": "digits"}, out=tmp_path / "b"
        )
    with pytest.raises(DataError):
        transferred(halves, tmp_path / "c", **{"transfer.source_data": str(folder / "nowhere")})
    with pytest.raises(RecipeError, match=r'transfer\.interpolation: found "validation", but nothing is held out'):
        transferred(halves, tmp_path / "d", **{"transfer.interpolation": "validation"})
    with pytest.raises(RecipeError, match="pictures of 1 channels and data"):
        transferred(halves, tmp_path / "e", **{"data.channels": 3})
    assert not any((tmp_path / name / "events.jsonl").exists() for name in "abcde")


def test_distillation_wants_the_old_last_layer(weights_of, tmp_path, colored):
    from safetensors.numpy import load_file, save_file

    features = {k: v for k, v in load_file(weights_of("squeezenet")).items() if not k.startswith("classifier")}
    save_file(features, tmp_path / "features.safetensors")
    with pytest.raises(ModelFileError, match=r"has the features only, and transfer\.distillation"):
        sightline.transfer(
            tmp_path / "features.safetensors", colored, {**CHOICES, "transfer.distillation": 1.0}, out=tmp_path / "run"
        )
