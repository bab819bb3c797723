"""What computes a network's scores: exactly, or as fast as this machine can."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np
from jaxtyping import Float32, UInt8
from numpy import ndarray
from numpy.typing import NDArray

from sightline.errors import RecipeError
from sightline.keys import purpose
from sightline.model.tracing import calling, tracing

if TYPE_CHECKING:
    import torch
    from torch import nn

Fast = Literal["torch", "onnxruntime", "openvino"]
Backend = Literal["exact", "auto", "torch", "onnxruntime", "openvino"]
"""exact has the same bits alone and in company. The others round as is fastest; auto is the fastest of them here."""

Scores = Callable[[UInt8[ndarray, "picture height width channel"]], Float32[ndarray, "picture class"]]
"""A function of as many pictures as it was made for."""

Softmax = Callable[[Float32[ndarray, "picture class"]], Float32[ndarray, "picture class"]]

LIBRARIES: Mapping[Fast, tuple[str, ...]] = {
    "torch": (),
    "onnxruntime": ("onnxruntime", "onnx"),
    "openvino": ("openvino", "onnx"),
}
TOLERATED = 0.05
"""Difference of a probability from the exact one: bfloat16 has three decimal digits, of which layers lose one."""
SAMPLES = 8
"""Pictures at least that backends are held against each other on."""
SECONDS = 0.1
"""That each one is timed for."""
PATCHES = (4, 16)
"""Patches of one color along a side of pictures that are drawn to hold backends against each other."""


@dataclass(frozen=True)
class Timed:
    """What is known of a backend on this machine, for groups of one size."""

    images_per_second: float
    difference: float
    """Largest of a probability from the exact one."""


class Backends:
    """What computes a model's scores in other ways than exactly, made when it is first asked for."""

    def __init__(self, network: nn.Module, preprocessing: nn.Module, probabilities: Softmax) -> None:
        """Take modules in evaluation mode on the processor, and what turns scores into probabilities."""
        self._network, self._preprocessing, self._probabilities = network, preprocessing, probabilities
        self._made: dict[tuple[Fast, tuple[int, ...]], Scores] = {}
        self._fastest: dict[tuple[int, ...], Fast | None] = {}
        self._differences: dict[tuple[Fast, tuple[int, ...]], float] = {}
        self._unable: dict[tuple[Fast, tuple[int, ...]], str] = {}
        """Why a backend cannot compute this network, which is not tried again."""

    def scores(self, backend: Fast | Literal["auto"], shape: tuple[int, int, int, int]) -> Scores:
        """Return what computes the scores of `shape`, (pictures, height, width, channels).

        Raises:
            RecipeError: it cannot compute this network, or gives other probabilities than it should.
        """
        if backend == "auto":
            found = self.fastest(shape)
            return exactly(self._network, self._preprocessing) if found is None else self._of(found, shape)
        if not (difference := self._difference(backend, shape)) <= TOLERATED:
            raise RecipeError(
                f"backend: {backend!r} gives probabilities that are up to {difference:.2f} from the exact ones of this "
                'model; wanted another backend, or "exact".'
            )
        return self._of(backend, shape)

    def fastest(self, shape: tuple[int, int, int, int]) -> Fast | None:
        """Return the fastest of the backends here that agree with the exact probabilities; None where none does."""
        if shape not in self._fastest:
            before = set(self._made)
            timed = self.timed(shape)
            agreeing = {name: each for name, each in timed.items() if each.difference <= TOLERATED}
            ordered = sorted(agreeing, key=lambda name: -agreeing[name].images_per_second)
            self._fastest[shape] = ordered[0] if ordered else None
            for slower in set(self._made) - before - {(self._fastest[shape], shape)}:
                del self._made[slower]  # each has the weights once more
        return self._fastest[shape]

    def timed(self, shape: tuple[int, int, int, int]) -> dict[Fast, Timed]:
        """Return speed and difference of every backend that is installed and can compute this network."""
        found: dict[Fast, Timed] = {}
        for name in there():
            with contextlib.suppress(RecipeError):
                found[name] = Timed(_speed(self._of(name, shape), drawn(shape)), self._difference(name, shape))
        return found

    def _of(self, name: Fast, shape: tuple[int, int, int, int]) -> Scores:
        key = name, shape
        if key not in self._made and key not in self._unable:
            pictures = drawn(shape)
            try:
                made = build(name, self._network, self._preprocessing, pictures=pictures)
                made(pictures)
                self._made[key] = made
            except Exception as error:  # of many classes, by library and network
                self._unable[key] = str(error).strip().split("\n", 1)[0]
        if key in self._unable:
            says = self._unable[key]
            raise RecipeError(
                f'backend: {name!r} cannot compute this network here ({says}); wanted another, or "exact".'
            )
        return self._made[key]

    def _difference(self, name: Fast, shape: tuple[int, int, int, int]) -> float:
        if (name, shape) not in self._differences:
            ways, differences = (self._of(name, shape), exactly(self._network, self._preprocessing)), []
            for group in range(-(-SAMPLES // shape[0])):
                found, exact = (self._probabilities(way(drawn(shape, group))) for way in ways)
                differences.append(float(np.abs(found - exact).max()))
            self._differences[name, shape] = float(np.max(differences))
        return self._differences[name, shape]


def require(backend: str, device: str) -> None:
    """Raise RecipeError where there is no such backend here, or where it does not go with the device."""
    if backend not in (known := get_args(Backend)):
        raise RecipeError(f"backend: found {backend!r}, wanted {', '.join(known[:-1])} or {known[-1]}.")
    if backend != "exact" and device != "cpu":
        raise RecipeError(f'backend: found {backend!r} with device {device!r}; wanted "exact" there, or device "cpu".')
    needed = next((libraries for name, libraries in LIBRARIES.items() if name == backend), ())
    if missing := [each for each in needed if not _installed(each)]:
        raise RecipeError(
            f"backend: found {backend!r}, but {' and '.join(missing)} is not installed. "
            f'Run: pip install "sightline[{backend}]", or take "auto", which chooses among what is there.'
        )


def there() -> tuple[Fast, ...]:
    """Return the backends whose libraries are installed."""
    return tuple(name for name, needed in LIBRARIES.items() if all(map(_installed, needed)))


def _installed(library: str) -> bool:
    try:
        return find_spec(library) is not None
    except ValueError:  # something that is no library has its name
        return False


def drawn(shape: tuple[int, int, int, int], group: int = 0) -> UInt8[ndarray, "picture height width channel"]:
    """Return pictures of patches in random colors, for each group the same; a model carries none of its owner's."""
    pictures, height, width, channels = shape
    numbers, records = purpose(0, "pictures for backends"), np.arange(pictures, dtype=np.uint64)
    total = np.zeros(shape)
    for patches in PATCHES:
        shades = numbers.uniform(records, epoch=patches * 1_000 + group, draws=patches * patches * channels)
        colors = shades.reshape(pictures, patches, patches, channels) * (255.0 / len(PATCHES))
        rows, columns = np.arange(height) * patches // height, np.arange(width) * patches // width
        total += colors[:, rows][:, :, columns]
    return total.astype(np.uint8)


def build(
    name: Fast, network: nn.Module, preprocessing: nn.Module, *, pictures: UInt8[ndarray, "picture h w c"]
) -> Scores:
    """Return what computes the scores of as many pictures of one size as `pictures` are.

    Args:
        name: of a backend whose libraries are installed.
        network, preprocessing: in evaluation mode, on the processor; they stay as they are.
        pictures: examples.

    Raises:
        Exception: of the library's own classes, where it cannot compute this network.
    """
    if name == "torch":
        import torch

        from sightline.model.lowered import lowered

        low = multiplies_in_bfloat16()
        with tracing():
            made = lowered(network, bfloat16=low)
        return _in_torch(made, preprocessing, torch.bfloat16 if low else torch.float32)
    from sightline.model import onnx_runtimes

    with tracing():
        text = onnx_runtimes.exported(network, preprocessing, pictures)
    return onnx_runtimes.onnxruntime(text) if name == "onnxruntime" else onnx_runtimes.openvino(text)


def multiplies_in_bfloat16() -> bool:
    """Return whether this processor multiplies in bfloat16 natively, so that it is faster than float32."""
    import torch

    capable = getattr(torch.cpu, "_is_avx512_bf16_supported", None)
    return bool(capable()) if capable is not None else False


def exactly(network: nn.Module, preprocessing: nn.Module) -> Scores:
    """Return what computes scores in float32."""
    import torch

    return _in_torch(network, preprocessing, torch.float32)


def _in_torch(network: nn.Module, preprocessing: nn.Module, dtype: torch.dtype) -> Scores:
    import torch

    def scores(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        with calling(), torch.inference_mode():
            found: NDArray[np.float32] = network(preprocessing(torch.from_numpy(pixels)).to(dtype)).float().numpy()
            return found

    return scores


def _speed(scores: Scores, pictures: NDArray[np.uint8]) -> float:
    """Return pictures a second, by the fastest of some calls after a first one."""
    scores(pictures)
    best, begun = float("inf"), time.perf_counter()
    while time.perf_counter() - begun < SECONDS or best == float("inf"):
        before = time.perf_counter()
        scores(pictures)
        best = min(best, time.perf_counter() - before)
    return len(pictures) / best
