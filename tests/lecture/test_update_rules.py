"""Every update rule that runs is the published equation, step by step, and not the slides' slip of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from inspect import signature
from operator import attrgetter

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import nn

from sightline.optimization import build
from sightline.optimization.adam import adam
from sightline.optimization.adamw import adamw
from sightline.optimization.momentum import momentum
from sightline.optimization.nesterov import nesterov
from sightline.optimization.rmsprop import rmsprop
from sightline.optimization.sgd import sgd
from sightline.recipe import optimizer as recipe

STEPS = 1000
BATCH, INPUTS, OUTPUTS = 8, 12, 5
Array = NDArray[np.float64]
Gradient = Callable[[Array, int], Array]
Path = Iterator[Array]


@dataclass(frozen=True)
class Problem:
    """Least squares over random batches: convex, and noisy enough that no gradient dies out."""

    start: Array
    inputs: Array
    targets: Array

    def gradient(self, weights: Array, step: int) -> Array:
        """Return dL/dW of L = ½ mean over the batch of ‖x Wᵀ − y‖²."""
        residual = self.inputs[step] @ weights.T - self.targets[step]
        return residual.T @ self.inputs[step] / BATCH


@cache
def problem() -> Problem:
    rng = np.random.default_rng(7)
    truth = rng.normal(size=(OUTPUTS, INPUTS))
    inputs = rng.normal(size=(STEPS, BATCH, INPUTS)) * np.linspace(0.3, 1.5, INPUTS)
    targets = inputs @ truth.T + 0.3 * rng.normal(size=(STEPS, BATCH, OUTPUTS))
    return Problem(rng.normal(size=(OUTPUTS, INPUTS)), inputs, targets)


# The equations, from the papers. A rate may depend on the step t = 0, 1, …


def by_sgd(g: Gradient, w: Array, rate: Callable[[int], float], decay: float) -> Path:
    for t in range(STEPS):
        w = w - rate(t) * (g(w, t) + decay * w)
        yield w


def by_momentum(g: Gradient, w: Array, rate: Callable[[int], float], decay: float) -> Path:
    v = np.zeros_like(w)
    for t in range(STEPS):
        v = 0.9 * v + (g(w, t) + decay * w)
        w = w - rate(t) * v
        yield w


def by_nesterov(g: Gradient, w: Array, rate: Callable[[int], float], decay: float) -> Path:
    v = np.zeros_like(w)
    for t in range(STEPS):
        slope = g(w, t) + decay * w
        v = 0.9 * v + slope
        w = w - rate(t) * (slope + 0.9 * v)
        yield w


def by_rmsprop(g: Gradient, w: Array, rate: Callable[[int], float], decay: float) -> Path:
    s = np.zeros_like(w)
    for t in range(STEPS):
        slope = g(w, t) + decay * w
        s = 0.99 * s + 0.01 * slope**2
        w = w - rate(t) * slope / (np.sqrt(s) + 1e-8)
        yield w


def by_adadelta(g: Gradient, w: Array, rate: Callable[[int], float], decay: float) -> Path:
    squared_slopes, squared_steps = np.zeros_like(w), np.zeros_like(w)
    for t in range(STEPS):
        slope = g(w, t) + decay * w
        squared_slopes = 0.95 * squared_slopes + 0.05 * slope**2
        step = np.sqrt(squared_steps + 1e-6) / np.sqrt(squared_slopes + 1e-6) * slope
        squared_steps = 0.95 * squared_steps + 0.05 * step**2
        w = w - rate(t) * step
        yield w


def by_adam(g: Gradient, w: Array, rate: Callable[[int], float], decay: float, *, decoupled: bool = False) -> Path:
    m, v = np.zeros_like(w), np.zeros_like(w)
    for t in range(STEPS):
        slope = g(w, t) + (0.0 if decoupled else decay * w)
        m = 0.9 * m + 0.1 * slope
        v = 0.999 * v + 0.001 * slope**2
        unbiased_m, unbiased_v = m / (1 - 0.9 ** (t + 1)), v / (1 - 0.999 ** (t + 1))
        step = unbiased_m / (np.sqrt(unbiased_v) + 1e-8)
        w = w - rate(t) * (step + (decay * w if decoupled else 0.0))
        yield w


def by_adamw(g: Gradient, w: Array, rate: Callable[[int], float], decay: float) -> Path:
    yield from by_adam(g, w, rate, decay, decoupled=True)


@dataclass(frozen=True)
class Rule:
    section: type[recipe.OptimizerChoices]
    equation: Callable[[Gradient, Array, Callable[[int], float], float], Path]
    rate: float

    @property
    def name(self) -> str:
        return str(self.section.model_fields["name"].default)

    def optimizer(self, module: nn.Module, decay: float) -> torch.optim.Optimizer:
        return build(self.section(learning_rate=self.rate, weight_decay=decay), module)  # type: ignore[arg-type]


RULES = [
    Rule(recipe.Sgd, by_sgd, 0.05),
    Rule(recipe.Momentum, by_momentum, 0.01),
    Rule(recipe.Nesterov, by_nesterov, 0.01),
    Rule(recipe.RmsProp, by_rmsprop, 0.003),
    Rule(recipe.Adadelta, by_adadelta, 1.0),
    Rule(recipe.Adam, by_adam, 0.01),
    Rule(recipe.AdamW, by_adamw, 0.01),
]


def run_with_torch(
    make: Callable[[nn.Module], torch.optim.Optimizer], rate: Callable[[int], float] | None = None
) -> Array:
    """Return the weights after each step, shape (steps, outputs, inputs)."""
    layer = nn.Linear(INPUTS, OUTPUTS, bias=False, dtype=torch.float64)
    inputs, targets = torch.from_numpy(problem().inputs), torch.from_numpy(problem().targets)
    with torch.no_grad():
        layer.weight.copy_(torch.from_numpy(problem().start))
    optimizer = make(layer)
    path = np.empty((STEPS, OUTPUTS, INPUTS))
    for t in range(STEPS):
        if rate is not None:
            optimizer.param_groups[0]["lr"] = rate(t)
        residual = inputs[t] @ layer.weight.detach().T - targets[t]
        layer.weight.grad = residual.T @ inputs[t] / BATCH
        optimizer.step()
        path[t] = layer.weight.detach().numpy()
    return path


def run_by_equation(path: Path) -> Array:
    return np.stack(list(path))


def constantly(rate: float) -> Callable[[int], float]:
    return lambda _: rate


def falling(t: int) -> float:
    return 0.01 if t < STEPS // 2 else 0.001


def assert_same_path(ran: Array, expected: Array) -> None:
    """Relative to the size of the weights: a single weight may pass through 0."""
    np.testing.assert_allclose(ran, expected, rtol=1e-12, atol=1e-12 * float(np.abs(expected).max()))


def distance(ran: Array, other: Array) -> float:
    """Return how far the ends of two paths lie apart, as a share of the way gone."""
    return float(np.linalg.norm(ran[-1] - other[-1]) / np.linalg.norm(ran[-1] - problem().start))


@pytest.mark.parametrize("decay", [0.0, 0.02], ids=["plain", "decayed"])
@pytest.mark.parametrize("rule", RULES, ids=attrgetter("name"))
def test_thousand_steps_match_the_published_equation(rule: Rule, decay: float) -> None:
    ran = run_with_torch(lambda layer: rule.optimizer(layer, decay))
    expected = run_by_equation(rule.equation(problem().gradient, problem().start, constantly(rule.rate), decay))
    assert_same_path(ran, expected)


@pytest.mark.parametrize("rule", RULES, ids=attrgetter("name"))
def test_a_changed_rate_acts_at_once(rule: Rule) -> None:
    ran = run_with_torch(lambda layer: rule.optimizer(layer, 0.0), falling)
    assert_same_path(ran, run_by_equation(rule.equation(problem().gradient, problem().start, falling, 0.0)))


@pytest.mark.parametrize("rule", [sgd, momentum, nesterov, adam, adamw], ids=attrgetter("__name__"))
def test_the_rule_without_its_fused_kernel_is_the_same(rule: Callable[..., torch.optim.Optimizer]) -> None:
    assert "fused" in signature(rule).parameters
    ran = run_with_torch(lambda layer: rule(layer.parameters(), learning_rate=0.01, weight_decay=0.02, fused=False))
    (equation,) = (known.equation for known in RULES if known.name == rule.__name__)
    assert_same_path(ran, run_by_equation(equation(problem().gradient, problem().start, constantly(0.01), 0.02)))


def test_adamw_and_adam_differ_by_how_they_decay() -> None:
    paths = [run_with_torch(lambda layer, rule=rule: rule.optimizer(layer, 0.02)) for rule in RULES[-2:]]
    assert distance(*paths) > 1e-3


def test_slides_momentum_is_ours_at_a_constant_rate_and_not_at_a_changing_one() -> None:
    def by_slides(rate: Callable[[int], float]) -> Path:
        w, v = problem().start, np.zeros_like(problem().start)
        for t in range(STEPS):
            v = 0.9 * v + rate(t) * problem().gradient(w, t)
            w = w - v
            yield w

    ours = [
        run_with_torch(lambda layer: momentum(layer.parameters(), learning_rate=0.01), rate)
        for rate in (constantly(0.01), falling)
    ]
    slides = [run_by_equation(by_slides(rate)) for rate in (constantly(0.01), falling)]
    assert_same_path(ours[0], slides[0])
    drop = STEPS // 2
    assert_same_path(ours[1][:drop], slides[1][:drop])
    first_moves = [np.linalg.norm(path[1][drop] - path[1][drop - 1]) for path in (ours, slides)]
    assert first_moves[1] > 4 * first_moves[0], "the slides' velocity still carries the old rate"


def test_nesterov_looks_ahead() -> None:
    """In Nesterov's own variables: the gradient is taken at θ + ρ u, and W is that point."""

    def by_looking_ahead() -> Path:
        theta, u = problem().start, np.zeros_like(problem().start)
        for t in range(STEPS):
            u = 0.9 * u - 0.01 * problem().gradient(theta + 0.9 * u, t)
            theta = theta + u
            yield theta + 0.9 * u

    ran = run_with_torch(lambda layer: nesterov(layer.parameters(), learning_rate=0.01))
    assert_same_path(ran, run_by_equation(by_looking_ahead()))


