"""The best of many recipes by validation, and whether it is better at all, by seeds that had no part in the choice."""

from __future__ import annotations

import contextlib
import csv
import hashlib
import io
import warnings
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sightline.comparison.comparing import SEEDS, compare
from sightline.comparison.comparison import Comparison
from sightline.comparison.plan import resolved_on
from sightline.comparison.space import Range, Space, usual_space
from sightline.comparison.store import url_in
from sightline.data import Progress
from sightline.errors import DataError, MissingLibraryError, OutputError, RecipeError, TrainingError
from sightline.recipe import Recipe, apply_overrides, to_toml, write_recipe
from sightline.recipe.fields import show
from sightline.training import EpochEnd, Survey, prepare, start, survey
from sightline.writing import write_whole

if TYPE_CHECKING:
    from optuna import Study
    from optuna.trial import Trial

TUNED, TRIALS, RUNS = "tuned.toml", "tuning.csv", "tuning"
FRESH = 2_000_003
"""First seed of the confirmation, which no trial was trained with."""
STARTUP = 5
"""Trials before any is cut short: a median of fewer says little."""


@dataclass(frozen=True)
class Tuning:
    """What was found."""

    choices: Mapping[str, str]
    """Of the best trial: field and value, as TOML has it."""
    recipe: Recipe
    accuracy: float
    """Its validation accuracy, 0 to 1: the best of many, and so too good to be true."""
    trials: int
    cut_short: int
    """Trials that were ended early."""
    confirmed: Comparison | None
    """The best against the start on fresh seeds; None where the start is the best."""


def tune(
    source: Any,
    recipe: Recipe | Mapping[str, Any] | None = None,
    *,
    space: Space | None = None,
    trials: int = 40,
    seeds: int = SEEDS,
    seed: int = 0,
    out: Path,
    workers: int | None = None,
    cache: Path | None = None,
    progress: Progress | None = None,
    told: Callable[[int, float | None, Mapping[str, str]], None] = lambda *_: None,
) -> Tuning:
    """Search for a recipe that is better on the validation pictures, and hold it against the start on fresh seeds.

    Optuna's tree-structured Parzen estimator proposes, the recipe's own choices first where the space has them; a trial
    whose validation accuracy is below the median of those before it at the same epoch is ended. Nothing looks at test
    pictures before the confirmation, which is an ordinary comparison: the best of forty is an optimistic number.

    Args:
        source: as for `train`.
        recipe: to begin with.
        space: fields and what they may be; None for learning rate, weight decay, label smoothing and dropout.
        trials: in all; what is there already counts.
        seeds: trainings of either recipe in the confirmation.
        seed: of all trials, and of what is proposed.
        out: folder for the trials, the database, `tuned.toml`, `tuning.csv` and the confirmation's files.
        workers: of the confirmation.
        cache: as for `train`.
        progress: told of reading and decoding.
        told: number, validation accuracy (None where it was cut short or failed) and choices of each trial.

    Raises:
        DataError: nothing is held out for validation.
        MissingLibraryError: Optuna is not installed.
        SightlineError: as `compare`.
    """
    base = recipe if isinstance(recipe, Recipe) else apply_overrides(Recipe(), recipe or {})
    require()
    surveyed = survey(source, base, progress=progress)
    if not len(surveyed.split.validation):
        raise DataError(
            f"{surveyed.catalogue.source.name}: tuning chooses by validation pictures, and none are held out: "
            "--set data.validation_fraction=0.1"
        )
    chosen_from = space if space is not None else usual_space(resolved_on(base, surveyed), base)
    try:
        (out / RUNS).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{out}: cannot be written ({error.strerror}). Choose another place: --out DIR") from error
    prepare(surveyed, cache=cache, progress=progress)  # once, so that forty trials need not tell of it
    study = _study(out, base, surveyed, chosen_from, seed)
    while sum(trial.state.is_finished() for trial in study.trials) < trials:
        _one(study, source, base, chosen_from, seed, out, cache, told)
    found = _best(study, base)
    write_recipe(out / TUNED, found.recipe, {})
    _write(study, out / TRIALS)
    if found.recipe == base:
        return found
    confirmed = compare(
        source,
        recipes={"the start": base, "the best found": found.recipe},
        seeds=range(FRESH, FRESH + seeds),
        out=out,
        workers=workers,
        cache=cache,
        progress=progress,
    )
    return Tuning(found.choices, found.recipe, found.accuracy, found.trials, found.cut_short, confirmed)


def require() -> None:
    """Raise MissingLibraryError where Optuna is not installed."""
    try:
        import optuna
    except ImportError as error:
        raise MissingLibraryError(
            'sightline tune: found no Optuna, which proposes what to try. Install it: pip install "sightline[tune]"'
        ) from error
    optuna.logging.set_verbosity(optuna.logging.ERROR)


