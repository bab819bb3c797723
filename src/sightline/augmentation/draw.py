"""Draw: from a recipe and the identities of pictures to their plan. Every number is a function of identity.

Each operation has a stream of its own, named after it, so that two never share numbers, and a picture's numbers depend
on the seed, the epoch and itself alone: not on its batch, on workers, or on what was drawn before.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sightline.allocation import keep_freed_memory
from sightline.augmentation import color, cpu_compose, field, geometry
from sightline.augmentation.boxes import paste_boxes, random_boxes
from sightline.augmentation.plan import Plan, identity
from sightline.augmentation.prefilter import antialiasing
from sightline.augmentation.streams import Streams
from sightline.errors import RecipeError
from sightline.recipe import operations as op
from sightline.recipe import policies
from sightline.recipe.augmentation import Augmentation
from sightline.recipe.operations import AnyOperation

Numbers = NDArray[np.float64]
Chosen = NDArray[np.bool_]


def draw(
    augmentation: Augmentation | str | Sequence[AnyOperation | str],
    keys: ArrayLike,
    *,
    seed: int = 0,
    epoch: int = 1,
    source: tuple[int, int],
    size: tuple[int, int] | None = None,
    channels: int = 3,
    pool: NDArray[np.uint64] | None = None,
) -> Plan:
    """Augmentation: draws how each picture is turned into another valid one, anew in every epoch.

    For the pixel at q of a result, with its displacement d, lens k, homography H, color matrix C, exponent γ, noise n
    of deviation s, and the standardization of its channel:

        q' = H · lens(q + d(q)),   lens(p) = c + (p − c)(1 + k r²)
        v = clip(C · picture(q'))
        x = scale · clip(v^γ + s n) + offset

    and with a partner y and share λ (mixup) x ← λ x + (1 − λ) y, for labels too. H = H₁ · H₂ · … composes what geometry
    does, C what color does, each in the order of the recipe, so that a picture is interpolated once.

    Args:
        augmentation: the recipe's section, the name of a policy, or a list of operations.
        keys: identity of each picture, below 2⁶⁴: any whole number that is the picture's own.
        seed: another one draws everything anew.
        epoch: 1 for the first; every epoch draws anew.
        source: height and width of the pictures.
        size: height and width of the results; the source's where None.
        channels: 1 or 3.
        pool: identities of all pictures that mixup and cutmix may take as partners. The plan then has a row more for
            each partner, whose position in the pool is in `others`. Without it, partners come from the batch itself.

    Returns:
        The plan, a row for each picture; `render` applies it.

    Raises:
        RecipeError: an operation on color for pictures of one channel, a size without pixels, identities that are no
            whole numbers, or a pool without pictures.

    Torch: it has none of its own; torchvision's transforms draw from a global generator and resample once for each
        operation.

    Slides: as here, "every transformation that yields a valid image", with a list of kinds and without equations.

    Source: Simard, Steinkraus and Platt, Best Practices for Convolutional Neural Networks (ICDAR 2003), for the
        practice; the operations name their own.
    """
    keep_freed_memory()
    if channels not in (1, 3):
        raise RecipeError(f"channels: found {channels}, wanted 1 or 3.")
    if not 0 <= epoch < 2**32:
        raise RecipeError(f"epoch: found {epoch}, wanted a whole number from 0 to 2³² − 1; the first epoch is 1.")
    chosen = _section(augmentation)
    operations = listed(chosen, channels=channels)
    for each in operations:
        if channels == 1 and isinstance(each, op.NEEDS_COLOR):
            raise RecipeError(
                f"augmentation.operations: found {each.name}, which needs three channels, for pictures of one; "
                "leave it out, or choose data.channels 3."
            )
    own = _identities(keys, "keys")
    partners = None if pool is None else _identities(pool, "pool")
    drawing = _Drawing(
        chosen, operations, seed=seed, epoch=epoch, source=source, size=size or source, channels=channels
    )
    plan = drawing.plan(own)
    return drawing.with_partners(plan, own, partners)


def _identities(keys: ArrayLike, where: str) -> NDArray[np.uint64]:
    given = np.atleast_1d(np.asarray(keys))
    if given.dtype.kind == "f" and not isinstance(keys, np.ndarray):
        # NumPy makes floats of a list that has numbers on both sides of 2⁶³; as objects they stay whole.
        whole = np.atleast_1d(np.asarray(keys, dtype=object))
        if all(isinstance(key, int) and 0 <= key < 2**64 for key in whole):
            return whole.astype(np.uint64)
    if given.size and (given.dtype.kind not in "iu" or (given < 0).any()):
        found = given[:3].tolist()
        raise RecipeError(f"{where}: found {found}, wanted the pictures' identities, whole numbers from 0 to 2⁶⁴ − 1.")
    return given.astype(np.uint64)


def listed(augmentation: Augmentation, *, channels: int) -> tuple[AnyOperation, ...]:
    """Return the operations that a section stands for; an orientation that is still `"auto"` counts as `"mirror"`.

    Raises:
        RecipeError: the policy is still `"auto"`.
    """
    if augmentation.operations:
        return augmentation.operations
    policy, orientation = augmentation.policy, augmentation.orientation
    if policy == "auto" or policy == "custom":  # noqa: PLR1714 - mypy learns from this form which policies are left
        raise RecipeError(f'augmentation.policy: found "{policy}" without operations, wanted one that lists its own.')
    return policies.operations(
        policy, orientation="mirror" if orientation == "auto" else orientation, channels=channels
    )


class _Drawing:
    """What the rows of a plan have in common."""

    def __init__(
        self,
        chosen: Augmentation,
        operations: tuple[AnyOperation, ...],
        *,
        seed: int,
        epoch: int,
        source: tuple[int, int],
        size: tuple[int, int],
        channels: int,
    ) -> None:
        self.chosen, self.operations = chosen, operations
        self.seed, self.epoch = seed, epoch
        self.source, self.size, self.channels = source, size, channels

    def plan(self, keys: NDArray[np.uint64]) -> Plan:
        """Return the rows of `keys`, without partners."""
        streams = Streams(keys, self.seed, self.epoch, self.operations, one=self.chosen.policy == "trivial")
        plain = identity(len(keys), source=self.source, size=self.size, channels=self.channels)
        middle = self._geometry(streams)
        homography = geometry.between_frames(middle, source=self.source, size=self.size)
        shrinking = cpu_compose.shrinking(homography, *self.size)
        values: dict[str, object] = {"homography": homography, "color": self._color(streams, plain.color)}
        variance = antialiasing(shrinking)
        for each in self.operations:
            u, on = streams.of(each)
            match each:
                case op.Elastic():
                    values |= self._elastic(each, streams, u, on)
                case op.Lens():
                    values["lens"] = np.where(on, _even(u[:, 1], each.strength), 0.0)
                case op.Gamma():
                    values["gamma"] = np.where(on, _log_even(u[:, 1], each.exponent), 1.0)
                case op.GaussianNoise():
                    values["noise"] = np.where(on, _even(u[:, 1], each.deviation), 0.0)
                case op.SaltPepper():
                    values["salt_pepper"] = np.where(on, _even(u[:, 1], each.share), 0.0)
                case op.Blur():
                    sigma = np.where(on, _even(u[:, 1], each.sigma_pixels), 0.0)
                    variance = variance + (sigma[:, None] * shrinking) ** 2
                case op.Sharpen():
                    values["sharpen"] = np.where(on, _even(u[:, 1], each.amount), 0.0)
                case op.Jpeg():
                    values["jpeg"] = np.where(on, np.round(_even(u[:, 1], each.quality)), 0).astype(np.int32)
                case op.Erasing():
                    boxes = random_boxes(
                        self.size, _even(u[:, 1], each.area), _log_even(u[:, 2], each.aspect), u[:, 3], u[:, 4]
                    )
                    values["erase"] = np.where(on[:, None], boxes, 0)
                    values["erase_value"] = each.value / 255.0
        if any(isinstance(each, op.GaussianNoise | op.SaltPepper) for each in self.operations):
            values["noise_key"] = streams.noise_keys()
        return replace(
            plain,
            fill=self.chosen.fill,
            fill_value=self.chosen.fill_value,
            interpolation=self.chosen.interpolation,
            blur=np.sqrt(variance),
            **values,  # type: ignore[arg-type]
        )

    def with_partners(self, plan: Plan, keys: NDArray[np.uint64], pool: NDArray[np.uint64] | None) -> Plan:
        """Return the plan with a partner for the pictures that mixup or cutmix chooses."""
        mixers = [each for each in self.operations if isinstance(each, op.CHANGES_LABELS)]
        if not mixers or not len(keys):
            return plan
        if pool is not None and not len(pool):
            raise RecipeError("pool: found no pictures, wanted those that mixup and cutmix may take as partners.")
        streams = Streams(keys, self.seed, self.epoch, self.operations, one=self.chosen.policy == "trivial")
        count = len(keys) if pool is None else len(pool)
        chance, place = streams.mixing()
        weight, paste, mixed = np.ones(len(keys)), np.zeros((len(keys), 4), np.int32), place < 0
        for each in mixers:
            u, on = streams.of(each)
            if self.chosen.policy != "trivial":
                # One number decides between the two, from either end, so that a picture never has two partners and
                # neither takes pictures from the other, whichever is listed first.
                on = chance >= 1.0 - each.probability if isinstance(each, op.Cutmix) else chance < each.probability
                on &= ~mixed
            own_share = _beta(u[:, 1], each.alpha)
            if isinstance(each, op.Cutmix):
                boxes, own_share = paste_boxes(self.size, own_share, u[:, 2], u[:, 3])
                paste = np.where(on[:, None], boxes, paste)
            weight, mixed = np.where(on, own_share, weight), mixed | on
        position = np.minimum((place * count).astype(np.int64), count - 1)
        if pool is None:
            return replace(plan, partner=np.where(mixed, position, -1), weight=weight, paste=paste)
        others, row = np.unique(position[mixed], return_inverse=True)
        partner = np.full(len(keys), -1, np.int64)
        partner[mixed] = len(keys) + row
        longer = _joined(plan, self.plan(np.asarray(pool)[others])) if len(others) else plan
        return replace(longer, own=len(keys), partner=partner, weight=weight, paste=paste, others=others)

    def _geometry(self, streams: Streams) -> geometry.Matrices:
        """Compose, in the order of the recipe, where every result comes from, about the middle."""
        composed = np.broadcast_to(np.eye(3), (streams.count, 3, 3)).copy()
        for each in self.operations:
            if isinstance(each, op.GEOMETRY):
                u, on = streams.of(each)
                cpu_compose.geometry_then(composed, self._way_back(each, streams, u, on), on)
        return composed

    def _way_back(self, each: AnyOperation, streams: Streams, u: Numbers, on: Chosen) -> geometry.Matrices:
        height, width = self.size
        none = np.zeros(len(u), bool)
        match each:
            case op.HorizontalFlip():
                return geometry.flip(on, none)
            case op.VerticalFlip():
                return geometry.flip(none, on)
            case op.AlternatingFlip():
                first = streams.whatever_epoch(each)[:, 1] < 0.5
                return geometry.flip(first ^ (self.epoch % 2 == 0), none)
            case op.QuarterTurns():
                return geometry.rotation(90.0 * np.floor(4.0 * u[:, 1]))
            case op.Rotation():
                return geometry.rotation(_even(u[:, 1], each.degrees))
            case op.Translation():
                return geometry.translation(
                    width * _even(u[:, 1], each.horizontal), height * _even(u[:, 2], each.vertical)
                )
            case op.Scaling():
                factor = _log_even(u[:, 1], each.factor)
                return geometry.scaling(factor, factor)
            case op.Aspect():
                root = np.sqrt(_log_even(u[:, 1], each.ratio))
                return geometry.scaling(root, 1.0 / root)
            case op.Shear():
                return geometry.shear(_even(u[:, 1], each.horizontal), _even(u[:, 2], each.vertical))
            case op.Crop():
                area, aspect = _even(u[:, 1], each.area), _log_even(u[:, 2], each.aspect)
                # Where the shape asked for does not fit, the nearest that does keeps the area.
                aspect = np.clip(aspect, area, 1.0 / area)
                wide, high = np.sqrt(area * aspect), np.sqrt(area / aspect)
                return geometry.crop(
                    wide, high, width * (1 - wide) * (u[:, 3] - 0.5), height * (1 - high) * (u[:, 4] - 0.5)
                )
            case op.PadAndCrop():
                most = np.round(np.array([width, height]) * each.padding)
                moves = np.floor(u[:, 1:3] * (2 * most + 1)) - most
                return geometry.translation(moves[:, 0], moves[:, 1])
            case op.Perspective():
                far = _even(u[:, 1], each.distortion)[:, None, None] * (width, height)
                inwards = np.array([[1, 1], [-1, 1], [-1, -1], [1, -1]])
                return geometry.corners(inwards * far * u[:, 2:10].reshape(-1, 4, 2), size=self.size)
        raise AssertionError(each)

    def _color(self, streams: Streams, composed: color.Matrices) -> color.Matrices:
        for each in self.operations:
            if isinstance(each, op.COLOR):
                u, on = streams.of(each)
                cpu_compose.color_then(composed, _color_matrix(each, u, on, self.channels), on)
        return composed

    def _elastic(self, each: op.Elastic, streams: Streams, u: Numbers, on: Chosen) -> dict[str, object]:
        distance = field.spacing(each.smoothness_pixels)
        rows, columns = field.grid_shape(self.size, distance)
        words = streams.words(each, count=2 * rows * columns)
        displacement = np.where(on, _even(u[:, 1], each.displacement_pixels), 0.0)
        return {
            "grid": field.coefficients(words.reshape(-1, 2, rows, columns), displacement),
            "spacing": distance,
        }


def _section(augmentation: Augmentation | str | Sequence[AnyOperation | str]) -> Augmentation:
    if isinstance(augmentation, Augmentation):
        return augmentation
    if isinstance(augmentation, str):
        return Augmentation(policy=augmentation)  # type: ignore[arg-type]
    if not augmentation:
        return Augmentation(policy="none")
    return Augmentation(policy="custom", operations=tuple(augmentation))  # type: ignore[arg-type]


def _color_matrix(each: AnyOperation, u: Numbers, on: Chosen, channels: int) -> color.Matrices:
    match each:
        case op.Brightness():
            return color.brightness(_even(u[:, 1], each.factor), channels)
        case op.Contrast():
            return color.contrast(_even(u[:, 1], each.factor), channels)
        case op.Saturation():
            return color.saturation(_even(u[:, 1], each.factor))
        case op.Hue():
            return color.hue(_even(u[:, 1], each.degrees))
        case op.Grayscale():
            return color.grayscale(on)
        case op.ChannelDropout():
            return color.channel_dropout(np.floor(3 * u[:, 1]).astype(np.int64))
    raise AssertionError(each)


def _even(u: Numbers, limits: tuple[float, float]) -> Numbers:
    low, high = limits
    return low + (high - low) * u


def _log_even(u: Numbers, limits: tuple[float, float]) -> Numbers:
    low, high = np.log(limits)
    found: Numbers = np.exp(low + (high - low) * u)
    return found


def _beta(u: Numbers, alpha: float) -> Numbers:
    """Return numbers of the distribution Beta(alpha, alpha), by its inverse."""
    if alpha == 1.0:
        return u
    from scipy.special import betaincinv

    found: Numbers = betaincinv(alpha, alpha, u)
    return found


def _joined(plan: Plan, more: Plan) -> Plan:
    """Return one plan with the rows of both, as far as they are rows of sources."""
    rows = [
        f.name
        for f in fields(plan)
        if isinstance(getattr(plan, f.name), np.ndarray)
        and f.name not in ("partner", "weight", "paste", "others", "scale", "offset")
    ]
    longer: dict[str, Any] = {name: np.concatenate([getattr(plan, name), getattr(more, name)]) for name in rows}
    return replace(plan, **longer)
