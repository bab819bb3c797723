"""The three sentences that a report opens with: how good, how sure, what to do next."""

from __future__ import annotations

from collections.abc import Iterator

from sightline.report.story import Judged, Story
from sightline.training.metrics import most_confused

WIDE = 0.10
"""Width of an interval that more pictures should narrow first."""
WEAK = 0.10
"""How far a class's recall lies below the accuracy before it is named."""
FEWEST = 10
"""Pictures of a class that its recall is worth a word from."""
FAMILIAR = {"test": "test pictures that played no part in the training", "validation": "validation pictures"}


def opening(story: Story) -> tuple[str, ...]:
    """Return how good the model is, how sure that is, and what to do next."""
    if not story.finished:
        return tuple(_unfinished(story))
    if not story.judged:
        return (
            "How good this model is, is not known: no pictures were held out.",
            "Its loss on the pictures that it learned from says nothing of new ones.",
            f"Judge it on labelled pictures that it has not seen: sightline evaluate {story.path} PICTURES",
        )
    judged = story.judged[0]
    interval = judged.interval
    good = f"Of {judged.images:,} {FAMILIAR[judged.side]}, the model is right on {percent(judged.accuracy)}."
    between = f"{percent(interval.low)} to {percent(interval.high)}"
    sure = f"With 95 % confidence it is right on {between} of pictures like these"
    chosen = "; the best epoch was chosen by the same pictures, so the truth may be a little lower."
    sure += chosen if judged.side == "validation" else "."
    return good, sure, _next(story, judged)


def percent(share: float) -> str:
    """Return a share of 0 to 1 as percent with one decimal; 100 % only where nothing is missing."""
    rounded = round(100 * share, 1)
    if rounded >= 100 and share < 1:
        return "over 99.9 %"
    return f"{rounded:.1f} %"


def _unfinished(story: Story) -> Iterator[str]:
    done = len(story.epochs)
    if story.under_way and not story.failure:
        yield from _under_way(story, done)
        return
    yield f"This training has not come to its end: its log has {done:,} epoch{'' if done == 1 else 's'}."
    yield f"It failed: {story.failure}" if story.failure else "Nothing has been judged on pictures that were held out."
    yield "Mend that and train again." if story.failure else f"Go on with it: sightline resume {story.path}"


def _under_way(story: Story, done: int) -> Iterator[str]:
    if not done:
        yield "This training is in its first epoch: there is nothing to show yet."
        return
    yield f"This training is under way: {done:,} of {story.planned:,} epochs are done."
    losses = {int(epoch["epoch"]): validation for epoch in story.epochs if (validation := epoch.get("validation"))}
    finite = {number: validation for number, validation in losses.items() if validation.get("loss") is not None}
    if finite:
        best = min(finite, key=lambda number: float(finite[number]["loss"]))
        accuracy = percent(float(finite[best]["accuracy"]))
        yield f"The best so far is epoch {best:,}, with {accuracy} of the validation pictures right."
    yield "How good it is on pictures that it has not seen is judged at its end."


def _next(story: Story, judged: Judged) -> str:
    """Return the one thing that is most worth doing."""
    wrong = next((each for each in story.findings if each.severity == "error"), None)
    if wrong is not None:
        cure = f" Cure it: sightline cure {story.path}" if wrong.change else ""
        return f"Something is wrong with this training ({wrong.code}): {wrong.says}{cure}"
    names, confusion = story.class_names, judged.confusion
    of_class = confusion.sum(axis=1)
    never = [index for index in range(len(names)) if of_class[index] >= FEWEST and not confusion[:, index].any()]
    if never:
        return (
            f"No picture was ever taken for {_listed([names[index] for index in never])}: look whether the labels are "
            "right, and add pictures."
        )
    if judged.interval.high - judged.interval.low > WIDE:
        return (
            f"{judged.images:,} pictures judge only roughly: hold out more (--set data.test_fraction=0.3), or evaluate "
            "on others."
        )
    mistakes = most_confused(confusion, 1)
    if not mistakes:
        return f"Try it on your own new pictures: sightline predict {story.path} PICTURES"
    ((true, taken, count),) = mistakes
    pair = f"{count:,} of {of_class[true]:,} pictures of {names[true]} were taken for {names[taken]}"
    recall = {i: confusion[i, i] / of_class[i] for i in range(len(names)) if of_class[i] >= FEWEST}
    worst = min(recall, key=recall.__getitem__, default=true)
    if recall and judged.accuracy - recall[worst] > WEAK and worst != true:
        return (
            f"{names[worst]} is found least often ({percent(recall[worst])} of its pictures): add pictures of it. "
            f"Most frequent mistake: {pair}."
        )
    return f"Look at the most frequent mistake, {pair}: labels may be wrong, or more pictures of both would help."


def _listed(names: list[str]) -> str:
    shown = names[:3]
    return ", ".join(shown) + (f" and {len(names) - len(shown)} more" if len(names) > len(shown) else "")
