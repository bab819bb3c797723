"""The GPU's kernel against the definition of rendering, in Triton's interpreter, so that no GPU is needed.

The interpreter must be chosen before Triton is imported. The checks therefore run in a process of their own, which is
this file run as a program; each is one test here.
"""

import importlib.util
import json
import os
import subprocess
import sys
import traceback
from dataclasses import replace

import numpy as np
import pytest
import torch

from sightline.augmentation import draw, gpu, identity, prefilter, reference
from sightline.errors import SightlineError
from sightline.recipe import operations as op
from sightline.recipe.augmentation import Augmentation

NO_TRITON = importlib.util.find_spec("triton") is None
TILE = gpu.DOWN, gpu.ACROSS
CLOSE = 2e-6
"""Far within the 1e-4 that is promised: what float32 costs."""


def pictures(count, height, width, channels=3, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (count, height, width, channels), dtype=np.uint8)


def rendered(images, plan, dtype=torch.float32):
    found = gpu.render_on_gpu(torch.from_numpy(images), plan, dtype=dtype)
    assert found.shape == (plan.own, plan.channels, *plan.size)
    assert found.is_contiguous(memory_format=torch.channels_last)
    return found.permute(0, 2, 3, 1)


def assert_close(images, plan, most=CLOSE):
    difference = (rendered(images, plan).double() - reference.render(images, plan)).abs()
    assert difference.max() < most, (
        f"{difference.max():.2e} at {np.unravel_index(int(difference.argmax()), difference.shape)}"
    )


def assert_exact(images, plan):
    assert torch.equal(rendered(images, plan), reference.render(images, plan).float())


def moved(matrices, *, source, size, **changes):
    plan = identity(len(matrices), source=source, size=size, channels=changes.pop("channels", 3))
    return replace(plan, homography=np.array(matrices, dtype=np.float64), **changes)


def any_plan(fill, interpolation, channels, seed):
    """Return a plan in which every operation is done to about a third of the pictures."""
    listed = [
        each(probability=0.35)
        for each in op.ORDER
        if each not in (op.AlternatingFlip, op.Mixup) and not (channels == 1 and issubclass(each, op.NEEDS_COLOR))
    ]
    chosen = Augmentation(
        policy="custom",
        operations=tuple(listed),
        fill=fill,
        fill_value=77 if fill == "constant" else 0,
        interpolation=interpolation,
    )
    return draw(chosen, [1, 2, 3], seed=seed, source=(19, 23), size=(15, 41), channels=channels)


def check_every_operation_and_fill_bilinear():
    for seed, (fill, channels) in enumerate([("reflect", 3), ("edge", 3), ("constant", 1), ("reflect", 1)]):
        assert_close(pictures(3, 19, 23, channels), any_plan(fill, "bilinear", channels, seed))


def check_every_operation_and_fill_bicubic():
    for seed, (fill, channels) in enumerate([("reflect", 1), ("constant", 3)]):
        assert_close(pictures(3, 19, 23, channels), any_plan(fill, "bicubic", channels, seed + 4))


def check_every_operation_and_fill_nearest():
    for seed, (fill, channels) in enumerate([("reflect", 3), ("edge", 1), ("constant", 3)]):
        assert_close(pictures(3, 19, 23, channels), any_plan(fill, "nearest", channels, seed + 7))


def check_whole_moves_are_exact():
    whole = (op.HorizontalFlip(probability=1), op.VerticalFlip(probability=1), op.QuarterTurns(), op.PadAndCrop())
    for side, channels, fill in ((1, 3, "constant"), (8, 3, "reflect"), (33, 1, "constant")):
        images = pictures(2, side, side, channels)
        assert_exact(images, identity(2, source=(side, side), channels=channels))
        for each in whole:
            chosen = Augmentation(policy="custom", operations=(each,), fill=fill)
            assert_exact(images, draw(chosen, [5, 8], source=(side, side), channels=channels))


