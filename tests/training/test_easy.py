"""Easy pictures are left out by identity, and those that stay stand for them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import sightline
from sightline.recipe import Recipe, apply_overrides
from sightline.training import prepare, start, survey
from sightline.training.easy import Selection, selected, weighted
from sightline.training.loss import cross_entropy
from sightline.training.order import Order
from sightline.training.state import begin
from sightline.training.step import Shard, make_step, supervised


def of(losses: Any, *, share: float = 0.5, epoch: int = 2, **changes: Any) -> Selection:
    losses = np.asarray(losses, np.float32)
    records = np.arange(100, 100 + len(losses))
    chosen = {"until": 0.8, "least": 0, "seed": 0, "epochs": 10, "planned": epoch} | changes
    return selected(records, records.astype(np.uint64), losses, share=share, epoch=epoch, **chosen)


@settings(deadline=None)
@given(st.lists(st.floats(0, 10, width=32) | st.just(float("nan")), min_size=1, max_size=60), st.floats(0.1, 0.9))
def test_only_easy_pictures_are_left_out_and_hard_ones_count_once(losses: list[float], share: float) -> None:
    found = of(losses, share=share)
    known = np.asarray(losses, np.float32)
    seen = np.isfinite(known)
    easy = seen & (known < (known[seen].astype(np.float64).mean() if seen.any() else 0.0))
    kept = np.isin(np.arange(len(known)) + 100, found.records)
    assert kept[~easy].all()
    of_kept = dict(zip(found.records.tolist(), found.weights.tolist(), strict=True))
    for position in np.flatnonzero(kept):
        wanted = 1.0 / (1.0 - share) if easy[position] else 1.0
        assert of_kept[position + 100] == pytest.approx(wanted, rel=1e-6)


def test_the_sum_of_weights_is_in_the_mean_that_of_all() -> None:
    """Over epochs whose draws differ: 3,000 easy of 4,000 pictures, each kept with probability 0.4 at weight 2.5."""
    losses = np.concatenate([np.full(3000, 0.1), np.full(1000, 5.0)])
    sums = [float(of(losses, share=0.6, epoch=e, epochs=100).weights.sum()) for e in range(1, 41)]
    error = 2.5 * (3000 * 0.4 * 0.6) ** 0.5 / 40**0.5
    assert abs(np.mean(sums) - 4000) < 4 * error
    assert np.std(sums) > 0


@pytest.mark.parametrize(
    "changes",
    [{"epoch": 9}, {"share": 0.0}, {"least": 5}, {"epoch": 6, "until": 0.5}, {"epoch": 5, "planned": 8.1}],
    ids=str,
)
def test_all_are_seen_in_the_last_epochs_and_where_too_few_would_be_left(changes: dict[str, Any]) -> None:
    found = of([0.1, 0.1, 0.1, 0.2, 9.0], **{"share": 0.9, **changes})
    assert found.records.tolist() == [100, 101, 102, 103, 104]
    assert found.weights.tolist() == [1.0] * 5


def test_what_was_never_seen_is_shown() -> None:
    found = of([float("nan")] * 50, share=0.9)
    assert len(found.records) == 50


def test_the_draw_depends_on_identity_alone() -> None:
    losses = np.linspace(0, 1, 60, dtype=np.float32)
    records = np.arange(60)
    turned = np.random.default_rng(0).permutation(60)
    chosen: dict[str, Any] = {"share": 0.5, "until": 1.0, "least": 0, "seed": 3}
    chosen |= {"epoch": 2, "planned": 2, "epochs": 10}
    one = selected(records, records.astype(np.uint64), losses, **chosen)
    other = selected(records[turned], records[turned].astype(np.uint64), losses[turned], **chosen)
    assert set(one.records) == set(other.records)
    assert set(one.records) != set(
        selected(records, records.astype(np.uint64), losses, **{**chosen, "seed": 4}).records
    )
    assert set(one.records) != set(
        selected(records, records.astype(np.uint64), losses, **{**chosen, "epoch": 3}).records
    )


def test_weights_are_divided_as_the_batch_is() -> None:
    whole = Shard(torch.arange(7.0)[:, None, None, None], torch.arange(7))
    found = weighted(whole.divided(3), np.arange(7, dtype=np.float32))
    for shard in found:
        assert shard.weights is not None
        assert shard.weights.tolist() == shard.labels.tolist()


def test_a_training_sees_fewer_pictures_once_it_knows_them(tmp_path: Path) -> None:
    run = sightline.train(
        "digits",
        {"training.easy_left_out": 0.8, "training.easy_left_out_until": 0.6, "training.epochs": 5, "training.seed": 1},
        out=tmp_path / "run",
        cache=tmp_path / "cache",
    )
    lines = [json.loads(line) for line in (run.path / "times.jsonl").read_text().splitlines()]
    rates = [line["images_per_second"] * (line["seconds"]) for line in lines if line["event"] == "epoch"]
    images = [round(each) for each in rates]
    whole = next(event["images"] for event in run.events() if event["event"] == "start")
    assert abs(images[0] - whole) <= 2
    assert images[1] < 0.7 * whole
    assert images[2] < 0.7 * whole
    assert abs(images[4] - whole) <= 2
    assert run.metrics["test"]["accuracy"] > 0.9


def test_losses_count_with_their_weights_and_the_step_stands_for_all() -> None:
    """Two pictures of weight 2 and one of weight 1 are a batch of five, held against autograd of the sum."""
    torch.manual_seed(0)
    layer = torch.nn.Linear(4, 3, bias=False).double()
    inputs, labels = torch.randn(3, 4, dtype=torch.float64), torch.tensor([0, 2, 1])
    weights = torch.tensor([2.0, 2.0, 1.0], dtype=torch.float64)
    wanted = torch.nn.functional.cross_entropy(layer(inputs), labels, reduction="none")
    (gradient,) = torch.autograd.grad((weights * wanted).sum() / 5.0, layer.weight)
    before = layer.weight.detach().clone()
    objective = supervised(layer, cross_entropy(label_smoothing=0.0, class_weights=None))
    step = make_step(objective=objective, device="cpu", clip_norm=0.0, average_decay=0.0, seed=0)
    state = begin(layer, torch.optim.SGD(layer.parameters(), lr=1.0), averaged=False)
    judged = step(state, [Shard(inputs, labels, weights=weights)], 1.0)
    assert torch.allclose(before - layer.weight, gradient, atol=1e-6)
    assert judged.loss == pytest.approx((weights * wanted).sum().item() / 5.0, rel=1e-6)
    assert judged.losses is not None
    assert torch.allclose(judged.losses.double(), wanted.detach(), atol=1e-6)


def test_the_pictures_of_an_epoch_have_the_weights_of_their_selection(tmp_path: Path) -> None:
    chosen = apply_overrides(Recipe(), {"training.easy_left_out": 0.5, "training.epochs": 4, "augmentation": "none"})
    session = start(prepare(survey("digits", chosen), cache=tmp_path / "cache"), tmp_path)
    order = Order(session.prepared, session.recipe, session.state, session.stage, session.steps_per_epoch())
    assert session.state.losses is not None
    session.state.losses[torch.from_numpy(session.prepared.split.train)] = torch.linspace(
        0.0, 1.0, len(session.prepared.split.train)
    )
    epoch = order.batches(2)
    assert sum(map(len, epoch)) < 0.85 * len(session.prepared.split.train)
    for records, shards in zip(epoch, order.shards(2, epoch), strict=True):
        found = torch.cat([shard.weights for shard in shards if shard.weights is not None])
        easy = session.state.losses[torch.from_numpy(records)] < 0.5
        assert torch.equal(found, torch.where(easy, 2.0, 1.0))
