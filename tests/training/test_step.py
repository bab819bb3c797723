"""One update: shards add up, a loss that is not finite changes nothing, dropout depends on the step alone."""

import copy

import numpy as np
import pytest
import torch
from torch import nn

from sightline.errors import TrainingError
from sightline.training.events import EpochEnd, StepEnd
from sightline.training.loop import train
from sightline.training.loss import balanced_weights, cross_entropy
from sightline.training.state import begin
from sightline.training.step import Lookahead, Mixture, Shard, make_step, supervised


def small_network(dropout: float = 0.0) -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(12, 8), nn.ReLU(), nn.Dropout(dropout), nn.Linear(8, 3)).double()


def standardize(pixels: torch.Tensor) -> torch.Tensor:
    return pixels.double() / 255


def make(
    network: nn.Module,
    *,
    clip: float = 0.0,
    decay: float = 0.0,
    lookahead: Lookahead | None = None,
    weights: torch.Tensor | None = None,
):
    averaged = decay > 0 or lookahead is not None
    state = begin(network, torch.optim.SGD(network.parameters(), lr=0.1), averaged=averaged)
    step = make_step(
        objective=supervised(network, cross_entropy(label_smoothing=0.1, class_weights=weights)),
        device="cpu",
        clip_norm=clip,
        average_decay=decay,
        lookahead=lookahead,
        seed=0,
    )
    return state, step


def pictures(count: int, seed: int = 0) -> Shard:
    generator = torch.Generator().manual_seed(seed)
    pixels = torch.randint(0, 256, (count, 2, 2, 3), generator=generator, dtype=torch.uint8)
    return Shard(standardize(pixels), torch.randint(0, 3, (count,), generator=generator))


@pytest.mark.parametrize("parts", [[10], [3, 7], [1, 4, 5]])
def test_a_batch_in_shards_gives_the_update_of_the_whole(parts):
    whole, expected = pictures(10), small_network()
    state, step = make(expected, weights=torch.tensor([0.5, 1.0, 2.0], dtype=torch.float32))
    step(state, [whole], 0.1)

    shards = [
        Shard(inputs, labels)
        for inputs, labels in zip(whole.inputs.split(parts), whole.labels.split(parts), strict=True)
    ]
    network = small_network()
    state, step = make(network, weights=torch.tensor([0.5, 1.0, 2.0], dtype=torch.float32))
    step(state, shards, 0.1)
    for ours, theirs in zip(network.parameters(), expected.parameters(), strict=True):
        # the loss is computed in float32, whatever the network's type
        torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("poison", [float("nan"), float("inf")])
def test_a_loss_that_is_not_finite_stops_before_the_update(poison):
    network = small_network()
    state, step = make(network, decay=0.5)
    with torch.no_grad():
        network[4].bias[0] = poison
    before = copy.deepcopy(network.state_dict())
    events = train(
        state,
        epochs=lambda: 1,
        steps=lambda: 1,
        batches=lambda epoch: [np.arange(4)],
        feed=lambda epoch, order: ([pictures(4)] for _ in order),
        step=step,
        learning_rate=lambda step: 0.25,
        judge=lambda state: None,
        describe=lambda records: "a.png, b.png",
        mode=lambda epoch: None,
    )
    with pytest.raises(TrainingError) as caught:
        list(events)
    for said in ("epoch 1", "step 1", "0.25", "a.png, b.png"):
        assert said in str(caught.value)
    for name, tensor in network.state_dict().items():
        torch.testing.assert_close(tensor, before[name], rtol=0, atol=0, equal_nan=True)
    assert state.step == 0


