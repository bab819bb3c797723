"""Pictures per second of augmentation: Sightline against Albumentations, torchvision, Kornia and OpenCV by hand.

Every side starts from the same photographs as bytes and ends with standardized float32 pictures; choosing the random
numbers is timed with the rest. Two lists:

- whole: horizontal flip, rotation ±15°, translation ±10 %, scaling 0.8 to 1.2, crop of 0.5 to 1 of the area,
  brightness, contrast and saturation 0.8 to 1.2, Gaussian noise of deviation 0 to 0.05, elastic distortion (root mean
  square 2 px, smoothness 8 px at 224 px; in proportion at other sizes, but smooth over 2 px), standardization;
- without elastic and noise: the same, less these two.

Sightline and OpenCV write into memory that stays, as a training does; the others have no such argument. The sides take
turns, in one process, a fifth of a second or a batch each; printed are medians over rounds. The copy
bound is the speed at which NumPy reads the bytes and writes as many float32 with the same number of threads.

    python benchmarks/augmentation.py [--side 224 --batch 64] [--threads 1 2] [--pictures FOLDER] [--rounds 9]

Without --side: 224 px in batches of 64, then 32 px in batches of 512. Without --pictures: the photographs of
../shared/data/flowers where they are there, else pieces of scikit-learn's two samples. A peer that cannot be imported
is left out, with a sentence that says so. Peers live in an environment of their own, beside Sightline's requirements:

    python3 -m venv .venv-peers
    .venv-peers/bin/pip install torch==2.13.0
    .venv-peers/bin/pip install --no-deps torchvision==0.28.0
    .venv-peers/bin/pip install kornia==0.9.0 albumentations==2.0.8 opencv-python-headless==5.0.0.93
    .venv-peers/bin/pip install .
    .venv-peers/bin/python benchmarks/augmentation.py
"""

from __future__ import annotations

import argparse
import itertools
import os
import platform
import statistics
import time
from contextlib import suppress
from functools import cache, partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageOps

from peers_augmentation import AREA, ASPECT, DEGREES, DEVIATION, FACTOR, MEAN, NOISE, PEERS, SHIFT, Augment, Work

OURS, DRAWING, COPY = "Sightline", "Sightline, only drawing", "copying"
SIZES = ((224, 64), (32, 512))
PHOTOS = Path(__file__).parents[1] / ".." / "shared" / "data" / "flowers"
SUFFIXES = {".jpg", ".jpeg", ".png", ".webp"}
TURN = 0.2
"""Seconds that a turn lasts at least."""
PAUSE = 0.05
"""Seconds between turns, in which the threads of the side before stop spinning."""
BATCHES = 4
"""Batches of photographs to take turns with."""

Pixels = NDArray[np.uint8]


def main() -> None:
    """Print a table for each size, list and number of threads."""
    given = _arguments()
    sizes = ((given.side, given.batch),) if given.side else SIZES
    print(f"{_processor()}, {os.cpu_count()} processors, Python {platform.python_version()}, {_versions()}")
    for side, batch in sizes:
        found, origin = photographs(given.pictures, count=BATCHES * batch, side=side)
        pictures = np.resize(found, (BATCHES, batch, side, side, 3))
        print(f"\n{side} px, batch {batch}, {given.rounds} rounds in turns; {origin}")
        for threads in given.threads:
            for whole in (True, False):
                compare(Work(side, batch, threads, whole), pictures, rounds=given.rounds, only=given.only)


def compare(work: Work, pictures: NDArray[np.uint8], *, rounds: int, only: list[str] | None) -> None:
    """Let every side augment in turn, and print its speed."""
    sides = _sides(work, only)
    speeds: dict[str, list[float]] = {name: [] for name in sides}
    for name, augment in sides.items():
        check(name, augment(pictures[0]), work)
    for _ in range(rounds):
        for name, augment in sides.items():
            time.sleep(PAUSE)
            speeds[name].append(speed(augment, pictures))
    middle = {name: statistics.median(found) for name, found in speeds.items()}
    best = max((middle[name] for name in PEERS if name in middle), default=float("nan"))
    bound = middle[COPY]
    listed = "the whole list" if work.whole else "without elastic and noise"
    print(f"\n{work.side} px, {listed}, {work.threads} thread{'s' * (work.threads > 1)}:\n")
    print("| side | img/s | from | to | ratio to the best peer | share of the copy bound |")
    print("|---|---:|---:|---:|---:|---:|")
    for name, found in speeds.items():
        plain = name in (COPY, DRAWING)
        ratio, share = ("", "") if plain else (f"{middle[name] / best:.2f}", f"{middle[name] / bound:.1%}")
        row = (name, f"{middle[name]:,.0f}", f"{min(found):,.0f}", f"{max(found):,.0f}", ratio, share)
        print(f"| {' | '.join(row)} |", flush=True)


def speed(augment: Augment, pictures: NDArray[np.uint8]) -> float:
    """Return pictures per second over whole batches."""
    began, batches = time.perf_counter(), 0
    while (took := time.perf_counter() - began) < TURN:
        augment(pictures[batches % len(pictures)])
        batches += 1
    return batches * pictures.shape[1] / took


