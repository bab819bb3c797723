"""Layout: columns of pictures with headings and captions, as one picture and as one page of HTML."""

from __future__ import annotations

import base64
import html
import io
import unicodedata
from dataclasses import dataclass
from functools import cache

import numpy as np
from jaxtyping import UInt8
from numpy import ndarray
from PIL import Image, ImageDraw, ImageFont, PngImagePlugin

MARK = "Sightline preview"
"""Stands near the beginning of every file, so that it is known again and may be replaced."""

SMALL, LARGE = 96, 256
"""Sides in pixels: smaller pictures are enlarged to about the first, larger ones shrunk to the second."""
TEXT = 11
LINE = 14
GAP = 8
WIDEST_LABEL, WIDEST_TITLE = 150, 1000
FONTS = ("DejaVuSans.ttf", "Arial.ttf", "arial.ttf", "LiberationSans-Regular.ttf", "NotoSans-Regular.ttf")
PLAIN = str.maketrans({"−": "-", "×": "x", "–": "-", "ß": "ss"})

Font = ImageFont.ImageFont | ImageFont.FreeTypeFont


@dataclass(frozen=True)
class Column:
    """Pictures below each other, one for each row of the sheet."""

    heading: str
    pictures: UInt8[ndarray, "row height width channel"]
    captions: tuple[str, ...]
    """Below each picture; empty where there is nothing to say."""


@dataclass(frozen=True)
class ContactSheet:
    """Everything that is to be seen."""

    title: str
    labels: tuple[str, ...]
    """Left of each row."""
    columns: tuple[Column, ...]

    def image(self) -> Image.Image:
        """Return the sheet as one picture in color."""
        font = _font()
        cells = [[_sized(picture) for picture in column.pictures] for column in self.columns]
        wide, high = max(SMALL, cells[0][0].width), cells[0][0].height
        label_wide = round(min(WIDEST_LABEL, max(font.getlength(_drawable(label)) for label in self.labels)))
        headings = [_wrapped(column.heading, wide, font) for column in self.columns]
        captions = [[_wrapped(caption, wide, font) for caption in column.captions] for column in self.columns]
        labels = [_wrapped(label, label_wide, font) for label in self.labels]
        left, step = GAP + label_wide + GAP, wide + GAP
        width = left + step * len(self.columns)
        title = _wrapped(self.title, min(width - 2 * GAP, WIDEST_TITLE), font)
        heading_top = GAP + LINE * len(title) + GAP
        tops = [heading_top + LINE * max(map(len, headings)) + GAP // 2]
        for row in range(len(self.labels)):
            below = LINE * max(len(column[row]) for column in captions)
            tops.append(tops[-1] + max(high + below, LINE * len(labels[row])) + GAP)
        made = Image.new("RGB", (width, tops[-1]), "white")
        pen = ImageDraw.Draw(made)

        def write(x: int, y: int, lines: list[str]) -> None:
            for i, line in enumerate(lines):
                pen.text((x, y + LINE * i), line, fill="black", font=font)

        write(GAP, GAP, title)
        for row, label in enumerate(labels):
            write(GAP, tops[row], label)
        for i, column in enumerate(cells):
            write(left + step * i, heading_top, headings[i])
            for row, cell in enumerate(column):
                made.paste(cell, (left + step * i, tops[row]))
                write(left + step * i, tops[row] + high, captions[i][row])
        return made

    def page(self) -> str:
        """Return the sheet as a page of HTML that needs no other file."""
        head = "".join(f"<th scope=col>{html.escape(column.heading)}</th>" for column in self.columns)
        rows = "\n".join(
            f"<tr><th scope=row>{html.escape(label)}</th>{''.join(self._cell(column, row) for column in self.columns)}"
            for row, label in enumerate(self.labels)
        )
        title = html.escape(self.title)
        return _PAGE.format(mark=MARK, title=title, head=head, rows=rows)

    def _cell(self, column: Column, row: int) -> str:
        whole = _as_image(column.pictures[row])
        picture = whole.reduce(_shrinking(whole)) if _shrinking(whole) > 1 else whole
        data = base64.b64encode(png(picture)).decode()
        width = whole.width * _enlarging(whole) if picture is whole else picture.width
        says = html.escape(column.captions[row])
        alt = html.escape(f"{self.labels[row]}: {column.heading}", quote=True)
        return f'<td><img width={width} alt="{alt}" src="data:image/png;base64,{data}"><p>{says}</p></td>'


def png(image: Image.Image) -> bytes:
    """Return a picture as a PNG file with the mark of a preview."""
    marked = PngImagePlugin.PngInfo()
    marked.add_text("Software", MARK)
    file = io.BytesIO()
    image.save(file, "PNG", pnginfo=marked, optimize=False)
    return file.getvalue()


def _as_image(pixels: UInt8[ndarray, "height width channel"]) -> Image.Image:
    return Image.fromarray(np.ascontiguousarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels))


