"""Memory: what a step needs is counted, and a machine that has too little of it says what would fit."""

import subprocess
import sys

import pytest
import torch
from torch import nn

from sightline.training.memory import WORKSPACE, _of_containers, measure

LIMITED = """
import resource, sys
from pathlib import Path
import numpy as np, psutil
from sightline.errors import TrainingError
from sightline.recipe import Recipe, apply_overrides
from sightline.training import prepare, start, survey, train

root = Path(sys.argv[1])
images = np.random.default_rng(0).integers(0, 256, (64, 184, 184, 3), dtype=np.uint8)
source = (images, np.arange(64) % 2)
choices = {
    "network": "resnet", "network.width": 16, "augmentation": "none", "training.epochs": 1, "training.threads": 1,
    "data.image_size": 184, "network.stem": "small",
    "data.validation_fraction": 0.0, "data.test_fraction": 0.0,
}
# What torch takes for itself is taken before the limit is set.
few = tuple(each[:12] for each in source)
train(few, {**choices, "training.batch_size": 4}, out=root / "warm", cache=root / "cache")
resource.setrlimit(resource.RLIMIT_AS, (psutil.Process().memory_info().vms + 1_200_000_000,) * 2)
for batch in (64, "auto"):
    recipe = apply_overrides(Recipe(), {**choices, "training.batch_size": batch})
    session = start(prepare(survey(source, recipe), cache=root / "cache"), root)
    print("batch", session.recipe.training.batch_size, session.resolved.reasons.get("training.batch_size"))
    if batch == 64:
        try:
            next(event for event in session.events() if session.state.step)
        except TrainingError as error:
            print("said", error)
"""


def test_what_is_kept_for_the_way_back_is_counted():
    network = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(8 * 20 * 10, 5))
    found = measure(network, lambda pictures: torch.zeros(pictures, 3, 20, 10), device="cpu")
    pixels = 20 * 10
    # The convolution keeps its input, ReLU its output, which is also what the linear layer keeps.
    assert found.per_picture == pytest.approx(WORKSPACE * 4 * (3 + 8) * pixels, abs=1)
    weights = 4 * (8 * 3 * 9 + 8 + 5 * 8 * pixels + 5)
    assert found.fixed == 5 * weights
    assert found.per_input == 4 * 3 * pixels
    assert found.needed(10, 1) == found.fixed + 10 * (found.per_picture + found.per_input)
    assert found.needed(10, 4) == found.fixed + 3 * found.per_picture + 10 * found.per_input
    for parts in (1, 3):
        fits = parts * (found.fitting(1e8, parts) // parts)
        assert found.needed(fits, parts) <= 1e8 < found.needed(fits + 2 * parts, parts)
    assert 0 < found.free <= found.total


@pytest.mark.parametrize("version", [1, 2])
def test_a_container_says_what_there_is_and_files_that_it_keeps_count_as_free(version, tmp_path):
    """The inner group has no limit of its own, the one around it has."""
    listing, root = tmp_path / "cgroup", tmp_path / "fs"
    listing.write_text("0::/outer/inner\n" if version == 2 else "5:cpu:/other\n4:memory:/outer/inner\n")
    outer = root / ("outer" if version == 2 else "memory/outer")
    (outer / "inner").mkdir(parents=True)
    names = ("memory.max", "memory.current") if version == 2 else ("memory.limit_in_bytes", "memory.usage_in_bytes")
    (outer / "inner" / names[0]).write_text("max\n")
    (outer / names[0]).write_text("8000\n")
    (outer / names[1]).write_text("7900\n")
    (outer / "memory.stat").write_text(f"anon 900\n{'file' if version == 2 else 'total_cache'} 7000\nslab 3\n")
    assert list(_of_containers(listing, root)) == [(7100, 8000)]
    assert list(_of_containers(tmp_path / "nowhere", root)) == []


def test_measuring_leaves_the_network_as_it_was():
    network = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.Dropout(0.5)).train()
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    generator = torch.get_rng_state()
    measure(network, lambda pictures: torch.rand(pictures, 1, 8, 8, generator=torch.Generator()), device="cpu")
    assert network.training
    assert all(torch.equal(before[name], tensor) for name, tensor in network.state_dict().items())
    assert torch.equal(generator, torch.get_rng_state())


@pytest.mark.skipif(sys.platform != "linux", reason="limits of a process's memory are those of Linux")
def test_too_large_a_batch_says_what_would_fit_and_an_automatic_one_is_smaller(tmp_path):
    command = [sys.executable, "-c", LIMITED, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr
    explicit, said, automatic = done.stdout.splitlines()
    assert explicit == "batch 64 None"
    assert "too little memory for 64 pictures at once: a step needs about 3." in said
    assert "would fit: --set training.batch_size=" in said
    assert automatic.startswith("batch 16 what fits ")
    assert "GB of memory; 32 would need about 1." in automatic
