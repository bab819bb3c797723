"""All that a training needs to go on."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from sightline.model.format import digest_of_tensors


@dataclass
class State:
    """The changing part of a training. Everything else is a function of the resolved recipe and the data."""

    network: nn.Module
    optimizer: Optimizer
    average: dict[str, Tensor] | None
    """Running average of the weights and buffers, or the slow copy of lookahead; None where the recipe keeps none."""
    epoch: int = 0
    """Epochs completed."""
    step: int = 0
    """Updates made."""
    loss_sum: float = 0.0
    """Of the pictures of the epoch under way."""
    right: float = 0.0
    """Pictures of the epoch under way whose class was the likeliest."""
    best_loss: float = float("inf")
    best_epoch: int = 0
    best: dict[str, Tensor] = field(default_factory=dict)
    """The weights that will be sealed: best by validation loss, or the last where nothing is held out."""
    stage: int = 0
    """Which of the training's stages is under way, counted from 0."""
    stage_epoch: int = 0
    """Epochs that were completed when the stage began."""
    stage_step: int = 0
    """Updates that were made when the stage began."""
    start: dict[str, Tensor] = field(default_factory=dict)
    """The weights that the stage began with; empty in the first."""
    losses: Tensor | None = None
    """Of each record of the catalogue when it was last seen before this epoch, NaN where it never was; None where
    nothing depends on them."""
    seen: Tensor | None = None
    """The same with those of the epoch under way."""

    def judged(self) -> dict[str, Tensor]:
        """Return the weights that evaluation and sealing look at: the average where there is one."""
        return self.average if self.average is not None else dict(self.network.state_dict())


@contextlib.contextmanager
def holding(network: nn.Module, weights: Mapping[str, Tensor]) -> Iterator[None]:
    """Run the body with other weights in a network, and put its own back."""
    own = copied(network.state_dict())
    network.load_state_dict(weights)
    try:
        yield
    finally:
        network.load_state_dict(own)


def begin(network: nn.Module, optimizer: Optimizer, *, averaged: bool) -> State:
    """Return the state before the first step."""
    return State(network, optimizer, copied(network.state_dict()) if averaged else None)


def copied(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return copies that later steps do not change."""
    return {name: tensor.detach().clone() for name, tensor in weights.items()}


@torch.no_grad()
def follow(average: dict[str, Tensor], network: nn.Module, decay: float) -> None:
    """Move the running average towards the network: A ← decay · A + (1 − decay) · W; whole numbers are copied."""
    for name, tensor in network.state_dict().items():
        if tensor.dtype.is_floating_point:
            average[name].lerp_(tensor, 1.0 - decay)
        else:
            average[name].copy_(tensor)


@torch.no_grad()
def go_back(slow: dict[str, Tensor], network: nn.Module, *, share: float) -> None:
    """Lookahead: the weights run ahead, and go back to where a slow copy has come on their way.

    For each weight W and its slow copy S, which begins as W, after every k steps:

        S ← S + share · (W − S)
        W ← S

    Steps of the optimizer explore, and only what they agree on over k of them is kept, which bears larger rates. The
    slow copy is what is judged and sealed. Running statistics of batch normalization go the same way.

    Args:
        slow: S, by the name of the weight or buffer.
        network: whose weights are W.
        share: of the way, in (0, 1); 0.5 with k = 5 to 10 is usual.

    Torch: not in torch.

    Slides: not in the slides.

    Source: Zhang, Lucas, Hinton and Ba, Lookahead optimizer: k steps forward, 1 step back (NeurIPS 2019,
        arXiv:1907.08610).
    """
    follow(slow, network, 1.0 - share)
    for name, tensor in network.state_dict().items():
        tensor.copy_(slow[name])


def shortened_digest(weights: Mapping[str, Tensor]) -> str:
    """Return the first 16 hexadecimal digits of a digest of every bit of some weights."""
    return digest_of_tensors({name: tensor.detach().cpu().numpy() for name, tensor in weights.items()})[:16]
