"""Predicting: every kind of input, the same numbers whatever the company, and every refusal told."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from sightline import model
from sightline.data import Limits
from sightline.errors import DataError, RecipeError
from sightline.model.compute import group_size
from sightline.model.limits import PredictionLimits, limits_of
from sightline.model.predictions import Predictions
from sightline.model.workers import workers
from sightline.ordered import in_order
from sightline.recipe import Recipe, apply_overrides
from sightline.recipe.network import VGG, He, LeNet, ResNet, Swift


def pictures(count: int, shape: tuple[int, ...] = (12, 10, 1), seed: int = 0) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (count, *shape)).astype(np.uint8)


def png(pixels: NDArray[np.uint8]) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels[..., 0]).save(buffer, "png")
    return buffer.getvalue()


def test_every_kind_of_input_gives_the_same(loaded: model.Model, tmp_path: Path) -> None:
    pixels = pictures(3)
    wanted = loaded.probabilities(pixels).numpy()
    paths = [tmp_path / f"{i}.png" for i in range(3)]
    for path, picture in zip(paths, pixels, strict=True):
        path.write_bytes(png(picture))
    kinds: list[Any] = [
        pixels,
        pixels[..., 0],
        list(pixels),
        iter(pixels[..., 0]),
        paths,
        [str(path) for path in paths],
        np.array([str(path) for path in paths]),
        (path.read_bytes() for path in paths),
        [Image.open(path) for path in paths],
        [paths[0], bytearray(png(pixels[1])), pixels[2]],
    ]
    for kind in kinds:
        np.testing.assert_array_equal(loaded.predict(kind).probabilities, wanted)
    singles: list[Any] = [pixels[0], pixels[0, ..., 0], paths[0], str(paths[0]), png(pixels[0]), Image.open(paths[0])]
    for single in singles:
        np.testing.assert_array_equal(loaded.predict(single).probabilities, wanted[:1])
    assert loaded.predict(paths).names == tuple(map(str, paths))
    assert loaded.predict(pixels[:2]).names == ("picture 0", "picture 1")
    assert len(loaded.predict([])) == 0


@pytest.mark.parametrize(
    "wrong", [None, 7, {"a": 1}, [None], [[1, 2]], torch.zeros(2, 2), np.zeros(3), np.zeros((1,) * 5)]
)
def test_what_is_no_picture(wrong: Any, loaded: model.Model) -> None:
    with pytest.raises(DataError, match=r"found .*wanted"):
        loaded.predict(wrong)


ARCHITECTURES = [
    LeNet(dropout=0.3, initialization=He()),
    VGG(widths=(8, 16), convolutions=(1, 2), hidden=(200,), dropout=0.1, initialization=He()),
    ResNet(depth=18, width=8, stem="small", dropout=0.0, initialization=He()),
    Swift(widths=(8, 16), dropout=0.1, initialization=He()),
]


@pytest.mark.parametrize("section", ARCHITECTURES, ids=lambda section: section.name)
@pytest.mark.parametrize("size", [(28, 28), (100, 96)])
def test_numbers_depend_on_nothing_but_the_picture(
    section: Any, size: tuple[int, int], tiny: Any, tmp_path: Path
) -> None:
    """Not on company, order, position, or the number of threads, nor on a caller's autocast."""
    rules = tiny.rules(image_size=size)
    path = tiny.seal(tmp_path / "m", network_section=section, input_rules=rules, statistics=tiny.statistics(rules))
    loaded, pixels = model.load(path), pictures(37, (*size, 1))
    wanted = loaded.predict(pixels).probabilities
    order = np.random.default_rng(1).permutation(37)
    threads = torch.get_num_threads()
    try:
        for count in (1, 2, 3, 5):
            torch.set_num_threads(count)
            np.testing.assert_array_equal(loaded.predict(pixels[order]).probabilities, wanted[order])
            assert torch.get_num_threads() == count
    finally:
        torch.set_num_threads(threads)
    for start, stop in ((0, 1), (5, 6), (36, 37), (3, 20)):
        np.testing.assert_array_equal(loaded.predict(pixels[start:stop]).probabilities, wanted[start:stop])
    with torch.autocast("cpu", dtype=torch.bfloat16):
        np.testing.assert_array_equal(loaded.probabilities(torch.from_numpy(pixels)), wanted)
    for batch_size in (1, 7, 64):
        np.testing.assert_allclose(loaded.predict(pixels, batch_size=batch_size).probabilities, wanted, atol=1e-4)


