"""Grad-CAM: where in a picture a network found what it says."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn.functional import interpolate

from sightline.network.head import Classifier

OF_MAPS = 4


def grad_cam(
    network: nn.Module, images: Float[Tensor, "batch channel height width"], classes: Int[Tensor, " batch"]
) -> Float[Tensor, "batch height width"] | None:
    """Gradient-weighted class activation mapping: a number for each place of a picture, 0 to 1.

    For the score y_c of a class c and the last maps A_k before the head, of Z places each:

        α_k = 1/Z · Σ_ij ∂y_c / ∂A_k(i, j)
        L_c = ReLU(Σ_k α_k · A_k)

    L_c is enlarged to the picture bilinearly, and divided by its greatest value. It is 0 where nothing speaks for the
    class. What it shows is as coarse as the last maps are.

    Args:
        network: one of ours, in inference mode; its parameters get no gradient.
        images: as the network sees them.
        classes: c, for each picture.

    Returns:
        The places, or None where dense layers come before the head, so that there are no maps.

    Torch: it has no such function; captum's LayerGradCam gives L_c.

    Source: Selvaraju et al., Grad-CAM: visual explanations from deep networks via gradient-based localization
        (ICCV 2017), equations 1 and 2.
    """
    found: Classifier = network  # type: ignore[assignment]
    with torch.no_grad():
        maps = found.maps(images)
    if maps.ndim != OF_MAPS:
        return None
    with torch.enable_grad():
        maps = maps.detach().requires_grad_()
        scores = found.classify(found.pool(maps))
        (gradient,) = torch.autograd.grad(scores.gather(1, classes[:, None]).sum(), maps)
    with torch.no_grad():
        places = (gradient.mean(dim=(2, 3), keepdim=True) * maps).sum(dim=1, keepdim=True).relu()
        enlarged = interpolate(places.float(), images.shape[2:], mode="bilinear", align_corners=False)[:, 0]
        greatest = enlarged.amax(dim=(1, 2), keepdim=True)
        return enlarged / greatest.clamp(min=torch.finfo(torch.float32).tiny)