def test_slides_rmsprop_has_a_stray_line() -> None:
    def by_slides() -> Path:
        w, s = problem().start, np.zeros_like(problem().start)
        for t in range(STEPS):
            g = problem().gradient(w, t)
            s = s + np.sqrt(g**2)
            s = 0.99 * s + 0.01 * g**2
            w = w - 0.003 * g / (np.sqrt(s) + 1e-8)
            yield w

    ran = run_with_torch(lambda layer: rmsprop(layer.parameters(), learning_rate=0.003))
    slides = run_by_equation(by_slides())
    assert distance(ran, slides) > 0.2
    lengths = [np.linalg.norm(np.diff(path, axis=0), axis=(1, 2))[-100:].mean() for path in (ran, slides)]
    assert lengths[1] < 0.3 * lengths[0], "what piles up in S makes the steps shrink"


def test_slides_adam_corrects_its_state_again_and_again() -> None:
    def by_slides(*, epsilon_inside: bool, fed_back: bool, epsilon: float = 1e-8) -> Path:
        w = problem().start
        m, v = np.zeros_like(w), np.zeros_like(w)
        for t in range(STEPS):
            g = problem().gradient(w, t)
            m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g**2
            unbiased_m, unbiased_v = m / (1 - 0.9 ** (t + 1)), v / (1 - 0.999 ** (t + 1))
            if fed_back:
                m, v = unbiased_m, unbiased_v
            root = np.sqrt(unbiased_v + epsilon) if epsilon_inside else np.sqrt(unbiased_v) + epsilon
            w = w - 0.01 * unbiased_m / root
            yield w

    ran = run_with_torch(lambda layer: adam(layer.parameters(), learning_rate=0.01))
    assert_same_path(ran, run_by_equation(by_slides(epsilon_inside=False, fed_back=False)))

    with np.errstate(over="ignore"):
        fed_back = run_by_equation(by_slides(epsilon_inside=False, fed_back=True))
    assert distance(ran, fed_back) > 0.2
    late_moves = np.abs(np.diff(fed_back, axis=0))[100:].max()
    assert late_moves < 1e-12, "the state is divided by less than 1 at every step, outgrows all, and the weights freeze"

    coarse = run_with_torch(lambda layer: adam(layer.parameters(), learning_rate=0.01, epsilon=0.1))
    inside = run_by_equation(by_slides(epsilon_inside=True, fed_back=False, epsilon=0.1))
    assert distance(coarse, inside) > 1e-3
    tiny = np.abs(run_by_equation(by_slides(epsilon_inside=True, fed_back=False)) - ran).max()
    assert tiny < 1e-5, "at ε = 1e-8 its place hardly matters as long as gradients are large"


def test_adadelta_steps_in_the_unit_of_the_weights() -> None:
    """Gradients a thousand times as large, as after a change of the loss's unit, leave the path nearly as it is."""

    def scaled(w: Array, t: int) -> Array:
        return 1000.0 * problem().gradient(w, t)

    plain = run_by_equation(by_adadelta(problem().gradient, problem().start, constantly(1.0), 0.0))
    large = run_by_equation(by_adadelta(scaled, problem().start, constantly(1.0), 0.0))
    assert distance(plain, large) < 0.01
