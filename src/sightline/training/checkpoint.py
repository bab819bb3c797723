"""Checkpoints: a training's state in a file that is whole or not there, and that says itself whether it is intact.

A file has the format of a sealed model (`sightline.model.format`) with a description of its own: tensors and JSON, no
pickle. Digests cover every byte, so that a torn or altered file is noticed and an earlier one is used.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sightline.errors import ModelFileError, OutputError, TrainingError
from sightline.model.format import altered, digest_of_tensors, encode, parse_object, read_header, read_tensors
from sightline.training.state import State
from sightline.writing import write_whole

KIND = "sightline-checkpoint"
VERSION = 2
SUFFIX = ".safetensors"
FAULT = f"fault{SUFFIX}"
"""The state in which a training broke down, which nothing goes on from."""


GROUPS = ("network", "average", "best", "start", "records", "optimizer")
"""Of a checkpoint's tensors."""


@dataclass(frozen=True)
class Checkpoint:
    """A state as plain numbers, which later steps do not change."""

    about: Mapping[str, Any]
    """Counters, and what the training stood on: JSON."""
    tensors: Mapping[str, NDArray[Any]]

    @property
    def step(self) -> int:
        """Updates made."""
        return int(self.about["state"]["step"])


def taken(state: State, about: Mapping[str, Any], *, gradients: bool = False) -> Checkpoint:
    """Return a copy of a state.

    Args:
        state: as it is between two steps.
        about: what the training stands on, as JSON, for whoever goes on with it.
        gradients: those of the last step too, for a person to look at.
    """
    tensors: dict[str, NDArray[Any]] = {}
    groups = {
        "network": state.network.state_dict(),
        "average": state.average or {},
        "best": state.best,
        "start": state.start,
        "records": {} if state.losses is None or state.seen is None else {"losses": state.losses, "seen": state.seen},
    }
    for group, weights in groups.items():
        tensors |= {f"{group}/{name}": _copied(tensor) for name, tensor in weights.items()}
    if gradients:
        named = state.network.named_parameters()
        tensors |= {f"gradient/{name}": _copied(each.grad) for name, each in named if each.grad is not None}
    plain: dict[str, dict[str, Any]] = {}
    for index, entries in state.optimizer.state_dict()["state"].items():
        for key, value in entries.items():
            if isinstance(value, Tensor):
                tensors[f"optimizer/{index}/{key}"] = _copied(value)
            else:
                plain.setdefault(str(index), {})[key] = value
    counters = {
        "epoch": state.epoch,
        "step": state.step,
        "loss_sum": state.loss_sum,
        "right": state.right,
        "best_loss": None if state.best_loss == float("inf") else state.best_loss,
        "best_epoch": state.best_epoch,
        "stage": state.stage,
        "stage_epoch": state.stage_epoch,
        "stage_step": state.stage_step,
        "averaged": state.average is not None,
        "optimizer": plain,
    }
    return Checkpoint({**about, "version": VERSION, "state": counters}, tensors)


def put_back(checkpoint: Checkpoint, state: State) -> None:
    """Bring a state that was begun in the same way, and has entered the same stage, to where the checkpoint was taken.

    Raises:
        TrainingError: the checkpoint is of another network or optimizer.
    """
    counters = checkpoint.about["state"]
    groups: dict[str, dict[str, Tensor]] = {name: {} for name in GROUPS}
    for name, values in checkpoint.tensors.items():
        group, _, rest = name.partition("/")
        groups[group][rest] = torch.from_numpy(values.copy())
    fresh = state.optimizer.state_dict()
    fresh["state"] = {int(index): dict(entries) for index, entries in counters["optimizer"].items()}
    parameters = [parameter for group in state.optimizer.param_groups for parameter in group["params"]]
    try:
        for name, tensor in groups["optimizer"].items():
            index, _, key = name.partition("/")
            fresh["state"].setdefault(int(index), {})[key] = _laid_out_like(parameters[int(index)], tensor)
        state.network.load_state_dict(groups["network"])
        state.optimizer.load_state_dict(fresh)
    except (RuntimeError, ValueError, KeyError, IndexError) as error:
        raise TrainingError(
            f"the checkpoint of step {checkpoint.step} does not fit this recipe's network and optimizer ({error}). "
            "Train anew with another --out."
        ) from error
    device = next(iter(state.network.state_dict().values())).device
    state.average = {n: t.to(device) for n, t in groups["average"].items()} if counters["averaged"] else None
    state.best = {name: tensor.to(device) for name, tensor in groups["best"].items()}
    state.start = {name: tensor.to(device) for name, tensor in groups["start"].items()}
    state.losses, state.seen = groups["records"].get("losses"), groups["records"].get("seen")
    state.epoch, state.step = counters["epoch"], counters["step"]
    state.loss_sum, state.right = counters["loss_sum"], counters["right"]
    state.best_loss = float("inf") if counters["best_loss"] is None else counters["best_loss"]
    state.best_epoch = counters["best_epoch"]
    state.stage, state.stage_epoch = counters["stage"], counters["stage_epoch"]
    state.stage_step = counters["stage_step"]


