"""A training under way: built from what was prepared, stepped through as events, sealed at its end."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sightline import optimization
from sightline.errors import OutputError, TrainingError
from sightline.recipe import Recipe
from sightline.recipe.choices import settled
from sightline.training import checkpoint, directory, predictions, sealing, sums
from sightline.training.batches import steps_per_epoch
from sightline.training.best_model import BestModel
from sightline.training.calibration import Calibration, calibrate
from sightline.training.checkpoint import Checkpoint, taken
from sightline.training.concluding import conclude, keep, sealed_weights
from sightline.training.evaluate import batch_to_judge, predict
from sightline.training.events import EpochEnd, EpochStart, Event, StepEnd, Stopped
from sightline.training.feed import Feed
from sightline.training.forgetting import Conclusion
from sightline.training.keeper import Keeper
from sightline.training.log import Log, finite, of_epoch
from sightline.training.loop import train
from sightline.training.memory import TRIAL, Memory, enough_memory, measure
from sightline.training.metrics import Metrics
from sightline.training.metrics import measure as metrics_of
from sightline.training.numerics import numerics
from sightline.training.order import Order
from sightline.training.pace import Pace
from sightline.training.patience import exhausted
from sightline.training.prepare import Prepared
from sightline.training.replanning import replanned
from sightline.training.resolve import Resolved
from sightline.training.stage import Stage
from sightline.training.standing import digest_of, noted
from sightline.training.state import State, copied, holding, shortened_digest
from sightline.training.times import Times
from sightline.training.watching import Observer


@dataclass
class Session:
    """One training: iterate over `events()`, then `seal()`.

    The model file is there from the end of the first epoch on, written anew whenever the validation loss is better, or
    soon after where epochs are as short as writing it, so that what ends the training early leaves good weights.
    """

    prepared: Prepared
    resolved: Resolved
    path: Path
    """The run's directory."""
    state: State
    feed: Feed
    """Of pictures, as they are judged too."""
    stages: Sequence[Stage]
    written_epoch: int = 0
    """The epoch whose weights are in the model file; 0 while there is none."""
    exact: bool = True
    """Whether the recipe asks for the same bits, and all that it stands on has stayed as it was at its first step."""
    memory: Memory | None = None
    """Of its steps; None until it was measured."""
    pace: Pace | None = None
    """Holds it to a time budget; None without one, and where it goes on, since the time between is not known."""
    watch: Observer = field(default_factory=Observer)
    """Says what goes wrong, where the recipe wants that."""
    conclusion: Conclusion | None = None
    """What was measured at the end of a transfer."""
    calibration: Calibration | None = None
    """How sure the sealed model is; None until it is sealed."""

    def __post_init__(self) -> None:
        self._best_model = BestModel(self._write)

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
            Times(self.path / directory.TIMES) as times,
            self.watch.log(self.path) as log,
            Keeper(
                self.path / directory.CHECKPOINTS,
                steps=training.checkpoint_steps,
                minutes=training.checkpoint_minutes,
                kept=training.checkpoints_kept,
            ) as keeper,
            self.numerics(),
            self.enough_memory(),
        ):
            if self.memory is None:
                self.measure_memory()
            times.write("resumed" if self.state.step else "started", step=self.state.step)
            if not log.size:
                split, classes = self.prepared.split, self.prepared.catalogue.class_names
                log.write(
                    "start",
                    images=len(split.train),
                    classes=len(classes),
                    class_names=classes,
                    epochs=sum(stage.course.epochs for stage in self.stages),
                    asked=digest_of(self.resolved.asked),
                )
            if self.state.step == 0:
                if self.stage.about is not None:
                    log.write("stage", **asdict(self.stage.about))
                keeper.keep(partial(self._checkpoint, log.size))
            try:
                while (yield from self._events(log, times, keeper, stop)) and self.state.stage + 1 < len(self.stages):
                    self._next_stage()
                    log.write("stage", **asdict(self.stage.about) if self.stage.about else {})
                    keeper.keep(partial(self._checkpoint, log.size))
            except TrainingError as error:
                self._best_model.flush()
                log.write("failure", epoch=self.state.epoch + 1, step=self.state.step + 1, says=str(error))
                yield from self.watch.found(log)
                raise TrainingError(f"{error}{self._kept_for_inspection(error)}") from error

    @property
    def stage(self) -> Stage:
        """The stage under way."""
        return self.stages[self.state.stage]

    def enter(self, stage: int) -> None:
        """Have the state's network trained as a stage wants it, with an optimizer in a clean state."""
        self.state.stage = stage
        self.state.optimizer = self.stage.begin()

    def _next_stage(self) -> None:
        """Begin the next stage with the best weights of the one before."""
        state = self.state
        state.network.load_state_dict(state.best or state.judged())
        state.start = copied(state.network.state_dict())
        state.average = dict(copied(state.start)) if state.average is not None else None
        state.stage_epoch, state.stage_step = state.epoch, state.step
        self.enter(state.stage + 1)

    def _events(self, log: Log, times: Times, keeper: Keeper, stop: Callable[[], bool]) -> Generator[Event, None, bool]:
        """Yield what happens in the stage under way, and return whether it came to its end."""
        state, patience = self.state, self.recipe.training.early_stopping
        images = 0
        if self.stage.about is not None:
            yield self.stage.about
        self.stage.ready(state)
        for event in self._train():
            match event:
                case EpochStart():
                    if self.pace is not None:
                        self.pace.begin()
                    self.watch.before(state.step + 1, probed=self.stage.probed)
                    yield event
                case EpochEnd():
                    if event.best:
                        self._best_model.keep(event.validation)
                    log.write("epoch", **of_epoch(event), weights=self._digest())
                    times.write("epoch", epoch=event.epoch, step=event.step, images=images)
                    images = 0
                    found = self.watch.found(log)
                    stopping = self._exhausted(patience)
                    if stopping:
                        log.write("early_stop", epoch=event.epoch, best_epoch=state.best_epoch)
                    if keeper.worth_it:
                        keeper.keep(partial(self._checkpoint, log.size))
                    yield event
                    yield from found
                    if stopping:
                        self._best_model.flush()
                        return True
                case StepEnd():
                    images += event.images
                    more = self._after(event, log)
                    keeper.note(event.step)
                    if keeper.due(event.step):
                        keeper.keep(partial(self._checkpoint, log.size))
                    yield event
                    yield from more
                    self.watch.before(event.step + 1, probed=self.stage.probed)
                case _:
                    yield event
            if stop() and isinstance(event, StepEnd | EpochEnd):
                self._best_model.flush()
                keeper.keep(partial(self._checkpoint, log.size))
                keeper.wait()
                times.write("stopped", step=state.step, images=images)
                yield Stopped(event.epoch, state.step)
                return False
        self._best_model.flush()
        return True

    def _after(self, event: StepEnd, log: Log) -> list[Event]:
        """Write what a step came with, and return what is told of it besides."""
        if _is_power_of_ten(event.step):
            log.write("weights", step=event.step, weights=self._digest())
        found: list[Event] = [*self.watch.after(event, log)]
        if (anew := replanned(self, event)) is not None:
            log.write("replanned", **asdict(anew))
            found.append(anew)
        return found

    def _exhausted(self, patience: int) -> bool:
        """Return whether the stage under way has gone on for long enough without a better validation loss."""
        state = self.state
        return exhausted(state.epoch, max(state.best_epoch, state.stage_epoch), patience)

    def _train(self) -> Iterator[Event]:
        stage, course = self.stage, self.stage.course
        begun, begun_step = self.state.stage_epoch, self.state.stage_step
        if self._exhausted(self.recipe.training.early_stopping):
            return iter(())
        order = Order(self.prepared, self.recipe, self.state, stage, course.steps_per_epoch)

        def rate(step: int) -> float:
            return optimization.rate(
                self.recipe.schedule,
                base=stage.learning_rate,
                step=course.planned_step(step - begun_step),
                total_steps=course.planned_steps,
                steps_per_epoch=course.steps_per_epoch,
            )

        return train(
            self.state,
            epochs=lambda: begun + course.ends,
            steps=lambda: begun_step + course.steps,
            batches=order.batches,
            feed=order.shards,
            step=stage.step,
            learning_rate=rate,
            judge=self._judge,
            describe=partial(predictions.described, self.prepared.catalogue),
            mode=lambda epoch: stage.mode(epoch - begun),
        )

    def _checkpoint(self, log_bytes: int) -> Checkpoint:
        return taken(self.state, {**noted(self), "log_bytes": log_bytes})

    def _kept_for_inspection(self, fault: TrainingError) -> str:
        """Keep the state of a training that broke down, and return the words that say where."""
        path = self.path / directory.CHECKPOINTS / checkpoint.FAULT
        try:
            checkpoint.store(path, taken(self.state, {**noted(self), "fault": str(fault)}, gradients=True))
        except OutputError:
            return ""
        return f". State and gradient are kept in {path}"

    def seal(self) -> dict[str, Metrics]:
        """Judge the best weights on what was held out, write that into the model, and return the metrics by side.

        The weights themselves have been in the model file since the epoch that was the best. Added are the metrics and
        the temperature, which is fitted on the validation pictures. From here on all losses and probabilities are with
        it, as the model file gives them: the metrics, `predictions.csv`, the log's `sealed` line. Those of epochs and
        of a transfer's conclusion are without it, so that it has no say in which weights are sealed.
        """
        sides = {"validation": self.prepared.split.validation, "test": self.prepared.split.test}
        if self.prepared.weights is not None:
            with self.numerics(), self.enough_memory(), holding(self.state.network, self.state.network.state_dict()):
                self.conclusion = conclude(self.prepared, self.recipe, self.state, self._evaluate, self.shown)
            keep(self.path, self.conclusion, self.prepared.weights, self.state, self.stages)
            self.state.best = sealed_weights(self.state, self.conclusion)
        with self.numerics(), self.enough_memory(), holding(self.state.network, self.state.best or self.state.judged()):
            found = predictions.of(sides, self.predict)
            judged, self.calibration = calibrate(found, self.prepared.catalogue.labels)
            look = partial(predictions.places, self.state.network, self.feed)
            metrics = predictions.keep(self.path, self.prepared.catalogue, self.prepared.pixels, judged, look=look)
            learned = self.watch.learned(self.prepared, self._evaluate)
        self._write(metrics, self.calibration.temperature.value)
        with self.watch.log(self.path) as log:
            log.write(
                "sealed",
                best_epoch=self.state.best_epoch,
                fingerprint=self.fingerprint(),
                exact=self.exact,
                calibration=self.calibration.as_dict(),
                **{side: finite(found.as_dict()) for side, found in metrics.items()},
                **learned,
            )
            self.watch.end(self.path, log)
        sums.write(self.path, directory.LASTING)
        return metrics

    def steps_per_epoch(self) -> int:
        """Return the updates of an epoch."""
        return steps_per_epoch(len(self.prepared.split.train), settled(self.recipe.training.batch_size))

    def fingerprint(self) -> str:
        """Return a digest of the weights that are sealed: trainings that agree in it agree in every bit of them."""
        return shortened_digest(self.state.best or self.state.judged())

    def _digest(self) -> str:
        """Return a digest of the weights that are trained now, by which two runs find where they part."""
        network = self.state.network
        frozen = {name for name, parameter in network.named_parameters() if not parameter.requires_grad}
        return shortened_digest({name: each for name, each in network.state_dict().items() if name not in frozen})

    def _write(self, metrics: Mapping[str, Metrics], temperature: float = 1.0) -> None:
        with holding(self.state.network, self.state.best or self.state.judged()):
            path, network = self.path / directory.MODEL, self.state.network
            sealing.write(path, self.prepared, self.resolved, network, metrics, temperature=temperature)
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
        """Return the context that says how many pictures would fit where memory is too small for a step."""
        return enough_memory(
            machine=self.prepared.machine.name,
            batch_size=settled(self.recipe.training.batch_size),
            parts=self.recipe.training.parts,
            memory=lambda: self.memory,
        )

    @property
    def at_once(self) -> int:
        """Pictures whose gradient is computed at once: a batch, or a part of it."""
        training = self.recipe.training
        return -(-settled(training.batch_size) // training.parts)

    def measure_memory(self) -> Memory:
        """Return what steps need and what is free, by a trial with a few pictures that changes nothing."""
        device = settled(self.recipe.training.device)

        def inputs(pictures: int) -> Tensor:
            return self.shown(shown[:pictures])

        shown = np.resize(self.prepared.split.train, max(TRIAL))
        self.memory = measure(self.state.network, inputs, device=device)
        return self.memory

    def shown(self, records: NDArray[np.int64]) -> Tensor:
        """Return pictures as they are judged, as the network takes them."""
        pixels = torch.from_numpy(self.prepared.pixels.gather(records))
        return self.feed.standardize(pixels.to(settled(self.recipe.training.device)))

    def _judge(self, state: State) -> Metrics | None:
        validation = self.prepared.split.validation
        if not len(validation):
            return None
        with holding(self.state.network, state.average) if state.average is not None else contextlib.nullcontext():
            state.network.eval()
            return self._evaluate(validation) if self.stage.judge is None else self.stage.judge(validation)

    def _evaluate(self, records: NDArray[np.int64]) -> Metrics:
        return metrics_of(self.predict(records), self.prepared.catalogue.labels[records])

    def predict(self, records: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return log-probabilities of pictures as they are judged, shape (record, class)."""
        device = settled(self.recipe.training.device)
        self.state.network.eval()
        return predict(
            lambda pixels: self.state.network(self.feed.standardize(pixels.to(device))),
            self.prepared.pixels.gather,
            records,
            batch_size=batch_to_judge(self.prepared.height_width, device=device, most=2 * self.at_once),
        )


def _is_power_of_ten(number: int) -> bool:
    return str(number).rstrip("0") == "1"
