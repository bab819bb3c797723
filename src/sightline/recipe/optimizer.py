"""The loss, the update rule and the schedule of its rate."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from sightline.recipe.choices import Auto, Choices, named

Rate = Auto | Annotated[float, Field(gt=0, le=100)]
Decay = Annotated[float, Field(ge=0, lt=1)]
Factor = Annotated[float, Field(gt=0, le=1e6)]
RATE = "Step length; the peak where a schedule varies it. auto: the rule's usual value at the batch size."


class Loss(Choices):
    """Cross-entropy between the predicted and the true class."""

    name: Literal["cross_entropy"] = "cross_entropy"
    label_smoothing: float = Field(
        default=0.1, ge=0, lt=1, description="Share of the target spread over all classes (Szegedy et al. 2016)."
    )
    class_weights: Literal["none", "balanced"] = Field(
        default="none", description="balanced: each class counts the same in total, however few its pictures."
    )


class OptimizerChoices(Choices):
    """What every update rule lets you choose."""

    weight_decay: float = Field(default=0.0, ge=0, le=10, description="Pull of decayed parameters towards 0, per step.")
    decayed: Literal["weights", "all"] = Field(
        default="weights", description="weights: never biases and normalization (usual); all: every parameter."
    )
    clip_norm: float = Field(default=0.0, ge=0, description="Largest norm of the whole gradient; 0 does not clip.")
    bias_rate: Factor = Field(default=1.0, description="Factor on the rate of biases and of normalization's shifts.")
    head_rate: Auto | Factor = Field(default=1.0, description="Factor on the rate of the last layers. auto: 1.")


class Sgd(OptimizerChoices):
    """W ← W − α g. Plain: no momentum."""

    name: Literal["sgd"] = "sgd"
    learning_rate: Rate = Field(default="auto", description=RATE)


class Momentum(OptimizerChoices):
    """v ← ρ v + g; W ← W − α v."""

    name: Literal["momentum"] = "momentum"
    learning_rate: Rate = Field(default="auto", description=RATE)
    momentum: Decay = Field(default=0.9, description="ρ, the share of the velocity that stays: 1 minus the friction.")


class Nesterov(OptimizerChoices):
    """v ← ρ v + g; W ← W − α (g + ρ v)."""

    name: Literal["nesterov"] = "nesterov"
    learning_rate: Rate = Field(default="auto", description=RATE)
    momentum: Annotated[float, Field(gt=0, lt=1)] = Field(
        default=0.9, description="ρ, the share of the velocity that stays."
    )


class RmsProp(OptimizerChoices):
    """S ← ρ S + (1 − ρ) g²; W ← W − α g / (√S + ε)."""

    name: Literal["rmsprop"] = "rmsprop"
    learning_rate: Rate = Field(default="auto", description=RATE)
    decay: Decay = Field(default=0.99, description="ρ, weight of the past in the average of squared gradients.")
    epsilon: float = Field(default=1e-8, gt=0, description="Keeps the division finite; outside the root.")


class Adadelta(OptimizerChoices):
    """Steps in the unit of the weights: √(E[ΔW²] + ε) / √(E[g²] + ε) · g."""

    name: Literal["adadelta"] = "adadelta"
    learning_rate: Rate = Field(default="auto", description="Factor on the step; the paper has none, that is 1.")
    decay: Decay = Field(default=0.95, description="ρ, weight of the past in both averages.")
    epsilon: float = Field(default=1e-6, gt=0, description="Starts the steps and keeps them finite; inside both roots.")


class AdamChoices(OptimizerChoices):
    """What Adam and AdamW share."""

    learning_rate: Rate = Field(default="auto", description=RATE)
    beta1: Decay = Field(default=0.9, description="Weight of the past in the average of gradients (slides: ρ1).")
    beta2: Decay = Field(
        default=0.999, description="Weight of the past in the average of squared gradients (slides: ρ2)."
    )
    epsilon: float = Field(default=1e-8, gt=0, description="Keeps the division finite; outside the root.")


class Adam(AdamChoices):
    """Averaged gradient over the root of the averaged squared gradient, both freed of their bias."""

    name: Literal["adam"] = "adam"


class AdamW(AdamChoices):
    """Adam with weight decay applied to the weights, not through the gradient."""

    name: Literal["adamw"] = "adamw"
    weight_decay: float = Field(
        default=0.05, ge=0, le=10, description="Share of a weight, times the rate, removed each step."
    )


class Muon(OptimizerChoices):
    """Nesterov's velocity, its matrices made orthogonal: every direction is as long (Jordan et al. 2024)."""

    name: Literal["muon"] = "muon"
    learning_rate: Rate = Field(default="auto", description=RATE)
    momentum: Decay = Field(default=0.6, description="ρ, the share of a matrix's velocity that stays.")
    iterations: int = Field(
        default=3, ge=1, le=20, description="Newton–Schulz iterations; more make it more exactly orthogonal."
    )
    rest_momentum: Decay = Field(
        default=0.85, description="ρ of what is no hidden matrix: biases, normalization and the last layers."
    )
    head_rate: Auto | Factor = Field(
        default="auto",
        description="Factor on the rate of the last layers. auto: 0.1; in swift 0.085 · 256 / its last maps.",
    )
    weight_decay: float = Field(
        default=0.0, ge=0, le=10, description="Share of a weight, times the rate, removed each step; no matrix decays."
    )


