"""The classifier under scikit-learn's own checks, in its tools, and on every kind of picture it takes."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils.estimator_checks import estimator_checks_generator

import sightline
from sightline import SightlineClassifier
from sightline.errors import OutputError, RecipeError
from sightline.recipe import Recipe, apply_overrides

QUICK = {"training.epochs": 2, "network": "lenet", "data.validation_fraction": 0.0}
CHECKED = {**QUICK, "training.epochs": 8}

LONG = {"check_classifiers_train"}
"""Checks that train on hundreds of rows until they are told apart."""

NOT_PASSED: dict[str, str] = {}
"""Checks of scikit-learn that cannot pass, each with its reason. Every one passes, since rows of features are laid out
as pictures. scikit-learn itself skips check_array_api_input, which wants SCIPY_ARRAY_API set, and the checks with
data frames where pandas is not installed."""


@pytest.fixture(autouse=True)
def _own_places(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIGHTLINE_CACHE", str(tmp_path_factory.mktemp("cache")))
    monkeypatch.chdir(tmp_path_factory.mktemp("here"))


def _checks() -> list[Any]:
    cases = []
    for estimator, check in estimator_checks_generator(
        SightlineClassifier(CHECKED), expected_failed_checks=NOT_PASSED, mark="xfail"
    ):
        name = check.func.__name__ if hasattr(check, "func") else str(check)
        cases.append(pytest.param(estimator, check, id=name, marks=[pytest.mark.slow] if name in LONG else []))
    return cases


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.SkipTestWarning")
@pytest.mark.parametrize(("estimator", "check"), _checks())
def test_scikit_learns_checks(estimator: Any, check: Any) -> None:
    check(estimator)


def stripes(count: int, shape: tuple[int, ...] = (12, 12)) -> tuple[NDArray[np.uint8], NDArray[Any]]:
    """Return noisy pictures with an upright or a flat stripe, and what they show."""
    chance = np.random.default_rng(0)
    pictures = chance.integers(0, 60, (count, *shape)).astype(np.uint8)
    labels = np.array(["flat", "upright"])[np.arange(count) % 2]
    for i in range(count):
        at = chance.integers(2, 10)
        (pictures[i, at : at + 2] if i % 2 == 0 else pictures[i, :, at : at + 2])[:] = 220
    return pictures, labels


RECIPE = {"training.epochs": 12, "network": "lenet", "training.batch_size": 16}


@pytest.fixture(scope="module")
def fitted(tmp_path_factory: pytest.TempPathFactory) -> SightlineClassifier:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SIGHTLINE_CACHE", str(tmp_path_factory.mktemp("cache")))
        return SightlineClassifier(RECIPE).fit(*stripes(120))


def test_it_learns_pictures(fitted: SightlineClassifier) -> None:
    pictures, labels = stripes(160)
    assert fitted.score(pictures[120:], labels[120:]) > 0.9
    assert fitted.classes_.tolist() == ["flat", "upright"]
    assert fitted.n_features_in_ == 144
    probabilities = fitted.predict_proba(pictures)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1.0, atol=1e-6)
    np.testing.assert_array_equal(fitted.classes_[probabilities.argmax(axis=1)], fitted.predict(pictures))
    assert fitted.model_.class_names == ("flat", "upright")


def test_all_forms_of_the_same_pictures_predict_the_same(fitted: SightlineClassifier, tmp_path: Path) -> None:
    pictures, _ = stripes(6)
    wanted = fitted.predict_proba(pictures)
    paths = [tmp_path / f"{i}.png" for i in range(6)]
    for path, picture in zip(paths, pictures, strict=True):
        Image.fromarray(picture).save(path)
    forms: list[Any] = [
        list(pictures),
        pictures[..., None],
        paths,
        [str(p) for p in paths],
        np.array(list(map(str, paths))),
    ]
    for form in forms:
        np.testing.assert_array_equal(fitted.predict_proba(form), wanted)


def test_a_copy_and_a_pickle_predict_the_same(fitted: SightlineClassifier) -> None:
    pictures, _ = stripes(6)
    again = pickle.loads(pickle.dumps(fitted))
    np.testing.assert_array_equal(again.predict_proba(pictures), fitted.predict_proba(pictures))
    bare = clone(fitted)
    assert not hasattr(bare, "classes_")
    assert bare.get_params() == fitted.get_params()


def test_fitting_again_gives_the_same_model(fitted: SightlineClassifier) -> None:
    assert clone(fitted).fit(*stripes(120)).sealed_ == fitted.sealed_


def test_paths_are_learned_from_without_reading_them_into_memory(tmp_path: Path) -> None:
    pictures, labels = stripes(30)
    paths = [tmp_path / f"{i}.png" for i in range(30)]
    for path, picture in zip(paths, pictures, strict=True):
        Image.fromarray(picture).save(path)
    found = SightlineClassifier(QUICK).fit(paths, labels)
    assert found.predict(paths).shape == (30,)
    assert found.predict(pictures).shape == (30,)
    assert not hasattr(found, "n_features_in_")
    with pytest.raises(ValueError, match=r"absent\.png: cannot be read"):
        found.predict([tmp_path / "absent.png"])
    with pytest.raises(ValueError, match="30 paths and 29 labels"):
        SightlineClassifier(QUICK).fit(paths, labels[1:])
    with pytest.raises(ValueError, match="found one path"):
        found.predict(str(paths[0]))


def test_rows_become_pictures_of_the_shape_given() -> None:
    pictures, labels = stripes(30, (12, 12, 3))
    found = SightlineClassifier(QUICK, image_shape=(12, 12, 3)).fit(pictures.reshape(30, -1), labels)
    assert found.model_.description.inputs.channels == 3
    np.testing.assert_array_equal(found.predict_proba(pictures.reshape(30, -1)), found.predict_proba(pictures))
    with pytest.raises(ValueError, match="has 100 numbers, but X has 432"):
        SightlineClassifier(QUICK, image_shape=(10, 10)).fit(pictures.reshape(30, -1), labels)
    with pytest.raises(RecipeError, match="image_shape"):
        SightlineClassifier(QUICK, image_shape=(432,)).fit(pictures.reshape(30, -1), labels)


def test_numbers_are_scaled_by_what_fit_has_seen() -> None:
    pictures, labels = stripes(30)
    gray = SightlineClassifier(QUICK).fit(pictures, labels)
    low, high = pictures.min(), pictures.max()
    scaled = (pictures - float(low)) / (float(high) - float(low))
    found = SightlineClassifier(QUICK).fit(scaled, labels)
    assert gray.levels_ is None
    assert found.levels_ == (0.0, 1.0)
    stretched = np.rint(scaled * 255).astype(np.uint8)
    np.testing.assert_array_equal(found.predict_proba(scaled), found.model_.predict(stretched).probabilities)
    np.testing.assert_array_equal(found.predict_proba(scaled * 9 - 4), found.predict_proba((scaled * 9 - 4).clip(0, 1)))
    ones = np.ones((1, 12, 12))
    np.testing.assert_array_equal(found.predict_proba(ones), found.predict_proba(ones.astype(np.uint8)))


def test_labels_of_any_kind_come_back_in_sorted_order() -> None:
    pictures, _ = stripes(44)
    numbers = np.array([10, -1, 2, 100])[np.arange(44) % 4]
    found = SightlineClassifier(QUICK).fit(pictures, numbers)
    assert found.classes_.tolist() == [-1, 2, 10, 100]
    assert set(found.model_.class_names) == {"-1", "2", "10", "100"}
    column = found.model_.class_names.index("100")
    np.testing.assert_array_equal(
        found.predict_proba(pictures)[:, 3], found.model_.predict(pictures).probabilities[:, column]
    )
    assert found.predict(pictures).dtype == numbers.dtype


def test_in_pipelines_searches_and_cross_validation() -> None:
    pictures, labels = stripes(36)
    flat = pictures.reshape(36, -1)
    pipeline = make_pipeline(FunctionTransformer(), SightlineClassifier(QUICK, image_shape=(12, 12)))
    assert cross_val_score(pipeline, flat, labels, cv=2).shape == (2,)
    recipes = [QUICK, apply_overrides(Recipe(), {**QUICK, "data.test_fraction": 0.1})]
    search = GridSearchCV(SightlineClassifier(), {"recipe": recipes}, cv=2).fit(pictures, labels)
    assert search.best_estimator_.predict(pictures).shape == (36,)


def test_a_run_is_kept_where_asked_and_never_overwritten(tmp_path: Path) -> None:
    pictures, labels = stripes(30)
    found = SightlineClassifier(QUICK, out=tmp_path / "run").fit(pictures, labels)
    assert sightline.load(tmp_path / "run" / "model.safetensors").class_names == found.model_.class_names
    with pytest.raises(OutputError, match="a run is there already"):
        found.fit(pictures, labels)
    assert list(Path.cwd().iterdir()) == []


def test_nothing_is_held_out_for_a_test_unless_asked_for(fitted: SightlineClassifier) -> None:
    assert fitted.model_.recipe.data.test_fraction == 0.0
    assert "test" not in fitted.model_.metrics
    asked = SightlineClassifier({**QUICK, "data.test_fraction": 0.2}).fit(*stripes(30))
    assert "test" in asked.model_.metrics


@pytest.mark.parametrize(
    ("pictures", "says"),
    [
        (np.zeros((8, 12, 12, 2), np.uint8), "1 or 3 channels"),
        (np.zeros((8, 1, 12, 12, 3), np.uint8), "1 or 3 channels"),
        ([np.zeros((12, 12), np.uint8), np.zeros((12, 13), np.uint8)] * 4, "several shapes"),
        (np.full((8, 12, 12), np.nan), "NaN"),
        (np.array([["a", "b"]] * 8), "string"),
    ],
)
def test_pictures_that_cannot_be_learned(pictures: Any, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        SightlineClassifier(QUICK).fit(pictures, ["a", "b"] * 4)
