"""The model file of a training: what was prepared and resolved, the weights as they are, and what they are worth."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from torch import nn

from sightline import model
from sightline.data import decoder_version
from sightline.data.decode import Decoder
from sightline.recipe.choices import settled
from sightline.training.metrics import Metrics
from sightline.training.prepare import Prepared
from sightline.training.resolve import Resolved


def write(
    path: Path,
    prepared: Prepared,
    resolved: Resolved,
    network: nn.Module,
    metrics: Mapping[str, Metrics],
    *,
    temperature: float,
) -> None:
    """Write the model file.

    Args:
        path: the file.
        prepared: what the training stands on.
        resolved: its recipe with reasons.
        network: with the weights to be sealed.
        metrics: by side.
        temperature: of the probabilities; 1 while the training goes on, since it is fitted at its end.

    Raises:
        OutputError: the file cannot be written.
    """
    chosen = resolved.recipe.data
    decoder: Decoder = settled(chosen.decoder)
    model.seal(
        path,
        network=network,
        network_section=resolved.recipe.network,
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
        recipe=resolved.recipe,
        reasons=resolved.reasons,
        source=prepared.source,
        data_digest=prepared.data_digest,
        metrics={side: found.as_dict() for side, found in metrics.items()},
        temperature=temperature,
    )
