"""Update rules, what they decay, clipping and the schedule of the rate."""

from sightline.optimization.build import build
from sightline.optimization.clipping import clip_norm
from sightline.optimization.parameter_groups import parameter_groups
from sightline.optimization.schedule import rate

__all__ = ["build", "clip_norm", "parameter_groups", "rate"]
