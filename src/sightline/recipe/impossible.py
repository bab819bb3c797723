"""Choices that cannot be honored together: an explicit choice is never ignored, so each pair is a mistake.

Each function takes the whole recipe and returns `field: sentence`, or None where there is nothing wrong.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from sightline.recipe.network import VGG, LeNet, MobileNetV2, ResNet, Timm
from sightline.recipe.operations import NEEDS_COLOR, Operation
from sightline.recipe.training import EASY_UNTIL, LOOKAHEAD_SHARE, WHOLE_FROM

if TYPE_CHECKING:
    from sightline.recipe.recipe import Recipe

BLACK = 0
WHITENING_EPSILON = 1e-2
HEAD_UNITS = 256
LEAST_TO_LEAVE_OUT_OF = 8


def batch_of_one_with_batch_normalization(recipe: Recipe) -> str | None:
    """A single picture minus the mean of itself is nothing."""
    batch, parts = recipe.training.batch_size, recipe.training.parts
    if batch == "auto" or batch >= 2 * parts or recipe.network.normalization != "batch":
        return None
    if parts > 1:
        return (
            f"training.gradient_accumulation: found {parts} parts of a batch of {batch} with network.normalization "
            f'"batch", which compares the pictures of a part; wanted {max(1, batch // 2)} or fewer, or normalization '
            '"group" or "none".'
        )
    return (
        'training.batch_size: found 1 with network.normalization "batch", which compares the pictures of a batch; '
        'wanted 2 or more, or normalization "group" or "none".'
    )


def more_parts_than_pictures(recipe: Recipe) -> str | None:
    """A part has at least one picture."""
    batch, parts = recipe.training.batch_size, recipe.training.parts
    if batch == "auto" or parts <= batch:
        return None
    return f"training.gradient_accumulation: found {parts} parts of a batch of {batch}; wanted {batch} or fewer."


def warmup_as_long_as_the_training(recipe: Recipe) -> str | None:
    """The rate would never be reached and the schedule never begin."""
    epochs, warmup = recipe.training.epochs, recipe.schedule.warmup_epochs
    if epochs == "auto" or warmup < epochs:
        return None
    return (
        f"schedule.warmup_epochs: found {warmup:g} with training.epochs {epochs}, so that the {recipe.schedule.name} "
        "schedule would never begin; wanted fewer epochs of warm-up than of training."
    )


def padding_without_fit(recipe: Recipe) -> str | None:
    """Only fitted pictures are padded."""
    if recipe.data.resize == "fit" or recipe.data.padding_value == BLACK:
        return None
    return (
        f'data.padding_value: found {recipe.data.padding_value} with data.resize "{recipe.data.resize}", which never '
        'pads; wanted resize "fit", or no padding_value.'
    )


def epsilon_without_whitening(recipe: Recipe) -> str | None:
    """The number has no place to act."""
    if recipe.preprocessing.decorrelate != "none" or recipe.preprocessing.whitening_epsilon == WHITENING_EPSILON:
        return None
    return (
        f"preprocessing.whitening_epsilon: found {recipe.preprocessing.whitening_epsilon:g} with decorrelate "
        '"none", which does not whiten; wanted decorrelate "pca" or "zca", or no whitening_epsilon.'
    )


def color_without_color(recipe: Recipe) -> str | None:
    """Gray pictures of one channel have nothing that could be turned or taken away."""
    return gray_refuses(recipe.augmentation.operations, channels=recipe.data.channels)


def gray_refuses(operations: Sequence[Operation], *, channels: int | str) -> str | None:
    """Return the sentence for operations on color where pictures have one channel."""
    names = [each.name for each in operations if isinstance(each, NEEDS_COLOR)]
    if channels != 1 or not names:
        return None
    return (
        f"augmentation.operations: found {', '.join(names)} for pictures of one channel, which have no color; leave "
        f"{'it' if len(names) == 1 else 'them'} out, or choose data.channels = 3."
    )


def pooling_where_nothing_is_pooled(recipe: Recipe) -> str | None:
    """The small stem of a residual network keeps every pixel, and MobileNetV2 shrinks maps by strides alone."""
    network = recipe.network
    if network.pooling == "max":
        return None
    if isinstance(network, MobileNetV2):
        return (
            f'network.pooling: found "{network.pooling}" with mobilenet_v2, which does not pool at all; wanted another '
            "network, or no pooling."
        )
    if not isinstance(network, ResNet) or network.stem != "small":
        return None
    return (
        f'network.pooling: found "{network.pooling}" with the small stem of resnet, which does not pool at all; wanted '
        'stem "large", or no pooling.'
    )


def decayed_by_nothing(recipe: Recipe) -> str | None:
    """Where nothing is decayed, it does not matter what would be."""
    rule = recipe.optimizer
    if rule.weight_decay > 0 or rule.decayed == "weights":
        return None
    return (
        f'optimizer.decayed: found "{rule.decayed}" with weight_decay 0, which decays nothing; wanted a weight_decay '
        "> 0, or no decayed."
    )


def transfer_without_weights(recipe: Recipe) -> str | None:
    """How to transfer means nothing where there is nothing to transfer."""
    section = recipe.transfer
    if not section.idle:
        return None
    fields = type(section).model_fields
    chosen = {key: getattr(section, key) for key in fields}
    idle = [key for key, value in chosen.items() if value != fields[key].default]
    if idle:
        return (
            f"transfer.{idle[0]}: found {json.dumps(chosen[idle[0]])} without transfer.weights, so that nothing is "
            "transferred; wanted transfer.weights too, or neither."
        )
    if recipe.preprocessing.statistics == "inherited":
        return (
            'preprocessing.statistics: found "inherited" without transfer.weights, so that there is nothing to inherit '
            'from; wanted "fitted", or weights.'
        )
    return None


def hidden_layers_twice(recipe: Recipe) -> str | None:
    """The dense layers of vgg are part of its published head."""
    network = recipe.network
    if not isinstance(network, VGG) or not network.hidden or network.head not in ("linear", "hidden"):
        return None
    return (
        f'network.hidden: found {list(network.hidden)} with network.head "{network.head}", which takes the place of '
        'these layers; wanted head "published", or no hidden.'
    )


def smaller_pictures_where_one_size_is_wanted(recipe: Recipe) -> str | None:
    """Layers that have a weight for each place, and values for each place, know one size only."""
    training, network, steps = recipe.training, recipe.network, recipe.preprocessing
    if training.smallest_size == 1.0:
        if training.whole_from == WHOLE_FROM:
            return None
        return (
            f"training.whole_from: found {training.whole_from:g} with smallest_size 1, so that pictures are always "
            f"whole; wanted a smaller smallest_size, or whole_from {WHOLE_FROM:g}, as it is when it is left out."
        )
    if isinstance(network, LeNet | Timm) or (isinstance(network, VGG) and network.hidden):
        why = "which may know one size of pictures only" if isinstance(network, Timm) else "whose dense layers know one"
        why = f"{network.name}, {why}"
    elif "pixel" in (steps.center, steps.scale) or steps.decorrelate != "none":
        why = "preprocessing by pixel, which knows one size"
    elif recipe.transfer.weights:
        why = "transfer.weights, whose features are computed once"
    else:
        return None
    return (
        f"training.smallest_size: found {training.smallest_size:g} together with {why}; wanted 1, or another choice "
        "there."
    )


def easy_pictures_without_a_loss_of_their_own(recipe: Recipe) -> str | None:
    """What is easy is known from a picture's own loss, which stages of a transfer do not keep."""
    training = recipe.training
    if training.easy_left_out == 0:
        if training.easy_left_out_until == EASY_UNTIL:
            return None
        return (
            f"training.easy_left_out_until: found {training.easy_left_out_until:g} with easy_left_out 0, so that every "
            "epoch sees all pictures; wanted easy_left_out too, or neither."
        )
    batch = training.batch_size
    if batch != "auto" and batch < LEAST_TO_LEAVE_OUT_OF:
        return (
            f"training.easy_left_out: found {training.easy_left_out:g} with batches of {batch}, of which too few "
            f"pictures would be left; wanted a training.batch_size of {LEAST_TO_LEAVE_OUT_OF} or more, or 0."
        )
    if not recipe.transfer.weights:
        return None
    return (
        f"training.easy_left_out: found {training.easy_left_out:g} together with transfer.weights, whose stages keep "
        "no losses of single pictures; wanted 0, or no weights."
    )


