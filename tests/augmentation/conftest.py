"""What the tests of augmentation share: pictures, the rows of a plan, and matrices about the middle."""

from dataclasses import fields

import numpy as np
import pytest

from sightline.augmentation import Plan
from sightline.recipe import operations as op

OF_MIXING = ("partner", "weight", "paste")
OF_THE_PLAN = ("others", "scale", "offset")


@pytest.fixture(scope="session")
def rows():
    """Return a function that gives the numbers of some rows of a plan, those of mixing left out."""

    def found(plan: Plan, which: object = slice(None)) -> dict[str, np.ndarray]:
        named = {each.name: getattr(plan, each.name) for each in fields(plan)}
        left_out = (*OF_MIXING, *OF_THE_PLAN)
        return {n: v[which] for n, v in named.items() if isinstance(v, np.ndarray) and n not in left_out}

    return found


@pytest.fixture(scope="session")
def assert_same_rows(rows):
    """Return a function that compares some rows of two plans, number for number."""

    def check(first: Plan, second: Plan, of_first: object = slice(None), of_second: object = slice(None)) -> None:
        ours, theirs = rows(first, of_first), rows(second, of_second)
        for name, values in ours.items():
            np.testing.assert_array_equal(values, theirs[name], err_msg=name)

    return check


@pytest.fixture(scope="session")
def middle():
    """Return a function that gives a plan's matrices about the middle; for results of the sources' size."""

    def found(plan: Plan) -> np.ndarray:
        assert plan.source == plan.size
        height, width = plan.size
        to = np.array([[1, 0, -(width - 1) / 2], [0, 1, -(height - 1) / 2], [0, 0, 1]])
        return to @ plan.homography @ np.linalg.inv(to)

    return found


@pytest.fixture(scope="session")
def pictures():
    """Return a function that gives pictures of random bytes."""

    def made(count: int, height: int, width: int, channels: int = 3, seed: int = 0) -> np.ndarray:
        return np.random.default_rng(seed).integers(0, 256, (count, height, width, channels), dtype=np.uint8)

    return made


@pytest.fixture(scope="session")
def every_operation():
    """Return all operations at their defaults, except the flip that contradicts another one."""
    halves = {op.Mixup: 0.5, op.Cutmix: 0.5}
    return [
        each(probability=halves[each]) if each in halves else each()
        for each in op.ORDER
        if each is not op.AlternatingFlip
    ]
