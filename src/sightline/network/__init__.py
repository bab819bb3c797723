"""The networks: architectures and what each of their layers is made of."""

from sightline.network.build import build as build
from sightline.network.build import build_scheme as build_scheme
from sightline.network.filters import mosaic as mosaic
from sightline.network.grad_cam import grad_cam as grad_cam
from sightline.network.initialization import initialize as initialize
from sightline.network.initialization import scheme_for as scheme_for
from sightline.network.normalization import share_of_part as share_of_part
from sightline.network.timm_backbone import restore_constants as restore_constants
from sightline.network.whitening import pictures_to_see as pictures_to_see
from sightline.network.whitening import whiten as whiten
