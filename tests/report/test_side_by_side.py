"""Several runs on one page: figures are the runs' own, names are escaped, and only the same pictures are paired."""

import csv
import re
import shutil
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from command_line import fails, sightline
from read_page import Page
from scipy.stats import binomtest

import sightline as package
from sightline import report
from sightline.errors import OutputError, RecipeError
from sightline.recipe import Recipe, apply_overrides
from sightline.recipe.flat import flat
from sightline.report import charts
from sightline.report.contenders import differing_fields
from sightline.report.sentences import percent

QUICK = {
    "network": "lenet", "training.epochs": 2, "training.threads": 1, "optimizer.learning_rate": 0.01,
}  # fmt: skip
HOSTILE = "<img src=x onerror=alert(1)> $x^2$ {{ 7 * 7 }} 🐈"


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Two on the same pictures and one on others, one of them with a name that is none of the page's."""
    folder = tmp_path_factory.mktemp("runs")
    made = {
        "good": package.train("digits", QUICK, out=folder / "good"),
        "hostile": package.train("digits", {**QUICK, "training.epochs": 1}, out=folder / HOSTILE),
        "others": package.train("digits", {**QUICK, "data.seed": 1}, out=folder / "others"),
    }
    return {name: run.path for name, run in made.items()}


def page_of(*paths: Path) -> tuple[str, Page]:
    text = report.render_comparison(report.compare(paths))
    return text, Page(text)


def said_right(path: Path) -> dict[str, bool]:
    with (path / "predictions.csv").open(encoding="utf-8", newline="") as file:
        return {row["name"]: row["class"] == row["predicted"] for row in csv.DictReader(file) if row["side"] == "test"}


def test_the_test_is_of_the_pictures_that_one_run_alone_is_right_on(runs):
    first, second = said_right(runs["good"]), said_right(runs["hostile"])
    assert first.keys() == second.keys()
    only = [sum(one[name] and not other[name] for name in one) for one, other in ((first, second), (second, first))]
    (pair,) = report.compare([runs["good"], runs["hostile"]]).pairs
    assert [pair.only_first, pair.only_second] == only
    assert only[0] > 0
    assert pair.chance == pair.corrected == pytest.approx(binomtest(only[0], sum(only)).pvalue)
    _, page = page_of(runs["good"], runs["hostile"])
    assert f"Only A is right on {only[0]} pictures, only B on {only[1]}" in " ".join(page.texts)


def test_names_of_pictures_do_not_matter_and_copies_are_counted(runs, tmp_path):
    shutil.copytree(runs["hostile"], tmp_path / "renamed")
    for name in ("predictions.csv", "catalogue.csv"):
        path = tmp_path / "renamed" / name
        path.write_text(path.read_text(encoding="utf-8").replace("image ", "picture "), encoding="utf-8")
    (renamed,), (plain,) = (
        report.compare([runs["good"], other]).pairs for other in (tmp_path / "renamed", runs["hostile"])
    )
    assert (renamed.only_first, renamed.only_second) == (plain.only_first, plain.only_second)


def test_runs_on_different_pictures_are_not_paired(runs):
    comparison = report.compare([runs["good"], runs["hostile"], runs["others"]])
    assert comparison.groups == ("AB", "C")
    assert [(pair.first, pair.second) for pair in comparison.pairs] == [("A", "B")]
    assert "(A and B; C), so that they cannot be compared picture by picture" in " ".join(report.overview(comparison))
    alone = report.compare([runs["hostile"], runs["others"]])
    assert alone.pairs == ()
    assert "p =" not in " ".join(report.overview(alone))


def test_figures_are_those_of_the_runs(runs):
    paths = [runs["good"], runs["hostile"], runs["others"]]
    _, page = page_of(*paths)
    stories = [report.read(path) for path in paths]
    at = page.texts.index("What they came to")
    at = page.texts.index("accuracy", at)
    expected = []
    for story in stories:
        judged = story.judged[0]
        expected += [percent(judged.accuracy), f"{percent(judged.interval.low)} to {percent(judged.interval.high)}"]
    assert page.texts[at + 2 : at + 8] == expected
    at = page.texts.index("best epoch")
    assert page.texts[at + 2 : at + 5] == [f"{story.sealed['best_epoch']} of {len(story.epochs)}" for story in stories]
    parameters = sum(weight.size for weight in package.load(runs["good"] / "model.safetensors").weights.values())
    at = page.texts.index("parameters")
    found = int(page.texts[at + 2].replace(",", ""))
    assert 0.9 * parameters < found <= parameters
    at = page.texts.index("The numbers of 2 epochs")
    rows = page.texts[page.texts.index("1", at) :]
    validation = [story.epochs[0]["validation"] for story in stories]
    assert rows[1:7] == [x for v in validation for x in (f"{v['loss']:.4f}", percent(v["accuracy"]))]
    at = page.texts.index("Each class, the weakest first")
    recalls = np.array([story.judged[0].values["recall"] for story in stories])
    weakest = int(recalls.sum(axis=0).argmin())
    at = page.texts.index(stories[0].class_names[weakest], at)
    assert page.texts[at + 1 : at + 4] == [percent(each) for each in recalls[:, weakest]]