def write(folder: Path, checkpoint: Checkpoint, *, kept: int) -> Path:
    """Write a checkpoint, read it back, and only then remove those that are no longer needed.

    Args:
        folder: of a run's checkpoints.
        checkpoint: the newest state.
        kept: how many stay: with two, there is one left where the newest should get damaged later.

    Raises:
        OutputError: the disk is full, read-only or failing; what was there before is still there.
    """
    path = folder / f"step-{checkpoint.step:09d}{SUFFIX}"
    store(path, checkpoint)
    others = [other for other in all_of(folder) if other != path]
    older = [other for other in others if other.name < path.name]
    # Those of later steps are damaged, or this one would not have been taken again.
    for other in (*(other for other in others if other not in older), *older[kept - 1 :]):
        with contextlib.suppress(OSError):  # it will be removed next time
            other.unlink()
    return path


def store(path: Path, checkpoint: Checkpoint) -> None:
    """Write a checkpoint to a file and read it back.

    Raises:
        OutputError: the disk is full, read-only or failing.
    """
    description = json.dumps({**checkpoint.about, "digest": digest_of_tensors(checkpoint.tensors)}, sort_keys=True)
    write_whole(path, encode(description, checkpoint.tensors, kind=KIND))
    try:
        read(path)
    except ModelFileError as error:
        with contextlib.suppress(OSError):
            path.unlink()
        raise OutputError(f"{path}: is not what was written; the disk is failing. Choose another --out.") from error


def read(path: Path) -> Checkpoint:
    """Return the checkpoint in a file.

    Raises:
        ModelFileError: the file is torn, altered, foreign or cannot be read.
    """
    name = str(path)
    try:
        with path.open("rb") as file:
            header = read_header(file, size=path.stat().st_size, name=name, kind=KIND)
            tensors = read_tensors(file, header, name=name)
    except OSError as error:
        raise ModelFileError(f"{name}: cannot be read ({(error.strerror or str(error)).lower()}).") from error
    about = parse_object(header.description, name=name, what="the description")
    if about.pop("digest", None) != digest_of_tensors(tensors):
        raise altered(name, "a tensor")
    if about.get("version") != VERSION:
        raise ModelFileError(f"{name}: has version {about.get('version')!r} of checkpoints, wanted {VERSION}.")
    return Checkpoint(about, tensors)


def newest(folder: Path, *, damaged: Callable[[str], None]) -> Checkpoint | None:
    """Return the newest checkpoint that is intact, or None; `damaged` is told of each that is not."""
    for path in all_of(folder):
        try:
            return read(path)
        except ModelFileError as error:
            damaged(str(error))
    return None


def all_of(folder: Path) -> list[Path]:
    """Return the files of a run's checkpoints, the newest first."""
    return sorted(folder.glob(f"step-*{SUFFIX}"), reverse=True)


def _laid_out_like(parameter: Tensor, tensor: Tensor) -> Tensor:
    """Return a tensor in its parameter's order of memory, which torch's fused updates take for granted, unchecked."""
    return torch.empty_like(parameter, dtype=tensor.dtype).copy_(tensor) if tensor.shape == parameter.shape else tensor


def _copied(tensor: Tensor) -> NDArray[Any]:
    found: NDArray[Any] = np.array(tensor.detach().cpu().numpy())
    return found
