"""The sweep over rates leaves a training as it was, and finds where the loss is lowest."""

from pathlib import Path

import numpy as np
import pytest
import torch
from sick_trainings import QUICK

from sightline.recipe import Recipe, apply_overrides
from sightline.training import prepare, survey
from sightline.training.assembly import assemble
from sightline.training.rate_finder import SMOOTHING, first_batch, plot, sweep


def put_together(tmp_path, **chosen):
    prepared = prepare(survey("digits", apply_overrides(Recipe(), {**QUICK, **chosen})), cache=tmp_path)
    return assemble(prepared, prepared.resolved, Path("nowhere"))


@pytest.fixture
def session(tmp_path):
    return put_together(tmp_path)


def test_everything_is_put_back(session):
    before = {name: each.clone() for name, each in session.state.network.state_dict().items()}
    sweep(session, steps=30)
    first_batch(session, 0.01, steps=5)
    assert all(torch.equal(before[name], each) for name, each in session.state.network.state_dict().items())
    assert session.state.step == 0
    assert not session.state.optimizer.state
    assert not Path("nowhere").exists()


def test_the_running_average_is_put_back_too(tmp_path):
    averaged = put_together(tmp_path, **{"training.weight_averaging": 0.9})
    before = {name: each.clone() for name, each in averaged.state.average.items()}
    sweep(averaged, steps=10, low=1e-3, high=0.1)
    assert all(torch.equal(before[name], each) for name, each in averaged.state.average.items())


def test_where_no_rate_lowers_the_loss_none_is_suggested(session):
    found = sweep(session, steps=10, low=1e3, high=1e6)
    assert found.suggested is None
    assert plot(found).startswith(b"\x89PNG")


def test_smoothed_targets_have_a_loss_that_cannot_be_beaten(tmp_path):
    smoothed = put_together(tmp_path, **{"loss.label_smoothing": 0.6})
    well = first_batch(smoothed, 0.003)
    assert well.learned > 0.5 * well.loss
    assert well.right


def test_rates_grow_by_one_factor_and_losses_are_smoothed(session):
    found = sweep(session, steps=20, low=1e-5, high=1e-2)
    assert np.allclose(np.diff(np.log(found.rates)), np.log(1e3) / 19)
    assert len(found.losses) == 20
    assert found.lowest in found.rates
    half = (found.losses[0] + min(found.losses)) / 2
    first = next(rate for rate, loss in zip(found.rates, found.losses, strict=True) if loss <= half)
    assert found.suggested == pytest.approx(first, rel=0.05)
    assert plot(found).startswith(b"\x89PNG")


def test_the_sweep_ends_where_the_loss_bursts(session):
    found = sweep(session, steps=100, low=1e-4, high=1e3)
    assert len(found.losses) < 100
    assert max(found.losses) <= 3.0 * min(found.losses) or np.argmax(found.losses) < np.argmin(found.losses)
    assert 0 < SMOOTHING < 1


def test_one_batch_is_learned_by_heart_where_all_is_well_and_not_where_nothing_moves(session):
    well = first_batch(session, 0.003)
    assert well.right
    assert well.guessing == pytest.approx(np.log(10))
    assert well.shuffled > 2 * well.learned
    ill = first_batch(session, 1e-9)
    assert not ill.right
    assert ill.loss == pytest.approx(well.loss)
