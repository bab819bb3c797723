"""Every choice that the lecture teaches can be explained, completely, and without loading torch."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from operator import attrgetter
from pathlib import Path
from typing import Any, get_args

import pytest

from sightline.errors import RecipeError
from sightline.explain import TOPICS, Topic, as_text, explain, listed
from sightline.explain.docstring import parse, read
from sightline.explain.topics import HEADINGS
from sightline.recipe import Recipe, data, network, optimizer

ROOT = Path(__file__).parents[2]


def names(union: Any) -> set[str]:
    """Return the names of a discriminated union's choices; auto only stands for another."""
    return {section.model_fields["name"].default for section in get_args(get_args(union)[0])} - {"auto"}


def literals(section: Any, field: str) -> set[str]:
    return set(get_args(section.model_fields[field].annotation))


CHOICES = {
    "network.activation": literals(network.NetworkChoices, "activation"),
    "network.initialization": names(network.Initialization),
    "network.normalization": literals(network.NetworkChoices, "normalization"),
    "optimizer": names(optimizer.Optimizer),
    "schedule": names(optimizer.Schedule),
    "preprocessing.center": literals(data.Preprocessing, "center"),
    "preprocessing.scale": literals(data.Preprocessing, "scale"),
    "preprocessing.decorrelate": literals(data.Preprocessing, "decorrelate"),
}
NUMBERS = {"network.dropout", "network.dropout_where", "optimizer.weight_decay", "optimizer.clip_norm"}


@pytest.mark.parametrize("field", CHOICES)
def test_every_choice_has_a_topic(field: str) -> None:
    covered = [value for topic in TOPICS if topic.field == field for value in topic.values]
    assert len(CHOICES[field]) > 2
    assert sorted(covered) == sorted(CHOICES[field])


def test_every_number_of_the_lecture_has_a_topic() -> None:
    assert {topic.field for topic in TOPICS} >= {*NUMBERS, "schedule.warmup_epochs"}


@pytest.mark.parametrize("topic", TOPICS, ids=attrgetter("name"))
def test_nothing_is_missing_from_an_explanation(topic: Topic) -> None:
    found = explain(topic.name)
    for part in ("name", "title", "body", "equation", "torch", "slides", "source", "where", "test", "recipe"):
        assert getattr(found, part).strip(), part
    assert found.title.endswith(".")
    assert not found.name.startswith("Return"), "the first line names the topic before its colon"
    assert re.search(r"\b(1[89]|20)\d\d\b|no paper", found.source), "a source has a year"
    assert re.search(r"[=~←]", found.equation)
    assert found.heading in HEADINGS
    text = as_text(found)
    for shown in (found.equation.splitlines()[0], found.where.split(",")[0], found.test, found.command):
        assert shown in text
    assert all(name + ":" in text for name, _ in found.symbols)
    prose = [line for line in text.splitlines() if not line.startswith("    ")]
    assert max(map(len, prose)) <= 100


@pytest.mark.parametrize("topic", TOPICS, ids=attrgetter("name"))
def test_its_test_names_what_it_tests(topic: Topic) -> None:
    text = (ROOT / topic.test).read_text(encoding="utf-8")
    assert "def test_" in text
    module = "sightline." + topic.file.removesuffix(".py").replace("/", ".")
    packages = [module.rpartition(".")[0], module]
    assert any(f"from {package} import" in text for package in packages)


@pytest.mark.parametrize("topic", TOPICS, ids=attrgetter("name"))
def test_its_line_of_toml_is_a_recipe(topic: Topic) -> None:
    fields = tomllib.loads(explain(topic.name).recipe)
    if topic.group == "transfer":  # how to transfer means nothing without something to transfer
        fields["transfer"]["weights"] = "model.safetensors"
    recipe = Recipe.model_validate(fields)
    value: Any = recipe
    for part in topic.field.split("."):
        value = getattr(value, part)
    assert getattr(value, "name", value) == topic.values[0]


def test_no_name_means_two_things() -> None:
    every = [re.sub(r"[\W_]", "", name).casefold() for topic in TOPICS for name in (topic.name, *topic.aliases)]
    assert len(set(every)) == len(every)
    assert {topic.heading for topic in TOPICS} == set(HEADINGS)


@pytest.mark.parametrize(
    ("spelling", "topic"),
    [
        ("He", "he"),
        ("kaiming", "he"),
        ("Leaky-ReLU", "leaky_relu"),
        ("one cycle", "one_cycle"),
        ("BATCHNORM", "batch_norm"),
    ],
)
def test_spelling_is_free(spelling: str, topic: str) -> None:
    assert explain(spelling).topic == topic


def test_an_unknown_topic_is_helped() -> None:
    with pytest.raises(
        RecipeError, match=r"found 'addam', which is no topic\. Did you mean adam\? Wanted one of sigmoid"
    ):
        explain("addam")
    with pytest.raises(RecipeError, match=r"which is no topic\. Wanted one of"):
        explain("")
    with pytest.raises(
        RecipeError,
        match=r"several topics; wanted one of constant, step, cosine, one_cycle, linear, triangular, warm_up",
    ):
        explain("schedule")


def test_all_are_listed() -> None:
    rows = [line.split()[0] for line in listed().splitlines() if re.match(r"  \w", line)]
    assert rows == [topic.name for topic in TOPICS]


def test_the_layout_is_read() -> None:
    text = """Rule: it does something.

For each W:

    a = b
        + c

    d = e

More prose.

Args:
    rate: step length, > 0;
        usual 0.1.
    other: the other.

Torch: the
same.

Slides: they
    differ.

Source: Someone (2012)."""
    found = parse(text, line=3)
    assert (found.line, found.name, found.title) == (3, "Rule", "it does something.")
    assert found.equation == "a = b\n    + c\n\nd = e"
    assert found.body.startswith("For each W:")
    assert found.body.endswith("More prose.")
    assert found.symbols == (("rate", "step length, > 0; usual 0.1."), ("other", "the other."))
    assert found.paragraphs == {"Torch": "the same.", "Slides": "they differ.", "Source": "Someone (2012)."}


def test_a_function_that_is_gone_is_noticed() -> None:
    with pytest.raises(LookupError, match="no documented function sgdd"):
        read("optimization/sgd.py", "sgdd")


def test_explaining_loads_neither_torch_nor_the_recipe() -> None:
    code = (
        "import sys; from sightline.explain import explain, as_text, listed; as_text(explain('adam')); listed();"
        "sys.exit(' '.join({'torch', 'numpy', 'pydantic'} & set(sys.modules)) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
