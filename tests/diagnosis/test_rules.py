"""Rules on histories written by hand: what must not be said, and what must not be prescribed."""

import math

import pytest

from sightline.comparison.cure import prescribe
from sightline.diagnosis import History, Predicted, diagnose
from sightline.diagnosis.findings.data import _area
from sightline.recipe import Recipe, policies
from sightline.recipe.network import VGG, He
from sightline.recipe.optimizer import AdamW, Muon
from sightline.recipe.training import Training
from sightline.recipe.transfer import Transfer

NETWORK = VGG(dropout=0.0, initialization=He())
TRAINED = Training(epochs=3, batch_size=32)


def recipe(**sections):
    base = {
        "network": NETWORK,
        "training": TRAINED,
        "optimizer": AdamW(learning_rate=0.0015),
        "augmentation": {"policy": "none", "orientation": "fixed"},
        "data": {"channels": 3},
    }
    return Recipe(**{**base, **sections})


def transferred(**chosen):
    return Transfer(weights="w.safetensors", distillation=0.0, batch_norm="follow", depth="both").model_copy(
        update=chosen
    )


def history(chosen, *, classes=2, epochs=(), probes=(), **rest):
    start = {"event": "start", "classes": classes, "epochs": 3, "images": 1000}
    return History(chosen, start, list(probes), list(epochs), **rest)


def epoch(number, *, learned, confusion):
    total = sum(map(sum, confusion))
    right = sum(row[k] for k, row in enumerate(confusion))
    recalls = [row[k] / sum(row) for k, row in enumerate(confusion) if sum(row)]
    return {
        "event": "epoch", "epoch": number, "step": 30 * number, "training_loss": 0.5, "training_accuracy": learned,
        "validation": {
            "loss": 0.5, "accuracy": right / total, "balanced_accuracy": sum(recalls) / len(recalls),
            "images": total, "confusion": confusion,
        },
    }  # fmt: skip


def probe(step=64, **rest):
    said = {"inference": 0.3, "cross_entropy": 0.3, "shuffled": 3.0, "chance": math.log(2), "gradient": 1.0}
    said |= {"input_mean": 0.0, "input_spread": 1.0, "curvature": 0.1, "rate": 0.001, "loss": 0.3, "loss_after": 0.29}
    return {"step": step, "layers": [], "activations": [], "normalizations": [], **said, **rest}


def codes(found):
    return {each.code: each for each in diagnose(found)}


def judged(confusion, learned):
    found = history(recipe(), probes=[probe(), probe()])
    for number in (1, 2, 3):
        found.add(epoch(number, learned=learned, confusion=confusion))
    return found


def test_labels_are_shuffled_where_held_out_pictures_are_guessed():
    assert "labels-shuffled" in codes(judged([[52, 48], [51, 49]], learned=0.99))


@pytest.mark.parametrize(
    ("confusion", "learned"),
    [
        ([[100, 0], [0, 0]], 1.0),  # all of one class, and right
        ([[1760, 40], [130, 70]], 0.955),  # uneven: 91.5 % is little above guessing, but the rare class is found
    ],
)
def test_labels_are_not_blamed_where_classes_are_told_apart(confusion, learned):
    assert "labels-shuffled" not in codes(judged(confusion, learned))


def test_only_the_last_epoch_keeps_its_confusion_matrix():
    found = judged([[52, 48], [51, 49]], learned=0.9)
    assert ["confusion" in each["validation"] for each in found.epochs] == [False, False, True]
    assert found.validation("accuracy") == [(1, 0.505), (2, 0.505), (3, 0.505)]


def said(*confidences):
    return [Predicted("test", str(number), "a", "a", each, each) for number, each in enumerate(confidences)]


@pytest.mark.parametrize(
    ("right", "wrong", "area"),
    [((1, 1), (1, 1, 1), 0.5), ((0.9, 0.8), (0.5,), 1.0), ((0.5,), (0.9, 0.5), 0.25), ((1, 0.6), (1, 0.5), 0.625)],
)
def test_equal_confidence_counts_half(right, wrong, area):
    assert _area(said(*right), said(*wrong)) == pytest.approx(area)


def test_a_thousand_classes_are_not_all_named():
    confusion = [[10, 0] + [0] * 18 for _ in range(8)] + [[0] * k + [10] + [0] * (19 - k) for k in range(8, 20)]
    found = history(recipe(), classes=20)
    for number in (1, 2, 3):
        found.add(epoch(number, learned=0.9, confusion=confusion))
    says = codes(found)["class-never-predicted"].says
    assert says == "No validation picture is predicted as 1, 2, 3, 4, 5 and 2 other classes."


