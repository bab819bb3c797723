"""What follows from weights: network, size, statistics, depth and length, each with its reason; and what is refused."""

import dataclasses

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file
from small_transfer import ARCHITECTURES

import sightline
from sightline import transfer_learning
from sightline.errors import DataError, ModelFileError, RecipeError
from sightline.network import build
from sightline.recipe import DataFacts, Machine, Recipe, apply_overrides
from sightline.recipe.facts import SourceFacts
from sightline.recipe.network import VGG, ResNet, SqueezeNet, Swift
from sightline.training import prepare, resolve, survey
from sightline.training.resolve import with_batch_size

CPU = Machine("cpu", "a processor", 2, bfloat16=False)
GPU = Machine("cuda", "a card", 8, bfloat16=True)


def facts(per_class: int = 20, *, classes: int = 5, side: int = 128) -> DataFacts:
    return DataFacts(
        source="pictures", classes=classes, training=per_class * classes, validation=9, test=9,
        smallest_class=per_class, largest_class=per_class, median_height=side, median_width=side, all_gray=False,
    )  # fmt: skip


def source(**changes) -> SourceFacts:
    known = {
        "origin": "w.safetensors", "digest": "ab" * 32, "network": SqueezeNet(normalization="none"), "channels": 3,
        "image_size": None, "statistics": "ImageNet's", "classes": (), "answers": False,
    }  # fmt: skip
    return SourceFacts(**{**known, **changes})


def resolved(
    *overrides: str, data: DataFacts | None = None, machine: Machine = CPU, weights: SourceFacts | None = None
):
    recipe = apply_overrides(Recipe(), ["transfer.weights=w.safetensors", *overrides])
    return resolve(recipe, data or facts(), machine, decoder="pillow", source=weights or source())


@pytest.mark.parametrize(
    ("per_class", "depth", "says"),
    [(1, "head", "too few"), (4, "head", "too few"), (5, "both", "enough for all layers"),
     (999, "both", "enough for all layers"), (1000, "both", "training from scratch is worth comparing")],
)  # fmt: skip
def test_how_much_to_do_follows_from_the_pictures_of_a_class(per_class, depth, says):
    found = resolved(data=facts(per_class))
    assert found.recipe.transfer.depth == depth
    assert f"{per_class:,} training pictures per class" in found.reasons["transfer.depth"]
    assert says in found.reasons["transfer.depth"]
    assert resolved("training.epochs=3", data=facts(per_class)).recipe.transfer.depth == "both"


def test_every_auto_has_a_reason_and_resolving_again_changes_nothing():
    for depth in ("auto", "head", "both"):
        for features in ("cached", "exact"):
            found = resolved(f"transfer.depth={depth}", f"transfer.features={features}")
            assert "auto" not in str(found.recipe.model_dump(mode="json")).split("'")
            assert found.reasons["transfer.digest"] == "of the tensors of w.safetensors"
            assert found.reasons["preprocessing.statistics"] == "ImageNet's"
            again = resolve(found.recipe, facts(), CPU, decoder="pillow", source=source())
            assert again.recipe == found.recipe
            assert again.reasons == {}


@pytest.mark.parametrize(
    ("machine", "found", "known", "wanted"),
    [(CPU, 32, None, 96), (CPU, 128, None, 128), (CPU, 640, None, 160), (GPU, 640, None, 224), (CPU, 640, (48, 48), 48),
     (CPU, 128, (32, 64), (32, 64))],
)  # fmt: skip
def test_the_size_is_what_the_weights_know_or_what_their_network_needs(machine, found, known, wanted):
    recipe = resolved(data=facts(side=found), machine=machine, weights=source(image_size=known)).recipe
    assert recipe.data.image_size == wanted


def test_small_stems_take_small_pictures():
    weights = source(network=ResNet(depth=18, stem="small"))
    assert resolved(data=facts(side=32), weights=weights).recipe.data.image_size == 32


@pytest.mark.parametrize("choices", [[], ["network=swift"]])
def test_a_swift_is_as_wide_as_its_weights(choices):
    weights = source(network=Swift(widths=(8, 12), dropout=0.0, first_layer="whitening"))
    found = resolved(*choices, data=facts(side=32), weights=weights).recipe.network
    assert (found.name, found.widths) == ("swift", (8, 12))