def test_a_fresh_process_with_another_number_of_threads_gives_equal_probabilities(tiny: Any, tmp_path: Path) -> None:
    section = LeNet(width=2.0, dropout=0.0, initialization=He())
    rules = tiny.rules(image_size=(28, 28))
    path = tiny.seal(tmp_path / "m", network_section=section, input_rules=rules, statistics=tiny.statistics(rules))
    (tmp_path / "p.npy").touch()
    np.save(tmp_path / "p.npy", pictures(20, (28, 28, 1)))
    script = (
        "import sys, numpy as np, sightline\n"
        "sys.stdout.buffer.write(sightline.load(sys.argv[1]).predict(np.load(sys.argv[2])).probabilities.tobytes())"
    )
    wanted = model.load(path).predict(np.load(tmp_path / "p.npy")).probabilities.tobytes()
    ran = subprocess.run(
        [sys.executable, "-c", script, path, tmp_path / "p.npy"],
        capture_output=True,
        check=True,
        env={**os.environ, "OMP_NUM_THREADS": "1" if torch.get_num_threads() > 1 else "3"},
    )
    assert ran.stdout == wanted


def test_pictures_of_another_size_are_resized_by_the_models_rule(
    loaded: model.Model, tiny: Any, tmp_path: Path
) -> None:
    from sightline.data import decode

    larger = pictures(2, (40, 31, 3))
    rule = {"size": (12, 10), "channels": 1, "resize": "fit", "padding_value": 7, "decoder": "pillow"}
    decoded = np.stack([decode(picture, **rule) for picture in larger])  # type: ignore[arg-type]
    assert (decoded[:, :, -1] == 7).all(), "fitted into 12 × 10 the pictures are padded"
    np.testing.assert_array_equal(loaded.predict(larger).probabilities, loaded.probabilities(decoded))
    cropping = model.load(tiny.seal(tmp_path / "m", input_rules=tiny.rules(resize="crop")))
    assert not np.array_equal(cropping.predict(larger).probabilities, loaded.predict(larger).probabilities)


def test_refused_files_are_listed_with_their_reasons(loaded: model.Model, tmp_path: Path) -> None:
    good = [tmp_path / f"good{i}.png" for i in range(40)]
    for i, path in enumerate(good):
        path.write_bytes(png(pictures(1, seed=i)[0]))
    (tmp_path / "page.jpg").write_bytes(b"<html>404</html>")
    (tmp_path / "cut.png").write_bytes(png(pictures(1)[0])[:60])
    (tmp_path / "empty.jpg").touch()
    os.mkfifo(tmp_path / "pipe.jpg")
    bad = [tmp_path / name for name in ("page.jpg", "cut.png", "empty.jpg", "pipe.jpg", "absent.jpg")] + [tmp_path]
    mixed = [bad[0], *good[:20], *bad[1:4], *good[20:], *bad[4:]]
    with pytest.raises(DataError) as caught:
        loaded.predict(mixed)
    lines = str(caught.value).splitlines()
    assert lines[0].startswith("6 of 46 pictures cannot be used")
    assert [line.strip().startswith(f"{path}: ") for line, path in zip(lines[1:], bad, strict=True)] == [True] * 6
    predictions = loaded.predict(mixed, skip_refused=True)
    assert predictions.names == tuple(map(str, good))
    assert [refusal.name for refusal in predictions.refused] == [str(path) for path in bad]
    assert all(refusal.reason for refusal in predictions.refused)
    np.testing.assert_array_equal(predictions.probabilities, loaded.predict(good).probabilities)
    with pytest.raises(DataError, match=r"^.*absent\.jpg: cannot be read") as alone:
        loaded.predict(tmp_path / "absent.jpg")
    assert "\n" not in str(alone.value)
    for name in ("a\0.png", "a\ud800.png"):
        with pytest.raises(DataError, match="no file can have this name"):
            loaded.predict(name)
    with pytest.raises(DataError, match="and 5 more"):
        loaded.predict([tmp_path / "empty.jpg"] * 25)
    assert len(loaded.predict(bad, skip_refused=True)) == 0


