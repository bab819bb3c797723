"""What the units of each layer do on a batch: mean, spread, zeros, dead and saturated ones."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

from torch import Tensor, nn

from sightline.diagnosis.moments import rounded
from sightline.diagnosis.rank import used_share
from sightline.diagnosis.saturation import FLAT, slope

WEIGHTED = (nn.Conv2d, nn.Linear)


@dataclass(frozen=True)
class Activity:
    """Of the units behind one layer, over the pictures of a batch and all places of a map."""

    name: str
    """Of the layer with weights that was computed last before the activation."""
    kind: str
    """Of activation, such as `ReLU`."""
    mean: float | None
    spread: float | None
    """Standard deviation."""
    zeros: float | None
    """Share of numbers that are exactly 0."""
    dead: float | None
    """Share of units (a map counts as one) that are in the flat part of the activation on every picture, everywhere."""
    used: float | None
    """Directions that hold 99 % of the variance, as a share of the units."""
    saturated: float | None
    """Share of numbers where |f′| is below a hundredth of its maximum; of a ReLU, where it is 0."""


@dataclass
class Watched:
    """What hooks saw of one pass."""

    outputs: dict[str, tuple[float | None, float | None]] = field(default_factory=dict)
    """Mean and spread of what each layer with weights gave."""
    activities: list[Activity] = field(default_factory=list)

    def as_list(self) -> list[dict[str, Any]]:
        """Return what the log takes."""
        return [asdict(each) for each in self.activities]


@contextlib.contextmanager
def watching(network: nn.Module) -> Iterator[Watched]:
    """Watch what a network computes in the body: the layers with weights, and the activations behind them."""
    seen, last = Watched(), [""]
    names: dict[str, int] = {}

    def weighted(name: str) -> Any:
        def hook(_module: nn.Module, _inputs: tuple[Tensor, ...], output: Tensor) -> None:
            last[0] = name
            values = output.detach().float()
            seen.outputs[name] = (rounded(values.mean().item()), rounded(values.std(correction=0).item()))

        return hook

    def activation(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        flatness = slope(module, inputs[0].detach().float(), output.detach().float())
        if flatness is None or getattr(module, "inplace", False):
            return
        names[last[0]] = names.get(last[0], 0) + 1
        again = f" ({names[last[0]]})" if names[last[0]] > 1 else ""
        seen.activities.append(_activity(f"{last[0]}{again}", module, output.detach().float(), flatness < FLAT))

    with contextlib.ExitStack() as hooks:
        for name, module in network.named_modules():
            if isinstance(module, WEIGHTED):
                hooks.enter_context(contextlib.closing(_Hook(module.register_forward_hook(weighted(name)))))
            elif not any(module.children()):
                hooks.enter_context(contextlib.closing(_Hook(module.register_forward_hook(activation))))
        yield seen


@dataclass(frozen=True)
class _Hook:
    handle: Any

    def close(self) -> None:
        self.handle.remove()


def _activity(name: str, module: nn.Module, values: Tensor, flat: Tensor) -> Activity:
    units = flat.transpose(0, 1).flatten(1)
    return Activity(
        name,
        type(module).__name__,
        rounded(values.mean().item()),
        rounded(values.std(correction=0).item()),
        rounded((values == 0).float().mean().item()),
        rounded(units.all(dim=1).float().mean().item()),
        rounded(used_share(values.transpose(0, 1).flatten(1))),
        rounded(flat.float().mean().item()),
    )
