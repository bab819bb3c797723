"""What a tuning may choose from, read from TOML; every mistake is named at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from sightline.comparison.space import Range, Values, read_space, usual_space
from sightline.errors import RecipeError
from sightline.recipe import Recipe, apply_overrides


def space(tmp_path: Path, text: str, recipe: Recipe | None = None):
    (tmp_path / "space.toml").write_text(text, encoding="utf-8")
    return read_space(tmp_path / "space.toml", recipe or Recipe())


def test_ranges_and_values_are_read_with_dots_in_quotes_or_as_tables(tmp_path) -> None:
    found = space(
        tmp_path,
        """
        [space]
        "optimizer.learning_rate" = {low = 1e-4, high = 0.1, log = true}
        "training.batch_size" = {low = 16, high = 64}
        optimizer = ["momentum", "adam"]
        [space.loss]
        label_smoothing = {low = 0.0, high = 0.2}
        """,
        apply_overrides(Recipe(), {"optimizer": "adam"}),
    )
    assert found == {
        "optimizer.learning_rate": Range(1e-4, 0.1, log=True),
        "training.batch_size": Range(16, 64),
        "optimizer": Values(('"momentum"', '"adam"')),
        "loss.label_smoothing": Range(0.0, 0.2),
    }
    assert found["training.batch_size"].whole
    assert not found["loss.label_smoothing"].whole


def test_all_mistakes_are_named_at_once(tmp_path) -> None:
    with pytest.raises(RecipeError) as caught:
        space(
            tmp_path,
            """
            [space]
            "optimizer.learning_rat" = {low = 1e-4, high = 0.1}
            "training.batch_size" = {low = 0, high = 64}
            "loss.label_smoothing" = {low = 0.2, high = 0.1}
            "network.dropout" = 0.1
            optimizer = ["adam", "adm"]
            """,
        )
    for said in ("learning_rat", "found 0", "low is less than high", "network.dropout: found 0.1", "adm"):
        assert said in str(caught.value)


@pytest.mark.parametrize("text", ["", "[space]", "[spice]\na = [1, 2]", "space = 3", "no toml at all"])
def test_what_is_no_space_is_said_to_be_none(tmp_path, text) -> None:
    with pytest.raises(RecipeError, match=r"space\.toml: found"):
        space(tmp_path, text)
    with pytest.raises(RecipeError, match="can be read"):
        read_space(tmp_path / "nowhere.toml", Recipe())


def test_the_usual_space_is_around_the_recipes_own_rate() -> None:
    recipe = apply_overrides(Recipe(), {"optimizer.learning_rate": 0.02})
    found = usual_space(recipe, recipe)
    assert found["optimizer.learning_rate"] == Range(0.002, 0.2, log=True)
    assert "network.dropout" in found
