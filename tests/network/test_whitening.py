"""Whitening filters: what comes out of them is decorrelated, and nothing trains them."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from numpy.lib.stride_tricks import sliding_window_view
from safetensors.numpy import load_file
from torch import nn

from sightline.errors import RecipeError
from sightline.network import build, build_scheme, initialize, pictures_to_see, whiten
from sightline.network.whitening import EPSILON
from sightline.recipe import network as recipe
from sightline.training import train


def blurred(count: int, channels: int, side: int) -> torch.Tensor:
    """Pictures whose neighboring pixels and colors are alike."""
    random = np.random.default_rng(0)
    noise = random.normal(size=(count, channels, side + 4, side + 4))
    smooth = sliding_window_view(noise, (5, 5), axis=(2, 3)).mean(axis=(4, 5))
    return torch.from_numpy(smooth + 0.5 * smooth.mean(axis=1, keepdims=True)).float()


def made(section: recipe.Network, channels: int = 3, side: int = 16) -> nn.Module:
    module = build(section, channels=channels, classes=3, image_size=(side, side))
    initialize(module, build_scheme(section), seed=0)
    return module


def patches(pictures: torch.Tensor, size: int) -> np.ndarray:
    windows = sliding_window_view(pictures.double().numpy(), (size, size), axis=(2, 3))
    return windows.transpose(0, 2, 3, 1, 4, 5).reshape(-1, pictures.shape[1] * size * size)


@pytest.mark.parametrize("channels", [1, 3])
def test_what_comes_out_is_decorrelated_and_of_spread_one(channels: int) -> None:
    module, pictures = (
        made(recipe.Swift(widths=(8, 8), dropout=0.0, initialization=recipe.Identity()), channels),
        blurred(64, channels, 16),
    )
    assert whiten(module, pictures) == "patches"
    filters = module.get_parameter("patches.weight").detach().double().numpy().reshape(8 * channels, -1)
    half = 4 * channels
    np.testing.assert_array_equal(filters[half:], -filters[:half])

    seen = patches(pictures, 2)
    found = np.cov(seen @ filters[:half].T, rowvar=False, bias=True)
    values = np.sort(np.linalg.eigvalsh(np.cov(seen, rowvar=False, bias=True)))[::-1]
    np.testing.assert_allclose(found, np.diag(values / (values + EPSILON)), atol=1e-4)
    assert np.all(filters[:half].max(axis=1) >= -filters[:half].min(axis=1))  # the sign is settled


def test_a_layer_of_fewer_maps_has_the_strongest_and_one_of_more_keeps_what_was_drawn() -> None:
    pictures = blurred(32, 3, 16)
    few = made(recipe.VGG(widths=(9,), convolutions=(1,), dropout=0.0, initialization=recipe.He()))
    drawn = few.get_parameter("features.0.weight").detach().clone()
    assert whiten(few, pictures) == "features.0"
    weight = few.get_parameter("features.0.weight").detach()
    assert torch.equal(weight[4:8], -weight[:4])
    assert torch.equal(weight[8], drawn[8])

    many = made(recipe.VGG(widths=(60,), convolutions=(1,), dropout=0.0, initialization=recipe.He()))
    drawn = many.get_parameter("features.0.weight").detach().clone()
    whiten(many, pictures)
    weight = many.get_parameter("features.0.weight").detach()
    torch.testing.assert_close(weight[:4], few.get_parameter("features.0.weight").detach()[:4])
    assert torch.equal(weight[54:], drawn[54:])


def test_many_pictures_are_the_sum_of_their_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    pictures, whole = blurred(40, 3, 16), made(recipe.Swift(widths=(8, 8), dropout=0.0, initialization=recipe.He()))
    whiten(whole, pictures)
    monkeypatch.setattr("sightline.network.whitening.AT_ONCE", 3 * 256)
    parts = made(recipe.Swift(widths=(8, 8), dropout=0.0, initialization=recipe.He()))
    whiten(parts, pictures)
    torch.testing.assert_close(
        parts.get_parameter("patches.weight"), whole.get_parameter("patches.weight"), rtol=1e-4, atol=1e-5
    )


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_pictures_without_any_difference_give_finite_filters(value: float) -> None:
    module = made(recipe.Swift(widths=(8, 8), dropout=0.0, initialization=recipe.He()))
    whiten(module, torch.full((8, 3, 16, 16), value))
    assert module.get_parameter("patches.weight").isfinite().all()


def test_a_network_without_a_convolution_over_all_channels_is_refused() -> None:
    with pytest.raises(RecipeError, match=r"network\.first_layer: found .whitening.*wanted .drawn."):
        whiten(nn.Sequential(nn.Flatten(), nn.Linear(12, 3)), torch.zeros(4, 3, 2, 2))


@pytest.mark.parametrize(("side", "wanted"), [(8, 5000), (32, 4882), (224, 99), (4000, 1)])
def test_large_pictures_are_fewer(side: int, wanted: int) -> None:
    assert pictures_to_see(side, side) == wanted


def test_a_training_does_not_move_the_filters_and_its_log_says_nothing_of_them(tmp_path) -> None:
    chosen = {
        "network": "swift", "network.widths": [8, 12], "training.epochs": 1, "training.threads": 1,
        "augmentation": "none",
    }  # fmt: skip
    run = train("digits", chosen, out=tmp_path / "run")
    sealed = load_file(run.model_path)["network.patches.weight"]
    np.testing.assert_array_equal(sealed[4:], -sealed[:4])
    assert not np.allclose(np.linalg.norm(sealed.reshape(8, -1), axis=1), 1.0)
    lines = map(json.loads, (run.path / "events.jsonl").read_text(encoding="utf-8").splitlines())
    probe = next(line for line in lines if line["event"] == "probe")
    first = next(each for each in probe["layers"] if each["name"] == "patches")
    assert "gradient" not in first