def test_limits_hold(loaded: model.Model, tmp_path: Path) -> None:
    path = tmp_path / "large.png"
    path.write_bytes(png(pictures(1, (60, 60, 1))[0]))
    with pytest.raises(DataError, match="60 × 60 pixels are more than the limit of 1,000"):
        loaded.predict(path, limits=Limits(max_pixels=1000))
    with pytest.raises(DataError, match="bytes are more than the limit of 10"):
        loaded.predict(path, limits=Limits(max_bytes=10))


def test_the_limits_are_those_of_the_training(tiny: Any, tmp_path: Path) -> None:
    path = tmp_path / "large.png"
    path.write_bytes(png(pictures(1, (60, 60, 1))[0]))
    for field, says in (
        ("max_pixels=1000", r"60 × 60 pixels are more than the limit of 1,000\..*limits=Limits\(max_pixels=3600\)"),
        ("max_bytes=10", r"bytes are more than the limit of 10\..*limits=Limits\(max_bytes="),
        ("max_seconds=1e-9", r"more than the limit of 1e-09 s\..*limits=Limits\(max_seconds="),
    ):
        recipe = apply_overrides(Recipe(), [f"data.{field}"])
        strict = model.load(tiny.seal(tmp_path / "m", recipe=recipe))
        with pytest.raises(DataError, match=says) as caught:
            strict.predict(path)
        assert "--set" not in str(caught.value), "predict has no such option"
        assert len(strict.predict(path, limits=Limits())) == 1
        assert len(strict.predict(path, skip_refused=True)) == 0


@pytest.mark.parametrize(
    "recipe",
    [
        {},
        {"data": 3},
        {"data": {"max_pixels": 7}},
        {"data": {"max_pixels": None, "max_bytes": True, "max_seconds": -1}},
    ],
)
def test_a_recipe_of_another_version_may_know_other_limits(recipe: dict[str, Any]) -> None:
    assert limits_of(recipe) == PredictionLimits(
        max_pixels=7 if recipe.get("data") == {"max_pixels": 7} else 179_000_000
    )


def test_arguments_out_of_range(loaded: model.Model) -> None:
    pixels = pictures(1)
    for wrong in ({"top_k": 0}, {"batch_size": 0}, {"device": "abacus"}, {"device": "cuda:99"}):
        with pytest.raises(RecipeError, match=f"{next(iter(wrong))}: "):
            loaded.predict(pixels, **wrong)  # type: ignore[arg-type]
    with pytest.raises(RecipeError, match="decoder: found 'libjpeg', wanted pillow or simplejpeg"):
        loaded.predict(pixels, decoder="libjpeg")  # type: ignore[arg-type]
    for pixel in (pixels.astype(np.float32), pixels[:, :5], pixels[0]):
        with pytest.raises(DataError, match="wanted uint8 of shape"):
            loaded.probabilities(pixel)


