"""Fixtures of transfer learning: small pictures with something to learn in them, and trainings from weights."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file
from small_transfer import ARCHITECTURES, SMALL, made

from sightline.model import InputRules, seal
from sightline.preprocessing import Statistics
from sightline.recipe import Recipe, apply_overrides
from sightline.recipe.network import He
from sightline.training import Prepared, Session, prepare, start, survey


@pytest.fixture(scope="session")
def colored() -> tuple[np.ndarray, np.ndarray]:
    """Noise of three colors, which are the classes."""
    random = np.random.default_rng(0)
    labels = np.arange(48) % 3
    images = random.integers(0, 160, (48, 32, 32, 3))
    images[np.arange(48), :, :, labels] += 80
    return images.astype(np.uint8), labels


@pytest.fixture(scope="session")
def weights_of(tmp_path_factory) -> Callable[..., Path]:
    """Return a function that stores the weights of an architecture under its published names."""
    folder = tmp_path_factory.mktemp("weights")

    def store(name: str, **choices: Any) -> Path:
        path = folder / f"{name}-{abs(hash(tuple(choices.items())))}.safetensors"
        if not path.exists():
            module = made(ARCHITECTURES[name], **choices)
            if name in ("lenet", "swift"):  # they have no published names
                sealed(path, ARCHITECTURES[name], module)
            else:
                save_file({key: tensor.numpy() for key, tensor in module.state_dict().items()}, path)
        return path

    return store


def sealed(path: Path, section: Any, module: Any) -> None:
    seal(
        path,
        network=module,
        network_section=section.model_copy(update={"dropout": 0.0, "initialization": He()}),
        statistics=Statistics(np.full(3, 0.4), np.full(3, 0.25), None),
        input_rules=InputRules(
            image_size=(32, 32),
            channels=3,
            resize="fit",
            padding_value=0,
            decoder="pillow",
            decoder_version="any",
        ),
        class_names=("a", "b", "c", "d"),
        recipe=Recipe(),
        reasons={},
        source="elsewhere",
        data_digest="00",
        metrics={},
    )


@pytest.fixture(scope="session")
def prepared_for(colored, tmp_path_factory) -> Callable[..., Prepared]:
    """Return a function from weights and dotted fields to what a training stands on."""
    cache = tmp_path_factory.mktemp("cache")

    def make(weights: Path | str, choices: Mapping[str, Any] | None = None, source: Any = None) -> Prepared:
        chosen = {**SMALL, "transfer.weights": str(weights), **(choices or {})}
        return prepare(survey(colored if source is None else source, apply_overrides(Recipe(), chosen)), cache=cache)

    return make


@pytest.fixture
def begun(prepared_for, tmp_path) -> Callable[..., Session]:
    """Return a function from weights and dotted fields to a training before its first step."""

    def begin(weights: Path | str, choices: Mapping[str, Any] | None = None, source: Any = None) -> Session:
        path = tmp_path / f"run {len(list(tmp_path.iterdir()))}"
        path.mkdir()
        return start(prepared_for(weights, choices, source), path)

    return begin
