"""Whole trainings on real images: what is written, what is repeated bit for bit, and what stops early."""

import csv
import json
import shutil
import sys
import time

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.numpy import load_file
from sklearn.datasets import load_digits

from sightline import network
from sightline.errors import DataError, OutputError, RecipeError, TrainingError
from sightline.recipe import Recipe, apply_overrides
from sightline.training import EpochEnd, Run, checkpoint, judge, prepare, start, survey, train
from sightline.training.directory import made

QUICK = {"training.epochs": 3, "training.threads": 1, "network": "lenet", "optimizer.learning_rate": 0.01}


@pytest.fixture(scope="module")
def digits() -> tuple[np.ndarray, np.ndarray]:
    loaded = load_digits()
    return (loaded.images[:600] * 255 / 16).round().astype(np.uint8), loaded.target[:600]


def weights(run: Run) -> dict[str, bytes]:
    return {name: array.tobytes() for name, array in load_file(run.model_path).items()}


def write_folder(path, digits, rename=str) -> None:
    images, labels = digits
    for number, (image, label) in enumerate(zip(images[:200], labels[:200], strict=True)):
        folder = path / str(label)
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(folder / f"{rename(number)}.png")


def test_a_run_learns_and_leaves_what_it_promises(digits, tmp_path):
    run = train(digits, {**QUICK, "training.epochs": 12}, out=tmp_path / "run")
    assert run.metrics["test"]["accuracy"] > 0.9
    kinds = [event["event"] for event in run.events()]
    assert [kind for kind in kinds if kind not in ("weights", "probe", "finding")] == ["start"] + ["epoch"] * 12 + [
        "sealed"
    ]
    losses = [event["training_loss"] for event in run.events() if event["event"] == "epoch"]
    assert losses[-1] < losses[0] / 2
    best = min((event for event in run.events() if event["event"] == "epoch"), key=lambda e: e["validation"]["loss"])
    assert list(run.events())[-1]["best_epoch"] == best["epoch"]
    # the sealed weights are the best ones: judged again, they give the best epoch's loss, before the temperature
    before = list(run.events())[-1]["calibration"]["validation"]["loss_before"]
    assert before == pytest.approx(best["validation"]["loss"], rel=1e-5)
    with (run.path / "catalogue.csv").open(encoding="utf-8") as file:
        sides = [row["side"] for row in csv.DictReader(file)]
    assert {side: sides.count(side) for side in set(sides)}.keys() == {"train", "validation", "test"}
    assert len(sides) == 600
    assert run.recipe().training.epochs == 12


def test_the_same_recipe_and_data_give_the_same_bits(digits, tmp_path):
    first = train(digits, QUICK, out=tmp_path / "a")
    torch.rand(17)  # the global generator's history is nobody's business
    second = train(digits, QUICK, out=tmp_path / "b")
    assert weights(first) == weights(second)
    other = train(digits, {**QUICK, "training.seed": 1}, out=tmp_path / "c")
    assert weights(first) != weights(other)


def test_a_training_leaves_torchs_settings_and_generator_as_they_were(digits, tmp_path):
    threads = torch.get_num_threads()
    torch.random.manual_seed(5)
    expected = torch.rand(3)
    torch.random.manual_seed(5)
    train(digits, QUICK, out=tmp_path / "run")
    assert torch.equal(torch.rand(3), expected)
    assert torch.get_num_threads() == threads
    assert not torch.are_deterministic_algorithms_enabled()


def test_renamed_files_train_the_same_model(digits, tmp_path):
    write_folder(tmp_path / "one", digits)
    write_folder(tmp_path / "two", digits, rename=lambda number: f"z{997 * (number + 3) % 1009}")
    first = train(tmp_path / "one", QUICK, out=tmp_path / "a")
    second = train(tmp_path / "two", QUICK, out=tmp_path / "b")
    assert weights(first) == weights(second)
    picture = next((tmp_path / "one" / "3").iterdir())
    renamed = shutil.copy(picture, tmp_path / "another name.png")
    np.testing.assert_array_equal(
        first.model().predict(picture).probabilities, second.model().predict(renamed).probabilities
    )


@pytest.mark.parametrize(
    "changes",
    [
        {"training.weight_averaging": 0.9},
        {"training.precision": "bfloat16"},
        {"training.channels_last": False, "training.deterministic": False},
        {"loss.class_weights": "balanced", "optimizer.clip_norm": 1.0},
        {"preprocessing.center": "pixel", "preprocessing.scale": "pixel"},
        {"preprocessing.decorrelate": "zca"},
        {"data.validation_fraction": 0.0},
        {"data.test_fraction": 0.0},
    ],
    ids=str,
)
def test_choices_train_to_the_end(digits, tmp_path, changes):
    run = train(digits, {**QUICK, "training.epochs": 6, **changes}, out=tmp_path / "run")
    for found in run.metrics.values():
        assert found["accuracy"] > 0.5
    expected = {"validation", "test"} - {field.split(".")[1].removesuffix("_fraction") for field in changes}
    assert set(run.metrics) == expected


