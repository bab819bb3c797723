"""What the proofs of exactness share: a small training, and how its result is compared bit by bit."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_digits

from sightline.recipe import Recipe, apply_overrides
from sightline.training import Prepared, Session, directory, prepare, start, survey
from sightline.training.checkpoint import taken
from sightline.training.resume import find, go_on

SMALL = {
    "network": "lenet",
    "network.width": 0.5,
    "training.threads": 1,
    "training.epochs": 3,
    "training.batch_size": 16,
    "optimizer.learning_rate": 0.01,
    "augmentation": "none",
}


@dataclass(frozen=True)
class Result:
    """All that a training leaves."""

    state: Mapping[str, bytes]
    log: bytes
    model: bytes


@pytest.fixture(scope="session")
def digits() -> tuple[np.ndarray, np.ndarray]:
    loaded = load_digits()
    return (loaded.images[:150] * 255 / 16).round().astype(np.uint8), loaded.target[:150] % 3


@pytest.fixture(scope="session")
def prepared_with(digits, tmp_path_factory) -> Callable[..., Prepared]:
    cache = tmp_path_factory.mktemp("cache")

    def make(**choices: Any) -> Prepared:
        chosen = {**SMALL, **{key.replace("__", "."): value for key, value in choices.items()}}
        if "augmentation.operations" in chosen:
            del chosen["augmentation"]
        if chosen["network"] == "swift":
            del chosen["network.width"]
        return prepare(survey(digits, apply_overrides(Recipe(), chosen)), cache=cache)

    return make


def finish(session: Session) -> Result:
    """Train to the end, seal, and return what is left."""
    for _ in session.events():
        pass
    session.seal()
    last = taken(session.state, {})
    state = {name: array.tobytes() for name, array in last.tensors.items()}
    state["counters"] = repr(sorted(last.about["state"].items())).encode()
    path = session.path
    return Result(state, (path / directory.EVENTS).read_bytes(), (path / directory.MODEL).read_bytes())


def store(labelled: tuple[np.ndarray, np.ndarray], folder: Path) -> None:
    """Write pictures as files, with a folder for each class."""
    for number, (image, label) in enumerate(zip(*labelled, strict=True)):
        place = folder / f"class {label}" / f"{number}.png"
        place.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(place)


def assert_same(found: Result, wanted: Result) -> None:
    assert found.state.keys() == wanted.state.keys()
    for name, bits in wanted.state.items():
        assert found.state[name] == bits, name
    assert found.log == wanted.log
    assert found.model == wanted.model


@pytest.fixture(scope="session")
def exactly():
    """Return the functions of these proofs: begin, finish, go on, and compare."""

    class Exactly:
        @staticmethod
        def begun(prepared: Prepared, path: Path) -> Session:
            path.mkdir(parents=True, exist_ok=True)
            return start(prepared, path)

        @staticmethod
        def going_on(prepared: Prepared, path: Path, **choices: Any) -> Session:
            return go_on(find(path), prepared, warn=lambda _: None, **choices)

        finish = staticmethod(finish)
        store = staticmethod(store)
        assert_same = staticmethod(assert_same)

    return Exactly
