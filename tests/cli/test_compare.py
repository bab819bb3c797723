"""`sightline compare` as a user runs it."""

import csv
import json
import os
import signal
import subprocess
import time

import psutil
import pytest
from command_line import COMMAND, fails, sightline
from live_page import eventually

from sightline.processes import FORKS

SMALL = (
    "--set", "network=lenet", "--set", "network.width=0.5", "--set", "training.epochs=1", "--set", "augmentation=none",
    "--set", "data.training_per_class=20", "--workers", 2,
)  # fmt: skip


@pytest.fixture(scope="module")
def compared(tmp_path_factory):
    folder = tmp_path_factory.mktemp("compared")
    vary = ("--vary", "network.activation=sigmoid,relu")
    return folder, sightline("compare", "digits", *SMALL, *vary, "--seeds", 2, cwd=folder)


def test_it_shows_a_table_a_sentence_and_where_the_rest_is(compared):
    folder, done = compared
    assert done.returncode == 0, done.stderr
    place = folder / "runs" / "digits-compare"
    for words in ("activation=sigmoid", "activation=relu", "against activation=sigmoid", "95 % interval", "2 at once"):
        assert words in done.stdout
    for name in ("comparison.json", "trials.csv", "comparison.html"):
        assert (place / name).is_file()
    told = json.loads((place / "comparison.json").read_text())
    assert told["command"].startswith("sightline compare digits")
    assert told["sentences"][0] in done.stdout


def test_once_more_it_trains_nothing_and_says_so(compared):
    folder, first = compared
    again = sightline(
        "compare", "digits", *SMALL, "--vary", "network.activation=sigmoid,relu", "--seeds", 2, cwd=folder
    )
    assert again.returncode == 0, again.stderr
    assert "4 of them there already" in again.stdout
    assert again.stdout.splitlines()[-6:] == first.stdout.splitlines()[-6:]


def test_recipes_of_files_are_held_against_each_other(tmp_path):
    for name, rate in (("slow", 0.001), ("quick", 0.01)):
        (tmp_path / f"{name}.toml").write_text(f'[optimizer]\nname = "adam"\nlearning_rate = {rate}\n')
    done = sightline(
        "compare", "digits", *SMALL, "--recipe", "slow.toml", "--against", "quick.toml", "--seeds", 2, "--out", "c",
        "--margin", 50, "--workers", 1, cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    with (tmp_path / "c" / "trials.csv").open() as file:
        assert {row["arm"] for row in csv.DictReader(file)} == {"slow.toml", "quick.toml"}


@pytest.mark.skipif(not FORKS, reason="only on Linux a process loads libraries beside the command's own")
def test_an_interrupt_while_libraries_load_is_no_traceback_and_leaves_nothing(tmp_path):
    """As by Ctrl-C, which every process of the terminal gets."""
    words = [*COMMAND, "compare", "digits", *SMALL, "--vary", "network.activation=sigmoid,relu"]
    process = subprocess.Popen(
        [str(word) for word in words], cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        start_new_session=True,
    )  # fmt: skip
    command = psutil.Process(process.pid)

    def loading() -> list[psutil.Process]:
        return [child for child in command.children() if "forkserver" in " ".join(child.cmdline())]

    (server,) = eventually(loading, "no server begins to load")
    time.sleep(0.5)
    os.killpg(process.pid, signal.SIGINT)
    assert process.wait(60) == 130
    time.sleep(0.2)
    assert not server.is_running() or server.status() == psutil.STATUS_ZOMBIE  # it would load for seconds
    _, err = process.communicate()
    assert "Traceback" not in err


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        ((), 2, "name what to compare"),
        (("--vary", "optimizer=sgd,adm", "--vary", "netwrk=lenet"), 2, "adm"),
        (("--vary", "optimizer=sgd,adam", "--seeds", 1), 2, "found 1, wanted two at least"),
    ],
)
def test_what_cannot_be_compared_is_one_clear_sentence(tmp_path, arguments, code, says):
    fails(sightline("compare", "digits", *arguments, cwd=tmp_path), code, says)
