"""What the other tools have is what the log has: read back with their own libraries, whatever happened on the way."""

import json
import warnings
from pathlib import Path

import numpy as np
import pytest
from command_line import fails, sightline

import sightline as package
from sightline.errors import MissingLibraryError, RecipeError, TrainingError
from sightline.recipe import Recipe, apply_overrides
from sightline.recipe.flat import flat
from sightline.training import Run, checkpoint, directory, observed, prepare, resume, start, survey, tracking
from sightline.training.standing import digest_of
from sightline.training.tracking import Told, Tracking

EPOCHS = 4
QUICK = {
    "network": "lenet", "training.epochs": EPOCHS, "training.threads": 1, "training.batch_size": 8,
    "augmentation": "none", "data.test_fraction": 0.3,
}  # fmt: skip
DIVERGES = {"optimizer": "sgd", "optimizer.learning_rate": 100.0, "network.normalization": "none"}
NUMBERS = {"training/loss", "training/accuracy", "validation/loss", "validation/accuracy", "learning_rate"}


def installed(name: str) -> bool:
    try:
        tracking.require(apply_overrides(Recipe(), {"training.tracking": [name]}))
    except MissingLibraryError:
        return False
    return True


TOOLS = [
    pytest.param(name, marks=pytest.mark.skipif(not installed(name), reason=f"{name}, which is read, is not installed"))
    for name in ("tensorboard", "mlflow")
]
only_mlflow = pytest.mark.skipif(not installed("mlflow"), reason="mlflow, which is read, is not installed")
only_tensorboard = pytest.mark.skipif(not installed("tensorboard"), reason="tensorboard is not installed")


@pytest.fixture(autouse=True)
def own_store(monkeypatch):
    for name in ("MLFLOW_TRACKING_URI", "MLFLOW_EXPERIMENT_NAME", "MLFLOW_EXPERIMENT_ID"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="module")
def pictures():
    random = np.random.default_rng(0)
    labels = np.arange(90) % 2
    images = random.integers(0, 120, (90, 12, 12, 1)) + 100 * labels[:, None, None, None]
    return images.astype(np.uint8), labels


def with_tools(*names: str, **more: object) -> dict[str, object]:
    return {**QUICK, "training.tracking": list(names), **more}


def points(name: str, run: Path) -> dict[str, list[tuple[int, float]]]:
    """Every number that a tool has of a run, with its step, in the order in which it was written."""
    return (of_tensorboard if name == "tensorboard" else of_mlflow)(run)


def of_tensorboard(run: Path) -> dict[str, list[tuple[int, float]]]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

        found = EventAccumulator(str(run / "tensorboard"), size_guidance={"scalars": 0})
        found.Reload()
    return {tag: [(each.step, each.value) for each in found.Scalars(tag)] for tag in found.Tags()["scalars"]}


def client(run: Path):
    from mlflow.tracking import MlflowClient

    return MlflowClient(tracking_uri=f"sqlite:///{run.parent / 'mlflow.db'}")


def of_mlflow(run: Path) -> dict[str, list[tuple[int, float]]]:
    store, identity = client(run), json.loads((run / "mlflow.json").read_text())["run"]
    keys = store.get_run(identity).data.metrics
    return {key: [(each.step, each.value) for each in store.get_metric_history(identity, key)] for key in keys}


def expected(run: Path) -> dict[str, list[tuple[int, float]]]:
    """What the log says, written out here."""
    found: dict[str, list[tuple[int, float]]] = {}
    for event in Run(run).events():
        if event["event"] == "epoch":
            of = {
                "training/loss": event["training_loss"], "training/accuracy": event["training_accuracy"],
                "learning_rate": event["learning_rate"], "validation/loss": event["validation"]["loss"],
                "validation/accuracy": event["validation"]["accuracy"],
            }  # fmt: skip
            for name, value in of.items():
                found.setdefault(name, []).append((event["epoch"], value))
        if event["event"] == "sealed":
            for side in ("validation", "test"):
                for key in ("images", "loss", "accuracy", "balanced_accuracy", "top5", "macro_f1"):
                    found[f"sealed/{side}/{key}"] = [(event["best_epoch"], event[side][key])]
    return found


def assert_follows(name: str, run: Path) -> None:
    found, wanted = points(name, run), expected(run)
    assert found.keys() == wanted.keys()
    assert found.keys() > NUMBERS
    for key, values in wanted.items():
        assert [step for step, _ in found[key]] == [step for step, _ in values], key
        np.testing.assert_allclose([v for _, v in found[key]], [v for _, v in values], rtol=1e-6)


def begin(source, chosen, path: Path):
    """Begin a run as `train` does, for a test that ends it early."""
    path.mkdir()
    return start(prepare(survey(source, apply_overrides(Recipe(), chosen))), path)


