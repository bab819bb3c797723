"""The rate at every step is the closed form, and the warm-up meets the schedule without a jump."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch

from sightline.optimization import rate
from sightline.recipe.optimizer import Constant, Cosine, Linear, OneCycle, Schedule, Step, Triangular

STEPS, PER_EPOCH, BASE = 120, 10, 0.3


def ran(schedule: Schedule, *, steps: int = STEPS) -> list[float]:
    return [rate(schedule, base=BASE, step=s, total_steps=steps, steps_per_epoch=PER_EPOCH) for s in range(steps)]


def one_cycle(p: float) -> float:
    if p < 0.3:
        return 0.04 + (1 - 0.04) * math.sin(math.pi * p / 0.3 / 2) ** 2
    return 0.001 + (1 - 0.001) * math.cos(math.pi * (p - 0.3) / 0.7 / 2) ** 2


CLOSED_FORMS: list[tuple[Schedule, Callable[[float], float]]] = [
    (Constant(), lambda _: 1.0),
    (Step(at=(0.4, 0.7, 0.9), factor=0.2), lambda p: 0.2 ** ((p >= 0.4) + (p >= 0.7) + (p >= 0.9))),
    (Cosine(final=0.1), lambda p: 0.1 + 0.9 * math.cos(math.pi * p / 2) ** 2),
    (OneCycle(rise=0.3, final=0.001), one_cycle),
    (Linear(final=0.2), lambda p: 0.2 + 0.8 * (1 - p)),
    (Triangular(rise=0.25, start=0.1, final=0.05), lambda p: float(np.interp(p, [0, 0.25, 1], [0.1, 1, 0.05]))),
]
SCHEDULES = [schedule for schedule, _ in CLOSED_FORMS]


@pytest.mark.parametrize(("schedule", "closed"), CLOSED_FORMS, ids=lambda part: getattr(part, "name", ""))
def test_the_rate_is_the_closed_form(schedule: Schedule, closed: Callable[[float], float]) -> None:
    expected = [BASE * closed(s / (STEPS - 1)) for s in range(STEPS)]
    np.testing.assert_allclose(ran(schedule), expected, rtol=1e-12)


@pytest.mark.parametrize("schedule", SCHEDULES, ids=lambda schedule: schedule.name)
def test_the_warm_up_is_linear_and_meets_the_schedule(schedule: Schedule) -> None:
    warming = 20
    found = ran(schedule.model_copy(update={"warmup_epochs": warming / PER_EPOCH}))
    np.testing.assert_allclose(np.diff(found[: warming + 1]), found[0], rtol=1e-9)
    without = ran(schedule, steps=STEPS - warming)
    np.testing.assert_allclose(found[warming:], without, rtol=1e-12)


@pytest.mark.parametrize("schedule", SCHEDULES, ids=lambda schedule: schedule.name)
def test_a_rate_depends_on_its_step_alone(schedule: Schedule) -> None:
    forward = ran(schedule)
    backward = [
        rate(schedule, base=BASE, step=s, total_steps=STEPS, steps_per_epoch=PER_EPOCH) for s in reversed(range(STEPS))
    ]
    assert backward[::-1] == forward


def torch_rates(make: Callable[[torch.optim.Optimizer], torch.optim.lr_scheduler.LRScheduler]) -> list[float]:
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=BASE)
    scheduler = make(optimizer)
    rates = []
    for _ in range(STEPS):
        rates.append(float(optimizer.param_groups[0]["lr"]))
        optimizer.step()
        scheduler.step()
        if len(rates) == STEPS - 1 and isinstance(scheduler, torch.optim.lr_scheduler.OneCycleLR):
            rates.append(float(optimizer.param_groups[0]["lr"]))
            break
    return rates


def test_torch_has_the_same_curves() -> None:
    schedulers = torch.optim.lr_scheduler
    cosine = torch_rates(lambda o: schedulers.CosineAnnealingLR(o, T_max=STEPS - 1, eta_min=0.1 * BASE))
    np.testing.assert_allclose(ran(Cosine(final=0.1)), cosine, rtol=1e-9)
    cycle = torch_rates(
        lambda o: schedulers.OneCycleLR(
            o, BASE, total_steps=STEPS, pct_start=30 / STEPS, final_div_factor=40.0, cycle_momentum=False
        )
    )
    # torch puts the peak at step pct_start · steps − 1; ours is told to do the same.
    np.testing.assert_allclose(ran(OneCycle(rise=29 / (STEPS - 1), final=0.001)), cycle, rtol=1e-9)
    steps = torch_rates(lambda o: schedulers.MultiStepLR(o, milestones=[60, 90], gamma=0.1))
    np.testing.assert_allclose(ran(Step(at=(0.5, 0.75))), steps, rtol=1e-12)
    line = torch_rates(lambda o: schedulers.LinearLR(o, start_factor=1.0, end_factor=0.2, total_iters=STEPS - 1))
    np.testing.assert_allclose(ran(Linear(final=0.2)), line, rtol=1e-9)
    warm = torch_rates(lambda o: schedulers.LinearLR(o, start_factor=1 / 21, total_iters=20))
    np.testing.assert_allclose(ran(Constant(warmup_epochs=2.0)), warm, rtol=1e-9)