def _enlarging(image: Image.Image) -> int:
    return max(1, round(SMALL / max(image.size)))


def _shrinking(image: Image.Image) -> int:
    return -(-max(image.size) // LARGE)


def _sized(pixels: UInt8[ndarray, "height width channel"]) -> Image.Image:
    image = _as_image(pixels)
    if (factor := _shrinking(image)) > 1:
        return image.reduce(factor)
    factor = _enlarging(image)
    return image.resize((image.width * factor, image.height * factor), Image.Resampling.NEAREST)


@cache
def _font() -> Font:
    """Return a font of the system, which has more letters than the one that Pillow brings along."""
    for name in FONTS:
        try:
            return ImageFont.truetype(name, TEXT)
        except (OSError, ImportError):
            continue
    return ImageFont.load_default(TEXT)


@cache
def _has(letter: str) -> bool:
    missing, found = (_font().getmask(text) for text in ("\ufffe", letter))
    return letter == " " or (bytes(missing), missing.size) != (bytes(found), found.size)


def _drawable(text: str) -> str:
    """Return text in the letters of the font: the nearest plain ones, or question marks."""
    found = []
    for letter in text:
        near = letter if _has(letter) else unicodedata.normalize("NFKD", letter.translate(PLAIN))
        kept = "".join(part for part in near if _has(part) and not unicodedata.combining(part))
        found.append(kept or "?")
    return "".join(found)


def _wrapped(text: str, width: int, font: Font) -> list[str]:
    """Return lines no wider than so many pixels; a word that is wider is cut."""
    lines: list[str] = []
    for word in _drawable(text).split():
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and font.getlength(longer) <= width:
            lines[-1] = longer
        else:
            lines.append(_cut(word, width, font))
    return lines


def _cut(word: str, width: int, font: Font) -> str:
    if font.getlength(word) <= width:
        return word
    while word and font.getlength(word + "...") > width:
        word = word[:-1]
    return word + "..."


_PAGE = """<!doctype html>
<html lang=en>
<meta charset=utf-8>
<meta name=generator content="{mark}">
<meta name=viewport content="width=device-width">
<title>{title}</title>
<style>
:root {{ color-scheme: light dark; }}
body {{ font: 14px/1.35 system-ui, sans-serif; margin: 1rem; }}
h1 {{ font-size: 1rem; font-weight: normal; max-width: 60rem; }}
div {{ overflow-x: auto; }}
table {{ border-collapse: collapse; }}
th, td {{ padding: 4px; vertical-align: top; text-align: left; font-weight: normal; font-size: 12px; }}
th[scope=row] {{ position: sticky; left: 0; background: Canvas; font-weight: bold; overflow-wrap: anywhere; }}
img {{ image-rendering: pixelated; display: block; }}
td p {{ margin: 2px 0 0; }}
</style>
<h1>{title}</h1>
<div>
<table>
<thead><tr><th></th>{head}</tr></thead>
<tbody>
{rows}
</tbody>
</table>
</div>
</html>
"""
