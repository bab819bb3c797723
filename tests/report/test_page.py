"""The page of a run: its numbers are the run's, every name is escaped, nothing comes from elsewhere."""

import base64
import io
import json
import re
import shutil
import subprocess
import sys

import numpy as np
import pytest
from command_line import fails, sightline
from PIL import Image
from read_page import Page

import sightline as package
from sightline import report
from sightline.errors import DataError
from sightline.report import charts
from sightline.report.page import CONFUSIONS, TABLE
from sightline.report.sentences import opening, percent
from sightline.report.story import Judged, Story
from sightline.training import Run

HOSTILE = ("<img src=x onerror=alert(1)>", "\"quoted\" & 'single' {{ 7 * 7 }}", "🐈 قطة")
QUICK = {
    "network": "lenet", "training.epochs": 2, "training.threads": 1, "optimizer.learning_rate": 0.01,
}  # fmt: skip


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return package.train("digits", QUICK, out=tmp_path_factory.mktemp("runs") / "digits")


@pytest.fixture
def copy(run, tmp_path):
    """A copy of the run whose files a test may change."""
    shutil.copytree(run.path, tmp_path / "copy")
    return tmp_path / "copy"


def told(path) -> str:
    return " ".join(Page(report.render(report.read(path))).texts)


def test_numbers_of_the_page_are_those_of_the_run(run):
    page = Page(report.write(report.read(run.path)).read_text(encoding="utf-8"))
    metrics = run.metrics["test"]
    for name in ("accuracy", "balanced accuracy", "macro F1"):
        place = page.texts.index(name)
        value = metrics[name.replace(" ", "_").lower()]
        assert page.texts[place + 2] == f"{100 * value:.1f} %"
        low, high = (float(each) for each in re.findall(r"[\d.]+", page.texts[place + 3]))
        assert low <= 100 * value <= high
    confusion = np.array(metrics["confusion"])
    start = page.texts.index("true") + 1 + len(confusion)
    for row in confusion:
        cells = page.texts[start + 1 : start + 1 + len(row)]
        assert [0 if cell == "·" else int(cell) for cell in cells] == row.tolist()
        start += 1 + len(row)
    assert f"{metrics['images']:,} pictures" in " ".join(page.texts)
    sealed = [event for event in run.events() if event["event"] == "sealed"][-1]
    assert sealed["fingerprint"] in page.texts
    assert len(report.read(run.path).epochs) == 2


def test_the_page_needs_nothing_but_itself(run):
    text = report.render(report.read(run.path))
    page = Page(text)
    assert not {"script", "iframe", "object", "embed", "base", "form"} & {tag for tag, _ in page.tags}
    for tag, attributes in page.tags:
        assert not any(name.startswith("on") for name in attributes), tag
        for name in ("src", "href", "action", "xlink:href"):
            value = attributes.get(name) or ""
            assert value.startswith(("#", "data:")) or not value, (tag, value)
    outside = set(re.findall(r"https?://[^\s\"'<]+", text))
    assert all(address.startswith(("http://www.w3.org/", "https://www.w3.org/")) for address in outside), outside
    assert len(text) < 5_000_000
    lacking = [a for tag, a in page.tags if tag == "svg" and a.get("aria-hidden") != "true"]
    assert not lacking
    assert not set(charts.OF_PAGE) & set(re.findall(r"#[0-9a-f]{6}", text))  # stand-ins are all replaced
    assert report.render(report.read(run.path)) == text


