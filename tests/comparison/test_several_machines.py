"""Coordinators that share a PostgreSQL database, as several machines do: each training is one's, and all have all."""

from __future__ import annotations

import csv
from pathlib import Path

from command_line import forked

COMPARE = (
    "compare", "digits", "--vary", "network.activation=sigmoid,relu", "--seeds", "4", "--workers", "1", "--quiet",
    "--set", "network=lenet", "--set", "network.width=0.5", "--set", "training.epochs=1", "--set", "augmentation=none",
)  # fmt: skip
BOUND = 300


def table(out: Path) -> list[dict[str, str]]:
    with (out / "trials.csv").open() as file:
        return list(csv.DictReader(file))


def test_each_training_is_done_by_one_of_them_and_both_know_all(new_database, tmp_path) -> None:
    database = new_database()
    places = [tmp_path / "a", tmp_path / "b"]
    logs = [tmp_path / f"{place.name}.log" for place in places]
    begun = [
        forked(log, *COMPARE, "--database", database, "--out", place) for log, place in zip(logs, places, strict=True)
    ]
    for process, log in zip(begun, logs, strict=True):
        process.join(BOUND)
        assert process.exitcode == 0, log.read_text(encoding="utf-8")
    first, second = (table(place) for place in places)
    assert first == second
    assert [row["state"] for row in first] == ["done"] * 8
    here, there = ({run.name for run in (place / "runs").iterdir()} for place in places)
    assert not here & there
    assert len(here | there) == 8
    assert here
    assert there
