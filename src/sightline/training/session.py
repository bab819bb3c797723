"""A training under way: built from what was prepared, stepped through as events, sealed at its end."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from sightline import augmentation, model, network, optimization, preprocessing
from sightline.augmentation.layout import png
from sightline.data import decoder_version
from sightline.data.decode import Decoder
from sightline.errors import RecipeError, TrainingError
from sightline.model.format import digest_of_tensors
from sightline.recipe import Recipe, write_recipe
from sightline.recipe.choices import settled
from sightline.training import directory
from sightline.training.batches import batches, steps_per_epoch
from sightline.training.budget import epochs_within, seconds_per_step
from sightline.training.checkpoint import Checkpoint, taken
from sightline.training.evaluate import evaluate
from sightline.training.events import EpochEnd, EpochStart, Event, StepEnd, Stopped
from sightline.training.feed import Feed
from sightline.training.keeper import Keeper
from sightline.training.log import Log
from sightline.training.loop import train
from sightline.training.loss import LossFunction, balanced_weights, cross_entropy
from sightline.training.memory import enough_memory
from sightline.training.metrics import Metrics
from sightline.training.numerics import numerics
from sightline.training.patience import exhausted
from sightline.training.prepare import Prepared
from sightline.training.resolve import Resolved, with_epochs
from sightline.training.standing import place_of, standing
from sightline.training.state import State, begin, copied
from sightline.training.step import Forward, Standardize, Step, make_step
from sightline.writing import write_whole

NAMED_IN_MESSAGE = 3


@dataclass
class Session:
    """One training: iterate over `events()`, then `seal()`.

    The model file is there from the end of the first epoch on, written anew whenever the validation loss is better, so
    that whatever ends the training early leaves the best weights so far.
    """

    prepared: Prepared
    resolved: Resolved
    path: Path
    """The run's directory."""
    state: State
    feed: Feed
    forward: Forward
    """The state's network, or its compiled form."""
    step: Step
    written_epoch: int = 0
    """The epoch whose weights are in the model file; 0 while there is none."""
    exact: bool = True
    """Whether everything that it stands on has stayed the same since its first step."""

    @property
    def recipe(self) -> Recipe:
        """The resolved recipe."""
        return self.resolved.recipe

    def events(self, *, stop: Callable[[], bool] = lambda: False) -> Iterator[Event]:
        """Train, and yield what happens; each epoch is in the log before it is yielded.

        Args:
            stop: asked after every step; once it is so, a checkpoint is written, `Stopped` yielded, and no more.

        Raises:
            TrainingError: the loss is not finite, or memory is too small. The model file has the best weights so far,
                from the first epoch that was completed on.
        """
        training = self.recipe.training
        with (
            Log(self.path / directory.EVENTS) as log,
            Keeper(
                self.path / directory.CHECKPOINTS,
                steps=training.checkpoint_steps,
                minutes=training.checkpoint_minutes,
            ) as keeper,
            self.numerics(),
            self.enough_memory(),
        ):
            if not log.size:
                split, classes = self.prepared.split, len(self.prepared.catalogue.class_names)
                log.write("start", images=len(split.train), classes=classes, epochs=settled(training.epochs))
            if self.state.step == 0:
                keeper.keep(partial(self._checkpoint, log.size))
            try:
                yield from self._events(log, keeper, stop)
            except TrainingError as error:
                log.write("failure", epoch=self.state.epoch + 1, step=self.state.step + 1, says=str(error))
                raise

    def _events(self, log: Log, keeper: Keeper, stop: Callable[[], bool]) -> Iterator[Event]:
        state, patience = self.state, self.recipe.training.early_stopping
        for event in self._train():
            match event:
                case EpochEnd():
                    if event.best:
                        self._write({} if event.validation is None else {"validation": event.validation})
                    log.write("epoch", **_as_dict(event))
                    stopping = exhausted(event.epoch, state.best_epoch, patience)
                    if stopping:
                        log.write("early_stop", epoch=event.epoch, best_epoch=state.best_epoch)
                    if keeper.idle:
                        keeper.keep(partial(self._checkpoint, log.size))
                    yield event
                    if stopping:
                        return
                case StepEnd():
                    keeper.note(event.step)
                    if keeper.due(event.step):
                        keeper.keep(partial(self._checkpoint, log.size))
                    yield event
                case _:
                    yield event
            if stop() and not isinstance(event, EpochStart):
                keeper.keep(partial(self._checkpoint, log.size))
                keeper.wait()
                yield Stopped(event.epoch, state.step)
                return

    def _train(self) -> Iterator[Event]:
        training, prepared = self.recipe.training, self.prepared
        split, keys = prepared.split, prepared.catalogue.keys
        batch_size, epochs = settled(training.batch_size), settled(training.epochs)
        per_epoch = self.steps_per_epoch()
        peak = settled(self.recipe.optimizer.learning_rate)
        if exhausted(self.state.epoch, self.state.best_epoch, training.early_stopping):
            return iter(())

        def order(epoch: int) -> Sequence[NDArray[np.int64]]:
            return batches(split.train, keys[split.train], batch_size=batch_size, seed=training.seed, epoch=epoch)

        def rate(step: int) -> float:
            return optimization.rate(
                self.recipe.schedule, base=peak, step=step, total_steps=epochs * per_epoch, steps_per_epoch=per_epoch
            )

        return train(
            self.state,
            epochs=epochs,
            batches=order,
            feed=self.feed.epoch,
            step=self.step,
            learning_rate=rate,
            judge=self._judge,
            describe=self._describe,
        )

    def _checkpoint(self, log_bytes: int) -> Checkpoint:
        about = {
            "name": self.prepared.source,
            "source": place_of(self.prepared.source),
            "standing": standing(self.prepared, self.recipe),
            "steps_per_epoch": self.steps_per_epoch(),
            "optimizer": self.recipe.optimizer.name,
            "reasons": dict(self.resolved.reasons),
            "exact": self.exact,
            "log_bytes": log_bytes,
        }
        return taken(self.state, about)

    def seal(self) -> dict[str, Metrics]:
        """Judge the best weights on what was held out, write that into the model, and return the metrics by side.

        The weights themselves have been in the model file since the epoch that was the best.
        """
        sides = {"validation": self.prepared.split.validation, "test": self.prepared.split.test}
        with self.numerics(), self.enough_memory(), self._holding(self.state.best or self.state.judged()):
            metrics = {side: self._evaluate(records) for side, records in sides.items() if len(records)}
        self._write(metrics)
        with Log(self.path / directory.EVENTS) as log:
            log.write(
                "sealed",
                best_epoch=self.state.best_epoch,
                fingerprint=self.fingerprint(),
                exact=self.exact,
                **{side: _finite(found.as_dict()) for side, found in metrics.items()},
            )
        return metrics

    def steps_per_epoch(self) -> int:
        """Return the updates of an epoch."""
        return steps_per_epoch(len(self.prepared.split.train), settled(self.recipe.training.batch_size))

    def fingerprint(self) -> str:
        """Return a digest of the weights that are sealed: trainings that agree in it agree in every bit of them."""
        weights = self.state.best or self.state.judged()
        tensors = {name: tensor.detach().cpu().numpy() for name, tensor in weights.items()}
        return digest_of_tensors(tensors)[:16]

    def _write(self, metrics: Mapping[str, Metrics]) -> None:
        prepared, chosen = self.prepared, self.recipe.data
        decoder: Decoder = settled(chosen.decoder)
        with self._holding(self.state.best or self.state.judged()):
            model.seal(
                self.path / directory.MODEL,
                network=self.state.network,
                network_section=self.recipe.network,
                statistics=prepared.statistics,
                input_rules=model.InputRules(
                    image_size=prepared.height_width,
                    channels=settled(chosen.channels),
                    resize=chosen.resize,
                    padding_value=chosen.padding_value,
                    decoder=decoder,
                    decoder_version=decoder_version(decoder),
                ),
                class_names=prepared.catalogue.class_names,
                recipe=self.recipe,
                reasons=self.resolved.reasons,
                source=prepared.source,
                data_digest=prepared.data_digest,
                metrics={side: found.as_dict() for side, found in metrics.items()},
            )
        self.written_epoch = self.state.best_epoch

    def numerics(self) -> contextlib.AbstractContextManager[None]:
        """Return the settings of torch under which everything of this training runs."""
        training = self.recipe.training
        return numerics(
            threads=settled(training.threads),
            deterministic=training.deterministic,
            device=settled(training.device),
        )

    def enough_memory(self) -> contextlib.AbstractContextManager[None]:
        batch_size = settled(self.recipe.training.batch_size)
        return enough_memory(machine=self.prepared.machine.name, batch_size=batch_size)

    @contextlib.contextmanager
    def _holding(self, weights: Mapping[str, Tensor]) -> Iterator[None]:
        """Run the body with other weights in the network, and put its own back."""
        own = copied(self.state.network.state_dict())
        self.state.network.load_state_dict(weights)
        try:
            yield
        finally:
            self.state.network.load_state_dict(own)

    def _judge(self, state: State) -> Metrics | None:
        validation = self.prepared.split.validation
        if not len(validation):
            return None
        if state.average is None:
            return self._evaluate(validation)
        with self._holding(state.average):
            return self._evaluate(validation)

    def _evaluate(self, records: NDArray[np.int64]) -> Metrics:
        device = settled(self.recipe.training.device)
        self.state.network.eval()
        return evaluate(
            lambda pixels: self.forward(self.feed.standardize(pixels.to(device))),
            self.prepared.pixels.gather,
            records,
            self.prepared.catalogue.labels,
            batch_size=2 * settled(self.recipe.training.batch_size),
        )

    def _describe(self, records: NDArray[np.int64]) -> str:
        catalogue = self.prepared.catalogue
        names = [catalogue.source.names[int(catalogue.index[record])] for record in records[:NAMED_IN_MESSAGE]]
        more = f" and {len(records) - len(names)} more" if len(records) > len(names) else ""
        return ", ".join(names) + more


