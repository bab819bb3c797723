"""What a file that is no picture is instead, told by its first bytes."""

from __future__ import annotations

_FOREIGN = {
    b"%PDF": "a PDF document",
    b"%!PS": "a PostScript document",
    b"PK\x03\x04": "a ZIP archive",
    b"\x1f\x8b": "a gzip archive",
    b"\x1a\x45\xdf\xa3": "a film (Matroska)",
    b"\x93NUMPY": "a NumPy array",
}
_HEIC = (b"heic", b"heix", b"hevc", b"heim", b"heis", b"mif1", b"msf1")
_PAGES = (b"<!doctype html", b"<html", b"<head", b"<body")


def foreign(data: bytes) -> str | None:
    """Return why `data` is refused where it is plainly something else than a picture, or None."""
    if not data:
        return "is empty (0 bytes)"
    start = data[:512].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if start.startswith(_PAGES):
        return "is a web page (HTML), not an image; fetch the image itself"
    if start.startswith((b"<?xml", b"<svg")):
        what = "a vector drawing (SVG)" if b"<svg" in start else "an XML document"
        return f"is {what}, not an image of pixels"
    if data[4:8] == b"ftyp" and data[8:12] in _HEIC and b"avif" not in data[8:40]:
        return "is a HEIC picture, which is not read; convert it to JPEG"
    for signature, found in _FOREIGN.items():
        if data.startswith(signature):
            return f"is {found}, not an image"
    if not data[:4096].strip(b"\0"):
        return "begins with nothing but zero bytes; fetch it again"
    return None
