"""What the page says of faults: evidence, drawing, cure and reason; names in them are escaped."""

import json

import pytest

from sightline import report
from sightline.diagnosis import Finding
from sightline.report import charts
from sightline.report.sentences import opening
from sightline.training import train

QUICK = {"network": "lenet", "training.epochs": 4, "training.threads": 1, "optimizer.learning_rate": 1e-7}
HOSTILE = "<script>alert(1)</script>"


@pytest.fixture(scope="module")
def sick(tmp_path_factory):
    return train("digits", QUICK, out=tmp_path_factory.mktemp("runs") / "sick").path


def test_a_fault_is_told_with_evidence_drawing_cure_and_reason(sick):
    story = report.read(sick)
    finding = next(each for each in story.findings if each.code == "rate-too-low")
    page = report.render(story)
    section = page.split('aria-label="findings"')[1].split("</section>")[0]
    for words in (finding.says, finding.drawn, f"--set {finding.overrides[0]}", "sightline cure sick", "1e-07", "<svg"):
        assert words in section
    assert finding.reason[:40] in section


def test_the_page_opens_with_the_cure_where_something_is_wrong(sick):
    story = report.read(sick)
    last = opening(story)[-1]
    assert last.startswith(f"Something is wrong with this training ({story.findings[0].code})")
    assert f"sightline cure {sick}" in last


def test_where_nothing_is_wrong_the_page_says_so(tmp_path):
    healthy = train("digits", {**QUICK, "optimizer.learning_rate": 0.003}, out=tmp_path / "run").path
    story = report.read(healthy)
    assert not [each for each in story.findings if each.severity == "error"]
    if not story.findings:
        assert "Nothing was found." in report.render(story)


def test_names_in_findings_are_escaped(sick, tmp_path):
    import shutil

    shutil.copytree(sick, tmp_path / "run")
    log = tmp_path / "run" / "events.jsonl"
    hostile = Finding("labels-noisy", "warning", HOSTILE, 3, {HOSTILE: HOSTILE}, HOSTILE, HOSTILE, layer=HOSTILE)
    line = {"event": "finding", **hostile.as_dict(), "pictures": [HOSTILE]}
    log.write_text(log.read_text() + json.dumps(line) + "\n")
    story = report.read(tmp_path / "run")
    assert "labels-noisy" in {each.code for each in story.passed}
    assert HOSTILE not in report.render(story)


def test_numbers_are_shown_as_a_person_reads_them():
    finding = Finding("x", "note", "It is.", 1, {"share": 0.123456789, "layers": 12, "kind": "tanh"}, "", "")
    assert finding.told == (("share", "0.1235"), ("layers", "12"), ("kind", "tanh"))


@pytest.mark.parametrize("curve", [[(1, 0.5)], [(1, 1e-8), (10, 1.0)], [(1, 0.0), (2, -3.0)], [(1, 1e30)]])
def test_any_curve_can_be_drawn(curve):
    assert charts.line(curve).startswith("<svg")
