"""Everything that augmentation cannot honor is refused in one clear sentence: where, found, wanted."""

import numpy as np
import pytest

from sightline.augmentation import draw, identity
from sightline.errors import SightlineError
from sightline.recipe import operations as op
from sightline.recipe.augmentation import Augmentation

SMALL = {"source": (8, 8)}
KEYS = [1, 2, 3]


def refusal(call):
    """Return what is said by the error of `call`, which must be one for users."""
    with pytest.raises(SightlineError) as caught:
        call()
    said = str(caught.value)
    assert len(said.splitlines()) == 1, said
    assert len(said) < 400, said
    assert any(word in said for word in ("wanted", "needs", "Did you mean")), said
    return said


REFUSED = {
    "unknown operation": (lambda: draw(["rotat"], KEYS, **SMALL), ["operations", "rotat", "rotation"]),
    "unknown policy": (lambda: draw("mild", KEYS, **SMALL), ["policy", "mild", "light"]),
    "policy not settled": (lambda: draw("auto", KEYS, **SMALL), ["policy", "auto"]),
    "unknown fill": (lambda: Augmentation(policy="light", fill="wrap"), ["fill", "wrap", "reflect"]),
    "unknown interpolation": (lambda: Augmentation(policy="none", interpolation="cubic"), ["interpolation", "bicubic"]),
    "probability above 1": (lambda: op.Rotation(probability=1.5), ["probability", "1.5", "1"]),
    "probability below 0": (lambda: op.Mixup(probability=-0.1), ["probability", "-0.1", "0"]),
    "probability that is no number": (lambda: op.Blur(probability=float("nan")), ["probability", "nan"]),
    "range the wrong way round": (lambda: op.Rotation(degrees=(10, -10)), ["degrees", "[10, -10]", "low"]),
    "range too wide": (lambda: op.Brightness(factor=(0.5, 50)), ["factor", "50", "10"]),
    "range of three": (lambda: op.Scaling(factor=(0.5, 1, 2)), ["factor", "0.5"]),
    "range of nothing": (lambda: op.Scaling(factor=()), ["factor"]),
    "range of text": (lambda: op.Scaling(factor="double"), ["factor", "double"]),
    "range with nan": (lambda: op.Hue(degrees=(float("nan"), 10)), ["degrees", "nan"]),
    "endless range": (lambda: op.Gamma(exponent=(1, float("inf"))), ["exponent", "inf"]),
    "factor of zero": (lambda: op.Scaling(factor=(0, 1)), ["factor", "0.05"]),
    "unknown field": (lambda: op.Rotation(degree=5), ["degree"]),
    "alpha of zero": (lambda: op.Mixup(alpha=0), ["alpha", "0"]),
    "cover out of range": (lambda: op.Erasing(value=256), ["value", "256", "255"]),
    "smoothness too small": (lambda: op.Elastic(smoothness_pixels=0.5), ["smoothness_pixels", "0.5", "2"]),
    "twice the same": (lambda: draw([op.Rotation(), op.Rotation()], KEYS, **SMALL), ["rotation", "2 times", "once"]),
    "two flips that undo each other": (
        lambda: draw([op.HorizontalFlip(), op.AlternatingFlip()], KEYS, **SMALL),
        ["horizontal_flip", "alternating_flip", "one of them"],
    ),
    "two partners": (
        lambda: draw([op.Mixup(probability=0.6), op.Cutmix(probability=0.6)], KEYS, **SMALL),
        ["mixup", "cutmix", "1.2", "at most 1"],
    ),
    "operations of a policy with its own": (
        lambda: Augmentation(policy="light", operations=(op.Blur(),)),
        ["light", "custom"],
    ),
    "fill value without its fill": (lambda: Augmentation(policy="none", fill_value=9), ["fill_value", "9", "constant"]),
    "no result": (lambda: draw("light", KEYS, source=(8, 8), size=(0, 8)), ["(0, 8)", "at least 1"]),
    "no source": (lambda: draw("light", KEYS, source=(8, 0)), ["(8, 0)", "at least 1"]),
    "identity of nothing": (lambda: identity(2, source=(0, 0)), ["(0, 0)", "at least 1"]),
    "no pool": (
        lambda: draw([op.Mixup()], KEYS, pool=np.zeros(0, np.uint64), **SMALL),
        ["pool"],
    ),
    "two channels": (lambda: draw("light", KEYS, channels=2, **SMALL), ["channels", "2"]),
    "negative identity": (lambda: draw("light", [-1], **SMALL), ["keys", "-1"]),
    "identity in parts": (lambda: draw("light", [0.5], **SMALL), ["keys"]),
    "identity in words": (lambda: draw("light", ["cat.png"], **SMALL), ["keys"]),
    "negative epoch": (lambda: draw("light", KEYS, epoch=-1, **SMALL), ["epoch", "-1"]),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_is_refused_in_one_sentence(case):
    call, words = REFUSED[case]
    said = refusal(call)
    for word in words:
        assert word in said, said


@pytest.mark.parametrize("operation", op.NEEDS_COLOR)
def test_color_of_gray_pictures_is_refused(operation):
    said = refusal(lambda: draw([operation()], KEYS, channels=1, **SMALL))
    for word in (operation().name, "three channels", "augmentation.operations"):
        assert word in said


@pytest.mark.parametrize("operation", [each for each in op.ORDER if each not in op.NEEDS_COLOR])
def test_everything_else_is_done_to_gray_pictures(operation):
    assert draw([operation()], KEYS, channels=1, **SMALL).channels == 1


@pytest.mark.parametrize("policy", ["none", "light", "standard", "strong", "trivial"])
@pytest.mark.parametrize("orientation", ["fixed", "mirror", "any"])
def test_policies_fit_gray_pictures(policy, orientation):
    plan = draw(Augmentation(policy=policy, orientation=orientation), KEYS, channels=1, **SMALL)
    assert plan.color.shape == (3, 1, 2)
    if orientation == "fixed":
        assert np.linalg.det(plan.homography[:, :2, :2]).min() > 0


def test_a_name_stands_for_its_operation_at_its_defaults():
    keys = np.arange(20)
    named, typed = (draw(each, keys, **SMALL) for each in (["rotation"], [op.Rotation()]))
    np.testing.assert_array_equal(named.homography, typed.homography)
