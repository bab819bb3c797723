"""Dropout: units or whole maps are switched off at random while training."""

from __future__ import annotations

from torch import nn


def units(probability: float) -> nn.Module:
    """Dropout: each unit is switched off with a probability while training, so that none is relied upon.

    For every number y of a layer's output, with p the probability to DROP it:

        training: r ~ Bernoulli(1 − p), ỹ = r · y / (1 − p), so that E[ỹ] = y
        inference: ỹ = y

    Args:
        probability: to drop, in [0, 1); 0.5 is usual before a large dense layer, 0.1 to 0.3 elsewhere. 0 adds nothing.

    Torch: identical to torch.nn.Dropout, which runs it: what is kept is scaled up while training ("inverted" dropout).

    Slides: their p is the probability to KEEP (r ~ Bernoulli(p)), and nothing is scaled while training; the paper then
    multiplies the weights by it at inference, a step that the slides leave open. Both ways agree in expectation.

    Source: Srivastava, Hinton, Krizhevsky, Sutskever and Salakhutdinov, Dropout (JMLR 2014).
    """
    return nn.Dropout(probability) if probability > 0.0 else nn.Identity()


def maps(probability: float) -> nn.Module:
    """Spatial dropout: whole maps are switched off while training, since neighboring pixels carry the same message.

    For every map Y of a picture, shape (height, width), with p the probability to DROP it:

        training: r ~ Bernoulli(1 − p), Ỹ = r · Y / (1 − p), so that E[Ỹ] = Y
        inference: Ỹ = Y

    Args:
        probability: to drop, in [0, 1); 0.05 to 0.2 is usual between convolutions. 0 adds nothing.

    Torch: identical to torch.nn.Dropout2d, which runs it.

    Slides: not in the slides; they drop single units.

    Source: Tompson, Goroshin, Jain, LeCun and Bregler, Efficient object localization using convolutional networks
    (CVPR 2015).
    """
    return nn.Dropout2d(probability) if probability > 0.0 else nn.Identity()
