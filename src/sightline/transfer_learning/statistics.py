"""What happens to batch normalization's statistics when a network meets other pictures."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import torch
from torch import Tensor, nn

from sightline.network.head import Classifier
from sightline.transfer_learning.layers import is_head


def normalizations(network: nn.Module) -> Iterator[nn.BatchNorm2d]:
    """Yield the batch normalizations before the head."""
    for name, module in network.named_modules():
        if isinstance(module, nn.BatchNorm2d) and not is_head(network, name):
            yield module


def freeze(network: nn.Module) -> None:
    """Have the batch normalizations before the head use their running statistics, and leave them as they are."""
    for module in normalizations(network):
        module.eval()


@torch.no_grad()
def adapt(network: nn.Module, batches: Iterable[Tensor]) -> None:
    """Measure the running statistics of batch normalization anew, as the plain mean over batches; no weight changes.

    Args:
        network: a `Classifier`, of which only the layers before the head are used; left in inference mode.
        batches: inputs of two pictures or more each.

    Source: Li, Wang, Shi, Liu and Hou, Revisiting batch normalization for practical domain adaptation (ICLR workshop
        2017).
    """
    network.eval()
    found = list(normalizations(network))
    momenta = [module.momentum for module in found]
    for module in found:
        module.reset_running_stats()
        module.momentum = None  # a plain mean over all batches
        module.train()
    classifier: Classifier = network  # type: ignore[assignment]
    for batch in batches if found else ():
        classifier.maps(batch)
    for module, momentum in zip(found, momenta, strict=True):
        module.momentum = momentum
        module.eval()