def test_names_are_never_taken_for_more_than_names(tmp_path):
    random = np.random.default_rng(0)
    for label, name in enumerate(HOSTILE):
        for number in range(12):
            path = tmp_path / "<b>pictures" / name / f"{number}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(random.integers(0, 80 * (label + 1), (12, 12, 3)).astype(np.uint8)).save(path)
    found = package.train(
        str(tmp_path / "<b>pictures"), {**QUICK, "data.test_fraction": 0.3}, out=tmp_path / "run", overwrite=True
    )
    shutil.rmtree(tmp_path / "<b>pictures")  # a run keeps the pictures that its page shows
    page = Page(report.render(report.read(found.path)))
    images = [attributes for tag, attributes in page.tags if tag == "img"]
    assert all((each["src"] or "").startswith(("data:image/jpeg;base64,", "data:image/png;base64,")) for each in images)
    pictures = [each for each in images if each.get("class") == "small"]
    assert pictures
    assert [tag for tag, _ in page.tags].count("b") == len(pictures)  # ours, around what was predicted
    assert not any(name.startswith("on") for _, attributes in page.tags for name in attributes)
    for name in (*HOSTILE, "<b>pictures"):
        assert name in page.texts
    assert "49" not in " ".join(page.texts[:3])


def test_a_run_that_was_cut_off_says_how_to_go_on(copy):
    log = copy / "events.jsonl"
    lines = log.read_text(encoding="utf-8").splitlines(keepends=True)
    log.write_text("".join(lines[:-1]), encoding="utf-8")
    sentences = opening(report.read(copy))
    assert "has not come to its end: its log has 2 epochs." in sentences[0]
    assert f"sightline resume {copy}" in sentences[2]
    assert "loss over 2 epochs" in report.render(report.read(copy))
    # Killed in its first step: no epoch, no model; the last line of the log is torn.
    for name in ("model.safetensors", "predictions.csv", "mistakes.npz"):
        (copy / name).unlink()
    log.write_text(lines[0] + lines[1][:7], encoding="utf-8")
    text = told(copy)
    assert "its log has 0 epochs." in text
    assert "How it was learned" not in text
    for name in map(str, range(10)):
        assert name in report.read(copy).class_names


def test_calibration_and_pictures_are_those_of_the_list(run):
    text = report.render(report.read(run.path))
    page, read = Page(text), report.read(run.path)
    of_test = [each for each in read.predicted if each.side == "test"]
    assert len(of_test) == run.metrics["test"]["images"]
    sure = np.mean([each.confidence for each in of_test])
    right = np.mean([each.true == each.predicted for each in of_test])
    says = next(each for each in page.texts if each.startswith("Its mean confidence"))
    assert f"{100 * sure:.1f} %" in says
    assert ("above" if sure > right else "below") in says
    told = read.sealed["calibration"]
    words = " ".join(page.texts)
    before, after = (percent(told["test"][f"error_{when}"]) for when in ("before", "after"))
    assert f"Expected calibration error: {before} before, {after} after its scores are divided by the temp" in words
    assert f"Temperature {told['temperature']:.3f}: {told['why']}." in words
    assert words.count("It was fitted on these pictures") == 1  # under validation, not under test
    shown = [a["alt"] for tag, a in page.tags if tag == "img" and a.get("class") == "small"]
    kept = [each.said for pictures in read.pictures.values() for each in pictures]
    assert shown == [f"{each.name}, which is {each.true}" for each in kept]


def test_a_run_of_before_there_were_temperatures_is_still_told(copy):
    log = copy / "events.jsonl"
    *lines, last = log.read_text(encoding="utf-8").splitlines(keepends=True)
    sealed = json.loads(last)
    error = sealed.pop("calibration")["test"]["error_after"]
    log.write_text("".join([*lines, json.dumps(sealed)]) + "\n", encoding="utf-8")
    text = told(copy)
    assert f"Expected calibration error: {percent(error)} (0 where confidence is accuracy)" in text
    assert "Temperature" not in text
    assert "temperature" not in report.render_card(report.read(copy))


