"""A training that was stopped and went on gives the same bits as one that nothing disturbed."""

import json
import os
import shutil
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sightline.errors import DataError, OutputError, TrainingError
from sightline.recipe import Recipe, apply_overrides, read_recipe
from sightline.training import Stopped, checkpoint, directory, prepare, resume, start, survey, train
from sightline.training.directory import locked
from sightline.training.resume import earlier, find
from sightline.training.verify import verify

KINDS = {
    "sgd": {"optimizer": "sgd"},
    "momentum": {"optimizer": "momentum"},
    "nesterov": {"optimizer": "nesterov"},
    "rmsprop": {"optimizer": "rmsprop"},
    "adadelta": {"optimizer": "adadelta", "optimizer.learning_rate": 1.0},
    "adam": {"optimizer": "adam", "schedule": "one_cycle"},
    "adamw, averaged": {"optimizer": "adamw", "training.weight_averaging": 0.9},
    "swift, muon, looking ahead": {
        "network": "swift",
        "network.widths": [6, 8],
        "optimizer": "muon",
        "schedule": "triangular",
        "training.lookahead": 3,
        "training.smallest_size": 0.6,
    },
    "residual, dropout": {"network": "resnet", "network.width": 4, "network.dropout": 0.3},
    "augmented": {"augmentation": "strong"},
    "mixed": {"augmentation.operations": [{"name": "mixup", "probability": 0.5}, "horizontal_flip"]},
    "easy pictures left out": {"training.easy_left_out": 0.6, "training.easy_left_out_until": 1.0},
    "early stopping": {"training.early_stopping": 1, "training.epochs": 6, "optimizer.learning_rate": 0.1},
}


def stop_after(session, step):
    """Take so many steps in all, and stop with a checkpoint."""
    last = None
    for event in session.events(stop=lambda: session.state.step >= step):
        last = event
    return last


@pytest.mark.parametrize("kind", KINDS)
def test_stopped_anywhere_and_resumed_the_bits_are_the_same(kind, prepared_with, exactly, tmp_path):
    choices = KINDS[kind]
    if "network" in choices:
        choices = {"network.width": 4, **choices}
    prepared = prepared_with(**{key.replace(".", "__"): value for key, value in choices.items()})
    wanted = exactly.finish(exactly.begun(prepared, tmp_path / "whole"))
    ends = [line["step"] for line in map(json.loads, wanted.log.splitlines()) if line["event"] == "epoch"]
    per_epoch, last = ends[0], ends[-1]
    # Early stopping ends the training with the second epoch, the others go on into the third.
    seven = [2, 3, per_epoch - 1, per_epoch + 1, per_epoch + 2, per_epoch + 3, min(2 * per_epoch + 1, last - 1)]
    for stops in ([1], [per_epoch], seven):
        path = tmp_path / "-".join(map(str, stops))
        session = exactly.begun(prepared, path)
        for number, step in enumerate(stops):
            if number:
                session = exactly.going_on(prepared, path)
            assert stop_after(session, step) == Stopped(session.state.epoch + (step % per_epoch > 0) or 1, step)
        exactly.assert_same(exactly.finish(exactly.going_on(prepared, path)), wanted)


def test_how_often_checkpoints_are_taken_changes_nothing(prepared_with, exactly, tmp_path):
    wanted = exactly.finish(exactly.begun(prepared_with(), tmp_path / "usual"))
    often = prepared_with(training__checkpoint_steps=1)
    session = exactly.begun(often, tmp_path / "often")
    stop_after(session, 9)
    found = exactly.finish(exactly.going_on(prepared_with(), tmp_path / "often"))
    assert found.state == wanted.state
    assert found.log == wanted.log


def test_how_far_ahead_batches_are_prepared_changes_nothing(prepared_with, exactly, tmp_path):
    prepared = prepared_with(**{"augmentation.operations": ["rotation", {"name": "mixup", "probability": 0.5}]})
    wanted = exactly.finish(exactly.begun(prepared, tmp_path / "usual"))
    for ahead in (1, 2, 4):
        session = exactly.begun(prepared, tmp_path / str(ahead))
        session.stages = [replace(session.stage, feed=replace(session.feed, ahead=ahead))]
        exactly.assert_same(exactly.finish(session), wanted)