def test_only_fields_that_differ_are_listed(runs):
    assert set(differing_fields(report.compare([runs["good"], runs["hostile"]]))) == {"training.epochs"}
    assert differing_fields(report.compare([runs["good"], runs["others"]])) == {"data.seed": ("0", "1")}
    _, page = page_of(runs["good"], runs["others"])
    assert "data.seed" in page.texts
    assert "training.epochs" not in page.texts


def test_the_page_needs_nothing_but_itself_and_names_stay_names(runs):
    text, page = page_of(*runs.values())
    tags = {tag for tag, _ in page.tags}
    assert not {"script", "iframe", "object", "embed", "base", "form", "img", "a"} & tags
    assert not any(name.startswith("on") for _, attributes in page.tags for name in attributes)
    assert HOSTILE in page.texts
    outside = set(re.findall(r"https?://[^\s\"'<]+", text))
    assert all(address.startswith(("http://www.w3.org/", "https://www.w3.org/")) for address in outside), outside
    assert not set(charts.OF_PAGE) & set(re.findall(r"#[0-9a-f]{6}", text))  # stand-ins are all replaced
    policies = [a["content"] for tag, a in page.tags if tag == "meta" and a.get("http-equiv")]
    assert policies
    assert policies[0].startswith("default-src 'none'")
    assert [a.get("aria-hidden") for tag, a in page.tags if tag == "svg"].count("true") == text.count("<svg")
    assert report.render_comparison(report.compare(tuple(runs.values()))) == text


def test_a_run_that_was_cut_off_has_its_place_and_no_part_in_the_judgment(runs, tmp_path):
    shutil.copytree(runs["good"], tmp_path / "cut")
    log = tmp_path / "cut" / "events.jsonl"
    lines = log.read_text(encoding="utf-8").splitlines(keepends=True)
    log.write_text("".join(lines[:-1]), encoding="utf-8")
    _, page = page_of(runs["good"], tmp_path / "cut")
    text = " ".join(page.texts)
    assert "B has no judgment of test pictures" in text
    assert "; not finished" in text
    _, page = page_of(tmp_path / "cut", runs["others"])
    assert "Each class" not in " ".join(page.texts)


def test_other_classes_are_not_put_side_by_side(runs, tmp_path):
    random = np.random.default_rng(1)
    images, labels = random.integers(0, 255, (60, 12, 12, 1)).astype(np.uint8), np.arange(60) % 2
    other = package.train((images, labels), {**QUICK, "data.test_fraction": 0.3}, out=tmp_path / "run")
    _, page = page_of(runs["good"], other.path)
    assert "know different classes" in " ".join(page.texts)


def test_labels_at_the_edge_do_not_cover_each_other():
    places = charts._apart([0.5, 0.51, 0.99, 0.98, 1.0])
    ordered = sorted(places)
    assert all(high - low > 0.9 * charts.LEAST_APART for low, high in pairwise(ordered))
    assert max(places) <= 1
    assert sorted(range(5), key=places.__getitem__) == [0, 1, 3, 2, 4]
    assert len(set(charts.looks(24))) == 24


def test_every_field_of_a_recipe_is_in_the_flat_list():
    recipe = apply_overrides(Recipe(), {"network": "vgg", "augmentation": ["rotation", "blur"], "training.seed": 3})
    found = flat(recipe)
    assert found["network"] == '"vgg"'
    assert found["training.seed"] == "3"
    assert found["augmentation.operations.rotation"].startswith('1: {name = "rotation"')
    assert found["augmentation.operations.blur"].startswith("2: ")
    assert not any(field.startswith("transfer") for field in found)


@pytest.mark.parametrize("which", [("good", "good"), ("good",) * 30])
def test_a_run_is_named_once(runs, which):
    with pytest.raises(RecipeError, match="found the run twice"):
        report.compare([runs[name] for name in which])


def test_the_command_replaces_its_own_page_alone(runs, tmp_path):
    good, others = runs["good"], runs["others"]
    done = sightline("report", good, others, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "Comparison: comparison.html" in done.stdout
    assert sightline("report", others, good, cwd=tmp_path).returncode == 0
    mine = tmp_path / "mine.html"
    mine.write_text("mine")
    fails(
        sightline("report", good, others, "--out", mine, cwd=tmp_path), OutputError.exit_code, "no comparison of runs"
    )
    assert mine.read_text() == "mine"
    assert sightline("report", good, others, "--out", mine, "--overwrite", cwd=tmp_path).returncode == 0
    assert "side by side" in mine.read_text(encoding="utf-8")
    fails(sightline("report", good, "--out", mine, cwd=tmp_path), 2, "are for several runs")
