"""Pictures per second of Sightline's loop against a bare PyTorch loop: same network, batch, precision and data.

    python benchmarks/loop_overhead.py [--network vgg|lenet|resnet] [--side 28] [--batch 128]
    python benchmarks/loop_overhead.py --augment standard --network resnet --side 32 --channels 3

Both sides train the same network from the same start, in turns, in one process. The bare loop is as lean as one can
write it: pictures standardized beforehand and held in memory as float32 in channels-last layout, taken in slices
without shuffling, the fused optimizer, the loss read once a step. Ours reads uint8 from its memory-mapped store in
random order, standardizes, keys dropout, checks the loss and yields events. Printed: the median over rounds of each
side's img/s, and of the ratio of each round.

With `--augment POLICY` both sides are Sightline's loop, and only one of them augments, so that the ratio is what the
augmentation costs.
"""

from __future__ import annotations

import argparse
import copy
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from torch.nn.functional import cross_entropy

from sightline.recipe import Recipe, apply_overrides
from sightline.recipe.choices import settled
from sightline.training import StepEnd, prepare, start, survey
from sightline.training.session import Session


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--network", default="auto")
    parser.add_argument("--side", type=int, default=28)
    parser.add_argument("--channels", type=int, default=1, choices=(1, 3))
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--augment", metavar="POLICY", help="compare with augmentation, instead of with a bare loop")
    parser.add_argument("--steps", type=int, default=20, help="steps of each side in a round")
    parser.add_argument("--rounds", type=int, default=9)
    given = parser.parse_args()

    generator = np.random.default_rng(0)
    count = given.batch * given.steps
    shape = (count + 2 * given.batch, given.side, given.side, given.channels)
    images = generator.integers(0, 256, shape, dtype=np.uint8)
    labels = generator.integers(0, 10, len(images))
    fields = {
        "network": given.network,
        "data.image_size": given.side,
        "data.validation_fraction": 0.0,
        "data.test_fraction": 0.0,
        "augmentation.policy": "none",
        # Labels of numbers would count as digits, whose only valid orientation is their own.
        "augmentation.orientation": "mirror",
        "training.batch_size": given.batch,
        "training.epochs": 1000,
        "schedule": "constant",
    }
    with tempfile.TemporaryDirectory() as folder:

        def session(policy: str) -> Session:
            recipe = apply_overrides(Recipe(), {**fields, "augmentation.policy": policy})
            path = Path(folder) / policy
            path.mkdir()
            return start(prepare(survey((images, labels), recipe)), path)

        plain = session("none")
        if given.augment:
            rounds = against_itself(session(given.augment), plain, steps=given.steps, rounds=given.rounds)
        else:
            rounds = measure(plain, images, labels, steps=given.steps, rounds=given.rounds)
    ours = statistics.median(ours for ours, _ in rounds)
    bare = statistics.median(bare for _, bare in rounds)
    ratios = [ours / bare for ours, bare in rounds]
    recipe = plain.recipe
    print(
        f"{recipe.network.name}, {given.side} px, batch {given.batch}, {recipe.training.precision}, "
        f"{torch.get_num_threads()} threads, torch {torch.__version__}, {given.rounds} rounds of {given.steps} steps"
    )
    first, second = (given.augment, "no augmentation") if given.augment else ("Sightline", "bare loop")
    print(f"{first:15s} {ours:8,.0f} img/s")
    print(f"{second:15s} {bare:8,.0f} img/s")
    print(f"ratio           {statistics.median(ratios):8.3f}  (from {min(ratios):.3f} to {max(ratios):.3f})")


def measure(
    session: Session, images: np.ndarray, labels: np.ndarray, *, steps: int, rounds: int
) -> list[tuple[float, float]]:
    """Return (ours, bare) in img/s for each round; a first round is thrown away."""
    batch = settled(session.recipe.training.batch_size)
    network = copy.deepcopy(session.state.network)
    optimizer = copy.deepcopy(session.state.optimizer)
    # a copied optimizer still points at the old parameters
    optimizer = type(optimizer)(network.parameters(), **{k: v for k, v in optimizer.defaults.items() if k in KNOWN})
    standardized = session.feed.standardize(torch.from_numpy(images))
    targets = torch.from_numpy(labels)
    with session.numerics():
        events = (event for event in session.events() if isinstance(event, StepEnd))
        results = [
            (_ours(events, steps), _bare(network, optimizer, standardized, targets, batch, steps))
            for _ in range(rounds + 1)
        ]
    return results[1:]


def against_itself(augmented: Session, plain: Session, *, steps: int, rounds: int) -> list[tuple[float, float]]:
    """Return (with augmentation, without) in img/s for each round; a first round is thrown away."""
    with plain.numerics():
        both = [(event for event in each.events() if isinstance(event, StepEnd)) for each in (augmented, plain)]
        return [(_ours(both[0], steps), _ours(both[1], steps)) for _ in range(rounds + 1)][1:]


KNOWN = ("lr", "betas", "eps", "weight_decay", "momentum", "nesterov", "alpha", "rho", "fused")


def _ours(events, steps: int) -> float:  # type: ignore[no-untyped-def]
    begun, images = time.perf_counter(), 0
    for _ in range(steps):
        images += next(events).images
    return images / (time.perf_counter() - begun)


def _bare(network, optimizer, inputs, targets, batch: int, steps: int) -> float:  # type: ignore[no-untyped-def]
    network.train()
    begun = time.perf_counter()
    for start_ in range(0, batch * steps, batch):
        optimizer.zero_grad(set_to_none=True)
        loss = cross_entropy(
            network(inputs[start_ : start_ + batch]), targets[start_ : start_ + batch], label_smoothing=0.1
        )
        loss.backward()
        loss.item()
        optimizer.step()
    return batch * steps / (time.perf_counter() - begun)


if __name__ == "__main__":
    main()
