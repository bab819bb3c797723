"""A sealed model in use: from pictures to probabilities."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, get_args

import numpy as np
from jaxtyping import Float32, UInt8
from numpy import ndarray
from numpy.typing import NDArray
from pydantic import JsonValue, ValidationError

from sightline import preprocessing
from sightline.data import Limits, Progress, Silent
from sightline.data.decode import Decoder
from sightline.errors import DataError, ModelFileError, RecipeError
from sightline.model.backends import Backend, Fast, Timed, require
from sightline.model.compute import Computation, Group, Outcome, group_size, group_to_be_fast
from sightline.model.description import Description
from sightline.model.inputs import Inputs, items
from sightline.model.limits import limits_of, restated
from sightline.model.predicting import decoding, predict
from sightline.model.predictions import Predictions, check_top
from sightline.model.views import TestTime, View, averaged, check_certain, views
from sightline.model.workers import workers
from sightline.ordered import in_order
from sightline.preprocessing import Statistics
from sightline.recipe import Recipe

if TYPE_CHECKING:
    from torch import Tensor, nn


class Model:
    """A trained network with all that belongs to it. Made by `load`; several threads may use one at a time.

    A picture's probabilities depend on the picture and on `batch_size`, which by default follows from the image size
    alone: not on the other pictures, their number or order, nor on the number of threads. On one machine with one
    version of torch they are equal bit by bit in every process. `sightline.model.compute` says how.
    """

    def __init__(self, network: nn.Module, statistics: Statistics, description: Description) -> None:
        self.description = description
        self.statistics = statistics
        self._computation = Computation(
            network, preprocessing.module(statistics).eval(), temperature=description.temperature
        )

    def __repr__(self) -> str:
        height, width = self.description.inputs.image_size
        return f"<Model {self.description.network.name}, {len(self.class_names)} classes, {height} × {width} pixels>"

    @property
    def class_names(self) -> tuple[str, ...]:
        """In the order of the columns of probabilities."""
        return self.description.class_names

    @property
    def temperature(self) -> float:
        """T of the probabilities softmax(z / T): fitted on validation pictures, and 1 where it was not."""
        return self.description.temperature

    @property
    def weights(self) -> Mapping[str, NDArray[Any]]:
        """The network's weights and buffers by name."""
        return self._computation.weights()

    @property
    def parameters(self) -> int:
        """Numbers of the network that a training changes by gradients: without statistics of normalization."""
        return self._computation.parameters()

    @property
    def metrics(self) -> Mapping[str, JsonValue]:
        """As measured when the model was sealed."""
        return self.description.metrics

    @property
    def reasons(self) -> Mapping[str, str]:
        """Why each automatic choice of the recipe fell as it did, by dotted field."""
        return self.description.reasons

    @property
    def recipe(self) -> Recipe:
        """The resolved recipe of the training.

        Raises:
            ModelFileError: another version of Sightline wrote it, with choices that this one does not know.
        """
        try:
            return Recipe.model_validate_json(json.dumps(self.description.recipe))
        except ValidationError as error:
            raise ModelFileError(
                f"the model's recipe, of Sightline {self.description.versions.get('sightline', '?')}, has choices that "
                "this version does not know. Predicting works; read description.recipe instead."
            ) from error

    def predict(
        self,
        inputs: Inputs,
        *,
        top_k: int = 5,
        skip_refused: bool = False,
        batch_size: int | None = None,
        device: str = "cpu",
        decoder: Decoder | None = None,
        limits: Limits | None = None,
        test_time: TestTime = "none",
        certain: float = 1.0,
        backend: Backend = "exact",
        progress: Progress | None = None,
    ) -> Predictions:
        """Say what is in pictures: decoded, resized and preprocessed as in the training.

        Probabilities are with the model's temperature.

        Memory holds a few pictures per thread at a time, however many there are.

        Args:
            inputs: one picture or several: paths, bytes of files, uint8 arrays (h, w) or (h, w, c), Pillow images; or
                an array (n, h, w, c) or (n, h, w).
            top_k: classes per picture when the predictions are listed.
            skip_refused: leave out pictures that cannot be decoded, and list them in `refused`.
            batch_size: pictures computed at once; another number may change the last bit. None: by the image size.
            device: `cpu`, `cuda` or `mps`.
            decoder: of JPEGs. None: the one of the training; another may change pixels slightly.
            limits: what a single picture may cost. None: those of the training.
            test_time: judge flipped and moved views of each picture too, and take the mean of their probabilities.
            certain: leave it at the picture as it is where the likeliest class has this probability already.
            backend: what computes. exact gives each picture the same bits alone and in company; torch, onnxruntime and
                openvino round as is fastest, in bfloat16 where the processor has it, and are held against exact first;
                auto takes the fastest of those that are installed, by a measurement.
            progress: told of each picture.

        Raises:
            DataError: pictures cannot be decoded, each one listed with its reason; or an input is no picture; or the
                decoder of the training is not installed.
            RecipeError: an argument is out of range, the machine has no such device, or no such backend computes this
                model.
        """
        check_top(top_k)
        require(backend, device)
        rules = self.description.inputs
        if decoder is not None:
            if decoder not in (known := sorted(get_args(Decoder))):
                raise RecipeError(f"decoder: found {decoder!r}, wanted {' or '.join(known)}.")
            rules = rules.model_copy(update={"decoder": decoder})
        pictures = items(inputs)
        size = self._size(batch_size, device, backend, len(pictures))
        if backend != "exact":  # chosen before threads that decode have the processor
            self._computation.ready(backend, (size, *rules.image_size, rules.channels))
        judged = predict(
            pictures,
            shape=(*rules.image_size, rules.channels),
            classes=len(self.class_names),
            decode_item=decoding(rules, limits_of(self.description.recipe) if limits is None else restated(limits)),
            compute=averaged(
                self._group(size, device, backend, "probabilities"),
                self._views(test_time),
                size=size,
                certain=check_certain(certain, test_time),
            ),
            size=size,
            threads=_threads(),
            compute_in_threads=device == "cpu" and backend == "exact",
            skip_refused=skip_refused,
            progress=progress or Silent(),
        )
        return Predictions(judged.kept, self.class_names, judged.probabilities, judged.refused, top_k)

    def probabilities(
        self,
        pixels: UInt8[Tensor | ndarray, "picture height width channel"],
        *,
        device: str = "cpu",
        test_time: TestTime = "none",
        certain: float = 1.0,
        backend: Backend = "exact",
    ) -> Float32[Tensor, "picture class"]:
        """Return the probabilities of pictures that are decoded already: those of `predict`, bit by bit where exact.

        Raises:
            DataError: `pixels` are not uint8 of the model's size and channels.
            RecipeError: the machine has no such device, no such backend computes this model, flips are not valid for
                the model's pictures, or `certain` is out of range.
        """
        certain = check_certain(certain, test_time)
        return self._computed(pixels, device, backend, "probabilities", self._views(test_time), certain)

    def scores(
        self,
        pixels: UInt8[Tensor | ndarray, "picture height width channel"],
        *,
        device: str = "cpu",
        backend: Backend = "exact",
    ) -> Float32[Tensor, "picture class"]:
        """Return the network's scores (logits) of pictures that are decoded already.

        They are without the temperature: `probabilities` is softmax(scores / temperature).

        Raises:
            DataError: `pixels` are not uint8 of the model's size and channels.
            RecipeError: the machine has no such device, or no such backend computes this model.
        """
        return self._computed(pixels, device, backend, "scores", self._views("none"))

    def backends(self, pictures: int = 1) -> Mapping[Fast, Timed]:
        """Measure the backends that are installed, for so many pictures at once: speed, and difference from exact."""
        rules = self.description.inputs
        size = group_to_be_fast(rules.image_size, pictures=pictures)
        return self._computation.timed((size, *rules.image_size, rules.channels))

    def _views(self, test_time: TestTime) -> tuple[View, ...]:
        section = self.description.recipe.get("augmentation")
        orientation = section.get("orientation") if isinstance(section, dict) else None
        height, width = self.description.inputs.image_size
        return views(test_time, orientation=str(orientation or "mirror"), square=height == width)

    def _computed(
        self,
        pixels: Tensor | NDArray[np.uint8],
        device: str,
        backend: Backend,
        outcome: Outcome,
        chosen: tuple[View, ...],
        certain: float = 1.0,
    ) -> Tensor:
        import torch

        require(backend, device)
        array = pixels.numpy(force=True) if isinstance(pixels, torch.Tensor) else np.asarray(pixels)
        rules = self.description.inputs
        wanted = (*rules.image_size, rules.channels)
        if array.dtype != np.uint8 or array.shape[1:] != wanted:
            shape = ", ".join(map(str, wanted))
            raise DataError(f"found {array.dtype} pixels of shape {array.shape}, wanted uint8 of shape (n, {shape}).")
        size = self._size(None, device, backend, len(array))
        compute = averaged(self._group(size, device, backend, outcome), chosen, size=size, certain=certain)
        groups = [array[start : start + size] for start in range(0, len(array), size)]
        empty = np.zeros((0, len(self.class_names)), np.float32)
        if backend != "exact":  # which has threads itself
            return torch.from_numpy(np.concatenate([empty, *map(compute, groups)]))
        # A GPU is driven from one thread, the calls follow one another there anyway.
        count = max(1, min(_threads(), len(groups))) if device == "cpu" else 1
        with workers(count) as pool:
            computed = list(in_order(pool, compute, groups, ahead=2 * count + 1))
        return torch.from_numpy(np.concatenate([empty, *computed]))

    def _group(self, size: int, device: str, backend: Backend, outcome: Outcome) -> Group:
        if backend == "exact":
            return self._computation.of_groups(size, device=device, outcome=outcome)
        return self._computation.in_backend(size, backend, outcome=outcome)

    def _size(self, batch_size: int | None, device: str, backend: Backend, pictures: int) -> int:
        if batch_size is None:
            size = self.description.inputs.image_size
            if backend != "exact":
                return group_to_be_fast(size, pictures=pictures)
            return group_size(size, on_cpu=device == "cpu")
        if batch_size < 1:
            raise RecipeError(f"batch_size: found {batch_size}, wanted 1 or more.")
        return batch_size


def _threads() -> int:
    import torch

    return torch.get_num_threads()
