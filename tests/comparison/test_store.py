"""A trial has one worker at a time, whoever dies, and nothing is lost."""

from __future__ import annotations

import random
import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import create_engine, update

from sightline.comparison.store import ABOUT, MOST_ATTEMPTS, PATIENCE, STALE, Store, Trial, shown, url_in
from sightline.errors import DataError, OutputError, RecipeError

TRIALS = [Trial(f"{number:032x}", "relu" if number % 2 else "sigmoid", number // 2, "") for number in range(8)]
ALL = [trial.digest for trial in TRIALS]


@pytest.fixture
def clock() -> list[float]:
    return [1000.0]


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return url_in(tmp_path)
    address: str = request.getfixturevalue("new_database")()
    return address


@pytest.fixture
def another(url: str):
    """What opens the database once more, and lets go of it at the end."""
    opened = []

    def once_more() -> Store:
        opened.append(Store(url))
        return opened[-1]

    yield once_more
    for each in opened:
        each.close()


@pytest.fixture
def store(url: str, clock: list[float]):
    made = Store(url, clock=lambda: clock[0])
    made.open({"pictures": "abc"}, TRIALS)
    yield made
    made.close()


def states(store: Store) -> list[str]:
    return [row.state for row in store.rows()]


def test_trials_are_claimed_in_their_order_and_each_once(store: Store) -> None:
    assert [store.claim("a" if number % 2 else "b", ALL) for number in range(8)] == TRIALS
    assert store.claim("a", ALL) is None
    assert states(store) == ["running"] * 8


def test_what_came_out_is_kept(store: Store) -> None:
    first, second = store.claim("a", ALL), store.claim("b", ALL)
    assert store.done(first.digest, "a", {"accuracy": 0.5})
    assert store.failed(second.digest, "b", "the loss is nan")
    done, failed, *_ = store.rows()
    assert (done.state, done.result, done.attempts) == ("done", {"accuracy": 0.5}, 1)
    assert (failed.state, failed.says) == ("failed", "the loss is nan")
    assert [row.trial for row in store.rows([TRIALS[1].digest])] == [TRIALS[1]]


def test_who_died_is_followed_and_counts_no_more(store: Store, clock: list[float]) -> None:
    first = store.claim("a", ALL)
    clock[0] += STALE - 1
    assert store.claim("b", ALL) == TRIALS[1]
    clock[0] += 2
    assert store.claim("b", ALL) == first
    assert not store.done(first.digest, "a", {"accuracy": 0.1})
    assert store.done(first.digest, "b", {"accuracy": 0.2})
    assert store.rows()[0].result == {"accuracy": 0.2}


def test_a_sign_of_life_keeps_a_trial(store: Store, clock: list[float]) -> None:
    store.claim("a", ALL)
    clock[0] += STALE - 1
    store.alive("a")
    clock[0] += STALE - 1
    assert store.claim("b", ALL) == TRIALS[1]
    assert store.free([TRIALS[0].digest]) == 0
    clock[0] += 2
    assert store.free([TRIALS[0].digest]) == 1


def test_what_is_given_back_is_begun_again(store: Store) -> None:
    store.claim("a", ALL)
    store.give_back("a", died=True)
    assert store.claim("b", ALL) == TRIALS[0]


def test_only_what_is_wanted_is_claimed(store: Store) -> None:
    assert store.claim("a", ALL[5:7]) == TRIALS[5]
    assert store.claim("a", ALL[5:7]) == TRIALS[6]
    assert store.claim("a", ALL[5:7]) is None


def test_a_worker_that_was_ended_did_not_die_over_its_trial(store: Store) -> None:
    for _ in range(2 * MOST_ATTEMPTS):
        assert store.claim("a", ALL) == TRIALS[0]
        assert store.give_back("a", died=False) == 1
    assert store.give_back("a", died=False) == 0
    for _ in range(MOST_ATTEMPTS - 1):
        assert store.claim("a", ALL) == TRIALS[0]
        store.give_back("a", died=True)
    store.try_again(ALL)  # the next start counts anew
    assert store.rows()[0].attempts == 0


@pytest.mark.parametrize("address", ["no address", "nosuch://user@host/name"])
def test_an_address_that_cannot_be_used_is_said_to_be_none(address: str) -> None:
    with pytest.raises(RecipeError, match="--database"):
        Store(address)


def test_a_password_is_shown_to_nobody() -> None:
    assert "secret" not in shown("postgresql://user:secret@host/name")
    assert "host" in shown("postgresql://user:secret@host/name")


def test_a_trial_over_which_workers_die_is_given_up(store: Store) -> None:
    for _ in range(MOST_ATTEMPTS):
        assert store.claim("a", ALL) == TRIALS[0]
        store.give_back("a", died=True)
    assert store.claim("a", ALL) == TRIALS[1]
    assert store.rows()[0].state == "failed"
    assert "died" in store.rows()[0].says
    store.try_again([TRIALS[0].digest])
    assert store.claim("b", ALL) == TRIALS[0]


def test_a_trial_that_comes_back_within_a_claim_has_no_attempt_too_many(store: Store, monkeypatch) -> None:
    """Given back by another between the two statements of the claim: as if the first had not been there."""
    for _ in range(MOST_ATTEMPTS):
        assert store.claim("a", ALL) == TRIALS[0]
        store.give_back("a", died=True)
    with monkeypatch.context() as patched:
        patched.setattr(store, "_give_up", lambda *_: None)
        assert store.claim("b", ALL) == TRIALS[1]
    assert store.claim("c", ALL) == TRIALS[2]
    assert store.rows()[0].state == "failed"


def test_opened_again_it_goes_on_and_takes_more(store: Store, another) -> None:
    store.done(store.claim("a", ALL).digest, "a", {})
    again = another()
    more = Trial("f" * 32, "tanh", 0, "")
    again.open({"pictures": "abc"}, [*TRIALS, more])
    assert [row.trial for row in again.rows()] == [*TRIALS, more]
    assert again.rows()[0].state == "done"


def test_what_is_noted_first_stays(store: Store) -> None:
    assert store.about("crew") is None
    assert store.note("crew", {"threads": 1}) == {"threads": 1}
    assert store.note("crew", {"threads": 2}) == {"threads": 1}


def test_of_other_pictures_or_another_version_it_is_refused(store: Store, url: str, another) -> None:
    with pytest.raises(DataError, match=r"of other pictures \(abc, wanted xyz\)"):
        another().open({"pictures": "xyz"}, [])
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(update(ABOUT).where(ABOUT.c.name == "version").values(value="99"))
    engine.dispose()
    with pytest.raises(DataError, match=r"of another version \(99, wanted 2\)"):
        another().open({"pictures": "abc"}, [])


def test_what_is_no_database_is_refused(tmp_path: Path) -> None:
    (tmp_path / "comparison.db").write_bytes(b"no database at all, " * 100)
    with pytest.raises(DataError, match="no comparison"):
        Store(url_in(tmp_path)).open({}, [])


def test_a_database_that_another_keeps_is_said_to_be_kept(tmp_path: Path, monkeypatch) -> None:
    Store(url_in(tmp_path)).open({}, TRIALS)
    monkeypatch.setattr("sightline.comparison.store.PATIENCE", 0.1)
    assert PATIENCE > 1
    with sqlite3.connect(tmp_path / "comparison.db", isolation_level=None) as connection:
        connection.execute("BEGIN IMMEDIATE")
        with pytest.raises(OutputError, match="locked"):
            Store(url_in(tmp_path)).claim("a", ALL)


def test_of_many_at_once_each_trial_has_one(another) -> None:
    """Eight threads with connections of their own, some of which lose their trials now and then."""
    trials = [Trial(f"{number:032x}", "relu", number, "") for number in range(60)]
    another().open({}, trials)
    wanted = [trial.digest for trial in trials]
    taken: list[str] = []

    def work(name: str) -> None:
        chance, store = random.Random(name), another()
        while (trial := store.claim(name, wanted)) is not None:
            if chance.random() < 0.2:
                store.give_back(name, died=True)
            elif store.done(trial.digest, name, {"by": name}):
                taken.append(trial.digest)

    threads = [threading.Thread(target=work, args=(f"worker {number}",)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    rows = another().rows()
    lost = [row for row in rows if row.state == "failed"]
    assert sorted([*taken, *(row.trial.digest for row in lost)]) == [trial.digest for trial in trials]
    assert all(row.attempts == MOST_ATTEMPTS for row in lost)
    assert all(row.state in ("done", "failed") for row in rows)


def test_many_may_open_it_at_once(another) -> None:
    """Machines that begin the same comparison at the same moment."""
    faults: list[Exception] = []

    def begin() -> None:
        try:
            another().open({"pictures": "abc"}, TRIALS)
        except Exception as error:
            faults.append(error)

    threads = [threading.Thread(target=begin) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert faults == []
    assert [row.trial for row in another().rows()] == TRIALS


def test_opening_waits_for_one_that_is_just_making_the_database(tmp_path: Path) -> None:
    """SQLite does not wait by itself when a database that another writes is brought to its write-ahead log."""
    other = sqlite3.connect(tmp_path / "comparison.db", isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    done = threading.Timer(0.3, other.commit)
    done.start()
    store = Store(url_in(tmp_path))
    store.open({"pictures": "abc"}, TRIALS)
    assert [row.trial for row in store.rows()] == TRIALS
    store.close()
    done.join()
    other.close()


def test_of_many_that_note_at_once_all_have_what_one_noted(store: Store, another) -> None:
    barrier, found = threading.Barrier(8), []
    stores = [another() for _ in range(8)]

    def note(number: int) -> None:
        barrier.wait()
        found.append(stores[number].note("crew", number))

    threads = [threading.Thread(target=note, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert len(set(found)) == 1


def test_a_server_that_is_not_there_is_one_sentence(new_database: Callable[[], str]) -> None:
    address = new_database().partition("?")[0] + "?host=/nowhere"
    with pytest.raises(OutputError, match="cannot be used") as said:
        Store(address).open({}, TRIALS)
    assert "\n" not in str(said.value)
    assert "--database" in str(said.value)
