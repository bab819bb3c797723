"""Stage one leaves the old layers as they are to the last bit; stage two moves each at its rate, from a clean state."""

import copy
import json

import numpy as np
import pytest
import torch
from small_transfer import ARCHITECTURES

from sightline import transfer_learning
from sightline.network.head import Compression
from sightline.recipe.operations import HorizontalFlip
from sightline.training import EpochEnd, StageStart, StepEnd
from sightline.training.cached_feed import CachedFeed
from sightline.training.state import shortened_digest
from sightline.transfer_learning import is_head, layers

HEAD = {"transfer.depth": "head", "training.epochs": "auto"}


def body(session) -> dict[str, torch.Tensor]:
    network = session.state.network
    return {n: t.clone() for n, t in network.state_dict().items() if not is_head(network, n)}


def run_until_stage_two(session) -> list:
    events = []
    for event in session.events():
        if isinstance(event, StageStart) and event.number == 2:
            break
        events.append(event)
    return events


@pytest.mark.parametrize("features", ["cached", "exact"])
@pytest.mark.parametrize("name", ARCHITECTURES)
def test_a_frozen_network_is_frozen(name, features, weights_of, begun):
    """Parameters and buffers, batch normalization's counters included, with a running average beside them."""
    choices = {**HEAD, "transfer.features": features, "training.weight_averaging": 0.5, "network.dropout": 0.3}
    session = begun(weights_of(name), choices)
    before = body(session)
    head_before = {n: t.clone() for n, t in session.state.network.state_dict().items() if n not in before}
    for _ in session.events():
        pass
    session.seal()
    after = body(session)
    assert before.keys() == after.keys()
    assert len(before) > 5
    for key, tensor in before.items():
        assert torch.equal(tensor, after[key]), key
        assert torch.equal(tensor, session.state.average[key]), key
        assert torch.equal(tensor, session.state.best[key]), key
    changed = [n for n, t in head_before.items() if not torch.equal(t, session.state.network.state_dict()[n])]
    assert any(name.endswith("weight") for name in changed)


def test_cached_features_are_what_the_exact_path_sees_in_its_first_epochs(weights_of, begun):
    """Two views and two epochs: the same pictures, so the same head up to rounding."""
    ends = {}
    for features in ("cached", "exact"):
        choices = {**HEAD, "transfer.features": features, "transfer.head_epochs": 2, "network.dropout": 0.0}
        session = begun(weights_of("resnet18"), choices)
        losses = [event.loss for event in session.events() if isinstance(event, StepEnd)]
        # The exact path measures the size of features on pictures as they are, which differ from augmented ones.
        scale = next(each for each in session.state.network.modules() if isinstance(each, Compression)).mean_size
        ends[features] = (losses, float(scale))
    assert ends["cached"][1] == pytest.approx(ends["exact"][1], rel=0.1)
    np.testing.assert_allclose(ends["cached"][0][0], ends["exact"][0][0], rtol=0.1)

    choices = {**HEAD, "network.head": "published", "network.dropout": 0.0, "transfer.head_epochs": 2}
    for features in ("cached", "exact"):
        session = begun(weights_of("resnet18"), {**choices, "transfer.features": features})
        ends[features] = [event.loss for event in session.events() if isinstance(event, StepEnd)]
    np.testing.assert_allclose(ends["cached"], ends["exact"], rtol=1e-4)
    assert len(ends["cached"]) > 4


def test_an_epoch_sees_its_view_and_every_picture_its_own_features():
    features = np.arange(2 * 3 * 2, dtype=np.float32).reshape(6, 2)
    labels = np.array([9, 0, 1, 9, 0], np.int32)
    records = np.array([1, 2, 4])
    feed = CachedFeed(features, records, labels, views=2, device="cpu", mixture=lambda epoch, records: None)
    order = [np.array([4, 1]), np.array([2])]
    for epoch, view in ((1, 0), (2, 1), (3, 0)):
        first, second = (shards[0] for shards in feed.epoch(epoch, order))
        assert first.inputs.tolist() == features[3 * view + np.array([2, 0])].tolist()
        assert first.labels.tolist() == [0, 0]
        assert second.inputs.tolist() == [features[3 * view + 1].tolist()]
        assert second.labels.tolist() == [1]


