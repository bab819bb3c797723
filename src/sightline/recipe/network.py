"""The network: architecture, activation, initialization, normalization and dropout."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, model_validator

from sightline.recipe.choices import Auto, Choices, named

ActivationName = Literal["sigmoid", "tanh", "relu", "relu6", "leaky_relu", "elu", "selu", "gelu", "silu"]
Width = Annotated[int, Field(ge=1, le=4096)]
Widths = Annotated[tuple[Width, ...], Field(strict=False, min_length=1, max_length=8)]
SWIFT_WIDTHS = (64, 256, 256)
Distribution = Literal["normal", "uniform"]
ACTIVATION = "Non-linearity after every hidden layer."
RUNNING = (
    "Weight of a new batch in the running statistics of batch normalization (torch's momentum), of all its parts "
    "together where it is divided; short trainings on large batches want more."
)


class AutoInitialization(Choices):
    """By the activation: He for rectifiers, LeCun for SELU, Xavier for sigmoid and tanh; identity for swift."""

    name: Literal["auto"] = "auto"


class Xavier(Choices):
    """Variance 2 / (fan_in + fan_out): keeps the spread of signals and gradients of tanh-like units."""

    name: Literal["xavier"] = "xavier"
    distribution: Distribution = Field(default="uniform", description="Uniform in the paper (Glorot and Bengio 2010).")


class He(Choices):
    """Variance gain² / fan, 2 / fan for ReLU: makes up for the half of the signal that a rectifier removes."""

    name: Literal["he"] = "he"
    distribution: Distribution = Field(default="normal", description="Normal in the paper (He et al. 2015).")
    fan: Literal["in", "out"] = Field(default="in", description="in keeps the forward spread, out the backward one.")


class LeCun(Choices):
    """Variance 1 / fan_in: keeps the spread of a linear or self-normalizing (SELU) network."""

    name: Literal["lecun"] = "lecun"
    distribution: Distribution = Field(default="normal", description="Normal as SELU wants it (Klambauer et al. 2017).")


class Normal(Choices):
    """A fixed standard deviation, whatever the layer's size: the choice that fails with depth."""

    name: Literal["normal"] = "normal"
    std: float = Field(default=0.01, gt=0, le=10, description="Standard deviation of every weight.")


class Orthogonal(Choices):
    """A random orthogonal matrix: keeps the norm of what passes (Saxe et al. 2014)."""

    name: Literal["orthogonal"] = "orthogonal"
    gain: Auto | Annotated[float, Field(gt=0, le=10)] = Field(
        default="auto", description="Factor on the matrix. auto: the activation's own gain, √2 for ReLU."
    )


class Identity(Choices):
    """Convolutions hand on what they get, as far as they have a map for it; the rest is drawn small (Dirac)."""

    name: Literal["identity"] = "identity"


Initialization = Annotated[
    Annotated[AutoInitialization | Xavier | He | LeCun | Normal | Orthogonal | Identity, Field(discriminator="name")],
    BeforeValidator(named("auto")),
]


class NetworkChoices(Choices):
    """What every architecture lets you choose."""

    activation: ActivationName = Field(default="relu", description=ACTIVATION)
    first_layer: Auto | Literal["drawn", "whitening"] = Field(
        default="auto",
        description="Where the first filters come from. drawn: the initialization; whitening: the training pictures, "
        "whose patches they decorrelate, and they stay so. auto: whitening for swift, otherwise drawn.",
    )
    initialization: Initialization = Field(
        default_factory=AutoInitialization, description="How weights start; biases start at 0."
    )
    normalization: Literal["batch", "group", "none"] = Field(
        default="batch",
        description="batch over the batch and the picture; group within each picture, for small batches.",
    )
    running_share: Annotated[float, Field(gt=0, le=1)] = Field(default=0.1, description=RUNNING)
    dropout: Auto | Annotated[float, Field(ge=0, lt=1, title="a probability")] = Field(
        default="auto", description="Probability to DROP a unit (not to keep it). auto: by the amount of data."
    )
    dropout_where: Literal["classifier", "blocks", "everywhere"] = Field(
        default="classifier",
        description="Before the last layer, after each stage of convolutions (whole maps), or both.",
    )
    pooling: Literal["max", "average"] = Field(
        default="max", description="How stages shrink their maps (for resnet: in the stem)."
    )
    head: Literal["auto", "published", "linear", "hidden"] = Field(
        default="auto",
        description="The last layers. published: the architecture's own; linear: one dense layer on averaged maps; "
        "hidden: one hidden layer before it. auto: published; in transfer learning linear.",
    )
    head_units: Width = Field(default=256, description="Units of the hidden layer of head hidden.")