def test_the_name_of_a_picture_is_no_fault():
    says = "epoch 1, step 1: {} at a learning rate of 1. The step's pictures: gradient/a.png"
    broken = history(recipe(), failure={"step": 1, "says": says.format("the loss is nan")})
    assert "exploding-gradient" not in codes(broken)
    broken = history(recipe(), failure={"step": 1, "says": says.format("the norm of the gradient is inf")})
    assert "exploding-gradient" in codes(broken)


def lost(**chosen):
    found = history(recipe(transfer=transferred(**chosen)))
    found.transfer = {"source_before": 0.9, "source_after": 0.5}
    return dict(codes(found)["forgetting"].change)


def test_against_forgetting_levers_are_only_pulled_one_way():
    assert lost(rate_factor=1.0, layer_decay=1.0) == {
        "transfer.rate_factor": 0.1, "transfer.layer_decay": 0.95, "transfer.distillation": 0.5,
    }  # fmt: skip
    assert lost(rate_factor=0.01, layer_decay=0.8, distillation=2.0) == {}


def batches_of_four(**sections):
    chosen = recipe(training=Training(epochs=3, batch_size=4), **sections)
    found = history(chosen, probes=[probe(normalizations=[{"name": "bn", "shift": 0.0, "scale": 0.0}])])
    found.add(epoch(1, learned=0.5, confusion=[[5, 5], [5, 5]]))
    return codes(found).get("small-batch-norm")


def test_what_a_time_budget_cost_a_training_is_not_prescribed_again():
    """A training of three epochs of 30 steps, cut short after 50, that did not learn enough."""
    cut = TRAINED.model_copy(update={"replanned": ((40, 50, 90),)})
    epochs = [epoch(n, learned=0.5 + 0.1 * n, confusion=[[30, 20], [20, 30]]) for n in (1, 2)]
    found = prescribe(history(recipe(training=cut), epochs=epochs), ())
    assert found.recipe.training.replanned == ()


def test_what_transferred_weights_were_trained_with_is_never_prescribed():
    assert batches_of_four().change == {"network.normalization": "group"}
    assert batches_of_four(transfer=transferred()).change == {"training.batch_size": 8}
    assert batches_of_four(transfer=transferred(batch_norm="frozen")) is None


@pytest.mark.parametrize(("policy", "next_one"), [("strong", "standard"), ("standard", "light"), ("light", "none")])
def test_too_strong_an_augmentation_is_made_lighter(policy, next_one):
    operations = policies.operations(policy, orientation="fixed", channels=3)
    chosen = recipe(augmentation={"policy": "custom", "orientation": "fixed", "operations": operations})
    found = history(chosen, sealed={"training": {"accuracy": 0.9}})
    for number in (1, 2, 3):
        found.add(epoch(number, learned=0.6, confusion=[[45, 5], [5, 45]]))
    assert codes(found)["augmentation-too-strong"].change == {"augmentation": next_one}


@pytest.mark.parametrize(("rate", "changed"), [(1e-4, False), (0.0015, False), (0.1, True)])
def test_dead_units_ask_for_a_lower_rate_only_where_it_is_high(rate, changed):
    dead = {"name": "conv", "kind": "ReLU", "dead": 0.6, "saturated": 0.6, "used": 0.9, "mean": 0.0, "spread": 1.0}
    probes = [probe(64, activations=[dead]), probe(200, activations=[dead])]
    found = codes(history(recipe(optimizer=AdamW(learning_rate=rate)), probes=probes))["dead-units"]
    assert ("optimizer.learning_rate" in found.change) is changed


@pytest.mark.parametrize(
    ("optimizer", "update", "found"),
    [
        (AdamW(learning_rate=0.1), 0.2, True),
        (Muon(learning_rate=0.05), 0.05, False),
        (Muon(learning_rate=0.5), 0.5, True),
    ],
)
def test_steps_are_long_by_the_measure_of_their_rule(optimizer, update, found):
    layer = {"name": "conv", "weight": 1.0, "mean": 0.0, "spread": 1.0, "gradient": 1.0, "update": update}
    worse = {"loss": 1.0, "loss_after": 1.2, "curvature": 2.5, "layers": [layer]}
    trained = history(recipe(optimizer=optimizer), probes=[probe(step, **worse) for step in (1, 4, 16, 64)])
    trained.add(epoch(1, learned=0.6, confusion=[[30, 20], [20, 30]]))
    assert ("rate-too-high" in codes(trained)) is found
