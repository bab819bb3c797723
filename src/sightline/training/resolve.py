"""Every `"auto"` of a recipe becomes a value, with the reason for it, from facts of the data and the machine."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from sightline.errors import RecipeError
from sightline.network import scheme_for
from sightline.network.activation import GAINS
from sightline.network.swift import RESIDUAL
from sightline.recipe import Recipe, apply_overrides, policies
from sightline.recipe.augmentation import Augmentation
from sightline.recipe.facts import DataFacts, Machine, SourceFacts
from sightline.recipe.impossible import gray_refuses
from sightline.recipe.network import (
    SWIFT_WIDTHS,
    AutoInitialization,
    AutoNetwork,
    NetworkChoices,
    Orthogonal,
    ResNet,
    Swift,
)
from sightline.recipe.rates import usual_head_rate, usual_rate
from sightline.recipe.toml import from_fields
from sightline.training import resolve_transfer
from sightline.training.settling import Settling

LARGEST_SIDE = {"cpu": 64, "mps": 128, "cuda": 224}
SMALLEST_SIDE = 8
SMALLEST_BATCH = 32
LARGEST_BATCH = {"cpu": 512, "mps": 2000, "cuda": 2000}
"""Of muon, which learns more from more steps; an accelerator wants larger ones to be busy."""
LARGEST_OF_DEEP = 2000
STEPS_OF_MUON = 25
PASSES_OF_MUON, PASSES_OF_DEEP = 500_000, 1_100_000
CACHED_PICTURES = 128
LARGEST_OF_SWIFT = 40
"""Pixels of a side up to which swift, which is for small pictures, is chosen by itself."""
LARGEST_OF_FOUR_STAGES = 96
"""Pixels of a side from which on the automatic vgg has a fifth stage, so that its last layers see all of a picture."""
LARGEST_STORED = 2.0
"""Times the side that the network sees, at which pictures are kept for crops at most."""


@dataclass(frozen=True)
class Resolved:
    """A recipe without `"auto"`, and why each value that was chosen is what it is."""

    recipe: Recipe
    reasons: Mapping[str, str]
    """Dotted field to reason, for the fields that were `"auto"`."""
    asked: Recipe
    """As the user wrote it."""


def resolve(
    recipe: Recipe, facts: DataFacts, machine: Machine, *, decoder: str, source: SourceFacts | None = None
) -> Resolved:
    """Return `recipe` with every `"auto"` settled.

    Args:
        recipe: as the user wrote it; what is not `"auto"` stays.
        facts: of the data, after the split.
        machine: the device the training will run on.
        decoder: the JPEG decoder that is installed.
        source: the weights that the training begins from; None where the recipe names none.

    A policy of augmentation becomes the list of its operations, so that the resolved recipe says what was done even
    where a later version's policy does something else.

    With a time budget the number of epochs stays open for `with_epochs`, which needs the measured speed.

    Raises:
        RecipeError: an operation on color is listed, and every picture is gray; or what the recipe wants does not go
            together with the weights.
        ModelFileError: the weights are others than those that the recipe names.
    """
    asked, automatic = recipe, isinstance(recipe.network, AutoNetwork)
    if source is not None:
        recipe = resolve_transfer.with_network_of(recipe, source)
    chosen = Settling(recipe.model_dump(mode="json"))
    if source is not None:
        if automatic:
            chosen.reasons["network"] = f"what {source.origin} was trained as"
        resolve_transfer.settle_first(chosen, facts, machine, source)
        resolve_transfer.settle_length(chosen, facts)
    else:
        resolve_transfer.settle_unused(chosen)
    _data(chosen, facts, machine, decoder)
    size = chosen.fields["data"]["image_size"]
    side = size if isinstance(size, int) else min(size)
    _training(chosen, facts, machine, side)
    _augmentation(chosen, recipe.augmentation, facts, side)
    chosen.settle("data.stored_size", *_stored_size(chosen, facts))
    _network(chosen, recipe.network, facts, machine, side)
    name = chosen.fields["optimizer"]["name"]
    rate, reason = usual_rate(name, chosen.fields["training"]["batch_size"], transferred=source is not None)
    chosen.settle("optimizer.learning_rate", rate, reason)
    chosen.settle("optimizer.head_rate", *_head_rate(chosen.fields))
    if source is not None:
        resolve_transfer.settle_levers(chosen, facts, source)
    return Resolved(from_fields(chosen.fields, where="the resolved recipe"), chosen.reasons, asked)


def with_epochs(resolved: Resolved, epochs: int, reason: str) -> Resolved:
    """Return the resolved recipe with its time budget turned into a number of epochs, so that it can be repeated."""
    fields = resolved.recipe.model_dump(mode="json")
    fields["training"].update(epochs=epochs, time_budget_minutes=0.0)
    reasons = {**resolved.reasons, "training.epochs": reason}
    return replace(resolved, recipe=from_fields(fields, where="the resolved recipe"), reasons=reasons)


def with_course(resolved: Resolved, replanned: Sequence[tuple[int, int, int]], reason: str) -> Resolved:
    """Return the resolved recipe with what became of its number of steps."""
    fields = resolved.recipe.model_dump(mode="json")
    fields["training"]["replanned"] = [list(each) for each in replanned]
    reasons = {**resolved.reasons, "training.replanned": reason}
    return replace(resolved, recipe=from_fields(fields, where="the resolved recipe"), reasons=reasons)


def with_image_size(resolved: Resolved, side: int, reason: str, *, again: Callable[[Recipe], Resolved]) -> Resolved:
    """Return what a recipe comes to with pictures of another size, which other choices may follow.

    Args:
        resolved: with a size that was chosen automatically.
        side: in pixels.
        reason: why.
        again: resolves a recipe on the same pictures and machine.
    """
    found = again(apply_overrides(resolved.asked, {"data.image_size": side}))
    return replace(found, asked=resolved.asked, reasons={"data.image_size": reason, **found.reasons})


def with_widths(resolved: Resolved, widths: tuple[int, ...], reason: str) -> Resolved:
    """Return the resolved recipe with other numbers of maps, and the last layer's rate for them where that was open."""
    fields = resolved.recipe.model_dump(mode="json")
    fields["network"]["widths"] = widths
    reasons = {**resolved.reasons, "network.widths": reason}
    if "optimizer.head_rate" in reasons:
        fields["optimizer"]["head_rate"], reasons["optimizer.head_rate"] = _head_rate(fields)
    return replace(resolved, recipe=from_fields(fields, where="the resolved recipe"), reasons=reasons)