def test_where_the_network_looked_is_laid_over_the_picture(tmp_path):
    chosen = {"training.epochs": 1, "training.threads": 1, "augmentation.policy": "light"}
    found = package.train("digits", chosen, out=tmp_path / "run")
    read = report.read(found.path)
    page = Page(report.render(read))
    shown = [each for pictures in read.pictures.values() for each in pictures]
    overlays = [a for tag, a in page.tags if tag == "img" and a.get("class") == "overlay"]
    assert len(overlays) == len(shown) > 0
    assert all(each.places.shape == each.pixels.shape[:2] for each in shown)
    assert all(each.places.max() in (0, 255) for each in shown)
    assert any(each.places.max() == 255 for each in shown)
    for overlay, each in zip(overlays, shown, strict=True):
        assert overlay["alt"] == ""  # the picture below it has the words
        image = Image.open(io.BytesIO(base64.b64decode(overlay["src"].partition(",")[2])))
        strongest = image.getchannel("A").getextrema()[1]
        assert (strongest > 0) == (each.places.max() > 0)
    boxes = {a["id"] for tag, a in page.tags if tag == "input"}
    assert boxes == {a["for"] for tag, a in page.tags if tag == "label"}
    sheet = [a["src"] for tag, a in page.tags if tag == "img" and a.get("class") == "sheet"]
    kept = (found.path / "augmentation.png").read_bytes()
    assert [base64.b64decode(src.partition(",")[2]) for src in sheet] == [kept]


def test_a_transfer_tells_what_was_forgotten(run, tmp_path):
    chosen = {
        "training.epochs": 1, "transfer.head_epochs": 2, "transfer.source_data": "digits", "training.threads": 1,
        "transfer.distillation": 0.0, "augmentation.policy": "none",
    }  # fmt: skip
    found = package.transfer(run.path, "digits", chosen, out=tmp_path / "run")
    measured = json.loads((found.path / "transfer.json").read_text())
    page = Page(report.render(report.read(found.path)))
    text = " ".join(page.texts)
    assert f"{percent(measured['source_before'])} of {measured['source_images']:,} pictures of its own before" in text
    assert f"is on {percent(measured['source_after'])} now: {100 * measured['forgotten']:.1f} points forgotten" in text
    table = page.texts.index("CKA of its features, before and after")  # findings name layers too
    for layer in measured["layers"]:
        place = page.texts.index(layer["name"], table)
        assert page.texts[place + 1 : place + 3] == [f"{layer['relative_distance']:.4f}", f"{layer['cka']:.4f}"]
    assert [tag for tag, a in page.tags if tag == "img" and a.get("class") == "sheet"] == ["img"]
    assert "How it was learned" in text
    assert "What was transferred" not in told(run.path)


def test_altered_predictions_are_one_sentence(copy):
    (copy / "mistakes.npz").write_bytes(b"PK\x03\x04 torn")
    with pytest.raises(DataError, match=r"mistakes\.npz is not what the training wrote"):
        report.read(copy)
    (copy / "mistakes.npz").unlink()
    whole = (copy / "predictions.csv").read_text(encoding="utf-8")
    (copy / "predictions.csv").write_text(whole.replace("0.", "zero", 1), encoding="utf-8")
    with pytest.raises(DataError, match=r"predictions\.csv .* not what the training wrote"):
        report.read(copy)
    (copy / "predictions.csv").unlink()
    assert "Pictures worth a look" not in told(copy)


def test_a_training_that_failed_says_why(copy):
    log = copy / "events.jsonl"
    lines = log.read_text(encoding="utf-8").splitlines(keepends=True)
    failure = json.dumps({"event": "failure", "epoch": 2, "step": 3, "says": "The loss is not finite."}) + "\n"
    log.write_text("".join([*lines[:-1], failure]), encoding="utf-8")
    assert opening(report.read(copy))[1] == "It failed: The loss is not finite."


def test_one_epoch_without_anything_held_out(tmp_path):
    random = np.random.default_rng(1)
    images, labels = random.integers(0, 255, (40, 12, 12, 1)).astype(np.uint8), np.arange(40) % 2
    nothing = {**QUICK, "training.epochs": 1, "data.validation_fraction": 0.0, "data.test_fraction": 0.0}
    found = package.train((images, labels), nothing, out=tmp_path / "run")
    text = report.render(report.read(found.path))
    assert "How good this model is, is not known" in text
    assert "loss over 1 epoch;" in text
    assert 'class="key validation"' not in text


