"""From a source and some arms to a comparison: planned, trained side by side, decided."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from sightline.comparison import rates
from sightline.comparison.arms import Arm, of_files, varied
from sightline.comparison.at_once import Crew, crew
from sightline.comparison.comparison import Comparison
from sightline.comparison.coordinator import carry_out
from sightline.comparison.plan import Plan, planned
from sightline.comparison.store import Row, Store, Trial, url_in
from sightline.comparison.waves import in_waves
from sightline.data import Progress
from sightline.errors import OutputError, RecipeError
from sightline.recipe import Recipe, apply_overrides
from sightline.training import directory, prepare

RUNS = "runs"
SEEDS = 5


def compare(
    source: Any,
    recipe: Recipe | Mapping[str, Any] | None = None,
    *,
    vary: Sequence[str] = (),
    recipes: Mapping[str, Recipe] | None = None,
    one_at_a_time: bool = False,
    seeds: int | Sequence[int] = SEEDS,
    margin: float | None = None,
    reach: float | None = None,
    tune_rate: bool = False,
    stop_early: bool = False,
    out: Path,
    url: str | None = None,
    workers: int | None = None,
    command: str = "",
    cache: Path | None = None,
    progress: Progress | None = None,
    told: Callable[[Sequence[Row], Plan, Crew], None] = lambda *_: None,
) -> Comparison:
    """Train recipes over several seeds, side by side, and say which choice is better, by how much and how sure.

    Arms are compared on the same seeds, with the same split, order of pictures and draws of augmentation, and where
    shapes agree the same initial weights, so that differences are paired. A trial is an ordinary run, called by a
    digest of recipe, pictures, weights and versions: what was trained once is not trained again, and the same call goes
    on with a comparison that was stopped, to the same bits, or adds arms and seeds to it.

    Args:
        source: as for `train`.
        recipe: whose other choices hold for all arms.
        vary: texts `field=value,value`, of which every combination is an arm.
        recipes: arms by their names, in place of `vary`.
        one_at_a_time: of `vary`, not every combination, but one change at a time from the first values.
        seeds: how many, 0, 1, …; or which.
        margin: a difference in accuracy that does not matter, 0 to 1, so that arms can be called equivalent.
        reach: an accuracy on the validation pictures, 0 to 1: arms are also compared by how soon they reach it.
        tune_rate: give each arm the best of five learning rates around its own, by validation accuracy with seeds that
            are not among those compared (`rates.search`).
        stop_early: train seeds one after the other, and no more of an arm that is decided (`in_waves`).
        out: folder for the runs, the database, `trials.csv` and `comparison.json`.
        url: of a database that several machines share, as SQLAlchemy takes it; None for one in `out`.
        workers: trials at once, which share the processor's threads; None to measure what gets most done.
        command: that makes the comparison again, for its page.
        cache: as for `train`.
        progress: told of reading and decoding.
        told: how far the trials are, a few times a second.

    Returns:
        All trials, with verdicts about each arm against the first.

    Raises:
        SightlineError: RecipeError for arms that cannot be trained or are the same, DataError for pictures that cannot
            be trained on or a database of other pictures, OutputError where nothing can be written.
    """
    if workers is not None and workers < 1:
        raise RecipeError(f"workers: found {workers}, wanted one at least.")
    if reach is not None and not 0.0 < reach <= 1.0:
        raise RecipeError(f"reach: found {reach:g}, wanted an accuracy above 0 and up to 1.")
    if recipes and vary:
        raise RecipeError("found vary and recipes; wanted one of the two.")
    base = recipe if isinstance(recipe, Recipe) else apply_overrides(Recipe(), recipe or {})
    arms: tuple[Arm, ...] = of_files(recipes) if recipes else varied(base, vary, one_at_a_time=one_at_a_time)
    numbers = range(seeds) if isinstance(seeds, int) else seeds
    plan = planned(source, arms, numbers, by_validation=reach is not None, progress=progress)
    plan.trials(1)  # before anything is written: none of them is the same as another
    try:
        (out / RUNS).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{out}: cannot be written ({error.strerror}). Choose another place: --out DIR") from error
    place = url or url_in(out)
    store = Store(place)
    try:
        store.open(plan.about, ())
        prepare(plan.surveyed, cache=cache, progress=progress)  # once, before several would decode the same pictures
        chosen = _crew(store, source, plan, workers, cache)
        begun: set[str] = set()

        def carried_out(part: Plan) -> tuple[Row, ...]:
            trials = part.trials(chosen.threads)
            store.open(plan.about, trials)
            digests = [trial.digest for trial in trials]
            # What failed in an earlier process may have failed by bad luck; what failed in this one would again.
            store.try_again([digest for digest in digests if digest not in begun])
            begun.update(digests)
            rows = carry_out(
                store,
                place,
                source,
                out / RUNS,
                digests,
                workers=chosen.workers,
                cache=cache,
                told=lambda rows: told(_named(rows, trials), part, chosen),
            )
            return _named(rows, trials)

        searches: dict[str, rates.Search] = {}
        if tune_rate:
            plan, searches = rates.search(plan, carried_out)
        levels: dict[str, float] = {}
        rows: Sequence[Row]
        if stop_early:
            rows, levels = in_waves(plan, carried_out)
        else:
            rows = carried_out(plan)
    finally:
        store.close()
    found = Comparison(
        source=directory.named(source),
        side=plan.side,
        arms=tuple(arm.name for arm in plan.arms),
        seeds=plan.seeds,
        rows=tuple(rows),
        margin=margin,
        reach=reach,
        choices=tuple(arm.choices for arm in plan.arms),
        command=command,
        searches=searches,
        levels=levels,
    )
    found.write(out)
    return found


def _crew(store: Store, source: Any, plan: Plan, workers: int | None, cache: Path | None) -> Crew:
    """Return the crew, which stays the same for a comparison: the number of threads decides on the last bits."""
    if (known := store.about("crew")) is not None:
        return Crew(workers or known["workers"], known["threads"], known["speeds"])
    if workers is not None:
        threads = plan.surveyed.machine.threads
        found = Crew(workers, max(1, threads // workers), {})
    else:
        found = crew(source, plan.surveyed, cache=cache)
    known = store.note("crew", {"workers": found.workers, "threads": found.threads, "speeds": found.speeds})
    return Crew(known["workers"], known["threads"], known["speeds"])


def _named(rows: Sequence[Row], trials: Sequence[Trial]) -> tuple[Row, ...]:
    """Return rows in the order of the trials, whose arms may have had other names when they were trained."""
    by_digest = {row.trial.digest: row for row in rows}
    return tuple(replace(by_digest[trial.digest], trial=trial) for trial in trials)
