"""Each lever against forgetting, and each measure of drift, against its equation in float64 NumPy."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from small_transfer import ARCHITECTURES, made

from sightline.preprocessing import Statistics
from sightline.transfer_learning import (
    distillation,
    for_channels,
    interpolated,
    is_head,
    layers,
    linear_cka,
    outputs,
    rate_factors,
    relative_distance,
    unlike,
)
from sightline.transfer_learning.l2_sp import pull


def softmax(scores):
    shifted = np.exp(scores - scores.max(axis=1, keepdims=True))
    return shifted / shifted.sum(axis=1, keepdims=True)


@given(st.integers(0, 2**31), st.floats(0.3, 8))
@settings(deadline=None, max_examples=40)
def test_distillation_is_the_divergence_from_the_old_answers(seed, temperature):
    random = np.random.default_rng(seed)
    now, old = random.normal(size=(2, 5, 4)) * 3
    p, q = softmax(now / temperature), softmax(old / temperature)
    wanted = temperature**2 * (q * np.log(q / p)).sum()
    given_ = torch.tensor(now, requires_grad=True)
    found = distillation(given_, torch.tensor(old, requires_grad=True), temperature=temperature)
    assert float(found.detach()) == pytest.approx(wanted, rel=1e-4, abs=1e-5)
    found.backward()
    # The gradient of T² · KL by the scores is T · (p − q).
    np.testing.assert_allclose(given_.grad.numpy(), temperature * (p - q), rtol=1e-3, atol=1e-5)


def test_distillation_of_what_was_not_forgotten_is_nothing_and_teaches_nothing_to_the_old():
    scores = torch.randn(6, 3, generator=torch.Generator().manual_seed(0), requires_grad=True)
    teacher = scores.detach().clone().requires_grad_()
    loss = distillation(scores, teacher)
    loss.backward()
    assert float(loss.detach()) == pytest.approx(0, abs=1e-6)
    assert teacher.grad is None


def test_the_pull_is_the_gradient_of_half_the_squared_distance_and_spares_the_head():
    network = made(ARCHITECTURES["resnet18"])
    start = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    generator = torch.Generator().manual_seed(3)
    frozen = "layer2.0.conv1.weight"
    before = {}
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            parameter.add_(torch.randn(parameter.shape, generator=generator))
            if name != frozen:
                parameter.grad = torch.randn(parameter.shape, generator=generator)
                before[name] = parameter.grad.clone()
    pull(network, start, strength=0.25)
    for name, parameter in network.named_parameters():
        if name == frozen:
            assert parameter.grad is None
            continue
        moved = 0.0 if is_head(network, name) else 0.25
        wanted = before[name].double() + moved * (parameter.double() - start[name].double())
        torch.testing.assert_close(parameter.grad.double(), wanted, rtol=1e-5, atol=1e-6)


@given(st.floats(0, 1))
@settings(deadline=None)
def test_interpolation_is_a_straight_line_whose_ends_are_exact(share):
    generator = torch.Generator().manual_seed(0)
    start = {"w": torch.randn(4, 3, generator=generator), "n": torch.tensor(7)}
    end = {"w": torch.randn(4, 3, generator=generator), "n": torch.tensor(9)}
    found = interpolated(start, end, share)
    wanted = (1 - share) * start["w"].double() + share * end["w"].double()
    torch.testing.assert_close(found["w"].double(), wanted, rtol=1e-5, atol=1e-6)
    if share in (0.0, 1.0):
        assert torch.equal(found["w"], (start if share == 0 else end)["w"])


def hsic(x, y):
    """CKA by its other formula, with centered Gram matrices (Kornblith et al. 2019, equation 3 and section 2.1)."""
    n = len(x)
    center = np.eye(n) - np.ones((n, n)) / n
    k, other = center @ (x @ x.T) @ center, center @ (y @ y.T) @ center
    return np.trace(k @ other) / np.sqrt(np.trace(k @ k) * np.trace(other @ other))


@given(arrays(np.float64, (7, 3), elements=st.floats(-5, 5)), st.integers(0, 1000))
@settings(deadline=None)
def test_cka_agrees_with_gram_matrices_and_does_not_see_turning_and_scale(x, seed):
    random = np.random.default_rng(seed)
    x = x + random.normal(size=x.shape)
    y = random.normal(size=(7, 5))
    assert linear_cka(x, y) == pytest.approx(hsic(x, y), rel=1e-6)
    turn, _ = np.linalg.qr(random.normal(size=(3, 3)))
    assert linear_cka(x, 3.5 * x @ turn + 8) == pytest.approx(1)
    assert 0 <= linear_cka(x, y) <= 1 + 1e-12
    assert linear_cka(x, np.ones((7, 2))) == 0.0


def test_relative_distance_is_that_of_the_named_weights_together():
    start = {"a": torch.tensor([3.0, 0.0]), "b": torch.tensor([4.0]), "c": torch.tensor([1.0])}
    end = {"a": torch.tensor([3.0, 1.0]), "b": torch.tensor([4.0]), "c": torch.tensor([9.0])}
    assert relative_distance(start, end, ["a", "b"]) == pytest.approx(1 / 5)
    assert relative_distance(start, start, ["a"]) == 0
    assert relative_distance({"a": torch.zeros(2)}, {"a": torch.ones(2)}, ["a"]) == float("inf")


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_layers_hold_every_parameter_once_and_rates_fall_towards_the_input(name):
    network = made(ARCHITECTURES[name])
    found = layers(network)
    parameters = [each for layer in found for each in layer.parameters]
    assert sorted(parameters) == sorted(dict(network.named_parameters()))
    assert found[-1].name == "head"
    factors = rate_factors(network, decay=0.5)
    assert [factors[layer.parameters[0]] for layer in found] == [0.5**d for d in reversed(range(len(found)))]
    assert all(len({factors[each] for each in layer.parameters}) == 1 for layer in found)
    said = outputs(network.eval(), [torch.zeros(2, 3, 32, 32), torch.ones(3, 3, 32, 32)], found)
    assert {key: len(rows) for key, rows in said.items()} == {layer.name: 5 for layer in found}


def test_outputs_are_the_means_of_maps():
    network = made(ARCHITECTURES["vgg"]).eval()
    pictures = torch.randn(4, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    said = outputs(network, [pictures], layers(network))
    with torch.no_grad():
        wanted = network.features[0](pictures).mean(dim=(2, 3))
        scores = network(pictures)
    np.testing.assert_allclose(said["features.0"], wanted.numpy(), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(said["head"], scores.numpy(), rtol=1e-5, atol=1e-6)


def test_statistics_for_other_channels_are_means_or_repetitions():
    color = Statistics(np.array([0.3, 0.4, 0.5]), np.array([0.1, 0.2, 0.3]), None)
    gray = for_channels(color, 1)
    np.testing.assert_allclose([gray.mean[0], gray.deviation[0]], [0.4, 0.2])
    again = for_channels(gray, 3)
    np.testing.assert_allclose(again.mean, [0.4] * 3)
    assert for_channels(color, 3) is color


@pytest.mark.parametrize(
    ("mean", "deviation", "fires"),
    [(0.5, 0.25, False), (0.1, 0.25, True), (0.5, 0.05, True), (0.5, 0.8, True), (0.6, 0.2, False)],
)
def test_pictures_far_from_the_source_are_one_sentence(mean, deviation, fires):
    source = Statistics(np.full(3, 0.5), np.full(3, 0.25), None)
    found = unlike(source, Statistics(np.full(3, mean), np.full(3, deviation), None))
    assert len(found) == fires
    for sentence in found:
        assert "--set preprocessing.statistics=fitted" in sentence
        assert f"{mean:.2f}" in sentence