def test_resume_of_arrays_wants_them_again_and_finishes(digits, exactly, prepared_with, tmp_path):
    prepared = prepared_with()
    stop_after(exactly.begun(prepared, tmp_path / "run"), 5)
    whole = exactly.finish(exactly.begun(prepared, tmp_path / "whole"))
    run = resume(tmp_path / "run", digits)
    assert run.model_path.read_bytes() == whole.model
    with pytest.raises(DataError, match="this run is finished"):
        resume(tmp_path / "run", digits)


def test_what_changed_is_named_and_needs_leave(prepared_with, exactly, tmp_path):
    prepared = prepared_with()
    stop_after(exactly.begun(prepared, tmp_path / "run"), 5)
    other = prepared_with(optimizer__learning_rate=0.02)
    with pytest.raises(TrainingError, match=r"cannot go on to the same bits: the recipe changed.*--allow-different"):
        exactly.going_on(other, tmp_path / "run")
    session = exactly.going_on(other, tmp_path / "run", allow_different=True)
    exactly.finish(session)
    assert json.loads((tmp_path / "run" / directory.EVENTS).read_text().splitlines()[-1])["exact"] is False


def test_what_is_found_in_a_sick_training_is_found_at_the_same_steps_after_a_kill(prepared_with, exactly, tmp_path):
    """The log of a killed run is longer than its checkpoint knows; what comes again must not be counted twice."""
    prepared = prepared_with(
        optimizer__learning_rate=1e-8, training__epochs=5, training__checkpoint_steps=4, training__checkpoints_kept=100
    )
    wanted = exactly.finish(exactly.begun(prepared, tmp_path / "whole"))
    found = [line["code"] for line in map(json.loads, wanted.log.splitlines()) if line["event"] == "finding"]
    assert found.count("no-learning") == 1
    path = tmp_path / "killed"
    for _ in exactly.begun(prepared, path).events():
        pass
    kept = checkpoint.all_of(path / directory.CHECKPOINTS)
    for file in kept[: len(kept) // 2]:
        file.unlink()
    exactly.assert_same(exactly.finish(exactly.going_on(prepared, path)), wanted)


def test_runs_that_cannot_go_on_say_why(prepared_with, exactly, tmp_path):
    with pytest.raises(DataError, match=r"found no recipe\.toml"):
        find(tmp_path)
    stop_after(exactly.begun(prepared_with(), tmp_path / "run"), 2)
    for file in (tmp_path / "run" / directory.CHECKPOINTS).glob("step-*"):
        file.write_bytes(b"")
    with pytest.raises(DataError, match=r"found no checkpoint to go on from .*is empty"):
        find(tmp_path / "run")


def test_a_run_that_is_under_way_is_not_touched(digits, prepared_with, exactly, tmp_path):
    stop_after(exactly.begun(prepared_with(), tmp_path / "run"), 2)
    with locked(tmp_path / "run"):
        with pytest.raises(OutputError, match=r"process \d+ on .* is working in this run"):
            resume(tmp_path / "run", digits)
        with pytest.raises(OutputError, match="is working in this run"):
            train(digits, {"training.epochs": 1}, out=tmp_path / "run", overwrite=True)
    resume(tmp_path / "run", digits)


def test_steps_after_the_checkpoint_are_counted_as_lost(prepared_with, exactly, tmp_path):
    prepared = prepared_with()
    events = exactly.begun(prepared, tmp_path / "run").events()
    steps = 0
    for event in events:
        steps = getattr(event, "step", 0)
        if steps == 4:
            break
    events.close()
    assert find(tmp_path / "run").lost == 4


def test_a_folder_named_from_one_place_is_found_from_another(digits, exactly, tmp_path, monkeypatch):
    exactly.store(digits, tmp_path / "here" / "photos")
    monkeypatch.chdir(tmp_path / "here")
    recipe = apply_overrides(Recipe(), {"network": "lenet", "training.epochs": 2, "training.threads": 1})
    prepared = prepare(survey("photos", recipe))
    whole = exactly.finish(exactly.begun(prepared, tmp_path / "whole"))
    stop_after(exactly.begun(prepared, tmp_path / "run"), 3)
    monkeypatch.chdir(tmp_path)
    found = find(tmp_path / "run")
    again = prepare(survey(found.source, found.recipe))
    stop_after(exactly.going_on(again, tmp_path / "run"), 5)
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert resume(tmp_path / "run").model_path.read_bytes() == whole.model


def test_a_training_with_a_budget_goes_on(digits, tmp_path, exactly):
    choices = {"network": "lenet", "training.time_budget_minutes": 0.02, "training.threads": 1, "augmentation": "none"}
    prepared = prepare(survey(digits, apply_overrides(Recipe(), choices)))
    stop_after(exactly.begun(prepared, tmp_path / "run"), 2)
    resume(tmp_path / "run", digits)
    sealed = json.loads((tmp_path / "run" / directory.EVENTS).read_text().splitlines()[-1])
    assert sealed["exact"] is True


def test_a_budgets_run_is_that_of_the_recipe_which_it_stores(digits, tmp_path, exactly):
    """Pictures that grow and easy ones that are left out follow the number of epochs, which the budget decides."""
    choices = {
        "network": "swift",
        "network.widths": [6, 8],
        "training.time_budget_minutes": 0.04,
        "training.smallest_size": 0.5,
        "training.easy_left_out": 0.5,
        "training.threads": 1,
    }
    images, labels = digits
    larger = images.repeat(2, axis=1).repeat(2, axis=2), labels  # 16 pixels, since no picture grows below 8
    prepared = prepare(survey(larger, apply_overrides(Recipe(), choices)))
    budgeted = exactly.finish(exactly.begun(prepared, tmp_path / "budget"))
    stored = read_recipe(tmp_path / "budget" / directory.RECIPE)
    assert stored.training.epochs != "auto"
    again = exactly.finish(exactly.begun(prepare(survey(larger, stored)), tmp_path / "again"))
    assert again.state == budgeted.state


def test_losses_of_single_pictures_are_forgotten_where_pictures_changed(tmp_path, exactly):
    numbers = np.random.default_rng(0)
    images, labels = numbers.integers(0, 256, (90, 12, 12, 1), dtype=np.uint8), np.arange(90) % 3
    choices = {"network": "lenet", "training.epochs": 3, "training.easy_left_out": 0.5, "training.batch_size": 8}
    recipe = apply_overrides(Recipe(), {**choices, "training.threads": 1, "augmentation": "none"})
    session = exactly.begun(prepare(survey((images, labels), recipe)), tmp_path / "run")
    stop_after(session, session.steps_per_epoch() + 2)
    more = np.concatenate([images, 255 - images[:30]]), np.concatenate([labels, labels[:30]])
    other = exactly.going_on(prepare(survey(more, recipe)), tmp_path / "run", allow_different=True)
    assert other.state.losses is None
    exactly.finish(other)
    assert other.state.losses is not None
    assert len(other.state.losses) == len(other.prepared.catalogue)


def test_with_other_batches_the_epoch_under_way_begins_anew(prepared_with, exactly, tmp_path):
    stop_after(exactly.begun(prepared_with(), tmp_path / "run"), 9)
    other = exactly.going_on(prepared_with(training__batch_size=8), tmp_path / "run", allow_different=True)
    per_epoch = other.steps_per_epoch()
    exactly.finish(other)
    lines = [json.loads(line) for line in (tmp_path / "run" / directory.EVENTS).read_text().splitlines()]
    assert [line["step"] for line in lines if line["event"] == "epoch"][-1] == 3 * per_epoch


def test_another_optimizer_is_refused_even_with_leave(prepared_with, exactly, tmp_path):
    stop_after(exactly.begun(prepared_with(optimizer="sgd"), tmp_path / "run"), 3)
    with pytest.raises(TrainingError, match="has the state of sgd, and the recipe wants adam"):
        exactly.going_on(prepared_with(optimizer="adam"), tmp_path / "run", allow_different=True)


def test_a_torn_last_line_does_not_make_a_run_finished(prepared_with, exactly, tmp_path):
    prepared = prepared_with()
    whole = exactly.finish(exactly.begun(prepared, tmp_path / "whole"))
    run = tmp_path / "run"
    stop_after(exactly.begun(prepared, run), 5)
    with (run / directory.EVENTS).open("ab") as log:
        log.write(b'{"event": "sealed", "best_ep\xff')
    exactly.assert_same(exactly.finish(exactly.going_on(prepared, run)), whole)


def test_a_log_that_was_cut_is_not_filled_up(prepared_with, exactly, tmp_path):
    prepared = prepared_with()
    stop_after(exactly.begun(prepared, tmp_path / "run"), 5)
    (tmp_path / "run" / directory.EVENTS).write_bytes(b"")
    with pytest.raises(DataError, match="found 0 bytes, where the checkpoint knows of"):
        exactly.going_on(prepared, tmp_path / "run")


def test_what_a_killed_process_left_half_written_is_swept_away(digits, prepared_with, exactly, tmp_path):
    run = tmp_path / "run"
    stop_after(exactly.begun(prepared_with(), run), 5)
    litter = [run / ".model.safetensors.0a1b.part", run / directory.CHECKPOINTS / ".step-000000001.safetensors.2c.part"]
    for each in litter:
        each.write_bytes(b"half")
    train(digits, {"training.epochs": 1, "network": "lenet", "training.threads": 1}, out=run, overwrite=True)
    assert not any(each.exists() for each in litter)


def test_a_picture_that_changed_is_named(digits, exactly, tmp_path):
    pictures = tmp_path / "photos"
    exactly.store(digits, pictures)
    recipe = apply_overrides(Recipe(), {"network": "lenet", "training.epochs": 2, "training.threads": 1})
    with directory.made(tmp_path / "run", source=pictures, overwrite=False) as path:
        stop_after(start(prepare(survey(pictures, recipe)), path), 3)
    altered, gone, *_ = sorted((pictures / "class 1").iterdir())
    before = altered.read_bytes()
    Image.fromarray(255 - np.asarray(Image.open(altered))).save(altered)
    gone.rename(tmp_path / "gone.png")
    with pytest.raises(TrainingError, match="cannot go on to the same bits") as caught:
        resume(path)
    assert f"pictures that are changed: class 1/{altered.name}" in str(caught.value)
    assert f"pictures that are missing: class 1/{gone.name}" in str(caught.value)
    altered.write_bytes(before)
    assert "missing" in next(each.says for each in verify(path) if not each.right)
    resume(path, allow_different=True)
    assert gone.name not in (path / directory.CATALOGUE).read_text()
    assert all(each.right for each in verify(path))
    assert json.loads((path / directory.EVENTS).read_text().splitlines()[-1])["exact"] is False


def test_a_choice_against_the_same_bits_is_recorded(digits, tmp_path):
    choices = {"network": "lenet", "training.epochs": 1, "training.threads": 1, "training.deterministic": False}
    run = train(digits, choices, out=tmp_path / "run")
    assert list(run.events())[-1]["exact"] is False


@pytest.mark.parametrize("parts", [2, 3, 5])
def test_a_batch_in_parts_gives_the_weights_of_the_whole_up_to_rounding(parts, prepared_with, tmp_path):
    """Without batch normalization and dropout, whose numbers are those of a part, and without bfloat16's rounding."""
    choices = {"network__normalization": "none", "network__dropout": 0.0, "optimizer": "momentum"}
    choices["training__precision"] = "float32"
    ends = []
    for accumulation in (1, parts):
        prepared = prepared_with(**choices, training__gradient_accumulation=accumulation)
        path = tmp_path / str(accumulation)
        path.mkdir()
        session = start(prepared, path)
        stop_after(session, 12)
        ends.append(session.state.network.state_dict())
    for name, whole in ends[0].items():
        assert not np.array_equal(whole.numpy(), ends[1][name].numpy()) or whole.numel() < 20
        np.testing.assert_allclose(ends[1][name].numpy(), whole.numpy(), rtol=0, atol=2e-6)


def test_times_are_kept_apart_and_never_negative(prepared_with, exactly, tmp_path):
    prepared = prepared_with()
    stop_after(exactly.begun(prepared, tmp_path / "run"), 5)
    exactly.finish(exactly.going_on(prepared, tmp_path / "run"))
    lines = [json.loads(line) for line in (tmp_path / "run" / directory.TIMES).read_text().splitlines()]
    assert [line["event"] for line in lines] == ["started", "stopped", "resumed", "epoch", "epoch", "epoch"]
    assert all(line["seconds"] >= 0 and line["since_start"] >= 0 for line in lines)
    assert all(line["images_per_second"] > 0 for line in lines if line["event"] == "epoch")
    assert not any("seconds" in line for line in (tmp_path / "run" / directory.EVENTS).read_text().splitlines())


@pytest.mark.skipif(sys.platform != "linux", reason="other systems want names of files to be text")
def test_a_folder_whose_name_is_no_text_is_found_again(digits, exactly, tmp_path):
    pictures = os.fsdecode(os.fsencode(tmp_path / "phot") + b"\xe9s")
    exactly.store(digits, Path(pictures))
    recipe = apply_overrides(Recipe(), {"network": "lenet", "training.epochs": 1, "training.threads": 1})
    with directory.made(tmp_path / "run", source=pictures, overwrite=False) as path:
        stop_after(start(prepare(survey(pictures, recipe)), path), 2)
    assert earlier(pictures, recipe, path) == path
    assert list(resume(path).events())[-1]["exact"] is True


def test_whether_to_begin_or_to_go_on(prepared_with, exactly, digits, tmp_path):
    """Nothing that was trained is ever replaced unasked."""
    prepared = prepared_with()
    asked, run = prepared.resolved.asked, tmp_path / "run"
    assert earlier(digits, asked, run) is None
    exactly.begun(prepared, run)
    assert earlier(digits, asked, run) is None  # no step was taken
    stop_after(exactly.begun(prepared, run), 5)
    assert earlier(digits, asked, run) == run
    assert earlier(digits, apply_overrides(asked, {"training.checkpoint_minutes": 1.0}), run) == run
    with pytest.raises(OutputError, match="is of another source or recipe"):
        earlier(digits, Recipe(), run)
    with pytest.raises(OutputError, match="is of another source or recipe"):
        earlier("photos", asked, run)
    (run / directory.RECIPE).rename(tmp_path / "recipe.toml")
    with pytest.raises(DataError, match=r"has lost recipe\.toml"):
        earlier(digits, asked, run)
    (tmp_path / "recipe.toml").rename(run / directory.RECIPE)
    exactly.finish(exactly.going_on(prepared, run))
    assert earlier(digits, asked, run) == run
    shutil.rmtree(run / directory.CHECKPOINTS)
    assert earlier(digits, asked, run) == run
    with pytest.raises(OutputError, match="is of another source or recipe"):
        earlier(digits, Recipe(), run)
    exactly.begun(prepared, run)  # as with --overwrite: the earlier model stays until there is a better one
    assert (run / directory.MODEL).is_file()
    assert earlier(digits, asked, run) is None


def test_without_a_checkpoint_a_run_that_was_trained_is_not_replaced(prepared_with, exactly, digits, tmp_path):
    prepared = prepared_with()
    stop_after(exactly.begun(prepared, tmp_path / "run"), 5)
    shutil.rmtree(tmp_path / "run" / directory.CHECKPOINTS)
    with pytest.raises(DataError, match="has lost an intact checkpoint"):
        earlier(digits, prepared.resolved.asked, tmp_path / "run")