def start(prepared: Prepared, path: Path) -> Session:
    """Return the training that `prepared` describes, before its first step, with its files in the run's directory."""
    session = assemble(prepared, prepared.resolved, path)
    if prepared.resolved.recipe.training.time_budget_minutes > 0:
        # The steps that are timed change the weights, so the training itself is put together afresh.
        session = assemble(prepared, _within_budget(session), path)
    directory.clear(path)
    directory.write_records(path, prepared.catalogue, prepared.split)
    write_recipe(path / directory.RECIPE, session.recipe, session.resolved.reasons)
    if session.recipe.augmentation.operations:
        write_whole(path / directory.SHEET, png(_sheet(prepared, session.recipe)))
    return session


def _sheet(prepared: Prepared, recipe: Recipe) -> Image.Image:
    """Return what augmentation makes of a few training pictures, for a person to see that they are still valid."""
    catalogue = prepared.catalogue
    return augmentation.sheet(
        prepared.pixels,
        catalogue.class_names,
        catalogue.labels,
        catalogue.keys,
        recipe.augmentation,
        training=np.sort(prepared.split.train),
        sources=prepared.training_pixels,
        seed=recipe.training.seed,
    )


def _within_budget(session: Session) -> Resolved:
    training, split = session.recipe.training, session.prepared.split
    batch_size, minutes = settled(training.batch_size), training.time_budget_minutes
    session.state.network.train()
    with session.numerics(), session.enough_memory():
        records = split.train[:batch_size]
        seconds = seconds_per_step(lambda: session.step(session.state, session.feed.load(1, records), 0.0))
    epochs = epochs_within(
        minutes, seconds=seconds, batch_size=batch_size, training=len(split.train), validation=len(split.validation)
    )
    reason = f"what fits {minutes:g} minutes at {batch_size / seconds:,.0f} pictures a second"
    return with_epochs(session.resolved, epochs, reason)