Optimizer = Annotated[
    Annotated[
        Sgd | Momentum | Nesterov | RmsProp | Adadelta | Adam | AdamW | Muon,
        Field(discriminator="name"),
    ],
    BeforeValidator(named("adamw")),
]


class ScheduleChoices(Choices):
    """What every schedule lets you choose."""

    warmup_epochs: float = Field(
        default=0.0, ge=0, description="Epochs of linear rise from near 0 before the schedule proper begins."
    )


class Constant(ScheduleChoices):
    """The same rate throughout."""

    name: Literal["constant"] = "constant"


class Step(ScheduleChoices):
    """The rate times `factor` after each of the stated shares of the training."""

    name: Literal["step"] = "step"
    at: tuple[Annotated[float, Field(gt=0, lt=1)], ...] = Field(
        default=(0.5, 0.75),
        strict=False,
        min_length=1,
        description="Shares of the training, 0 to 1, at which the rate drops.",
    )
    factor: float = Field(default=0.1, gt=0, lt=1, description="What the rate is multiplied by at each drop.")


class Cosine(ScheduleChoices):
    """Half a cosine from the rate down to `final` times it (Loshchilov and Hutter 2017)."""

    name: Literal["cosine"] = "cosine"
    final: float = Field(default=0.0, ge=0, le=1, description="Last rate as a share of the first.")


class OneCycle(ScheduleChoices):
    """Up to the rate along half a cosine, then down to almost nothing (Smith and Topin 2019)."""

    name: Literal["one_cycle"] = "one_cycle"
    rise: float = Field(default=0.25, gt=0, lt=1, description="Share of the training in which the rate rises.")
    start: float = Field(default=0.04, gt=0, le=1, description="First rate as a share of the peak.")
    final: float = Field(default=1e-4, ge=0, le=1, description="Last rate as a share of the peak.")


class Linear(ScheduleChoices):
    """Straight down from the rate to `final` times it."""

    name: Literal["linear"] = "linear"
    final: float = Field(default=0.0, ge=0, le=1, description="Last rate as a share of the first.")


class Triangular(ScheduleChoices):
    """Straight up to the rate, then straight down (Smith 2017)."""

    name: Literal["triangular"] = "triangular"
    rise: float = Field(default=0.2, gt=0, lt=1, description="Share of the training in which the rate rises.")
    start: float = Field(default=0.2, ge=0, le=1, description="First rate as a share of the peak.")
    final: float = Field(default=0.0, ge=0, le=1, description="Last rate as a share of the peak.")


Schedule = Annotated[
    Annotated[Constant | Step | Cosine | OneCycle | Linear | Triangular, Field(discriminator="name")],
    BeforeValidator(named("one_cycle")),
]