def test_predictions_rank_label_and_list() -> None:
    probabilities = np.array([[0.25, 0.5, 0.25], [0.4, 0.2, 0.4]], np.float32)
    found = Predictions(("a.png", "b.png"), ("x", "y", "z"), probabilities, (), 2)
    assert found.labels == ["y", "x"]
    assert found.indices.tolist() == [1, 0]
    assert found.top(1) == [[("y", 0.5)], [("x", pytest.approx(0.4))]]
    assert [[label for label, _ in row] for row in found.top(9)] == [["y", "x", "z"], ["x", "z", "y"]]
    with pytest.raises(RecipeError):
        found.top(0)
    assert len(found) == 2
    first, second = found
    assert (first.name, first.label, first.probability) == ("a.png", "y", 0.5)
    assert second.top == (("x", pytest.approx(0.4)), ("z", pytest.approx(0.4)))


class Counting:
    """A progress that remembers."""

    def __init__(self) -> None:
        self.calls: list[Any] = []

    def start(self, task: str, total: int | None) -> None:
        self.calls.append((task, total))

    def advance(self, n: int = 1) -> None:
        assert threading.current_thread() is threading.main_thread()
        self.calls.append(n)

    def finish(self) -> None:
        self.calls.append("end")


def test_progress_is_told_of_every_picture(loaded: model.Model) -> None:
    progress = Counting()
    loaded.predict(pictures(100), progress=progress)
    assert progress.calls[0] == ("predicting", 100)
    assert sum(progress.calls[1:-1]) == 100
    failing = Counting()
    with pytest.raises(DataError):
        loaded.predict([b"nothing"], progress=failing)
    assert failing.calls[-1] == "end"


def test_results_come_in_order_and_few_are_kept_waiting() -> None:
    under_way, most, lock = 0, 0, threading.Lock()

    def work(task: int) -> int:
        time.sleep(0.001 * (task % 3))
        return task

    def tasks() -> Any:
        nonlocal under_way, most
        for task in range(60):
            under_way += 1
            most = max(most, under_way)
            yield task

    with ThreadPoolExecutor(3) as pool:
        found = []
        for result in in_order(pool, work, tasks(), ahead=5):
            with lock:
                under_way -= 1
            found.append(result)
    assert found == list(range(60))
    assert most <= 5


def test_workers_leave_the_callers_threads_alone() -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        with workers(4) as pool:
            assert set(pool.map(lambda _: torch.get_num_threads(), range(9))) == {1}
            assert torch.get_num_threads() == 3
        with ThreadPoolExecutor(1) as fresh:
            assert fresh.submit(torch.get_num_threads).result() == 3
    finally:
        torch.set_num_threads(before)


def test_several_threads_predict_at_once(loaded: model.Model) -> None:
    pixels = pictures(50)
    wanted = loaded.predict(pixels).probabilities
    with ThreadPoolExecutor(4) as pool:
        for found in pool.map(lambda _: loaded.predict(pixels).probabilities, range(12)):
            np.testing.assert_array_equal(found, wanted)


def test_the_group_follows_from_the_size_alone() -> None:
    sizes = {(8, 8): 32, (28, 28): 16, (32, 32): 16, (64, 64): 4, (96, 96): 1, (224, 224): 1, (4096, 4096): 1}
    assert {size: group_size(size, on_cpu=True) for size in sizes} == sizes


def test_a_missing_decoder_is_told_and_another_may_be_chosen(
    tiny: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded = model.load(tiny.seal(tmp_path / "m", input_rules=tiny.rules(decoder="simplejpeg")))
    buffer = io.BytesIO()
    Image.fromarray(pictures(1, (60, 50, 3))[0]).save(buffer, "jpeg")
    monkeypatch.setitem(sys.modules, "simplejpeg", None)
    with pytest.raises(DataError, match=r"decoded by simplejpeg.*not installed.*sightline\[jpeg\]"):
        loaded.predict(buffer.getvalue())
    assert len(loaded.predict(buffer.getvalue(), decoder="pillow")) == 1
    assert len(loaded.predict(png(pictures(1)[0]))) == 1, "only JPEGs need it"
