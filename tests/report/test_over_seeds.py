"""The page of a comparison says what its numbers say, and escapes every name."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
from read_page import Page

from sightline.comparison.comparison import Comparison
from sightline.comparison.store import Row, Trial
from sightline.errors import DataError
from sightline.report import charts
from sightline.report.over_seeds import NUMBERS, write

SCRIPT = "<script>alert(1)</script>"


def row(arm: str, seed: int, accuracy: float | None, *, findings: tuple[str, ...] = ()) -> Row:
    trial = Trial(f"{arm}-{seed}"[:32], arm, seed, "")
    if accuracy is None:
        return Row(trial, "failed", 1, f"the loss is nan {SCRIPT}", {})
    side = {
        "images": 100, "accuracy": accuracy, "balanced_accuracy": accuracy, "macro_f1": accuracy, "loss": 1 - accuracy,
        "worst_class": accuracy - 0.1, "calibration": None,
    }  # fmt: skip
    curve = [
        {"epoch": epoch, "training_loss": 1.0, "accuracy": accuracy * epoch / 3, "loss": 2.0 / epoch}
        for epoch in (1, 2, 3)
    ]
    result = {
        "sides": {"test": side}, "seconds": 10.0 + seed, "curve": curve, "findings": list(findings),
        "gradients": [{"name": f"conv{layer}", "gradient": 10.0 ** (layer - 8)} for layer in range(1, 9)],
    }  # fmt: skip
    return Row(trial, "done", 1, "", result)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    chance = np.random.default_rng(0)
    arms = [f"activation={a}, optimizer={o}" for a in ("sigmoid", "relu") for o in ("sgd", "adam")]
    rows = [
        row(
            arm, seed, 0.7 + 0.05 * place + float(chance.normal(0, 0.004)), findings=("saturated",) if place < 2 else ()
        )
        for seed in range(5)
        for place, arm in enumerate(arms)
    ]
    rows += [row(SCRIPT, seed, None) for seed in range(5)]
    choices = [{"network.activation": a, "optimizer": o} for a in ("sigmoid", "relu") for o in ("sgd", "adam")]
    found = Comparison(
        source=f"photos {SCRIPT}",
        side="test",
        arms=(*arms, SCRIPT),
        seeds=tuple(range(5)),
        rows=tuple(rows),
        margin=0.005,
        choices=(*choices, {"network.activation": "relu", "optimizer": SCRIPT}),
        command=f"sightline compare photos {SCRIPT}",
    )
    found.write(tmp_path)
    return tmp_path


def test_the_page_says_what_was_found(folder: Path) -> None:
    place = write(folder)
    text = place.read_text(encoding="utf-8")
    told = json.loads((folder / NUMBERS).read_text())
    assert SCRIPT not in text
    said = " ".join(Page(text).texts)
    assert told["sentences"][0].startswith(
        "Of 4 recipes, activation=relu, optimizer=adam has the best mean accuracy: 85."
    )
    assert len(told["sentences"]) == 5
    verdict = told["verdicts"]["accuracy"]["activation=relu, optimizer=adam"]
    assert verdict["says"] == "better"
    assert f"{verdict['mean']:+.2f}" in text
    assert "in every seed" in text
    assert "saturated" in text
    assert said.count("which the others are held against") == 1
    assert "sightline compare photos" in said


def test_the_grid_has_the_mean_of_each_combination(folder: Path) -> None:
    told = json.loads((folder / NUMBERS).read_text())
    text = write(folder).read_text(encoding="utf-8")
    for values in told["values"]["accuracy"].values():
        if values:
            assert f"<td>{np.mean(list(values.values())):.2f}</td>" in text


def test_a_mean_of_fewer_trainings_says_of_how_many(folder: Path) -> None:
    numbers = json.loads((folder / NUMBERS).read_text())
    arm = numbers["arms"][0]
    del numbers["values"]["seconds"][arm]["3"]
    (folder / NUMBERS).write_text(json.dumps(numbers))
    text = write(folder).read_text(encoding="utf-8")
    assert text.count(" (4 of 5)") == 1


def test_the_page_is_the_same_each_time(folder: Path) -> None:
    assert write(folder).read_bytes() == write(folder).read_bytes()


def test_without_numbers_it_says_how_to_make_them(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="sightline compare"):
        write(tmp_path)
    (tmp_path / NUMBERS).write_text("{}")
    with pytest.raises(DataError, match=r"comparison\.json"):
        write(tmp_path)


def test_gradients_by_layer_are_drawn_where_they_were_looked_at(folder: Path) -> None:
    numbers = json.loads((folder / NUMBERS).read_text())
    assert "Gradients by layer" in write(folder).read_text(encoding="utf-8")
    for trial in numbers["trials"]:
        trial["gradients"] = []
    (folder / NUMBERS).write_text(json.dumps(numbers))
    assert "Gradients by layer" not in write(folder).read_text(encoding="utf-8")


def test_gradients_may_vanish_altogether_and_networks_differ_in_depth() -> None:
    arms = [[[0.0, 1e-9, 1.0], [0.0, 1e-7, 1.0]], [], [[0.1, 0.2]], [[0.0, 0.0]]]
    drawing = charts.by_layer(arms, ["A", "B", "C", "D"], "norm of the gradient")
    assert [letter for letter in "ABCD" if f">{letter}</text>" in drawing] == ["A", "C"]
    assert "nan" not in drawing
    assert "inf" not in drawing
    assert "&#8722;" in drawing or "\u2212" in drawing or "-8" in drawing  # powers of ten


def test_the_mean_of_gradients_is_that_of_their_powers_of_ten() -> None:
    """Of 2e-6 and 2 it is 2e-3: the point of an arm with both seeds lies upon that of one that has just that."""
    drawing = charts.by_layer([[[2e-6], [2.0]], [[2e-3]]], ["A", "B"], "norm of the gradient")
    places = re.findall(r'x="([\d.]+)" y="([\d.]+)" style="fill: var\(--run-\d\); stroke', drawing)
    assert len(places) == 2
    assert len(set(places)) == 1
