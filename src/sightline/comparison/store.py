"""Which trials of a comparison are done, under way or waiting: a database that several processes share."""

from __future__ import annotations

import contextlib
import json
import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from sqlalchemy import (
    Column,
    Connection,
    Engine,
    Float,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    create_engine,
    event,
    func,
    insert,
    select,
    update,
)
from sqlalchemy.engine import make_url
from sqlalchemy.exc import (
    ArgumentError,
    DatabaseError,
    IntegrityError,
    NoSuchModuleError,
    OperationalError,
    ProgrammingError,
)

from sightline.errors import DataError, OutputError, RecipeError

VERSION = 2
PATIENCE = 30.0
"""Seconds to wait for another process that writes."""
STALE = 60.0
"""Seconds without a sign of life after which a worker's trial is another's; a sign is given every fifth of it."""
MOST_ATTEMPTS = 3
"""Deaths of a worker over one trial after which it is given up."""

State = Literal["waiting", "running", "done", "failed"]

TABLES = MetaData()
ABOUT = Table("comparison", TABLES, Column("name", String(40), primary_key=True), Column("value", Text, nullable=False))
TRIALS = Table(
    "comparison_trials",  # Optuna, whose studies lie in the same database, has a table of trials, too
    TABLES,
    Column("digest", String(32), primary_key=True),
    Column("place", Integer, nullable=False),
    Column("arm", Text, nullable=False),
    Column("seed", Integer, nullable=False),
    Column("recipe", Text, nullable=False),
    Column("state", String(10), nullable=False),
    Column("worker", String(100), nullable=False),
    Column("sign", Float, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("says", Text, nullable=False),
    Column("result", Text, nullable=False),
)


@dataclass(frozen=True)
class Trial:
    """One training of a comparison."""

    digest: str
    """Of recipe, pictures, weights and versions; its run's folder is called so."""
    arm: str
    seed: int
    recipe: str
    """What was set in it, as JSON, with the seed."""


@dataclass(frozen=True)
class Row:
    """A trial and how far it is."""

    trial: Trial
    state: State
    attempts: int
    says: str
    """Why it failed."""
    result: Mapping[str, Any]
    """What came out; empty until it is done."""


class Store:
    """The trials of one comparison.

    A trial is claimed in one transaction, so that no two workers have it, and what a worker says counts only while the
    trial is still its own: one that was given up for dead and comes back changes nothing.

    Args:
        url: as SQLAlchemy takes it, such as sqlite:////folder/comparison.db or postgresql://….
        clock: the time that workers' signs of life are in; one for all of them.
    """

    def __init__(self, url: str, *, clock: Callable[[], float] = time.time) -> None:
        self._engine = _engine(url)
        self._clock = clock
        self._place = shown(url)

    def open(self, about: Mapping[str, Any], trials: Sequence[Trial]) -> None:
        """Make the tables where there are none, and add trials that are new.

        Raises:
            DataError: the database is of another version of Sightline, or of other pictures.
            OutputError: it cannot be written, or another process keeps it.
        """
        try:
            self._open(about, trials)
        except (IntegrityError, ProgrammingError):  # another machine did the same at the same moment
            try:
                self._open(about, trials)
            except (IntegrityError, ProgrammingError) as error:
                raise DataError(f"{self._place}: found tables that are no comparison's ({error.orig}).") from error

    def _open(self, about: Mapping[str, Any], trials: Sequence[Trial]) -> None:
        with self._begun() as connection:
            TABLES.create_all(connection)
            known = {row.name: json.loads(row.value) for row in connection.execute(select(ABOUT))}
            wanted = {"version": VERSION, **about}
            for name, value in wanted.items():
                if name not in known:
                    connection.execute(insert(ABOUT).values(name=name, value=json.dumps(value)))
                elif known[name] != value:
                    other = "another version" if name == "version" else f"other {name}"
                    raise DataError(
                        f"{self._place}: found a comparison of {other} ({known[name]}, wanted {value}). Choose "
                        "another place (--out DIR), or put back what it was begun with."
                    )
            there = set(connection.scalars(select(TRIALS.c.digest)))
            place = connection.scalar(select(func.count()).select_from(TRIALS)) or 0
            for each in trials:
                if each.digest not in there:
                    connection.execute(
                        insert(TRIALS).values(
                            digest=each.digest, place=place, arm=each.arm, seed=each.seed, recipe=each.recipe,
                            state="waiting", worker="", sign=0.0, attempts=0, says="", result="{}",
                        )
                    )  # fmt: skip
                    place += 1

    def about(self, name: str) -> Any:
        """Return what was noted under a name; None where nothing was."""
        with self._begun() as connection:
            value = connection.scalar(select(ABOUT.c.value).where(ABOUT.c.name == name))
        return None if value is None else json.loads(value)

    def note(self, name: str, value: Any) -> Any:
        """Note something once, and return what stands there: what another process noted before stays."""
        with contextlib.suppress(IntegrityError), self._begun() as connection:  # another did so at the same moment
            if connection.scalar(select(ABOUT.c.value).where(ABOUT.c.name == name)) is None:
                connection.execute(insert(ABOUT).values(name=name, value=json.dumps(value)))
        return self.about(name)

    def claim(self, worker: str, digests: Sequence[str]) -> Trial | None:
        """Return the next of some trials for a worker, which is its own from now on; None where none is to be begun."""
        now = self._clock()
        free = self._free(now) & TRIALS.c.digest.in_(digests)
        with self._begun() as connection:
            self._give_up(connection, free)
            found = connection.execute(
                # One that was given back since the line above may have had all its attempts.
                select(TRIALS)
                .where(free, TRIALS.c.attempts < MOST_ATTEMPTS)
                .order_by(TRIALS.c.place)
                .limit(1)
                .with_for_update(skip_locked=True)
            ).first()
            if found is None:
                return None
            connection.execute(
                update(TRIALS)
                .where(TRIALS.c.digest == found.digest)
                .values(state="running", worker=worker, sign=now, attempts=found.attempts + 1)
            )
        return Trial(found.digest, found.arm, found.seed, found.recipe)

    def free(self, digests: Sequence[str]) -> int:
        """Return how many of these trials wait to be begun, or have been left by a worker that is no more."""
        with self._begun() as connection:
            wanted = select(func.count()).select_from(TRIALS)
            return int(connection.scalar(wanted.where(TRIALS.c.digest.in_(digests), self._free(self._clock()))) or 0)

    def _free(self, now: float) -> Any:
        return (TRIALS.c.state == "waiting") | ((TRIALS.c.state == "running") & (TRIALS.c.sign < now - STALE))

    def _give_up(self, connection: Connection, free: Any) -> None:
        connection.execute(
            update(TRIALS)
            .where(free & (TRIALS.c.attempts >= MOST_ATTEMPTS))
            .values(state="failed", says=f"its process died {MOST_ATTEMPTS} times")
        )

    def alive(self, worker: str) -> None:
        """Note that a worker is at work."""
        with self._begun() as connection:
            connection.execute(self._own(worker).values(sign=self._clock()))

    def done(self, digest: str, worker: str, result: Mapping[str, Any]) -> bool:
        """Note what came out of a worker's trial, and return whether the trial was still its own."""
        return self._end(digest, worker, state="done", result=json.dumps(result))

    def failed(self, digest: str, worker: str, says: str) -> bool:
        """Note why a worker's trial cannot be trained, and return whether the trial was still its own."""
        return self._end(digest, worker, state="failed", says=says)

    def give_back(self, worker: str, *, died: bool) -> int:
        """Have the trials of a worker that is no more begun by another, and return how many there were.

        Args:
            worker: that had them.
            died: of itself, maybe over a trial; not because it was ended.
        """
        attempts = TRIALS.c.attempts if died else TRIALS.c.attempts - 1
        with self._begun() as connection:
            found = connection.execute(self._own(worker).values(state="waiting", worker="", attempts=attempts))
            return int(found.rowcount)

    def at_work(self) -> set[str]:
        """Return the workers that have trials."""
        with self._begun() as connection:
            return set(connection.scalars(select(TRIALS.c.worker).where(TRIALS.c.state == "running")))

    def try_again(self, digests: Sequence[str]) -> None:
        """Have trials that failed begun once more, and no deaths counted of any that wait."""
        with self._begun() as connection:
            connection.execute(
                update(TRIALS)
                .where(TRIALS.c.digest.in_(digests), TRIALS.c.state.in_(("failed", "waiting")))
                .values(state="waiting", worker="", attempts=0, says="")
            )

    def rows(self, digests: Sequence[str] | None = None) -> list[Row]:
        """Return trials in the order in which they were added; all of them, or those that are named."""
        wanted = select(TRIALS).order_by(TRIALS.c.place)
        if digests is not None:
            wanted = wanted.where(TRIALS.c.digest.in_(digests))
        with self._begun() as connection:
            return [
                Row(
                    Trial(row.digest, row.arm, row.seed, row.recipe),
                    row.state, row.attempts, row.says, json.loads(row.result),
                )
                for row in connection.execute(wanted)
            ]  # fmt: skip

    def close(self) -> None:
        """Let go of the database."""
        self._engine.dispose()

    def _own(self, worker: str) -> Any:
        return update(TRIALS).where(TRIALS.c.worker == worker, TRIALS.c.state == "running")

    def _end(self, digest: str, worker: str, **values: Any) -> bool:
        with self._begun() as connection:
            found = connection.execute(self._own(worker).where(TRIALS.c.digest == digest).values(**values))
            return bool(found.rowcount == 1)

    @contextlib.contextmanager
    def _begun(self) -> Iterator[Connection]:
        try:
            with self._engine.begin() as connection:
                yield connection
        except OperationalError as error:
            says = " ".join(str(error.orig).split())  # servers answer in several lines
            next_step = (
                "Wait for whoever keeps it, free some room, or choose another place: --out DIR"
                if self._engine.dialect.name == "sqlite"
                else "Look whether its server runs, and at the address: --database URL"
            )
            raise OutputError(
                f"{self._place}: the comparison's database cannot be used ({says}). {next_step}"
            ) from error
        except (IntegrityError, ProgrammingError):
            raise
        except DatabaseError as error:
            raise DataError(
                f"{self._place}: found something that is no comparison ({error.orig}). Choose another place: --out DIR"
            ) from error


def url_in(folder: Path) -> str:
    """Return the address of the database in a comparison's folder."""
    return f"sqlite:///{folder / 'comparison.db'}"


def shown(url: str) -> str:
    """Return the address of a database as anybody may read it: without a password."""
    return make_url(url).render_as_string(hide_password=True).removeprefix("sqlite:///")


def _engine(url: str) -> Engine:
    try:
        make_url(url)
        if not url.startswith("sqlite:"):
            return create_engine(url)
    except (ArgumentError, NoSuchModuleError, ImportError) as error:
        raise RecipeError(
            f"--database: found an address that cannot be used ({error}), wanted one as SQLAlchemy has it, such as "
            "postgresql+psycopg://user@host/name, with its driver installed."
        ) from error
    engine = create_engine(url, connect_args={"timeout": PATIENCE})

    @event.listens_for(engine, "connect")
    def _connected(connection: Any, _record: Any) -> None:
        connection.isolation_level = None  # transactions begin below, not with the first write
        _write_ahead(connection)
        connection.execute("PRAGMA synchronous=FULL")

    @event.listens_for(engine, "begin")
    def _begun(connection: Connection) -> None:
        # At once for writing: one that reads first and writes then may find that another wrote between.
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    return engine


def _write_ahead(connection: Any) -> None:
    """Bring an SQLite database to its write-ahead log; it waits for others here, since SQLite itself does not."""
    until = time.monotonic() + PATIENCE
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > until:
                raise
            time.sleep(0.01)
        else:
            return
