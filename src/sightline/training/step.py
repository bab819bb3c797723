"""One update of the weights, as a function of a list of shards."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor
from torch.nn.functional import cross_entropy, one_hot
from torch.optim import Optimizer

from sightline.keys import purpose
from sightline.optimization import clip_norm as clip
from sightline.training.loss import LossFunction
from sightline.training.state import State, follow, go_back
from sightline.transfer_learning.l2_sp import pull


@dataclass(frozen=True)
class Mixture:
    """What else is in pictures that were mixed with others."""

    labels: Int[Tensor, " image"]
    """Class of each picture's partner; its own where it has none."""
    own: Float[Tensor, " image"]
    """Share of a picture's own class, 0 to 1; its partner's class has the rest."""


@dataclass(frozen=True)
class Shard:
    """A part of a batch whose gradient is computed by itself; gradients are summed in the order of the shards."""

    inputs: Float[Tensor, "image channel height width"]
    """Standardized, on the network's device, like the labels."""
    labels: Int[Tensor, " image"]
    mixture: Mixture | None = None
    weights: Float[Tensor, " image"] | None = None
    """That each picture's loss counts with; None where each counts alike."""

    def divided(self, parts: int) -> list[Shard]:
        """Return the pictures in so many parts, whose sizes differ by one at most."""
        inputs, labels = self.inputs.tensor_split(parts), self.labels.tensor_split(parts)
        if self.mixture is None:
            return [Shard(*pair) for pair in zip(inputs, labels, strict=True)]
        mixed = zip(self.mixture.labels.tensor_split(parts), self.mixture.own.tensor_split(parts), strict=True)
        mixtures = [Mixture(*pair) for pair in mixed]
        return [Shard(*part) for part in zip(inputs, labels, mixtures, strict=True)]

    def targets(self, classes: int) -> Tensor:
        """Return what the loss compares with: labels, or the share of each class, shape (image, classes)."""
        if self.mixture is None:
            return self.labels
        own = self.mixture.own[:, None]
        return own * one_hot(self.labels, classes) + (1.0 - own) * one_hot(self.mixture.labels, classes)


@dataclass(frozen=True)
class Judged:
    """What a step saw before it changed the weights."""

    loss: float
    """Mean over the step's pictures."""
    right: float
    """Pictures whose class was the likeliest, as seen with dropout on."""
    losses: Float[Tensor, " image"] | None
    """Of each picture, without smoothing and weights, where that is asked for."""
    fault: str
    """What is not finite, so that no weight was changed; empty where all is well."""


Standardize = Callable[[UInt8[Tensor, "image height width channel"]], Tensor]
"""Pixels to what the network takes, shape (image, channel, height, width)."""

Forward = Callable[[Tensor], Tensor]
"""A network, or its compiled form."""

Objective = Callable[[Shard], tuple[Tensor, Tensor]]
"""A shard's scores, and the sum over its pictures of what is made small."""


@dataclass(frozen=True)
class Lookahead:
    """Every so many steps the weights go back to a slow copy, which has come a share of their way."""

    steps: int
    share: float


Step = Callable[[State, Sequence[Shard], float], Judged]


def supervised(forward: Forward, loss: LossFunction) -> Objective:
    """Return the objective that compares a network's scores with the labels."""

    def objective(shard: Shard) -> tuple[Tensor, Tensor]:
        logits = forward(shard.inputs)
        return logits, loss(logits.float(), shard.targets(logits.shape[1]), shard.weights)

    return objective


def in_bfloat16(forward: Forward, device: str) -> Forward:
    """Return a network that computes in bfloat16 what loses little by it; its weights stay float32."""

    def lowered(inputs: Tensor) -> Tensor:
        with torch.autocast(device, dtype=torch.bfloat16):
            return forward(inputs)

    return lowered


def make_step(
    *,
    objective: Objective,
    device: str,
    clip_norm: float,
    average_decay: float,
    lookahead: Lookahead | None = None,
    seed: int,
    l2_sp: float = 0.0,
) -> Step:
    """Return the function that updates a state once.

    Args:
        objective: of a shard, through the state's network or its compiled form, which shares the weights.
        device: where it runs.
        clip_norm: largest norm of the gradient; 0 does not clip.
        average_decay: of the running average, per step.
        lookahead: in place of a running average.
        seed: of dropout.
        l2_sp: strength of the pull towards where the stage began.
    """
    dropout = purpose(seed, "dropout")

    def step(state: State, shards: Sequence[Shard], learning_rate: float) -> Judged:
        images = sum(_counted(shard) for shard in shards)
        # torch's dropout draws from its global generator: keyed anew, its numbers depend on the step alone.
        _key(device, dropout.torch_seed(epoch=state.epoch, step=state.step))
        for group in state.optimizer.param_groups:
            group["lr"] = learning_rate * group.get("rate_factor", 1.0)
        state.optimizer.zero_grad(set_to_none=True)
        total, right = 0.0, 0.0
        losses: list[Tensor] = []
        for shard in shards:
            logits, summed = objective(shard)
            shard_loss = summed / images
            value = shard_loss.item()
            if not math.isfinite(value):
                return Judged(value, 0.0, None, f"the loss is {value}")
            shard_loss.backward()  # type: ignore[no-untyped-call]
            total += value
            correct = logits.detach().argmax(1) == shard.labels
            if shard.weights is None:
                right += int(correct.sum())
            else:
                right += float((correct * shard.weights).sum())
                losses.append(cross_entropy(logits.detach().float(), shard.labels, reduction="none"))
        if l2_sp > 0:
            pull(state.network, state.start, strength=l2_sp)
        norm = float(_norm(state.optimizer, clip_norm))
        if not math.isfinite(norm):
            return Judged(total, right, None, f"the norm of the gradient is {norm}")
        state.optimizer.step()
        state.step += 1
        if lookahead is not None and state.average is not None:
            if state.step % lookahead.steps == 0:
                go_back(state.average, state.network, share=lookahead.share)
        elif state.average is not None:
            follow(state.average, state.network, average_decay)
        shown = sum(len(shard.labels) for shard in shards)
        return Judged(total, right * shown / images, torch.cat(losses).cpu() if losses else None, "")

    return step


def _counted(shard: Shard) -> float:
    """Return how many pictures a shard stands for."""
    return len(shard.labels) if shard.weights is None else float(shard.weights.sum())


def _norm(optimizer: Optimizer, largest: float) -> Tensor:
    """Return the norm of the whole gradient, clipped afterwards where `largest` is above 0."""
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    if largest > 0:
        return clip(parameters, largest)
    return torch.nn.utils.get_total_norm([p.grad for p in parameters if p.grad is not None])


def _key(device: str, seed: int) -> None:
    # Only the generator that is used: seeding all of torch's notes a stack trace for each device that is not there.
    if device == "cuda":
        torch.cuda.manual_seed(seed)
    elif device == "mps":
        torch.mps.manual_seed(seed)
    else:
        torch.default_generator.manual_seed(seed)
