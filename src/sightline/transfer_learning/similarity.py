"""How far a network has drifted: distance of weights, and similarity of what its layers say."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import torch
from jaxtyping import Float
from numpy import ndarray
from numpy.typing import NDArray
from torch import Tensor, nn

from sightline.transfer_learning.layers import Layer


def linear_cka(one: Float[ndarray, "picture feature"], other: Float[ndarray, "picture other"]) -> float:
    """Linear CKA: how alike two layers see the same pictures, whatever the turning and scale of their features.

    For features X and Y of the same pictures, a row for each, with the mean of each column taken away:

        CKA(X, Y) = ‖Yᵀ X‖² / (‖Xᵀ X‖ · ‖Yᵀ Y‖)   with Frobenius norms

    1 where one is the other turned and scaled, towards 0 where they have nothing in common.

    Args:
        one, other: at least two pictures; a layer that says the same of all has a similarity of 0, or of 1 to another
            such.

    Torch: it has none.

    Slides: not in the slides.

    Source: Kornblith, Norouzi, Lee and Hinton, Similarity of neural network representations revisited (ICML 2019).
    """
    x, y = (each.astype(np.float64) - each.mean(axis=0, dtype=np.float64) for each in (one, other))
    shared = float(np.linalg.norm(y.T @ x) ** 2)
    own = float(np.linalg.norm(x.T @ x) * np.linalg.norm(y.T @ y))
    if own == 0.0:
        return float(not x.any() and not y.any())
    return shared / own


def relative_distance(start: Mapping[str, Tensor], end: Mapping[str, Tensor], names: Iterable[str]) -> float:
    """Return ‖W_end − W_start‖ / ‖W_start‖ over the named weights together; infinity where they started at 0."""
    moved = total = 0.0
    for name in names:
        moved += float((end[name].double() - start[name].double()).square().sum())
        total += float(start[name].double().square().sum())
    if total == 0.0:
        return 0.0 if moved == 0.0 else float("inf")
    return float((moved / total) ** 0.5)


@torch.inference_mode()
def outputs(network: nn.Module, batches: Iterable[Tensor], found: Sequence[Layer]) -> dict[str, NDArray[np.float32]]:
    """Return what each layer says of pictures, shape (picture, map): the mean of each of its maps.

    Of several outputs the first counts. A layer that says nothing, such as a table that others look things up in, is
    left out.

    Args:
        network: in inference mode.
        batches: inputs.
        found: its layers.
    """
    said: dict[str, list[NDArray[np.float32]]] = {layer.name: [] for layer in found}
    spoken: set[str] = set()
    maps_last = bool(getattr(network, "maps_last", False))

    def noting(name: str) -> object:
        def note(_module: nn.Module, _given: object, output: object) -> None:
            tensor = _first_tensor(output)
            if name in spoken or tensor is None:
                return
            spoken.add(name)
            said[name].append(_means(tensor.float(), maps_last=maps_last).cpu().numpy())

        return note

    handles = [
        network.get_submodule(layer.module).register_forward_hook(noting(layer.name))  # type: ignore[arg-type]
        for layer in found
    ]
    try:
        for batch in batches:
            if len(batch):  # transformers cannot make anything of no picture
                spoken.clear()
                network(batch)
    finally:
        for handle in handles:
            handle.remove()
    return {name: np.concatenate(parts) for name, parts in said.items() if parts}


def _means(output: Tensor, *, maps_last: bool) -> Tensor:
    """Return the mean over all places: of maps (picture, map, …), of a transformer's tokens (picture, token, unit)."""
    if output.ndim == 3 or (output.ndim == 4 and maps_last):
        return output.flatten(1, -2).mean(1)
    return output.flatten(2).mean(2) if output.ndim > 2 else output


def _first_tensor(output: object) -> Tensor | None:
    """Return a module's output, or the first tensor of several, however they are nested."""
    if isinstance(output, Tensor):
        return output
    inside = output if isinstance(output, list | tuple) else ()
    return next((found for each in inside if (found := _first_tensor(each)) is not None), None)
