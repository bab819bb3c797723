"""Every activation × initialization × normalization × update rule takes two steps on every architecture.

By default an architecture's 27 pairs of activation and normalization share out the pairs of initialization and update
rule, each of which comes several times; `slow` takes all of them with all.
"""

import math
from itertools import product
from typing import get_args

import pytest
import torch

from sightline import network, optimization
from sightline.recipe import Recipe
from sightline.recipe.network import ActivationName
from sightline.training.loss import cross_entropy
from sightline.training.state import begin
from sightline.training.step import Shard, make_step, supervised

ARCHITECTURES = {
    "lenet": {"name": "lenet", "width": 0.5},
    "vgg": {"name": "vgg", "widths": [4, 8], "convolutions": [1, 1]},
    "resnet": {"name": "resnet", "width": 4, "stem": "small"},
    "squeezenet": {"name": "squeezenet"},
    "mobilenet_v2": {"name": "mobilenet_v2", "width": 0.1},
    "swift": {"name": "swift", "widths": [4, 8], "convolutions": 3},
}
LARGE = ("squeezenet", "mobilenet_v2")
"""Too slow for every initialization with every rule, of which they know nothing anyway."""
INITIALIZATIONS = ["xavier", "he", "lecun", "normal", "orthogonal", "identity"]
RULES = ["sgd", "momentum", "nesterov", "rmsprop", "adadelta", "adam", "adamw", "muon"]


def pictures() -> Shard:
    generator = torch.Generator().manual_seed(1)
    pixels = torch.randint(0, 256, (4, 12, 12, 1), generator=generator, dtype=torch.uint8)
    return Shard(standardize(pixels), torch.tensor([0, 1, 2, 0]))


def standardize(pixels: torch.Tensor) -> torch.Tensor:
    return (pixels.float() / 255 - 0.5).permute(0, 3, 1, 2)


NORMALIZATIONS = ["batch", "group", "none"]
ALL = [*product(INITIALIZATIONS, RULES)]


def shared_out(activation, normalization):
    """Return each eighth pair, beginning with another one for each activation and normalization."""
    place = 3 * get_args(ActivationName).index(activation) + NORMALIZATIONS.index(normalization)
    return ALL[place % 8 :: 8]


def test_every_pair_comes_with_some_activation_and_normalization():
    found = [pair for each in product(get_args(ActivationName), NORMALIZATIONS) for pair in shared_out(*each)]
    assert set(found) == set(ALL)


@pytest.mark.parametrize("every", [False, pytest.param(True, marks=pytest.mark.slow)])
@pytest.mark.parametrize("normalization", NORMALIZATIONS)
@pytest.mark.parametrize("activation", get_args(ActivationName))
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_two_steps(architecture, activation, normalization, every):
    shard = pictures()
    several = ALL if every else shared_out(activation, normalization)
    if architecture in LARGE:
        several = [("he", "adamw"), ("xavier", "momentum")]
    for initialization, rule in several:
        recipe = Recipe.model_validate(
            {
                "network": {
                    **ARCHITECTURES[architecture],
                    "activation": activation,
                    "initialization": initialization,
                    "normalization": normalization,
                    "dropout": 0.1,
                },
                "optimizer": {"name": rule, "learning_rate": 1e-3, "head_rate": 0.1},
            }
        )
        module = network.build(recipe.network, channels=1, classes=3, image_size=(12, 12))
        network.initialize(module, network.build_scheme(recipe.network), seed=0)
        before = {name: parameter.detach().clone() for name, parameter in module.named_parameters()}
        state = begin(module, optimization.build(recipe.optimizer, module), averaged=False)
        step = make_step(
            objective=supervised(module, cross_entropy(label_smoothing=0.0, class_weights=None)),
            device="cpu",
            clip_norm=0.0,
            average_decay=0.0,
            seed=0,
        )
        module.train()
        for _ in range(2):
            judged = step(state, [shard], 1e-3)
            where = f"{initialization}, {rule}"
            assert judged.fault == "", where
            assert math.isfinite(judged.loss), where
        changed = [name for name, parameter in module.named_parameters() if not torch.equal(parameter, before[name])]
        assert changed, f"{initialization}, {rule}: nothing was trained"
        assert all(torch.isfinite(parameter).all() for parameter in module.parameters())