def test_a_gradient_that_is_not_finite_stops_before_the_update():
    """√ has an infinite slope at 0: the loss is fine, its gradient is not."""

    class Rooted(nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = nn.Parameter(torch.zeros(3, dtype=torch.float64))

        def forward(self, inputs):
            return torch.sqrt(self.weight) + 0 * inputs.flatten(1)[:, :3]

    network = Rooted()
    state, step = make(network)
    judged = step(state, [pictures(4)], 0.1)
    assert "gradient" in judged.fault
    assert torch.equal(network.weight, torch.zeros(3, dtype=torch.float64))
    assert state.step == 0


def test_dropout_depends_on_the_step_and_not_on_what_was_drawn_before():
    results = []
    for disturbance in (0, 5):
        network = small_network(dropout=0.5)
        state, step = make(network)
        network.train()
        torch.rand(disturbance)
        step(state, [pictures(10)], 0.1)
        torch.rand(3 * disturbance)
        step(state, [pictures(10, seed=1)], 0.1)
        results.append(torch.cat([p.flatten() for p in network.parameters()]))
    assert torch.equal(*results)


def test_clipping_bounds_the_step():
    network = small_network()
    before = torch.cat([p.detach().flatten().clone() for p in network.parameters()])
    state, step = make(network, clip=1e-3)
    step(state, [pictures(10)], 1.0)
    moved = torch.cat([p.detach().flatten() for p in network.parameters()]) - before
    assert moved.norm().item() == pytest.approx(1e-3, rel=1e-2)


def test_the_running_average_follows_its_equation():
    network = small_network()
    expected = network[1].weight.detach().clone()
    state, step = make(network, decay=0.9)
    for _ in range(3):
        step(state, [pictures(10)], 0.1)
        expected = 0.9 * expected + 0.1 * network[1].weight.detach()
    torch.testing.assert_close(state.average["1.weight"], expected)


def test_lookahead_goes_back_to_where_a_slow_copy_has_come():
    network, alone = small_network(), small_network()
    state, step = make(network, lookahead=Lookahead(steps=3, share=0.4))
    plain, unaware = make(alone)
    slow = network[1].weight.detach().clone()
    for number in range(1, 8):
        step(state, [pictures(10)], 0.1)
        unaware(plain, [pictures(10)], 0.1)
        if number % 3 == 0:
            slow = slow + 0.4 * (alone[1].weight.detach() - slow)
            torch.testing.assert_close(network[1].weight.detach(), slow)
            alone.load_state_dict(network.state_dict())
        else:
            torch.testing.assert_close(network[1].weight, alone[1].weight)
        torch.testing.assert_close(state.judged()["1.weight"], slow)


def test_balanced_weights_make_classes_equal_and_keep_the_mean():
    labels = np.array([0] * 90 + [1] * 9 + [2], dtype=np.int32)
    weights = balanced_weights(labels, 3)
    np.testing.assert_allclose(weights * np.bincount(labels), np.full(3, 100 / 3))
    assert weights[labels].mean() == pytest.approx(1.0)


@pytest.mark.parametrize(("begun", "after"), [(6, 3), (6, 5), (3, 6), (5, 7), (5, 8), (4, 5)])
def test_how_many_steps_there_are_may_change_at_any_of_them(begun, after):
    """Decided after the third step, which is the first of the second epoch of two steps each."""
    network = small_network()
    state, step = make(network)
    steps = [begun]
    taken = []
    for event in train(
        state,
        epochs=lambda: -(-steps[0] // 2),
        steps=lambda: steps[0],
        batches=lambda epoch: [np.arange(4), np.arange(4, 7)],
        feed=lambda epoch, order: ([pictures(len(records))] for records in order),
        step=step,
        learning_rate=lambda step: 0.1,
        judge=lambda state: None,
        describe=str,
        mode=lambda epoch: None,
    ):
        taken.append(event)
        if isinstance(event, StepEnd) and event.step == 3:
            steps[0] = after
    assert [event.step for event in taken if isinstance(event, StepEnd)] == list(range(1, after + 1))
    ends = [event for event in taken if isinstance(event, EpochEnd)]
    assert [event.step for event in ends] == [*range(2, after, 2), after]
    assert all(0 < event.training_loss < 10 for event in ends)


def test_events_come_in_order_and_carry_the_rate():
    network = small_network()
    state, step = make(network)
    events = list(
        train(
            state,
            epochs=lambda: 2,
            steps=lambda: 4,
            batches=lambda epoch: [np.arange(4), np.arange(4, 7)],
            feed=lambda epoch, order: ([pictures(len(records))] for records in order),
            step=step,
            learning_rate=lambda step: 0.1 / (step + 1),
            judge=lambda state: None,
            describe=str,
            mode=lambda epoch: None,
        )
    )
    assert [type(event).__name__ for event in events] == ["EpochStart", "StepEnd", "StepEnd", "EpochEnd"] * 2
    steps = [event for event in events if isinstance(event, StepEnd)]
    assert [event.step for event in steps] == [1, 2, 3, 4]
    assert [event.learning_rate for event in steps] == pytest.approx([0.1, 0.05, 0.1 / 3, 0.025])
    assert state.best_epoch == 2


def test_a_mixed_picture_has_the_loss_of_both_classes_by_their_shares():
    """The loss is linear in the target: λ · loss(own class) + (1 − λ) · loss(partner's class)."""
    logits = torch.randn(5, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    own, other = torch.tensor([0, 1, 2, 0, 1]), torch.tensor([1, 1, 0, 2, 0])
    share = torch.tensor([0.3, 1.0, 0.0, 0.9, 0.5], dtype=torch.float64)
    loss = cross_entropy(label_smoothing=0.1, class_weights=torch.tensor([0.5, 1.0, 2.0], dtype=torch.float64))
    found = loss(logits, Shard(logits, own, Mixture(other, share)).targets(3))
    each = [
        share[i] * loss(logits[i : i + 1], own[i : i + 1]) + (1 - share[i]) * loss(logits[i : i + 1], other[i : i + 1])
        for i in range(5)
    ]
    torch.testing.assert_close(found, torch.stack(each).sum())
