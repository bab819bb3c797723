"""From pixels to scores, in groups of one size, so that a picture's numbers depend on nothing but the picture.

A sum of floats depends on its order. Libraries choose that order by the number of rows in a batch and by the number of
threads that share one product, so that the same picture can differ in the last bit alone or in company, on two cores
or on four. Here every product sees a group of one fixed size, the last one filled up with zeros, and runs on a single
thread; several groups run side by side. What remains is the machine: processors with other instructions, another
version of torch, a GPU.
"""

from __future__ import annotations

import contextlib
import copy
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import numpy as np
from jaxtyping import Float, Float32
from numpy import ndarray
from numpy.typing import NDArray

from sightline.errors import ModelFileError, RecipeError
from sightline.model.backends import Backends, Fast, Timed
from sightline.model.tracing import calling

if TYPE_CHECKING:
    from torch import nn

PIXELS_AT_ONCE = 16_384
"""Of one group: enough to keep a processor busy, and few enough that a single picture is quick."""
LARGEST_GROUP = 32
FAST_PIXELS_AT_ONCE = 4 * 224 * 224
"""Of one group of a backend: maps of more do not stay in a processor's cache (`benchmarks/predicting.py`)."""
GROUPS_ON_DEVICE = 8
"""Groups that a GPU takes at once."""

Real = TypeVar("Real", np.float32, np.float64)
Outcome = Literal["scores", "probabilities"]
Group = Callable[[NDArray[np.uint8]], Float32[ndarray, "picture class"]]
"""A function of one group's pixels, shape (at most the group's size, height, width, channels)."""


class Computation:
    """Preprocessing and network, on as many devices as were asked for.

    With the scores z of the network and the model's temperature T, probabilities are

        p = softmax(z / T)

    and the likeliest class is that of the highest score, whatever T is: T decides only how sure the model is.

    Source: Guo, Pleiss, Sun and Weinberger, On calibration of modern neural networks (ICML 2017), section 4.2.
    """

    def __init__(self, network: nn.Module, preprocessing: nn.Module, *, temperature: float) -> None:
        self._temperature = temperature
        self._modules = {"cpu": (network, preprocessing)}
        self._moving, self._computing = threading.Lock(), threading.Lock()
        self._backends = Backends(network, preprocessing, self._probabilities)

    def weights(self) -> dict[str, NDArray[Any]]:
        """Return the network's weights and buffers by name."""
        network, _ = self._modules["cpu"]
        return {name: tensor.numpy() for name, tensor in network.state_dict().items()}

    def parameters(self) -> int:
        """Return how many numbers the network's parameters have."""
        network, _ = self._modules["cpu"]
        return sum(parameter.numel() for parameter in network.parameters())

    def in_backend(self, size: int, backend: Fast | Literal["auto"], *, outcome: Outcome) -> Group:
        """Return the function that computes one group with all threads, called from one.

        Raises:
            RecipeError: no such backend computes this model.
        """

        def compute(pixels: NDArray[np.uint8]) -> Float32[ndarray, "picture class"]:
            height, width, channels = pixels.shape[1:]
            with self._computing:  # libraries have one place for what they compute
                scores = self._backends.scores(backend, (size, height, width, channels))(_filled(pixels, size))
            result = _finite(scores[: len(pixels)])
            return self._probabilities(result) if outcome == "probabilities" else result

        return compute

    def ready(self, backend: Fast | Literal["auto"], shape: tuple[int, int, int, int]) -> None:
        """Make a backend ready for (pictures, height, width, channels); raise RecipeError where it cannot be used."""
        with self._computing:
            self._backends.scores(backend, shape)

    def timed(self, shape: tuple[int, int, int, int]) -> dict[Fast, Timed]:
        """Return what is known of the backends that are installed, for (pictures, height, width, channels)."""
        with self._computing:
            return self._backends.timed(shape)

    def _probabilities(self, scores: Float32[ndarray, "picture class"]) -> Float32[ndarray, "picture class"]:
        # By NumPy: torch's threads, once woken, would keep on looking for work where another library has the processor.
        tempered = scores.astype(np.float64) / self._temperature
        powers = np.exp(tempered - tempered.max(axis=1, keepdims=True))
        return keep_likeliest((powers / powers.sum(axis=1, keepdims=True)).astype(np.float32), scores)

    def of_groups(self, size: int, *, device: str, outcome: Outcome) -> Group:
        """Return the function that computes one group; on the CPU it may run in several threads at a time.

        Raises:
            RecipeError: the machine has no such device.
        """
        import torch

        network, preprocessing = self._on(device)

        def compute(pixels: NDArray[np.uint8]) -> Float32[ndarray, "picture class"]:
            filled = _filled(pixels, size)
            kind = torch.device(device).type
            with calling(), torch.inference_mode(), torch.autocast(kind, enabled=False), _exactly(device):
                scores: NDArray[np.float32] = network(preprocessing(torch.from_numpy(filled).to(device))).cpu().numpy()
            result = _finite(scores[: len(pixels)])
            return self._probabilities(result) if outcome == "probabilities" else result

        return compute

    def _on(self, device: str) -> tuple[nn.Module, nn.Module]:
        with self._moving:
            if device not in self._modules:
                try:
                    network, preprocessing = copy.deepcopy(self._modules["cpu"])
                    self._modules[device] = (network.to(device), preprocessing.to(device))
                except (RuntimeError, AssertionError) as error:
                    first = str(error).strip().split("\n", 1)[0]
                    raise RecipeError(
                        f"device: {device!r} cannot be used here ({first}). Wanted cpu, or cuda or mps where present."
                    ) from error
            return self._modules[device]


