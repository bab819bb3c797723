"""The same augmentation with Albumentations, torchvision, Kornia and OpenCV, each the fastest way found for it.

Each function takes the work and returns what augments a batch: bytes of shape (picture, height, width, channel) in,
standardized float32 out, in the layout that is natural to it. `benchmarks/augmentation.py` times them.

Where a peer has fewer choices, it does less, never more: torchvision and Kornia have one deviation of noise instead
of a range, and torchvision fills with black instead of mirroring. All but OpenCV by hand resample once for the affine
map, once for the crop and once for the elastic distortion.
"""

from __future__ import annotations

import contextlib
import math
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from statistics import NormalDist
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]
Augment = Callable[[Pixels], object]

MEAN = np.array([0.485, 0.456, 0.406])
DEVIATION = np.array([0.229, 0.224, 0.225])
DEGREES = 15.0
SHIFT = 0.1
FACTOR = (0.8, 1.2)
AREA = (0.5, 1.0)
ASPECT = (3 / 4, 4 / 3)
NOISE = (0.0, 0.05)


@dataclass(frozen=True)
class Work:
    """What is asked of every side."""

    side: int
    batch: int
    threads: int
    whole: bool
    """With elastic distortion and noise."""

    @property
    def displacement(self) -> float:
        """Root mean square of the elastic displacement in each direction, in pixels."""
        return 2.0 * self.side / 224

    @property
    def smoothness(self) -> float:
        """Standard deviation in pixels of the bell that smooths the displacement, at least the 2 of a recipe."""
        return max(2.0, 8.0 * self.side / 224)

    def white_noise(self, reach: int) -> float:
        """By how much to multiply numbers even in [−1, 1], smoothed with that bell, for the displacement in pixels.

        Independent numbers have a variance of 1/3, of which the bell, cut off at `reach` pixels, leaves (Σ b²)².
        """
        bell = np.exp(-0.5 * (np.arange(-reach, reach + 1) / self.smoothness) ** 2)
        return float(self.displacement * math.sqrt(3.0) / ((bell / bell.sum()) ** 2).sum())

    def run(self, some: Callable[[int, range], object]) -> None:
        """Call `some(thread, rows)` for the rows of every thread, side by side."""
        cuts = [self.batch * number // self.threads for number in range(self.threads + 1)]
        shares = [range(first, last) for first, last in pairwise(cuts)]
        if self.threads == 1:
            some(0, shares[0])
        else:
            list(self._pool.map(some, range(self.threads), shares))

    @cached_property
    def _pool(self) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(self.threads)


def albumentations(work: Work) -> Augment:
    """One `Compose` for each thread, a picture at a time; rotation, translation and scaling are one `Affine`.

    The elastic field is the approximate one, which is faster: its bell is cut off at 8 pixels.
    """
    os.environ["NO_ALBUMENTATIONS_UPDATE"] = "1"  # it would ask the network for its latest version
    import albumentations as album
    import cv2

    cv2.setNumThreads(0)
    mirror = {"border_mode": cv2.BORDER_REFLECT}

    def composed() -> Any:
        elastic = album.ElasticTransform(
            alpha=work.white_noise(8),
            sigma=work.smoothness,
            approximate=True,
            noise_distribution="uniform",
            p=1,
            **mirror,
        )
        return album.Compose(
            [
                album.HorizontalFlip(p=0.5),
                album.Affine(
                    rotate=(-DEGREES, DEGREES), translate_percent=(-SHIFT, SHIFT), scale=FACTOR, p=1, **mirror
                ),
                album.RandomResizedCrop((work.side, work.side), scale=AREA, ratio=ASPECT),
                *([elastic] if work.whole else []),
                # a table for both, which is faster than to leave them to ColorJitter
                album.RandomBrightnessContrast(FACTOR[1] - 1, FACTOR[1] - 1, p=1),
                album.ColorJitter((1, 1), (1, 1), FACTOR, hue=(0, 0), p=1),
                *([album.GaussNoise(std_range=NOISE, p=1)] if work.whole else []),
                album.Normalize(tuple(MEAN), tuple(DEVIATION)),
            ]
        )

    # a Compose carries its random state, which threads must not share
    each = [composed() for _ in range(work.threads)]

    def augment(pictures: Pixels) -> object:
        made = np.empty(pictures.shape, np.float32)

        def some(thread: int, rows: range) -> None:
            for row in rows:
                made[row] = each[thread](image=pictures[row])["image"]

        work.run(some)
        return made

    return augment


def torchvision(work: Work) -> Augment:
    """`Compose` a picture at a time, in threads that each keep to themselves.

    Its elastic distortion smooths with a kernel of two dimensions, (8 σ + 1)² numbers for each pixel.
    """
    with contextlib.suppress(ImportError):
        import torchvision_shim  # noqa: F401  # lets the wheel for CUDA load beside a torch without it
    from torchvision.transforms import v2

    bilinear = v2.InterpolationMode.BILINEAR
    # its field is in halves of a side
    elastic = v2.ElasticTransform(alpha=2.0 * work.white_noise(math.ceil(4 * work.smoothness)), sigma=work.smoothness)
    composed = v2.Compose(
        [
            v2.RandomHorizontalFlip(),
            v2.RandomAffine(DEGREES, translate=(SHIFT, SHIFT), scale=FACTOR, interpolation=bilinear),
            v2.RandomResizedCrop(work.side, scale=AREA, ratio=ASPECT, interpolation=bilinear),
            *([elastic] if work.whole else []),
            v2.ToDtype(torch.float32, scale=True),  # resizing is faster on bytes, color on floats
            v2.ColorJitter(FACTOR, FACTOR, FACTOR),
            *([v2.GaussianNoise(sigma=NOISE[1] / 2)] if work.whole else []),
            v2.Normalize(MEAN.tolist(), DEVIATION.tolist()),
        ]
    )

    def augment(pictures: Pixels) -> object:
        torch.set_num_threads(1)
        sources = torch.from_numpy(pictures).permute(0, 3, 1, 2).contiguous()
        made = torch.empty(sources.shape)

        def some(_: int, rows: range) -> None:
            for row in rows:
                made[row] = composed(sources[row])

        work.run(some)
        return made

    return augment


def kornia(work: Work) -> Augment:
    """The whole batch at once, as float32, in torch's own threads."""
    import kornia.augmentation as kornia_

    smooth = work.smoothness
    far = math.ceil(3 * smooth)
    elastic = kornia_.RandomElasticTransform(
        kernel_size=(2 * far + 1, 2 * far + 1),
        sigma=(smooth, smooth),
        alpha=(2 * work.white_noise(far) / work.side,) * 2,  # in halves of a side
        padding_mode="reflection",
        p=1.0,
    )
    composed = kornia_.AugmentationSequential(
        kornia_.RandomHorizontalFlip(p=0.5),
        kornia_.RandomAffine(DEGREES, translate=(SHIFT, SHIFT), scale=FACTOR, padding_mode="reflection", p=1.0),
        kornia_.RandomResizedCrop((work.side, work.side), scale=AREA, ratio=ASPECT),
        *([elastic] if work.whole else []),
        kornia_.ColorJitter(FACTOR, FACTOR, FACTOR, 0.0, p=1.0),
        *([kornia_.RandomGaussianNoise(std=NOISE[1] / 2, p=1.0)] if work.whole else []),
        kornia_.Normalize(torch.tensor(MEAN, dtype=torch.float32), torch.tensor(DEVIATION, dtype=torch.float32)),
        data_keys=["input"],
    )

    def augment(pictures: Pixels) -> object:
        torch.set_num_threads(work.threads)
        with torch.inference_mode():
            return composed(torch.from_numpy(pictures).permute(0, 3, 1, 2).contiguous().float().div_(255.0))

    return augment


class ByHand:
    """OpenCV as one writes it by hand: a batch's numbers drawn together, a picture warped once, its color one matrix.

    Faster than a warp that mirrors at the edges is one of a picture that was padded by mirroring, as far as the warp
    reaches, and given a fourth channel. Faster than `cv2.randn` are 16 random bits that choose from a table of normal
    numbers. Small pictures take all steps but the warp in groups that fit the cache, to make fewer calls.
    """

    def __init__(self, work: Work) -> None:
        import cv2

        cv2.setNumThreads(0)
        self.cv2, self.work = cv2, work
        side = work.side
        self.group = max(1, 2**16 // side**2)
        self.made: np.ndarray | None = None
        self.generator = np.random.default_rng(0)
        self.bits = [np.random.Generator(np.random.SFC64(thread)) for thread in range(work.threads)]
        quantile = NormalDist().inv_cdf
        self.normal = np.array([quantile((i + 0.5) / 2**16) for i in range(2**16)], np.float32).reshape(1, -1)
        self.grid = np.dstack(np.meshgrid(np.arange(side, dtype=np.float32), np.arange(side, dtype=np.float32)))
        self.knots = math.ceil(side / (math.sqrt(3.0) * work.smoothness)) + 1
        self.standardize = np.hstack([np.diag(1 / (255 * DEVIATION)), -(MEAN / DEVIATION)[:, None]])

    def __call__(self, pictures: Pixels) -> object:
        work, generator, side = self.work, self.generator, self.work.side
        matrices, colors = way_back(generator, work), color(generator, work)
        deviations = 255.0 * generator.uniform(*NOISE, work.batch)
        # between the knots, the cubic has about 0.8 of their deviation
        moves = generator.standard_normal((work.batch, self.knots, self.knots, 2), np.float32)
        moves *= work.displacement / 0.8
        if self.made is None or self.made.shape != pictures.shape:
            self.made = np.empty(pictures.shape, np.float32)
        made = self.made

        def some(thread: int, rows: range) -> None:
            values = np.empty((self.group, side, side, 3), np.uint8)
            for first in range(rows.start, rows.stop, self.group):
                count = min(self.group, rows.stop - first)
                for row, to in zip(range(first, first + count), values, strict=False):
                    self.warp(pictures[row], matrices[row], moves[row] if work.whole else None, to)
                    self.cv2.transform(to, colors[row], to)
                found = made[first : first + count].reshape(count * side, side, 3)
                np.copyto(found, values[:count].reshape(found.shape))
                if work.whole:
                    self.add_noise(found.reshape(count, 3 * side * side), deviations[first:], self.bits[thread])
                self.cv2.transform(found, self.standardize, found)

        work.run(some)
        return made

    def warp(self, picture: Pixels, matrix: NDArray[np.float64], moves: NDArray[np.float32] | None, to: Pixels) -> None:
        """Write to `to` the picture seen through the matrix, each place moved by the cubic through `moves`."""
        cv2, side = self.cv2, self.work.side
        border, padded = cv2.BORDER_REFLECT, side >= 64
        if padded:
            border = cv2.BORDER_CONSTANT
            margins = reach(matrix, side, slack=2 + 4 * self.work.displacement * (moves is not None))
            picture = cv2.copyMakeBorder(cv2.cvtColor(picture, cv2.COLOR_RGB2RGBA), *margins, cv2.BORDER_REFLECT)
            matrix = np.add(matrix, [[0, 0, margins[2]], [0, 0, margins[0]]])
        if moves is None:
            flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
            found = cv2.warpAffine(picture, matrix, (side, side), None if padded else to, flags, border)
        else:
            places = cv2.resize(moves, (side, side), interpolation=cv2.INTER_CUBIC)
            cv2.transform(cv2.add(self.grid, places, places), matrix, places)
            found = cv2.remap(picture, places, None, cv2.INTER_LINEAR, None if padded else to, border)
        if padded:
            cv2.cvtColor(found, cv2.COLOR_RGBA2RGB, to)

    def add_noise(self, found: NDArray[np.float32], deviations: NDArray[np.float64], bits: np.random.Generator) -> None:
        """Add normal numbers of a picture's deviation to its row of values from 0 to 255, and clip."""
        cv2 = self.cv2
        words = bits.integers(2**64 - 1, size=-(-found.size // 4), dtype=np.uint64, endpoint=True)
        noise = cv2.LUT(words.view(np.uint16)[: found.size].reshape(found.shape), self.normal)
        for row, deviation in zip(range(len(found)), deviations.tolist(), strict=False):
            cv2.scaleAdd(noise[row], deviation, found[row], found[row])
        cv2.threshold(found, 255.0, 0.0, cv2.THRESH_TRUNC, found)
        cv2.threshold(found, 0.0, 0.0, cv2.THRESH_TOZERO, found)


def reach(matrix: NDArray[np.float64], side: int, slack: float) -> tuple[int, ...]:
    """Return how many pixels a warp looks beyond the picture at the top, bottom, left and right."""
    far = side - 1.0
    ends: list[int] = []
    for across, down, shift in reversed(matrix.tolist()):
        least = shift + far * (min(0.0, across) + min(0.0, down))
        largest = shift + far * (max(0.0, across) + max(0.0, down))
        ends += [max(0, math.ceil(slack - least)), max(0, math.ceil(slack + largest - far))]
    return tuple(ends)


def way_back(generator: np.random.Generator, work: Work) -> NDArray[np.float64]:
    """Draw and compose, for a batch, flip, rotation, translation, scaling and crop: from a result to its source."""
    count, side = work.batch, work.side
    angle = np.radians(generator.uniform(-DEGREES, DEGREES, count))
    mirror = np.where(generator.random(count) < 0.5, -1.0, 1.0)
    shift = side * generator.uniform(-SHIFT, SHIFT, (count, 2))
    scale = generator.uniform(*FACTOR, count)
    area = np.sqrt(generator.uniform(*AREA, count))
    stretch = np.exp(generator.uniform(*np.log(ASPECT), count) / 2)
    sides = np.minimum(np.stack([area * stretch, area / stretch], axis=1), 1.0)
    middle = side * (1.0 - sides) * generator.uniform(-0.5, 0.5, (count, 2))
    cosine, sine = np.cos(angle) / scale, np.sin(angle) / scale
    turn = np.stack([np.stack([mirror * cosine, mirror * sine], axis=1), np.stack([-sine, cosine], axis=1)], axis=1)
    made = np.empty((count, 2, 3))
    made[:, :, :2] = turn * sides[:, None, :]
    center = (side - 1) / 2
    to_middle = middle - shift - center * sides
    made[:, :, 2] = np.einsum("nij,nj->ni", turn, to_middle) + center
    return made


def color(generator: np.random.Generator, work: Work) -> NDArray[np.float32]:
    """Draw and compose, for a batch, brightness, contrast and saturation: matrices on (R, G, B, 1), values to 255."""
    brightness, contrast, saturation = generator.uniform(*FACTOR, (3, work.batch, 1, 1))
    gray = np.broadcast_to([0.299, 0.587, 0.114], (3, 3))
    linear = brightness * contrast * (saturation * np.eye(3) + (1.0 - saturation) * gray)
    shift = np.broadcast_to(127.5 * (1.0 - contrast), (work.batch, 3, 1))
    return np.concatenate([linear, shift], axis=2).astype(np.float32)


PEERS: dict[str, Callable[[Work], Augment]] = {
    "OpenCV by hand": ByHand,
    "Albumentations": albumentations,
    "torchvision": torchvision,
    "Kornia": kornia,
}
