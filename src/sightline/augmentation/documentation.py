"""The generated parts of `docs/augmentation.md`, and its pictures: `python -m sightline.augmentation.documentation`."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from inspect import getdoc
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from sightline.augmentation.extremes import extreme, halved
from sightline.recipe import operations as op
from sightline.recipe import policies
from sightline.recipe.fields import choice, default, show, wanted
from sightline.recipe.operations import AnyOperation, Operation
from sightline.recipe.policies import ListedPolicy, SettledOrientation

PAGE = Path("docs/augmentation.md")
PICTURES = "pictures"

GROUPS: dict[str, tuple[type[AnyOperation], ...]] = {
    "Geometry": (*op.GEOMETRY, op.Elastic, op.Lens),
    "Color and values": (op.Brightness, op.Contrast, op.Saturation, op.Hue, op.Gamma, op.Grayscale, op.ChannelDropout),
    "Noise and sharpness": (op.GaussianNoise, op.SaltPepper, op.Blur, op.Sharpen, op.Jpeg),
    "Covering and mixing": (op.Erasing, op.Mixup, op.Cutmix),
}
"""Headings of the page; each has a table and a picture."""

GONZALEZ = "Gonzalez and Woods, *Digital Image Processing*"
ZISSERMAN = "Hartley and Zisserman, *Multiple View Geometry in Computer Vision* (2003)"
CORRUPTIONS = "Hendrycks and Dietterich, *Benchmarking Neural Network Robustness to Common Corruptions* (2019)"

REFERENCES: dict[type[Operation], str] = {
    op.HorizontalFlip: GONZALEZ,
    op.VerticalFlip: GONZALEZ,
    op.AlternatingFlip: "Jordan, *94% on CIFAR-10 in 3.29 Seconds on a Single GPU* (2024)",
    op.QuarterTurns: GONZALEZ,
    op.Rotation: GONZALEZ,
    op.Translation: GONZALEZ,
    op.Scaling: GONZALEZ,
    op.Aspect: "Szegedy et al., *Going Deeper with Convolutions* (2015)",
    op.Shear: GONZALEZ,
    op.Crop: "Szegedy et al., *Going Deeper with Convolutions* (2015)",
    op.PadAndCrop: "Lee et al., *Deeply-Supervised Nets* (2015); He et al., *Deep Residual Learning* (2016)",
    op.Perspective: ZISSERMAN,
    op.Elastic: "Simard et al., *Best Practices for Convolutional Neural Networks* (2003)",
    op.Lens: "Brown, *Decentering Distortion of Lenses* (1966)",
    op.Brightness: GONZALEZ,
    op.Contrast: GONZALEZ,
    op.Saturation: "ITU-R BT.601 for the luma",
    op.Hue: "NTSC, SMPTE 170M for YIQ",
    op.Gamma: GONZALEZ,
    op.Grayscale: "ITU-R BT.601 for the luma",
    op.ChannelDropout: "",
    op.GaussianNoise: CORRUPTIONS,
    op.SaltPepper: GONZALEZ,
    op.Blur: CORRUPTIONS,
    op.Sharpen: f"{GONZALEZ} (unsharp masking)",
    op.Jpeg: CORRUPTIONS,
    op.Erasing: "DeVries and Taylor, *Cutout* (2017); Zhong et al., *Random Erasing* (2017)",
    op.Mixup: "Zhang et al., *mixup: Beyond Empirical Risk Minimization* (2018)",
    op.Cutmix: "Yun et al., *CutMix* (2019)",
}

ORIENTATIONS: tuple[SettledOrientation, ...] = ("fixed", "mirror", "any")
LISTED: tuple[ListedPolicy, ...] = ("none", "light", "standard", "strong", "trivial")

TILE = (64, 96)
"""Height and width of one operation's picture on the page."""
STARTING_POINT = (60, 150)
ZOOM = 4


def renewed(page: str) -> str:
    """Return the page with its generated parts made anew; what stands around them stays.

    Raises:
        ValueError: the page lacks the comments between which a part stands.
    """
    for name, lines in (("operations", operations()), ("policies", policy_table())):
        begin, end = f"<!-- generated: {name} -->", f"<!-- end of {name} -->"
        before, found_begin, rest = page.partition(begin)
        _, found_end, after = rest.partition(end)
        if not (found_begin and found_end):
            raise ValueError(f"found no part {name}, wanted one between {begin} and {end}")
        page = "\n".join([f"{before}{begin}", *lines, f"{end}{after}"])
    return page


def operations() -> Iterator[str]:
    """Return the lines of the section on operations: a picture and a table for each group."""
    for heading, group in GROUPS.items():
        names = ", ".join(str(choice(each)) for each in group)
        yield from ("", f"### {heading}", "", f"![A picture, then with {names}]({PICTURES}/{_file(heading)})", "")
        yield "In the picture, from left to right and top to bottom: the original, then, at their strongest, " + (
            ", ".join(f"`{choice(each)}`" for each in group) + "."
        )
        yield from ("", "| operation | field | takes | default | meaning |", "|---|---|---|---|---|")
        for each in group:
            yield from _rows(each)
    yield ""


