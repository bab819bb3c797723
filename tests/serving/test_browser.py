"""The live page in a real browser, beside a real training: curves grow, and the reader is left in peace."""

import json
import shutil
import signal
import subprocess
from pathlib import Path

import pytest
from command_line import COMMAND
from live_page import PROMPT, QUICK, Served, Watching, eventually

import sightline as package
from sightline.serving.following import Pace

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium: apt-get install chromium")
ROWS = "section[aria-label=training] tbody tr"
NUMBERS = "section[aria-label=training] summary"
OUTLINE = "() => getComputedStyle(document.activeElement).outlineStyle"
WATCHED = """
window.violations = [];
addEventListener("securitypolicyviolation", (event) => window.violations.push(event.violatedDirective));
"""


@pytest.fixture(scope="module")
def chromium():
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


class Tab:
    """A page, and whatever it does that it should not."""

    def __init__(self, chromium, url: str, **options) -> None:
        self.url = url
        self.asked: list[str] = []
        self.faults: list[str] = []
        self.page = chromium.new_page(**options)
        self.page.add_init_script(WATCHED)
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.on("pageerror", lambda error: self.faults.append(str(error)))
        self.page.on("console", lambda message: self.faults.append(message.text))
        self.page.goto(url)
        self.page.evaluate("window.first = true")

    def says(self) -> str:
        return self.page.locator("#live").inner_text()

    def rows(self) -> int:
        return self.page.locator(ROWS).count()

    def focused(self) -> str:
        return self.page.evaluate("document.activeElement.textContent || document.activeElement.id")

    def tab_to(self, wanted) -> None:
        """Press Tab until the element that is wanted has the focus, and see that it shows it."""
        for _ in range(80):
            self.page.keyboard.press("Tab")
            if wanted.evaluate("element => element === document.activeElement"):
                assert self.page.evaluate(OUTLINE) != "none"
                return
        raise AssertionError(f"Tab does not reach {wanted}")

    def until(self, condition, says: str):
        def waited():
            self.page.wait_for_timeout(20)  # which lets the browser's own events come
            return condition()

        return eventually(waited, says)

    def checked(self) -> None:
        """Hold the page against what it may never do, and close it."""
        assert self.page.evaluate("window.first") is True, "it was loaded again"
        assert self.page.evaluate("window.violations") == []
        assert self.faults == []
        assert all(each.startswith((self.url, "data:")) for each in self.asked), self.asked
        self.page.close()


@pytest.fixture(scope="module")
def finished(tmp_path_factory) -> Path:
    # Not LeNet, whose dense layers leave no maps to tell by where it looked.
    chosen = {"training.epochs": 1, "training.threads": 1, "augmentation.policy": "light"}
    return package.train("digits", chosen, out=tmp_path_factory.mktemp("runs") / "digits").path


def test_curves_grow_beside_a_training_and_nobody_is_disturbed(chromium, tmp_path):
    chosen = [f"--set={key}={value}" for key, value in {**QUICK, "training.epochs": 80}.items()]
    with (tmp_path / "said").open("w") as said:
        training = subprocess.Popen([*COMMAND, "train", "digits", "--out", "run", *chosen], cwd=tmp_path, stdout=said)
        try:
            eventually((tmp_path / "run" / ".owner").exists, "no run begins")
            with Watching(tmp_path / "run") as watching:
                tab = Tab(chromium, watching.url, viewport={"width": 800, "height": 500})
                tab.until(lambda: tab.rows() > 0, "no epoch is shown")
                assert tab.says().startswith("training, epoch ")
                assert tab.page.locator("#live").get_attribute("role") == "status"
                # By keyboard alone: the table of numbers is reached, seen to be reached, and opened.
                tab.tab_to(tab.page.locator(NUMBERS))
                tab.page.keyboard.press("Enter")
                assert tab.page.locator(NUMBERS + ":visible").evaluate("element => element.parentElement.open")
                path = tab.page.locator("section[aria-label=training] svg").first.inner_html()
                counts = [tab.rows()]
                tab.page.evaluate("document.querySelector('section[aria-label=training] .curves').scrollIntoView()")
                heading = tab.page.locator("section[aria-label=training] h2")
                for _ in range(2):
                    above = heading.bounding_box()["y"]
                    tab.until(lambda: tab.rows() > counts[-1], f"no more epochs are shown than {counts}")
                    counts.append(tab.rows())
                    assert heading.bounding_box()["y"] == pytest.approx(above, abs=1)
                    assert tab.page.locator(NUMBERS).evaluate("element => element.parentElement.open")
                    assert tab.focused().startswith("The numbers of")
                    assert tab.page.evaluate(OUTLINE) != "none"
                assert tab.page.locator("section[aria-label=training] svg").first.inner_html() != path
                tab.until(lambda: tab.says() == "finished", f"no end is shown: {tab.says()}")
                # What has come in above does not move what is read.
                assert heading.bounding_box()["y"] == pytest.approx(above, abs=1)
                assert tab.rows() == 80
                assert "test pictures that played no part" in tab.page.locator("header").inner_text()
                tab.checked()
                assert training.wait(60) == 0
                assert watching.end()[:2] == (0, f"{tmp_path / 'run'}: finished\n")
        finally:
            training.kill()
            training.wait()