def check_every_byte_is_its_255th():
    images = np.arange(256, dtype=np.uint8).reshape(1, 16, 16, 1)
    for interpolation in ("bilinear", "bicubic", "nearest"):
        plan = replace(identity(1, source=(16, 16), channels=1), interpolation=interpolation)
        assert torch.equal(rendered(images, plan), torch.from_numpy(images / 255.0).float())


def check_sizes_from_one_pixel_on():
    turn = [[0.8, -0.4, 0.3], [0.5, 0.9, -0.6], [0, 0, 1]]
    for source, size in (((1, 1), (1, 1)), ((1, 1), (5, 3)), ((1, 9), (9, 1)), ((7, 2), (1, 33)), ((3, 3), (2, 8))):
        for fill in ("reflect", "edge", "constant"):
            assert_close(pictures(1, *source), moved([turn], source=source, size=size, fill=fill))


def check_large_pictures():
    operations = [op.Rotation(degrees=(14, 15)), op.Translation(), op.Scaling(), op.Elastic(), op.Brightness()]
    plan = draw(operations, [3], source=(513, 257))
    assert plan.grid.any()
    assert_close(pictures(1, 513, 257), plan, 1e-5)
    plan = draw([op.Lens(strength=(0.9, 1)), op.Perspective()], [4], source=(131, 65))
    assert_close(pictures(1, 131, 65), plan, 1e-5)


def check_extreme_matrices():
    """Enlarged and shrunk twentyfold, far outside, slanted to all but a line, and seen at a steep angle."""
    matrices = [
        [[0.05, 0, 3], [0, 0.05, 4], [0, 0, 1]],
        [[20, -3, -99], [4, 19, 77], [0, 0, 1]],
        [[1, 0.3, 1e5], [-0.3, 1, -3e6], [0, 0, 1]],
        [[1, 1, 0], [1, 1.000001, 0], [0, 0, 1]],
        [[2, 0, 0.5], [0, 2, 0.25], [0, 0, 2]],
    ]
    steep = [
        [[1, 0.2, 3], [0.1, 1, -2], [0.08, 0.03, 0.3]],
        [[1, 0.2, 3], [0.1, 1, -2], [-0.02, -0.03, -0.5]],
        [[1e9, 0, 3], [0, -1e12, 4], [0, 0, 1]],
    ]
    for fill in ("reflect", "edge", "constant"):
        images = pictures(5, 13, 17)
        assert_close(images, moved(matrices, source=(13, 17), size=(12, 21), fill=fill))
        assert_close(images[:3], moved(steep, source=(13, 17), size=(12, 21), fill=fill))


def check_noise_is_that_of_its_place():
    for channels, width in ((3, 70), (1, 70)):
        plan = identity(2, source=(11, width), channels=channels)
        keys = np.array([2**64 - 3, 7_777_777_777_777], np.uint64)
        gray = np.full((2, 11, width, channels), 128, np.uint8)
        assert_close(gray, replace(plan, noise=np.array([0.05, 0.0]), noise_key=keys), 3e-7)
        both = replace(plan, noise=np.array([0.1, 0.2]), salt_pepper=np.array([0.0, 0.6]), noise_key=keys)
        assert_close(gray, both, 3e-7)


def check_mixing_with_pictures_of_the_pool():
    pool = np.arange(40, dtype=np.uint64)
    listed = [op.HorizontalFlip(), op.Mixup(probability=0.5, alpha=1.0), op.Cutmix(probability=0.5)]
    plan = draw(listed, range(4), source=(9, 16), pool=pool)
    plan = plan.standardized(np.array([4.0, 3, 5]), np.array([-2.0, 0, 1]))
    boxes = plan.paste.any(axis=1)
    assert len(plan) > plan.own
    assert boxes.any()
    assert not boxes[plan.partner >= 0].all()
    assert_close(pictures(len(plan), 9, 16), plan, 1e-5)


