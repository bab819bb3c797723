"""Which files an argument means."""

from __future__ import annotations

from pathlib import Path

from sightline.errors import DataError, ModelFileError


def model_in(argument: str) -> Path:
    """Return the model file that is meant: the argument itself, or the one in a run's directory.

    Raises:
        ModelFileError: the directory of a run that has no model.
    """
    path = Path(argument)
    inside = path / "model.safetensors"
    if any((path / name).is_file() for name in ("events.jsonl", "recipe.toml")) and not inside.is_file():
        raise ModelFileError(f"{argument}: this run has no model yet, since no epoch was completed. Train again.")
    return inside if inside.is_file() else path


def pictures(arguments: tuple[str, ...]) -> list[Path]:
    """Return the files meant, those below a folder in the order of their names.

    Raises:
        DataError: a folder holds no pictures.
    """
    from sightline.data import files

    found: list[Path] = []
    for argument in arguments:
        path = Path(argument)
        if not path.is_dir():
            found.append(path)
            continue
        inside = sorted(p for p in path.rglob("*") if files.is_picture(p.name) and p.is_file())
        if not inside:
            raise DataError(f"{argument}: found no pictures in this folder. Name files, or another folder.")
        found += inside
    return found
