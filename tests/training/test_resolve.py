"""No "auto" is left, explicit choices stay, and each automatic one has its reason."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sightline.recipe import Recipe, apply_overrides, from_toml, to_toml
from sightline.recipe.facts import DataFacts, Machine
from sightline.training.resolve import resolve, with_epochs

CPU = Machine(device="cpu", name="a processor", threads=2, bfloat16=False)
GPU = Machine(device="cuda", name="an accelerator", threads=8, bfloat16=True)


def facts(training: int = 1000, side: int = 64, classes: int = 5, gray: bool = False) -> DataFacts:
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
    st.sampled_from(["auto", "lenet", "vgg", "resnet"]),
    st.sampled_from(["sgd", "momentum", "nesterov", "rmsprop", "adadelta", "adam", "adamw"]),
    st.sampled_from(["relu", "selu", "tanh"]),
    st.sampled_from(["auto", "orthogonal"]),
)
def test_nothing_is_left_open_and_the_result_survives_toml(
    machine, training, side, classes, gray, network, rule, activation, initialization
):
    recipe = apply_overrides(
        Recipe(),
        [
            f"network={network}",
            f"network.activation={activation}",
            f"network.initialization={initialization}",
            f"optimizer={rule}",
        ],
    )
    resolved = resolve(recipe, facts(training, side, classes, gray), machine, decoder="pillow")
    assert autos(resolved.recipe.model_dump(mode="json")) == []
    assert resolved.recipe.network.activation == activation
    assert all(resolved.reasons.values())
    assert from_toml(to_toml(resolved.recipe, resolved.reasons)) == resolved.recipe


def test_explicit_choices_stay_and_have_no_reason():
    chosen = [
        "data.image_size=[40, 56]",
        "data.channels=1",
        "training.batch_size=7",
        "training.epochs=3",
        "training.precision=bfloat16",
        "training.channels_last=false",
        "optimizer.learning_rate=0.5",
        "network=vgg",
        "network.dropout=0.35",
        "network.initialization=normal",
    ]
    resolved = resolve(apply_overrides(Recipe(), chosen), facts(), CPU, decoder="pillow")
    again = apply_overrides(resolved.recipe, chosen)
    assert again == resolved.recipe
    fields = {choice.partition("=")[0] for choice in chosen}
    assert fields.isdisjoint(resolved.reasons)
    # seven explicit values leave only the decoder, device and threads to be chosen
    assert set(resolved.reasons) == {"data.decoder", "training.device", "training.threads"}


@pytest.mark.parametrize(("machine", "precision", "network"), [(CPU, "float32", "vgg"), (GPU, "bfloat16", "resnet")])
def test_the_machine_decides_numbers_and_network(machine, precision, network):
    resolved = resolve(Recipe(), facts(side=224), machine, decoder="pillow")
    assert resolved.recipe.training.precision == precision
    assert resolved.recipe.network.name == network
    assert resolved.recipe.data.image_size == (64 if machine is CPU else 224)


def test_choices_of_an_automatic_network_reach_the_one_that_is_chosen():
    recipe = apply_overrides(
        Recipe(), ["network.normalization=group", "network.dropout=0.4", "network.pooling=average"]
    )
    network = resolve(recipe, facts(), CPU, decoder="pillow").recipe.network
    assert (network.normalization, network.dropout, network.pooling) == ("group", 0.4, "average")


def test_a_time_budget_becomes_epochs():
    recipe = apply_overrides(Recipe(), ["training.time_budget_minutes=5"])
    resolved = with_epochs(resolve(recipe, facts(), CPU, decoder="pillow"), 17, "measured")
    assert resolved.recipe.training.epochs == 17
    assert resolved.recipe.training.time_budget_minutes == 0
    assert resolved.reasons["training.epochs"] == "measured"
