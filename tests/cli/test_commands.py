"""The commands as a user runs them: in a process of their own, on real pictures, with real mistakes."""

import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from command_line import COMMAND, fails, sightline
from PIL import Image
from safetensors.numpy import save_file
from sklearn.datasets import load_digits

QUICK = [
    "--epochs",
    "3",
    "--set",
    "network=lenet",
    "--set",
    "optimizer.learning_rate=0.01",
    "--set",
    "training.threads=1",
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("pictures")
    loaded = load_digits()
    for number, (image, label) in enumerate(zip(loaded.images[:300], loaded.target[:300], strict=True)):
        path = root / f"digit {label}" / f"{number}.png"
        path.parent.mkdir(exist_ok=True)
        Image.fromarray((image * 255 / 16).round().astype(np.uint8)).save(path)
    return root


@pytest.fixture(scope="module")
def run(folder, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("runs") / "run"
    done = sightline("train", folder, "--out", out, *QUICK, cwd=out.parent)
    assert done.returncode == 0, done.stderr
    assert "Test: accuracy" in done.stdout
    assert str(out) in done.stdout
    return out


@pytest.mark.parametrize("arguments", [["--help"], ["train", "--help"], ["predict", "-h"], ["--version"]])
def test_help_loads_neither_torch_nor_pydantic(arguments, tmp_path):
    code = (
        "import sys, sightline.cli.main as m; sys.argv = ['sightline', *sys.argv[1:]]\n"
        "try: m.main()\n"
        "except SystemExit as end: assert not end.code\n"
        "heavy = {'torch', 'pydantic', 'numpy', 'rich', 'sklearn'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_evaluate_looks_at_what_was_held_out(run, folder, tmp_path):
    done = sightline("evaluate", run, folder, "--format", "json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    lines = map(json.loads, (run / "events.jsonl").read_text(encoding="utf-8").splitlines())
    sealed = next(line for line in lines if line["event"] == "sealed")
    assert found["side"] == "test"
    assert found["confusion"] == sealed["test"]["confusion"]
    assert found["loss"] == pytest.approx(sealed["test"]["loss"], rel=1e-4)


def test_evaluate_prints_a_table_for_another_source(run, folder, tmp_path):
    some = tmp_path / "some"
    for name in ("digit 3", "digit 4"):
        (some / name).mkdir(parents=True)
        for picture in sorted((folder / name).iterdir())[:4]:
            (some / name / picture.name).write_bytes(picture.read_bytes())
    done = sightline("evaluate", run / "model.safetensors", some, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "8 pictures (all: the source is another one than the model was trained on)" in done.stdout
    (some / "letter A").mkdir()
    Image.new("L", (8, 8)).save(some / "letter A" / "a.png")
    fails(sightline("evaluate", run, some, cwd=tmp_path), 3, "letter A", "does not know")


def test_predict_in_every_format_and_from_every_process_alike(run, folder, tmp_path):
    pictures = sorted((folder / "digit 5").iterdir())[:3]
    table = sightline("predict", run, *pictures, cwd=tmp_path)
    assert table.returncode == 0, table.stderr
    assert "digit" in table.stdout
    first = sightline("predict", run, *pictures, "--format", "json", "--top-k", 10, cwd=tmp_path)
    again = sightline("predict", run, *reversed(pictures), "--format", "json", "--top-k", 10, cwd=tmp_path)
    rows = json.loads(first.stdout)
    assert rows == list(reversed(json.loads(again.stdout)))
    assert [row["file"] for row in rows] == [str(picture) for picture in pictures]
    for row in rows:
        assert sum(entry["probability"] for entry in row["classes"]) == pytest.approx(1.0, abs=1e-5)
    comma = sightline("predict", run, folder / "digit 5", "--format", "csv", "--top-k", 2, cwd=tmp_path)
    table_rows = list(csv.DictReader(comma.stdout.splitlines()))
    assert len(table_rows) == len(list((folder / "digit 5").iterdir()))
    assert set(table_rows[0]) == {"file", "class_1", "probability_1", "class_2", "probability_2"}


def test_predict_lists_what_it_left_out_and_does_the_rest(run, folder, tmp_path):
    (tmp_path / "broken.jpg").write_bytes(b"")
    (tmp_path / "page.jpg").write_text("<html></html>")
    good = next((folder / "digit 1").iterdir())
    done = sightline("predict", run, good, "broken.jpg", "page.jpg", "absent.png", cwd=tmp_path)
    fails(done, 3, "3 of 4 files", "broken.jpg", "page.jpg", "absent.png")
    assert good.name in done.stdout


def test_a_picture_of_another_size_is_brought_to_the_models(run, tmp_path):
    Image.new("RGB", (333, 77), (200, 30, 90)).save(tmp_path / "wide.png")
    done = sightline("predict", run, "wide.png", "--format", "json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr


def test_init_explain_and_print_recipe(folder, tmp_path):
    assert sightline("init", "mine.toml", cwd=tmp_path).returncode == 0
    fails(sightline("init", "mine.toml", cwd=tmp_path), 6, "exists already")
    text = sightline("train", folder, "--recipe", "mine.toml", "--print-recipe", cwd=tmp_path).stdout
    (tmp_path / "resolved.toml").write_text(text, encoding="utf-8")
    again = sightline("train", folder, "--recipe", "resolved.toml", "--print-recipe", cwd=tmp_path)
    assert '"auto"' not in text
    assert "# " in text
    assert [line.partition("#")[0].strip() for line in again.stdout.splitlines()] == [
        line.partition("#")[0].strip() for line in text.splitlines()
    ]
    assert not (tmp_path / "runs").exists()
    explained = sightline("explain", "rmsprop", cwd=tmp_path)
    assert "Hinton" in explained.stdout
    fails(sightline("explain", "rmspropp", cwd=tmp_path), 2, "rmsprop")
    assert "adadelta" in sightline("explain", cwd=tmp_path).stdout


def test_advice_is_shown_before_training(folder, tmp_path):
    done = sightline("train", folder, *QUICK, "--set", "network.initialization=xavier", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "init-relu" in done.stdout
    assert done.stdout.index("init-") < done.stdout.index("epoch   1")


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["train"], 2, ["SOURCE"]),
        (["trian", "x"], 2, ["Did you mean train"]),
        (["train", "nowhere"], 3, ["nowhere"]),
        (["train", "digits", "--recipe", "nowhere.toml"], 2, ["nowhere.toml"]),
        (["train", "digits", "--set", "optimizer.learning_rat=1"], 2, ["learning_rat", "Did you mean learning_rate"]),
        (["train", "digits", "--set", "network.dropout=1.5", "--set", "training.epochs=0"], 2, ["1.5", "epochs"]),
        (["train", "digits", "--set", "training.batch_size=1"], 2, ["batch_size"]),
        (["predict", "nowhere.safetensors", "x.png"], 4, ["nowhere.safetensors"]),
        (["evaluate", "nowhere.safetensors", "digits"], 4, ["nowhere.safetensors"]),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_mistakes_get_one_clear_sentence(arguments, code, said, tmp_path):
    fails(sightline(*arguments, cwd=tmp_path), code, *said)
    assert list(tmp_path.iterdir()) == [] or [path.name for path in tmp_path.iterdir()] == ["runs"]


def test_model_files_that_are_none(run, folder, tmp_path):
    picture = next((folder / "digit 1").iterdir())
    (tmp_path / "weights.pth").write_bytes(b"\x80\x04\x95\x10\x00\x00\x00\x00\x00\x00\x00}\x94.")
    fails(sightline("predict", "weights.pth", picture, cwd=tmp_path), 4, "weights.pth", "pickle")
    (tmp_path / "torn.safetensors").write_bytes((run / "model.safetensors").read_bytes()[:-100])
    fails(sightline("predict", "torn.safetensors", picture, cwd=tmp_path), 4, "torn.safetensors")
    save_file({"weight": np.zeros(3, np.float32)}, tmp_path / "foreign.safetensors")
    fails(sightline("predict", "foreign.safetensors", picture, cwd=tmp_path), 4, "foreign.safetensors")


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_place_is_named_before_any_work(folder, tmp_path):
    tmp_path.chmod(0o500)
    fails(sightline("train", folder, "--out", tmp_path / "run", *QUICK, cwd=folder), 6, "--out")


def test_a_disk_without_room_is_one_sentence(folder, tmp_path):
    resource = pytest.importorskip("resource", reason="no limits on the size of files on this system")
    command = [*COMMAND, "train", str(folder), "--out", "run", *QUICK]
    done = subprocess.run(
        command,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        # Pixels and log fit, the model does not; the system then fails the write as it does on a full disk.
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, 60_000)),
    )
    fails(done, 6, "model.safetensors")
    assert not (tmp_path / "run" / "model.safetensors").exists()
    assert "No model has been written" in done.stdout
