"""Predicting in other ways than exactly: the same answers but for rounding, whatever the network, or a refusal."""

from __future__ import annotations

import copy
import gc
import sys
import threading
import weakref
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from sightline import model, network, preprocessing
from sightline.errors import RecipeError
from sightline.model import backends
from sightline.model.lowered import Fused, lowered
from sightline.recipe import Recipe
from sightline.recipe.network import VGG, He, Identity, LeNet, MobileNetV2, Network, ResNet, SqueezeNet, Swift

COLOR = model.InputRules(
    image_size=(24, 20), channels=3, resize="fit", padding_value=0, decoder="pillow", decoder_version="Pillow 1"
)
CLASSES = 3
SETTLED: dict[str, Any] = {"dropout": 0.2, "first_layer": "drawn", "head": "published"}
NETWORKS: dict[str, Network] = {
    "lenet": LeNet(width=0.5, initialization=He(), **SETTLED),
    "vgg": VGG(widths=(8, 16), convolutions=(1, 2), initialization=He(), **SETTLED),
    "vgg, silu, nothing normalized": VGG(
        widths=(8,), convolutions=(2,), activation="silu", normalization="none", initialization=He(), **SETTLED
    ),
    "vgg, tanh, groups": VGG(
        widths=(8, 8), convolutions=(1, 1), activation="tanh", normalization="group", initialization=He(), **SETTLED
    ),
    "resnet 18": ResNet(depth=18, width=8, stem="large", initialization=He(), **SETTLED),
    "resnet 50": ResNet(depth=50, width=4, stem="small", initialization=He(), **SETTLED),
    "resnet, not normalized": ResNet(
        depth=18, width=8, stem="small", normalization="none", initialization=He(), **SETTLED
    ),
    "swift": Swift(widths=(8, 16), convolutions=3, initialization=Identity(), **SETTLED),
    "squeezenet": SqueezeNet(initialization=He(), **SETTLED),
    "mobilenet_v2": MobileNetV2(width=0.25, initialization=He(), **SETTLED),
}


def trained_alike(section: Network) -> nn.Module:
    """Return a network whose normalization has seen something."""
    built = network.build(section, channels=3, classes=CLASSES, image_size=COLOR.image_size)
    network.initialize(built, network.build_scheme(section), seed=3)
    generator = torch.Generator().manual_seed(1)
    for layer in built.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.running_mean.normal_(0.0, 0.5, generator=generator)
            layer.running_var.uniform_(0.5, 2.0, generator=generator)
            layer.weight.data.uniform_(0.5, 1.5, generator=generator)
            layer.bias.data.normal_(0.0, 0.2, generator=generator)
    return built.eval().requires_grad_(False)


LOW = pytest.mark.skipif(not backends.multiplies_in_bfloat16(), reason="this processor has no bfloat16")
PRECISIONS = pytest.mark.parametrize("bfloat16", [False, pytest.param(True, marks=LOW)])