@pytest.mark.parametrize("width", [1200, 375])
def test_what_is_opened_ticked_and_focused_stays(chromium, finished, tmp_path, width):
    run = shutil.copytree(finished, tmp_path / "run")
    served = Served(run, PROMPT)
    tab = Tab(chromium, served.address.url, viewport={"width": width, "height": 700})
    box, overlay = tab.page.locator("#looked"), tab.page.locator("img.overlay").first
    assert overlay.is_visible()
    tab.tab_to(box)
    tab.page.keyboard.press("Space")
    assert not box.is_checked()
    assert not overlay.is_visible()
    same = tab.page.locator("section[aria-label=validation] summary").first
    tab.tab_to(same)
    tab.page.keyboard.press("Space")
    assert tab.page.locator("section[aria-label=validation] h3").first.is_visible()
    # The run says something else of both sides: the sections that tell it are other ones, that of the pictures is not.
    log = run / "events.jsonl"
    lines = map(json.loads, log.read_text(encoding="utf-8").splitlines())
    sealed = next(line for line in lines if line["event"] == "sealed")
    for side in ("test", "validation"):
        sealed[side]["loss"] = 7.7777
    pictures = tab.page.evaluate_handle("document.querySelector('section[aria-label=pictures]')")
    with log.open("a", encoding="utf-8") as file:
        file.write(json.dumps(sealed) + "\n")
    tab.until(lambda: tab.page.get_by_text("7.7777").count() == 2, "the change is not shown")
    assert pictures.evaluate("element => element.isConnected")
    assert not box.is_checked()
    assert same.evaluate("element => element.parentElement.open && element === document.activeElement")
    # Nothing is wider than a phone but what scrolls by itself.
    assert tab.page.evaluate("document.documentElement.scrollWidth") <= width
    tab.checked()
    served.ended()


@pytest.mark.slow
def test_it_connects_again_by_itself(chromium, finished, tmp_path):
    run = shutil.copytree(finished, tmp_path / "run")
    log = run / "events.jsonl"
    whole = log.read_text(encoding="utf-8")
    log.write_text("".join(whole.splitlines(keepends=True)[:-1]), encoding="utf-8")
    with Watching(run) as first:
        tab = Tab(chromium, first.url)
        tab.until(lambda: tab.says().startswith("the training process is gone"), tab.says())
        assert first.end(signal.SIGINT)[0] == 130
    tab.until(lambda: tab.says() == "sightline watch does not answer; trying again", tab.says())
    log.write_text(whole, encoding="utf-8")
    with Watching(run, "--port", first.url.rstrip("/").rpartition(":")[2]) as second:
        tab.until(lambda: tab.says() == "finished", tab.says())
        assert "With 95 % confidence" in tab.page.locator("header").inner_text()
        tab.faults.clear()  # a browser notes connections that are refused
        tab.checked()
        assert second.end()[0] == 0


def test_a_page_stays_when_the_server_has_ended(chromium, finished):
    served = Served(finished, Pace(look=0.05, linger=2.0))
    tab = Tab(chromium, served.address.url, color_scheme="dark")
    tab.until(lambda: "sightline watch has ended" in tab.says(), tab.says())
    served.ended()
    tab.page.wait_for_timeout(500)
    tab.tab_to(tab.page.locator(NUMBERS))
    tab.page.keyboard.press("Enter")
    assert tab.rows() == 1
    tab.checked()
