"""Transfer learning: beginning from weights that were trained on other pictures, and how far to go from them."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from sightline.recipe.choices import Auto, Choices


class Transfer(Choices):
    """Two stages: a new last layer on frozen features, then all layers at a lower rate. Without weights: neither."""

    weights: str = Field(
        default="",
        description="A sealed model, a .safetensors file under torchvision's or timm's names, hub:OWNER/NAME or "
        "timm:NAME. Empty: train from random weights.",
    )
    digest: str = Field(
        default="", description="Of the weights' tensors. Empty: noted when they are read; otherwise held against them."
    )
    depth: Literal["auto", "head", "both"] = Field(
        default="auto",
        description="head: only the new last layer is trained; both: then all layers. auto: by the pictures per class.",
    )
    features: Literal["cached", "exact"] = Field(
        default="cached",
        description="Stage one: cached computes the frozen features of some augmented views once; exact passes freshly "
        "augmented pictures through the frozen layers in every epoch.",
    )
    views: Auto | Annotated[int, Field(ge=1, le=1000)] = Field(
        default="auto", description="Augmented views of each picture whose features are cached. auto: 2 to 16."
    )
    head_epochs: Auto | Annotated[int, Field(ge=1, le=100_000)] = Field(
        default="auto", description="Passes of stage one; training.epochs are those of stage two."
    )
    batch_norm: Literal["auto", "frozen", "follow", "adapt"] = Field(
        default="auto",
        description="Statistics of batch normalization: frozen keeps the source's in both stages; follow keeps them in "
        "stage one and lets stage two move them; adapt measures them anew on the training pictures first (Li et al. "
        "2017). auto: follow, or frozen where training pictures or batches are few.",
    )
    rate_factor: float = Field(
        default=0.1,
        gt=0,
        le=1,
        description="Stage two's rate as a share of optimizer.learning_rate; the lecture: 1/10.",
    )
    layer_decay: float = Field(
        default=0.95,
        gt=0,
        le=1,
        description="Stage two: the rate falls by this factor with each layer towards the input (ULMFiT, Howard and "
        "Ruder 2018); 1: the same rate in all.",
    )
    unfreezing: Literal["at_once", "gradual"] = Field(
        default="at_once",
        description="Stage two: gradual lets one more layer learn at a time, from the last to the first, over the "
        "first half of the epochs (Howard and Ruder 2018).",
    )
    l2_sp: float = Field(
        default=0.0,
        ge=0,
        le=100,
        description="Stage two: pull of the old layers towards where they started (L2-SP, Li et al. 2018); 0: none.",
    )
    distillation: Auto | Annotated[float, Field(ge=0, le=100)] = Field(
        default="auto",
        description="Stage two: weight of the old last layer's answers on the new pictures (learning without "
        "forgetting, Li and Hoiem 2016); 0: none. auto: 0.5 where the weights have their last layer.",
    )
    distillation_temperature: float = Field(
        default=2.0, gt=0, le=100, description="What the old answers' scores are divided by; 2 in the paper."
    )
    interpolation: Literal["none", "validation"] | Annotated[float, Field(ge=0, le=1)] = Field(
        default="none",
        description="After the training: weights between the start (0) and the end (1) of stage two (WiSE-FT, Wortsman "
        "et al. 2022). A number, or validation: where the validation loss is least. none: the end.",
    )
    source_data: str = Field(
        default="",
        description="Pictures that the weights were trained for: how well the old last layer still does on them is "
        "measured before and after.",
    )

    @property
    def idle(self) -> bool:
        """Without weights nothing is transferred."""
        return not self.weights
