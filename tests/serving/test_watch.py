"""A run's page over real HTTP: it follows the files, whoever writes them, lets nobody else in, and ends by itself."""

import asyncio
import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import urllib.request

import pytest
from command_line import fails, sightline
from live_page import PROMPT, QUICK, Served, Watching

import sightline as package
from sightline.errors import DataError, OutputError, RecipeError
from sightline.report import opening, read, render
from sightline.serving.following import Following, Pace
from sightline.serving.server import watch
from sightline.serving.view import look
from sightline.training import directory


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return package.train("digits", QUICK, out=tmp_path_factory.mktemp("runs") / "digits").path


@pytest.fixture
def copy(run, tmp_path):
    """A copy of the run whose files a test may change."""
    return shutil.copytree(run, tmp_path / "copy")


def cut(path, kind="sealed") -> str:
    """Cut the log before the first event of a kind, and return what came from there on."""
    log = path / "events.jsonl"
    whole = log.read_text(encoding="utf-8")
    kept, word, rest = whole.partition(f'{{"event": "{kind}"')
    log.write_text(kept, encoding="utf-8")
    return word + rest


def owned(path, owner) -> None:
    """Have a run look as if a process were at work in it."""
    (path / directory.LOCK).touch()
    (path / directory.OWNER).write_text(owner, encoding="utf-8")


MYSELF = f"process {os.getpid()} on {socket.gethostname()}"


def test_page_and_script_say_what_may_be_loaded(run):
    served = Served(run, PROMPT)
    status, headers, text = served.get()
    assert status == 200
    assert text == render(read(run), live="finished")
    policy = dict(each.partition(" ")[::2] for each in headers["content-security-policy"].split("; "))
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["connect-src"] == "'self'"
    assert policy["frame-ancestors"] == "'none'"
    assert "http-equiv" not in text
    status, headers, script = served.get("/watch.js")
    assert (status, headers["content-type"]) == (200, "text/javascript; charset=utf-8")
    assert headers["x-content-type-options"] == "nosniff"
    assert "EventSource" in script
    assert served.get("/recipe.toml")[0] == served.get("/../../etc/passwd")[0] == 404
    assert "<script" not in render(read(run))
    with served.events() as events:
        next(events)
    assert served.ended() == "finished"


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "192.168.0.7", "localhost.evil.example"])
def test_names_that_are_not_ours_are_refused(run, host):
    served = Served(run, Pace(look=0.05, linger=0.5))
    for place in ("/", "/watch.js", "/events"):
        status, _, text = served.get(place, Host=host)
        assert status == 421
        assert "digits" not in text
    assert served.get(Host="localhost:1")[0] == 200
    served.ended()


def test_readers_are_told_of_every_change_until_the_end(copy):
    sealed, epoch = cut(copy), cut(copy, "epoch")
    owned(copy, MYSELF)
    served = Served(copy, PROMPT)
    assert "in its first epoch: there is nothing to show yet" in served.get()[2]
    with served.events() as events, served.events() as others:
        kind, first = next(events)
        assert (kind, first["state"], first["says"]) == ("message", "training", "training, epoch 1 of 2")
        with (copy / "events.jsonl").open("a", encoding="utf-8") as log:
            log.write(epoch[: epoch.index("\n") + 1])
        kind, second = next(events)
        assert second["says"] == "training, epoch 2 of 2"
        assert second["tag"] != first["tag"]
        assert "The numbers of 1 epoch<" in served.get()[2]
        with (copy / "events.jsonl").open("a", encoding="utf-8") as log:
            log.write(epoch[epoch.index("\n") + 1 :])
        assert "being judged" in next(events)[1]["says"]
        with (copy / "events.jsonl").open("a", encoding="utf-8") as log:
            log.write(sealed)
        kind, last = next(events)
        assert (kind, last["state"]) == ("message", "finished")
        assert "With 95 % confidence" in served.get()[2]
        assert [says["says"] for _, says in (next(others), next(others), next(others), next(others))][-1] == "finished"
        # Whoever is at work still writes the report, or is about to take the place of a run that is over.
        served.thread.join(1.0)
        assert served.thread.is_alive()
        (copy / directory.LOCK).unlink()
        assert next(events)[1]["state"] == "finished"
    assert served.ended() == "finished"


def test_a_finished_run_that_nobody_reads_is_served_for_a_while(run):
    served = Served(run, Pace(look=0.05, linger=0.5))
    assert served.ended() == "finished"


def test_readers_who_stay_are_told_of_the_end(run):
    served = Served(run, Pace(look=0.05, linger=1.0))
    with served.events() as events:
        assert [kind for kind, _ in events] == ["message", "end"]
    assert served.ended() == "finished"


def test_a_training_that_is_gone_is_waited_for(copy):
    sealed = cut(copy)
    served = Served(copy, PROMPT)
    with served.events() as events:
        _, first = next(events)
        assert first["state"] == "gone"
        assert f"sightline resume {copy}" in first["says"]
        owned(copy, MYSELF)
        assert next(events)[1]["state"] == "training"
        # Another takes its place: its files go one by one, and the page stays until there is one again.
        recipe = (copy / directory.RECIPE).rename(copy / "aside")
        with (copy / "events.jsonl").open("a", encoding="utf-8") as log:
            log.write(sealed)
        assert next(events)[1]["state"] == "preparing"
        recipe.rename(copy / directory.RECIPE)
        assert next(events)[1]["state"] == "finished"
        (copy / directory.LOCK).unlink()
        assert next(events)[1]["state"] == "finished"
    assert served.ended() == "finished"


