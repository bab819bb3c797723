"""Activations: the non-linearity after every hidden layer."""

from __future__ import annotations

import math

from torch import nn

from sightline.recipe.network import ActivationName

LEAKY_SLOPE = 0.01

# 1 / √E[f(z)²] for z ~ N(0, 1): drawn with variance gain² / fan_in, a layer hands on the spread that it received.
# Only sigmoid (1) and tanh (5/3) keep the conventional values that torch.nn.init.calculate_gain lists.
GAINS: dict[ActivationName, float] = {
    "sigmoid": 1.0,
    "tanh": 5.0 / 3.0,
    "relu": math.sqrt(2.0),
    "relu6": math.sqrt(2.0),  # what is cut off above 6 is less than one part in 10⁸
    "leaky_relu": math.sqrt(2.0 / (1.0 + LEAKY_SLOPE**2)),
    "elu": 1.2451983007,
    "selu": 1.0,
    "gelu": 1.5335304412,
    "silu": 1.6765324703,
}


def build_activation(name: ActivationName) -> nn.Module:
    """Return a new module that applies the activation `name` elementwise."""
    match name:
        case "sigmoid":
            return sigmoid()
        case "tanh":
            return tanh()
        case "relu":
            return relu()
        case "relu6":
            return relu6()
        case "leaky_relu":
            return leaky_relu()
        case "elu":
            return elu()
        case "selu":
            return selu()
        case "gelu":
            return gelu()
        case "silu":
            return silu()


def sigmoid() -> nn.Module:
    """Sigmoid: squashes every number into (0, 1), like the saturating firing rate of a neuron.

    For every number x of the map:

        σ(x) = 1 / (1 + exp(−x))
        dσ/dx = (1 − σ(x)) · σ(x)

    The derivative is 1/4 at most, at x = 0, and vanishes on both sides: a saturated unit passes no gradient on, and
    a deep stack of sigmoids multiplies such factors. The output is positive, never centered on zero.

    Torch: identical to torch.nn.Sigmoid, which runs it.

    Slides: as here. They write the range as [0, 1]; the ends are reached by rounding only.

    Source: Rumelhart, Hinton and Williams, Learning representations by back-propagating errors (Nature 1986).
    """
    return nn.Sigmoid()


def tanh() -> nn.Module:
    """Tanh: squashes every number into (−1, 1), centered on zero.

    For every number x of the map:

        tanh(x) = (exp(x) − exp(−x)) / (exp(x) + exp(−x)) = 2σ(2x) − 1
        dtanh/dx = 1 − tanh(x)²

    It saturates on both sides as the sigmoid does, but its derivative is 1 at x = 0 and its output has both signs.

    Torch: identical to torch.nn.Tanh, which runs it.

    Slides: not in the slides.

    Source: LeCun, Bottou, Orr and Müller, Efficient BackProp (1998).
    """
    return nn.Tanh()


def relu() -> nn.Module:
    """ReLU: passes what is positive and removes the rest.

    For every number x of the map:

        ReLU(x) = max(0, x)
        dReLU/dx = 1 for x > 0, 0 for x < 0; at x = 0, where it has none, 0 is used

    It does not saturate for positive x and is cheap to compute. Its output is not centered on zero, and a unit whose
    input is negative for every picture gets no gradient: it may stay dead for good.

    Torch: identical to torch.nn.ReLU, which runs it, not in place, so that what enters it can still be watched.

    Slides: as here.

    Source: Nair and Hinton, Rectified linear units improve restricted Boltzmann machines (ICML 2010).
    """
    return nn.ReLU()


def relu6() -> nn.Module:
    """ReLU6: a rectifier that passes nothing above 6, so that few bits hold its output.

    For every number x of the map:

        f(x) = min(max(0, x), 6)
        df/dx = 1 for 0 < x < 6, 0 outside

    It saturates on both sides: a unit far above 6 gets no gradient either.

    Torch: identical to torch.nn.ReLU6, which runs it.

    Slides: not in the slides.

    Source: Krizhevsky, Convolutional deep belief networks on CIFAR-10 (2010); the activation of MobileNetV2.
    """
    return nn.ReLU6()


def leaky_relu() -> nn.Module:
    """Leaky ReLU: a rectifier with a small slope on the negative side, so that no unit dies.

    For every number x of the map, with slope a = 0.01:

        f(x) = x for x > 0, a · x otherwise
        df/dx = 1 for x > 0, a otherwise

    Torch: identical to torch.nn.LeakyReLU with negative_slope = 0.01, which runs it.

    Slides: not in the slides; it mends what they call permanently de-activated units.

    Source: Maas, Hannun and Ng, Rectifier nonlinearities improve neural network acoustic models (ICML 2013).
    """
    return nn.LeakyReLU(LEAKY_SLOPE)


def elu() -> nn.Module:
    """ELU: exponential linear unit, a rectifier that saturates smoothly at −1.

    For every number x of the map:

        f(x) = x for x > 0, exp(x) − 1 otherwise
        df/dx = 1 for x > 0, exp(x) otherwise

    The negative side brings the mean of the output nearer to zero than a ReLU's.

    Torch: identical to torch.nn.ELU with alpha = 1, which runs it.

    Slides: not in the slides.

    Source: Clevert, Unterthiner and Hochreiter, Fast and accurate deep network learning by exponential linear units
    (ICLR 2016).
    """
    return nn.ELU()


def selu() -> nn.Module:
    """SELU: an ELU scaled such that zero mean and unit variance reproduce themselves from layer to layer.

    For every number x of the map, with λ = 1.0507 and α = 1.6733:

        f(x) = λ · x for x > 0, λ · α · (exp(x) − 1) otherwise
        df/dx = λ for x > 0, λ · α · exp(x) otherwise

    It normalizes itself where weights have variance 1 / fan_in (LeCun, normal) and no other normalization is used.

    Torch: identical to torch.nn.SELU, which runs it. torch.nn.init.calculate_gain lists 3/4 for it; 1 is used here,
    as in the paper. The paper's own dropout (torch.nn.AlphaDropout) is not used.

    Slides: not in the slides.

    Source: Klambauer, Unterthiner, Mayr and Hochreiter, Self-normalizing neural networks (NeurIPS 2017).
    """
    return nn.SELU()


def gelu() -> nn.Module:
    """GELU: Gaussian error linear unit, x weighted by the probability that a standard normal number is below it.

    For every number x of the map, with Φ and φ the distribution and density of N(0, 1):

        f(x) = x · Φ(x) = x/2 · (1 + erf(x / √2))
        df/dx = Φ(x) + x · φ(x)

    Torch: identical to torch.nn.GELU in its exact form (approximate = 'none'), which runs it.

    Slides: not in the slides.

    Source: Hendrycks and Gimpel, Gaussian error linear units (arXiv:1606.08415, 2016).
    """
    return nn.GELU()


def silu() -> nn.Module:
    """SiLU: x weighted by its own sigmoid, also called swish.

    For every number x of the map:

        f(x) = x · σ(x)
        df/dx = σ(x) · (1 + x · (1 − σ(x)))

    Torch: identical to torch.nn.SiLU, which runs it.

    Slides: not in the slides.

    Source: Elfwing, Uchibe and Doya, Sigmoid-weighted linear units for neural network function approximation in
    reinforcement learning (Neural Networks 2018).
    """
    return nn.SiLU()