@pytest.mark.parametrize("name", NETWORKS)
@PRECISIONS
def test_a_lowered_network_gives_the_same_scores(name: str, bfloat16: bool) -> None:
    built = trained_alike(NETWORKS[name])
    given = torch.randn(3, 3, 24, 20, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        exact = copy.deepcopy(built).double()(given.double())
        found = lowered(built, bfloat16=bfloat16)(given.bfloat16() if bfloat16 else given).double()
    assert (found - exact).abs().max() < (0.1 if bfloat16 else 1e-4) * exact.abs().max()
    assert not torch.equal(found, exact)


@LOW
@pytest.mark.parametrize(("name", "fused"), [("resnet 18", 20), ("swift", 7), ("vgg", 3)])
def test_nothing_of_normalization_is_left_and_activations_are_inside(name: str, fused: int) -> None:
    found = lowered(trained_alike(NETWORKS[name]), bfloat16=True)
    kinds = [type(each) for each in found.modules()]
    assert kinds.count(Fused) == fused
    assert nn.Conv2d not in kinds
    assert nn.ReLU not in kinds
    assert nn.BatchNorm2d not in kinds


@PRECISIONS
def test_the_network_that_is_given_stays(bfloat16: bool) -> None:
    built = trained_alike(NETWORKS["resnet 18"])
    before = copy.deepcopy(built.state_dict())
    lowered(built, bfloat16=bfloat16)
    assert all(torch.equal(before[name], tensor) for name, tensor in built.state_dict().items())


def test_a_normalization_behind_a_convolution_that_is_used_twice_stays() -> None:
    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.convolution, self.first, self.second = nn.Conv2d(3, 3, 1), nn.BatchNorm2d(3), nn.BatchNorm2d(3)
            self.second.running_mean.fill_(1.0)

        def forward(self, given: torch.Tensor) -> torch.Tensor:
            found: torch.Tensor = self.second(self.convolution(self.first(self.convolution(given))))
            return found

    built = Twice().eval().requires_grad_(False)
    given = torch.randn(2, 3, 5, 5)
    assert torch.allclose(lowered(built, bfloat16=False)(given), built(given), atol=1e-5)


@pytest.mark.parametrize("factor", [1.0, -1.0, None])
@pytest.mark.parametrize(
    "pool", [nn.MaxPool2d(2), nn.MaxPool2d(3, 2, 1), nn.AvgPool2d(2), nn.AvgPool2d(3, 2, 1)], ids=repr
)
def test_a_normalization_behind_a_pooling_is_folded_where_that_changes_nothing(
    pool: nn.Module, factor: float | None
) -> None:
    normalization = nn.BatchNorm2d(5, affine=factor is not None)
    normalization.running_mean.uniform_(-1, 1)
    normalization.running_var.uniform_(0.5, 2)
    if factor is not None:
        normalization.weight.data[2] = factor
        normalization.bias.data.uniform_(-1, 1)
    built = nn.Sequential(nn.Conv2d(3, 5, 3), pool, normalization).eval().requires_grad_(False)
    given = torch.randn(2, 3, 12, 12)
    found = lowered(built, bfloat16=False)
    assert torch.allclose(found(given), built(given), atol=1e-5)
    folds = factor != -1.0 if isinstance(pool, nn.MaxPool2d) else pool.padding == 0
    assert any(isinstance(each, nn.BatchNorm2d) for each in found.modules()) is not folds


@pytest.mark.parametrize("backend", ["auto", "torch", "onnxruntime", "openvino"])
@pytest.mark.parametrize("name", ["resnet 18", "swift", "vgg, tanh, groups", "mobilenet_v2"])
@pytest.mark.parametrize(("count", "center"), [(1, "pixel"), (5, "channel")])
def test_a_backend_says_what_exact_says(
    tmp_path: Path, tiny: Any, backend: Any, name: str, count: int, center: Any
) -> None:
    missing = [each for each in backends.LIBRARIES.get(backend, ()) if find_spec(each) is None]
    if missing:
        pytest.skip(f"{missing[0]} is not installed")
    section = NETWORKS[name]
    fitted = preprocessing.fit(
        [backends.drawn((4, 24, 20, 3))], center=center, scale="channel", decorrelate="none", epsilon=1e-3
    )
    path = tiny.seal(
        tmp_path / "model.safetensors",
        input_rules=COLOR,
        network_section=section,
        network=trained_alike(section),
        statistics=fitted,
    )
    loaded = model.load(path)
    pictures = backends.drawn((count, 24, 20, 3))
    exact = loaded.predict(pictures).probabilities
    found = loaded.predict(pictures, backend=backend)
    assert found.names == loaded.predict(pictures).names
    # ONNX Runtime computes in float32.
    assert np.abs(found.probabilities - exact).max() <= (1e-4 if backend == "onnxruntime" else backends.TOLERATED)
    assert found.probabilities.sum(axis=1) == pytest.approx(1.0, abs=1e-5)


def test_groups_and_views_are_those_of_exact(tmp_path: Path, tiny: Any) -> None:
    section = NETWORKS["swift"]
    loaded = model.load(
        tiny.seal(
            tmp_path / "model.safetensors", input_rules=COLOR, network_section=section, network=trained_alike(section)
        )
    )
    pictures = backends.drawn((7, 24, 20, 3))
    exact = loaded.predict(pictures, test_time="translations").probabilities
    found = loaded.predict(pictures, test_time="translations", backend="torch", batch_size=3).probabilities
    assert np.abs(found - exact).max() <= backends.TOLERATED
    assert np.abs(found - loaded.predict(pictures).probabilities).max() > 0.0


@LOW
def test_what_differs_too_much_is_refused_and_not_chosen(tmp_path: Path, tiny: Any) -> None:
    """Scores so far apart that the rounding of bfloat16 decides."""
    section = NETWORKS["resnet 18"]
    built = trained_alike(section)
    generator = torch.Generator().manual_seed(0)
    row = 300.0 * torch.randn(1, built.fc.in_features, generator=generator)
    built.fc.weight.copy_(row * (1.0 + 1e-3 * torch.randn(CLASSES, built.fc.in_features, generator=generator)))
    path = tiny.seal(tmp_path / "model.safetensors", input_rules=COLOR, network_section=section, network=built)
    loaded = model.load(path)
    pictures = backends.drawn((5, 24, 20, 3))
    with pytest.raises(RecipeError, match="backend: 'torch' gives probabilities that are up to"):
        loaded.predict(pictures, backend="torch")
    timed = loaded.backends(5)
    assert timed["torch"].difference > backends.TOLERATED
    found, exact = loaded.predict(pictures, backend="auto"), loaded.predict(pictures)
    assert np.abs(found.probabilities - exact.probabilities).max() <= backends.TOLERATED


def test_what_is_not_there_is_told(loaded: model.Model, monkeypatch: pytest.MonkeyPatch) -> None:
    pictures = np.zeros((1, 12, 10, 1), np.uint8)
    with pytest.raises(RecipeError, match="backend: found 'tensorrt', wanted exact, auto, torch, onnxruntime or openv"):
        loaded.predict(pictures, backend="tensorrt")  # type: ignore[arg-type]
    with pytest.raises(RecipeError, match="backend: found 'torch' with device 'cuda'"):
        loaded.predict(pictures, backend="torch", device="cuda")
    monkeypatch.setitem(sys.modules, "openvino", None)
    with pytest.raises(RecipeError, match=r"openvino is not installed\. Run: pip install \"sightline\[openvino\]\""):
        loaded.predict(pictures, backend="openvino")
    assert "openvino" not in loaded.backends()
    assert len(loaded.predict(pictures, backend="auto")) == 1


def test_flips_of_oblong_pictures_are_those_that_the_network_can_see(tmp_path: Path, tiny: Any) -> None:
    recipe = Recipe.model_validate({"augmentation": {"orientation": "any"}})
    loaded = model.load(tiny.seal(tmp_path / "model.safetensors", recipe=recipe))
    pictures = backends.drawn((3, 12, 10, 1))
    views = [pictures, pictures[:, ::-1, ::-1], pictures[:, :, ::-1], pictures[:, ::-1]]
    wanted = np.mean([loaded.predict(np.ascontiguousarray(view)).probabilities for view in views], axis=0)
    np.testing.assert_allclose(loaded.predict(pictures, test_time="flips").probabilities, wanted, atol=1e-6)


def test_a_network_may_be_called_while_another_is_made_ready(tmp_path: Path, tiny: Any) -> None:
    """To see through a network, torch changes for a moment how all of the process's are called."""
    section = NETWORKS["resnet 18"]
    path = tiny.seal(
        tmp_path / "model.safetensors", input_rules=COLOR, network_section=section, network=trained_alike(section)
    )
    called, others = model.load(path), [model.load(path) for _ in range(6)]
    pictures = backends.drawn((1, 24, 20, 3))
    wanted = called.probabilities(pictures)
    over = threading.Event()
    faults: list[BaseException] = []

    def guarded(work: Callable[[], object]) -> None:
        try:
            work()
        except BaseException as error:
            faults.append(error)

    def call() -> None:
        while not over.is_set():
            assert torch.equal(called.probabilities(pictures), wanted)

    calls = [threading.Thread(target=guarded, args=(call,)) for _ in range(2)]
    made = [
        threading.Thread(target=guarded, args=(lambda each=each: each.predict(pictures, backend="torch"),))
        for each in others
    ]
    for thread in (*calls, *made):
        thread.start()
    for thread in made:
        thread.join()
    over.set()
    for thread in calls:
        thread.join()
    assert faults == []
    assert torch.equal(called.probabilities(pictures), wanted)


def test_of_backends_that_were_tried_the_fastest_alone_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    built, made, tried = trained_alike(NETWORKS["lenet"]), [], []
    real = backends.build

    def noted(name: Any, *given: Any, **named: Any) -> backends.Scores:
        tried.append(name)
        if name == "openvino":
            raise ValueError("found a layer it does not know")
        found = real(name, *given, **named)
        made.append(weakref.ref(found))
        return found

    monkeypatch.setattr(backends, "build", noted)
    several = backends.Backends(built, Raw(), lambda scores: scores)
    shape = (2, 24, 20, 3)
    assert several.fastest(shape) in backends.there()
    gc.collect()
    assert sum(each() is not None for each in made) == 1
    if "openvino" in backends.there():
        for _ in range(2):
            with pytest.raises(RecipeError, match="found a layer it does not know"):
                several.scores("openvino", shape)
        assert tried.count("openvino") == 1


class Raw(nn.Module):
    """Pixels as the network takes them."""

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        return pictures.permute(0, 3, 1, 2).float() / 255


def test_every_backend_that_is_installed_is_timed(loaded: model.Model) -> None:
    timed = loaded.backends(4)
    assert set(timed) == set(backends.there())
    assert all(each.images_per_second > 0 and each.difference <= backends.TOLERATED for each in timed.values())
