"""How steep an activation is where a unit stands: a saturated unit passes no gradient on."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

FLAT = 0.01
"""Share of the largest slope below which a unit is called saturated."""


def slope(activation: nn.Module, inputs: Tensor, outputs: Tensor) -> Tensor | None:
    """Return |f′(z)| / max |f′| for every number z that entered an activation f; None for one that is not known.

        sigmoid: 4 · σ(z) · (1 − σ(z))      tanh: 1 − tanh(z)²
        ReLU: [z > 0]                       ReLU6: [0 < z < 6]
        leaky ReLU: 1 for z > 0, else its slope
        ELU: 1 for z > 0, else exp(z)       SELU: the same over α when α exp(0) is the largest
        GELU: (Φ(z) + z φ(z)) / 1.129       SiLU: σ(z) (1 + z (1 − σ(z))) / 1.100

    Args:
        activation: the module.
        inputs: z.
        outputs: f(z), of the same shape.
    """
    match activation:
        case nn.Sigmoid():
            return (1.0 - outputs).mul(outputs).mul(4.0)
        case nn.Tanh():
            return 1.0 - outputs * outputs
        case nn.ReLU():
            return torch.where(outputs > 0, 1.0, 0.0)
        case nn.ReLU6():
            return torch.where((outputs > 0) & (outputs < 6.0), 1.0, 0.0)
        case nn.LeakyReLU():
            return torch.where(inputs > 0, 1.0, float(activation.negative_slope))
        case nn.ELU():
            return torch.where(inputs > 0, torch.ones_like(inputs), inputs.exp())
        case nn.SELU():
            alpha = 1.6732632423543772
            return torch.where(inputs > 0, torch.full_like(inputs, 1.0 / alpha), inputs.exp())
        case nn.GELU():
            normal = torch.exp(-0.5 * inputs * inputs) / math.sqrt(2.0 * math.pi)
            return torch.abs(torch.special.ndtr(inputs) + inputs * normal) / 1.1289
        case nn.SiLU():
            gate = torch.sigmoid(inputs)
            return torch.abs(gate * (1.0 + inputs * (1.0 - gate))) / 1.0998
        case _:
            return None
