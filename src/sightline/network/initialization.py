"""Initialization: the spread with which weights start decides whether signals survive a deep network."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Literal

import torch
from torch import Generator, Tensor, nn

from sightline.keys import purpose
from sightline.network.activation import GAINS
from sightline.recipe.network import ActivationName, Distribution

RECTIFIERS: tuple[ActivationName, ...] = ("relu", "relu6", "leaky_relu", "elu", "gelu", "silu")

Scheme = Callable[[Tensor, Generator], None]


def initialize(module: nn.Module, scheme: Scheme, *, seed: int) -> None:
    """Draw every weight of `module` in place: weights by `scheme`, biases 0, normalization weights 1.

    Each weight has its own random numbers, found by the seed and the parameter's name alone, so that it is the same
    whatever the other layers are and in whatever order they are visited. Every layer is drawn by the same scheme, the
    last one included, although no activation follows it.

    Args:
        module: a network on the CPU; numbers drawn elsewhere would differ.
        scheme: fills one weight, shape (out, in) or (out, in, height, width), from a generator.
        seed: of the whole training; purposes keep its streams apart.
    """
    with torch.no_grad():
        for name, parameter in module.named_parameters():
            if parameter.ndim > 1:
                generator = torch.Generator().manual_seed(purpose(seed, f"initialization.{name}").torch_seed())
                scheme(parameter, generator)
            else:
                parameter.fill_(0.0 if name.endswith("bias") else 1.0)


def scheme_for(
    activation: ActivationName, architecture: str = ""
) -> tuple[Literal["he", "lecun", "xavier", "identity"], str]:
    """Return the name of the scheme that suits a network and the reason, for a recipe that says `"auto"`."""
    if architecture == "swift":
        return "identity", "swift has a normalization behind every convolution, and begins as a shallow network"
    if activation in RECTIFIERS:
        return "he", f"{activation} removes about half of the signal; He's initialization makes up for it"
    if activation == "selu":
        return "lecun", "selu normalizes itself where weights are normal with variance 1 / fan_in"
    return "xavier", f"{activation} is nearly linear around zero; Xavier's initialization keeps it there"


def xavier(weight: Tensor, generator: Generator, *, distribution: Distribution = "uniform") -> None:
    """Xavier: the variance that best keeps both signals and gradients of nearly linear units.

    For a weight W, shape (out, in) or (out, in, height, width), fan_in = in · height · width and
    fan_out = out · height · width:

        Var[W] = 2 / (fan_in + fan_out)
        uniform: W ~ U(−b, b) with b = √(3 · Var[W]) = √(6 / (fan_in + fan_out))
        normal: W ~ N(0, Var[W])

    Args:
        distribution: uniform, as in the paper, or normal.

    Torch: identical to torch.nn.init.xavier_uniform_ and xavier_normal_ with gain = 1.

    Slides: named, without the equation.

    Source: Glorot and Bengio, Understanding the difficulty of training deep feedforward neural networks (AISTATS 2010).
    """
    fan_in, fan_out = fans(weight)
    _draw(weight, generator, variance=2.0 / (fan_in + fan_out), distribution=distribution)


def he(
    weight: Tensor,
    generator: Generator,
    *,
    distribution: Distribution = "normal",
    fan: Literal["in", "out"] = "in",
    gain: float = GAINS["relu"],
) -> None:
    """He: twice the variance of a linear layer, for the half of the signal that a rectifier removes.

    For a weight W, shape (out, in) or (out, in, height, width), fan = in · height · width, or with out for in:

        Var[W] = gain² / fan
        gain² = 2 for ReLU, 2 / (1 + slope²) for leaky ReLU
        uniform: W ~ U(−b, b) with b = √(3 · Var[W])
        normal: W ~ N(0, Var[W])

    Args:
        distribution: normal, as in the paper, or uniform.
        fan: in keeps the spread of the signals, out that of the gradients; the paper finds both sufficient.
        gain: > 0. For elu, gelu and silu a recipe takes the paper's argument to their own shape,
            gain² = 1 / E[f(z)²] with z ~ N(0, 1): 1.55, 2.35 and 2.81. For sigmoid, tanh and selu it is √2.
            gelu and silu, not proportional to their input, keep their spread for a few layers only by any gain.

    Torch: identical to torch.nn.init.kaiming_normal_ and kaiming_uniform_; torch knows no gain of elu, gelu and silu.

    Slides: named as ReLU's friend, without the equation.

    Source: He, Zhang, Ren and Sun, Delving deep into rectifiers (ICCV 2015), equations 10, 14 and 15.
    """
    fan_in, fan_out = fans(weight)
    _draw(weight, generator, variance=gain**2 / (fan_in if fan == "in" else fan_out), distribution=distribution)


def lecun(weight: Tensor, generator: Generator, *, distribution: Distribution = "normal") -> None:
    """LeCun: the variance that keeps the spread of what passes through a linear layer.

    For a weight W, shape (out, in) or (out, in, height, width), and fan_in = in · height · width:

        Var[W] = 1 / fan_in
        uniform: W ~ U(−b, b) with b = √(3 / fan_in)
        normal: W ~ N(0, 1 / fan_in)

    Args:
        distribution: normal, as self-normalizing networks (SELU) want it, or uniform.

    Torch: identical to torch.nn.init.kaiming_normal_ and kaiming_uniform_ with nonlinearity = 'linear'. torch's own
    default for a new layer is U(−b, b) with b = √(1 / fan_in), a third of this variance.

    Slides: not in the slides.

    Source: LeCun, Bottou, Orr and Müller, Efficient BackProp (1998), section 4.6; normal: Klambauer et al. (2017).
    """
    _draw(weight, generator, variance=1.0 / fans(weight)[0], distribution=distribution)


def normal(weight: Tensor, generator: Generator, *, std: float = 0.01) -> None:
    """Normal: one standard deviation for every layer, whatever its size.

    For a weight W of any shape:

        W ~ N(0, std²)

    Signals shrink or grow by the factor std · √fan_in per layer, which fails with depth; it is here to be compared.

    Args:
        std: standard deviation, > 0; 0.01 was usual before 2010 (and in AlexNet).

    Torch: identical to torch.nn.init.normal_, which runs it.

    Slides: not in the slides.

    Source: Krizhevsky, Sutskever and Hinton, ImageNet classification with deep convolutional neural networks (2012).
    """
    nn.init.normal_(weight, 0.0, std, generator=generator)


def orthogonal(weight: Tensor, generator: Generator, *, gain: float = 1.0) -> None:
    """Orthogonal: a random rotation, which keeps the length of what passes.

    For a weight W, seen as a matrix M of shape (out, in · height · width), from the decomposition A = Q · R of a matrix
    of standard normal numbers, signs chosen such that every orthogonal matrix is as likely:

        M = gain · Q, so that M · Mᵀ = gain² · I where out ≤ in · height · width, Mᵀ · M = gain² · I otherwise

    Args:
        gain: factor on the matrix, > 0; √2 for ReLU.

    Torch: identical to torch.nn.init.orthogonal_, which runs it.

    Slides: not in the slides.

    Source: Saxe, McClelland and Ganguli, Exact solutions to the nonlinear dynamics of learning (ICLR 2014).
    """
    nn.init.orthogonal_(weight, gain, generator=generator)


def identity(weight: Tensor, generator: Generator) -> None:
    """Identity: a convolution begins by handing on its inputs; what more maps it has is drawn small.

    For a convolution W, shape (out, in, height, width), with its middle at (h, w) = (⌊height / 2⌋, ⌊width / 2⌋) and
    fan_in = in · height · width:

        W[i, j, y, x] = 1 where j = i and (y, x) = (h, w), otherwise 0      for maps i < in
        W[i] ~ U(−b, b) with b = √(1 / fan_in)                              for the other maps

    so that a deep network of such layers begins as a shallow one. The scores should be small and about the same in
    the beginning. For a dense layer W, shape (out, in):

        W ~ N(0, 1 / in²)

    Torch: identical to torch.nn.init.dirac_ on the first maps, and to the default of a new torch.nn.Conv2d on the
    others.

    Slides: not in the slides.

    Source: Zagoruyko and Komodakis, DiracNets (2017, arXiv:1706.00388); of a part of the maps: Jordan, 94 % on CIFAR-10
        in 3.29 seconds on a single GPU (2024, arXiv:2404.00498), section 3.3, whose network divides its scores instead.
    """
    if weight.ndim == 2:
        nn.init.normal_(weight, 0.0, 1.0 / weight.shape[1], generator=generator)
        return
    _draw(weight, generator, variance=1.0 / (3.0 * fans(weight)[0]), distribution="uniform")
    nn.init.dirac_(weight[: weight.shape[1]])


def he_gain(activation: ActivationName) -> float:
    """Return the gain of He's scheme for `activation`: a rectifier's own, √2 for all others."""
    return GAINS[activation] if activation in RECTIFIERS else GAINS["relu"]


def fans(weight: Tensor) -> tuple[int, int]:
    """Return how many inputs one output of the layer sums up, and how many outputs one input reaches."""
    field = math.prod(weight.shape[2:])
    return weight.shape[1] * field, weight.shape[0] * field


def _draw(weight: Tensor, generator: Generator, *, variance: float, distribution: Distribution) -> None:
    match distribution:
        case "normal":
            nn.init.normal_(weight, 0.0, math.sqrt(variance), generator=generator)
        case "uniform":
            bound = math.sqrt(3.0 * variance)
            nn.init.uniform_(weight, -bound, bound, generator=generator)