def test_early_stopping_waits_and_stops(digits, tmp_path):
    changes = {"training.epochs": 60, "training.early_stopping": 2}
    run = train(digits, {**QUICK, **changes, "schedule": "constant"}, out=tmp_path / "run")
    epochs = [event for event in run.events() if event["event"] == "epoch"]
    stop = next(event for event in run.events() if event["event"] == "early_stop")
    assert len(epochs) < 60
    assert len(epochs) == stop["best_epoch"] + 2


def test_a_time_budget_sets_the_epochs(digits, tmp_path):
    recipe = apply_overrides(Recipe(), {"training.time_budget_minutes": 0.15, "network": "lenet"})
    with made(tmp_path / "run", source="digits", overwrite=False) as path:
        session = start(prepare(survey(digits, recipe)), path)
        epochs = session.recipe.training.epochs
        assert epochs >= 1
        assert "what fits 0.15 minutes" in session.resolved.reasons["training.epochs"]
        assert session.state.step == 0
        ends = [event for event in session.events() if isinstance(event, EpochEnd)]
    # Fewer where the machine has become slower meanwhile.
    assert len(ends) == session.stage.course.ends <= epochs


@pytest.mark.parametrize(("ago", "ending"), [(200.0, 0.0), (0.0, 200.0)])
def test_what_came_before_and_what_comes_after_are_of_the_budget(digits, tmp_path, ago, ending):
    recipe = apply_overrides(Recipe(), {"training.time_budget_minutes": 3.0, "network": "lenet"})
    prepared = prepare(survey(digits, recipe))
    with pytest.raises(RecipeError, match="one epoch and what is around it"):
        start(prepared, tmp_path, begun=time.monotonic() - ago, ending=ending)


def test_an_earlier_run_is_replaced_only_when_asked(digits, tmp_path):
    first = train(digits, QUICK, out=tmp_path / "run")
    before = first.model_path.read_bytes()
    with pytest.raises(OutputError, match="--overwrite"):
        train(digits, QUICK, out=tmp_path / "run")
    assert first.model_path.read_bytes() == before
    again = train(digits, {**QUICK, "training.seed": 3}, out=tmp_path / "run", overwrite=True)
    assert again.model_path.read_bytes() != before
    assert sum(event["event"] == "start" for event in again.events()) == 1


def test_a_mistake_costs_no_earlier_run(digits, tmp_path):
    """What stops before the training begins leaves the run that was to be replaced whole."""
    first = train(digits, QUICK, out=tmp_path / "run")
    before = {path.name: path.read_bytes() for path in first.path.rglob("*") if path.is_file()}
    with pytest.raises(DataError, match="nowhere"):
        train(tmp_path / "nowhere", QUICK, out=tmp_path / "run", overwrite=True)
    assert {path.name: path.read_bytes() for path in first.path.rglob("*") if path.is_file()} == before


def test_a_training_that_fails_leaves_its_best_weights(digits, tmp_path):
    recipe = apply_overrides(Recipe(), {**QUICK, "training.epochs": 4})
    with made(tmp_path / "run", source=digits, overwrite=False) as path:
        session = start(prepare(survey(digits, recipe)), path)

        def poisoned_after_two_epochs():
            for event in session.events():
                if isinstance(event, EpochEnd) and event.epoch == 2:
                    with torch.no_grad():
                        next(session.state.network.parameters()).fill_(float("nan"))

        with pytest.raises(TrainingError, match=r"epoch 3.*are kept in .*fault\.safetensors"):
            poisoned_after_two_epochs()
    run = Run(path)
    kinds = [event["event"] for event in run.events()]
    assert [kind for kind in kinds if kind not in ("weights", "probe", "finding")] == [
        "start",
        "epoch",
        "epoch",
        "failure",
    ]
    fault = checkpoint.read(path / "checkpoints" / checkpoint.FAULT)
    assert fault.step == session.state.step
    assert "the loss is nan" in fault.about["fault"]
    name, poisoned = next(iter(session.state.network.named_parameters()))
    assert np.isnan(fault.tensors[f"network/{name}"]).all()
    assert poisoned.isnan().all()
    model = run.model()
    assert model.metrics["validation"]["accuracy"] > 0.2
    assert np.isfinite(model.predict(digits[0][:5]).probabilities).all()


