"""The first pass over photographs: read, decode, resize to 224, store; ours against Pillow in a thread pool.

Both sides read the same JPEG files of 640 × 427 pixels from disk, bring them to 224 × 224 (whole picture, padded) and
write them to a file, in turns, each in a process of its own. The ratio of their median times is the result.

    python benchmarks/decode.py [--pictures 600] [--threads 2] [--rounds 5]
"""

from __future__ import annotations

import argparse
import functools
import io
import multiprocessing
import os
import platform
import statistics
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import numpy as np
from PIL import Image

from sightline.data.catalogue import Catalogue, build_catalogue
from sightline.data.decode import best_decoder, decoder_version
from sightline.data.limits import Limits
from sightline.data.opening import open_source
from sightline.data.pixels import store_pixels

HEIGHT, WIDTH = 427, 640
SIDE = 224
PHOTOS = Path(__file__).parents[1] / ".." / "shared" / "data" / "flowers"


def main() -> None:
    """Print images per second of every side and the ratio."""
    arguments = _arguments()
    with tempfile.TemporaryDirectory() as temporary, ExitStack() as stack:
        folder = Path(temporary)
        os.environ["SIGHTLINE_CACHE"] = str(folder / "cache")
        # Each in a process of its own, as in use: they would tune the memory allocator for one another.
        spawn = multiprocessing.get_context("spawn")
        sides = {name: stack.enter_context(ProcessPoolExecutor(1, mp_context=spawn)) for name in SIDES}
        with ProcessPoolExecutor(1, mp_context=spawn) as process:
            made = process.submit(make_photographs, folder / "photographs", arguments.pictures).result()
        seconds: dict[str, list[float]] = {name: [] for name in SIDES}
        busy: dict[str, list[float]] = {name: [] for name in SIDES}
        for round_ in range(arguments.rounds + 1):
            for name, process in sides.items():
                took, worked = process.submit(measure, name, folder, arguments.threads).result()
                if round_:  # the first round warms caches and imports
                    seconds[name].append(took)
                    busy[name].append(worked)
    print(f"{made}, {arguments.threads} threads, {arguments.rounds} rounds in turns, medians")
    print(f"{platform.machine()}, {os.cpu_count()} processors, Python {platform.python_version()}")
    print(f"{decoder_version(best_decoder())}")
    middle = {name: statistics.median(times) for name, times in seconds.items()}
    for name, times in seconds.items():
        each = statistics.median(busy[name]) / arguments.pictures * 1e3
        print(
            f"{name:20} {arguments.pictures / middle[name]:7.0f} img/s   {min(times):.2f} to {max(times):.2f} s   "
            f"{each:.2f} ms of processor time each"
        )
    busy_ratio = statistics.median(busy["pillow"]) / statistics.median(busy["sightline"])
    print(f"ratio to pillow {middle['pillow'] / middle['sightline']:.2f} (of processor time {busy_ratio:.2f})")
    print(f"ratio to pillow in draft mode {middle['pillow, draft mode'] / middle['sightline']:.2f}")


def measure(side: str, folder: Path, threads: int) -> tuple[float, float]:
    """Return seconds of wall and of processor time that a side took for all photographs."""
    catalogue = catalogued(folder / "photographs")
    with tempfile.TemporaryDirectory(dir=folder) as out:
        began, worked = time.perf_counter(), time.process_time()
        SIDES[side](catalogue, Path(out), threads)
        return time.perf_counter() - began, time.process_time() - worked


@functools.cache
def catalogued(folder: Path) -> Catalogue:
    """Return the catalogue of the photographs, once per process."""
    return build_catalogue(open_source(str(folder)), limits=Limits())


def ours(catalogue: Catalogue, out: Path, threads: int) -> None:
    """Decode and store as a training does."""
    stored = store_pixels(
        catalogue,
        size=(SIDE, SIDE),
        channels=3,
        resize="fit",
        padding_value=0,
        decoder=best_decoder(),
        limits=Limits(),
        threads=threads,
        cache=out,
    )
    assert len(stored.pixels) == len(catalogue)
    stored.pixels.close()


def pillow(catalogue: Catalogue, out: Path, threads: int, *, draft: bool = False) -> None:
    """Decode and store as one writes it with Pillow, a thread pool and a NumPy file."""
    inner = round(HEIGHT * SIDE / WIDTH)
    top = (SIDE - inner) // 2
    stored = np.lib.format.open_memmap(out / "pixels.npy", "w+", np.uint8, (len(catalogue), SIDE, SIDE, 3))

    def work(position: int) -> None:
        data = catalogue.source.read(int(catalogue.index[position]))
        assert isinstance(data, bytes)
        image: Image.Image = Image.open(io.BytesIO(data))
        if draft:
            image.draft("RGB", (SIDE, inner))
        image = image.convert("RGB").resize((SIDE, inner), Image.Resampling.BILINEAR)
        stored[position, top : top + inner] = np.asarray(image)

    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(work, catalogue.reading_order.tolist()))
    stored.flush()


SIDES: dict[str, Callable[[Catalogue, Path, int], None]] = {
    "sightline": ours,
    "pillow": pillow,
    "pillow, draft mode": functools.partial(pillow, draft=True),
}


def make_photographs(folder: Path, count: int) -> str:
    """Write `count` JPEGs of 640 × 427 pixels, quality 90, 4:2:0, in two classes; return what they are.

    Each is a mosaic of six real photographs of 128 × 128, doubled in size, with the grain of a sensor; where those
    are not at hand, of smooth random fields.
    """
    rng = np.random.default_rng(0)
    found = sorted(PHOTOS.glob("*/*.jpg"))
    tiles = [_tile(path) for path in found[:: max(1, len(found) // 300)]] or [_field(rng) for _ in range(60)]
    size = 0
    for number in range(count):
        chosen = rng.integers(0, len(tiles), (2, 3))
        picture = np.concatenate([np.concatenate([tiles[i] for i in row], axis=1) for row in chosen])
        grain = rng.normal(0.0, 4.0, (HEIGHT, WIDTH, 1))
        pixels = (picture[:HEIGHT, :WIDTH] + grain).clip(0, 255).astype(np.uint8)
        path = folder / f"class {number % 2}" / f"{number:05}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(path, quality=90, subsampling="4:2:0")
        size += path.stat().st_size
    origin = "mosaics of real photographs" if found else "smooth random fields"
    return f"{count} JPEGs of {WIDTH} x {HEIGHT} ({origin}, {size / count / 1024:.0f} KiB each)"


def _tile(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB").resize((256, 256), Image.Resampling.BICUBIC)).astype(np.float32)


def _field(rng: np.random.Generator) -> np.ndarray:
    coarse = Image.fromarray(rng.integers(0, 256, (24, 24, 3), dtype=np.uint8))
    return np.asarray(coarse.resize((256, 256), Image.Resampling.BICUBIC)).astype(np.float32)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=int, default=600)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    return parser.parse_args()


if __name__ == "__main__":
    main()
