"""From a description and tensors back to modules, nothing taken on trust."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sightline.errors import MissingLibraryError, ModelFileError, SightlineError
from sightline.model.description import Description, InputRules
from sightline.model.format import shortened
from sightline.preprocessing import Statistics

if TYPE_CHECKING:
    from torch import nn

NETWORK = "network."
PREPROCESSING = "preprocessing."

Form = tuple[np.dtype[Any], tuple[int, ...]]
"""The dtype and shape of a tensor."""


def unfilled(found: Mapping[str, Form], description: Description, *, name: str) -> nn.Module:
    """Return the described network without weights, where the tensors found are those that it needs.

    It is built on torch's `meta` device, where tensors have shapes but no memory, so that a description of absurd size
    costs nothing and fails against what the file really holds.

    Raises:
        ModelFileError: the network cannot be built, or tensors are missing, unknown or of another form.
    """
    network = _built(description, name)
    wanted = {NETWORK + key: form for key, form in _forms(network).items()}
    needed = sorted(wanted.keys() - found.keys())
    if needed:
        raise ModelFileError(f"{name}: {_tensors(needed)} missing, which the description needs; the file is damaged.")
    for key in sorted(found):
        dtype, shape = found[key]
        if key.startswith(PREPROCESSING):
            _check_statistics(key, shape, description.inputs, name)
        elif key not in wanted:
            raise ModelFileError(
                f"{name}: found a tensor {shortened(key)!r} that the description does not know; the file is damaged."
            )
        elif (dtype, shape) != wanted[key]:
            raise ModelFileError(
                f"{name}: {shortened(key)} has {_form(found[key])}, wanted {_form(wanted[key])} by the description; "
                "the file is damaged."
            )
    return network


def filled(network: nn.Module, tensors: Mapping[str, NDArray[Any]], *, name: str) -> tuple[nn.Module, Statistics]:
    """Return `network` with its weights, in inference mode, without gradients, channels last; and the statistics.

    Raises:
        ModelFileError: the tensors hold numbers that cannot be computed with.
    """
    import torch

    from sightline.network import restore_constants

    for key, array in tensors.items():
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            raise ModelFileError(f"{name}: {shortened(key)} holds numbers that are not finite. Train the model again.")
    # Cloned into torch's own memory: how arrays are aligned in the file's buffer could change the last bit of a sum.
    state = {key: torch.from_numpy(tensors[NETWORK + key]).clone() for key in network.state_dict()}
    network.load_state_dict(state, assign=True)
    restore_constants(network)
    network = network.requires_grad_(False).eval()
    network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    sealed = {key.removeprefix(PREPROCESSING): a for key, a in tensors.items() if key.startswith(PREPROCESSING)}
    try:
        statistics = Statistics.from_tensors(sealed)
    except SightlineError as error:
        raise ModelFileError(f"{name}: {error}") from error
    return network, statistics


def _built(description: Description, name: str) -> nn.Module:
    import torch

    from sightline.network import build

    inputs = description.inputs
    try:
        with torch.device("meta"):
            return build(
                description.network,
                channels=inputs.channels,
                classes=len(description.class_names),
                image_size=inputs.image_size,
            )
    except MissingLibraryError as error:
        raise ModelFileError(f"{name}: {error}") from error
    except (SightlineError, ValueError, RuntimeError, OverflowError) as error:
        raise ModelFileError(
            f"{name}: the network it describes cannot be built ({shortened(error)}). The file is damaged."
        ) from error


def _forms(network: nn.Module) -> dict[str, Form]:
    import torch

    dtypes: dict[torch.dtype, np.dtype[Any]] = {torch.float32: np.dtype("<f4"), torch.int64: np.dtype("<i8")}
    return {key: (dtypes[tensor.dtype], tuple(tensor.shape)) for key, tensor in network.state_dict().items()}


def _check_statistics(key: str, shape: tuple[int, ...], inputs: InputRules, name: str) -> None:
    """Hold shapes against the picture's; names, dtypes and values are checked by `Statistics.from_tensors`."""
    height, width = inputs.image_size
    pixels = height * width * inputs.channels
    fitting = ((inputs.channels,), (height, width, inputs.channels), (pixels, pixels))
    if shape not in fitting:
        raise ModelFileError(
            f"{name}: {shortened(key)} has shape {shape}, which does not fit pictures of {height} × {width} pixels and "
            f"{inputs.channels} channels; the file is damaged."
        )


def _form(form: Form) -> str:
    return f"{form[0].name} of shape {form[1]}"


def _tensors(names: list[str]) -> str:
    more = f" and {len(names) - 1} more tensors are" if len(names) > 1 else " is"
    return f"{names[0]}{more}"
