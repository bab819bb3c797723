"""A probe says what NumPy says, and changes nothing."""

import copy

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from sightline.diagnosis.activity import watching
from sightline.diagnosis.normalization import comparing, undisturbed
from sightline.diagnosis.probe import Probe

HALVES = (slice(0, 8), slice(8, 16))


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(), nn.Dropout(0.5), nn.Flatten(),
        nn.Linear(4 * 36, 8), nn.Tanh(), nn.Linear(8, 3),
    )  # fmt: skip


@pytest.fixture
def made():
    module = network().train()
    generator = torch.Generator().manual_seed(1)
    inputs = torch.randn(16, 1, 6, 6, generator=generator)
    labels = torch.randint(0, 3, (16,), generator=generator)
    loss = lambda logits, labels: cross_entropy(logits, labels, reduction="sum")  # noqa: E731
    return module, Probe(module, module, loss, inputs, labels)


def step(module: nn.Module, probe: Probe, rate: float) -> None:
    """One step of plain gradient descent on the probe's own pictures, without dropout."""
    with undisturbed(module):
        halves = [probe.inputs[:8], probe.inputs[8:]]
        losses = [
            cross_entropy(module(part), probe.labels[at : at + 8]) for at, part in zip((0, 8), halves, strict=True)
        ]
    found = torch.autograd.grad(sum(losses) / 2, list(module.parameters()))
    with torch.no_grad():
        for parameter, gradient in zip(module.parameters(), found, strict=True):
            parameter.sub_(rate * gradient)


def test_nothing_is_changed_by_being_looked_at(made):
    module, probe = made
    for parameter in module.parameters():
        parameter.grad = torch.ones_like(parameter)
    module[1].eval()  # as a stage with frozen statistics has it
    before = copy.deepcopy(module.state_dict())
    modes = [each.training for each in module.modules()]
    generator = torch.get_rng_state()
    probe.before()
    probe.after(0.1)
    assert all(torch.equal(before[name], each) for name, each in module.state_dict().items())
    assert all(torch.equal(each.grad, torch.ones_like(each)) for each in module.parameters())
    assert modes == [each.training for each in module.modules()]
    assert torch.equal(generator, torch.get_rng_state())
    assert not any(each._forward_hooks or each._forward_pre_hooks for each in module.modules())


def test_losses_updates_and_gradients_are_those_of_the_step(made):
    module, probe = made
    start = copy.deepcopy(module)
    probe.before()
    step(module, probe, 0.01)
    seen = probe.after(0.01)
    with undisturbed(start), torch.no_grad():
        logits = torch.cat([start(probe.inputs[:8]), start(probe.inputs[8:])])
    assert seen["cross_entropy"] == pytest.approx(float(cross_entropy(logits, probe.labels)), rel=1e-4)
    assert seen["shuffled"] == pytest.approx(float(cross_entropy(logits, probe.labels.roll(1))), rel=1e-4)
    assert seen["chance"] == pytest.approx(np.log(3), rel=1e-4)
    inferred = copy.deepcopy(start).eval()(probe.inputs).detach()
    assert seen["inference"] == pytest.approx(float(cross_entropy(inferred, probe.labels)), rel=1e-4)
    assert seen["accuracy"] == pytest.approx(float((inferred.argmax(1) == probe.labels).float().mean()), rel=1e-4)
    assert seen["loss_after"] < seen["loss"]
    assert 0 < seen["curvature"] < 2
    for layer, index in zip(seen["layers"], (0, 5, 7), strict=True):
        old, new = start[index].weight.detach(), module[index].weight.detach()
        assert layer["name"] == str(index)
        assert layer["weight"] == pytest.approx(float(old.norm()), rel=1e-4)
        assert layer["update"] == pytest.approx(float((new - old).norm() / old.norm()), rel=1e-3)
        assert layer["gradient"] == pytest.approx(float((new - old).norm() / 0.01), rel=1e-3)


def test_activities_are_those_of_the_units():
    module = nn.Sequential(nn.Linear(2, 4), nn.ReLU(), nn.Linear(4, 2), nn.Tanh())
    with torch.no_grad():
        module[0].weight.copy_(torch.tensor([[1.0, 0.0], [0.0, 1.0], [-1.0, -1.0], [0.0, 0.0]]))
        module[0].bias.copy_(torch.tensor([0.0, 0.0, 0.0, -1.0]))
        module[2].weight.copy_(torch.tensor([[50.0, 0.0, 0.0, 0.0], [0.0, 0.01, 0.0, 0.0]]))
        module[2].bias.zero_()
    inputs = torch.tensor([[1.0, 2.0], [3.0, -1.0]])
    with watching(module) as seen:
        module(inputs)
    relu, tanh = seen.activities
    values = np.array([[1.0, 2.0, 0.0, 0.0], [3.0, 0.0, 0.0, 0.0]])
    assert (relu.name, relu.kind, tanh.name, tanh.kind) == ("0", "ReLU", "2", "Tanh")
    assert relu.mean == pytest.approx(values.mean(), rel=1e-4)
    assert relu.spread == pytest.approx(values.std(), rel=1e-4)
    assert relu.zeros == pytest.approx((values == 0).mean(), rel=1e-4)
    assert relu.dead == 0.5
    assert tanh.saturated == 0.5
    assert tanh.dead == 0.5


def test_an_activation_that_is_used_twice_is_told_of_twice():
    shared = nn.ReLU()
    module = nn.Sequential(nn.Linear(2, 3), shared, shared, nn.Linear(3, 2))
    with watching(module) as seen:
        module(torch.ones(4, 2))
    assert [each.name for each in seen.activities] == ["0", "0 (2)"]


def test_mismatch_of_batch_normalization_is_measured_in_its_own_unit():
    module = nn.Sequential(nn.BatchNorm2d(3, eps=1e-9)).train()
    module[0].running_mean.copy_(torch.tensor([0.0, 1.0, 2.0]))
    module[0].running_var.copy_(torch.tensor([4.0, 4.0, 4.0]))
    inputs = torch.randn(64, 3, 5, 5, generator=torch.Generator().manual_seed(0)).double()
    with undisturbed(module), comparing(module) as seen:
        module.double()(inputs)
    (mismatch,) = seen.mismatches
    means = inputs.transpose(0, 1).flatten(1).mean(1).numpy()
    spreads = inputs.transpose(0, 1).flatten(1).numpy().std(axis=1)
    assert mismatch.shift == pytest.approx(np.median(np.abs(means - np.array([0.0, 1.0, 2.0])) / 2.0), rel=1e-3)
    assert mismatch.scale == pytest.approx(np.median(np.abs(np.log(spreads / 2.0))), rel=1e-3)
    assert torch.equal(module[0].running_mean.float(), torch.tensor([0.0, 1.0, 2.0]))
    assert int(module[0].num_batches_tracked) == 0


def test_a_loss_that_is_no_number_is_written_as_none(made):
    module, probe = made
    with torch.no_grad():
        module[7].weight.fill_(float("inf"))
    probe.before()
    seen = probe.after(0.1)
    assert seen["loss"] is None
    assert seen["curvature"] is None