def assemble(prepared: Prepared, resolved: Resolved, path: Path) -> Session:
    """Return a training before its first step; nothing is written."""
    recipe = resolved.recipe
    training = recipe.training
    device = settled(training.device)
    classes = len(prepared.catalogue.class_names)
    made = network.build(
        recipe.network,
        channels=settled(recipe.data.channels),
        classes=classes,
        image_size=prepared.height_width,
    )
    network.initialize(made, network.build_scheme(recipe.network), seed=training.seed)
    made = made.to(device)
    if training.channels_last:
        made = made.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    if training.compile and device == "cpu" and not any(map(shutil.which, ("c++", "g++", "clang++", "cl"))):
        raise RecipeError(
            "training.compile: found no C++ compiler, which torch.compile needs on a CPU. "
            "Install g++, or leave it out: --set training.compile=false"
        )
    forward: Forward = torch.compile(made) if training.compile else made
    standardize = _standardize(prepared, device, channels_last=bool(settled(training.channels_last)))
    state = begin(made, optimization.build(recipe.optimizer, made), averaged=training.weight_averaging > 0)
    step = make_step(
        forward=forward,
        loss=_loss(prepared, recipe, device),
        device=device,
        bfloat16=training.precision == "bfloat16",
        clip_norm=recipe.optimizer.clip_norm,
        average_decay=training.weight_averaging,
        seed=training.seed,
    )
    return Session(prepared, resolved, path, state, Feed(prepared, standardize, device), forward, step)


def _standardize(prepared: Prepared, device: str, *, channels_last: bool) -> Standardize:
    module = preprocessing.module(prepared.statistics).to(device)
    # Pixels are stored NHWC, so what comes out has channels-last strides by itself.
    return module if channels_last else lambda pixels: module(pixels).contiguous()


def _loss(prepared: Prepared, recipe: Recipe, device: str) -> LossFunction:
    weights = None
    if recipe.loss.class_weights == "balanced":
        labels = prepared.catalogue.labels[prepared.split.train]
        balanced = balanced_weights(labels, len(prepared.catalogue.class_names))
        weights = torch.from_numpy(balanced).float().to(device)
    return cross_entropy(label_smoothing=recipe.loss.label_smoothing, class_weights=weights)


def _as_dict(event: EpochEnd) -> dict[str, Any]:
    values: dict[str, Any] = {
        "epoch": event.epoch,
        "step": event.step,
        "learning_rate": event.learning_rate,
        "training_loss": event.training_loss,
        "training_accuracy": event.training_accuracy,
        "best": event.best,
    }
    if event.validation is not None:
        values["validation"] = _finite(event.validation.as_dict())
    return values


def _finite(metrics: dict[str, Any]) -> dict[str, Any]:
    """Replace a loss that JSON cannot hold by None."""
    return {**metrics, "loss": metrics["loss"] if np.isfinite(metrics["loss"]) else None}
