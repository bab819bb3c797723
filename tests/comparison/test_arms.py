"""Arms from grids and files: every combination, no two of them the same, every mistake named at once."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sightline.comparison.arms import _values, of_files, varied
from sightline.errors import RecipeError
from sightline.recipe import Recipe, apply_overrides


def test_every_combination_is_an_arm() -> None:
    arms = varied(Recipe(), ["network.activation=sigmoid,relu", "optimizer=sgd,momentum,adam"])
    assert [arm.name for arm in arms] == [
        f"activation={activation}, optimizer={rule}"
        for activation in ("sigmoid", "relu")
        for rule in ("sgd", "momentum", "adam")
    ]
    assert arms[4].recipe.network.activation == "relu"
    assert arms[4].recipe.optimizer.name == "momentum"


def test_one_at_a_time_changes_one_thing_at_a_time() -> None:
    arms = varied(Recipe(), ["network.activation=sigmoid,relu", "optimizer=sgd,momentum,adam"], one_at_a_time=True)
    assert [arm.name for arm in arms] == [
        "activation=sigmoid, optimizer=sgd",
        "activation=relu, optimizer=sgd",
        "activation=sigmoid, optimizer=momentum",
        "activation=sigmoid, optimizer=adam",
    ]


def test_values_with_commas_of_their_own_stay_whole() -> None:
    arms = varied(
        Recipe(),
        ["augmentation.operations=[],['horizontal_flip', {name = 'rotation', degrees = [-5, 5]}]"],
    )
    assert [len(arm.recipe.augmentation.operations) for arm in arms] == [0, 2]


@given(st.lists(st.sampled_from(["1", "a b", "[1, 2]", '"x,y"', "'[,'", "{a = [1, 2], b = 3}"]), min_size=1))
def test_what_was_joined_by_commas_comes_apart_again(values) -> None:
    assert _values(",".join(values)) == values


def test_all_mistakes_are_named_at_once() -> None:
    with pytest.raises(RecipeError) as caught:
        varied(Recipe(), ["network.activaton=relu,tanh", "optimizer=sgd,adm", "training.epochs=0,5"])
    heading, *lines = str(caught.value).split("\n")
    assert heading == "3 mistakes:"
    for line, field, said in zip(
        sorted(lines),
        ("network.activaton", "optimizer", "training.epochs"),
        ("activation", "adm", "found 0"),
        strict=True,
    ):
        assert line.startswith(f"  --vary {field}: ")
        assert said in line
    with pytest.raises(RecipeError, match=r'^--vary optimizer: found "adm"'):
        varied(Recipe(), ["optimizer=sgd,adm"])


@pytest.mark.parametrize(
    ("vary", "says"),
    [
        (["optimizer"], "wanted field=value,value"),
        (["optimizer=sgd,"], "wanted field=value,value"),
        (["optimizer=sgd,adam,sgd"], "found a value twice"),
        (["optimizer=sgd,adam", "optimizer=momentum"], "found twice"),
        (["optimizer=sgd"], "found 1 arm, wanted two at least"),
        (["optimizer.momentum=0.9,0.90", "optimizer=momentum"], "the same recipe"),
        (["network=lenet,resnet", "network.depth=18,34"], "lenet has no such field"),
        (["optimizer=momentum,sgd,adam", "schedule=constant,step", "schedule.at=[0.5],[0.6]"], "constant has no such"),
    ],
)
def test_what_cannot_be_compared_is_said(vary, says) -> None:
    with pytest.raises(RecipeError, match=says):
        varied(Recipe(), vary)


def test_recipes_of_files_are_arms_by_their_names() -> None:
    one, other = Recipe(), apply_overrides(Recipe(), {"training.epochs": 3})
    assert [arm.name for arm in of_files({"a.toml": one, "b.toml": other})] == ["a.toml", "b.toml"]
    with pytest.raises(RecipeError, match=r"a\.toml and b\.toml"):
        of_files({"a.toml": one, "b.toml": Recipe()})