def with_threads(resolved: Resolved, threads: int, reason: str) -> Resolved:
    """Return the resolved recipe with another number of threads."""
    fields = resolved.recipe.model_dump(mode="json")
    fields["training"]["threads"] = threads
    reasons = {**resolved.reasons, "training.threads": reason}
    return replace(resolved, recipe=from_fields(fields, where="the resolved recipe"), reasons=reasons)


def with_batch_size(resolved: Resolved, batch_size: int, reason: str) -> Resolved:
    """Return the resolved recipe with another batch, and the rate that is usual for it where the rate was open."""
    fields = resolved.recipe.model_dump(mode="json")
    fields["training"]["batch_size"] = batch_size
    reasons = {**resolved.reasons, "training.batch_size": reason}
    if "training.gradient_accumulation" in reasons:
        at_once = -(-batch_size // resolved.recipe.training.parts)
        reasons["training.gradient_accumulation"] = f"{at_once:,} pictures are computed at once"
    if "optimizer.learning_rate" in reasons:
        transferred = "transfer" in fields
        rate, why = usual_rate(fields["optimizer"]["name"], batch_size, transferred=transferred)
        fields["optimizer"]["learning_rate"], reasons["optimizer.learning_rate"] = rate, why
    return replace(resolved, recipe=from_fields(fields, where="the resolved recipe"), reasons=reasons)


def _data(chosen: Settling, facts: DataFacts, machine: Machine, decoder: str) -> None:
    found = max(facts.median_height, facts.median_width)
    side = max(SMALLEST_SIDE, min(found, LARGEST_SIDE[machine.device]))
    reason = f"the pictures' median is {facts.median_width} × {facts.median_height}"
    if side < found:
        reason += f"; larger takes long on {machine.device}"
    elif side > found:
        reason += f"; {SMALLEST_SIDE} is the least a network can work on"
    chosen.settle("data.image_size", side, reason)
    gray = "every picture is gray" if facts.all_gray else "at least one picture has color"
    chosen.settle("data.channels", 1 if facts.all_gray else 3, gray)
    chosen.settle(
        "data.decoder",
        decoder,
        "installed and fast" if decoder == "simplejpeg" else "simplejpeg is not installed",
    )


def _augmentation(chosen: Settling, wanted: Augmentation, facts: DataFacts, side: int) -> None:
    channels = chosen.fields["data"]["channels"]
    if (sentence := gray_refuses(wanted.operations, channels=channels)) is not None:
        raise RecipeError(sentence)
    chosen.settle("augmentation.orientation", *policies.orientation_of(facts.class_names))
    section = chosen.fields["augmentation"]
    policy: policies.ListedPolicy
    if wanted.policy == "auto":
        preprocessing = chosen.fields["preprocessing"]
        policy, why = policies.automatic(
            training=facts.training,
            epochs=_times_seen(chosen.fields),
            side=side,
            moved_statistics="pixel" in preprocessing.values() or preprocessing["decorrelate"] != "none",
        )
        chosen.reasons["augmentation.policy"] = f"{policy}: {why}"
    elif wanted.policy == "custom" or wanted.operations:
        return
    else:
        policy = wanted.policy
    # Gray pictures of three channels have no color either: their values only appear three times.
    listed = policies.operations(policy, orientation=section["orientation"], channels=1 if facts.all_gray else channels)
    section["operations"] = [operation.model_dump(mode="json") for operation in listed]
    section["policy"] = policy if policy in ("none", "trivial") else "custom"


def _times_seen(fields: dict[str, dict[str, Any]]) -> int | None:
    """Return how often each training picture is seen in all; None where a time budget will tell."""
    epochs: int | Literal["auto"] = fields["training"]["epochs"]
    if epochs == "auto":
        return None
    transfer = fields.get("transfer", {})  # only where there are weights
    return epochs + (transfer["head_epochs"] if transfer.get("depth") == "both" else 0)


def _stored_size(chosen: Settling, facts: DataFacts) -> tuple[int | list[int], str]:
    """Keep as many pixels as the smallest crop needs, as far as the pictures have them."""
    size = chosen.fields["data"]["image_size"]
    areas = [o["area"][0] for o in chosen.fields["augmentation"]["operations"] if o["name"] == "crop"]
    if not areas:
        return size, "what augmentation shows is not enlarged by crops"
    side = size if isinstance(size, int) else max(size)
    found = max(facts.median_height, facts.median_width)
    factor = max(1.0, min(LARGEST_STORED, areas[0] ** -0.5, found / side))
    stored = round(size * factor) if isinstance(size, int) else [round(each * factor) for each in size]
    return stored, f"crops show as little as {areas[0]:.0%} of a picture, and the pictures' longer side is {found} px"


def _training(chosen: Settling, facts: DataFacts, machine: Machine, side: int) -> None:
    chosen.settle("training.batch_size", *_batch_size(chosen.fields, facts.training, machine.device))
    chosen.settle("training.gradient_accumulation", *_parts(chosen.fields["training"]["batch_size"], machine.device))
    if chosen.fields["training"]["time_budget_minutes"] == 0:
        chosen.settle("training.epochs", *_epochs(chosen.fields, facts, machine, side))
    chosen.settle("training.device", machine.device, machine.name)
    chosen.settle("training.threads", machine.threads, "all that this process may use")
    bfloat16 = machine.bfloat16 and chosen.fields["training"]["device"] != "mps"
    chosen.settle(
        "training.precision",
        "bfloat16" if bfloat16 else "float32",
        f"{machine.name} {'computes in bfloat16' if bfloat16 else 'has no fast bfloat16'}",
    )
    last = machine.device != "mps"
    chosen.settle("training.channels_last", last, "faster convolutions" if last else "slower on mps")


def _batch_size(fields: Mapping[str, Mapping[str, Any]], training: int, device: str) -> tuple[int, str]:
    if fields["optimizer"]["name"] == "muon":
        # Making matrices orthogonal costs the same for any batch, so that they are as large as learning allows.
        largest = LARGEST_OF_DEEP if _is_deep_swift(fields["network"]) else LARGEST_BATCH[device]
        batch = min(largest, max(SMALLEST_BATCH, training // STEPS_OF_MUON // 8 * 8))
        return batch, f"about {STEPS_OF_MUON} steps of muon an epoch, of {largest:,} pictures at most"
    batch = 128 if training >= 100_000 else 64 if training >= 3_000 else 32
    return batch, f"usual for {training:,} training pictures"


def _parts(batch_size: int, device: str) -> tuple[int, str]:
    parts = max(1, round(batch_size / CACHED_PICTURES))
    if device != "cpu" or parts == 1:
        return 1, f"{batch_size:,} pictures are computed at once"
    return parts, f"what about {CACHED_PICTURES} pictures leave behind stays in the processor's cache"


def _epochs(fields: Mapping[str, Mapping[str, Any]], facts: DataFacts, machine: Machine, side: int) -> tuple[int, str]:
    """Few pictures are seen more often; many pictures on a processor less often."""
    if fields["optimizer"]["name"] == "muon":
        if _is_deep_swift(fields["network"]):
            passes, fewest, after = PASSES_OF_DEEP, 15, ", and a deep swift learns for longer"
        else:
            passes, fewest, after = PASSES_OF_MUON, 8, ", and muon needs few passes"
    else:
        passes, fewest, after = 540_000 if machine.device == "cpu" else 2_000_000, 10, ""
    epochs = max(fewest, min(40, round(passes / facts.training)))
    return epochs, f"{facts.training:,} training pictures of {side} px on {machine.device}{after}"


def _is_deep_swift(network: Mapping[str, Any]) -> bool:
    """Return whether it is the network of `accurate`, whose batch and passes are those that it was measured with."""
    return bool(network["name"] == "swift" and network["convolutions"] >= RESIDUAL)


def _network(chosen: Settling, wanted: NetworkChoices, facts: DataFacts, machine: Machine, side: int) -> None:
    network = chosen.fields["network"]
    if isinstance(wanted, AutoNetwork):
        architecture, reason = _architecture(side, machine, normalized=wanted.normalization != "none")
        network.update(architecture)
        if network["name"] == "swift":
            # It has an activation and running statistics of its own.
            own = Swift().model_dump(mode="json", include={"activation", "running_share"} - wanted.model_fields_set)
            network.update(own)
        chosen.reasons["network"] = reason
    if isinstance(wanted.initialization, AutoInitialization):
        name, why = scheme_for(network["activation"], network["name"])
        network["initialization"] = {"name": name}
        chosen.reasons["network.initialization"] = why
    elif isinstance(wanted.initialization, Orthogonal) and wanted.initialization.gain == "auto":
        network["initialization"]["gain"] = GAINS[network["activation"]]
        chosen.reasons["network.initialization.gain"] = f"the gain of {network['activation']}"
    chosen.settle("network.first_layer", *_first_layer(network["name"], transferred="transfer" in chosen.fields))
    per_class = facts.training / facts.classes
    dropout = 0.0 if per_class >= 20_000 else 0.2
    chosen.settle("network.dropout", dropout, f"{per_class:,.0f} training pictures per class")
    if network["name"] == "swift":
        network.setdefault("widths", "auto")
        widths = tuple(width // 2 for width in SWIFT_WIDTHS)
        quick = isinstance(wanted, AutoNetwork)
        chosen.settle(
            "network.widths",
            *((widths, "half of what was published, which is quick") if quick else (SWIFT_WIDTHS, "as published")),
        )
    if network["name"] == "resnet":
        large = side >= 96
        chosen.fields["network"].setdefault("stem", "auto")
        chosen.settle("network.stem", "large" if large else "small", f"pictures of {side} px")


def _head_rate(fields: Mapping[str, Mapping[str, Any]]) -> tuple[float, str]:
    network = fields["network"]
    return usual_head_rate(
        fields["optimizer"]["name"], last_maps=network["widths"][-1] if network["name"] == "swift" else None
    )


def _first_layer(architecture: str, *, transferred: bool) -> tuple[str, str]:
    if transferred:
        return "drawn", "the weights have filters already"
    if architecture == "swift":
        return "whitening", "swift is made for filters that decorrelate patches"
    return "drawn", f"usual for {architecture}"


def _architecture(side: int, machine: Machine, *, normalized: bool) -> tuple[dict[str, Any], str]:
    if machine.device == "cuda":
        return ResNet(depth=18).model_dump(mode="json", include={"name", "depth", "width", "stem"}), (
            "a residual network fits most pictures, and this device is fast enough for it"
        )
    widths: tuple[int, ...]
    convolutions: tuple[int, ...]
    if side < 16:
        widths, convolutions = (32, 64, 128), (1, 2, 2)
    elif side <= LARGEST_OF_SWIFT and normalized:
        return {"name": "swift"}, f"the most accurate of the quick networks on {machine.device} at {side} px"
    elif side <= LARGEST_OF_FOUR_STAGES:
        widths, convolutions = (16, 32, 64, 128), (1, 1, 2, 2)
    else:
        widths, convolutions = (16, 32, 64, 128, 256), (1, 1, 2, 2, 2)
    return {"name": "vgg", "widths": widths, "convolutions": convolutions, "hidden": ()}, (
        f"the best of the quick networks on {machine.device} at {side} px"
    )
