"""The commands diagnose, cure and rate, as a user runs them."""

import json

import pytest
from click.testing import CliRunner
from command_line import fails, sightline
from sick_trainings import QUICK

from sightline.cli.main import group
from sightline.recipe.fields import show
from sightline.training import train


@pytest.fixture(scope="module")
def sick(tmp_path_factory):
    path = tmp_path_factory.mktemp("runs") / "sick"
    train("digits", {**QUICK, "training.epochs": 5, "optimizer.learning_rate": 1e-6}, out=path)
    return path


def diagnosed(*words):
    """What the command prints; asked within this process, which has loaded all libraries."""
    done = CliRunner().invoke(group, ["diagnose", *map(str, words)], catch_exceptions=False)
    assert done.exit_code == 0
    return done.output


def test_diagnose_names_fault_evidence_cure_and_reason(sick):
    said = diagnosed(sick)
    for words in ("Wrong (rate-too-low)", "learning_rate: 1e-06", "--set optimizer.learning_rate=0.0015"):
        assert words in said
    assert f"sightline cure {sick}" in said


def test_diagnose_as_json_is_one_object(sick):
    found = json.loads(diagnosed(sick, "--format", "json"))
    assert found["run"] == str(sick)
    first = next(each for each in found["findings"] if each["code"] == "rate-too-low")
    assert first["severity"] == "error"
    assert first["overrides"] == ["optimizer.learning_rate=0.0015"]
    assert first["change"] == {"optimizer.learning_rate": 0.0015}
    assert first["evidence"]["learning_rate"] == 1e-6
    assert all(value < 3e-5 for _, value in first["curve"])


def test_diagnose_a_run_that_has_only_begun(sick, tmp_path):
    begun = tmp_path / "begun"
    begun.mkdir()
    (begun / "recipe.toml").write_bytes((sick / "recipe.toml").read_bytes())
    assert "Nothing was seen yet" in diagnosed(begun)
    # And one whose last line is being written.
    text = (sick / "events.jsonl").read_bytes()
    (begun / "events.jsonl").write_bytes(text[: len(text) // 2])
    assert diagnosed(begun)


@pytest.mark.parametrize("command", ["diagnose", "cure"])
def test_what_is_no_run_is_said_in_a_sentence(command, tmp_path):
    fails(
        sightline(command, "nowhere", cwd=tmp_path), 3, "nowhere: found no recipe.toml, wanted the directory of a run"
    )


def test_cure_trains_what_is_prescribed_and_compares(sick, tmp_path):
    fails(sightline("cure", sick, "--out", sick, "--overwrite", cwd=tmp_path), 2, "is the run itself")
    only = sightline("cure", sick, "--dry-run", cwd=tmp_path)
    assert "--set optimizer.learning_rate=0.0015" in only.stdout
    assert not (tmp_path / "better").exists()
    done = sightline("cure", sick, "--out", "better", "--quiet", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "Gone: no-learning, rate-too-low" in done.stdout
    assert "Accuracy on test: before" in done.stdout
    assert "learning_rate = 0.0015" in (tmp_path / "better" / "recipe.toml").read_text()
    assert not diagnosed(tmp_path / "better").startswith("Wrong")


def test_cure_of_a_healthy_run_trains_nothing(tmp_path):
    train("digits", {**QUICK, "training.epochs": 3}, out=tmp_path / "run")
    done = sightline("cure", "run", cwd=tmp_path)
    assert "found nothing that another recipe would cure" in done.stdout
    fails(sightline("cure", "run", "--only", "dead-unit", cwd=tmp_path), 3, "dead-unit: not found in this run")
    assert not (tmp_path / "run-cured").exists()


def test_cure_finds_what_the_recipe_names_from_wherever_it_is_called(sick, tmp_path):
    there, here = tmp_path / "there", tmp_path / "here"
    there.mkdir()
    here.mkdir()
    (there / "old.safetensors").write_bytes((sick / "model.safetensors").read_bytes())
    chosen = {"training.batch_size": 4, "training.epochs": 1, "training.threads": 1, "transfer.head_epochs": 1}
    chosen |= {"transfer.batch_norm": "follow", "transfer.depth": "both", "transfer.distillation": 0.0}
    choices = [word for name, value in chosen.items() for word in ("--set", f"{name}={show(value)}")]
    done = sightline("transfer", "old.safetensors", "digits", "--out", "run", *choices, cwd=there)
    assert done.returncode == 0, done.stderr
    done = sightline("cure", there / "run", "--only", "small-batch-norm", "--out", "better", "--quiet", cwd=here)
    assert done.returncode == 0, done.stderr
    assert "Gone: small-batch-norm" in done.stdout
    assert "batch_size = 8" in (here / "better" / "recipe.toml").read_text(encoding="utf-8")


def test_rate_suggests_and_leaves_nothing_but_its_plot(tmp_path):
    chosen = {name: value for name, value in QUICK.items() if name != "optimizer.learning_rate"}
    choices = [word for name, value in chosen.items() for word in ("--set", f"{name}={show(value)}")]
    done = sightline("rate", "digits", *choices, "--out", "sweep.png", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    suggested = float(done.stdout.split("optimizer.learning_rate=")[1].split()[0])
    assert 1e-3 < suggested < 0.03
    assert [path.name for path in tmp_path.iterdir()] == ["sweep.png"]
    for words, said in (
        (("--low", "1", "--high", "0.1"), "--low 1 is not below --high 0.1"),
        (("--set", "transfer.weights=x.safetensors"), "transfer.weights: a transfer begins on features"),
    ):
        fails(sightline("rate", "digits", *words, cwd=tmp_path), 2, said)
