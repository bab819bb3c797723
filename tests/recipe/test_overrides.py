"""`--set field=value`: read as TOML or a bare word, checked together, and never silently ignored."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from sightline.errors import RecipeError
from sightline.recipe import Recipe, apply_overrides, from_toml, read_with_overrides, to_toml
from sightline.recipe.augmentation import Augmentation
from sightline.recipe.network import He, LeNet, Normal, ResNet
from sightline.recipe.operations import Blur, HorizontalFlip, Rotation
from sightline.recipe.optimizer import Adam, Sgd
from sightline.recipe.overrides import parse_value

DEEP = from_toml('[network]\nname = "resnet"\ndepth = 34\nstem = "auto"\nactivation = "elu"\n')


def refused(recipe: Any, *overrides: str) -> str:
    with pytest.raises(RecipeError) as refusal:
        apply_overrides(recipe, overrides, where="recipe.toml")
    return str(refusal.value)


def test_values_are_toml_or_bare_words() -> None:
    recipe = apply_overrides(
        Recipe(),
        [
            "optimizer.learning_rate=0.01",
            "network=lenet",
            "network.initialization=he",
            "training.epochs=3",
            "data.image_size=[32,48]",
            "data.resize = crop",
            "optimizer.name=sgd",
            "data.max_pixels=2_000_000",
            "training.deterministic=false",
        ],
    )
    assert recipe.optimizer == Sgd(learning_rate=0.01)
    assert recipe.network == LeNet(initialization=He())
    assert (recipe.training.epochs, recipe.training.deterministic) == (3, False)
    assert (recipe.data.image_size, recipe.data.resize, recipe.data.max_pixels) == ((32, 48), "crop", 2_000_000)


@pytest.mark.parametrize(
    ("text", "value"),
    [("he", "he"), ('"he"', "he"), ("3", 3), ("3.0", 3.0), ("1e-3", 1e-3), ("true", True), ("[1, 2]", [1, 2]),
     ('{name="he"}', {"name": "he"}), ("", ""), ("3\nother = 4", "3\nother = 4"), ("[1,", "[1,")],
)  # fmt: skip
def test_a_value(text: str, value: object) -> None:
    assert parse_value(text) == value


def test_python_values_and_sections_are_taken_as_they_are() -> None:
    recipe = apply_overrides(
        Recipe(), {"network": ResNet(depth=50), "optimizer": {"name": "adam"}, "loss.name": "cross_entropy"}
    )
    assert recipe.network == ResNet(depth=50)
    assert recipe.optimizer == Adam()
    with pytest.raises(RecipeError, match=r"^recipe, training\.epochs: found 0"):
        apply_overrides(Recipe(), {"training.epochs": 0})


def test_order_does_not_matter() -> None:
    overrides = ["network.initialization.std=0.1", "network.initialization=normal", "network.width=8", "network=resnet"]
    expected = ResNet(width=8, initialization=Normal(std=0.1))
    assert apply_overrides(Recipe(), overrides).network == expected
    assert apply_overrides(Recipe(), reversed(overrides)).network == expected
    assert apply_overrides(Recipe(), ["network.width=8", 'network={name="resnet"}']).network == ResNet(width=8)


def test_another_choice_keeps_what_both_know() -> None:
    recipe = from_toml('[network]\nname = "resnet"\ndepth = 18\nactivation = "elu"\n')
    changed = apply_overrides(recipe, ["network=vgg"])
    assert changed.network.name == "vgg"
    assert changed.network.activation == "elu"


def test_a_field_that_the_new_choice_lacks_is_named() -> None:
    sentence = refused(DEEP, "network=lenet")
    assert sentence == (
        "--set network: lenet has no depth, which the recipe sets to 34 for resnet. Take it out of the recipe, or "
        "begin the section anew with 'network={name=\"lenet\"}'."
    )
    assert apply_overrides(DEEP, ['network={name="lenet"}']).network == LeNet()


def test_a_field_of_one_name_and_two_meanings_is_not_carried_over() -> None:
    recipe = Recipe(network=ResNet(width=32))
    assert "lenet means something else by width, which the recipe sets to 32 for resnet" in refused(
        recipe, "network=lenet"
    )
    assert apply_overrides(from_toml(to_toml(Recipe(network=ResNet()))), ["network=lenet"]).network == LeNet()


def test_a_field_that_may_be_automatic_in_one_choice_alone_means_the_same() -> None:
    plain = from_toml('[network]\nname = "vgg"\nwidths = [8, 12, 16]\n')
    assert apply_overrides(plain, ["network=swift"]).network.widths == (8, 12, 16)
    swift = from_toml('[network]\nname = "swift"\nwidths = [8, 12, 16]\n')
    assert apply_overrides(swift, ["network=vgg"]).network.widths == (8, 12, 16)


def test_all_mistakes_of_overrides_and_recipe_are_listed_at_once() -> None:
    found = {"training": {"epoch": 3}}
    overrides = ["optimizer.learning_rat=1", "network.dropout=1.5", "nothing", "network.activation.x=2"]
    assert refused(found, *overrides).splitlines() == [
        "recipe.toml, 5 mistakes:",
        "  training.epoch: no such field. Did you mean epochs?",
        "  --set nothing: wanted a field and its value, such as optimizer.learning_rate=0.01.",
        "  --set network.activation.x: network.activation is a value, not a section; nothing can be set in it.",
        '  --set network.dropout: found 1.5, wanted "auto" or a probability in [0, 1).',
        "  --set optimizer.learning_rat: no such field. Did you mean learning_rate?",
    ]


@pytest.mark.parametrize(
    ("override", "sentence"),
    [
        ("optimizer.learning_rat=1", "--set optimizer.learning_rat: no such field. Did you mean learning_rate?"),
        ("network.depth=34", ('--set network.depth: auto has no such field, but resnet has. Choose network = "resnet", '
         "or leave depth out.")),
        ("network=lenett", ('--set network: found "lenett", wanted "auto", "lenet", "vgg", "resnet", "swift", '
         '"squeezenet", "mobilenet_v2" or "timm". Did you mean lenet?')),
        ("=3", "--set =3: wanted a field and its value, such as optimizer.learning_rate=0.01."),
        ("training.epochs=", '--set training.epochs: found "", wanted "auto" or a whole number from 1 to 100,000.'),
        ("a..b=3", ("--set a: no such section. Known: data, preprocessing, augmentation, network, loss, optimizer, "
         "schedule, training, transfer.")),
        ("augmentation=standrad", ('--set augmentation.policy: found "standrad", wanted "auto", "none", "light", '
         '"standard", "strong", "trivial" or "custom". Did you mean standard?')),
        ('augmentation.operations=["crop", {name="hue", degres=3}]',
         "--set augmentation.operations: hue.degres: no such field. Did you mean degrees?"),
        ("augmentation.operations.hue=3", ("--set augmentation.operations.hue: augmentation.operations is a value, not "
         "a section; nothing can be set in it.")),
        ("data=3", '--set data: found 3, wanted a section with fields such as data.image_size = "auto".'),
        ("training.batch_size=1", ('--set training.batch_size: found 1 with network.normalization "batch", which '
         'compares the pictures of a batch; wanted 2 or more, or normalization "group" or "none".')),
    ],
)  # fmt: skip
def test_one_mistake_is_one_sentence(override: str, sentence: str) -> None:
    assert refused(Recipe(), override) == sentence


FLIP_AND_TURN = 'augmentation.operations=["horizontal_flip", {name="rotation", degrees=20}]'
FLIPPED_AND_TURNED = (HorizontalFlip(), Rotation(degrees=(-20, 20)))


@pytest.mark.parametrize(
    "found", [{}, {"augmentation": "strong"}, {"augmentation": ["blur"]}, {"augmentation": {"policy": "auto"}}]
)
def test_policy_and_operations_take_each_other_s_place(found: dict[str, Any]) -> None:
    assert apply_overrides(found, ["augmentation=standard"]).augmentation == Augmentation(policy="standard")
    assert apply_overrides(found, ["augmentation.policy=none"]).augmentation == Augmentation(policy="none")
    for override in (FLIP_AND_TURN, FLIP_AND_TURN.replace(".operations", "")):
        chosen = apply_overrides(found, [override]).augmentation
        assert chosen == Augmentation(policy="custom", operations=FLIPPED_AND_TURNED)


def test_what_else_is_said_of_augmentation_stays() -> None:
    found = {"augmentation": {"operations": ["blur"], "fill": "edge"}}
    for override in ("augmentation=light", "augmentation.policy=none", 'augmentation=["hue"]', FLIP_AND_TURN):
        assert apply_overrides(found, [override]).augmentation.fill == "edge"
    assert apply_overrides(found, ["augmentation.fill=reflect"]).augmentation == Augmentation(operations=(Blur(),))
    assert apply_overrides({"augmentation": ["blur"]}, ["augmentation.fill=edge"]).augmentation.operations == (Blur(),)
    assert apply_overrides(found, ['augmentation={policy="none"}']).augmentation == Augmentation(policy="none")
    assert found == {"augmentation": {"operations": ["blur"], "fill": "edge"}}


def test_trivial_takes_the_operations_that_are_listed() -> None:
    found = {"augmentation": {"policy": "trivial"}}
    assert apply_overrides(found, [FLIP_AND_TURN]).augmentation.policy == "trivial"
    chosen = apply_overrides({"augmentation": ["blur"]}, ["augmentation=trivial"]).augmentation
    assert chosen == Augmentation(policy="trivial", operations=(Blur(),))


def test_a_policy_and_operations_together_are_a_mistake() -> None:
    said = refused(Recipe(), "augmentation=light", FLIP_AND_TURN)
    assert said == (
        '--set augmentation: found operations with policy "light", which has its own; wanted policy "custom" or '
        '"trivial".'
    )
    assert "set twice" in refused(Recipe(), "augmentation=light", "augmentation.policy=none")


def test_operations_made_in_python_are_taken_as_they_are() -> None:
    changes: list[dict[str, Any]] = [
        {"augmentation": Augmentation(operations=FLIPPED_AND_TURNED)},
        {"augmentation": FLIPPED_AND_TURNED},
        {"augmentation.operations": list(FLIPPED_AND_TURNED)},
    ]
    for change in changes:
        assert apply_overrides(Recipe(), change).augmentation.operations == FLIPPED_AND_TURNED


def test_one_field_set_to_two_values_is_a_mistake() -> None:
    said = refused(Recipe(), "training.epochs=3", "training.epochs=4")
    assert said == "--set training.epochs: set twice, to 3 and to 4; wanted one of them."
    assert "set twice" in refused(Recipe(), "network=lenet", "network.name=vgg")
    assert apply_overrides(Recipe(), ["training.epochs=3", "training.epochs=3"]).training.epochs == 3


def test_nothing_that_is_given_is_changed() -> None:
    found = {"network": {"name": "resnet", "depth": 18}}
    apply_overrides(found, ["network=lenet", "training.epochs=3"])
    apply_overrides(found, ["network.depth=34"])
    assert found == {"network": {"name": "resnet", "depth": 18}}
    assert apply_overrides(DEEP, []) == DEEP


def test_a_file_and_overrides_are_checked_together(tmp_path: Path) -> None:
    path = tmp_path / "recipe.toml"
    path.write_text("[training]\nepoch = 3\n", encoding="utf-8")
    with pytest.raises(RecipeError) as refusal:
        read_with_overrides(path, ["network=lenett"])
    assert str(refusal.value).startswith(f"{path}, 2 mistakes:\n  training.epoch: ")
    assert read_with_overrides(None, ["training.epochs=3"]).training.epochs == 3


def test_what_is_given_stays_as_it_was():
    """A section that two recipes share is changed in neither of them by what is set within it afterwards."""
    section = {"name": "vgg", "widths": [8, 16], "convolutions": [1, 1]}
    given = {"network": section, "network.normalization": "none"}
    assert apply_overrides(Recipe(), given).network.normalization == "none"
    assert section == {"name": "vgg", "widths": [8, 16], "convolutions": [1, 1]}
    assert apply_overrides(Recipe(), {"network": section}).network.normalization == "batch"
