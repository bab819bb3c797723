"""What follows from weights that a training begins from: network, size, preprocessing, depth and length."""

from __future__ import annotations

from typing import Any

from sightline.errors import ModelFileError, RecipeError
from sightline.recipe import Recipe
from sightline.recipe.advice.network import SMALL_BATCH
from sightline.recipe.advice.transfer import FEWEST_FOR_STATISTICS, MANY_PER_CLASS
from sightline.recipe.facts import DataFacts, Machine, SourceFacts
from sightline.recipe.network import VGG, AutoNetwork, Network, ResNet, Swift
from sightline.training.settling import Settling

FEWEST_FOR_BOTH = 5
"""Training pictures of a class below which all layers together learn them by heart."""
SMALLEST_SIDE = 96
"""Pixels that networks which shrink their maps 16 or 32 times should see at least."""
DISTILLATION = 0.5
LARGEST_SIDE = {"cpu": 160, "mps": 160, "cuda": 224}
OF_ITS_TRAINING = ("activation", "normalization", "pooling")
"""Choices of a network that its weights were trained with."""


def with_network_of(recipe: Recipe, source: SourceFacts) -> Recipe:
    """Return the recipe with the network that the weights belong to, and what the recipe says of it otherwise.

    Raises:
        RecipeError: the recipe wants another network.
        ModelFileError: the recipe names other weights.
    """
    digest = recipe.transfer.digest
    if digest not in ("", source.digest):
        raise ModelFileError(
            f"{source.origin}: found weights with the digest {source.digest[:16]}…, wanted those of transfer.digest, "
            f"{digest[:16]}…. Put the file back, or leave transfer.digest out."
        )
    return recipe.model_copy(update={"network": _network(recipe.network, source)})


def _network(wanted: Network, source: SourceFacts) -> Network:
    found = source.network
    chosen: dict[str, Any] = {key: getattr(wanted, key) for key in wanted.model_fields_set if key != "name"}
    if not isinstance(wanted, AutoNetwork):
        if wanted.name != found.name:
            raise RecipeError(
                f"network: found {wanted.name}, but {source.origin} has the weights of {found.name}. Leave network "
                f"out, choose {found.name}, or take other weights."
            )
        if isinstance(wanted, Swift) and isinstance(found, Swift) and wanted.widths == "auto":
            return wanted.model_copy(update={"widths": found.widths})
        if isinstance(wanted, ResNet) and isinstance(found, ResNet) and wanted.stem == "auto":
            return wanted.model_copy(update={"stem": found.stem})
        return wanted
    for key in OF_ITS_TRAINING:
        if key in chosen and chosen[key] != getattr(found, key):
            raise RecipeError(
                f"network.{key}: found {chosen[key]}, but {source.origin} was trained with {getattr(found, key)}, and "
                "its weights mean nothing with another. Leave it out, or train from scratch."
            )
    fresh = {
        "dropout": "auto",
        "initialization": wanted.initialization,
        "head": "auto",
        "first_layer": wanted.first_layer,
    }
    section = found.model_copy(update={**fresh, **chosen})
    published = section.head == "published"
    return section if published or not isinstance(section, VGG) else section.model_copy(update={"hidden": ()})


def settle_unused(chosen: Settling) -> None:
    """Settle what transferred weights would decide where there are none; none of it is worth a word."""
    chosen.settle("preprocessing.statistics", "fitted")
    chosen.settle("network.head", "published")


def settle_first(chosen: Settling, facts: DataFacts, machine: Machine, source: SourceFacts) -> None:
    """Settle what the pictures have to be like, and what is new."""
    if not chosen.fields["transfer"]["digest"]:
        chosen.fields["transfer"]["digest"] = source.digest
        chosen.reasons["transfer.digest"] = f"of the tensors of {source.origin}"
    chosen.settle("data.image_size", *_image_size(facts, machine, source))
    chosen.settle("data.channels", source.channels, "what the weights were trained on")
    chosen.settle("network.head", "linear", "a new layer on the mean of each map, whatever the size of the pictures")
    if source.statistics:
        _require_inheritable(chosen)
        chosen.settle("preprocessing.statistics", "inherited", source.statistics)
    elif chosen.fields["preprocessing"]["statistics"] == "inherited":
        raise RecipeError(
            f"preprocessing.statistics: found inherited, but {source.origin} says nothing of how its pictures were "
            "standardized; wanted fitted, or a sealed model."
        )
    chosen.settle("preprocessing.statistics", "fitted", "the weights say nothing of theirs")


def _require_inheritable(chosen: Settling) -> None:
    """Statistics that are fitted by other steps than the usual ones are an explicit choice."""
    section = chosen.fields["preprocessing"]
    usual = section["center"] == section["scale"] == "channel" and section["decorrelate"] == "none"
    if usual:
        return
    if section["statistics"] == "inherited":
        raise RecipeError(
            "preprocessing.statistics: found inherited together with other steps of preprocessing than by channel; "
            "wanted one of them: leave center, scale and decorrelate out, or choose fitted."
        )
    chosen.settle("preprocessing.statistics", "fitted", "other steps than by channel are asked for")


