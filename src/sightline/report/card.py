"""`README.md` of a run: the model card, in the form that the Hugging Face hub reads."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterator
from pathlib import Path

from sightline.report.sentences import opening, percent
from sightline.report.story import Judged, Story
from sightline.training import directory

NAMED = 100
"""Classes that are listed."""
MARKS = re.compile(r"([\\`*_{}\[\]()#+!|~$-])")


def render_card(story: Story) -> str:
    """Return the card: a header for programs, and text in Markdown in which every name is escaped.

    Source: Mitchell et al., Model cards for model reporting (FAT* 2019), for what it tells; the hub's documentation for
        its header.
    """
    return "\n".join([*_header(story), *_text(story)]) + "\n"


def _header(story: Story) -> Iterator[str]:
    # JSON's strings and numbers are YAML's too, so that no name can end a line or a value.
    yield "---"
    yield "library_name: sightline"
    yield "pipeline_tag: image-classification"
    yield "tags: [image-classification, sightline]"
    if story.judged:
        judged, name = story.judged[0], json.dumps(Path(story.source).name, ensure_ascii=False)
        yield "metrics: [accuracy, f1]"
        yield "model-index:"
        yield f"- name: {json.dumps(story.path.name, ensure_ascii=False)}"
        yield "  results:"
        yield "  - task: {type: image-classification}"
        yield f"    dataset: {{name: {name}, type: imagefolder, split: {judged.side}}}"
        yield "    metrics:"
        yield f"    - {{type: accuracy, value: {json.dumps(judged.accuracy)}}}"
        yield f"    - {{type: f1, name: macro F1, value: {json.dumps(float(judged.values['macro_f1']))}}}"
    yield "---"


def _text(story: Story) -> Iterator[str]:
    network = str(story.recipe.network.name)
    yield ""
    yield f"# {escaped(Path(story.source).name)}"
    yield ""
    yield from (escaped(sentence) for sentence in opening(story))
    yield ""
    yield "## What it is"
    yield ""
    side = story.recipe.data.image_size
    size = " × ".join(map(str, side)) if isinstance(side, tuple) else f"{side} × {side}"
    trained = sum(of.get("train", 0) for of in story.counts.values())
    began = f" It began from {escaped(story.recipe.transfer.weights)}." if story.recipe.transfer.weights else ""
    yield (
        f"A {escaped(network)} for pictures of {size} pixels, trained on {trained:,} pictures of "
        f"{len(story.class_names):,} classes.{began} Preprocessing is sealed in the model; loading executes nothing."
    )
    yield ""
    yield "```python"
    yield "import sightline"
    yield ""
    yield f'print(sightline.load("{directory.MODEL}").predict(["new.jpg"]))'
    yield "```"
    for judged in story.judged:
        yield from _judged(story, judged)
    yield ""
    yield "## What to mind"
    yield ""
    yield (
        "It knows the classes above and no others: whatever it is shown, it names one of them. The figures hold for "
        "pictures like those it was judged on; others may fare worse, and should be judged anew."
    )
    yield ""
    yield f"`{directory.REPORT}` has the details, `{directory.RECIPE}` every choice with its reason."


def _judged(story: Story, judged: Judged) -> Iterator[str]:
    yield ""
    yield f"## How good: {judged.side}"
    yield ""
    interval = judged.interval
    yield (
        f"Accuracy {percent(judged.accuracy)} on {judged.images:,} pictures "
        f"(95 %: {percent(interval.low)} to {percent(interval.high)}), macro F1 "
        f"{percent(float(judged.values['macro_f1']))}."
    )
    yield from _calibration(story, judged.side)
    yield ""
    yield "| class | pictures | recall | precision |"
    yield "|---|---:|---:|---:|"
    of_class = judged.confusion.sum(axis=1)
    for index, name in enumerate(story.class_names[:NAMED]):
        recall, precision = judged.values["recall"][index], judged.values["precision"][index]
        yield f"| {escaped(name)} | {of_class[index]:,} | {percent(recall)} | {percent(precision)} |"
    if len(story.class_names) > NAMED:
        yield ""
        yield f"And {len(story.class_names) - NAMED:,} more classes."


def _calibration(story: Story, side: str) -> Iterator[str]:
    told = story.sealed.get("calibration", {})
    before, after = (told.get(side, {}).get(f"error_{when}") for when in ("before", "after"))
    if before is None or after is None or told["temperature"] == 1:
        return
    yield ""
    yield (
        f"Its probabilities are softmax(scores / {told['temperature']:.3f}), a temperature fitted on validation "
        f"pictures: the expected calibration error went from {percent(before)} to {percent(after)}."
    )


def escaped(text: str) -> str:
    """Return text that Markdown shows as it is, on one line."""
    return MARKS.sub(r"\\\1", html.escape(" ".join(text.split()), quote=False))
