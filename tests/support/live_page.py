"""Runs that change, served as `sightline watch` serves them, and read as a browser reads them."""

import http.client
import json
import re
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from command_line import COMMAND

from sightline.serving import Address, watch
from sightline.serving.following import Pace

QUICK = {"network": "lenet", "training.epochs": 2, "training.threads": 1, "optimizer.learning_rate": 0.01}
PROMPT = Pace(look=0.05, render=0.1, share=1.0, heartbeat=0.2, grace=0.3, linger=60.0)
DEADLINE = 120.0


def eventually(condition, says: str):
    """Return what `condition` comes to as soon as that is true."""
    until = time.monotonic() + DEADLINE
    while time.monotonic() < until:
        if found := condition():
            return found
        time.sleep(0.05)
    raise AssertionError(says)


class Served:
    """A server on a thread of its own."""

    def __init__(self, path: Path, pace: Pace, **options) -> None:
        self.said: list[str] = []
        self.address: Address | None = None
        ready = threading.Event()

        def told(address: Address) -> None:
            self.address = address
            ready.set()

        self.thread = threading.Thread(
            target=lambda: self.said.append(watch(path, ready=told, pace=pace, **options)), daemon=True
        )
        self.thread.start()
        assert ready.wait(DEADLINE)

    def get(self, place: str = "/", **headers: str) -> tuple[int, dict[str, str], str]:
        assert self.address is not None
        connection = http.client.HTTPConnection("127.0.0.1", self.address.port, timeout=DEADLINE)
        try:
            connection.request("GET", place, headers=headers)
            answer = connection.getresponse()
            return answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read().decode()
        finally:
            connection.close()

    @contextmanager
    def events(self) -> Iterator[Iterator[tuple[str, dict[str, str]]]]:
        """Give the events of the stream, which is let go of at the end."""
        assert self.address is not None
        connection = http.client.HTTPConnection("127.0.0.1", self.address.port, timeout=DEADLINE)
        connection.request("GET", "/events")
        answer = connection.getresponse()
        assert answer.getheader("content-type") == "text/event-stream; charset=utf-8"
        try:
            yield _events(answer)
        finally:
            answer.close()
            connection.close()

    def ended(self) -> str:
        """Wait for the server to end by itself, and return what it said."""
        self.thread.join(DEADLINE)
        assert not self.thread.is_alive()
        return self.said[0]


def _events(answer: http.client.HTTPResponse) -> Iterator[tuple[str, dict[str, str]]]:
    kind = ""
    while line := answer.readline().decode():
        name, _, value = line.rstrip("\n").partition(": ")
        if name == "event":
            kind = value
        elif name == "data":
            yield kind, json.loads(value)


class Watching:
    """`sightline watch` in a process of its own."""

    def __init__(self, path: Path, *options: object) -> None:
        command = [*COMMAND, "watch", str(path), *map(str, options)]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        found = re.search(r"http://\S+", line)
        assert found, line + self.process.communicate()[1]
        self.url = found[0]

    def __enter__(self) -> "Watching":
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.communicate()

    def end(self, number: signal.Signals | None = None) -> tuple[int, str, str]:
        """Wait for its end, after a signal or by itself, and return code, output and errors."""
        if number is not None:
            self.process.send_signal(number)
        out, err = self.process.communicate(timeout=DEADLINE)
        return self.process.returncode, out, err