def test_the_network_is_that_of_the_weights_with_new_last_layers():
    network = VGG(widths=(8, 8), convolutions=(1, 1), hidden=(9,), normalization="none", activation="elu")
    found = resolved("network.dropout=0.5", weights=source(network=network)).recipe.network
    assert (found.activation, found.normalization, found.hidden, found.head, found.dropout) == (
        "elu", "none", (), "linear", 0.5,
    )  # fmt: skip
    hidden = resolved("network.head=hidden", "network.head_units=7", weights=source(network=network)).recipe.network
    assert (hidden.head, hidden.head_units) == ("hidden", 7)
    kept = resolved("network.head=published", weights=source(network=network)).recipe.network
    assert kept.hidden == (9,)
    with pytest.raises(RecipeError, match=r"network\.activation: found relu, but w\.safetensors was trained with elu"):
        resolved("network.activation=relu", weights=source(network=network))
    with pytest.raises(RecipeError, match=r"network: found resnet, but .* has the weights of vgg"):
        resolved("network=resnet", weights=source(network=network))


@pytest.mark.parametrize(
    ("overrides", "training", "changes", "wanted"),
    [
        ([], 50, {}, "follow"),
        (["training.batch_size=8"], 50, {}, "follow"),
        ([], 45, {}, "frozen"),
        (["training.batch_size=7"], 50, {}, "frozen"),
        (["training.batch_size=28", "training.gradient_accumulation=4"], 50, {}, "frozen"),
        ([], 50, {"network": SqueezeNet(normalization="none")}, "frozen"),
        (["transfer.batch_norm=adapt"], 45, {}, "adapt"),
    ],
)
def test_statistics_of_batch_normalization_follow_where_there_is_enough_to_follow(overrides, training, changes, wanted):
    weights = source(**{"network": ResNet(depth=18), **changes})
    assert resolved(*overrides, data=facts(training // 5), weights=weights).recipe.transfer.batch_norm == wanted


@pytest.mark.parametrize(
    ("overrides", "changes", "wanted"),
    [
        ([], {"answers": True}, 0.5),
        ([], {"answers": False}, 0.0),
        (["transfer.depth=head"], {"answers": True}, 0.0),
        (["preprocessing.statistics=fitted"], {"answers": True}, 0.0),
        ([], {"answers": True, "network": VGG(hidden=(9,))}, 0.0),
        ([], {"answers": True, "network": VGG(hidden=(9,)), "image_size": (32, 32)}, 0.5),
        ([], {"answers": True, "network": VGG(hidden=())}, 0.5),
        (["transfer.distillation=0.0"], {"answers": True}, 0.0),
        (["transfer.distillation=2.0"], {"answers": False}, 2.0),
    ],
)
def test_old_answers_are_kept_where_they_are_known(overrides, changes, wanted):
    assert resolved(*overrides, weights=source(**changes)).recipe.transfer.distillation == wanted


def test_augmentation_follows_from_how_often_pictures_are_seen_in_both_stages():
    found = resolved("training.epochs=3", "transfer.head_epochs=17")
    assert found.recipe.augmentation.operations
    assert found.reasons["augmentation.policy"].startswith("standard")
    assert "seen 20 times" in found.reasons["augmentation.policy"]
    once = resolved("transfer.depth=head", "transfer.head_epochs=11")
    assert once.reasons["augmentation.policy"].startswith("none")  # the one stage is not counted twice


def test_pictures_that_never_change_have_one_view():
    assert resolved().recipe.transfer.views == 16
    assert resolved("augmentation.policy=none").recipe.transfer.views == 1
    assert resolved("transfer.features=exact").recipe.transfer.views == 1


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_weights_without_their_last_layer_have_no_answers(name, weights_of):
    whole = transfer_learning.read(weights_of(name))
    assert whole.facts.answers
    section = whole.network.model_copy(update={"dropout": 0.0})
    network = build(section, channels=whole.channels, classes=2, image_size=whole.image_size or (64, 64))
    last = next(key for key in reversed(whole.tensors) if transfer_learning.is_head(network, key))
    part = dataclasses.replace(whole, tensors={k: v for k, v in whole.tensors.items() if k != last})
    assert not part.facts.answers


def test_the_rate_of_a_new_head_is_five_times_the_usual_one_and_follows_the_batch():
    found = resolved("training.batch_size=32")
    assert found.recipe.optimizer.learning_rate == pytest.approx(5 * 0.0015)
    assert "times 5 for a new last layer" in found.reasons["optimizer.learning_rate"]
    smaller = with_batch_size(found, 8, "less memory").recipe
    assert smaller.optimizer.learning_rate == pytest.approx(5 * 0.00075)
    assert resolved("optimizer.learning_rate=0.002").recipe.optimizer.learning_rate == 0.002


@pytest.mark.parametrize(
    ("overrides", "says"),
    [
        (["transfer.digest=cd"], r"wanted those of transfer\.digest, cd"),
        (["training.time_budget_minutes=3"], "found a budget together with transfer.weights"),
        (["transfer.depth=head", "training.epochs=3", "transfer.head_epochs=4"], "there is one stage"),
        (["preprocessing.statistics=inherited", "preprocessing.scale=pixel"], "other steps of preprocessing"),
    ],
)
def test_what_does_not_go_together_is_one_sentence(overrides, says):
    with pytest.raises((RecipeError, ModelFileError), match=says):
        resolved(*overrides)


def test_statistics_that_are_not_known_cannot_be_inherited_and_others_are_an_explicit_choice():
    assert resolved(weights=source(statistics="")).recipe.preprocessing.statistics == "fitted"
    with pytest.raises(RecipeError, match="says nothing of how its pictures were standardized"):
        resolved("preprocessing.statistics=inherited", weights=source(statistics=""))
    assert resolved("preprocessing.center=pixel").recipe.preprocessing.statistics == "fitted"


def test_one_channel_into_three_is_told_and_gray_is_seen_as_the_mean_of_colors(weights_of, begun):
    session = begun(weights_of("resnet18"), {"data.channels": 1, "transfer.depth": "head", "training.epochs": "auto"})
    told = " ".join(session.stages[0].about.says)
    assert "trained on pictures of 3 channels and meet pictures of 1: conv1.weight is the sum over the colors" in told
    assert session.prepared.statistics.mean == pytest.approx([(0.485 + 0.456 + 0.406) / 3])
    color = load_file(weights_of("resnet18"))["conv1.weight"]
    np.testing.assert_allclose(
        session.state.network.conv1.weight.detach().numpy(), color.sum(axis=1, keepdims=True), rtol=1e-5, atol=1e-6
    )


def test_inherited_statistics_are_the_sources_and_unlike_pictures_are_told(weights_of, prepared_for, colored):
    images, labels = colored
    assert prepared_for(weights_of("vgg")).statistics.mean == pytest.approx([0.485, 0.456, 0.406])
    dark = prepared_for(weights_of("vgg"), source=((images // 16).astype(np.uint8), labels))
    assert any("their first layer sees what it never saw" in remark for remark in dark.remarks)
    fitted = prepared_for(weights_of("vgg"), {"preprocessing.statistics": "fitted"})
    assert fitted.statistics.mean != pytest.approx([0.485, 0.456, 0.406], abs=0.02)


def test_names_of_classes_that_the_weights_know_are_told(weights_of, prepared_for, colored):
    images, labels = colored
    found = prepared_for(weights_of("lenet"), source=(images, np.array(["b", "x", "y"])[labels]))
    assert any("1 of the classes (b)" in remark for remark in found.remarks)
    assert prepared_for(weights_of("lenet")).remarks == ()


def test_weights_of_another_size_or_without_features_are_a_table(weights_of, tmp_path, colored):
    with pytest.raises(ModelFileError, match=r"fc1\.weight: wanted 120 × \d+, found 120 × 576.*"):
        sightline.transfer(weights_of("lenet"), colored, {"data.image_size": 48}, out=tmp_path / "a")
    torn = {k: v for k, v in load_file(weights_of("resnet18")).items() if not k.startswith("layer3.1.conv2")}
    save_file(torn, tmp_path / "torn.safetensors")
    with pytest.raises(ModelFileError, match=r"layer3\.1\.conv2\.weight: missing"):
        sightline.transfer(tmp_path / "torn.safetensors", colored, out=tmp_path / "b")


def test_a_class_without_enough_pictures_is_one_sentence(weights_of, tmp_path, colored):
    images, _ = colored
    with pytest.raises(DataError, match="wanted at least"):
        survey(
            (images[:4], np.arange(4)),
            apply_overrides(Recipe(), {"transfer.weights": str(weights_of("vgg"))}),
        )


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_the_sealed_result_predicts_as_it_was_judged(name, weights_of, begun):
    session = begun(weights_of(name))
    for _ in session.events():
        pass
    metrics = session.seal()
    model = sightline.load(session.path / "model.safetensors")
    split, prepared = session.prepared.split, session.prepared
    chosen = model.probabilities(prepared.pixels.gather(split.test)).numpy().argmax(axis=1)
    right = float((chosen == prepared.catalogue.labels[split.test]).mean())
    assert right == pytest.approx(metrics["test"].accuracy, abs=0.13)  # a picture may lie on the boundary
    assert model.recipe.transfer.digest == prepared.weights.digest
    again = prepare(survey("digits", apply_overrides(Recipe(), {
        "transfer.weights": str(session.path / "model.safetensors"), "data.channels": 3, "data.max_refused": 0.0,
    })))  # fmt: skip
    assert again.weights.network.head == "linear"
