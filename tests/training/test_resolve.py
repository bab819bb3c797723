"""No "auto" is left, explicit choices stay, and each automatic one has its reason."""

from dataclasses import replace
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sightline.errors import RecipeError
from sightline.recipe import Recipe, apply_overrides, from_toml, policies, read_recipe, to_toml
from sightline.recipe.advice.augmentation import RULES
from sightline.recipe.facts import DataFacts, Machine
from sightline.recipe.operations import NEEDS_COLOR
from sightline.recipe.policies import ListedPolicy
from sightline.training.resolve import Resolved, resolve, with_epochs

CPU = Machine(device="cpu", name="a processor", threads=2, bfloat16=False)
GPU = Machine(device="cuda", name="an accelerator", threads=8, bfloat16=True)


def facts(
    training: int = 1000, side: int = 64, classes: int = 5, gray: bool = False, names: tuple[str, ...] = ()
) -> DataFacts:
    return DataFacts(
        source="photos",
        classes=classes,
        training=training,
        validation=100,
        test=150,
        smallest_class=max(1, training // classes),
        largest_class=training,
        median_height=side,
        median_width=side,
        all_gray=gray,
        class_names=names,
    )


def autos(value: object, path: str = "") -> list[str]:
    if isinstance(value, dict):
        return [found for key, inner in value.items() for found in autos(inner, f"{path}.{key}")]
    return [path] if value == "auto" else []


@given(
    st.sampled_from([CPU, GPU]),
    st.integers(2, 2_000_000),
    st.integers(1, 5000),
    st.integers(2, 1000),
    st.booleans(),
    st.sampled_from(["auto", "lenet", "vgg", "resnet", "swift"]),
    st.sampled_from(["sgd", "momentum", "nesterov", "rmsprop", "adadelta", "adam", "adamw", "muon"]),
    st.sampled_from(["relu", "selu", "tanh"]),
    st.sampled_from(["auto", "orthogonal"]),
    st.sampled_from([*get_args(ListedPolicy), "auto"]),
    st.sampled_from(["auto", "fixed", "mirror", "any"]),
)
def test_nothing_is_left_open_and_the_result_survives_toml(
    machine, training, side, classes, gray, network, rule, activation, initialization, policy, orientation
):
    recipe = apply_overrides(
        Recipe(),
        [
            f"network={network}",
            f"network.activation={activation}",
            f"network.initialization={initialization}",
            f"optimizer={rule}",
            f"augmentation={policy}",
            f"augmentation.orientation={orientation}",
        ],
    )
    resolved = resolve(recipe, facts(training, side, classes, gray), machine, decoder="pillow")
    assert autos(resolved.recipe.model_dump(mode="json")) == []
    assert resolved.recipe.network.activation == activation
    assert all(resolved.reasons.values())
    assert from_toml(to_toml(resolved.recipe, resolved.reasons)) == resolved.recipe
    again = resolve(resolved.recipe, facts(training, side, classes, gray), machine, decoder="pillow")
    assert again.recipe == resolved.recipe
    assert again.reasons == {}


def test_explicit_choices_stay_and_have_no_reason():
    chosen = [
        "data.image_size=[40, 56]",
        "data.stored_size=[40, 56]",
        "data.channels=1",
        "training.batch_size=7",
        "training.epochs=3",
        "training.precision=bfloat16",
        "training.channels_last=false",
        "optimizer.learning_rate=0.5",
        "network=vgg",
        "network.dropout=0.35",
        "network.initialization=normal",
        "network.first_layer=whitening",
        "augmentation=none",
        "augmentation.orientation=any",
    ]
    resolved = resolve(apply_overrides(Recipe(), chosen), facts(), CPU, decoder="pillow")
    again = apply_overrides(resolved.recipe, chosen)
    assert again == resolved.recipe
    fields = {choice.partition("=")[0] for choice in chosen}
    assert fields.isdisjoint(resolved.reasons)
    # explicit values leave only the decoder, device and threads to be chosen
    assert set(resolved.reasons) == {
        "data.decoder",
        "training.device",
        "training.gradient_accumulation",
        "training.threads",
    }


@pytest.mark.parametrize(("machine", "precision", "network"), [(CPU, "float32", "vgg"), (GPU, "bfloat16", "resnet")])
def test_the_machine_decides_numbers_and_network(machine, precision, network):
    resolved = resolve(Recipe(), facts(side=224), machine, decoder="pillow")
    assert resolved.recipe.training.precision == precision
    assert resolved.recipe.network.name == network
    assert resolved.recipe.data.image_size == (64 if machine is CPU else 224)


@pytest.mark.parametrize(
    ("machine", "side", "network"),
    [
        (CPU, 8, "vgg"),
        (CPU, 16, "swift"),
        (CPU, 32, "swift"),
        (CPU, 40, "swift"),
        (CPU, 41, "vgg"),
        (GPU, 32, "resnet"),
    ],
)
def test_small_pictures_get_swift_on_a_processor(machine, side, network):
    assert resolve(Recipe(), facts(side=side), machine, decoder="pillow").recipe.network.name == network


def test_an_automatic_swift_is_half_as_wide_and_has_an_activation_of_its_own():
    found = resolve(Recipe(), facts(side=32), CPU, decoder="pillow").recipe.network
    assert (found.widths, found.activation, found.running_share) == ((32, 128, 128), "gelu", 0.4)
    assert (found.initialization.name, found.first_layer) == ("identity", "whitening")
    asked = resolve(apply_overrides(Recipe(), ["network=swift"]), facts(side=32), CPU, decoder="pillow").recipe.network
    assert asked.widths == (64, 256, 256)
    chosen = apply_overrides(Recipe(), ["network.activation=tanh", "network.running_share=0.2"])
    kept = resolve(chosen, facts(side=32), CPU, decoder="pillow").recipe.network
    assert (kept.name, kept.activation, kept.running_share) == ("swift", "tanh", 0.2)


@pytest.mark.parametrize(
    ("machine", "batch", "parts"), [(CPU, 64, 1), (CPU, 191, 1), (CPU, 256, 2), (CPU, 1792, 14), (GPU, 1792, 1)]
)
def test_large_batches_are_computed_in_parts_that_a_cache_holds(machine, batch, parts):
    recipe = apply_overrides(Recipe(), [f"training.batch_size={batch}"])
    resolved = resolve(recipe, facts(10_000), machine, decoder="pillow")
    assert resolved.recipe.training.gradient_accumulation == parts
    assert ("cache" in resolved.reasons["training.gradient_accumulation"]) is (parts > 1)


def test_muon_needs_fewer_passes():
    recipe = apply_overrides(Recipe(), ["optimizer=muon"])
    assert resolve(recipe, facts(50_000), CPU, decoder="pillow").recipe.training.epochs == 10
    assert resolve(recipe, facts(200_000), CPU, decoder="pillow").recipe.training.epochs == 8
    assert resolve(Recipe(), facts(50_000), CPU, decoder="pillow").recipe.training.epochs == 11


def test_choices_of_an_automatic_network_reach_the_one_that_is_chosen():
    recipe = apply_overrides(
        Recipe(), ["network.normalization=group", "network.dropout=0.4", "network.pooling=average"]
    )
    network = resolve(recipe, facts(), CPU, decoder="pillow").recipe.network
    assert (network.normalization, network.dropout, network.pooling) == ("group", 0.4, "average")


@pytest.mark.parametrize(("training", "policy"), [(1_000, "standard"), (36_000, "light"), (100_000, "none")])
def test_how_often_a_picture_is_seen_decides_the_augmentation(training, policy):
    """540,000 passes on a processor, 10 epochs at least and 40 at most: 40, 15 and 10 epochs."""
    resolved = resolve(Recipe(), facts(training), CPU, decoder="pillow")
    chosen = resolved.recipe.augmentation
    assert (chosen.policy, chosen.orientation) == ("none" if policy == "none" else "custom", "mirror")
    assert chosen.operations == policies.operations(policy, orientation="mirror", channels=3)
    assert resolved.reasons["augmentation.policy"].startswith(f"{policy}: ")
    assert f"{training:,} training pictures" in resolved.reasons["augmentation.policy"]
    assert "augmentation.operations" not in resolved.reasons


@pytest.mark.parametrize("training", [1_000, 100_000])
def test_with_a_time_budget_the_number_of_pictures_decides_it(training):
    recipe = apply_overrides(Recipe(), ["training.time_budget_minutes=5"])
    resolved = resolve(recipe, facts(training), CPU, decoder="pillow")
    listed = policies.operations("standard" if training < 20_000 else "light", orientation="mirror", channels=3)
    assert resolved.recipe.augmentation.operations == listed


@pytest.mark.parametrize(
    "override", ["preprocessing.center=pixel", "preprocessing.scale=pixel", "preprocessing.decorrelate=zca"]
)
def test_pictures_stay_where_they_are_where_single_pixels_have_numbers(override):
    recipe = apply_overrides(Recipe(), [override])
    resolved = resolve(recipe, facts(1_000), CPU, decoder="pillow")
    assert resolved.recipe.augmentation.policy == "none"
    assert "single pixels" in resolved.reasons["augmentation.policy"]


@pytest.mark.parametrize(
    ("area", "found", "stored"), [(0.25, 512, 128), (0.01, 512, 128), (0.5, 512, 91), (0.25, 80, 80), (1.0, 512, 64)]
)
def test_pictures_are_stored_as_large_as_crops_need_and_the_pictures_are(area, found, stored):
    crop = {"name": "crop", "area": [area, 1.0]}
    recipe = apply_overrides(Recipe(), {"augmentation.operations": [crop], "data.image_size": 64})
    known = replace(facts(1_000), median_height=found, median_width=found)
    assert resolve(recipe, known, CPU, decoder="pillow").recipe.data.stored_size == stored


def test_classes_named_like_digits_are_not_mirrored():
    resolved = resolve(Recipe(), facts(names=tuple("0123456789")), CPU, decoder="pillow")
    assert resolved.recipe.augmentation.orientation == "fixed"
    assert "digits" in resolved.reasons["augmentation.orientation"]
    assert "horizontal_flip" not in names_of(resolved)
    forced = apply_overrides(Recipe(), ["augmentation.orientation=mirror"])
    assert "horizontal_flip" in names_of(resolve(forced, facts(names=tuple("0123")), CPU, decoder="pillow"))


@pytest.mark.parametrize("policy", ["none", "light", "standard", "strong", "trivial"])
def test_a_policy_that_is_chosen_is_written_out(policy):
    recipe = apply_overrides(Recipe(), [f"augmentation={policy}", "augmentation.fill=edge"])
    resolved = resolve(recipe, facts(), GPU, decoder="pillow")
    chosen = resolved.recipe.augmentation
    assert chosen.policy == (policy if policy in ("none", "trivial") else "custom")
    assert chosen.operations == policies.operations(policy, orientation="mirror", channels=3)
    assert chosen.fill == "edge"
    assert "augmentation.policy" not in resolved.reasons


@pytest.mark.parametrize("channels", ["auto", 1, 3])
@pytest.mark.parametrize("policy", ["auto", "strong", "trivial"])
def test_policies_leave_color_out_of_gray_pictures(policy, channels):
    recipe = apply_overrides(Recipe(), {"augmentation": policy, "data.channels": channels})
    resolved = resolve(recipe, facts(gray=True), CPU, decoder="pillow")
    assert not any(isinstance(each, NEEDS_COLOR) for each in resolved.recipe.augmentation.operations)


def test_color_that_is_listed_for_gray_pictures_is_a_mistake():
    recipe = apply_overrides(Recipe(), ['augmentation=["blur", "hue"]'])
    with pytest.raises(RecipeError) as refusal:
        resolve(recipe, facts(gray=True), CPU, decoder="pillow")
    assert str(refusal.value) == (
        "augmentation.operations: found hue for pictures of one channel, which have no color; leave it out, or choose "
        "data.channels = 3."
    )
    assert names_of(resolve(recipe, facts(), CPU, decoder="pillow")) == ["blur", "hue"]
    kept = apply_overrides(recipe, ["data.channels=3"])
    assert names_of(resolve(kept, facts(gray=True), CPU, decoder="pillow")) == ["blur", "hue"]


@pytest.mark.parametrize("training", [100, 1_000, 10_000, 100_000])
@pytest.mark.parametrize("names", [(), ("0", "1"), ("cat", "dog")])
@pytest.mark.parametrize("machine", [CPU, GPU])
def test_what_is_chosen_automatically_needs_no_advice_on_augmentation(training, names, machine):
    known = facts(training, names=names)
    resolved = resolve(Recipe(), known, machine, decoder="pillow")
    assert [advice for rule in RULES if (advice := rule(resolved.recipe, known))] == []


def names_of(resolved: Resolved) -> list[str]:
    return [each.name for each in resolved.recipe.augmentation.operations]


def test_a_time_budget_becomes_epochs():
    recipe = apply_overrides(Recipe(), ["training.time_budget_minutes=5"])
    resolved = with_epochs(resolve(recipe, facts(), CPU, decoder="pillow"), 17, "measured")
    assert resolved.recipe.training.epochs == 17
    assert resolved.recipe.training.time_budget_minutes == 0
    assert resolved.reasons["training.epochs"] == "measured"


@pytest.mark.parametrize(
    ("machine", "training", "batch"),
    [
        (CPU, 50_000, 512), (CPU, 10_000, 400), (CPU, 5_000, 200), (CPU, 100, 32), (CPU, 10**6, 512),
        (GPU, 50_000, 2000), (GPU, 45_000, 1800), (GPU, 100, 32), (GPU, 10**6, 2000),
    ],
)  # fmt: skip
def test_muon_takes_large_batches(machine, training, batch):
    recipe = apply_overrides(Recipe(), ["optimizer=muon"])
    resolved = resolve(recipe, replace(facts(), training=training), machine, decoder="pillow")
    assert resolved.recipe.training.batch_size == batch
    assert "muon" in resolved.reasons["training.batch_size"]
    assert resolved.recipe.optimizer.learning_rate == pytest.approx(0.06 * (batch / 128) ** 0.5, rel=0.01)


@pytest.mark.parametrize(("name", "batch"), [("fast", 512), ("accurate", 1952)])
def test_a_deep_swift_keeps_the_batch_that_it_was_measured_with(name, batch):
    small = replace(facts(), training=48_800, median_height=32, median_width=32)
    assert resolve(read_recipe(name), small, CPU, decoder="pillow").recipe.training.batch_size == batch