class AutoNetwork(NetworkChoices):
    """The architecture is chosen from the size and number of the pictures and from the machine."""

    name: Literal["auto"] = "auto"


class LeNet(NetworkChoices):
    """Two convolutions and three dense layers, after LeCun et al. 1998, with a free width."""

    name: Literal["lenet"] = "lenet"
    width: float = Field(
        default=1.0, gt=0, le=64, description="Factor on every layer's number of units (6, 16, 120, 84)."
    )


class VGG(NetworkChoices):
    """Plain stacked 3×3 convolutions, after Simonyan and Zisserman 2015, with free depth and width."""

    name: Literal["vgg"] = "vgg"
    widths: Widths = Field(default=(32, 64, 128), description="Number of maps in each stage.")
    convolutions: tuple[Annotated[int, Field(ge=1, le=16)], ...] = Field(
        default=(1, 2, 2),
        strict=False,
        min_length=1,
        max_length=8,
        description="Number of 3×3 convolutions in each stage.",
    )
    hidden: tuple[Width, ...] = Field(
        default=(),
        strict=False,
        max_length=4,
        description="Dense layers between the pooled maps and the output; none by default.",
    )

    @model_validator(mode="after")
    def _a_width_per_stage(self) -> VGG:
        if len(self.widths) != len(self.convolutions):
            raise ValueError(
                f"widths has {len(self.widths)} stages and convolutions {len(self.convolutions)}; wanted the same "
                "number in both."
            )
        return self


class ResNet(NetworkChoices):
    """Residual network, after He et al. 2016. Parameters are named as in torchvision and timm."""

    name: Literal["resnet"] = "resnet"
    depth: Literal[18, 34, 50] = Field(default=18, description="Number of weighted layers of the published variants.")
    width: Annotated[int, Field(ge=4, le=512)] = Field(
        default=64, description="Maps of the first stage; each later stage doubles them. 64 fits published weights."
    )
    stem: Auto | Literal["small", "large"] = Field(
        default="auto",
        description="large: 7×7 stride 2 and pooling (224 px); small: 3×3 stride 1. auto: large from 96 px.",
    )


class Swift(NetworkChoices):
    """Plain, and fast to train: whitened patches, few stages that pool early, after Jordan 2024."""

    name: Literal["swift"] = "swift"
    widths: Auto | Widths = Field(
        default="auto",
        description="Number of maps in each stage. auto: 64, 256 and 256, or a share of that which a time budget has "
        "enough passes over the pictures for.",
    )
    convolutions: Annotated[int, Field(ge=1, le=8)] = Field(
        default=2, description="Number of 3×3 convolutions in each stage; from 3 on, the later ones are a residual."
    )
    activation: ActivationName = Field(default="gelu", description=ACTIVATION)
    running_share: Annotated[float, Field(gt=0, le=1)] = Field(default=0.4, description=RUNNING)


class SqueezeNet(NetworkChoices):
    """Few weights, after Iandola et al. 2016 (version 1.1). Parameters are named as in torchvision."""

    name: Literal["squeezenet"] = "squeezenet"


class MobileNetV2(NetworkChoices):
    """Convolutions of single maps, after Sandler et al. 2018. Parameters are named as in torchvision."""

    name: Literal["mobilenet_v2"] = "mobilenet_v2"
    width: float = Field(
        default=1.0, ge=0.1, le=4, description="Factor on every layer's maps. 1, with relu6, fits published weights."
    )


class Timm(NetworkChoices):
    """An architecture of the library timm, whose activation, normalization and pooling are its own."""

    name: Literal["timm"] = "timm"
    architecture: str = Field(
        default="resnet18",
        # A plain name: timm would take addresses of other places, too, and run what they say.
        pattern=r"^[a-z0-9][A-Za-z0-9_]*(\.[A-Za-z0-9_]+)?$",
        max_length=120,
        title="a name that timm lists",
        description="As timm.list_models() has it, such as convnext_tiny; a tag of its weights may follow a dot.",
    )


Network = Annotated[
    Annotated[
        AutoNetwork | LeNet | VGG | ResNet | Swift | SqueezeNet | MobileNetV2 | Timm, Field(discriminator="name")
    ],
    BeforeValidator(named("auto")),
]