def story(run: Run, confusion: np.ndarray, side: str = "test") -> Story:
    read = report.read(run.path)
    total, right = confusion.sum(), np.diag(confusion)
    values = {
        "images": int(total), "accuracy": float(right.sum() / total), "loss": 1.0, "balanced_accuracy": 0.5,
        "macro_f1": 0.5, "confusion": confusion.tolist(), "recall": (right / confusion.sum(axis=1)).tolist(),
        "precision": (right / np.maximum(confusion.sum(axis=0), 1)).tolist(),
    }  # fmt: skip
    names = tuple(f"class {number}" for number in range(len(confusion)))
    changes = {"class_names": names, "judged": (Judged(side, values),), "counts": {}}
    return Story(**{**{key: getattr(read, key) for key in Story.__dataclass_fields__}, **changes})


def test_a_thousand_classes_stay_readable(run):
    random = np.random.default_rng(0)
    confusion = np.diag(np.full(1_000, 40)) + (random.random((1_000, 1_000)) < 0.01)
    confusion[3, 5] = 30
    text = report.render(story(run, confusion))
    assert len(text) < 5_000_000
    assert "What is taken for what" not in text
    page = Page(text)
    place = page.texts.index("taken for")
    assert page.texts[place + 3 : place + 7] == ["class 3", "class 5", "30", str(confusion[3].sum())]
    assert text.count("<summary>1,000 classes</summary>") == 1
    assert len(confusion) > TABLE > CONFUSIONS


@pytest.mark.parametrize(
    ("confusion", "side", "says"),
    [
        ([[50, 0], [0, 50]], "test", "Try it on your own new pictures"),
        ([[8, 2], [1, 9]], "test", "20 pictures judge only roughly"),
        ([[500, 0], [300, 0]], "test", "No picture was ever taken for class 1"),
        ([[490, 10], [3, 497]], "test", "10 of 500 pictures of class 0 were taken for class 1"),
        ([[960, 40, 0], [0, 1000, 0], [15, 15, 70]], "test", "class 2 is found least often (70.0 % of its pictures)"),
        ([[490, 10], [3, 497]], "validation", "chosen by the same pictures"),
    ],
)
def test_what_to_do_next_follows_from_the_mistakes(run, confusion, side, says):
    assert says in " ".join(opening(story(run, np.array(confusion), side)))


def test_all_is_only_said_of_all():
    assert percent(1.0) == "100.0 %"
    assert percent(0.9999) == "over 99.9 %"
    assert percent(0.5) == "50.0 %"


def test_a_page_is_rendered_without_waiting_for_scipys_statistics():
    """They take a second to load on a small machine, and only comparisons over seeds want them."""
    check = "import sys, sightline.report; sys.exit('scipy.stats' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", check], check=False).returncode == 0


def test_what_is_no_run_is_one_sentence(tmp_path):
    with pytest.raises(DataError, match="wanted the directory of a run"):
        report.read(tmp_path)
    fails(sightline("report", tmp_path / "nowhere", cwd=tmp_path), DataError.exit_code, "wanted the directory of a run")


def test_every_training_leaves_its_report_and_the_command_writes_it_anew(tmp_path):
    sets = [part for key, value in QUICK.items() for part in ("--set", f"{key}={value}")]
    done = sightline("train", "digits", "--out", "run", *sets, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    page = tmp_path / "run" / "report.html"
    assert "Report: run/report.html" in done.stdout
    first = page.read_bytes()
    page.unlink()
    again = sightline("report", "run", cwd=tmp_path)
    assert again.returncode == 0, again.stderr
    assert "With 95 % confidence" in again.stdout
    assert page.read_bytes() == first
    assert sightline("train", "digits", "--out", "run", "--overwrite", *sets, cwd=tmp_path).returncode == 0
