"""The training loop: one visible generator of plain events; the caller decides what to do with them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from sightline.errors import TrainingError
from sightline.training.events import EpochEnd, EpochStart, Event, StepEnd
from sightline.training.metrics import Metrics
from sightline.training.state import State, copied
from sightline.training.step import Shard, Step

Batches = Callable[[int], Sequence[NDArray[np.int64]]]
"""The batches of an epoch, as positions in the catalogue."""


def train(
    state: State,
    *,
    epochs: Callable[[], int],
    steps: Callable[[], int],
    batches: Batches,
    feed: Callable[[int, Sequence[NDArray[np.int64]]], Iterator[Sequence[Shard]]],
    step: Step,
    learning_rate: Callable[[int], float],
    judge: Callable[[State], Metrics | None],
    describe: Callable[[NDArray[np.int64]], str],
    mode: Callable[[int], None],
) -> Iterator[Event]:
    """Train `state` in place from where it stands to its last step, and yield what happens.

    Args:
        state: changed in place; a consumer may look at it whenever it has been yielded to.
        epochs: how many in all; asked for again whenever it matters, as `steps` is.
        steps: after so many in all it ends, be it within an epoch, which is judged then.
        batches: the order of an epoch, counted from 1.
        feed: inputs and labels of the batches of an epoch, one after the other, as shards.
        step: one update.
        learning_rate: of each step, counted from 0.
        judge: metrics on the validation pictures, or None where there are none.
        describe: names the pictures of a batch for a message.
        mode: puts the network into the mode that an epoch is trained in.

    Raises:
        TrainingError: a loss or gradient that is not finite. The weights are as they were before that step.
    """
    while state.epoch < epochs():
        epoch = state.epoch + 1
        order = batches(epoch)
        mode(epoch)
        first = state.epoch * len(order)
        planned = order[: steps() - first]
        yield EpochStart(epoch, epochs(), len(planned), _pictures(planned))
        # A training that goes on may stand within an epoch: the steps before were taken by an earlier process.
        rest = order[state.step - first :] if state.step < steps() else []
        rate = 0.0 if rest else learning_rate(state.step - 1)
        for records, shards in zip(rest, feed(epoch, rest), strict=True):
            rate = learning_rate(state.step)
            judged = step(state, shards, rate)
            if judged.fault:
                raise TrainingError(
                    f"epoch {epoch}, step {state.step + 1}: {judged.fault} at a learning rate of "
                    f"{rate:.3g}, so the weights were left as they were before it. Try a lower rate "
                    f"(--set optimizer.learning_rate={rate / 10:.1g}) or --set optimizer.clip_norm=1. "
                    f"The step's pictures: {describe(records)}"
                )
            state.loss_sum += judged.loss * len(records)
            state.right += judged.right
            if state.seen is not None and judged.losses is not None:
                state.seen[torch.from_numpy(records)] = judged.losses
            yield StepEnd(epoch, state.step, len(records), judged.loss, rate, judged.right)
            if state.step >= steps():
                break
        metrics = judge(state)
        if metrics is not None and not math.isfinite(metrics.loss):
            raise TrainingError(
                f"epoch {epoch}: the validation loss is {metrics.loss} after training at a rate of {rate:.3g}. "
                f"Try a lower rate: --set optimizer.learning_rate={rate / 10:.1g}"
            )
        state.epoch = epoch
        images = _pictures(order[: state.step - first])
        loss, right = state.loss_sum / images, state.right / images
        state.loss_sum, state.right = 0.0, 0.0
        state.losses = None if state.seen is None else state.seen.clone()
        best = metrics is None or metrics.loss < state.best_loss
        if best:
            state.best = copied(state.judged())
            state.best_epoch = epoch
            state.best_loss = metrics.loss if metrics is not None else float("inf")
        yield EpochEnd(epoch, state.step, rate, loss, right, metrics, best)


def _pictures(order: Sequence[NDArray[np.int64]]) -> int:
    return sum(len(records) for records in order)