def test_mixed_pictures_have_their_partners_labels_on_cached_features_too(weights_of, begun):
    choices = {**HEAD, "augmentation": [{"name": "mixup", "probability": 1.0}], "network.head": "published"}
    choices |= {"network.dropout": 0.0, "transfer.head_epochs": 2}
    losses = {}
    for features in ("cached", "exact"):
        session = begun(weights_of("vgg"), {**choices, "transfer.features": features})
        losses[features] = [event.loss for event in session.events() if isinstance(event, StepEnd)]
    np.testing.assert_allclose(losses["cached"], losses["exact"], rtol=1e-4)


def test_stage_two_begins_with_the_best_of_stage_one_and_a_clean_optimizer(weights_of, begun):
    session = begun(weights_of("resnet18"))
    ends = []
    for event in session.events():
        if isinstance(event, EpochEnd):
            ends.append((event.epoch, event.validation.loss, copy.deepcopy(session.state.network.state_dict())))
        if isinstance(event, StageStart) and event.number == 2:
            break
    best = min(ends, key=lambda end: end[1])[2]
    for name, tensor in session.state.network.state_dict().items():
        assert torch.equal(tensor, best[name]), name
        assert torch.equal(tensor, session.state.start[name]), name
    assert session.state.optimizer.state == {}
    assert session.state.epoch == session.state.stage_epoch == 3


def test_every_layer_has_its_rate_and_the_table_says_so(weights_of, begun):
    rates = {"optimizer.learning_rate": 0.01, "transfer.rate_factor": 0.2, "transfer.layer_decay": 0.5}
    session = begun(weights_of("squeezenet"), {**rates, "schedule": "constant"})
    told = [event for event in session.events() if isinstance(event, StageStart)][1]
    found = layers(session.state.network)
    names = [layer.name for layer in found]
    assert names == list(told.rates)
    assert names[-1] == "head"
    for distance, name in enumerate(reversed(names)):
        assert told.rates[name] == pytest.approx(0.01 * 0.2 * 0.5**distance)
    # What the optimizer was really given, after the last step.
    given = {}
    for group in session.state.optimizer.param_groups:
        for parameter in group["params"]:
            given[parameter] = group["lr"]
    parameters = dict(session.state.network.named_parameters())
    for layer in found:
        for name in layer.parameters:
            assert given[parameters[name]] == pytest.approx(told.rates[layer.name])
    assert len(given) == len(parameters)
    logged = [json.loads(line) for line in (session.path / "events.jsonl").read_text().splitlines()]
    assert [event["name"] for event in logged if event["event"] == "stage"] == ["head", "all"]


def test_digests_in_the_log_follow_what_is_trained(weights_of, begun):
    session = begun(weights_of("resnet18"), {"transfer.batch_norm": "frozen"})
    for event in session.events():
        if isinstance(event, EpochEnd) and session.state.stage == 1:
            last = shortened_digest(session.state.network.state_dict())
    logged = [json.loads(line) for line in (session.path / "events.jsonl").read_text().splitlines()]
    digests = [event["weights"] for event in logged if event["event"] == "epoch"]
    assert len(set(digests)) == len(digests) > 2  # in either stage, although most weights are frozen in the first
    assert digests[-1] == last


@pytest.mark.parametrize("batch_norm", ["frozen", "follow", "adapt"])
def test_statistics_of_batch_normalization_are_frozen_or_follow(batch_norm, weights_of, begun):
    session = begun(weights_of("mobilenet_v2"), {"transfer.batch_norm": batch_norm})
    before = body(session)
    run_until_stage_two(session)
    at_two = body(session)
    statistics = [name for name in before if "running" in name]
    assert statistics
    for name in before:
        measured_anew = batch_norm == "adapt" and ("running" in name or "num_batches" in name)
        assert torch.equal(before[name], at_two[name]) != measured_anew, name
    session = begun(weights_of("mobilenet_v2"), {"transfer.batch_norm": batch_norm})
    stages = [event.batch_norm for event in session.events() if isinstance(event, StageStart)]
    assert ("keeps" in stages[0]) == (batch_norm != "adapt")
    assert ("keeps" in stages[1]) == (batch_norm == "frozen")
    after = body(session)
    for name in statistics:
        assert torch.equal(at_two[name], after[name]) == (batch_norm == "frozen"), name


