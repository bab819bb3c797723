"""The shipped recipe `fast` follows the published update of its paper's code, written down here independently."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from sightline import network, optimization
from sightline.recipe import Recipe, apply_overrides, read_recipe
from sightline.recipe.network import Identity, Swift
from sightline.recipe.optimizer import Muon
from sightline.recipe.rates import usual_head_rate
from sightline.training import prepare, start, survey
from sightline.training.loss import cross_entropy as summed
from sightline.training.state import begin
from sightline.training.step import Shard, make_step, supervised

STEPS, BATCH, CLASSES, FEATURES = 12, 60, 10, 16
BIAS_RATE, HEAD_RATE, MATRIX_RATE = 0.053, 0.67, 0.24
"""As published, for sums over the batch, and for scores that are divided by the number of features."""


def made() -> nn.Module:
    section = Swift(widths=(8, 16, FEATURES), dropout=0.0, initialization=Identity(), first_layer="whitening")
    module = network.build(section, channels=3, classes=CLASSES, image_size=(16, 16))
    network.initialize(module, network.build_scheme(section), seed=0)
    network.whiten(module, torch.randn(100, 3, 16, 16, generator=torch.Generator().manual_seed(9)))
    return module.double().train()


def batches() -> list[Shard]:
    generator = torch.Generator().manual_seed(1)
    return [
        Shard(
            torch.randn(BATCH, 3, 16, 16, dtype=torch.float64, generator=generator),
            torch.randint(0, CLASSES, (BATCH,), generator=generator),
        )
        for _ in range(STEPS)
    ]


def as_published(module: nn.Module) -> list[float]:
    """Losses of the published loop: sums, divided scores of a head of spread 1, torch's SGD, Muon written out."""
    named = dict(module.named_parameters())
    with torch.no_grad():
        named["head.weight"].mul_(FEATURES)
    rest = torch.optim.SGD(
        [
            {"params": [each for name, each in named.items() if name.endswith("bias")], "lr": BIAS_RATE},
            {"params": [named["head.weight"]], "lr": HEAD_RATE},
        ],
        momentum=0.85,
        nesterov=True,
    )
    filters = [each for each in named.values() if each.ndim == 4 and each.requires_grad]
    velocities = [torch.zeros_like(each) for each in filters]
    losses = []
    for step, shard in enumerate(batches()):
        scores = module(shard.inputs) / FEATURES
        loss = cross_entropy(scores, shard.labels, label_smoothing=0.2, reduction="sum")
        losses.append(loss.item() / BATCH)
        module.zero_grad()
        loss.backward()
        left = 1.0 - step / STEPS
        for group, rate in zip(rest.param_groups, (BIAS_RATE, HEAD_RATE), strict=True):
            group["lr"] = rate * left
        rest.step()
        with torch.no_grad():
            for each, velocity in zip(filters, velocities, strict=True):
                velocity.mul_(0.6).add_(each.grad)
                u, s, v = torch.linalg.svd((each.grad + 0.6 * velocity).reshape(len(each), -1), full_matrices=False)
                s = s / s.norm()
                for _ in range(3):
                    s = 3.4445 * s - 4.7750 * s**3 + 2.0315 * s**5
                each.mul_(math.sqrt(len(each)) / each.norm())
                each.sub_(((u * s) @ v).view(each.shape), alpha=MATRIX_RATE * left)
    return losses


def test_the_update_is_the_published_one() -> None:
    module = made()
    section = Muon(
        learning_rate=MATRIX_RATE,
        bias_rate=BIAS_RATE * BATCH / MATRIX_RATE,
        head_rate=HEAD_RATE * BATCH / FEATURES**2 / MATRIX_RATE,
    )
    state = begin(module, optimization.build(section, module), averaged=False)
    step = make_step(
        objective=supervised(module, summed(label_smoothing=0.2, class_weights=None)),
        device="cpu",
        clip_norm=0.0,
        average_decay=0.0,
        seed=0,
    )
    losses = [step(state, [shard], MATRIX_RATE * (1.0 - number / STEPS)).loss for number, shard in enumerate(batches())]
    assert losses == pytest.approx(as_published(made()), abs=2e-5)  # the loss is computed in float32


def test_its_rates_are_the_published_ones_at_the_published_batch() -> None:
    chosen = read_recipe("fast").optimizer
    assert isinstance(chosen, Muon)
    assert chosen.bias_rate == pytest.approx(BIAS_RATE * 2000 / MATRIX_RATE, rel=0.01)
    assert chosen.head_rate == "auto"
    head_rate, _ = usual_head_rate("muon", last_maps=256)
    assert head_rate == pytest.approx(HEAD_RATE * 2000 / 256**2 / MATRIX_RATE, rel=0.01)
    # 2e-6 · 2000 of a parameter each step, which a momentum of 0.85 adds up to, in units of the matrices' rate.
    assert chosen.weight_decay == pytest.approx(2e-6 * 2000 / (1 - 0.85) / MATRIX_RATE, rel=0.02)
    assert optimization.rate(read_recipe("fast").schedule, base=1.0, step=0, total_steps=9, steps_per_epoch=1) == 1.0


@pytest.mark.parametrize("parts", [1, 4])
def test_running_statistics_move_by_their_share_with_a_step_and_not_with_each_part(parts: int, tmp_path: Path) -> None:
    choices = {"network": "swift", "network.widths": [8], "training.gradient_accumulation": parts}
    chosen = apply_overrides(Recipe(), choices)
    session = start(prepare(survey("digits", chosen), cache=tmp_path / "cache"), tmp_path)
    shares = {layer.momentum for layer in session.state.network.modules() if isinstance(layer, nn.BatchNorm2d)}
    assert sorted(shares) == [pytest.approx(1.0 - 0.6 ** (1.0 / parts))]


@pytest.mark.parametrize("maps", [32, 128, 384, 512])
def test_a_step_of_the_last_layer_changes_the_scores_by_as_much_whatever_the_number_of_maps(maps: int) -> None:
    """W h changes by rate · h·h for a gradient of 1, and h·h goes with the maps."""
    head_rate, reason = usual_head_rate("muon", last_maps=maps)
    assert head_rate * maps == pytest.approx(0.085 * 256, rel=0.01)
    assert "256 maps" in reason