def test_the_average_is_sealed_where_nothing_is_held_out(digits, tmp_path):
    nothing = {"data.validation_fraction": 0.0, "data.test_fraction": 0.0}
    averaged = train(digits, {**QUICK, **nothing, "training.weight_averaging": 0.9}, out=tmp_path / "a")
    plain = train(digits, {**QUICK, **nothing}, out=tmp_path / "b")
    assert weights(averaged) != weights(plain)
    assert averaged.metrics == {}


def test_a_training_shorter_than_lookaheads_way_is_sealed_trained_all_the_same(digits, tmp_path):
    """The slow copy is what is sealed, and it moves only when the weights go back to it."""
    run = train(digits, {**QUICK, "training.lookahead": 10_000}, out=tmp_path / "run")
    chosen, stored = run.recipe(), weights(run)
    begun = network.build(chosen.network, channels=1, classes=10, image_size=(8, 8))
    network.initialize(begun, network.build_scheme(chosen.network), seed=chosen.training.seed)
    before = {name: each.detach().numpy().tobytes() for name, each in begun.named_parameters()}
    assert before
    assert [name for name in before if stored[f"network.{name}"] == before[name]] == []


def test_pictures_are_judged_in_even_parts(digits, tmp_path, monkeypatch):
    """Each size that a backend is asked for is one more that it has to be made for."""
    model, sizes = train(digits, QUICK, out=tmp_path / "run").model(), []
    real = model.scores
    monkeypatch.setattr(model, "scores", lambda pixels, **rest: sizes.append(len(pixels)) or real(pixels, **rest))
    monkeypatch.setattr(sys.modules["sightline.training.judge"], "GATHERED", 7)
    judged = judge(model, digits, side="all")
    assert sum(sizes) == len(digits[1]) == sum(map(sum, judged.metrics.confusion))
    assert max(sizes) <= 7
    assert max(sizes) - min(sizes) <= 1


def test_a_truncated_picture_does_not_make_the_source_another(digits, tmp_path):
    """The source is known again although a picture in it turned out not to decode: only what was held out counts."""
    write_folder(tmp_path / "pictures", digits)
    victim = next((tmp_path / "pictures" / "3").iterdir())
    victim.write_bytes(victim.read_bytes()[:-30])
    run = train(tmp_path / "pictures", QUICK, out=tmp_path / "run")
    with (run.path / "refused.csv").open(encoding="utf-8") as file:
        assert [row["name"] for row in csv.DictReader(file)] == [f"3/{victim.name}"]
    judgment = judge(run.model(), tmp_path / "pictures")
    assert judgment.side == "test"
    assert judgment.metrics.confusion == tuple(tuple(row) for row in run.metrics["test"]["confusion"])
    # under another name as well: the pictures themselves are recognized
    moved = shutil.copytree(tmp_path / "pictures", tmp_path / "moved")
    assert judge(run.model(), moved).side == "test"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"schedule.warmup_epochs": 50.0}, "warmup_epochs"),
        ({"training.early_stopping": 3, "data.validation_fraction": 0.0}, "early_stopping"),
        ({"training.time_budget_minutes": 1e-6}, "time_budget_minutes"),
    ],
    ids=str,
)
def test_what_cannot_be_honored_is_said_when_it_is_known(digits, tmp_path, changes, said):
    with pytest.raises(RecipeError, match=said):
        train(digits, {"network": "lenet", "training.threads": 1, **changes}, out=tmp_path / "run")


def test_a_run_does_not_lie_among_the_pictures(digits, tmp_path, monkeypatch):
    write_folder(tmp_path / "pictures", digits)
    with pytest.raises(OutputError, match="--out"):
        train(tmp_path / "pictures", QUICK, out=tmp_path / "pictures" / "run")
    monkeypatch.chdir(tmp_path / "pictures")
    with pytest.raises(OutputError, match="--out"):
        train(".", QUICK)
    assert sorted(path.name for path in (tmp_path / "pictures").iterdir()) == [str(label) for label in range(10)]


def test_a_directory_of_somebody_else_is_left_alone(digits, tmp_path):
    (tmp_path / "thesis.tex").write_text("do not touch")
    with pytest.raises(OutputError, match="no run of Sightline"):
        train(digits, QUICK, out=tmp_path, overwrite=True)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_a_device_that_is_not_there_is_named(digits, tmp_path):
    if torch.cuda.is_available():
        pytest.skip("this machine has the device")
    with pytest.raises(RecipeError, match=r"training\.device"):
        train(digits, {**QUICK, "training.device": "cuda"}, out=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_the_log_is_one_json_object_a_line(digits, tmp_path):
    run = train(digits, QUICK, out=tmp_path / "run")
    for line in (run.path / "events.jsonl").read_text(encoding="utf-8").splitlines():
        assert isinstance(json.loads(line), dict)