def check(name: str, found: object, work: Work) -> None:
    """Stop where a side did not make standardized float32 pictures of the right shape; this also warms it up."""
    if name in (COPY, DRAWING):
        return
    made = found.numpy() if isinstance(found, torch.Tensor) else np.asarray(found)
    shapes = ((work.batch, work.side, work.side, 3), (work.batch, 3, work.side, work.side))
    if made.dtype != np.float32 or made.shape not in shapes:
        raise SystemExit(f"{name}: made {made.dtype} of shape {made.shape}, wanted float32 of one of {shapes}.")
    if not (abs(made.mean()) < 1.5 and 0.3 < made.std() < 3.0):
        raise SystemExit(f"{name}: made mean {made.mean():.2f} and deviation {made.std():.2f}, wanted about 0 and 1.")


def sightline(work: Work, *, only_draw: bool = False) -> Augment:
    """Draw the plan of each batch from the pictures' identities, then render it."""
    from sightline.augmentation import draw, render
    from sightline.recipe import operations as op
    from sightline.recipe.augmentation import Augmentation

    way = work.displacement
    elastic = op.Elastic(displacement_pixels=(way, way), smoothness_pixels=work.smoothness)
    chosen = Augmentation(
        policy="custom",
        operations=(
            op.HorizontalFlip(),
            op.Rotation(degrees=(-DEGREES, DEGREES)),
            op.Translation(horizontal=(-SHIFT, SHIFT), vertical=(-SHIFT, SHIFT)),
            op.Scaling(factor=FACTOR),
            op.Crop(area=AREA, aspect=ASPECT),
            *([elastic] if work.whole else []),
            op.Brightness(factor=FACTOR),
            op.Contrast(factor=FACTOR),
            op.Saturation(factor=FACTOR),
            *([op.GaussianNoise(deviation=NOISE)] if work.whole else []),
        ),
    )
    keys = np.arange(work.batch, dtype=np.uint64)
    epoch = itertools.count(1)
    room = np.empty((work.batch, work.side, work.side, 3), np.float32)

    def augment(pictures: Pixels) -> object:
        plan = draw(chosen, keys, epoch=next(epoch), source=(work.side, work.side))
        plan = plan.standardized(1.0 / DEVIATION, -MEAN / DEVIATION)
        return plan if only_draw else render(pictures, plan, threads=work.threads, out=room)

    return augment


def copying(work: Work) -> Augment:
    """Read every byte and write a float32 for each, in buffers that stay."""
    made = np.zeros((work.batch, work.side, work.side, 3), np.float32)

    def augment(pictures: Pixels) -> object:
        def some(_: int, rows: range) -> None:
            # as much at once as stays in the cache, so that only the source is read and the result written
            step = max(1, 2**16 // work.side**2)
            read = np.empty_like(pictures[:step])
            for first in range(rows.start, rows.stop, step):
                source = pictures[first : min(first + step, rows.stop)]
                np.copyto(read[: len(source)], source)
                made[first : first + len(source)].fill(1.0)

        work.run(some)
        return made

    return augment


def photographs(folder: Path | None, *, count: int, side: int) -> tuple[Pixels, str]:
    """Return up to `count` photographs, cut to squares and resized to `side`, and what they are."""
    folder = folder or (PHOTOS if PHOTOS.is_dir() else None)
    if folder is None:
        from sklearn.datasets import load_sample_images

        rng = np.random.default_rng(0)
        wholes = [Image.fromarray(image) for image in load_sample_images().images]
        made = [_piece(wholes[number % len(wholes)], side, rng) for number in range(count)]
        return np.stack(made), f"{count} pieces of scikit-learn's two sample photographs"
    paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES)
    if not paths:
        raise SystemExit(f"{folder}: found no photographs, wanted {', '.join(sorted(SUFFIXES))}.")
    chosen = [paths[place] for place in np.linspace(0, len(paths) - 1, min(count, len(paths))).astype(int)]
    made = []
    for path in chosen:
        with Image.open(path) as image:
            made.append(np.asarray(ImageOps.fit(image.convert("RGB"), (side, side), Image.Resampling.BICUBIC)))
    return np.stack(made), f"{len(made)} photographs of {folder.resolve().name}"


def _piece(whole: Image.Image, side: int, rng: np.random.Generator) -> Pixels:
    length = int(rng.integers(min(whole.size) // 2, min(whole.size), endpoint=True))
    left, top = (int(rng.integers(0, whole_side - length, endpoint=True)) for whole_side in whole.size)
    box = (left, top, left + length, top + length)
    return np.asarray(whole.resize((side, side), Image.Resampling.BICUBIC, box))


def _sides(work: Work, only: list[str] | None) -> dict[str, Augment]:
    made: dict[str, Augment] = {}
    for name, build in {OURS: sightline, DRAWING: partial(sightline, only_draw=True), **PEERS, COPY: copying}.items():
        if only and name.split()[0] not in only and name != COPY:
            continue
        try:
            made[name] = build(work)
        except (ImportError, RuntimeError) as error:
            _say_once(f"{name} is left out: it cannot be imported here ({str(error).splitlines()[0]}).")
    return made


@cache
def _say_once(sentence: str) -> None:
    print(sentence)


def _versions() -> str:
    found = []
    for package in ("numpy", "numba", "torch", "torchvision", "kornia", "albumentations", "opencv-python-headless"):
        with suppress(PackageNotFoundError):
            found.append(f"{package} {version(package)}")
    return ", ".join(found)


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, platform.processor() or platform.machine())


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--side", type=int, help="height and width of the pictures; 224, then 32 where not given")
    parser.add_argument("--batch", type=int, default=64, help="pictures in a batch, with --side")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--pictures", type=Path, help="folder of photographs")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--only", nargs="+", metavar="SIDE", help="by first words: Sightline OpenCV ...")
    return parser.parse_args()


if __name__ == "__main__":
    main()
