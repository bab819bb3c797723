"""Networks whose training steps are compiled by torch."""

from __future__ import annotations

import shutil

import torch
from torch import nn

from sightline.errors import RecipeError
from sightline.training.step import Forward

COMPILERS = ("c++", "g++", "clang++", "cl")
MOST_SHAPES = 1024
"""Of inputs that a network is compiled for; beyond it torch would go on without compiling, which gives other bits."""


def compiled(network: nn.Module, *, device: str) -> Forward:
    """Return the compiled form of a network, which shares its weights.

    Each shape of inputs is compiled by itself. Left to itself, torch compiles the first one for what it is and the next
    for any: a training that goes on in the midst of an epoch, or with pictures that have grown, would begin with
    another shape, have other programs from there on, and other last bits than one that was never interrupted.

    Raises:
        RecipeError: on a processor, where no C++ compiler is installed.
    """
    if device == "cpu" and not any(map(shutil.which, COMPILERS)):
        raise RecipeError(
            "training.compile: found no C++ compiler, which torch.compile needs on a CPU. "
            "Install g++, or do not compile: --set training.compile=false, and bench without --compile."
        )
    config = torch._dynamo.config
    config.recompile_limit = max(config.recompile_limit, MOST_SHAPES)
    config.accumulated_recompile_limit = max(config.accumulated_recompile_limit, MOST_SHAPES)
    form: Forward = torch.compile(network, dynamic=False)
    return form