def test_files_that_cannot_be_read_leave_the_page_as_it_is(copy):
    served = Served(copy, PROMPT)
    with served.events() as events:
        next(events)
        before = served.get()[2]
        catalogue = (copy / directory.CATALOGUE).read_bytes()
        (copy / directory.CATALOGUE).write_bytes(b"\xff\xfe")
        assert all(served.get()[2] == before for _ in range(20))
        (copy / directory.CATALOGUE).write_bytes(catalogue.replace(b",train,", b",unused,", 1))
        assert next(events)[1]["state"] == "finished"
        assert served.get()[2] != before
    served.ended()


def test_a_run_that_reads_its_pictures_has_a_page(tmp_path):
    with directory.made(tmp_path / "<b>run", source="digits", overwrite=False) as path:
        view = look(path)
    assert view.state == "preparing"
    assert "&lt;b&gt;run" in view.page.decode()
    with pytest.raises(DataError, match="wanted the directory of a run"):
        look(path)


def test_the_log_may_end_within_a_letter(copy):
    cut(copy)
    before = len(read(copy).epochs)
    log = copy / "events.jsonl"
    whole = log.read_bytes()
    log.write_bytes(whole + '{"event": "failure", "says": "Ü'.encode()[:-1])
    assert len(read(copy).epochs) == before == 2
    assert not read(copy).failure
    # Only a line feed ends a line: a name may have in it what Unicode takes for an end of one.
    line = json.dumps({"event": "failure", "says": "a\u2028b\x85c"}, ensure_ascii=False) + "\n"
    log.write_bytes(whole + line.encode())
    assert read(copy).failure == "a\u2028b\x85c"
    assert look(copy).state == "failed"


def test_who_is_at_work_is_known_from_the_files(copy):
    cut(copy)
    assert not directory.at_work(copy)
    owned(copy, MYSELF)
    assert directory.at_work(copy)
    assert opening(read(copy))[0] == "This training is under way: 2 of 2 epochs are done."
    os.utime(
        copy / directory.OWNER, (1_000_000_000, 1_000_000_000)
    )  # long before this process: its number is another's
    assert not directory.at_work(copy)
    owned(copy, "process 12 on another-machine")
    assert directory.at_work(copy)
    owned(copy, "process 99999999999999999999 on " + socket.gethostname())
    assert not directory.at_work(copy)
    done = subprocess.Popen([sys.executable, "-c", ""])
    done.wait()
    owned(copy, f"process {done.pid} on {socket.gethostname()}")
    assert not directory.at_work(copy)
    assert look(copy).state == "gone"
    (copy / directory.OWNER).unlink()
    assert directory.at_work(copy)


def test_the_command_ends_after_the_last_reader(run):
    with Watching(run) as watching:
        assert watching.url.startswith("http://127.0.0.1:")
        with urllib.request.urlopen(watching.url) as answer:
            assert b"With 95 % confidence" in answer.read()
        with urllib.request.urlopen(watching.url + "events") as stream:
            assert stream.readline() == b"event: message\n"
        code, out, err = watching.end()
    assert (code, err) == (0, "")
    assert out == f"{run}: finished\n"


@pytest.mark.skipif(os.name != "posix", reason="signals are POSIX's")
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_it_with_its_code_though_somebody_reads(copy, number, code):
    cut(copy)
    with Watching(copy) as watching, urllib.request.urlopen(watching.url + "events") as stream:
        assert stream.readline() == b"event: message\n"
        ended, _, err = watching.end(number)
        assert b"event: end\n" not in set(stream)
    assert ended == code
    assert "Traceback" not in err


def test_what_is_no_run_is_one_sentence(tmp_path):
    fails(sightline("watch", tmp_path / "nowhere", cwd=tmp_path), DataError.exit_code, "wanted the directory of a run")


def test_ports_and_hosts_that_cannot_be_had(run, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        fails(sightline("watch", run, "--port", port, cwd=tmp_path), OutputError.exit_code, f"port {port}", "--port 0")
    for host in ("203.0.113.7", "::g"):
        done = sightline("watch", run, "--host", host, cwd=tmp_path)
        fails(done, RecipeError.exit_code, "an address of this machine", f"Warning: whoever reaches {host}")


@pytest.mark.parametrize("library", ["starlette", "uvicorn"])
def test_a_library_that_is_missing_is_one_sentence(run, library, tmp_path):
    code = (
        f"import sys; sys.modules[{library!r}] = None; sys.argv = ['sightline', 'watch', {str(run)!r}]\n"
        "from sightline.cli.main import main; main()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    fails(done, RecipeError.exit_code, f"{library} is not installed", 'pip install "sightline[watch]"')
    assert done.stderr.count("\n") == 1


@pytest.mark.skipif(os.name != "posix", reason="signals are POSIX's")
def test_an_interrupt_is_not_lost_in_what_is_waited_for(copy, monkeypatch):
    """A page that is being made may take a cancellation upon itself."""

    async def follow(self, over) -> None:
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.sleep(60)

    monkeypatch.setattr(Following, "follow", follow)
    timer = threading.Timer(1.0, os.kill, (os.getpid(), signal.SIGINT))
    with pytest.raises(KeyboardInterrupt):
        watch(copy, ready=lambda _address: timer.start())
