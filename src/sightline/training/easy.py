"""Leaving out some of the pictures that are learned already, so that the time goes to those that are not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float32, Int64, UInt64
from numpy import ndarray

from sightline.keys import purpose
from sightline.training.step import Shard


@dataclass(frozen=True)
class Selection:
    """The pictures of an epoch."""

    records: Int64[ndarray, " picture"]
    weights: Float32[ndarray, " picture"]
    """That their losses count with."""


def selected(
    records: Int64[ndarray, " record"],
    keys: UInt64[ndarray, " record"],
    losses: Float32[ndarray, " record"],
    *,
    share: float,
    until: float,
    least: int,
    seed: int,
    epoch: int,
    planned: float,
    epochs: int,
) -> Selection:
    """Hard-example selection: some of the easy pictures are left out, and the others of them count for more.

    With the loss ℓ_i of each picture when it was last seen, their mean ℓ̄, and the share r: a picture with ℓ_i < ℓ̄ is
    easy, and is left out of epoch e with probability r. What remains counts with

        w_i = 1 / (1 − r)  where it is easy,  1 where it is not

    so that the gradient is, in the mean over what is left out, that of all pictures, Σ_i ∇ℓ_i. An epoch takes as many
    steps as otherwise, of fewer pictures. A picture that was never seen is not easy, and the last epochs, from the
    share `until` of E on, see all of them.

    Args:
        records: positions of the training pictures in the catalogue.
        keys: their identities, on which alone, with seed and epoch, it depends what is left out.
        losses: ℓ, without smoothing and weights; NaN for what was never seen.
        share: r in [0, 1).
        until: of the epochs.
        least: pictures of an epoch; where fewer would be left, all of them stay.
        seed: the training's.
        epoch: e, counted from 1.
        planned: e, or where it stood in the plan of a training that was cut short, which decides on `until`.
        epochs: E, as planned.

    Torch: not in torch.

    Slides: not in the slides.

    Source: Qin et al., InfoBatch: lossless training speed up by unbiased dynamic data pruning (ICLR 2024,
        arXiv:2303.04947).
    """
    seen = np.isfinite(losses)
    if share == 0.0 or planned > until * epochs or not seen.any():
        return Selection(records, np.ones(len(records), np.float32))
    easy = seen & (losses < losses[seen].astype(np.float64).mean())
    kept = ~(easy & (purpose(seed, "easy pictures").uniform(keys, epoch=epoch) < share))
    if np.count_nonzero(kept) < least:
        return Selection(records, np.ones(len(records), np.float32))
    weights = np.where(easy, 1.0 / (1.0 - share), 1.0).astype(np.float32)
    return Selection(records[kept], weights[kept])


def weighted(shards: Sequence[Shard], weights: Float32[ndarray, " picture"]) -> list[Shard]:
    """Return the parts of a batch with the weights of its pictures."""
    parts = np.split(weights, np.cumsum([len(shard.labels) for shard in shards])[:-1])
    return [
        replace(shard, weights=torch.from_numpy(part).to(shard.labels.device))
        for shard, part in zip(shards, parts, strict=True)
    ]
