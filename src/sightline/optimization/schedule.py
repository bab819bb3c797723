"""The rate as a pure function of the step, so that a resumed training goes on exactly."""

from __future__ import annotations

import math
from collections.abc import Sequence

from sightline.errors import RecipeError
from sightline.recipe.optimizer import Constant, Cosine, Linear, OneCycle, Schedule, Step, Triangular


def constant(progress: float) -> float:  # noqa: ARG001 - every schedule takes the progress
    """Constant rate: the same step length throughout.

    At every progress p, from 0 at the first step to 1 at the last:

        factor(p) = 1

    Args:
        progress: share of the training behind us (p), 0 to 1.

    Returns:
        Factor on the base rate.

    Torch: torch.optim without a scheduler.

    Slides: as here: α has no index.

    Source: Robbins and Monro, A stochastic approximation method (1951), who also show that a rate must fall for the
        noise of the batches to die out.
    """
    return 1.0


def step(progress: float, *, at: Sequence[float] = (0.5, 0.75), factor: float = 0.1) -> float:
    """Step decay: the rate drops by a factor at stated shares of the training.

    At progress p, from 0 at the first step to 1 at the last:

        factor(p) = factor^n,   n = number of drops at or before p

    Args:
        progress: share of the training behind us (p), 0 to 1.
        at: shares of the training at which the rate drops, each in (0, 1).
        factor: what the rate is multiplied by at each drop, in (0, 1).

    Returns:
        Factor on the base rate.

    Torch: torch.optim.lr_scheduler.MultiStepLR, whose milestones are epochs instead of shares.

    Slides: not in the slides.

    Source: He et al., Deep residual learning for image recognition (CVPR 2016), section 4.2.
    """
    return factor ** sum(1 for share in at if progress >= share)


def cosine(progress: float, *, final: float = 0.0) -> float:
    """Cosine decay: the rate falls along half a cosine, slowly at both ends.

    At progress p, from 0 at the first step to 1 at the last:

        factor(p) = final + (1 − final) · (1 + cos(π p)) / 2

    Args:
        progress: share of the training behind us (p), 0 to 1.
        final: last rate as a share of the first, 0 to 1.

    Returns:
        Factor on the base rate.

    Torch: torch.optim.lr_scheduler.CosineAnnealingLR with eta_min = final · rate and T_max = steps − 1, in closed form;
        there are no restarts.

    Slides: not in the slides.

    Source: Loshchilov and Hutter, SGDR: stochastic gradient descent with warm restarts (ICLR 2017, arXiv:1608.03983).
    """
    return _along_half_a_cosine(1.0, final, progress)


def one_cycle(progress: float, *, rise: float = 0.25, start: float = 0.04, final: float = 1e-4) -> float:
    """One cycle: the rate rises to its peak along half a cosine, then falls to almost nothing.

    At progress p, from 0 at the first step to 1 at the last, with c(q) = (1 + cos(π q)) / 2:

        factor(p) = 1 + (start − 1) · c(p / rise)                  for p < rise
        factor(p) = final + (1 − final) · c((p − rise) / (1 − rise))   for p ≥ rise

    Args:
        progress: share of the training behind us (p), 0 to 1.
        rise: share of the training in which the rate rises, in (0, 1).
        start: first rate as a share of the peak, in (0, 1].
        final: last rate as a share of the peak, 0 to 1.

    Returns:
        Factor on the base rate, which is the peak.

    Torch: the curve of torch.optim.lr_scheduler.OneCycleLR with anneal_strategy "cos", whose final_div_factor counts
        from the first rate and not from the peak, and which moves momentum against the rate; here momentum stays.

    Slides: not in the slides.

    Source: Smith and Topin, Super-convergence: very fast training of neural networks using large learning rates (2019,
        arXiv:1708.07120).
    """
    if progress < rise:
        return _along_half_a_cosine(start, 1.0, progress / rise)
    return _along_half_a_cosine(1.0, final, (progress - rise) / (1.0 - rise))