def slow_weights_twice(recipe: Recipe) -> str | None:
    """A running average and the slow copy of lookahead are judged in place of the weights, but only one can be."""
    training = recipe.training
    if not training.lookahead:
        if training.lookahead_share == LOOKAHEAD_SHARE:
            return None
        return (
            f"training.lookahead_share: found {training.lookahead_share:g} without training.lookahead, so that there "
            "is no way to go back; wanted lookahead too, or neither."
        )
    if training.weight_averaging == 0:
        return None
    return (
        f"training.lookahead: found {training.lookahead} together with weight_averaging {training.weight_averaging:g}, "
        "which both keep a slow copy of the weights; wanted one of them."
    )


def filters_from_two_places(recipe: Recipe) -> str | None:
    """Weights that are transferred have a first layer."""
    if recipe.network.first_layer != "whitening" or not recipe.transfer.weights:
        return None
    return (
        'network.first_layer: found "whitening" together with transfer.weights, which have filters already; wanted '
        '"drawn", or no weights.'
    )


def units_of_no_layer(recipe: Recipe) -> str | None:
    """Only the hidden head has units to be counted."""
    network = recipe.network
    if network.head == "hidden" or network.head_units == HEAD_UNITS:
        return None
    return (
        f'network.head_units: found {network.head_units} with network.head "{network.head}", which has no hidden '
        'layer; wanted head "hidden", or no head_units.'
    )


def what_timm_decides(recipe: Recipe) -> str | None:
    """An architecture of timm is built as timm builds it; the head alone is ours."""
    network = recipe.network
    if not isinstance(network, Timm):
        return None
    own = {"activation": "relu", "normalization": "batch", "pooling": "max", "dropout_where": "classifier"}
    if network.head == "hidden":
        del own["activation"]  # of the hidden layer
    key = next((key for key, usual in own.items() if getattr(network, key) != usual), None)
    if key is None:
        return None
    return (
        f'network.{key}: found "{getattr(network, key)}" with an architecture of timm, which has its own; wanted '
        f"another network, or no {key}."
    )


PAIRS: tuple[Callable[[Recipe], str | None], ...] = (
    batch_of_one_with_batch_normalization,
    more_parts_than_pictures,
    warmup_as_long_as_the_training,
    padding_without_fit,
    epsilon_without_whitening,
    color_without_color,
    pooling_where_nothing_is_pooled,
    decayed_by_nothing,
    transfer_without_weights,
    hidden_layers_twice,
    filters_from_two_places,
    slow_weights_twice,
    easy_pictures_without_a_loss_of_their_own,
    smaller_pictures_where_one_size_is_wanted,
    units_of_no_layer,
    what_timm_decides,
)
