"""Proofs that take minutes: a comparison whose processes are killed again and again, and real trainings of the same."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import psutil
import pytest
from crews import crew_of
from small_trainings import SMALL
from sqlalchemy import update

from sightline.comparison.store import TRIALS, Store, url_in
from sightline.statistics.verdict import judged
from sightline.training import train

pytestmark = pytest.mark.slow
KILLS = 30
WHILE_LOADING = 0.2
"""Share of them that come before there are workers."""
ARGUMENTS = (
    "compare", "digits", "--vary", "network.activation=sigmoid,relu,tanh", "--seeds", "4", "--workers", "2", "--quiet",
    "--set", "network=lenet", "--set", "training.epochs=3", "--set", "augmentation=none",
    "--set", "training.checkpoint_steps=5",
)  # fmt: skip


def begun(out: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "sightline", *ARGUMENTS, "--out", str(out)]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def bits(out: Path) -> dict[str, tuple[bytes, bytes, bytes]]:
    names = ("model.safetensors", "events.jsonl", "predictions.csv")
    return {run.name: tuple((run / name).read_bytes() for name in names) for run in (out / "runs").iterdir()}


def test_coordinators_and_workers_that_are_killed_at_random_leave_a_whole_comparison(tmp_path) -> None:
    assert begun(tmp_path / "calm").wait() == 0
    chance, killed = random.Random(0), [0, 0]  # workers, coordinators
    while True:
        coordinator = begun(tmp_path / "torn")
        if chance.random() < WHILE_LOADING:
            wait = chance.uniform(0.5, 6.0)
        else:
            while coordinator.poll() is None and not crew_of(psutil.Process(coordinator.pid)):
                time.sleep(0.05)
            wait = chance.uniform(0.0, 2.0)
        try:
            code = coordinator.wait(wait)
        except subprocess.TimeoutExpired:
            parent = psutil.Process(coordinator.pid)
            crew = crew_of(parent)
            victim = chance.choice(crew) if crew and chance.random() < 0.6 else parent
            os.kill(victim.pid, signal.SIGKILL)
            killed[victim.pid == coordinator.pid] += 1
            if victim.pid != coordinator.pid and chance.random() < 0.5:
                # The coordinator begins another worker in its place.
                code = coordinator.wait(300)
            else:
                coordinator.kill()
                coordinator.wait()
                continue
        assert code == 0
        if sum(killed) >= KILLS:
            break
        _forget_one(tmp_path / "torn", chance)
    assert min(killed) >= KILLS / 5
    store = Store(url_in(tmp_path / "torn"))
    rows = store.rows()
    store.close()
    assert [row.state for row in rows] == ["done"] * 12
    assert len({row.trial.digest for row in rows}) == 12
    assert bits(tmp_path / "torn") == bits(tmp_path / "calm")
    calm, torn = ((tmp_path / name / "trials.csv").read_text().splitlines() for name in ("calm", "torn"))
    assert [line.split(",")[:-1] for line in calm] == [line.split(",")[:-1] for line in torn]  # but for the seconds


def _forget_one(out: Path, chance: random.Random) -> None:
    """Take a finished trial away, so that there is something left to be killed over."""
    store = Store(url_in(out))
    digest = chance.choice(store.rows()).trial.digest
    with store._begun() as connection:
        connection.execute(update(TRIALS).where(TRIALS.c.digest == digest).values(state="waiting", attempts=0))
    store.close()
    shutil.rmtree(out / "runs" / digest)


def test_real_trainings_of_the_same_are_rarely_called_different(digits, tmp_path) -> None:
    """Sixty seeds of one recipe; of 400 draws of five against five others, at most 5 % and three standard errors."""
    chosen = {**SMALL, "training.epochs": 3, "data.test_fraction": 0.4}
    found = []
    for seed in range(60):
        run = train(digits, {**chosen, "training.seed": seed}, out=tmp_path / str(seed), cache=tmp_path / "cache")
        found.append(run.metrics["test"]["accuracy"])
    accuracies = np.array(found)
    assert accuracies.std() > 0
    chance, wrong = np.random.default_rng(0), 0
    for _ in range(400):
        drawn = chance.permutation(accuracies)[:10]
        wrong += judged([drawn[:5] - drawn[5:]])[0].says != "undecided"
    assert wrong / 400 < 0.05 + 3 * (0.05 * 0.95 / 400) ** 0.5
