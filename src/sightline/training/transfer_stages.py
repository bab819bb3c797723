"""The two stages of transfer learning: a new head on frozen features, then all layers at a lower rate."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.optim import Optimizer

from sightline import optimization, transfer_learning
from sightline.data import Progress
from sightline.model.format import digest_of_tensors
from sightline.network.head import Classifier, Compression
from sightline.recipe import Recipe
from sightline.recipe.choices import settled
from sightline.training.cached_feed import CachedFeed
from sightline.training.course import Course
from sightline.training.evaluate import evaluate
from sightline.training.events import StageStart
from sightline.training.feed import Feed
from sightline.training.loss import LossFunction
from sightline.training.metrics import Metrics
from sightline.training.prepare import Prepared
from sightline.training.stage import Batches, Stage
from sightline.training.standing import standing
from sightline.training.state import State
from sightline.training.step import Forward, Objective, Shard, Step, supervised
from sightline.transfer_learning import Fit, Weights, is_head, layers

GROUP = 32
"""Pictures at most whose features are computed together: of more, layers do not fit the memory that is kept."""
ADAPTED_BY = 64
"""Pictures or more whose mean and variance are taken together."""
NAMED = 4


@dataclass
class TransferStages:
    """What both stages are made of."""

    prepared: Prepared
    recipe: Recipe
    weights: Weights
    network: nn.Module
    fitted: Fit
    forward: Forward
    """The network, compiled or in lower precision as the recipe says."""
    lowered: Callable[[Forward], Forward]
    """Has a part of the network compute in the recipe's precision."""
    feed: Feed
    loss: LossFunction
    make_step: Callable[[Objective, float], Step]
    progress: Progress
    _cached: CachedFeed | None = None
    _judged: NDArray[np.float32] = field(default_factory=lambda: np.empty(0, np.float32))

    def stages(self) -> tuple[Stage, ...]:
        """Return the stages that the recipe wants."""
        head = self._head()
        return (head,) if self.recipe.transfer.depth == "head" else (head, self._all())

    @property
    def _classifier(self) -> Classifier:
        found: Classifier = self.network  # type: ignore[assignment]
        return found

    @property
    def _peak(self) -> float:
        return settled(self.recipe.optimizer.learning_rate)

    # Stage one.

    def _head(self) -> Stage:
        cached = self.recipe.transfer.features == "cached"
        objective: Objective = self._on_cached if cached else self._on_frozen()
        return Stage(
            course=Course(settled(self.recipe.transfer.head_epochs), self.feed.course.steps_per_epoch),
            learning_rate=self._peak,
            begin=self._begin_head,
            feed=_Lazy(lambda: self._feed_of_features) if cached else self.feed,
            step=self.make_step(objective, 0.0),
            mode=self._mode_of_head,
            judge=self._judge_features if cached else None,
            probed=not cached,
            ready=self._ready,
            about=self._about("head", 1, settled(self.recipe.transfer.head_epochs), {"head": self._peak}, self._says()),
        )

    def _begin_head(self) -> Optimizer:
        for name, parameter in self.network.named_parameters():
            parameter.requires_grad_(is_head(self.network, name))
        return optimization.build(self.recipe.optimizer, self.network)

    def _mode_of_head(self, _epoch: int) -> None:
        self.network.eval()
        self.network.get_submodule(self._classifier.HEAD).train()

    def _on_cached(self, shard: Shard) -> tuple[Tensor, Tensor]:
        logits = self._classifier.classify(shard.inputs)
        return logits, self.loss(logits, shard.targets(logits.shape[1]))

    def _on_frozen(self) -> Objective:
        embed = self._embedding()

        def objective(shard: Shard) -> tuple[Tensor, Tensor]:
            with torch.no_grad():
                features = embed(shard.inputs).float()
            logits = self._classifier.classify(features)
            return logits, self.loss(logits, shard.targets(logits.shape[1]))

        return objective

    def _embedding(self) -> Forward:
        return self.lowered(lambda inputs: self._classifier.pool(self._classifier.maps(inputs)))

    def _ready(self, state: State) -> None:
        if self.recipe.transfer.batch_norm == "adapt":
            self._adapt(state)
        self.network.eval()
        if self.recipe.transfer.features == "cached" and self._cached is None:
            self._compute_features()
        if state.step == 0:
            self._measure_features()

    def _adapt(self, state: State) -> None:
        training = np.sort(self.prepared.split.train)
        # Nothing to be compared with is no statistic.
        parts = np.array_split(training, max(1, len(training) // ADAPTED_BY))
        transfer_learning.adapt(self.network, (self._plain(records) for records in parts))
        if state.average is not None and state.step == 0:
            state.average = {name: tensor.clone() for name, tensor in self.network.state_dict().items()}

    def _measure_features(self) -> None:
        """Tell the new head the size of what it sees."""
        found = [each for each in self.network.modules() if isinstance(each, Compression)]
        if not found:
            return
        if self._cached is not None:
            features = torch.from_numpy(np.array(self._cached.features))
        else:
            embed = self._embedding()
            with torch.no_grad():
                parts = _parts(np.sort(self.prepared.split.train))
                features = torch.cat([embed(self._plain(records)).float() for records in parts])
        for each in found:
            each.measure(features)

    def _plain(self, records: NDArray[np.int64]) -> Tensor:
        """Return pictures as they are judged."""
        return self.feed.standardize(torch.from_numpy(self.prepared.pixels.gather(records)).to(self.feed.device))

    def _views(self) -> int:
        return settled(self.recipe.transfer.views) if self.recipe.augmentation.operations else 1

    def _compute_features(self) -> None:
        embed, split, views = self._embedding(), self.prepared.split, self._views()
        training, judged = np.sort(split.train), np.sort(split.validation)
        blocks = [(view, part) for view in range(1, views + 1) for part in _parts(training)]
        blocks += [(0, part) for part in _parts(judged)]

        def compute(block: tuple[int, NDArray[np.int64]]) -> NDArray[np.float32]:
            view, records = block
            inputs = self.feed.shard(view, records).inputs if view else self._plain(records)
            with torch.inference_mode():
                return embed(inputs).float().cpu().numpy()

        found = transfer_learning.store_features(
            blocks,
            compute,
            rows=[len(records) for _, records in blocks],
            standing=self._features_stand_on(),
            task=f"computing features of {views} view{'s' if views > 1 else ''}",
            cache=self.prepared.cache,
            progress=self.progress,
        )
        count = views * len(training)
        self._judged = found[count:]
        labels = self.prepared.catalogue.labels
        mixture = self.feed.mixture if self.feed.mixes else lambda _epoch, _records: None
        self._cached = CachedFeed(found[:count], training, labels, views, self.feed.device, mixture)

    def _features_stand_on(self) -> dict[str, str]:
        recipe, prepared = self.recipe, self.prepared
        chosen = {
            "data": recipe.data,
            "augmentation": recipe.augmentation,
            "network": recipe.network,
            "preprocessing": recipe.preprocessing,
        }
        training = recipe.training.model_dump(include={"seed", "precision", "channels_last", "threads", "device"})
        body = {
            name: tensor.detach().cpu().numpy()
            for name, tensor in self.network.state_dict().items()
            if not is_head(self.network, name)
        }
        split = prepared.split
        stands_on = {
            **standing(prepared, recipe),
            **{name: section.model_dump_json() for name, section in chosen.items()},
            "statistics": digest_of_tensors(prepared.statistics.tensors()),
            "training": repr(training),
            "body": digest_of_tensors(body),
            "split": hashlib.blake2b(np.sort(split.train).tobytes() + np.sort(split.validation).tobytes()).hexdigest(),
        }
        # The rest of the recipe, such as the rate, changes no feature.
        del stands_on["recipe"]
        return stands_on

    @property
    def _feed_of_features(self) -> CachedFeed:
        assert self._cached is not None, "the stage was not made ready"  # noqa: S101
        return self._cached

    def _judge_features(self, records: NDArray[np.int64]) -> Metrics:
        validation = np.sort(self.prepared.split.validation)
        return evaluate(
            lambda features: self._classifier.classify(features.to(self.feed.device)),
            lambda wanted: self._judged[np.searchsorted(validation, wanted)],
            records,
            self.prepared.catalogue.labels,
            batch_size=8 * GROUP,
        )

    # Stage two.

    def _all(self) -> Stage:
        recipe = self.recipe
        peak = self._peak * recipe.transfer.rate_factor
        factors = transfer_learning.rate_factors(self.network, decay=recipe.transfer.layer_decay)
        distilled = settled(recipe.transfer.distillation) > 0
        objective = self._distilling() if distilled else supervised(self.forward, self.loss)
        found = layers(self.network)
        rates = {layer.name: peak * factors[layer.parameters[0]] for layer in found}
        return Stage(
            course=self.feed.course,
            learning_rate=peak,
            begin=lambda: self._begin_all(factors),
            feed=self.feed,
            step=self.make_step(objective, recipe.transfer.l2_sp),
            mode=self._mode_of_all,
            about=self._about("all", 2, settled(recipe.training.epochs), rates, self._levers()),
        )

    def _begin_all(self, factors: dict[str, float]) -> Optimizer:
        self.network.requires_grad_(True)
        return optimization.build(self.recipe.optimizer, self.network, rate_factors=factors)

    def _mode_of_all(self, epoch: int) -> None:
        self.network.train()
        if self.recipe.transfer.batch_norm == "frozen":
            transfer_learning.freeze(self.network)
        if self.recipe.transfer.unfreezing == "gradual":
            self._unfreeze(epoch)

    def _unfreeze(self, epoch: int) -> None:
        """Let the layers learn that have their turn by now: one more at a time, all from half of the epochs on."""
        found, epochs = layers(self.network), settled(self.recipe.training.epochs)
        count = math.ceil(len(found) * min(1.0, epoch / max(1.0, epochs / 2)))
        learning = {name for layer in found[len(found) - count :] for name in layer.parameters}
        for name, parameter in self.network.named_parameters():
            parameter.requires_grad_(name in learning)

    def _distilling(self) -> Objective:
        chosen, loss = self.recipe.transfer, self.loss
        weight = settled(chosen.distillation)
        old = transfer_learning.earlier_network(
            self.weights,
            channels=settled(self.recipe.data.channels),
            image_size=self.prepared.height_width,
            why="transfer.distillation",
        )
        old = old.to(self.feed.device)
        if self.recipe.training.channels_last:
            old = old.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        before: Classifier = old  # type: ignore[assignment]
        now = self._classifier

        def both(inputs: Tensor) -> Tensor:
            maps = now.maps(inputs)
            return torch.cat([now.classify(now.pool(maps)), before.classify(before.pool(maps))], dim=1)

        scores, answers_of_old = self.lowered(both), self.lowered(old)
        classes = len(self.prepared.catalogue.class_names)

        def objective(shard: Shard) -> tuple[Tensor, Tensor]:
            with torch.no_grad():
                wanted = answers_of_old(shard.inputs)
            logits, answers = scores(shard.inputs).float().tensor_split([classes], dim=1)
            kept = transfer_learning.distillation(answers, wanted, temperature=chosen.distillation_temperature)
            return logits, loss(logits, shard.targets(classes)) + weight * kept

        return objective

    # What is told.

    def _about(self, name: str, number: int, epochs: int, rates: dict[str, float], says: Sequence[str]) -> StageStart:
        sizes = {each: parameter.numel() for each, parameter in self.network.named_parameters()}
        total = sum(sizes.values())
        trained = total
        if name == "head":
            trained = sum(size for each, size in sizes.items() if is_head(self.network, each))
        return StageStart(
            name=name,
            number=number,
            of=1 if self.recipe.transfer.depth == "head" else 2,
            epochs=epochs,
            learning_rate=max(rates.values()),
            trained=trained,
            frozen=total - trained,
            batch_norm=self._batch_norm(name),
            rates=rates,
            says=tuple(says),
        )

    def _batch_norm(self, stage: str) -> str:
        if not any(True for _ in transfer_learning.normalizations(self.network)):
            return ""
        chosen = self.recipe.transfer.batch_norm
        if stage == "head" and chosen == "adapt":
            return "has statistics that are measured anew on the training pictures, once"
        if stage == "head":
            return "keeps the statistics that the weights came with"
        if chosen == "frozen":
            return "keeps the statistics that the weights came with; scale and shift are trained"
        return "has statistics that follow the training pictures"

    def _says(self) -> list[str]:
        fitted, recipe = self.fitted, self.recipe
        new = ", ".join(fitted.new[:NAMED]) + (" …" if len(fitted.new) > NAMED else "")
        loaded = f"{len(fitted.loaded)} tensors loaded from {self.weights.origin}"
        says = [f"{loaded}, {len(fitted.new)} new ({new}), {len(fitted.left_over)} left over."]
        if fitted.adapted:
            channels = settled(recipe.data.channels)
            rule = "the sum over the colors" if channels == 1 else "a third for each color"
            says.append(
                f"The weights were trained on pictures of {self.weights.channels} channels and meet pictures of "
                f"{channels}: {', '.join(fitted.adapted)} is {rule}."
            )
        if recipe.transfer.features == "cached":
            views = self._views()
            says.append(
                f"Features are computed once for {views} view{'s' if views > 1 else ''} of each training picture."
            )
        return says

    def _levers(self) -> list[str]:
        chosen = self.recipe.transfer
        says = []
        if chosen.unfreezing == "gradual":
            says.append("Layers begin to learn one after the other, the last first.")
        if chosen.l2_sp > 0:
            says.append(f"L2-SP pulls towards the start with {chosen.l2_sp:g}.")
        if (weight := settled(chosen.distillation)) > 0:
            says.append(f"The old last layer's answers are kept with weight {weight:g}.")
        return says


@dataclass(frozen=True)
class _Lazy:
    """Batches from what is there only once the stage was made ready."""

    find: Callable[[], Batches]

    def epoch(self, epoch: int, order: Sequence[NDArray[np.int64]]):  # type: ignore[no-untyped-def]
        """Yield the shards of each batch, in order."""
        return self.find().epoch(epoch, order)


def _parts(records: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    """Return records in groups of about one size."""
    return np.array_split(records, max(1, -(-len(records) // GROUP))) if len(records) else []
