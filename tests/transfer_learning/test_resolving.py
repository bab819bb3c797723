"""What follows from weights: network, size, statistics, depth and length, each with its reason; and what is refused."""

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file
from small_transfer import ARCHITECTURES

import sightline
from sightline.errors import DataError, ModelFileError, RecipeError
from sightline.recipe import DataFacts, Machine, Recipe, apply_overrides
from sightline.recipe.facts import SourceFacts
from sightline.recipe.network import VGG, ResNet, SqueezeNet
from sightline.training import prepare, resolve, survey

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
        "image_size": None, "statistics": "ImageNet's", "classes": (),
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
