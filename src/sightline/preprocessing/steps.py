"""The three steps of preprocessing, in their order: center, scale, decorrelate. Each is fitted on moments."""

from __future__ import annotations

from typing import Literal

import numpy as np
from jaxtyping import Float64
from numpy import ndarray
from numpy.typing import NDArray

from sightline.preprocessing.moments import Moments

By = Literal["none", "channel", "pixel"]


def center(moments: Moments, *, by: By) -> Float64[ndarray, ...] | None:
    """Center: subtracts the mean of the training pictures, so that inputs have both signs.

    For pixel x of a picture, from 0 (black) to 1 (white), and the N pictures of the training split:

        x' = x − μ
        channel: μ = mean of the channel over all pictures and pixels, shape (channels,)
        pixel: μ = mean of this pixel over all pictures, shape (height, width, channels), the mean image

    Args:
        by: none, channel or pixel; none subtracts nothing.

    Torch: it has no fitted equivalent; torchvision's Normalize applies given means of channels.

    Slides: as here, "zero-center data", with the training mean applied again at inference.

    Source: LeCun, Bottou, Orr and Müller, Efficient BackProp (1998), section 4.3; the mean image: Krizhevsky et al.
    (2012).
    """
    return None if by == "none" else moments.mean(over_pixels=by == "channel")


def scale(moments: Moments, *, by: By, centered_by: By) -> Float64[ndarray, ...] | None:
    """Scale: divides by the standard deviation of the centered training pictures.

    For pixel x of a centered picture and the N pictures of the training split:

        x' = x / s, s = √Var(x), with the biased variance (divided by the number of values)
        channel: over all pictures and pixels of the channel, shape (channels,)
        pixel: over all pictures, shape (height, width, channels)

    What never varies (s = 0, such as an edge that is always black) is left as it is: s = 1. A pixel that varies in few
    pictures has a small s of its own and becomes large where it does vary; prefer channel for such data.

    Args:
        by: none, channel or pixel; none divides by nothing.
        centered_by: how the pictures were centered: the deviation by channel is smaller around a mean image.

    Torch: it has no fitted equivalent; torchvision's Normalize applies given deviations of channels.

    Slides: as here, "try normalizing images".

    Source: LeCun, Bottou, Orr and Müller, Efficient BackProp (1998), section 4.3.
    """
    match by, centered_by:
        case "none", _:
            return None
        case "channel", "pixel":
            variance = moments.variance(over_pixels=False).mean(axis=(0, 1))
        case _:
            variance = moments.variance(over_pixels=by == "channel")
    return np.where(variance > 0.0, np.sqrt(variance), 1.0)


def decorrelate(
    moments: Moments,
    *,
    by: Literal["none", "pca", "zca"],
    deviation: Float64[ndarray, ...] | None,
    epsilon: float,
) -> Float64[ndarray, "dimension dimension"] | None:
    """Decorrelate: turns and stretches the pixels such that their training covariance is the identity.

    For a centered and scaled picture x, flattened to D = height · width · channels numbers in this order, with the
    biased training covariance C = U · Λ · Uᵀ, eigenvalues λ in descending order:

        x' = W · x
        pca: W = (Λ + ε)^(−1/2) · Uᵀ: the principal axes, the largest first; no longer a picture
        zca: W = U · (Λ + ε)^(−1/2) · Uᵀ: turned back, the whitened picture nearest to x

    The covariance of x' is λ / (λ + ε) in each axis: the identity where λ ≫ ε, less in axes that hardly vary.
    Eigenvectors have no sign of their own: pca makes the largest component of each positive.

    Args:
        by: none, pca or zca; none keeps the correlations.
        deviation: what `scale` divided by.
        epsilon: added to every variance, > 0; keeps axes without variance from becoming noise.

    Torch: it has no fitted equivalent.

    Slides: not advised for images, but named for other data; without the equation.

    Source: Bell and Sejnowski, The independent components of natural scenes are edge filters (Vision Research 1997).
    """
    if by == "none":
        return None
    covariance = moments.covariance()
    if deviation is not None:
        inverse = 1.0 / np.broadcast_to(deviation, moments.shape).reshape(-1)
        covariance = covariance * np.outer(inverse, inverse)
    values, vectors = np.linalg.eigh(covariance)
    values, vectors = np.maximum(values[::-1], 0.0), vectors[:, ::-1]
    whitened: NDArray[np.float64] = vectors.T / np.sqrt(values + epsilon)[:, None]
    if by == "zca":
        whitened = vectors @ whitened
    else:
        largest = np.abs(vectors).argmax(axis=0)
        whitened *= np.sign(vectors[largest, np.arange(len(values))])[:, None]
    return whitened