@pytest.mark.parametrize("name", TOOLS)
def test_a_tool_has_every_epoch_the_result_and_the_recipe(name, pictures, tmp_path):
    run = package.train(pictures, with_tools(name), out=tmp_path / "run")
    assert_follows(name, run.path)
    fields = flat(run.recipe())
    if name == "mlflow":
        found = client(run.path).get_run(json.loads((run.path / "mlflow.json").read_text())["run"])
        assert found.info.status == "FINISHED"
        assert found.info.run_name == "run"
        assert found.data.params.keys() == fields.keys()
        assert found.data.params["network"] == "lenet"
        assert found.data.params["training.batch_size"] == "8"
    else:
        from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
        from tensorboard.plugins.hparams import plugin_data_pb2

        read = EventAccumulator(str(run.path / "tensorboard"))
        read.Reload()
        content = read.SummaryMetadata("_hparams_/session_start_info").plugin_data.content
        values = plugin_data_pb2.HParamsPluginData.FromString(content).session_start_info.hparams
        assert set(values) == fields.keys()
        assert values["network"].string_value == "lenet"
        assert values["training.batch_size"].number_value == 8


@pytest.mark.parametrize("name", TOOLS)
@pytest.mark.parametrize("cut", [False, True], ids=["newest checkpoint", "one before what the tool has"])
def test_a_run_that_goes_on_leaves_no_epoch_out_and_none_twice(name, cut, pictures, tmp_path):
    path = tmp_path / "run"
    session = begin(pictures, with_tools(name, **{"training.checkpoints_kept": 10}), path)
    steps = session.steps_per_epoch()
    with observed(session) as look:
        for event in session.events(stop=lambda: session.state.step >= 2 * steps + 2):
            look(event)
    before = points(name, path)
    assert [step for step, _ in before["training/loss"]] == [1, 2]
    if name == "mlflow":
        identity = json.loads((path / "mlflow.json").read_text())["run"]
        assert client(path).get_run(identity).info.status == "KILLED"
    if cut:
        late = [file for file in (path / "checkpoints").glob("step-*") if checkpoint.read(file).step >= 2 * steps]
        assert late
        for file in late:
            file.unlink()
    resume(path, pictures)
    assert_follows(name, path)
    if name == "mlflow":
        assert json.loads((path / "mlflow.json").read_text())["run"] == identity
        assert client(path).get_run(identity).info.status == "FINISHED"


@pytest.mark.parametrize("name", TOOLS)
def test_epochs_that_come_again_as_others_do_not_mix(name, tmp_path):
    """An interrupted run may go on to another result, where that was allowed."""
    recipe = apply_overrides(Recipe(), {"training.tracking": [name]})
    path = tmp_path / "run"
    path.mkdir()

    def told(*losses: float) -> Told:
        return Told({epoch: {"training/loss": loss} for epoch, loss in enumerate(losses, start=1)})

    def opened():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return tracking.OPEN[name](path, recipe)

    first = opened()
    first.feed(told(3.0, 2.0, 1.0))
    first.end("stopped")
    second = opened()
    second.feed(told(3.0))
    second.feed(told(3.0, 2.5))
    second.feed(told(3.0, 2.5, 1.5))
    second.feed(told(3.0, 2.5, 1.5))
    second.end("finished")
    assert points(name, path)["training/loss"] == [(1, 3.0), (2, 2.5), (3, 1.5)]


@only_mlflow
def test_a_training_that_breaks_down_is_marked_so(pictures, tmp_path):
    with pytest.raises(TrainingError):
        package.train(pictures, with_tools("mlflow", **DIVERGES), out=tmp_path / "run")
    run = tmp_path / "run"
    found = client(run).get_run(json.loads((run / "mlflow.json").read_text())["run"])
    assert found.info.status == "FAILED"


@only_mlflow
def test_the_users_own_store_and_experiment_are_taken(pictures, tmp_path, monkeypatch):
    from mlflow.tracking import MlflowClient

    uri = f"sqlite:///{tmp_path / 'own.db'}"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "mine")
    run = package.train(pictures, with_tools("mlflow"), out=tmp_path / "runs" / "run")
    assert not (tmp_path / "runs" / "mlflow.db").exists()
    store = MlflowClient(tracking_uri=uri)
    (found,) = store.search_runs([store.get_experiment_by_name("mine").experiment_id])
    assert found.info.run_id == json.loads((run.path / "mlflow.json").read_text())["run"]


@only_mlflow
def test_a_server_that_is_not_there_costs_a_sentence(pictures, tmp_path, monkeypatch, caplog):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    run = package.train(pictures, with_tools("mlflow"), out=tmp_path / "run")
    assert directory.finished(run.path)
    said = [record.getMessage() for record in caplog.records if record.name == "sightline"]
    assert len(said) == 1
    assert said[0].startswith("mlflow cannot be written to (")


class Unsteady:
    """A tool whose disk is full for a while."""

    def __init__(self, failing: int) -> None:
        self.left, self.has, self.ended = failing, {}, ""

    def __call__(self, _path: Path, _recipe: Recipe) -> "Unsteady":
        return self

    def feed(self, told: Told) -> None:
        if self.left:
            self.left -= 1
            raise OSError(28, "No space left on device")
        self.has = dict(told.epochs)

    def end(self, outcome: str) -> None:
        self.ended = outcome


