"""From pictures as somebody keeps them to pixels of one size: sources, catalogue, split, decoding, storing."""

from sightline.data.cache import cache_folder
from sightline.data.catalogue import Catalogue, build_catalogue, require_enough
from sightline.data.decode import best_decoder, decode, decoder_version, require_decoder
from sightline.data.facts import facts
from sightline.data.limits import Limits, Refused
from sightline.data.opening import open_source
from sightline.data.pixels import Pixels, Stored, store_pixels
from sightline.data.progress import Progress, Silent
from sightline.data.source import Refusal, Source
from sightline.data.split import Split, split

__all__ = [
    "Catalogue",
    "Limits",
    "Pixels",
    "Progress",
    "Refusal",
    "Refused",
    "Silent",
    "Source",
    "Split",
    "Stored",
    "best_decoder",
    "build_catalogue",
    "cache_folder",
    "decode",
    "decoder_version",
    "facts",
    "open_source",
    "require_decoder",
    "require_enough",
    "split",
    "store_pixels",
]
