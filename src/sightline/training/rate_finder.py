"""The rate finder: a sweep over learning rates that leaves the training as it was."""

from __future__ import annotations

import contextlib
import io
import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count

import numpy as np
from numpy.typing import NDArray

from sightline.training.batches import batches
from sightline.training.session import Session
from sightline.training.state import copied
from sightline.training.step import Shard

LOWEST, HIGHEST = 1e-7, 10.0
STEPS = 120
SMOOTHING = 0.9
"""Weight of the past in the running mean of the loss."""
BURST = 3.0
"""Times the lowest loss at which the sweep ends."""
OVERFIT_STEPS = 60


@dataclass(frozen=True)
class Sweep:
    """Losses over rates that grow by the same factor from step to step."""

    rates: tuple[float, ...]
    losses: tuple[float, ...]
    """Running mean, freed of its bias, of the loss before each step."""
    suggested: float | None
    """None where the loss did not fall at any rate."""
    lowest: float
    """Rate at which the running mean was the lowest."""


@dataclass(frozen=True)
class FirstBatch:
    """Whether a network can learn at all, by one batch."""

    loss: float
    """Of the network as it begins."""
    guessing: float
    """Loss of guessing, ln K."""
    shuffled: float
    """Loss once the batch was learned, with labels of other pictures: far above `learned` where the input matters."""
    learned: float
    """Loss of the same batch after some steps on it alone."""
    steps: int
    smoothing: float
    """Share of the targets that is spread over all classes, below whose entropy no loss can fall."""

    @property
    def right(self) -> bool:
        """Whether the batch was learned by heart: half of what there is to learn, and of these labels."""
        classes = round(math.exp(self.guessing))
        other = self.smoothing / classes
        spread = [1.0 - self.smoothing + other, *[other] * (classes - 1)]
        least = -sum(share * math.log(share) for share in spread if share > 0)
        return self.learned - least < 0.5 * (self.loss - least) and self.shuffled > self.learned


def sweep(session: Session, *, steps: int = STEPS, low: float = LOWEST, high: float = HIGHEST) -> Sweep:
    """Return how the loss fares as the rate grows; weights, buffers and optimizer are put back afterwards.

    Step t = 0 … T−1 is taken at

        α_t = low · (high / low)^(t / (T − 1))

    and the loss before it smoothed to m_t = β m_{t−1} + (1 − β) loss_t, l_t = m_t / (1 − β^{t+1}). The sweep ends
    early where l_t is more than three times its lowest value, or not finite. Suggested is the first rate at which half
    of the fall from l_0 to the lowest l_t is done: there it falls fast. Where it is lowest, the mean, which lags
    behind, no longer shows that single steps do harm.

    Args:
        session: before its first step.
        steps: T, at least 2.
        low, high: ends of the sweep.

    Source: Smith, Cyclical learning rates for training neural networks (WACV 2017), section 3.3.
    """
    rates = np.geomspace(low, high, steps)
    found: list[float] = []
    mean = 0.0
    with _untouched(session):
        for step, (rate, records) in enumerate(zip(rates, _batches(session), strict=False)):
            judged = session.stage.step(session.state, session.feed.load(1, records), float(rate))
            mean = SMOOTHING * mean + (1.0 - SMOOTHING) * judged.loss
            smooth = mean / (1.0 - SMOOTHING ** (step + 1))
            if judged.fault or not math.isfinite(smooth) or (found and smooth > BURST * min(found)):
                break
            found.append(smooth)
    if not found or min(found) >= found[0]:
        return Sweep(tuple(rates[: len(found)].tolist()), tuple(found), None, low)
    half = (found[0] + min(found)) / 2.0
    suggested = float(rates[int(np.argmax(np.array(found) <= half))])
    lowest = float(rates[int(np.argmin(found))])
    return Sweep(tuple(rates[: len(found)].tolist()), tuple(found), float(f"{suggested:.2g}"), lowest)


def first_batch(session: Session, rate: float, *, steps: int = OVERFIT_STEPS) -> FirstBatch:
    """Return whether one batch can be learned by heart; weights, buffers and optimizer are put back afterwards.

    A network that cannot fit even one batch has a fault that no amount of data mends; one whose loss begins far above
    ln K starts with an opinion; and one that does as well with labels of other pictures does not look at its input.

    Args:
        session: before its first step.
        rate: of the steps.
        steps: on the same batch.

    Source: Karpathy, A recipe for training neural networks (2019).
    """
    with _untouched(session):
        shards = session.feed.load(1, next(_batches(session)))
        losses = [session.stage.step(session.state, shards, rate).loss for _ in range(steps)]
        others = [Shard(shard.inputs, shard.labels.roll(1), shard.mixture) for shard in shards]
        shuffled = session.stage.step(session.state, others, 0.0).loss
    guessing = math.log(len(session.prepared.catalogue.class_names))
    smoothing = session.recipe.loss.label_smoothing
    return FirstBatch(losses[0], guessing, shuffled, losses[-1], steps, smoothing)


def plot(found: Sweep) -> bytes:
    """Return the sweep as a PNG: smoothed loss over the rate, the suggested rate marked."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4.2), layout="constrained")
    axes = figure.subplots()
    axes.semilogx(found.rates, found.losses, color="#0b6fb8")
    if found.suggested is not None:
        axes.axvline(found.suggested, color="#b35900", linestyle="--", label=f"suggested: {found.suggested:g}")
        axes.axvline(found.lowest, color="#57606a", linestyle=":", label=f"lowest loss: {found.lowest:.2g}")
        axes.legend(frameon=False)
    axes.set_xlabel("learning rate")
    axes.set_ylabel("training loss, smoothed")
    written = io.BytesIO()
    figure.savefig(written, format="png", dpi=120)
    return written.getvalue()


def _batches(session: Session) -> Iterator[NDArray[np.int64]]:
    """Yield the training's batches, epoch after epoch."""
    prepared, training = session.prepared, session.recipe.training
    train, keys = prepared.split.train, prepared.catalogue.keys
    for epoch in count(1):
        yield from batches(train, keys[train], steps=session.steps_per_epoch(), seed=training.seed, epoch=epoch)


@contextlib.contextmanager
def _untouched(session: Session) -> Iterator[None]:
    """Take steps in the body, as the training would, and put back what they change."""
    weights = copied(session.state.network.state_dict())
    average = None if session.state.average is None else copied(session.state.average)
    with session.numerics(), session.enough_memory():
        session.stage.mode(1)
        try:
            yield
        finally:
            session.state.network.load_state_dict(weights)
            session.state.average = average
            session.enter(session.state.stage)
            session.state.step = 0