def policy_table() -> Iterator[str]:
    """Return the lines of the section on policies: what each contains, for pictures in color."""
    yield from ("", "| policy | operations |", "|---|---|")
    for policy in LISTED:
        listed = policies.operations(policy, orientation="fixed", channels=3)
        yield f"| `{policy}` | {', '.join(f'`{_differing(each)}`' for each in listed) or 'nothing'} |"
    yield from ("", "| orientation | comes first in every policy but `none` |", "|---|---|")
    for orientation in ORIENTATIONS:
        fixed, found = (policies.operations("light", orientation=each, channels=3) for each in ("fixed", orientation))
        first = [each for each in found if each not in fixed]
        yield f"| `{orientation}` | {', '.join(f'`{_differing(each)}`' for each in first) or 'nothing'} |"
    yield ""
    yield (
        f"`auto` is `standard` where each picture is seen {policies.ENOUGH_EPOCHS} times or more, `light` from "
        f"{policies.FEW_EPOCHS} times on, and `none` below, for pictures under "
        f"{policies.SMALLEST_SIDE} px, or where preprocessing has numbers for single pixels. "
        "With a time budget, whose epochs are counted later, it is `standard` below "
        f"{policies.MANY_PICTURES:,} training pictures "
        "and `light` from there on."
    )
    yield ""


def picture(group: Sequence[type[AnyOperation]]) -> Image.Image:
    """Return the original and each operation of a group at its strongest, six to a row."""
    from sightline.augmentation.draw import draw
    from sightline.augmentation.render import render

    first, second = _sample("china.jpg"), _sample("flower.jpg")
    height, width = TILE
    tiles = [first]
    for each in group:
        strongest = extreme(each(), "strongest", size=TILE)
        always = strongest.model_copy(update={"probability": 1.0})
        plan = draw([always], [8], source=TILE, pool=np.array([9], np.uint64))
        if isinstance(always, op.Mixup | op.Cutmix):
            plan = halved(plan, always)
        sources = np.stack([first, second])[: len(plan)]
        tiles.append(np.round(255.0 * render(sources, plan)[0]).astype(np.uint8))
    columns, gap = min(6, len(tiles)), 4
    rows = -(-len(tiles) // columns)
    made = Image.new("RGB", (columns * (width + gap) - gap, rows * (height + gap) - gap), "white")
    for i, tile in enumerate(tiles):
        made.paste(Image.fromarray(tile), (i % columns * (width + gap), i // columns * (height + gap)))
    # A palette keeps the files small.
    return made.quantize(192, dither=Image.Dither.NONE)


def main(arguments: list[str]) -> None:
    """Renew the page that is named, or `docs/augmentation.md`, and write its pictures beside it."""
    from sightline.augmentation.layout import png
    from sightline.writing import write_whole

    page = Path(arguments[0]) if arguments else PAGE
    write_whole(page, renewed(page.read_text(encoding="utf-8")).encode())
    folder = page.parent / PICTURES
    folder.mkdir(exist_ok=True)
    for heading, group in GROUPS.items():
        write_whole(folder / _file(heading), png(picture(group)))


def _rows(operation: type[Operation]) -> Iterator[str]:
    says = " ".join((getdoc(operation) or "").split())
    reference = f" Source: {REFERENCES[operation]}." if REFERENCES[operation] else ""
    yield _row(f"**`{choice(operation)}`**", "", "", "", says + reference)
    for key, field in operation.model_fields.items():
        if key != "name" and (key, default(field)) != ("probability", 1.0):
            yield _row("", f"`{key}`", wanted(field), f"`{show(default(field))}`", field.description or "")


def _row(*cells: str) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _differing(operation: Operation) -> str:
    """Return an operation as a recipe writes it, with the fields that are not at their defaults."""
    own = {
        key: getattr(operation, key)
        for key, field in type(operation).model_fields.items()
        if key != "name" and getattr(operation, key) != default(field)
    }
    name = choice(type(operation))
    return show({"name": name, **own}) if own else str(name)


def _file(heading: str) -> str:
    return f"augmentation-{heading.lower().replace(' ', '-')}.png"


def _sample(name: str) -> NDArray[np.uint8]:
    from sklearn.datasets import load_sample_image

    top, left = STARTING_POINT
    height, width = (side * ZOOM for side in TILE)
    part = Image.fromarray(load_sample_image(name)[top : top + height, left : left + width])
    return np.asarray(part.reduce(ZOOM))


if __name__ == "__main__":
    main(sys.argv[1:])
