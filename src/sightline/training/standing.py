"""What the bits of a training depend on, and what of it has changed."""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from sightline.data import decoder_version
from sightline.model.sealing import own_version
from sightline.recipe import Recipe, to_toml
from sightline.recipe.choices import settled
from sightline.training.prepare import Prepared

if TYPE_CHECKING:
    from sightline.training.session import Session

WITHOUT_EFFECT = {"checkpoint_minutes": 0.0, "checkpoint_steps": 0, "checkpoints_kept": 1, "tracking": ()}
"""Fields of `training` that change no bit of the result."""
WRITTEN_LATER = {"replanned": ()}
"""A field of `training` that a run writes itself, maybe after the checkpoint that it goes on from; what it was at the
checkpoint is noted beside."""

NAMES = {
    "recipe": "the recipe",
    "data": "the pictures",
    "decoded": "what could be decoded",
    "decoder": "the decoder's version",
    "python": "Python's version",
    "sightline": "Sightline's version",
    "torch": "torch's version",
    "numpy": "NumPy's version",
    "processor": "the processor",
    "capability": "the processor's capability",
}


def standing(prepared: Prepared, recipe: Recipe) -> dict[str, str]:
    """Return what the bits of a training with a resolved recipe depend on, each as a short text."""
    return {
        "recipe": digest_of(recipe.model_copy(update={"training": recipe.training.model_copy(update=WRITTEN_LATER)})),
        "data": prepared.data_digest,
        "decoded": prepared.catalogue.digest,
        "decoder": decoder_version(settled(recipe.data.decoder)),
        "python": platform.python_version(),
        "sightline": own_version(),
        "torch": torch.__version__,
        "numpy": np.__version__,
        "processor": prepared.machine.name,
        "capability": torch.backends.cpu.get_cpu_capability(),
    }


def noted(session: Session) -> dict[str, Any]:
    """Return what a checkpoint of a training notes besides its state: all that is asked for when it goes on."""
    return {
        "name": session.prepared.source,
        "source": session.prepared.place,
        "standing": standing(session.prepared, session.recipe),
        "replanned": [list(each) for each in session.recipe.training.replanned],
        "steps_per_epoch": session.steps_per_epoch(),
        "optimizer": session.recipe.optimizer.name,
        "reasons": dict(session.resolved.reasons),
        "asked": to_toml(session.resolved.asked),
        "folder": session.prepared.folder,
        "exact": session.exact,
    }


def differences(then: Mapping[str, Any], now: Mapping[str, str]) -> list[str]:
    """Return in words what of `then` is no longer so."""
    found = []
    for key, name in NAMES.items():
        if then.get(key) != now[key]:
            digests = key in ("recipe", "data", "decoded")
            found.append(f"{name} changed" if digests else f"{name} was {then.get(key)} and is {now[key]}")
    return found


def digest_of(recipe: Recipe) -> str:
    """Return a digest of all of a recipe that can change a bit."""
    training = recipe.training.model_copy(update=WITHOUT_EFFECT)
    text = to_toml(recipe.model_copy(update={"training": training}))
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()
