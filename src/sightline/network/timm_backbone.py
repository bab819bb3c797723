"""timm: any of the library's architectures up to its features, with a head of our own behind it."""

from __future__ import annotations

from difflib import get_close_matches
from types import ModuleType
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor, nn

from sightline.errors import MissingLibraryError, RecipeError
from sightline.network.head import HeadName, build_head
from sightline.recipe.network import ActivationName


class TimmBackbone(nn.Module):
    """An architecture of timm without its classifier, and new last layers.

    Parameters are timm's own, under `backbone.`; the features are what timm's classifier would see. Activation,
    normalization and pooling are the architecture's and no choice of a recipe.

    Args:
        architecture: as timm calls it, with or without the tag of its weights.
        channels: of the picture, 1 or 3.
        classes: number of scores.
        image_size: height and width in pixels; some architectures take one size only.
        activation: of the hidden head.
        unit_dropout: probability to drop a number before the last layer.
        head: the published one is linear.
        head_units: of the hidden layer.

    Raises:
        MissingLibraryError: timm is not installed.
        RecipeError: timm has no such architecture, or it does not take pictures of this size.

    Source: Wightman, PyTorch image models (2019), github.com/huggingface/pytorch-image-models.
    """

    HEAD: ClassVar[str] = "head"

    def __init__(
        self,
        *,
        architecture: str,
        channels: int,
        classes: int,
        image_size: tuple[int, int],
        activation: ActivationName,
        unit_dropout: float,
        head: HeadName = "published",
        head_units: int = 0,
    ) -> None:
        super().__init__()
        self.architecture, self.channels = architecture, channels
        self.backbone = create(architecture, channels=channels)
        self.head = build_head(
            head,
            features=self._features(image_size),
            classes=classes,
            units=head_units,
            activation=activation,
            unit_dropout=unit_dropout,
        )

    def forward(self, images: Float[Tensor, "batch channel height width"]) -> Float[Tensor, "batch class"]:
        return self.classify(self.pool(self.maps(images)))

    @property
    def maps_last(self) -> bool:
        """Whether maps have the shape (batch, height, width, map), as in a Swin transformer."""
        return str(getattr(self.backbone, "output_fmt", "")).endswith("NHWC")

    def maps(self, images: Float[Tensor, "batch channel height width"]) -> Tensor:
        """Return maps, or the tokens of a transformer, as the architecture has them."""
        return self.backbone.forward_features(images)  # type: ignore[no-any-return,operator]

    def pool(self, maps: Tensor) -> Float[Tensor, "batch feature"]:
        return self.backbone.forward_head(maps, pre_logits=True)  # type: ignore[no-any-return,operator]

    def classify(self, features: Float[Tensor, "batch feature"]) -> Float[Tensor, "batch class"]:
        scores: Tensor = self.head(features)
        return scores

    def _features(self, image_size: tuple[int, int]) -> int:
        """Return how many numbers the backbone makes of a picture, by showing it one that takes no memory."""
        found, fixed = "{} × {}".format(*image_size), _fixed_size(self.architecture)
        wanted = "{} × {}".format(*fixed) if fixed else "larger pictures"
        if fixed is not None and fixed != image_size:
            raise RecipeError(f"data.image_size: found {found}, but {self.architecture} of timm takes {wanted} only.")
        try:
            with torch.no_grad(), torch.device("meta"):
                shape = self.eval().pool(self.maps(torch.zeros(2, self.channels, *image_size))).shape
        except (RuntimeError, ValueError, TypeError, AssertionError, IndexError, AttributeError) as error:
            raise RecipeError(
                f"data.image_size: found {found}, of which {self.architecture} of timm makes no features "
                f"({_first_line(error)}). Wanted {wanted}, or another architecture."
            ) from error
        finally:
            self.train()
        if len(shape) != 2:
            raise RecipeError(
                f"network.architecture: {self.architecture} makes features of shape {tuple(shape[1:])} of a picture; "
                "wanted an architecture for classification, whose features are a row of numbers."
            )
        return shape[1]


