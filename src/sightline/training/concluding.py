"""The end of a transfer: what it cost is measured, written and drawn, and the wanted weights on its way are taken."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from sightline.recipe import Recipe
from sightline.recipe.choices import settled
from sightline.training import directory
from sightline.training.forgetting import Conclusion, Measuring
from sightline.training.metrics import Metrics
from sightline.training.prepare import Prepared
from sightline.training.stage import Stage
from sightline.training.state import State, copied
from sightline.training.transfer_plot import plot
from sightline.transfer_learning import Weights, interpolated, layers
from sightline.writing import write_whole


def conclude(
    prepared: Prepared,
    recipe: Recipe,
    state: State,
    judge: Callable[[NDArray[np.int64]], Metrics],
    inputs: Callable[[NDArray[np.int64]], Tensor],
) -> Conclusion:
    """Return what a transfer led to and what it cost.

    Args:
        prepared: what it stood on.
        recipe: as it was resolved.
        state: at its end; the weights of its network are other ones afterwards.
        judge: metrics of the network as it is, on pictures.
        inputs: pictures as the network takes them.
    """
    assert prepared.weights is not None  # noqa: S101
    start, end = _ends(state)
    split = prepared.split
    sides = {"validation": split.validation, "test": split.test, "train": split.train}
    side = next(name for name, records in sides.items() if len(records))
    records = sides[side]
    return Measuring(
        recipe=recipe,
        weights=prepared.weights,
        network=state.network,
        start=start,
        end=end,
        target=lambda: judge(records),
        target_side=side,
        inputs=lambda count: inputs(records[:count]),
        statistics=prepared.statistics,
        source=prepared.source_pictures,
        device=settled(recipe.training.device),
    ).conclude()


def sealed_weights(state: State, conclusion: Conclusion) -> dict[str, Tensor]:
    """Return the weights at the share of the way that was chosen."""
    return interpolated(*_ends(state), conclusion.share)


def keep(path: Path, conclusion: Conclusion, weights: Weights, state: State, stages: Sequence[Stage]) -> None:
    """Write `transfer.json` and `transfer.png` into a run's directory.

    Raises:
        OutputError: the disk is full, read-only or failing.
    """
    told = [asdict(stage.about) for stage in stages if stage.about is not None]
    about = {"weights": weights.origin, "digest": weights.digest, "stages": told, **conclusion.as_dict()}
    write_whole(path / directory.TRANSFER, json.dumps(about, indent=1, ensure_ascii=False).encode())
    first = layers(state.network)[0].parameters[0]
    before, after = state.start or sealed_weights(state, conclusion), sealed_weights(state, conclusion)
    write_whole(path / directory.TRANSFER_PLOT, plot(conclusion, *(_filters(w[first]) for w in (before, after))))


def _filters(weight: Tensor) -> NDArray[np.float32]:
    """Return the first layer's weight as filters; one that is no convolution, as another library's may be, as rows."""
    array: NDArray[np.float32] = weight.cpu().numpy()
    return array if array.ndim == 4 else array.reshape(len(array), 1, 1, -1)


def _ends(state: State) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Return the weights where the last stage began and where it was the best; the same where there is one stage."""
    end = copied(dict(state.best or state.judged()))
    return (dict(state.start) if state.start else end), end
