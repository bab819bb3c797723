"""The page of a run while it trains, served to a browser on the same machine. Needs the extra `watch`."""

from sightline.serving.hosts import is_loopback
from sightline.serving.server import Address, watch

__all__ = ["Address", "is_loopback", "watch"]