def _filled(pixels: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    """Return a whole group of one size, black where there are no more pictures."""
    if len(pixels) == size:
        return np.require(pixels, requirements=["C", "W"])  # torch takes no array that may not be written
    group = np.zeros((size, *pixels.shape[1:]), np.uint8)
    group[: len(pixels)] = pixels
    return group


def _finite(scores: NDArray[np.float32]) -> NDArray[np.float32]:
    if not np.isfinite(scores).all():
        raise ModelFileError("the model's scores are not finite: its weights are too large. Train it again.")
    return scores


def keep_likeliest(found: NDArray[Real], scores: Float[ndarray, "picture class"]) -> NDArray[Real]:
    """Return what was computed from scores, changed by one bit where rounding hides which class has the highest score.

    Two scores that hardly differ may have the same probability, of which the class of the lower index would then be
    the likeliest. Of equal scores the class of the lower index counts.
    """
    first = scores.argmax(axis=1)
    hidden = np.flatnonzero(found.argmax(axis=1) != first)
    if len(hidden):
        found = found.copy()
        found[hidden, first[hidden]] = np.nextafter(found[hidden].max(axis=1), found.dtype.type(np.inf))
    return found


def group_size(image_size: tuple[int, int], *, on_cpu: bool) -> int:
    """Return how many pictures are computed at once: a power of 2 that depends on their size alone."""
    height, width = image_size
    size = 1
    while size < LARGEST_GROUP and 2 * size * height * width <= PIXELS_AT_ONCE:
        size *= 2
    return size if on_cpu else size * GROUPS_ON_DEVICE


def group_to_be_fast(image_size: tuple[int, int], *, pictures: int) -> int:
    """Return how many pictures a backend computes at once: a power of 2, so that it is made for few sizes.

    Few enough that their maps stay in the cache, and not twice as many as there are.
    """
    height, width = image_size
    size = 1
    while size < pictures and 2 * size * height * width <= FAST_PIXELS_AT_ONCE:
        size *= 2
    return size


def _exactly(device: str) -> contextlib.AbstractContextManager[None]:
    """Return a context without CUDA's rounding to TF32 and its choice of algorithm by a race."""
    import torch

    if not device.startswith("cuda"):
        return contextlib.nullcontext()
    flags: contextlib.AbstractContextManager[None] = torch.backends.cudnn.flags(
        enabled=True, benchmark=False, deterministic=True, allow_tf32=False
    )
    return flags
