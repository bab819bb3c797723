"""A transfer that was stopped, in either stage or between the two, goes on to the same bits."""

import numpy as np
import pytest
from small_transfer import SMALL as OF_TRANSFER

import sightline
from sightline.recipe import Recipe, apply_overrides
from sightline.training import EpochEnd, StageStart, StepEnd, Stopped, prepare, survey
from sightline.training.resume import resume
from sightline.training.verify import verify

CHOICES = {
    **{key: value for key, value in OF_TRANSFER.items() if key != "data.image_size"},
    "training.weight_averaging": 0.9,
    "network.dropout": 0.2,
    "data.validation_fraction": 0.1,
    "data.test_fraction": 0.1,
    "transfer.l2_sp": 0.01,
    "transfer.distillation": 0.5,
    "transfer.interpolation": "validation",
    "transfer.unfreezing": "gradual",
}


@pytest.fixture(scope="module")
def transfer(digits, tmp_path_factory):
    """Return a function from dotted fields to what a transfer of odd and even digits stands on."""
    folder = tmp_path_factory.mktemp("source")
    images, labels = digits
    base = {"network": "vgg", "network.widths": [6, 8], "network.convolutions": [1, 1], "training.epochs": 2}
    base |= {"training.threads": 1, "augmentation": "none"}
    run = sightline.train((images, labels), base, out=folder / "run", cache=folder / "cache")

    def make(**choices):
        chosen = {**CHOICES, "transfer.weights": str(run.model_path), **choices}
        return prepare(survey((images, labels % 2), apply_overrides(Recipe(), chosen)), cache=folder / "cache")

    return make


def stop_at(session, wanted) -> bool:
    """Train until an event is `wanted`, leave a checkpoint, and return whether it came to that."""
    reached = []
    for event in session.events(stop=lambda: bool(reached)):
        if isinstance(event, Stopped):
            return True
        if wanted(session, event):
            reached.append(event)
    return False


PLACES = {
    "first step": lambda session, event: isinstance(event, StepEnd),
    "within the head": lambda session, event: isinstance(event, StepEnd) and event.step == 20,
    "end of the head": lambda session, event: isinstance(event, EpochEnd) and event.epoch == 3,
    "all layers begin": lambda session, event: isinstance(event, StageStart) and event.number == 2,
    "within all layers": lambda session, event: (
        isinstance(event, StepEnd) and session.state.stage == 1 and event.step == session.state.stage_step + 7
    ),
    "the end": lambda session, event: isinstance(event, EpochEnd) and event.epoch == 5,
}


@pytest.mark.parametrize(
    "kind", [{}, {"transfer.features": "exact", "transfer.batch_norm": "adapt"}], ids=["", "exact"]
)
def test_a_transfer_that_was_stopped_anywhere_goes_on_to_the_same_bits(kind, transfer, exactly, tmp_path):
    prepared = transfer(**kind)
    wanted = exactly.finish(exactly.begun(prepared, tmp_path / "whole"))
    report = (tmp_path / "whole" / "transfer.json").read_bytes()
    for name, place in PLACES.items():
        path = tmp_path / name
        assert stop_at(exactly.begun(prepared, path), place), name
        found = exactly.finish(exactly.going_on(transfer(**kind), path))
        exactly.assert_same(found, wanted)
        assert (path / "transfer.json").read_bytes() == report, name


def test_early_stopping_ends_stages_and_resumes_alike(transfer, exactly, tmp_path):
    choices = {"training.early_stopping": 1, "transfer.head_epochs": 9, "optimizer.learning_rate": 0.2}
    choices |= {"transfer.interpolation": "none", "transfer.rate_factor": 1.0, "training.epochs": 6}
    prepared = transfer(**choices)
    wanted = exactly.finish(exactly.begun(prepared, tmp_path / "whole"))
    session = exactly.begun(prepared, tmp_path / "stopped")
    assert stop_at(session, PLACES["within all layers"])
    assert session.state.stage_epoch < 9  # the head did not take all of its epochs
    exactly.assert_same(exactly.finish(exactly.going_on(prepared, tmp_path / "stopped")), wanted)


def test_the_same_transfer_again_is_the_same_and_verify_says_so(digits, transfer, exactly, tmp_path):
    prepared = transfer()
    first = exactly.finish(exactly.begun(prepared, tmp_path / "one"))
    exactly.assert_same(exactly.finish(exactly.begun(transfer(), tmp_path / "two")), first)
    images, labels = digits
    found = list(verify(tmp_path / "one", (images, np.asarray(labels) % 2), steps=20, cache=tmp_path / "cache"))
    assert [finding for finding in found if not finding.right] == []
    assert any("the same weights after steps 1, 10" in finding.says for finding in found)


def test_weights_that_changed_or_are_gone_are_noticed(digits, transfer, exactly, tmp_path):
    import shutil

    from sightline.errors import ModelFileError

    prepared = transfer()
    place = tmp_path / "weights.safetensors"
    shutil.copy(prepared.weights.origin, place)
    session = exactly.begun(transfer(**{"transfer.weights": str(place)}), tmp_path / "run")
    assert stop_at(session, PLACES["within the head"])
    images, labels = digits
    source = (images, labels % 2)
    place.unlink()
    with pytest.raises(ModelFileError, match="cannot be read"):
        resume(tmp_path / "run", source)
    other = tmp_path / "other"
    sightline.train(digits, {"network": "vgg", "network.widths": [6, 8], "network.convolutions": [1, 1],
                             "training.epochs": 1, "augmentation": "none"}, out=other)  # fmt: skip
    shutil.copy(other / "model.safetensors", place)
    with pytest.raises(ModelFileError, match=r"wanted those of transfer\.digest"):
        resume(tmp_path / "run", source)
    shutil.copy(prepared.weights.origin, place)
    assert resume(tmp_path / "run", source).metrics["test"]["images"] > 0