def _image_size(facts: DataFacts, machine: Machine, source: SourceFacts) -> tuple[int | list[int], str]:
    if source.image_size is not None:
        height, width = source.image_size
        size = height if height == width else [height, width]
        return size, "what the weights were trained on"
    found = max(facts.median_height, facts.median_width)
    least = 8 if isinstance(source.network, ResNet) and source.network.stem == "small" else SMALLEST_SIDE
    side = max(least, min(found, LARGEST_SIDE[machine.device]))
    reason = f"the pictures' median is {facts.median_width} × {facts.median_height}"
    if side < found:
        reason += f"; larger takes long on {machine.device}"
    elif side > found:
        reason += f"; the weights were trained on pictures that are larger than {least} px"
    return side, reason


def settle_length(chosen: Settling, facts: DataFacts) -> None:
    """Settle how far to go, and for how long."""
    transfer, training = chosen.fields["transfer"], chosen.fields["training"]
    if training["time_budget_minutes"] > 0:
        raise RecipeError(
            "training.time_budget_minutes: found a budget together with transfer.weights, whose first stage takes "
            "other steps than the second; wanted training.epochs and transfer.head_epochs."
        )
    if training["replanned"]:
        raise RecipeError(
            "training.replanned: found together with transfer.weights, whose stages take no time budget. Leave it out: "
            "--set training.replanned=[]"
        )
    per_class = facts.training / facts.classes
    chosen.settle("transfer.depth", *_depth(per_class, asked=training["epochs"] != "auto"))
    cached = transfer["features"] == "cached"
    least, most, passes = (10, 100, 100_000) if cached else (3, 30, 20_000)
    epochs = max(least, min(most, round(passes / facts.training)))
    if transfer["depth"] == "head":
        if training["epochs"] not in ("auto", transfer["head_epochs"]) and transfer["head_epochs"] != "auto":
            raise RecipeError(
                f"training.epochs: found {training['epochs']} with transfer.depth head and transfer.head_epochs "
                f"{transfer['head_epochs']}; there is one stage, so wanted one of the two."
            )
        if training["epochs"] != "auto":
            epochs = training["epochs"]
        chosen.settle("transfer.head_epochs", epochs, f"{facts.training:,} training pictures")
        chosen.settle("training.epochs", transfer["head_epochs"], "those of the head, the only stage")
        return
    chosen.settle("transfer.head_epochs", epochs, f"{facts.training:,} training pictures")
    epochs = max(5, min(40, round(20_000 / facts.training)))
    chosen.settle("training.epochs", epochs, f"of all layers, from trained weights, on {facts.training:,} pictures")


def settle_levers(chosen: Settling, facts: DataFacts, source: SourceFacts) -> None:
    """Settle what happens to batch normalization, and what is done against forgetting; all else is settled."""
    chosen.settle("transfer.views", *_views(chosen, facts))
    training = chosen.fields["training"]
    batch = training["batch_size"] // training["gradient_accumulation"]
    chosen.settle("transfer.batch_norm", *_batch_norm(source, facts.training, batch))
    chosen.settle("transfer.distillation", *_distillation(chosen, source))


def _views(chosen: Settling, facts: DataFacts) -> tuple[int, str]:
    if chosen.fields["transfer"]["features"] == "exact":
        return 1, "nothing is cached"
    if not chosen.fields["augmentation"]["operations"]:
        return 1, "without augmentation a picture looks the same every time"
    views = 16 if facts.training <= 1_000 else 4 if facts.training <= 10_000 else 2
    return views, f"usual for {facts.training:,} training pictures"


def _batch_norm(source: SourceFacts, training: int, batch: int) -> tuple[str, str]:
    if source.network.normalization != "batch":
        return "frozen", ""
    if training < FEWEST_FOR_STATISTICS:
        return "frozen", f"{training:,} training pictures are too few to take statistics of"
    if batch < SMALL_BATCH:
        return "frozen", f"{batch} pictures at a time are too few to take statistics of"
    return "follow", "all layers learn best with the statistics of the pictures they see"


def _distillation(chosen: Settling, source: SourceFacts) -> tuple[float, str]:
    if chosen.fields["transfer"]["depth"] == "head":
        return 0.0, ""
    if not source.answers:
        return 0.0, "the weights come without their last layer"
    if isinstance(source.network, VGG) and source.network.hidden and source.image_size is None:
        return 0.0, "the weights' dense layers fit pictures of one size only"
    if chosen.fields["preprocessing"]["statistics"] != "inherited":
        return 0.0, "the old last layer knows pictures with the source's statistics"
    return DISTILLATION, "what the old last layer says is known, and keeping it costs little"


def _depth(per_class: float, *, asked: bool) -> tuple[str, str]:
    counted = f"{per_class:,.0f} training pictures per class"
    if asked:
        return "both", "training.epochs asks for the second stage"
    if per_class < FEWEST_FOR_BOTH:
        return "head", f"{counted}: too few for all layers"
    if per_class >= MANY_PER_CLASS:
        return "both", f"{counted}: enough that training from scratch is worth comparing (sightline train)"
    return "both", f"{counted}: enough for all layers, too few to do without what others have learned"
