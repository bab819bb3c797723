"""A run's numbers in an MLflow store: the user's own by MLFLOW_TRACKING_URI, or `mlflow.db` beside the runs.

The database is SQLite's, one file that MLflow 3 takes for its own default; its store of plain files is on the way out.
Look at it with `mlflow ui --backend-store-uri sqlite:///runs/mlflow.db`, which needs the whole of MLflow.
"""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sightline.recipe import Recipe
from sightline.recipe.flat import flat, plain
from sightline.training import directory
from sightline.writing import write_whole

if TYPE_CHECKING:
    from sightline.training.tracking import Outcome, Told

STORE = "mlflow.db"
EXPERIMENT = "sightline"
STATUS = {"finished": "FINISHED", "failed": "FAILED", "stopped": "KILLED"}
DATABASES = ("sqlite", "postgresql", "mysql", "mssql")
METRICS_AT_ONCE, PARAMETERS_AT_ONCE, LONGEST = 1000, 100, 6000
"""What MLflow takes in one request, and as the text of one parameter."""
UNLESS_SET = {
    "MLFLOW_DISABLE_TELEMETRY": "true",  # nobody is told that somebody trains
    "MLFLOW_LOGGING_LEVEL": "WARNING",  # its notes of database tables are none of a training's
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",  # by default a training waits minutes for a server that is gone
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "20",
}


def needs() -> tuple[str, ...]:
    """Return the libraries that the store at hand needs."""
    _settle_environment()
    uri = os.environ.get("MLFLOW_TRACKING_URI", "sqlite:")
    return ("mlflow.tracking", "sqlalchemy", "alembic") if uri.startswith(DATABASES) else ("mlflow.tracking",)


class ToMLflow:
    """Adds to one MLflow run what it does not have yet, a step for each epoch.

    Which MLflow run is the training's stands in its directory, so that a training that goes on goes on there. Numbers
    cannot be taken back from MLflow: where a training that goes on comes to other ones than before, because it was
    allowed to, a new MLflow run begins.
    """

    def __init__(self, path: Path, recipe: Recipe) -> None:
        _settle_environment()
        from mlflow.tracking import MlflowClient

        self._path, self._recipe = path, recipe
        self._local = "MLFLOW_TRACKING_URI" not in os.environ
        parent = path.resolve().parent
        self._uri = f"sqlite:///{(parent / STORE).as_posix()}" if self._local else os.environ["MLFLOW_TRACKING_URI"]
        self._client = MlflowClient(tracking_uri=self._uri)
        self._run = ""
        self._has: dict[str, dict[int, float]] = {}
        """Of each name, the values by step."""

    def feed(self, told: Told) -> None:
        """Write the epochs that are missing, and the sealed weights' numbers once they are known."""
        wanted = [(name, step, value) for step, of in told.epochs.items() for name, value in of.items()]
        wanted += [(name, told.best_epoch, value) for name, value in told.sealed.items()]
        if not self._run:
            self._run = self._earlier() or self._new()
            self._has = {name: self._history(name) for name in {name for name, _, _ in wanted}}
        if any(self._contradicts(*each) for each in wanted):
            self._client.set_terminated(self._run, STATUS["stopped"])
            self._run, self._has = self._new(), {}
        missing = [(name, step, value) for name, step, value in wanted if step not in self._has.get(name, {})]
        self._write(missing)

    def end(self, outcome: Outcome) -> None:
        """Say how the training ended."""
        self._client.set_terminated(self._run, STATUS[outcome])

    def _write(self, missing: Sequence[tuple[str, int, float]]) -> None:
        from mlflow.entities import Metric

        at = int(1000 * time.time())
        metrics = [Metric(name, value, at, step) for name, step, value in missing]
        for start in range(0, len(metrics), METRICS_AT_ONCE):
            self._client.log_batch(self._run, metrics=metrics[start : start + METRICS_AT_ONCE])
        for name, step, value in missing:
            self._has.setdefault(name, {})[step] = value

    def _contradicts(self, name: str, step: int, value: float) -> bool:
        known = self._has.get(name, {}).get(step)
        return known is not None and not math.isclose(known, value, rel_tol=1e-9, abs_tol=1e-12)

    def _history(self, name: str) -> dict[int, float]:
        return {point.step: point.value for point in self._client.get_metric_history(self._run, name)}

    def _earlier(self) -> str:
        """Return the MLflow run that this training has in this store already; empty for none."""
        from mlflow.exceptions import MlflowException

        noted = _noted(self._path / directory.MLFLOW)
        if noted.get("uri") != self._uri:
            return ""
        try:
            found = self._client.get_run(noted["run"])
        except MlflowException as error:
            if error.error_code == "RESOURCE_DOES_NOT_EXIST":
                return ""
            raise
        if found.info.lifecycle_stage != "active":
            return ""
        self._client.update_run(found.info.run_id, status="RUNNING")
        self._describe(found.info.run_id, found.data.params)
        return str(found.info.run_id)

    def _new(self) -> str:
        made = self._client.create_run(
            self._experiment(),
            run_name=self._path.resolve().name,
            tags={"mlflow.source.name": "sightline", "sightline.run": str(self._path.resolve())},
        )
        run = str(made.info.run_id)
        note = {"uri": self._uri, "run": run}
        write_whole(self._path / directory.MLFLOW, json.dumps(note).encode())
        self._describe(run, {})
        return run

    def _describe(self, run: str, known: Mapping[str, str]) -> None:
        """Write the recipe's fields that the MLflow run does not have yet as its parameters."""
        from mlflow.entities import Param

        fields = {field: plain(text) for field, text in flat(self._recipe).items() if field not in known}
        left = iter(Param(f, text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…") for f, text in fields.items())
        while some := list(islice(left, PARAMETERS_AT_ONCE)):
            self._client.log_batch(run, params=some)

    def _experiment(self) -> str:
        from mlflow.exceptions import MlflowException

        if identity := os.environ.get("MLFLOW_EXPERIMENT_ID"):
            return identity
        name = os.environ.get("MLFLOW_EXPERIMENT_NAME", EXPERIMENT)
        # Nothing is kept there; MLflow would otherwise note a folder of wherever this process is.
        kept = (self._path.resolve().parent / "mlartifacts").as_uri() if self._local else None
        if (found := self._client.get_experiment_by_name(name)) is None:
            try:
                return str(self._client.create_experiment(name, artifact_location=kept))
            except MlflowException:  # another process has made it at the same time
                found = self._client.get_experiment_by_name(name)
                if found is None:
                    raise
        return str(found.experiment_id)


def _settle_environment() -> None:
    for name, value in UNLESS_SET.items():
        os.environ.setdefault(name, value)


def _noted(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) and isinstance(found.get("run"), str) else {}