def _study(out: Path, base: Recipe, surveyed: Survey, space: Space, seed: int) -> Study:
    """Return the study of this recipe, space and pictures, as far as it has come."""
    import optuna

    parts = (to_toml(base), surveyed.catalogue.digest, repr(sorted(space.items())), str(seed))
    name = hashlib.blake2b("\n".join(parts).encode(), digest_size=16).hexdigest()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of what is experimental in Optuna
        study = optuna.create_study(
            storage=url_in(out),
            study_name=name,
            direction="maximize",
            load_if_exists=True,
            pruner=optuna.pruners.MedianPruner(n_startup_trials=STARTUP),
        )
        # What a killed process was at is begun anew; what it proposes depends on how many there are.
        for trial in study.trials:
            if trial.state == optuna.trial.TrialState.RUNNING:
                study.tell(trial.number, state=optuna.trial.TrialState.FAIL)
        study.sampler = optuna.samplers.TPESampler(seed=seed + len(study.trials))
    return study


def _one(
    study: Study,
    source: Any,
    base: Recipe,
    space: Space,
    seed: int,
    out: Path,
    cache: Path | None,
    told: Callable[[int, float | None, Mapping[str, str]], None],
) -> None:
    """Propose one recipe, train it as far as it is worth it, and tell the study."""
    from optuna.trial import TrialState

    trial = study.ask()
    # The first one is the start itself.
    choices = {} if trial.number == 0 else {field: _proposed(trial, field, part) for field, part in space.items()}
    accuracy: float | None = None
    path = out / RUNS / f"{study.study_name[:8]}-{trial.number}"
    try:
        texts = [f"{field}={text}" for field, text in choices.items()]
        recipe = apply_overrides(apply_overrides(base, texts), {"training.seed": seed})
        with contextlib.closing(_accuracies(source, recipe, path, cache)) as epochs:
            for epoch, (found, _) in enumerate(epochs, 1):
                accuracy = found if accuracy is None else max(accuracy, found)
                trial.report(found, epoch)
                if choices and trial.should_prune():
                    study.tell(trial, state=TrialState.PRUNED)
                    told(trial.number, None, choices)
                    return
    except (RecipeError, TrainingError) as error:  # choices that do not go together, or a loss that is not finite
        trial.set_user_attr("says", str(error))
        accuracy = None
    trial.set_user_attr("choices", choices)
    if accuracy is None:
        study.tell(trial, state=TrialState.FAIL)
    else:
        study.tell(trial, accuracy)
    told(trial.number, accuracy, choices)


def _proposed(trial: Trial, field: str, part: Any) -> str:
    if not isinstance(part, Range):
        return str(trial.suggest_categorical(field, list(part.texts)))
    if part.whole:
        return show(trial.suggest_int(field, int(part.low), int(part.high), log=part.log))
    return show(trial.suggest_float(field, part.low, part.high, log=part.log))


def _accuracies(source: Any, recipe: Recipe, path: Path, cache: Path | None) -> Generator[tuple[float, int]]:
    """Yield validation accuracy and number of each epoch. The training is not sealed, so that no test is looked at."""
    path.mkdir(parents=True, exist_ok=True)
    session = start(prepare(survey(source, recipe), cache=cache), path)
    for event in session.events():
        if isinstance(event, EpochEnd) and event.validation is not None:
            yield event.validation.accuracy, event.epoch


def _best(study: Study, base: Recipe) -> Tuning:
    from optuna.trial import TrialState

    done = [trial for trial in study.trials if trial.state == TrialState.COMPLETE]
    if not done:
        says = next((t.user_attrs["says"] for t in study.trials if "says" in t.user_attrs), "none was trained")
        raise TrainingError(f"none of {len(study.trials)} trials came to its end: {says}")
    best = max(done, key=lambda trial: (trial.value, -trial.number))
    choices: dict[str, str] = best.user_attrs["choices"]
    return Tuning(
        choices=choices,
        recipe=apply_overrides(base, [f"{field}={text}" for field, text in choices.items()]),
        accuracy=float(best.value or 0.0),
        trials=len(study.trials),
        cut_short=sum(trial.state == TrialState.PRUNED for trial in study.trials),
        confirmed=None,
    )


def _write(study: Study, path: Path) -> None:
    """Write what was tried, a row for each trial."""
    fields = sorted({field for trial in study.trials for field in trial.params})
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("trial", "state", "validation_accuracy", *fields))
    for trial in study.trials:
        value = "" if trial.value is None else trial.value
        writer.writerow((trial.number, trial.state.name.lower(), value, *(trial.params.get(f, "") for f in fields)))
    write_whole(path, text.getvalue().encode())
