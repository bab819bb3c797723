"""Prediction of a ResNet-18 at 224 px: backends against torch as it is, and what is lost between a file and its label.

    python benchmarks/predicting.py [--seconds 3] [--rounds 3]

Pictures a second for one picture at a time and for 64, of random weights with 1,000 classes: torch eager in bfloat16
(autocast, channels last), each backend that is installed, and OpenVINO by itself, as its own users call it. Each round
measures all of them one after the other; the best and the worst of the rounds are printed. Then JPEG files to labels
through `Model.predict`, against what decoding and the network alone allow with the same threads, and the seconds from
the start of a process to the first answer.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from sightline import model, network, preprocessing
from sightline.allocation import keep_freed_memory
from sightline.data import Limits
from sightline.model import backends
from sightline.model.inputs import items
from sightline.model.predicting import decoding
from sightline.recipe import Recipe
from sightline.recipe.network import He, ResNet

SIDE, CLASSES, FILES = 224, 1000, 64
SECTION = ResNet(depth=18, stem="large", dropout=0.0, first_layer="drawn", head="published", initialization=He())
ANSWER = (
    "import sys, sightline.model as m; print(m.load(sys.argv[1]).predict([sys.argv[2]], backend=sys.argv[3]).labels)"
)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--rounds", type=int, default=3)
    chosen = parser.parse_args()
    keep_freed_memory()
    with tempfile.TemporaryDirectory() as folder:
        path = sealed(Path(folder) / "model.safetensors")
        loaded = model.load(path)
        for count in (1, 64):
            pictures = backends.drawn((count, SIDE, SIDE, 3))
            ways: dict[str, Callable[[], object]] = {"torch eager bfloat16": eager(pictures)}
            for name in (*backends.there(), "auto"):
                ways[name] = partial(loaded.probabilities, pictures, backend=name)
            if "openvino" in backends.there():
                ways["openvino by itself"] = by_itself(pictures)
            compare(f"{count} at once", ways, count, chosen.seconds, chosen.rounds)
            print("  auto took", loaded._computation._backends._fastest)
        files_to_labels(loaded, Path(folder), chosen.seconds)
        for backend in ("exact", "torch", "auto"):
            arguments = [sys.executable, "-c", ANSWER, str(path), str(Path(folder) / "0.jpg"), backend]
            begun = time.perf_counter()
            subprocess.run(arguments, check=True, capture_output=True)
            print(f"process start to first answer, {backend}: {time.perf_counter() - begun:.2f} s")


def sealed(path: Path) -> Path:
    """Seal a network as it is drawn."""
    built = network.build(SECTION, channels=3, classes=CLASSES, image_size=(SIDE, SIDE))
    network.initialize(built, network.build_scheme(SECTION), seed=0)
    pictures = backends.drawn((8, SIDE, SIDE, 3))
    statistics = preprocessing.fit([pictures], center="channel", scale="channel", decorrelate="none", epsilon=1e-5)
    rules = model.InputRules(
        image_size=(SIDE, SIDE),
        channels=3,
        resize="fit",
        padding_value=0,
        decoder="simplejpeg",
        decoder_version="any",
    )
    model.seal(
        path,
        network=built,
        network_section=SECTION,
        statistics=statistics,
        input_rules=rules,
        class_names=[str(number) for number in range(CLASSES)],
        recipe=Recipe(),
        reasons={},
        source="none",
        data_digest="ab12",
        metrics={},
    )
    return path


def drawn_network() -> torch.nn.Module:
    """Return the same network in torch alone."""
    built = network.build(SECTION, channels=3, classes=CLASSES, image_size=(SIDE, SIDE))
    network.initialize(built, network.build_scheme(SECTION), seed=0)
    return built.eval().to(memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]


def eager(pictures: np.ndarray) -> Callable[[], object]:
    """Return what users of torch do: standardize, autocast, all pictures at once."""
    built, mean, deviation = drawn_network(), torch.full((3,), 127.0), torch.full((3,), 64.0)

    def once() -> object:
        with torch.inference_mode(), torch.autocast("cpu", dtype=torch.bfloat16):
            given = ((torch.from_numpy(pictures).float() - mean) / deviation).permute(0, 3, 1, 2)
            return torch.softmax(built(given).float(), 1)

    return once


def by_itself(pictures: np.ndarray) -> Callable[[], object]:
    """Return what users of OpenVINO do: all pictures at once, its own defaults."""
    import openvino

    from sightline.model.onnx_runtimes import exported

    text = exported(drawn_network(), torch.nn.Identity(), np.zeros((len(pictures), 3, SIDE, SIDE), np.float32))
    compiled = openvino.Core().compile_model(openvino.Core().read_model(text), "CPU")
    given = ((pictures.astype(np.float32) - 127.0) / 64.0).transpose(0, 3, 1, 2)
    return lambda: compiled([given])[0]


def compare(title: str, ways: dict[str, Callable[[], object]], count: int, seconds: float, rounds: int) -> None:
    """Print pictures a second of each way, and their ratio to the first."""
    found: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, once in ways.items():
            found[name].append(rate(once, count, seconds))
    first = max(next(iter(found.values())))
    for name, rates in found.items():
        print(f"{title}: {name:22s} {max(rates):6.1f} img/s ({min(rates):.1f}), {max(rates) / first:.2f} times eager")


def rate(once: Callable[[], object], count: int, seconds: float) -> float:
    """Return pictures a second, after two calls that are not counted."""
    once()
    once()
    calls, begun = 0, time.perf_counter()
    while (elapsed := time.perf_counter() - begun) < seconds or not calls:
        once()
        calls += 1
    return calls * count / elapsed


def files_to_labels(loaded: model.Model, folder: Path, seconds: float) -> None:
    """Print the speed from JPEG files to labels beside that of decoding and of the network alone."""
    pictures = backends.drawn((FILES, 300, 400, 3))
    paths = [folder / f"{number}.jpg" for number in range(FILES)]
    for path, picture in zip(paths, pictures, strict=True):
        Image.fromarray(picture).save(path, quality=90)
    decode = decoding(loaded.description.inputs, Limits())
    given = items(paths)
    with ThreadPoolExecutor(torch.get_num_threads()) as pool:
        decoding_alone = rate(lambda: list(pool.map(decode, given)), FILES, seconds)
    pixels = np.stack([decode(item) for item in given])
    for backend in ("exact", "torch", "auto"):
        network_alone = rate(partial(loaded.probabilities, pixels, backend=backend), FILES, seconds)
        whole = rate(partial(loaded.predict, paths, backend=backend), FILES, seconds)
        possible = 1.0 / (1.0 / decoding_alone + 1.0 / network_alone)
        print(
            f"JPEG to label, {backend}: {whole:.1f} img/s; decoding alone {decoding_alone:.0f}, network alone "
            f"{network_alone:.1f}, together at best {possible:.1f}: {whole / possible:.0%}"
        )


if __name__ == "__main__":
    main()
