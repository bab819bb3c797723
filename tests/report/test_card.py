"""The model card as the hub's own library reads it; names that would break its header or its text do not."""

import html
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

import sightline
from sightline import report
from sightline.errors import OutputError
from sightline.report.card import MARKS, escaped
from sightline.report.sentences import percent

QUICK = {"network": "lenet", "training.epochs": 1, "training.threads": 1}
NAME = 'a "b": {c}\n---\n# d | <e>'


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    found = sightline.train("digits", QUICK, out=tmp_path_factory.mktemp("runs") / "digits")
    report.write(report.read(found.path))
    return found


def test_the_hubs_library_reads_the_figures_of_the_run(run):
    hub = pytest.importorskip("huggingface_hub", reason="huggingface_hub, which reads cards, is not installed")
    card = hub.ModelCard((run.path / "README.md").read_text(encoding="utf-8"))
    assert card.data.pipeline_tag == "image-classification"
    found = {each.metric_type: each.metric_value for each in card.data.eval_results}
    assert found == {"accuracy": run.metrics["test"]["accuracy"], "f1": run.metrics["test"]["macro_f1"]}
    assert {each.dataset_name for each in card.data.eval_results} == {"digits"}
    assert {each.dataset_split for each in card.data.eval_results} == {"test"}


def test_the_card_says_how_probabilities_were_calibrated(run):
    told = report.read(run.path).sealed["calibration"]
    before, after = (percent(told["test"][f"error_{when}"]) for when in ("before", "after"))
    card = (run.path / "README.md").read_text(encoding="utf-8")
    assert f"softmax(scores / {told['temperature']:.3f})" in card
    assert f"the expected calibration error went from {before} to {after}." in card


def test_names_break_neither_header_nor_text(run):
    hub = pytest.importorskip("huggingface_hub", reason="huggingface_hub, which reads cards, is not installed")
    told = report.read(run.path)
    names = (NAME, *told.class_names[1:])
    changed = type(told)(**{**vars(told), "class_names": names, "source": f"somewhere/{NAME}"})
    card = hub.ModelCard(report.render_card(changed))
    assert {each.dataset_name for each in card.data.eval_results} == {NAME}
    rows = [line for line in card.text.splitlines() if line.startswith("| ")]
    assert len(rows) == 2 * (1 + len(names))  # test and validation, a heading each
    assert all(len(re.findall(r"(?<!\\)\|", row)) == 5 for row in rows)
    assert "<e>" not in card.text


@given(st.text())
def test_what_is_escaped_reads_as_it_was(text):
    found = escaped(text)
    assert "\n" not in found
    plain = html.unescape(re.sub(r"\\(.)", r"\1", found))
    assert plain == " ".join(text.split())
    assert not re.search(r"[<>]", found)
    assert not MARKS.search(re.sub(r"\\.", "", found))


def test_a_page_of_the_same_name_that_is_no_runs_is_kept(tmp_path):
    (tmp_path / "README.md").write_text("mine")
    with pytest.raises(OutputError, match="holds files that are no run"):
        sightline.train("digits", QUICK, out=tmp_path, overwrite=True)
    assert (tmp_path / "README.md").read_text() == "mine"
