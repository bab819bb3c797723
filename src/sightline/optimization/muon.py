"""Muon: momentum, orthogonalized by Newton–Schulz."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, overload

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.optim import Optimizer

Groups = Iterable[dict[str, Any]]
LINEAR, CUBIC, QUINTIC = 3.4445, -4.7750, 2.0315
TINY = 1e-7


def muon(
    groups: Groups,
    *,
    is_matrix: Callable[[str, nn.Parameter], bool],
    learning_rate: float,
    momentum: float = 0.6,
    iterations: int = 3,
    rest_momentum: float = 0.85,
) -> Optimizer:
    """Muon: the velocity of a layer's matrix is made orthogonal, so that every direction is as long.

    A gradient of a layer is nearly of low rank: a few directions are many times longer than the others and take all of
    the step. Muon makes them equal. For a weight W of a hidden layer, shape (out, in) or (out, in, height, width), seen
    as a matrix of shape (out, in · height · width), with gradient g_t, starting from v_0 = 0:

        v_t = momentum · v_{t-1} + g_t
        O_t = orthogonalized(g_t + momentum · v_t)
        W_{t-1} ← √out · W_{t-1} / ‖W_{t-1}‖
        W_t = W_{t-1} − learning_rate · O_t

    The norm of W is held where a row has length 1 on average: a normalization behind the layer cancels the norm, and
    steps of a known length against a known norm turn the weights by a known angle. All other parameters, and the last
    layers, follow Nesterov's momentum:

        v_t = rest_momentum · v_{t-1} + g_t
        W_t = (1 − weight_decay · rate_t) · W_{t-1} − rate_t · rate_factor · (g_t + rest_momentum · v_t)

    Args:
        groups: of (name, parameter) pairs, with a `weight_decay` and, where it is not 1, a `rate_factor` of their own.
        is_matrix: whether a parameter is the matrix of a hidden layer.
        learning_rate: length of a step in every direction (α), > 0, where rows have length 1; 0.02 to 0.3 is usual.
        momentum: share of a matrix's velocity that stays (ρ), in [0, 1).
        iterations: of Newton–Schulz, ≥ 1.
        rest_momentum: ρ of all other parameters, in [0, 1).

    Torch: torch.optim.Muon keeps the norm of W free and runs five iterations, and takes no filters of convolutions.

    Slides: not in the slides; it is momentum, seen as a matrix.

    Source: Jordan et al., Muon: an optimizer for hidden layers in neural networks (2024); the held norm: Jordan, 94 %
        on CIFAR-10 in 3.29 seconds on a single GPU (2024, arXiv:2404.00498) and its repository.
    """
    divided = []
    for group in groups:
        kept = {key: value for key, value in group.items() if key != "params"}
        for matrices in (True, False):
            if chosen := [pair for pair in group["params"] if is_matrix(*pair) is matrices]:
                own = {"momentum": momentum if matrices else rest_momentum, "iterations": iterations * matrices}
                divided.append({"rate_factor": 1.0, **kept, **own, "params": chosen})
    return _Muon(divided, {"lr": learning_rate, "weight_decay": 0.0})


def orthogonalized(matrix: Float[Tensor, "row column"], *, iterations: int) -> Float[Tensor, "row column"]:
    """Newton–Schulz: a matrix with about the same directions, all of about the same length.

    For a matrix M = U · diag(s) · Vᵀ, starting from X = M / ‖M‖, so that every s is at most 1:

        X ← 3.4445 · X − 4.7750 · (X · Xᵀ) · X + 2.0315 · (X · Xᵀ)² · X

    turns each s into a polynomial of itself, which is steep at 0 and, after some rounds, between 0.7 and 1.2 for all s
    that were not tiny: U · diag(about 1) · Vᵀ. Only products of matrices are needed, which every machine does fast.

    Args:
        matrix: of any shape; one of 0 stays 0.
        iterations: 5 bring s from 0.005 on near 1; 3, which do less for the weakest directions, are enough to train.

    Source: Higham, Functions of matrices (2008), chapter 8; the coefficients: Jordan et al. (2024).
    """
    tall = matrix.shape[0] > matrix.shape[1]
    x: Tensor = matrix.T if tall else matrix
    x = x / (x.norm() + TINY)
    for _ in range(iterations):
        gram = x @ x.T
        x = LINEAR * x + (CUBIC * gram + QUINTIC * gram @ gram) @ x
    return x.T if tall else x


class _Muon(Optimizer):
    """Groups with `iterations` above 0 are of matrices; `lr` of a group has its `rate_factor` in it."""

    @overload
    def step(self, closure: None = None) -> None: ...
    @overload
    def step(self, closure: Callable[[], float]) -> float: ...
    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:
        """Make one update; a closure, which other rules need, is not asked."""
        if closure is not None:
            raise ValueError("found a closure; wanted none: the gradient is there already")
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    self._update(parameter, parameter.grad, group)
        return None

    def _update(self, parameter: Tensor, gradient: Tensor, group: dict[str, Any]) -> None:
        state, rate = self.state[parameter], group["lr"]
        if "velocity" not in state:
            state["velocity"] = torch.zeros_like(parameter)
        velocity = state["velocity"].mul_(group["momentum"]).add_(gradient)
        ahead = gradient.add(velocity, alpha=group["momentum"])
        if group["iterations"]:
            turned = orthogonalized(ahead.flatten(1), iterations=group["iterations"])
            parameter.mul_(len(parameter) ** 0.5 / (parameter.norm() + TINY))
            parameter.sub_(turned.view(parameter.shape), alpha=rate)
        else:
            parameter.mul_(1.0 - group["weight_decay"] * rate / group["rate_factor"])
            parameter.sub_(ahead, alpha=rate)