def test_adapted_statistics_are_the_mean_over_the_pictures_of_each_batch(weights_of, prepared_for, begun):
    """The first batch normalization sees the first convolution of pictures as they are judged: computed by hand."""
    session = begun(weights_of("resnet18"), {"transfer.batch_norm": "adapt"})
    network, prepared = copy.deepcopy(session.state.network), session.prepared
    run_until_stage_two(session)
    records = np.sort(prepared.split.train)
    seen = network.conv1(session.feed.standardize(torch.from_numpy(prepared.pixels.gather(records))))
    mean = seen.detach().numpy().astype(np.float64).mean(axis=(0, 2, 3))
    np.testing.assert_allclose(session.state.network.bn1.running_mean.numpy(), mean, rtol=1e-4, atol=1e-5)


def test_gradual_unfreezing_lets_the_last_layers_begin(weights_of, begun):
    session = begun(
        weights_of("vgg"), {"transfer.unfreezing": "gradual", "training.epochs": 8, "transfer.layer_decay": 1.0}
    )
    found, learning = layers(session.state.network), []
    names = [layer.name for layer in found]
    before = None
    for event in session.events():
        if isinstance(event, StageStart) and event.number == 2:
            before = copy.deepcopy(session.state.network.state_dict())
        if isinstance(event, EpochEnd) and before is not None:
            after = session.state.network.state_dict()
            moved = [la.name for la in found if any(not torch.equal(before[n], after[n]) for n in la.parameters)]
            learning.append(moved)
            before = copy.deepcopy(after)
    assert learning[0] == names[-1:]
    assert all(names[-len(moved) :] == moved for moved in learning)
    assert [len(moved) for moved in learning] == [1, 2, 3, 4, 4, 4, 4, 4]


def test_depth_head_has_one_stage_and_hidden_heads_learn(weights_of, begun):
    session = begun(weights_of("lenet"), {**HEAD, "network.head": "hidden", "network.head_units": 5})
    stages = [event for event in session.events() if isinstance(event, StageStart)]
    assert [(event.number, event.of) for event in stages] == [(1, 1)]
    metrics = session.seal()
    assert session.conclusion.forgotten is None
    assert all(layer.relative_distance == 0 for layer in session.conclusion.layers)
    assert metrics["test"].images
    assert HorizontalFlip() in session.recipe.augmentation.operations


def test_new_heads_know_the_size_of_the_features(weights_of, begun):
    session = begun(weights_of("resnet18"), HEAD)
    run_until_stage_two(session)
    scale = next(each for each in session.state.network.modules() if isinstance(each, Compression))
    network, feed = session.state.network.eval(), session.feed
    total, count = 0.0, 0
    for view in (1, 2):
        inputs = feed.shard(view, np.sort(session.prepared.split.train)).inputs
        with torch.no_grad():
            seen = network.pool(network.maps(inputs)).double()
        total, count = total + float(seen.abs().sum()), count + seen.numel()
    assert float(scale.mean_size) == pytest.approx(total / count, rel=1e-4)
    nothing = Compression()
    nothing.measure(torch.zeros(3, 2))
    assert float(nothing.mean_size) == 1.0


def test_interpolation_seals_what_the_validation_chooses(weights_of, begun):
    session = begun(weights_of("vgg"), {"transfer.interpolation": "validation", "optimizer.learning_rate": 0.02})
    for _ in session.events():
        pass
    end, start = copy.deepcopy(session.state.best), copy.deepcopy(session.state.start)
    session.seal()
    found = session.conclusion
    assert [point.share for point in found.path] == [step / 10 for step in range(11)]
    assert found.share == min(found.path, key=lambda point: (point.target_loss, point.share)).share
    sealed = session.state.best
    for name, tensor in transfer_learning.interpolated(start, end, found.share).items():
        assert torch.equal(sealed[name], tensor)
    half = begun(weights_of("vgg"), {"transfer.interpolation": 0.5})
    for _ in half.events():
        pass
    end, start = half.state.best, half.state.start
    name = "features.0.weight"
    wanted = (start[name].double() + end[name].double()) / 2
    half.seal()
    torch.testing.assert_close(half.state.best[name].double(), wanted, rtol=1e-6, atol=1e-8)
    assert json.loads((half.path / "transfer.json").read_text())["share"] == 0.5


def test_memory_is_measured_for_the_stage_that_needs_the_most_and_leaves_the_frozen_frozen(weights_of, begun):
    session = begun(weights_of("resnet18"))
    network = session.state.network
    frozen = [name for name, parameter in network.named_parameters() if not parameter.requires_grad]
    needed = session.measure_memory().per_picture
    assert frozen == [name for name, parameter in network.named_parameters() if not parameter.requires_grad] != []
    session.enter(1)
    assert session.measure_memory().per_picture == needed > 0