def restore_constants(module: nn.Module) -> None:
    """Give a timm backbone's buffers on torch's `meta` device their numbers; other modules have no such buffers.

    Buffers such as tables of relative positions are no weights: what they hold follows from the architecture, and many
    are in no file. They are taken from a second one, which timm fills. Running statistics are left as they are.

    Raises:
        RecipeError: such a buffer holds numbers that cannot be sealed.
    """
    if not isinstance(module, TimmBackbone):
        return
    layers = dict(module.backbone.named_modules())
    places = [name.rpartition(".") for name, buffer in module.backbone.named_buffers() if buffer.is_meta]
    lacking = [(owner, leaf) for owner, _, leaf in places if not isinstance(layers[owner], nn.BatchNorm2d)]
    if not lacking:
        return
    with torch.device("cpu"):
        filled = dict(create(module.architecture, channels=module.channels).named_modules())
    for owner, leaf in lacking:
        setattr(layers[owner], leaf, getattr(filled[owner], leaf))
    infinite = next((name for name, each in module.backbone.state_dict().items() if _infinite(each)), None)
    if infinite is not None:
        raise RecipeError(
            f"network.architecture: {module.architecture} keeps infinite numbers in {infinite}, which no model file of "
            "Sightline holds. Wanted another one of timm.list_models()."
        )


def create(architecture: str, *, channels: int) -> nn.Module:
    """Return timm's module up to its features, without trained weights; the global generator stays as it was.

    Raises:
        MissingLibraryError: timm is not installed.
        RecipeError: timm has no such architecture.
    """
    timm = require_timm(f"network.architecture {architecture}")
    require_architecture(architecture, f"network.architecture: found {architecture}")
    try:
        with torch.random.fork_rng(devices=[]):
            module: nn.Module = timm.create_model(architecture, pretrained=False, num_classes=0, in_chans=channels)
    except (RuntimeError, ValueError, TypeError, AssertionError) as error:
        raise RecipeError(
            f"network.architecture: timm cannot build {architecture} for pictures of {channels} channels "
            f"({_first_line(error)}). Wanted another one of timm.list_models()."
        ) from error
    return module


def require_timm(where: str) -> ModuleType:
    """Return timm.

    Raises:
        MissingLibraryError: it is not installed, or torchvision, which it needs, is of another build than torch.
    """
    try:
        import timm
    except ModuleNotFoundError as error:
        raise MissingLibraryError(
            f'{where}: needs timm; {error.name} is not installed. Install it: pip install "sightline[timm]"'
        ) from error
    except (ImportError, RuntimeError, AttributeError) as error:
        raise MissingLibraryError(
            f"{where}: needs timm, which cannot be imported ({_first_line(error)}). Install the torchvision that was "
            "built for this torch."
        ) from error
    return timm  # type: ignore[no-any-return]


def require_architecture(name: str, found: str) -> None:
    """Raise RecipeError where timm has no architecture of this name; a tag of weights behind a dot does not count."""
    timm = require_timm(found)
    plain = name.partition(".")[0]
    if timm.is_model(plain):
        return
    near = get_close_matches(plain, timm.list_models(), n=1)
    hint = f" Did you mean {near[0]}?" if near else ""
    raise RecipeError(f"{found}, wanted the name of an architecture that timm has (timm.list_models()).{hint}")


def _fixed_size(architecture: str) -> tuple[int, int] | None:
    """Return height and width where the architecture takes no other."""
    cfg = require_timm(architecture).get_pretrained_cfg(architecture)
    if cfg is None or not getattr(cfg, "fixed_input_size", False):
        return None
    _, height, width = cfg.input_size
    return height, width


def _infinite(tensor: Tensor) -> bool:
    return not tensor.is_meta and tensor.is_floating_point() and not bool(tensor.isfinite().all())


def _first_line(error: Exception) -> str:
    return (str(error) or type(error).__name__).partition("\n")[0][:120]
