"""Weights from the Hugging Face hub: from its cache on this machine where they are there, downloaded otherwise."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import isfinite
from pathlib import Path
from typing import Any, NoReturn

from sightline.errors import MissingLibraryError, ModelFileError, RecipeError
from sightline.model.format import shortened
from sightline.transfer_learning.weights import PICKLES, Weights, by_channel, in_file

PREFIX = "hub:"
WEIGHTS, CONFIG = "model.safetensors", "config.json"
LARGEST_CONFIG = 10_000_000
_PART = r"[A-Za-z0-9](?:[\w.-]*[A-Za-z0-9_])?"
_NAME = re.compile(rf"(?P<repo>{_PART}/{_PART})(?:@(?P<revision>[\w][\w./-]*))?", re.ASCII)


@dataclass(frozen=True)
class Place:
    """A repository at the hub, as it is called in a recipe."""

    origin: str
    """As the user wrote it."""
    repo: str
    revision: str
    """A branch, a tag or a commit."""

    @classmethod
    def of(cls, origin: str, *, name: str | None = None) -> Place:
        """Return the place that `name` says, OWNER/NAME or OWNER/NAME@REVISION; by default what follows `hub:`.

        Raises:
            RecipeError: it says none.
        """
        match = _NAME.fullmatch(origin.removeprefix(PREFIX) if name is None else name)
        if match is None or ".." in match[0]:
            raise RecipeError(
                f"transfer.weights: found {shortened(origin)}, wanted hub:OWNER/NAME or hub:OWNER/NAME@REVISION, such "
                "as hub:timm/resnet18.a1_in1k."
            )
        return cls(origin, match["repo"], match["revision"] or "main")


def from_hub(origin: str) -> Weights:
    """Return the weights that `origin`, hub:OWNER/NAME[@REVISION], names.

    A sealed model of Sightline is read as such. Where the repository has timm's description, its mean, deviation and
    size are those of the weights.

    Raises:
        RecipeError: the name is malformed; as MissingLibraryError, huggingface_hub is not installed.
        ModelFileError: there is no such repository, or it has no safetensors; it is neither in the cache nor within
            reach; what is in it is of no network known here.
    """
    place = Place.of(origin)
    path, config = download(place)
    known = _described(config, origin)
    try:
        found = in_file(path, origin)
    except ModelFileError as error:
        if isinstance(architecture := known.get("architecture"), str) and "pretrained_cfg" in known:
            raise ModelFileError(
                f"{error} timm knows it as {shortened(architecture)}: where timm is installed, try --set "
                f"transfer.weights=timm:{shortened(architecture)}"
            ) from error
        raise
    cfg = known.get("pretrained_cfg", known)
    if found.sealed is not None or not isinstance(cfg, dict) or not {"mean", "std"} <= cfg.keys():
        return found
    return with_preprocessing(found, cfg)


def with_preprocessing(found: Weights, cfg: dict[str, Any]) -> Weights:
    """Return the weights with the mean, deviation and size that timm's description of them says.

    Raises:
        ModelFileError: they are no numbers that pictures could be standardized by.
    """
    mean, deviation, size = cfg["mean"], cfg["std"], cfg.get("input_size")
    if not _numbers(mean, found.channels) or not _numbers(deviation, found.channels) or min(deviation) <= 0:
        raise ModelFileError(
            f"{found.origin}: its description has the mean {shortened(mean, 40)} and the deviation "
            f"{shortened(deviation, 40)}; wanted {found.channels} numbers each, the deviations above 0."
        )
    sides = tuple(size[1:]) if isinstance(size, Sequence) and len(size) == 3 else ()
    known = len(sides) == 2 and all(isinstance(side, int) and 0 < side <= 4096 for side in sides)
    return replace(
        found,
        statistics=by_channel(tuple(map(float, mean)), tuple(map(float, deviation))),
        statistics_of=f"those that {found.origin} says it was trained with",
        image_size=(sides[0], sides[1]) if known else None,
    )


def download(place: Place, names: Sequence[str] = (WEIGHTS,)) -> tuple[Path, Path | None]:
    """Return the safetensors file of a repository, and its config.json where it has one.

    What the cache has is taken from there without a question to the hub, so that a training can be repeated without
    it; the digest in a recipe tells whether it is still the same. `HF_HOME`, `HF_HUB_CACHE` and `HF_HUB_OFFLINE` mean
    what they mean to every program that uses the hub.

    Args:
        place: the repository.
        names: of the file, the first that is there; where none is, the only .safetensors file is taken.

    Raises:
        MissingLibraryError: huggingface_hub is not installed.
        ModelFileError: as `from_hub`.
    """
    require_hub(place.origin)
    from huggingface_hub import constants

    snapshot = _cached_snapshot(place)
    if snapshot is not None:
        inside = [path.name for path in snapshot.iterdir() if path.is_file()]
        chosen = _chosen(place, inside, names)
        if chosen is not None:
            return snapshot / chosen, _config(place, snapshot)
    if constants.HF_HUB_OFFLINE:
        if snapshot is not None:
            _refuse_without_safetensors(place, inside, f"the copy in {constants.HF_HUB_CACHE}")
        raise ModelFileError(
            f"{place.origin}: {place.revision} is not in {constants.HF_HUB_CACHE}, and HF_HUB_OFFLINE keeps it from "
            "being downloaded. Download it once where there is a network, or unset HF_HUB_OFFLINE."
        )
    listed = _listed(place)
    chosen = _chosen(place, listed, names)
    if chosen is None:
        _refuse_without_safetensors(place, listed, "the repository")
    path = _fetched(place, chosen)
    return path, _fetched(place, CONFIG) if CONFIG in listed else None


def require_hub(origin: str) -> None:
    """Raise MissingLibraryError where huggingface_hub is not installed."""
    try:
        import huggingface_hub  # noqa: F401
    except ImportError as error:
        raise MissingLibraryError(
            f'{origin}: reading from the hub needs huggingface_hub. Install it: pip install "sightline[hub]"'
        ) from error


def _cached_snapshot(place: Place) -> Path | None:
    """Return the folder of a revision in the cache, by the layout that the hub documents."""
    from huggingface_hub import constants
    from huggingface_hub.file_download import repo_folder_name

    folder = Path(constants.HF_HUB_CACHE) / repo_folder_name(repo_id=place.repo, repo_type="model")
    try:
        reference = folder / "refs" / place.revision
        commit = reference.read_text(encoding="utf-8").strip() if reference.is_file() else place.revision
        snapshot = folder / "snapshots" / commit
        return snapshot if snapshot.is_dir() and snapshot.parent == folder / "snapshots" else None
    except (OSError, ValueError):
        return None


def _config(place: Place, snapshot: Path) -> Path | None:
    """Return config.json beside weights that were cached, perhaps by a program that had no use for it."""
    from huggingface_hub import constants, try_to_load_from_cache

    if (snapshot / CONFIG).is_file():
        return snapshot / CONFIG
    nowhere = try_to_load_from_cache(place.repo, CONFIG, revision=snapshot.name) is not None
    if nowhere or constants.HF_HUB_OFFLINE:
        return None
    pinned = replace(place, revision=snapshot.name)
    return _fetched(pinned, CONFIG) if CONFIG in _listed(pinned) else None


def _chosen(place: Place, inside: Sequence[str], names: Sequence[str]) -> str | None:
    for name in names:
        if name in inside:
            return name
    others = sorted(name for name in inside if name.endswith(".safetensors"))
    if len(others) > 1:
        more = ", …" if len(others) > 3 else ""
        raise ModelFileError(
            f"{place.origin}: has {len(others)} safetensors files ({', '.join(map(shortened, others[:3]))}{more}) and "
            f"no {names[0]}. Wanted one file; download the one you mean and name it by its path."
        )
    return others[0] if others else None


def _refuse_without_safetensors(place: Place, inside: Sequence[str], where: str) -> NoReturn:
    pickles = sorted(name for name in inside if name.endswith(PICKLES))
    if pickles:
        raise ModelFileError(
            f"{place.origin}: {where} has {shortened(pickles[0])}, a pickle, and no safetensors file. Download it, and "
            f"convert it in a process of its own: sightline convert {shortened(pickles[0])} {WEIGHTS}"
        )
    raise ModelFileError(f"{place.origin}: {where} has no safetensors file. Wanted {WEIGHTS}, or one other.")


def _listed(place: Place) -> list[str]:
    from huggingface_hub import list_repo_files

    try:
        return [str(name) for name in list_repo_files(place.repo, revision=place.revision)]
    except Exception as error:  # of whichever library for the network this version of huggingface_hub builds on
        _out_of_reach(place, error)


def _fetched(place: Place, name: str) -> Path:
    from huggingface_hub import hf_hub_download

    try:
        return Path(hf_hub_download(place.repo, name, revision=place.revision))
    except Exception as error:  # as above, or a full disk
        _out_of_reach(place, error)


def _out_of_reach(place: Place, error: Exception) -> NoReturn:
    from huggingface_hub.utils import GatedRepoError, RepositoryNotFoundError, RevisionNotFoundError

    match error:
        case GatedRepoError():
            says = (
                "its makers want you to ask for it first. Do so on its page at the hub, then: hf auth login, and run "
                "again."
            )
        case RepositoryNotFoundError():
            says = f"the hub has no {place.repo} that you may see. Look for the name at huggingface.co/models."
        case RevisionNotFoundError():
            says = f"{place.repo} has no revision {place.revision}. Leave it out, or name a branch, tag or commit."
        case _:
            reason = shortened(f"{type(error).__name__}: {error}")
            says = (
                f"is not in the cache, and the hub cannot be reached or read ({reason}). Run again where there is a "
                "network, or name a file."
            )
    raise ModelFileError(f"{place.origin}: {says}") from error


def _described(config: Path | None, origin: str) -> dict[str, Any]:
    """Return what config.json says, which is of many kinds; only timm's is known here."""
    if config is None:
        return {}
    try:
        if config.stat().st_size > LARGEST_CONFIG:
            raise ValueError("it is too large")
        found = json.loads(config.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise ModelFileError(
            f"{origin}: its config.json cannot be read ({shortened(error, 60)}). Delete it from the cache and run "
            "again; a download may have been cut short."
        ) from error
    return found if isinstance(found, dict) else {}


def _numbers(found: object, count: int) -> bool:
    return (
        isinstance(found, Sequence)
        and len(found) == count
        and all(isinstance(number, int | float) and isfinite(number) for number in found)
    )
