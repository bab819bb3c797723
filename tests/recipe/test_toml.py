"""A recipe survives being written and read, and every bad file gets one clear sentence."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from sightline.errors import OutputError, RecipeError
from sightline.recipe import Recipe, from_toml, read_recipe, to_toml, write_recipe
from sightline.recipe.augmentation import Augmentation
from sightline.recipe.network import VGG, ResNet
from sightline.recipe.operations import ORDER, HorizontalFlip, Operation, Rotation
from sightline.recipe.optimizer import Adam, Momentum
from sightline.recipe.overrides import explicit
from sightline.recipe.toml import SHIPPED, shipped
from sightline.recipe.transfer import Transfer


def test_sections_made_in_python_keep_their_choice() -> None:
    recipe = Recipe(network=VGG(widths=(8, 16), convolutions=(1, 1)), optimizer=Adam(learning_rate=0.01))
    assert explicit(recipe)["optimizer"] == {"name": "adam", "learning_rate": 0.01}
    assert from_toml(to_toml(recipe)) == recipe


def test_every_field_is_written_and_reasons_stand_behind_values() -> None:
    recipe = Recipe(network=ResNet(depth=34), optimizer=Momentum(learning_rate=0.05))
    reasons = {
        "network": "224 px\nand 10,000 pictures",
        "optimizer.learning_rate": "usual # at 128",
        "network.initialization": "He for relu",
    }
    lines = to_toml(recipe, reasons).splitlines()
    assert 'name = "resnet"  # 224 px and 10,000 pictures' in lines
    assert "learning_rate = 0.05  # usual # at 128" in lines
    assert 'name = "auto"  # He for relu' in lines
    assert from_toml("\n".join(lines)) == recipe
    assert tomllib.loads("\n".join(lines))["training"].keys() == type(recipe.training).model_fields.keys()


def test_operations_are_written_one_to_a_line_and_whole() -> None:
    recipe = Recipe(augmentation=Augmentation(operations=(HorizontalFlip(), Rotation(degrees=20))))
    text = to_toml(recipe, {"augmentation.policy": "standard: few pictures", "augmentation.operations": "by hand"})
    assert (
        'policy = "custom"  # standard: few pictures\n'
        "operations = [  # by hand\n"
        '    {name = "horizontal_flip", probability = 0.5},\n'
        '    {name = "rotation", probability = 1.0, degrees = [-20.0, 20.0]},\n'
        "]\n"
    ) in text
    assert from_toml(text) == recipe
    assert "\noperations = []\n" in to_toml(Recipe())


def test_how_to_transfer_is_written_down_only_where_weights_are() -> None:
    """A later version may have other defaults, and a recipe must not seem to choose what it never used."""
    idle, used = Recipe(), Recipe(transfer=Transfer(weights="w.safetensors"))
    assert "[transfer]" not in to_toml(idle)
    assert "transfer" not in idle.model_dump(mode="json")
    assert "layer_decay" in to_toml(used)
    assert used.model_dump(mode="json")["transfer"]["layer_decay"] == Transfer().layer_decay
    for recipe in (idle, used):
        assert from_toml(to_toml(recipe)) == Recipe.model_validate_json(recipe.model_dump_json()) == recipe


@pytest.mark.parametrize("operation", ORDER, ids=lambda operation: operation.__name__)
def test_every_operation_survives(operation: type[Operation]) -> None:
    recipe = Recipe(augmentation={"operations": [operation(probability=0.125)]})  # type: ignore[arg-type]
    assert from_toml(to_toml(recipe)) == recipe
    assert Recipe.model_validate(explicit(recipe)) == recipe


def test_a_recipe_without_the_section_has_its_default() -> None:
    assert from_toml("[training]\nepochs = 3\n").augmentation == Augmentation()


def test_short_forms_of_augmentation() -> None:
    assert from_toml('augmentation = "standard"\n').augmentation == Augmentation(policy="standard")
    listed = Augmentation(policy="custom", operations=(Rotation(degrees=(-9, 9)),))
    assert from_toml('augmentation = [{name = "rotation", degrees = 9}]\n').augmentation == listed
    assert from_toml('[augmentation]\noperations = [{name = "rotation", degrees = 9}]\n').augmentation == listed


def test_a_reason_for_a_field_that_is_not_there_is_refused() -> None:
    with pytest.raises(ValueError, match=r"network\.depth"):
        to_toml(Recipe(), {"network.depth": "deep"})


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (
            "[training]\nepochs 3\n",
            "recipe.toml: not valid TOML: line 2: expected '=' after a key in a key/value pair: epochs 3",
        ),
        ("[data]\nseed = 1\nseed = 2\n", "recipe.toml: not valid TOML: line 3: cannot overwrite a value: seed = 2"),
        ("[data]\nseed = ", "recipe.toml: not valid TOML: last line: invalid value."),
        ("x = " + "[" * 10_000, "recipe.toml: not valid TOML: found tables or lists nested too deeply."),
        (
            "[data]\nseed = 2020-01-01\n",
            "recipe.toml, data.seed: found 2020-01-01, wanted a whole number in [0, 2^63).",
        ),
    ],
)
def test_text_that_is_no_recipe(text: str, sentence: str) -> None:
    with pytest.raises(RecipeError) as refusal:
        from_toml(text, where="recipe.toml")
    assert str(refusal.value) == sentence


def test_files_that_are_no_recipes(tmp_path: Path) -> None:
    (tmp_path / "latin.toml").write_bytes(b"# caf\xe9\n")
    for name, sentence in {
        "missing.toml": "no such file. Write one to begin with: sightline init",
        ".": "found a directory, wanted a recipe",
        "latin.toml": "found bytes that are not UTF-8 (at byte 5)",
        "nul\0.toml": "cannot be read",
    }.items():
        with pytest.raises(RecipeError) as refusal:
            read_recipe(f"{tmp_path}/{name}")
        assert sentence in str(refusal.value)
        assert "\n" not in str(refusal.value)


def test_a_byte_order_mark_is_no_mistake(tmp_path: Path) -> None:
    (tmp_path / "recipe.toml").write_bytes(b"\xef\xbb\xbf[training]\r\nepochs = 3\r\n")
    assert read_recipe(tmp_path / "recipe.toml").training.epochs == 3


def test_a_recipe_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "recipe.toml"
    write_recipe(path, Recipe(), {"training.epochs": "few pictures"})
    assert read_recipe(path) == Recipe()
    assert [file.name for file in tmp_path.iterdir()] == ["recipe.toml"]
    (tmp_path / "occupied").mkdir()
    for place in (tmp_path / "none" / "recipe.toml", tmp_path / "occupied", path / "recipe.toml", tmp_path / "nul\0"):
        with pytest.raises(OutputError, match="cannot be written"):
            write_recipe(place, Recipe())
    assert sorted(file.name for file in tmp_path.iterdir()) == ["occupied", "recipe.toml"]


@pytest.mark.parametrize("name", shipped())
def test_shipped_recipes_are_found_by_their_names(name: str) -> None:
    assert read_recipe(name) == from_toml((SHIPPED / f"{name}.toml").read_text(encoding="utf-8"))
    assert read_recipe(name) != Recipe()


def test_a_file_of_the_name_of_a_shipped_recipe_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "fast").write_text("[training]\nepochs = 3\n", encoding="utf-8")
    assert read_recipe("fast").training.epochs == 3


def test_a_missing_file_names_what_is_shipped(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=r"no such file\. Write one .*or take one that is shipped: .*fast"):
        read_recipe(tmp_path / "fats")
