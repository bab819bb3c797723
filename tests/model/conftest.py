"""Tiny untrained models for the tests of this folder."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from sightline import model, network, preprocessing
from sightline.preprocessing import Statistics
from sightline.recipe import Recipe
from sightline.recipe.network import He, LeNet, Network

TINY = LeNet(width=0.2, dropout=0.0, initialization=He())
NAMES = ("cat", "dog", "émeu")


def rules(**changes: Any) -> model.InputRules:
    content = {
        "image_size": (12, 10),
        "channels": 1,
        "resize": "fit",
        "padding_value": 7,
        "decoder": "pillow",
        "decoder_version": "Pillow 1",
    }
    return model.InputRules(**{**content, **changes})


def statistics(input_rules: model.InputRules, *, matrix: bool = False) -> Statistics:
    height, width = input_rules.image_size
    shape = (4, height, width, input_rules.channels)
    pictures = np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8)
    return preprocessing.fit(
        [pictures], center="pixel", scale="channel", decorrelate="zca" if matrix else "none", epsilon=1e-3
    )


def made(section: Network = TINY, input_rules: model.InputRules | None = None, classes: int = len(NAMES)) -> Any:
    input_rules = input_rules or rules()
    built = network.build(section, channels=input_rules.channels, classes=classes, image_size=input_rules.image_size)
    network.initialize(built, network.build_scheme(section), seed=3)
    return built


def seal(path: Path, **changes: Any) -> Path:
    """Seal an initialized network at `path`; `changes` replace arguments of `model.seal`."""
    input_rules = changes.get("input_rules") or rules()
    section = changes.get("network_section", TINY)
    class_names = changes.get("class_names", NAMES)
    arguments: dict[str, Any] = {
        "network_section": section,
        "statistics": changes.get("statistics") or statistics(input_rules),
        "input_rules": input_rules,
        "class_names": class_names,
        "recipe": Recipe(),
        "reasons": {"data.channels": "every picture is gray"},
        "source": "pets",
        "data_digest": "ab12",
        "metrics": {"test": {"accuracy": 0.75, "loss": float("nan"), "confusion": [[1, 0], [0, 1]]}},
    }
    arguments |= changes
    if "network" not in arguments:
        arguments["network"] = made(section, input_rules, len(class_names))
    model.seal(path, **arguments)
    return path


@pytest.fixture(scope="session")
def tiny() -> SimpleNamespace:
    """The functions above."""
    return SimpleNamespace(rules=rules, statistics=statistics, made=made, seal=seal, section=TINY, names=NAMES)


@pytest.fixture(scope="session")
def sealed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sealed model's file, not to be changed."""
    return seal(tmp_path_factory.mktemp("sealed") / "model.safetensors")


@pytest.fixture(scope="session")
def loaded(sealed: Path) -> model.Model:
    """A model, not to be changed."""
    return model.load(sealed)
