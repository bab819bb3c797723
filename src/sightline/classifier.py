"""A classifier as scikit-learn knows it: for grids, pipelines and cross-validation over pictures."""

from __future__ import annotations

import json
import math
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_array, check_is_fitted, check_X_y, column_or_1d, validate_data

from sightline.errors import DataError, RecipeError
from sightline.model import Model, load_bytes
from sightline.recipe import Recipe, apply_overrides

SMALLEST_SIDE = 8
"""Pixels; features without a shape are laid out in a square of at least this size, which every network takes."""


class InvalidInput(DataError, ValueError):  # noqa: N818 - scikit-learn wants a ValueError, the house a DataError
    """Input that cannot be learned from or predicted."""


class SightlineClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """Trains a network on pictures, as `sightline.train` does, and predicts with the sealed model.

    Pictures `X` are one of:

    - an array (n, height, width) or (n, height, width, channels) with 1 or 3 channels;
    - a table (n, features), each row a picture of `image_shape` row by row. Without that shape, rows fill the smallest
      square that holds them, 8 × 8 at least, and what is left of it is 0: right for flattened square pictures, and
      a stopgap for anything else, whose neighbors mean nothing;
    - a sequence of paths.

    uint8 is taken as gray levels. Other numbers are scaled linearly so that the smallest in `fit` becomes 0 and the
    largest 255, and rounded; what lies outside in `predict` is clipped.

    A fit is repeatable: its chance comes from `training.seed` and `data.seed` of the recipe. Copies and pickles hold
    the sealed model's bytes, which are data; the pickle around them is scikit-learn's and only for files you trust.

    Args:
        recipe: a `Recipe`, or dotted fields such as `{"training.epochs": 5}`, or None. Unless it says otherwise, the
            default is changed in one thing: no test set is held out, since scikit-learn's tools do that. A part is
            still held out to choose the best epoch.
        image_shape: (height, width) or (height, width, channels) of rows of features.
        out: the run's directory, kept; None trains in a temporary one. A second fit needs another.

    Attributes:
        classes_: the labels, sorted.
        model_: the sealed `Model`; its class names are the labels as text.
        n_features_in_: numbers per picture; not there after a fit on paths.
        levels_: the numbers that became 0 and 255; None where gray levels or paths were learned from.
    """

    def __init__(
        self,
        recipe: Recipe | Mapping[str, Any] | None = None,
        image_shape: tuple[int, ...] | None = None,
        out: str | os.PathLike[str] | None = None,
    ) -> None:
        self.recipe = recipe
        self.image_shape = image_shape
        self.out = out

    def fit(self, X: Any, y: Any) -> SightlineClassifier:  # noqa: N803 - scikit-learn's name
        """Train on pictures `X` with labels `y`, shape (n,).

        Raises:
            InvalidInput: pictures or labels cannot be learned from.
            RecipeError, TrainingError, OutputError: as `sightline.train`.
        """
        from sightline.training.run import train

        recipe = self._recipe()
        self._refuse_lost(recipe)
        with tempfile.TemporaryDirectory(prefix="sightline-") as folder:
            paths = _paths(X)
            if paths is None:
                pictures, labels = self._learnable(X, y)
            else:
                labels = _labels(y)
                self.levels_: tuple[float, float] | None = None
            self.classes_, codes = np.unique(labels, return_inverse=True)
            texts = np.array([str(label) for label in self.classes_])[codes]
            source = (pictures, texts) if paths is None else _table(Path(folder) / "pictures.jsonl", paths, texts)
            try:
                out = Path(folder) / "run" if self.out is None else self.out
                # Folds of a cross-validation hardly ever come back: their pixels go with the folder.
                run = train(source, recipe, out=out, cache=Path(folder))
            except DataError as error:
                raise InvalidInput(str(error)) from error
            self.sealed_ = run.model_path.read_bytes()
        self.model_: Model = load_bytes(self.sealed_)
        return self

    def predict(self, X: Any) -> NDArray[Any]:  # noqa: N803
        """Return the likeliest label of each picture.

        Raises:
            InvalidInput: a picture cannot be decoded, or has another number of features than in `fit`.
        """
        likeliest = self.predict_proba(X).argmax(axis=1)
        labels: NDArray[Any] = self.classes_[likeliest]
        return labels

    def predict_proba(self, X: Any) -> NDArray[np.float32]:  # noqa: N803
        """Return the probability of each class, shape (n, classes), in the order of `classes_`.

        Raises:
            InvalidInput: as `predict`.
        """
        check_is_fitted(self)
        paths = _paths(X)
        inputs = self._predictable(X) if paths is None else paths
        try:
            found = self.model_.predict(inputs)
        except DataError as error:
            raise InvalidInput(str(error)) from error
        columns = [self.model_.class_names.index(str(label)) for label in self.classes_]
        return found.probabilities[:, columns]

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        tags.input_tags.string = True
        return tags

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "model_")

    def __getstate__(self) -> dict[str, Any]:
        return {key: value for key, value in super().__getstate__().items() if key != "model_"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        if "sealed_" in state:
            self.model_ = load_bytes(self.sealed_)

    def _recipe(self) -> Recipe:
        if isinstance(self.recipe, Recipe):
            return self.recipe
        return apply_overrides(Recipe(), {"data.test_fraction": 0.0, **(self.recipe or {})})

    def _refuse_lost(self, recipe: Recipe) -> None:
        """A temporary run would take with it what other tools were told."""
        own_store = "MLFLOW_TRACKING_URI" in os.environ
        lost = [name for name in recipe.training.tracking if name == "tensorboard" or not own_store]
        if lost and self.out is None:
            raise RecipeError(
                f"training.tracking: found {', '.join(lost)}, but without `out` the run is temporary, and what is "
                "tracked would go with it. Name a directory: out=DIR"
            )

    def _learnable(self, X: Any, y: Any) -> tuple[NDArray[np.uint8], NDArray[Any]]:  # noqa: N803
        array = _pictures(X)
        if array is None:
            array, labels = validate_data(self, X, y, dtype="numeric")
        else:
            array, labels = check_X_y(array, y, dtype=None, allow_nd=True)
            self.n_features_in_ = math.prod(array.shape[1:])
        check_classification_targets(labels)
        self.levels_ = None if array.dtype == np.uint8 else (float(array.min()), float(array.max()))
        return self._as_pixels(array), labels

    def _predictable(self, X: Any) -> NDArray[np.uint8]:  # noqa: N803
        array = _pictures(X)
        if array is None:
            array = validate_data(self, X, dtype="numeric", reset=False)
        else:
            array = check_array(array, dtype=None, allow_nd=True)
        return self._as_pixels(array)

    def _as_pixels(self, array: NDArray[Any]) -> NDArray[np.uint8]:
        """Return pixels of shape (n, height, width, channels)."""
        if array.dtype.kind not in "biuf":
            raise InvalidInput(
                f"found {array.dtype} where numbers were wanted; paths are taken as a sequence of texts."
            )
        if array.dtype != np.uint8 or self.levels_ is not None:
            array = _leveled(array, self.levels_ or (0.0, 255.0))
        if array.ndim == 2:
            array = _squared(array) if self.image_shape is None else _shaped(array, self.image_shape)
        return array.reshape(*array.shape[:3], -1)


def _paths(given: Any) -> list[Any] | None:
    """Return the paths that are given, None where it is something else."""
    if isinstance(given, str | os.PathLike):
        raise InvalidInput(f"found one path, {os.fspath(given)}; wanted a sequence, such as [path].")
    if getattr(given, "ndim", 1) != 1 or getattr(getattr(given, "dtype", None), "kind", "O") not in "OUT":
        return None
    if not hasattr(given, "__len__") or not hasattr(given, "__getitem__") or len(given) == 0:
        return None
    listed = list(given)
    return listed if all(isinstance(entry, str | os.PathLike) for entry in listed) else None


def _pictures(given: Any) -> NDArray[Any] | None:
    """Return an array of pictures as such, None for a table of features."""
    array = given if isinstance(given, np.ndarray) else None
    if isinstance(given, list | tuple) and len(given) and isinstance(given[0], np.ndarray) and given[0].ndim > 1:
        if len({picture.shape for picture in given}) > 1:
            raise InvalidInput("found pictures of several shapes; wanted one shape for all, or paths to files.")
        array = np.stack(given)
    if array is None or array.ndim < 3:
        return None
    if array.ndim > 4 or (array.ndim == 4 and array.shape[3] not in (1, 3)):
        raise InvalidInput(f"found shape {array.shape}, wanted (n, height, width) or with 1 or 3 channels last.")
    return array


def _labels(y: Any) -> NDArray[Any]:
    labels: NDArray[Any] = column_or_1d(y, warn=True)
    check_classification_targets(labels)
    return labels


def _table(path: Path, pictures: list[Any], labels: NDArray[Any]) -> Path:
    if len(pictures) != len(labels):
        raise InvalidInput(f"found {len(pictures)} paths and {len(labels)} labels; wanted one label for each path.")
    rows = zip(pictures, labels.tolist(), strict=True)
    lines = (json.dumps({"file": str(Path(os.fspath(name)).absolute()), "label": label}) for name, label in rows)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def _leveled(array: NDArray[Any], levels: tuple[float, float]) -> NDArray[np.uint8]:
    low, high = levels
    spread = high - low
    scaled = (array.astype(np.float64) - low) * (255.0 / spread if spread > 0 else 0.0)
    return np.asarray(np.rint(scaled.clip(0.0, 255.0)), np.uint8)


def _squared(rows: NDArray[np.uint8]) -> NDArray[np.uint8]:
    side = max(SMALLEST_SIDE, math.isqrt(rows.shape[1] - 1) + 1)
    square = np.zeros((len(rows), side * side), np.uint8)
    square[:, : rows.shape[1]] = rows
    return square.reshape(len(rows), side, side)


def _shaped(rows: NDArray[np.uint8], shape: tuple[int, ...]) -> NDArray[np.uint8]:
    if len(shape) not in (2, 3) or (len(shape) == 3 and shape[2] not in (1, 3)) or min(shape) < 1:
        raise RecipeError(f"image_shape: found {shape}, wanted (height, width), or with 1 or 3 channels last.")
    if math.prod(shape) != rows.shape[1]:
        raise InvalidInput(f"image_shape {shape} has {math.prod(shape)} numbers, but X has {rows.shape[1]} features.")
    return rows.reshape(len(rows), *shape)
