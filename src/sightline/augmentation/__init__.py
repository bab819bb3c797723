"""Augmentation: draw a plan from the pictures' identities, then render it in one pass."""

from sightline.augmentation.draw import draw as draw
from sightline.augmentation.draw import listed as listed
from sightline.augmentation.plan import Plan as Plan
from sightline.augmentation.plan import identity as identity
from sightline.augmentation.ready import make_ready as make_ready
from sightline.augmentation.render import render as render
from sightline.augmentation.sheet import sheet as sheet
