"""One look into a network in training: what its layers do, how its gradients flow, and what a step changed."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, log_softmax

from sightline.diagnosis import gradients
from sightline.diagnosis.activity import WEIGHTED, watching
from sightline.diagnosis.moments import rounded
from sightline.diagnosis.normalization import comparing, undisturbed

Forward = Callable[[Tensor], Tensor]
LossFunction = Callable[[Tensor, Tensor], Tensor]
TINY = 1e-12
FEWEST_HALVED = 8
"""Pictures from which a batch is divided in two, whose gradients tell how noisy they are."""


@dataclass
class Probe:
    """Looks at a network before and after one step, always on the same pictures. Neither changes a bit of it.

    `loss`, `loss_after` and what is told of activations, normalizations and the outputs of layers are of the first half
    of the pictures, which is enough to tell; gradients, scores and inference are of all of them.

    Args:
        network: in training.
        forward: the same, in the precision that it is trained in; not compiled, since hooks watch it.
        loss: the sum over pictures that training makes small.
        inputs: the pictures, standardized and not augmented.
        labels: their classes.
    """

    network: nn.Module
    forward: Forward
    loss: LossFunction
    inputs: Tensor
    labels: Tensor
    _before: dict[str, Any] = field(default_factory=dict)
    _weights: dict[str, Tensor] = field(default_factory=dict)
    _gradients: dict[str, Tensor] = field(default_factory=dict)

    def before(self) -> None:
        """Look at the network before a step, in the mode that it is trained in."""
        self._weights = {name: each.detach().clone() for name, each in self._trained().items()}
        with watching(self.network) as seen, comparing(self.network) as compared:
            first = self._pass(0)
        passes = [first, *(self._pass(part) for part in range(1, self._parts))]
        self._gradients = first.gradients
        whole = _mean([each.gradients for each in passes])
        self._before = {
            "loss": rounded(first.loss),
            **self._said(torch.cat([each.logits for each in passes])),
            **self._inference(),
            **self._noise(passes, whole),
            **_standing(self.inputs),
            "layers": self._layers(passes, whole, seen.outputs),
            "activations": seen.as_list(),
            "normalizations": compared.as_list(),
        }

    def after(self, rate: float) -> dict[str, Any]:
        """Return what the log takes of the step that was taken since `before`.

        Args:
            rate: of that step.
        """
        first = self._pass(0)
        update = {name: each.detach() - self._weights[name] for name, each in self._trained().items()}
        for layer in self._before["layers"]:
            if (weight := _weight_of(layer["name"])) in update:
                ratio = gradients.norm([update[weight]]) / max(layer["weight"] or 0.0, TINY)
                layer["update"] = rounded(ratio)
        curvature = gradients.curvature(self._gradients, first.gradients, update)
        self._weights, self._gradients = {}, {}  # as large as the network, and not wanted until the next probe
        return {
            "rate": rate,
            **self._before,
            "loss_after": rounded(first.loss),
            "curvature": None if curvature is None else rounded(curvature),
        }

    @property
    def _parts(self) -> int:
        return 2 if len(self.labels) >= FEWEST_HALVED else 1

    def _trained(self) -> dict[str, Tensor]:
        return {name: each for name, each in self.network.named_parameters() if each.requires_grad}

    def _pass(self, part: int) -> _Pass:
        """Compute forth and back with one part of the pictures, as in training but for dropout and running averages."""
        labels, trained = self.labels.tensor_split(self._parts)[part], self._trained()
        with undisturbed(self.network), torch.enable_grad():
            logits = self.forward(self.inputs.tensor_split(self._parts)[part]).float()
            loss = self.loss(logits, labels) / len(labels)
            found = torch.autograd.grad(loss, list(trained.values()), allow_unused=True)
        pairs = zip(trained.items(), found, strict=True)
        kept = {name: torch.zeros_like(each) if one is None else one for (name, each), one in pairs}
        return _Pass(logits.detach(), float(loss.detach()), kept)

    def _said(self, logits: Tensor) -> dict[str, Any]:
        """How good the scores are as training computes them, and whether they look at the picture at all."""
        chance = cross_entropy(logits, self.labels.roll(1))
        return {
            "cross_entropy": rounded(float(cross_entropy(logits, self.labels))),
            "shuffled": rounded(float(chance)),
            "chance": rounded(math.log(logits.shape[1])),
        }

    def _inference(self) -> dict[str, Any]:
        with _inference_mode(self.network):
            logits = self.forward(self.inputs).float()
        likeliest = log_softmax(logits, dim=1).max(dim=1)
        return {
            "inference": rounded(float(cross_entropy(logits, self.labels))),
            "accuracy": rounded(float((likeliest.indices == self.labels).float().mean())),
            "confidence": rounded(float(likeliest.values.exp().mean())),
        }

    def _noise(self, passes: Sequence[_Pass], whole: gradients.Gradients) -> dict[str, Any]:
        large = gradients.norm(list(whole.values()))
        if len(passes) == 1:
            return {"gradient": rounded(large), "noise_scale": None}
        small = sum(gradients.norm(list(each.gradients.values())) ** 2 for each in passes) / len(passes)
        scale = gradients.noise_scale(small, large**2, pictures=len(self.labels) // 2)
        return {"gradient": rounded(large), "noise_scale": None if scale is None else rounded(scale)}

    def _layers(
        self, passes: Sequence[_Pass], whole: gradients.Gradients, outputs: Mapping[str, Any]
    ) -> list[dict[str, Any]]:
        found = []
        for name, module in self.network.named_modules():
            if not isinstance(module, WEIGHTED) or name not in outputs:
                continue
            weight = _weight_of(name)
            mean, spread = outputs[name]
            values: dict[str, Any] = {
                "name": name,
                "weight": rounded(float(module.weight.detach().float().norm())),
                "mean": mean,
                "spread": spread,
            }
            if weight in whole:
                values["gradient"] = rounded(gradients.norm([whole[weight]]))
                if len(passes) > 1:
                    halves = (each.gradients[weight] for each in passes)
                    values["disagreement"] = rounded(gradients.disagreement(*halves))
            found.append(values)
        return found


@dataclass(frozen=True)
class _Pass:
    """What one part of the pictures gave."""

    logits: Tensor
    loss: float
    gradients: dict[str, Tensor]


def _mean(parts: Sequence[Mapping[str, Tensor]]) -> dict[str, Tensor]:
    return {name: torch.stack([each[name] for each in parts]).mean(dim=0) for name in parts[0]}


def _weight_of(layer: str) -> str:
    return f"{layer}.weight" if layer else "weight"


@contextlib.contextmanager
def _inference_mode(network: nn.Module) -> Iterator[None]:
    training = [module for module in network.modules() if module.training]
    for module in training:
        module.training = False
    try:
        with torch.no_grad():
            yield
    finally:
        for module in training:
            module.training = True


def _standing(inputs: Tensor) -> dict[str, Any]:
    """What enters the network: its mean over all numbers, and its spread."""
    values = inputs.float()
    return {"input_mean": rounded(float(values.mean())), "input_spread": rounded(float(values.std(correction=0)))}
