"""What holds for any recipe at all, drawn from the models themselves: every choice, every value of every range."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Union, get_args, get_origin

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from sightline.errors import RecipeError
from sightline.recipe import DataFacts, Recipe, advise, apply_overrides, from_toml, to_toml
from sightline.recipe.advice import RULES
from sightline.recipe.advice.advice import instead
from sightline.recipe.augmentation import Augmentation
from sightline.recipe.choices import Choices
from sightline.recipe.fields import _bounds, branches, entries, show
from sightline.recipe.network import He, LeCun, Normal, Orthogonal, Xavier
from sightline.recipe.overrides import explicit
from sightline.recipe.ranges import Within
from sightline.recipe.toml import from_fields

FOREIGN = ("pydantic", "input", "Input", "literal", "validation error", "http", "constrained", "Value error", "union")


def recipes() -> SearchStrategy[Recipe]:
    """Valid recipes; those that break a rule between fields are left out."""
    return (
        fields(Recipe)
        .map(transferring)
        .map(_read)
        .flatmap(lambda recipe: st.nothing() if recipe is None else st.just(recipe))
    )


def fields(section: type[Choices]) -> SearchStrategy[dict[str, Any]]:
    """Fields of a section as TOML has them, some of them left out, each alone within its range."""
    chosen: dict[str, SearchStrategy[Any]] = {}
    for key, field in section.model_fields.items():
        sections = branches(field)
        if key == "name":
            continue
        if choices := entries(field):
            chosen[key] = lists(choices)
        elif sections:
            chosen[key] = st.one_of([fields(each) for each in sections.values()])
        else:
            chosen[key] = values(field.annotation, field.metadata)
    optional = st.fixed_dictionaries({}, optional=chosen)
    if section is Augmentation:
        return optional.map(agreeing)
    if "name" in section.model_fields:
        return optional.map(lambda found: {"name": section.model_fields["name"].default, **found})
    return optional


def lists(choices: dict[str, type[Choices]]) -> SearchStrategy[list[Any]]:
    """Lists of entries, each name once, short or as a table."""
    entry = st.one_of([fields(each) | st.just(name) for name, each in choices.items()])
    return st.lists(entry, max_size=4, unique_by=lambda found: found["name"] if isinstance(found, dict) else found)


def agreeing(found: dict[str, Any]) -> dict[str, Any]:
    """Fields of augmentation with a policy that goes with the operations, so that most recipes are valid."""
    if found.get("operations"):
        found["policy"] = "trivial" if found.get("policy") == "trivial" else "custom"
    elif found.get("policy") == "custom":
        found["policy"] = "auto"
    if found.get("fill_value"):
        found["fill"] = "constant"
    return found


def transferring(found: dict[str, Any]) -> dict[str, Any]:
    """Fields only where they mean something: how to transfer, units of a hidden head, easy pictures."""
    if not found.get("transfer", {}).get("weights"):
        found.pop("transfer", None)
        found.get("preprocessing", {}).pop("statistics", None)
    training = found.get("training", {})
    if not training.get("easy_left_out"):
        training.pop("easy_left_out_until", None)
    elif "transfer" in found or training.get("batch_size", "auto") in range(8):
        training.pop("easy_left_out")
        training.pop("easy_left_out_until", None)
    network = found.get("network", {})
    if network.get("head") != "hidden":
        network.pop("head_units", None)
    if network.get("head") in ("linear", "hidden"):
        network.pop("hidden", None)
    return found


def values(annotation: Any, metadata: Any = ()) -> SearchStrategy[Any]:
    """Values of one type within its range."""
    origin, bounds = get_origin(annotation), _bounds(metadata)
    if origin is Annotated:
        inner, *notes = get_args(annotation)
        return values(inner, [*metadata, *(more for note in notes for more in getattr(note, "metadata", [note]))])
    if origin is Literal:
        return st.sampled_from(get_args(annotation))
    within = next((note.func for note in metadata if isinstance(getattr(note, "func", None), Within)), None)
    if within is not None:
        number = st.floats(within.low, within.high)
        return st.tuples(number, number).map(sorted)
    if origin is tuple:
        first, *rest = get_args(annotation)
        if rest == [...]:
            return st.lists(values(first), min_size=bounds.get("min_length", 0), max_size=bounds.get("max_length", 8))
        return st.tuples(values(first), *map(values, rest)).map(list)
    if origin is Union or type(annotation).__name__ == "UnionType":
        return st.one_of([values(member) for member in get_args(annotation)])
    if annotation is bool:
        return st.booleans()
    low, high = bounds.get("ge", bounds.get("gt")), bounds.get("le", bounds.get("lt"))
    if annotation is int:
        # Integers of TOML have 64 bits.
        return st.integers(low, min(high - ("lt" in bounds) if high is not None else 2**63 - 1, 2**63 - 1))
    if annotation is str:
        pattern = next((note.pattern for note in metadata if getattr(note, "pattern", None)), None)
        return st.text(max_size=20) if pattern is None else st.from_regex(pattern, fullmatch=True).filter(_is_short)
    assert annotation is float, annotation
    return st.floats(
        low, high, allow_nan=False, allow_infinity=False, exclude_min="gt" in bounds, exclude_max="lt" in bounds
    )


def _is_short(text: str) -> bool:
    return len(text) <= 20


def facts() -> SearchStrategy[DataFacts]:
    """Counts and sizes of data sets, ordinary and odd."""
    return st.builds(
        DataFacts,
        source=st.just("pictures"),
        classes=st.integers(2, 1000),
        training=st.integers(0, 100_000),
        validation=st.integers(0, 10_000),
        test=st.integers(0, 10_000),
        smallest_class=st.integers(0, 100),
        largest_class=st.integers(100, 10_000),
        median_height=st.integers(1, 2000),
        median_width=st.integers(1, 2000),
        all_gray=st.booleans(),
        class_names=st.sampled_from([(), ("cat", "dog"), ("0", "1"), ("a", "b", "c")]),
    )


def _read(found: dict[str, Any]) -> Recipe | None:
    try:
        return Recipe(**found)
    except RecipeError:
        return None


@given(recipes())
@settings(max_examples=150, deadline=None)
def test_writing_and_reading_gives_the_same_recipe(recipe: Recipe) -> None:
    assert from_toml(to_toml(recipe)) == recipe


@given(recipes())
@settings(max_examples=100, deadline=None)
def test_fields_that_were_set_give_the_same_recipe(recipe: Recipe) -> None:
    assert Recipe.model_validate(explicit(recipe)) == recipe


@given(st.text(max_size=40))
@settings(max_examples=150, deadline=None)
def test_any_text_is_a_recipe_or_a_recipe_error(text: str) -> None:
    try:
        from_toml(text, where="recipe.toml")
    except RecipeError as error:
        assert str(error).startswith("recipe.toml")  # noqa: PT017 (most texts are refused, not all)


nonsense = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@given(found=fields(Recipe), where=st.lists(st.integers(0, 7), min_size=1, max_size=3), value=nonsense)
@settings(max_examples=300, deadline=None)
def test_nonsense_anywhere_is_accepted_or_told_in_our_words(
    found: dict[str, Any], where: list[int], value: Any
) -> None:
    table = found
    for position in where[:-1]:
        inner = [entry for entry in table.values() if isinstance(entry, dict)]
        table = inner[position % len(inner)] if inner else table
    keys = [*table, "other"]
    table[keys[where[-1] % len(keys)]] = value
    try:
        from_fields(found, where="recipe.toml")
    except RecipeError as error:
        said = str(error).replace(str(value), "")
        assert not any(word in said for word in FOREIGN if word not in str(value)), said
        assert all(line.endswith((".", "?", ":")) for line in str(error).splitlines()), str(error)  # noqa: PT017


@given(data=st.data(), value=nonsense)
@settings(max_examples=200, deadline=None)
def test_nonsense_in_a_list_is_accepted_or_told_in_our_words(data: st.DataObject, value: Any) -> None:
    operations = data.draw(lists(entries(Augmentation.model_fields["operations"])))
    tables = [entry for entry in operations if isinstance(entry, dict)]
    if tables and data.draw(st.booleans()):
        table = data.draw(st.sampled_from(tables))
        table[data.draw(st.sampled_from([*table, "other"]))] = value
    else:
        operations.insert(data.draw(st.integers(0, len(operations))), value)
    found: Any = data.draw(st.sampled_from([operations, {"operations": operations}]))
    try:
        from_fields({"augmentation": found}, where="recipe.toml")
    except RecipeError as error:
        said = str(error).replace(str(value), "")
        assert "augmentation" in str(error)  # noqa: PT017
        assert not any(word in said for word in FOREIGN if word not in str(value)), said
        assert all(line.endswith((".", "?", ":")) for line in str(error).splitlines()), str(error)  # noqa: PT017


@given(recipes())
@settings(max_examples=100, deadline=None)
def test_every_set_field_as_an_override_gives_the_recipe(recipe: Recipe) -> None:
    def flat(table: dict[str, Any], path: str = "") -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key, value in table.items():
            found |= flat(value, f"{path}{key}.") if isinstance(value, dict) else {f"{path}{key}": value}
        return found

    overrides = [f"{key}={show(value)}" for key, value in flat(explicit(recipe)).items()]
    assert apply_overrides(Recipe(), overrides) == recipe


@given(recipe=recipes(), known=st.none() | facts())
@settings(max_examples=400, deadline=None)
def test_what_is_advised_is_valid_and_ends_the_matter(recipe: Recipe, known: DataFacts | None) -> None:
    for advice in advise(recipe, known):
        changed = apply_overrides(recipe, advice.change)
        assert advice.code not in {each.code for each in advise(changed, known)}, advice
        assert apply_overrides(recipe, advice.overrides) == changed
        assert len({line for line in (advice.says, advice.reason, advice.reference) if "\n" in line}) == 0


@given(recipe=recipes(), known=facts())
@settings(max_examples=100, deadline=None)
def test_following_all_advice_comes_to_an_end(recipe: Recipe, known: DataFacts) -> None:
    for _ in range(2 * len(RULES)):
        found = advise(recipe, known)
        if not found:
            return
        recipe = apply_overrides(recipe, found[0].change)
    pytest.fail(f"advice goes in circles: {found}")


@given(
    network=fields(He) | fields(Normal) | fields(Orthogonal) | fields(Xavier) | fields(LeCun),
    other=st.sampled_from((He, Xavier, LeCun)),
)
@settings(max_examples=100, deadline=None)
def test_another_choice_can_always_be_advised(network: dict[str, Any], other: Any) -> None:
    recipe = Recipe(network={"name": "lenet", "initialization": network})  # type: ignore[arg-type]
    change = {"network.initialization": instead(recipe.network.initialization, other)}
    assert isinstance(apply_overrides(recipe, change).network.initialization, other)
