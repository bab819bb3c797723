"""What one resampling keeps that several lose: pictures turned, shrunk and moved, and back again.

Photographs are turned by 15°, shrunk to 0.9 and moved by (3.3, −2.7) pixels, then the same is undone. The result is
compared with the original: peak signal-to-noise ratio over the largest disc that never leaves the picture.

- composed: the three ways out are one resampling, the three ways back another, as Sightline does it;
- step by step: six resamplings, one after the other, by the same renderer, so that only their number differs;
- the same two with Pillow's `Image.transform`.

Every resampling starts from bytes and ends with bytes, so that `composed` is rounded twice and `step by step` six
times; Pillow cuts decimals off instead of rounding, which darkens by half a gray level each time, and its bicubic is
Keys' with a = −1, sharper than a = −1/2 here. The steps and their undoing are the same matrices for all, those of
sightline.augmentation.geometry.

    python benchmarks/augmentation_quality.py [--pictures FOLDER] [--count 100] [--reference]

Without --pictures: the photographs of ../shared/data/flowers where they are there, else scikit-learn's two samples.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import replace
from functools import reduce
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from augmentation import photographs
from sightline.augmentation import geometry, identity, reference
from sightline.recipe.augmentation import Interpolation

DEGREES, FACTOR, RIGHT, DOWN = 15.0, 0.9, 3.3, -2.7
DISC = 0.45
"""Radius of what is compared, as a share of the side: farther out, a neighbor may come from outside the picture."""

Pixels = NDArray[np.uint8]
Matrix = NDArray[np.float64]
Resample = Callable[[Pixels, Matrix, Interpolation], Pixels]


def main() -> None:
    """Print the decibels of every way and the difference that composing makes."""
    given = _arguments()
    pictures, origin = photographs(given.pictures, count=given.count, side=given.side)
    sides: dict[str, Resample] = {"Sightline": by_definition if given.reference else by_sightline, "Pillow": by_pillow}
    print(f"{origin}, {given.side} px: {DEGREES:g}°, × {FACTOR:g}, ({RIGHT:g}, {DOWN:g}) px, and back\n")
    print("| renderer | interpolation | composed (2) | step by step (6) | difference | composed better in |")
    print("|---|---|---:|---:|---:|---:|")
    out, back = ways(given.side)
    for name, resample in sides.items():
        for interpolation in ("bilinear", "bicubic"):
            composed = [reduce(np.matmul, out), reduce(np.matmul, back)]
            once = decibels(pictures, resampled(pictures, composed, resample, interpolation))
            often = decibels(pictures, resampled(pictures, [*out, *back], resample, interpolation))
            print(
                f"| {name} | {interpolation} | {once.mean():.2f} dB | {often.mean():.2f} dB "
                f"| {(once - often).mean():+.2f} dB | {(once > often).mean():.0%} |"
            )


def ways(side: int) -> tuple[list[Matrix], list[Matrix]]:
    """Return the matrices of the three steps, each from a result's pixels to its source's, and of their undoing."""
    one = np.ones(1)
    middles = (
        geometry.rotation(DEGREES * one),
        geometry.scaling(FACTOR * one, FACTOR * one),
        geometry.translation(RIGHT * one, DOWN * one),
    )
    out = [geometry.between_frames(middle, source=(side, side), size=(side, side))[0] for middle in middles]
    return out, [np.linalg.inv(matrix) for matrix in reversed(out)]


def resampled(pictures: Pixels, matrices: list[Matrix], resample: Resample, interpolation: Interpolation) -> Pixels:
    """Return the pictures after one resampling for each matrix."""
    return reduce(lambda found, matrix: resample(found, matrix, interpolation), matrices, pictures)


def by_sightline(pictures: Pixels, matrix: Matrix, interpolation: Interpolation) -> Pixels:
    """Resample with the renderer that trainings use."""
    from sightline.augmentation import render

    return _bytes(render(pictures, _plan(pictures, matrix, interpolation)))


def by_definition(pictures: Pixels, matrix: Matrix, interpolation: Interpolation) -> Pixels:
    """Resample with the definition, in float64."""
    return _bytes(reference.render(pictures, _plan(pictures, matrix, interpolation)).numpy())


def by_pillow(pictures: Pixels, matrix: Matrix, interpolation: Interpolation) -> Pixels:
    """Resample with Pillow, which counts pixel centers from (1/2, 1/2)."""
    a, b, c, d, e, f = matrix[:2].ravel()
    data = (a, b, c + (1 - a - b) / 2, d, e, f + (1 - d - e) / 2)
    kernel = Image.Resampling[interpolation.upper()]
    size = (pictures.shape[2], pictures.shape[1])
    return np.stack(
        [np.asarray(Image.fromarray(each).transform(size, Image.Transform.AFFINE, data, kernel)) for each in pictures]
    )


def decibels(pictures: Pixels, found: Pixels) -> NDArray[np.float64]:
    """Return 10 log₁₀(255² / mean squared error) of each picture within the disc."""
    side = pictures.shape[1]
    place = np.arange(side) - (side - 1) / 2
    disc = place[:, None] ** 2 + place**2 <= (DISC * side) ** 2
    error = (pictures[:, disc].astype(np.float64) - found[:, disc]) ** 2
    decibels_: NDArray[np.float64] = 10.0 * np.log10(255.0**2 / error.mean(axis=(1, 2)))
    return decibels_


def _plan(pictures: Pixels, matrix: Matrix, interpolation: Interpolation):  # type: ignore[no-untyped-def]
    count, height, width, channels = pictures.shape
    plain = identity(count, source=(height, width), channels=channels)
    return replace(plain, interpolation=interpolation, homography=np.broadcast_to(matrix, (count, 3, 3)).copy())


def _bytes(values: NDArray[np.floating]) -> Pixels:
    return np.clip(np.rint(255.0 * values), 0, 255).astype(np.uint8)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=Path, help="folder of photographs")
    parser.add_argument("--count", type=int, default=100, help="photographs to take")
    parser.add_argument("--side", type=int, default=128)
    parser.add_argument("--reference", action="store_true", help="render by the definition in float64; slow")
    return parser.parse_args()


if __name__ == "__main__":
    main()