def linear(progress: float, *, final: float = 0.0) -> float:
    """Linear decay: the rate falls in equal parts.

    At progress p, from 0 at the first step to 1 at the last:

        factor(p) = 1 + (final − 1) · p

    Args:
        progress: share of the training behind us (p), 0 to 1.
        final: last rate as a share of the first, 0 to 1.

    Returns:
        Factor on the base rate.

    Torch: torch.optim.lr_scheduler.LinearLR with start_factor 1, end_factor final and total_iters = steps − 1.

    Slides: not in the slides.

    Source: Defazio et al., Optimal linear decay learning rate schedules and further refinements (2023,
        arXiv:2310.07831).
    """
    return 1.0 + (final - 1.0) * progress


def triangular(progress: float, *, rise: float = 0.2, start: float = 0.2, final: float = 0.0) -> float:
    """Triangle: the rate rises in equal parts to its peak, then falls in equal parts.

    At progress p, from 0 at the first step to 1 at the last:

        factor(p) = start + (1 − start) · p / rise                 for p < rise
        factor(p) = 1 + (final − 1) · (p − rise) / (1 − rise)      for p ≥ rise

    Args:
        progress: share of the training behind us (p), 0 to 1.
        rise: share of the training in which the rate rises, in (0, 1).
        start: first rate as a share of the peak, 0 to 1.
        final: last rate as a share of the peak, 0 to 1.

    Returns:
        Factor on the base rate, which is the peak.

    Torch: torch.optim.lr_scheduler.CyclicLR with one cycle; its up and down are counted in steps.

    Slides: not in the slides.

    Source: Smith, Cyclical learning rates for training neural networks (WACV 2017, arXiv:1506.01186).
    """
    if progress < rise:
        return start + (1.0 - start) * progress / rise
    return linear((progress - rise) / (1.0 - rise), final=final)


def warm_up(step: float, *, steps: int) -> float:
    """Warm-up: the rate rises in equal parts from near 0 to where the schedule proper begins.

    For step s = 0, 1, … of a warm-up of n steps, and 1 from step n on:

        factor(s) = min(1, (s + 1) / (n + 1))

    Args:
        step: steps taken so far (s), ≥ 0.
        steps: length of the warm-up (n), ≥ 0; 0 is none.

    Returns:
        Factor on the schedule's first rate.

    Torch: torch.optim.lr_scheduler.LinearLR with start_factor 1 / (n + 1) and total_iters n.

    Slides: not in the slides.

    Source: Goyal et al., Accurate, large minibatch SGD: training ImageNet in 1 hour (2017, arXiv:1706.02677).
    """
    return min(1.0, (step + 1) / (steps + 1))


def rate(schedule: Schedule, *, base: float, step: float, total_steps: int, steps_per_epoch: int) -> float:
    """Return the learning rate of one step: first the warm-up, then the schedule over all steps that are left.

    Args:
        schedule: the recipe's section.
        base: the optimizer's learning rate, > 0: the peak.
        step: steps taken so far, from 0 to total_steps − 1; a fraction where a training passes through them faster.
        total_steps: steps of the whole training, warm-up included.
        steps_per_epoch: turns `warmup_epochs` into steps.

    Raises:
        RecipeError: the warm-up leaves no step for the schedule.
        ValueError: `step` lies outside the training.
    """
    if not 0 <= step < total_steps:
        raise ValueError(f"step {step} lies outside a training of {total_steps} steps")
    warming = round(schedule.warmup_epochs * steps_per_epoch)
    if warming >= total_steps:
        raise RecipeError(
            f"schedule.warmup_epochs: found {schedule.warmup_epochs:g} epochs of warm-up in a training of "
            f"{total_steps / steps_per_epoch:g} epochs; wanted less than the whole. Shorten the warm-up or raise "
            "training.epochs."
        )
    progress = max(0, step - warming) / max(1, total_steps - warming - 1)
    return base * warm_up(step, steps=warming) * _factor(schedule, progress)


def _factor(schedule: Schedule, progress: float) -> float:
    match schedule:
        case Constant():
            return constant(progress)
        case Step():
            return step(progress, at=schedule.at, factor=schedule.factor)
        case Cosine():
            return cosine(progress, final=schedule.final)
        case OneCycle():
            return one_cycle(progress, rise=schedule.rise, start=schedule.start, final=schedule.final)
        case Linear():
            return linear(progress, final=schedule.final)
        case Triangular():
            return triangular(progress, rise=schedule.rise, start=schedule.start, final=schedule.final)


def _along_half_a_cosine(begin: float, end: float, share: float) -> float:
    return end + (begin - end) * (1.0 + math.cos(math.pi * share)) / 2.0