@pytest.mark.parametrize(("failing", "has"), [(1, EPOCHS), (100, 0)])
def test_a_tool_that_fails_does_not_end_the_training(failing, has, pictures, tmp_path, monkeypatch):
    tool, said = Unsteady(failing), []
    monkeypatch.setitem(tracking.OPEN, "tensorboard", tool)
    session = begin(pictures, with_tools("tensorboard"), tmp_path / "run")
    with observed(session, warn=said.append) as look:
        for event in session.events():
            look(event)
        session.seal()
    assert directory.finished(tmp_path / "run")
    assert len(said) == 1
    assert "No space left on device" in said[0]
    assert len(tool.has) == has
    assert tool.ended == ("finished" if has else "")


def test_neither_bits_nor_the_files_of_a_run_depend_on_it(pictures, tmp_path):
    tools = [name for name in ("tensorboard", "mlflow") if installed(name)]
    if not tools:
        pytest.skip("neither tensorboard nor mlflow is installed")
    plain = package.train(pictures, QUICK, out=tmp_path / "plain").path
    followed = package.train(pictures, with_tools(*tools), out=tmp_path / "followed").path
    for name in ("events.jsonl", "predictions.csv", "mistakes.npz", "catalogue.csv"):
        assert (plain / name).read_bytes() == (followed / name).read_bytes(), name
    texts = [(run / "recipe.toml").read_text().splitlines() for run in (plain, followed)]
    assert {line.partition(" ")[0] for line in set(texts[0]) ^ set(texts[1])} == {"tracking"}
    listed = (followed / "SHA256SUMS").read_text()
    assert "tensorboard" not in listed
    assert "mlflow" not in listed
    again = package.train(pictures, with_tools(*tools), out=tmp_path / "again").path
    assert (again / "SHA256SUMS").read_text() == listed


def test_a_run_in_its_place_takes_the_tools_files_away(pictures, tmp_path):
    path = tmp_path / "run"
    package.train(pictures, QUICK, out=path)
    (path / "tensorboard").mkdir()
    (path / "tensorboard" / "events.out.tfevents.1").write_bytes(b"old")
    (path / "mlflow.json").write_text("{}")
    package.train(pictures, QUICK, out=path, overwrite=True)
    assert not (path / "tensorboard").exists()
    assert not (path / "mlflow.json").exists()


@pytest.mark.parametrize("name", ["tensorboard", "mlflow"])
def test_what_is_not_installed_is_said_before_anything_is_made(name, pictures, tmp_path, monkeypatch):
    module = {"tensorboard": "tensorboard", "mlflow": "mlflow.tracking"}[name]
    monkeypatch.setitem(__import__("sys").modules, module, None)
    with pytest.raises(
        MissingLibraryError, match=rf'found "{name}", which cannot be imported here .*sightline\[{name}'
    ):
        package.train(pictures, with_tools(name), out=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_the_choice_is_a_list_of_known_tools_and_changes_no_digest():
    recipe = apply_overrides(Recipe(), ['training.tracking=["tensorboard", "mlflow"]'])
    assert recipe.training.tracking == ("tensorboard", "mlflow")
    assert digest_of(recipe) == digest_of(Recipe())
    with pytest.raises(RecipeError, match="wanted each tool once"):
        apply_overrides(Recipe(), {"training.tracking": ["mlflow", "mlflow"]})
    with pytest.raises(RecipeError, match=r"training\.tracking"):
        apply_overrides(Recipe(), {"training.tracking": ["wandb"]})


def test_a_log_is_read_on_from_its_last_whole_line(tmp_path):
    log, told = tmp_path / "events.jsonl", Told()
    line = json.dumps({"event": "epoch", "epoch": 1, "training_loss": 1.0, "validation": {"loss": None}})
    log.write_text(line + "\n" + line.replace('"epoch": 1', '"epoch": 2')[:-4])
    at = tracking.read_on(log, 0, told)
    assert at == len(line) + 1
    assert told.epochs == {1: {"training/loss": 1.0}}
    log.write_text(line + "\n" + line.replace('"epoch": 1', '"epoch": 2') + "\n")
    assert tracking.read_on(log, at, told) == 2 * at
    assert list(told.epochs) == [1, 2]
    assert tracking.read_on(tmp_path / "none", 7, told) == 7


def test_tracking_nothing_reads_nothing(tmp_path):
    Tracking(tmp_path / "nowhere", Recipe(), warn=pytest.fail).end("stopped")


def test_a_classifier_without_a_place_of_its_own_refuses(pictures):
    with pytest.raises(RecipeError, match="without `out` the run is temporary"):
        package.SightlineClassifier({"training.tracking": ["tensorboard"]}).fit(*pictures)


@only_tensorboard
def test_the_command_follows_too(tmp_path):
    sets = [part for key, value in {**QUICK, "training.epochs": 1}.items() for part in ("--set", f"{key}={value}")]
    chosen = [*sets, "--set", 'training.tracking=["tensorboard"]', "--out", "run"]
    done = sightline("train", "digits", *chosen, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert_follows("tensorboard", tmp_path / "run")
    fails(
        sightline("train", "digits", "--set", "training.tracking=mlflow", cwd=tmp_path),
        RecipeError.exit_code,
        "a list such as",
    )
