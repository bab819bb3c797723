"""Weights that were trained before: read from a file, recognized, and named by their digest."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sightline import model
from sightline.errors import ModelFileError
from sightline.model.format import digest_of_tensors, is_sealed
from sightline.recipe.network import Network
from sightline.transfer.recognize import recognize

PICKLES = (".pth", ".pt", ".bin", ".ckpt", ".pkl")


@dataclass(frozen=True)
class Weights:
    """A trained network's tensors, and what is known of it."""

    origin: str
    """The file they are from."""
    digest: str
    """Of all tensors."""
    network: Network
    """The section of a recipe that builds the network they belong to."""
    tensors: Mapping[str, NDArray[Any]]
    class_names: tuple[str, ...]
    """In the order of the scores; empty where they are not known."""
    sealed: model.Model | None
    """The model, where it was sealed by Sightline: its preprocessing belongs to the weights."""


def read(path: str | os.PathLike[str]) -> Weights:
    """Return the weights in a file: a sealed model, or safetensors under torchvision's or timm's names.

    Raises:
        ModelFileError: there is no such file; it is torn or a pickle; its tensors are of no network known here.
    """
    path = Path(path)
    if path.suffix in PICKLES:
        raise ModelFileError(
            f"{path}: is a pickle by its name, which could run any code, and was not opened. Wanted .safetensors."
        )
    try:
        sealed = is_sealed(path)
    except OSError as error:
        raise ModelFileError(f"{path}: cannot be read ({(error.strerror or str(error)).lower()}).") from error
    if sealed:
        return _sealed(path)
    tensors = _plain(path)
    network = recognize({name: tensor.shape for name, tensor in tensors.items()})
    if network is None:
        listed = ", ".join(sorted(tensors)[:3])
        raise ModelFileError(
            f"{path}: found {len(tensors):,} tensors ({listed}, …) of no network known here. Wanted those of resnet "
            "18, 34 or 50, vgg, squeezenet1_1 or mobilenet_v2 under torchvision's names, or a model sealed here."
        )
    return Weights(str(path), digest_of_tensors(tensors), network, tensors, (), None)


def _sealed(path: Path) -> Weights:
    found = model.load(path)
    tensors = dict(found.weights)
    section = found.description.network
    return Weights(str(path), digest_of_tensors(tensors), section, tensors, found.class_names, found)


def _plain(path: Path) -> dict[str, NDArray[Any]]:
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    try:
        found = load_file(path)
    except (OSError, SafetensorError, ValueError, TypeError) as error:
        raise ModelFileError(
            f"{path}: cannot be read as safetensors ({error}). Copy it again; a download may have been cut short."
        ) from error
    # Half precision is made whole: training goes on in float32.
    return {
        name: tensor.astype(np.float32) if tensor.dtype in (np.float16, np.float64) else tensor
        for name, tensor in found.items()
    }
