"""Weights that timm knows by name: found at the hub, put into place by timm itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from sightline.errors import ModelFileError
from sightline.model.format import digest_of_tensors, shortened
from sightline.network.timm_backbone import create, require_architecture, require_timm
from sightline.recipe.network import Timm
from sightline.transfer_learning.hub import WEIGHTS, Place, download, with_preprocessing
from sightline.transfer_learning.weights import Weights

PREFIX = "timm:"
INSIDE = "backbone."
"""Where the network keeps timm's module."""


def from_timm(origin: str) -> Weights:
    """Return the weights that `origin`, timm:NAME or timm:NAME.TAG, names, without their classifier.

    timm says where at the hub they are, and what their pictures were standardized by; the file is found as `from_hub`
    finds one. timm then puts the tensors into its module, since many files have older names.

    Raises:
        RecipeError: timm has no such name, or a library is not installed.
        ModelFileError: timm has no weights of this name, or not as safetensors; or as `from_hub`.
    """
    timm = require_timm(origin)
    name = origin.removeprefix(PREFIX)
    require_architecture(name, f"transfer.weights: found {shortened(origin)}")
    cfg = _described(timm, name, origin)
    path, _ = download(Place.of(origin, name=cfg["hf_hub_id"]), _names(cfg))
    tensors = _features(timm, name, cfg, path, origin)
    found = Weights(
        origin=origin,
        digest=digest_of_tensors(tensors),
        network=Timm(architecture=_architecture(timm, name, cfg)),
        tensors=tensors,
        channels=cfg["input_size"][0],
    )
    return with_preprocessing(found, cfg)


def _described(timm: Any, name: str, origin: str) -> dict[str, Any]:
    plain, _, tag = name.partition(".")
    known = sorted(timm.list_pretrained(f"{plain}*"))
    tags = [each.partition(".")[2] for each in known if each.partition(".")[0] == plain]
    try:
        found = timm.get_pretrained_cfg(name)
    except RuntimeError as error:
        raise ModelFileError(
            f"{origin}: timm knows no weights {shortened(tag)} of {plain}. Wanted one of: {', '.join(tags) or 'none'}."
        ) from error
    cfg: dict[str, Any] = {} if found is None else found.to_dict()
    if not cfg.get("hf_hub_id"):
        raise ModelFileError(
            f"{origin}: timm has no weights of this name at the hub. Wanted another name of timm.list_pretrained()."
        )
    return cfg


def _names(cfg: dict[str, Any]) -> list[str]:
    """Return what the file may be called; where timm names a pickle, it may lie beside it as safetensors."""
    named = cfg.get("hf_hub_filename")
    return (
        [str(Path(named).with_suffix(".safetensors")).replace("pytorch_model", "model"), WEIGHTS]
        if named
        else [WEIGHTS]
    )


def _architecture(timm: Any, name: str, cfg: dict[str, Any]) -> str:
    """Return the name that builds the same module: without the tag, where the tag does not fix another size."""
    plain = name.partition(".")[0]
    usual = timm.get_pretrained_cfg(plain)
    same = not cfg.get("fixed_input_size") or (usual is not None and usual.input_size == cfg["input_size"])
    return plain if same else name


def _features(timm: Any, name: str, cfg: dict[str, Any], path: Path, origin: str) -> dict[str, Any]:
    """Return the tensors of the module without its classifier, each one from the file."""
    from safetensors import SafetensorError

    try:
        with torch.random.fork_rng(devices=[]):
            # With its classifier, as timm then holds every name of the file against those of the module.
            place = {"file": str(path), "custom_load": False}
            module = timm.create_model(name, pretrained=True, pretrained_cfg_overlay=place)
    except (OSError, SafetensorError, RuntimeError, KeyError, ValueError, TypeError, AssertionError) as error:
        raise ModelFileError(
            f"{origin}: timm {timm.__version__} cannot read {path.name} as {name} ({shortened(error)}). Delete it from "
            "the cache and run again, or install a newer timm."
        ) from error
    with torch.device("meta"):
        wanted = create(name, channels=cfg["input_size"][0]).state_dict()
    state = module.state_dict()
    lacking = [key for key, tensor in wanted.items() if key not in state or state[key].shape != tensor.shape]
    if lacking:
        raise ModelFileError(
            f"{origin}: {lacking[0]} of the features is not among the weights with classifier, so that they cannot be "
            "told apart. Wanted another name of timm.list_pretrained()."
        )
    return {
        INSIDE + key: (state[key].float() if state[key].is_floating_point() else state[key].long()).numpy()
        for key in wanted
    }
