"""`sightline preview`: what augmentation makes of training pictures, to be looked at before training."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sightline.cli.options import read, recipe_options
from sightline.errors import DataError, OutputError

if TYPE_CHECKING:
    from sightline.augmentation.layout import ContactSheet
    from sightline.augmentation.sheet import Gallery
    from sightline.training import Prepared

FILES = ("preview.png", "preview.html")
NEAR_SHOWN = 3
BEGINNING = 4096


@click.command("preview")
@click.argument("source")
@recipe_options
@click.option("--out", default=".", metavar="PLACE", help="A .png or .html file, or a folder for one of each.")
@click.option("--classes", type=click.IntRange(1, 100), show_default="6", help="Most classes shown.")
@click.option("--draws", type=click.IntRange(0, 100), show_default="6", help="Draws of the recipe, one per epoch.")
@click.option("--record", metavar="NAME", help="Show one picture, by its name or the end of it, in one epoch.")
@click.option("--epoch", type=click.IntRange(min=1), default=1, show_default=True, help="Epoch, the first one drawn.")
def command(
    source: str,
    recipe_file: str | None,
    overrides: tuple[str, ...],
    out: str,
    classes: int | None,
    draws: int | None,
    record: str | None,
    epoch: int,
) -> None:
    """Show what augmentation makes of the training pictures of SOURCE, which is anything that can be trained on.

    Rows are pictures of each class; columns are the original, each operation alone at its weakest and strongest, and
    draws of the whole recipe. With --record, one picture as the network is shown it, before standardization, and every
    number that was drawn for it.
    """
    if record is not None and (classes is not None or draws is not None):
        raise click.UsageError("--record shows one picture in one epoch: leave out --classes and --draws.")
    recipe = read(recipe_file, overrides, {})
    places = _places(Path(out), source)
    from sightline.cli.display import Display

    display = Display(quiet=False)
    display.hello()
    from sightline.augmentation.sheet import CLASSES, DRAWS, contact_sheet, one_record
    from sightline.training import prepare, survey

    with display:
        prepared = prepare(survey(source, recipe, progress=display.progress), progress=display.progress)
    chosen = prepared.resolved.recipe
    gallery, seed = _gallery(prepared), chosen.training.seed
    if record is None:
        rows, columns = (CLASSES if classes is None else classes), (DRAWS if draws is None else draws)
        made = contact_sheet(gallery, chosen.augmentation, classes=rows, draws=columns, seed=seed, epoch=epoch)
    else:
        position = _found(prepared, record)
        made, told = one_record(gallery, position, chosen.augmentation, seed=seed, epoch=epoch)
        name, side = prepared.catalogue.name(position), _side(prepared, position)
        click.echo(f"{name} ({made.labels[0]}, {side}), epoch {epoch}, seed {seed}")
        nothing = "nothing is done to it in this epoch" if side == "training" else "held out: left as it is"
        for line in told or [nothing]:
            click.echo(f"    {line}")
    if record is None:
        click.echo(made.title)
    for place in places:
        _write(place, made)
        click.echo(f"Wrote {place}")


def _gallery(prepared: Prepared) -> Gallery:
    from sightline.augmentation.sheet import Gallery

    catalogue = prepared.catalogue
    return Gallery(
        prepared.pixels,
        catalogue.class_names,
        catalogue.labels,
        catalogue.keys,
        prepared.split.train,
        prepared.training_pixels,
    )


def _places(out: Path, source: str) -> list[Path]:
    """Return the files to write, after a look at whether they may be written: reading pictures takes long."""
    single = out.suffix.lower() in (".png", ".html")
    places = [out] if single else [out / name for name in FILES]
    folder = places[0].parent
    if Path(source).is_dir() and folder.resolve().is_relative_to(Path(source).resolve()):
        raise OutputError(
            f"{places[0]}: lies in {source}, where it would be taken for a picture to train on. Choose a place "
            "outside: --out DIR"
        )
    try:
        if not single:
            out.mkdir(parents=True, exist_ok=True)
        elif not folder.is_dir():
            raise OutputError(f"{out}: cannot be written (no folder {folder}). Make it, or choose another place.")
        for place in places:
            _refuse_foreign(place)
    except OSError as error:
        raise OutputError(f"{out}: cannot be written ({error.strerror}). Choose another place: --out DIR") from error
    return places


def _refuse_foreign(place: Path) -> None:
    if not place.exists():
        return
    # augmentation.layout.MARK, spelled out here so that help needs no NumPy.
    with place.open("rb") as file:
        known = b"Sightline preview" in file.read(BEGINNING)
    if not known:
        raise OutputError(f"{place}: holds something that is no preview. Choose another name: --out FILE")


def _write(place: Path, made: ContactSheet) -> None:
    from sightline.augmentation.layout import png
    from sightline.writing import write_whole

    write_whole(place, png(made.image()) if place.suffix.lower() == ".png" else made.page().encode())


def _side(prepared: Prepared, position: int) -> str:
    sides = {"training": prepared.split.train, "validation": prepared.split.validation, "test": prepared.split.test}
    return next(side for side, positions in sides.items() if position in positions)


def _found(prepared: Prepared, wanted: str) -> int:
    """Return the position of the record of a name, or of the only one that ends in it.

    Raises:
        DataError: no record or several are called so.
    """
    catalogue = prepared.catalogue
    names = [catalogue.name(position) for position in range(len(catalogue))]
    exact = [position for position, name in enumerate(names) if name == wanted]
    ending = [position for position, name in enumerate(names) if name.endswith(wanted)] if wanted else []
    candidates = exact or ending
    if len(candidates) == 1:
        return candidates[0]
    if candidates:
        listed = _listed([names[position] for position in candidates])
        raise DataError(
            f"{prepared.source}: found {len(candidates)} pictures whose name ends in {wanted!r}, wanted one: {listed}. "
            "Name it in full."
        )
    raise DataError(f"{prepared.source}: no usable picture is called {wanted!r}. {_near(wanted, names)}")


def _near(wanted: str, names: Sequence[str]) -> str:
    from difflib import get_close_matches

    # Names without their folders first: a slip in one is seldom in both.
    by_ending = {name.replace("\\", "/").rpartition("/")[2]: name for name in names}
    near = get_close_matches(wanted, names, NEAR_SHOWN, 0.8)
    near += [by_ending[e] for e in get_close_matches(wanted.rpartition("/")[2], by_ending, NEAR_SHOWN, 0.6)]
    if near:
        return f"Did you mean {_listed(list(dict.fromkeys(near)))}?"
    return f"Names look like {_listed(sorted(names))}."


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:NEAR_SHOWN]) + (" …" if len(names) > NEAR_SHOWN else "")
