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
from sightline.preprocessing import Statistics
from sightline.recipe.facts import SourceFacts
from sightline.recipe.network import Network
from sightline.transfer_learning.layers import is_head
from sightline.transfer_learning.recognize import recognize

PICKLES = (".pth", ".pt", ".bin", ".ckpt", ".pkl")
USUAL_SIZE = (224, 224)
IMAGENET_MEAN, IMAGENET_DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


@dataclass(frozen=True)
class Weights:
    """A trained network's tensors, and what is known of it."""

    origin: str
    """The file they are from, or what they are called."""
    digest: str
    """Of all tensors."""
    network: Network
    """The section of a recipe that builds the network they belong to, its last layers as they were."""
    tensors: Mapping[str, NDArray[Any]]
    channels: int
    """Of the pictures they were trained on."""
    class_names: tuple[str, ...] = ()
    """In the order of the scores; empty where they are not known."""
    statistics: Statistics | None = None
    """Of the preprocessing they were trained with, by channel; None where it is not known."""
    statistics_of: str = ""
    """Whose they are, in a few words."""
    image_size: tuple[int, int] | None = None
    """Height and width they were trained on; None where it is not known."""
    sealed: model.Model | None = None
    """The model, where it was sealed by Sightline."""

    @property
    def facts(self) -> SourceFacts:
        """What the resolution of a recipe looks at."""
        return SourceFacts(
            origin=self.origin,
            digest=self.digest,
            network=self.network,
            channels=self.channels,
            image_size=self.image_size,
            statistics=self.statistics_of if self.statistics is not None else "",
            classes=self.class_names,
            answers=bool(self.last_layers),
        )

    @property
    def last_layers(self) -> tuple[str, ...]:
        """Names of the last layers' tensors; none where one of them is not there."""
        import torch

        from sightline.network import build

        section = self.network.model_copy(update={"dropout": 0.0})
        with torch.device("meta"):  # only the names are wanted, which do not depend on the size
            template = build(section, channels=self.channels, classes=1, image_size=self.image_size or USUAL_SIZE)
        head = tuple(name for name in template.state_dict() if is_head(template, name))
        return head if all(name in self.tensors for name in head) else ()


def read(weights: str | os.PathLike[str], *, folder: Path | None = None) -> Weights:
    """Return weights: of a file, which is a sealed model or safetensors under torchvision's or timm's names; of a
    repository at the Hugging Face hub, hub:OWNER/NAME[@REVISION]; or those that timm knows, timm:NAME.

    Args:
        weights: as a recipe names them.
        folder: that a relative path begins in; None for where this process is.

    Raises:
        ModelFileError: there is no such file; it is torn or a pickle; its tensors are of no network known here.
        RecipeError: the name is malformed, or a library that it needs is not installed.
    """
    origin = os.fspath(weights)
    if origin.startswith("hub:"):
        from sightline.transfer_learning.hub import from_hub

        return from_hub(origin)
    if origin.startswith("timm:"):
        from sightline.transfer_learning.timm_weights import from_timm

        return from_timm(origin)
    path = (folder or Path()) / origin
    if path.suffix in PICKLES:
        target = Path(origin).with_suffix(".safetensors")
        raise ModelFileError(
            f"{origin}: is a pickle by its name, which could run any code, and was not opened. Convert it in a process "
            f"of its own: sightline convert {origin} {target}"
        )
    if path.is_dir() and (path / "model.safetensors").is_file():
        path = path / "model.safetensors"
    return in_file(path, origin)


def in_file(path: Path, origin: str) -> Weights:
    """Return the weights in a safetensors file, sealed or not; `origin` stands in messages.

    Raises:
        ModelFileError: as `read`.
    """
    try:
        sealed = is_sealed(path)
    except OSError as error:
        raise ModelFileError(f"{origin}: cannot be read ({(error.strerror or str(error)).lower()}).") from error
    return _sealed(path, origin) if sealed else plain(path, origin)


def plain(path: Path, origin: str) -> Weights:
    """Return the weights in a safetensors file under published names; `origin` stands in messages.

    Nothing in such a file says how pictures were standardized. Weights of color pictures under these names come from
    ImageNet's mean and deviation, as torchvision and timm use them; others are taken for unknown.

    Raises:
        ModelFileError: as `read`.
    """
    tensors = _tensors(path, origin)
    network = recognize({name: tensor.shape for name, tensor in tensors.items()})
    if network is None:
        listed = ", ".join(sorted(tensors)[:3])
        raise ModelFileError(
            f"{origin}: found {len(tensors):,} tensors ({listed}, …) of no network known here. Wanted those of resnet "
            "18, 34 or 50, vgg, squeezenet1_1 or mobilenet_v2 under torchvision's names, or a model sealed here."
        )
    channels = first_convolution(tensors).shape[1]
    color = channels == len(IMAGENET_MEAN)
    return Weights(
        origin=origin,
        digest=digest_of_tensors(tensors),
        network=network,
        tensors=tensors,
        channels=channels,
        statistics=by_channel(IMAGENET_MEAN, IMAGENET_DEVIATION) if color else None,
        statistics_of="ImageNet's, the usual ones of weights under these names" if color else "",
    )


def by_channel(mean: tuple[float, ...], deviation: tuple[float, ...]) -> Statistics:
    """Return statistics from numbers of each channel, for pixels from 0 to 1."""
    return Statistics(np.array(mean, np.float64), np.array(deviation, np.float64), None)


def first_convolution(tensors: Mapping[str, NDArray[Any]]) -> NDArray[Any]:
    """Return the weight of the convolution that sees the pictures: by its published name, or the first there is."""
    for name in ("conv1.weight", "features.0.weight", "features.0.0.weight"):
        if name in tensors:
            return tensors[name]
    return next(tensor for tensor in tensors.values() if tensor.ndim == 4)


def _sealed(path: Path, origin: str) -> Weights:
    found = model.load(path)
    tensors = dict(found.weights)
    rules = found.description.inputs
    return Weights(
        origin=origin,
        digest=digest_of_tensors(tensors),
        network=found.description.network,
        tensors=tensors,
        channels=rules.channels,
        class_names=found.class_names,
        statistics=found.statistics,
        statistics_of=f"those of {found.description.source}, sealed in the model",
        image_size=rules.image_size,
        sealed=found,
    )


def _tensors(path: Path, origin: str) -> dict[str, NDArray[Any]]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file  # NumPy has no bfloat16

    try:
        found = load_file(path)
    except (OSError, SafetensorError, ValueError, TypeError, KeyError) as error:
        raise ModelFileError(
            f"{origin}: cannot be read as safetensors ({error}). Copy it again; a download may have been cut short."
        ) from error
    complicated = next((name for name, tensor in found.items() if tensor.is_complex()), None)
    if complicated is not None:
        raise ModelFileError(f"{origin}: {complicated} holds complex numbers, which no network known here has.")
    # Half precision is made whole: training goes on in float32.
    return {
        name: (tensor.float() if tensor.is_floating_point() else tensor.long()).numpy()
        for name, tensor in found.items()
    }