def check_two_bytes_are_rounded_once():
    """The interpreter cuts bfloat16 off where a GPU rounds; both come within a unit of its last place, 1/128."""
    for width in (40, 41):
        plan = draw("standard", [1, 2], source=(9, width)).standardized(np.full(3, 4.0), np.full(3, -2.0))
        images = pictures(2, 9, width)
        whole = rendered(images, plan)
        assert torch.equal(rendered(images, plan, torch.float16), whole.half())
        torch.testing.assert_close(rendered(images, plan, torch.bfloat16).float(), whole, rtol=2.0**-7, atol=0)


def check_the_tile_of_a_gpu():
    gpu.DOWN, gpu.ACROSS = TILE
    plan = draw([op.Rotation(), op.GaussianNoise()], [1], source=(9, 40))
    images = pictures(1, 9, 40)
    assert_close(images, plan)
    assert torch.equal(rendered(images, plan, torch.float16), rendered(images, plan).half())


CHECKS = [name for name in list(globals()) if name.startswith("check_")]


@pytest.fixture(scope="module")
def outcomes():
    """Return what each check raised, in words; nothing where it holds."""
    environment = {**os.environ, "TRITON_INTERPRET": "1"}
    ran = subprocess.run([sys.executable, __file__], env=environment, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr[-2000:]
    return json.loads(ran.stdout)


@pytest.mark.skipif(NO_TRITON, reason="Triton is not installed")
@pytest.mark.parametrize("check", CHECKS)
def test_kernel(outcomes, check):
    assert not outcomes[check], outcomes[check]


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("source", [(1, 1), (4, 9), (21, 16)])
def test_prefiltered_bytes_are_the_definitions(source, channels):
    plan = replace(
        identity(6, source=source, channels=channels),
        jpeg=np.array([0, 40, 0, 0, 90, 0], np.int32),
        blur=np.array([[0, 0], [0, 0], [2.3, 0.4], [0, 8.0], [0.7, 0.7], [0.01, 0]]),
        sharpen=np.array([0.0, 0, 0, 1.3, 0.6, 0]),
    )
    images = pictures(6, *source, channels)
    found, slots = gpu._prefiltered(torch.from_numpy(images), plan)
    assert slots[0] == -1
    for row, slot in enumerate(slots):
        expected = prefilter.prefiltered(
            images[row], jpeg=int(plan.jpeg[row]), blur=tuple(plan.blur[row]), sharpen=float(plan.sharpen[row])
        )
        np.testing.assert_array_equal(images[row] if slot < 0 else found[slot].numpy(), expected)


def test_no_picture_makes_no_result():
    if NO_TRITON:
        pytest.skip("Triton is not installed")
    empty = torch.zeros(0, 4, 5, 3, dtype=torch.uint8, device="meta")
    assert gpu.render_on_gpu(empty, identity(0, source=(4, 5))).shape == (0, 3, 4, 5)


@pytest.mark.parametrize(
    ("images", "dtype", "found"),
    [
        (torch.zeros(2, 4, 5, 3, dtype=torch.uint8), torch.float64, "torch.float64"),
        (torch.zeros(2, 4, 5, 3), torch.float32, "torch.float32"),
        (torch.zeros(3, 4, 5, 3, dtype=torch.uint8), torch.float32, r"\(3, 4, 5, 3\)"),
        (torch.zeros(2, 3, 4, 5, dtype=torch.uint8), torch.float32, r"\(2, 3, 4, 5\)"),
        (torch.zeros(2, 4, 5, 3, dtype=torch.uint8), torch.float32, "no Triton" if NO_TRITON else "on the processor"),
    ],
)
def test_mistakes_are_named(images, dtype, found):
    with pytest.raises(SightlineError, match=found):
        gpu.render_on_gpu(images, identity(2, source=(4, 5)), dtype=dtype)


def main():
    """Run every check in tiles that suit the interpreter, whose time goes by the number of programs."""
    outcomes = {}
    for name in CHECKS:
        try:
            gpu.DOWN, gpu.ACROSS = (128, 128) if "large" in name else (32, 64)
            globals()[name]()
            outcomes[name] = ""
        except Exception:
            outcomes[name] = traceback.format_exc()
    print(json.dumps(outcomes))


if __name__ == "__main__":
    main()
