"""Memory: what a step needs is counted, and a machine that has too little of it says what would fit."""

import subprocess
import sys

import pytest
import torch
from torch import nn

from sightline.training.memory import WORKSPACE, measure

LIMITED = """
import resource, sys
from pathlib import Path
import numpy as np, psutil
from sightline.errors import TrainingError
from sightline.recipe import Recipe, apply_overrides
from sightline.training import prepare, start, survey, train

root, batch = Path(sys.argv[1]), sys.argv[2]
images = np.random.default_rng(0).integers(0, 256, (64, 64, 64, 3), dtype=np.uint8)
source = (images, np.arange(64) % 2)
choices = {
    "network": "resnet", "network.width": 32, "augmentation": "none", "training.epochs": 1, "training.threads": 1,
    "data.validation_fraction": 0.0, "data.test_fraction": 0.0,
}
# What torch takes for itself is taken before the limit is set.
train(source, {**choices, "training.batch_size": 4}, out=root / "warm", cache=root / "cache")
if batch != "auto":
    choices["training.batch_size"] = int(batch)
prepared = prepare(survey(source, apply_overrides(Recipe(), choices)), cache=root / "cache")
resource.setrlimit(resource.RLIMIT_AS, (psutil.Process().memory_info().vms + 400_000_000,) * 2)
(root / "run").mkdir()
session = start(prepared, root / "run")
print("batch", session.recipe.training.batch_size, session.resolved.reasons.get("training.batch_size"))
try:
    for _ in session.events():
        pass
except TrainingError as error:
    print("said", error)
else:
    print("trained", session.state.step)
"""

LINUX = pytest.mark.skipif(sys.platform != "linux", reason="limits of a process's memory are those of Linux")


def test_what_is_kept_for_the_way_back_is_counted():
    network = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(8 * 20 * 10, 5))
    found = measure(network, lambda pictures: torch.zeros(pictures, 3, 20, 10), device="cpu")
    pixels = 20 * 10
    # The convolution keeps its input, ReLU its output, which is also what the linear layer keeps.
    assert found.per_picture == pytest.approx(WORKSPACE * 4 * (3 + 8) * pixels, abs=1)
    weights = 4 * (8 * 3 * 9 + 8 + 5 * 8 * pixels + 5)
    assert found.fixed == 5 * weights
    assert found.needed(10) == found.fixed + 10 * found.per_picture
    assert found.needed(found.fitting) <= 0.8 * found.free < found.needed(found.fitting + 1)


def test_measuring_leaves_the_network_as_it_was():
    network = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.Dropout(0.5)).train()
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    generator = torch.get_rng_state()
    measure(network, lambda pictures: torch.rand(pictures, 1, 8, 8, generator=torch.Generator()), device="cpu")
    assert network.training
    assert all(torch.equal(before[name], tensor) for name, tensor in network.state_dict().items())
    assert torch.equal(generator, torch.get_rng_state())


def limited(tmp_path, batch: str) -> str:
    command = [sys.executable, "-c", LIMITED, str(tmp_path), batch]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr
    return done.stdout


@LINUX
def test_too_large_a_batch_says_what_would_fit(tmp_path):
    said = limited(tmp_path, "64")
    assert "said " in said
    assert "too little memory for 64 pictures at once: they need about " in said
    assert "would fit: --set training.batch_size=" in said


@LINUX
def test_an_automatic_batch_is_made_to_fit(tmp_path):
    said = limited(tmp_path, "auto")
    assert "batch 16 what fits 0.4 GB of free memory; 32 would need about" in said
    assert "trained 4" in said
