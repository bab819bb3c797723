"""Sealing: a trained network, and all that is needed to use it, in one file."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sightline.errors import ModelFileError
from sightline.model.description import Description, InputRules, plain
from sightline.model.format import digest_of_tensors, encode
from sightline.model.rebuild import NETWORK, PREPROCESSING, unfilled
from sightline.preprocessing import Statistics
from sightline.recipe import Recipe
from sightline.recipe.network import Network
from sightline.writing import write_whole

if TYPE_CHECKING:
    from torch import nn


def seal(
    path: str | os.PathLike[str],
    *,
    network: nn.Module,
    network_section: Network,
    statistics: Statistics,
    input_rules: InputRules,
    class_names: Sequence[str],
    recipe: Recipe,
    reasons: Mapping[str, str],
    source: str,
    data_digest: str,
    metrics: Mapping[str, Any],
    temperature: float = 1.0,
) -> None:
    """Write a model file, all at once; an older file at `path` stays as it is when that fails.

    The same content gives the same bytes: nothing in the file depends on when or where it was written, only on the
    versions of the libraries.

    Args:
        path: the file; its folder exists.
        network: the trained network as `network_section` builds it, on any device and in any memory layout.
        network_section: the resolved recipe's section, without any `"auto"`.
        statistics: of preprocessing, fitted on the training split.
        input_rules: how pictures become pixels.
        class_names: in the order of the network's scores.
        recipe: the resolved recipe, with `reasons` for what was chosen automatically, by dotted field.
        source: what the training data were called.
        data_digest: of the catalogue, in hexadecimal.
        metrics: numbers and texts in nested lists and mappings; NaN and infinity become null.
        temperature: T of the probabilities softmax(z / T), from 0.05 to 20; 1 for those of the training.

    Raises:
        OutputError: the file cannot be written.
        ValueError: `network` or `statistics` are not what the other arguments say, so that nobody could load the file.
    """
    tensors = {f"{NETWORK}{name}": tensor for name, tensor in _arrays(network).items()}
    tensors |= {f"{PREPROCESSING}{name}": tensor for name, tensor in statistics.tensors().items()}
    description = Description(
        inputs=input_rules,
        network=network_section,
        class_names=tuple(class_names),
        recipe=recipe.model_dump(mode="json"),
        reasons=dict(reasons),
        source=source,
        data_digest=data_digest,
        metrics={str(key): plain(value) for key, value in metrics.items()},
        versions=_versions(),
        temperature=temperature,
        weights_digest=digest_of_tensors(tensors),
    )
    try:
        unfilled({name: (tensor.dtype, tensor.shape) for name, tensor in tensors.items()}, description, name="seal")
    except ModelFileError as error:
        raise ValueError(str(error)) from error
    write_whole(path, encode(description.to_json(), tensors))


def _arrays(network: nn.Module) -> dict[str, NDArray[Any]]:
    return {name: tensor.detach().cpu().contiguous().numpy() for name, tensor in network.state_dict().items()}


def _versions() -> dict[str, str]:
    import torch

    return {
        "sightline": own_version(),
        "python": platform.python_version(),
        "torch": str(torch.__version__),
        "numpy": np.__version__,
    }


def own_version() -> str:
    """Return the version of the package that is installed."""
    try:
        return version("sightline")
    except PackageNotFoundError:
        return "unknown: run from its source without being installed"
