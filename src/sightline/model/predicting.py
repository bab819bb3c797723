"""Predicting: reading, decoding and computing in groups, side by side, with a few pictures in memory at a time."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32
from numpy import ndarray
from numpy.typing import NDArray

from sightline.data import Limits, Progress, Refused, decode
from sightline.data.source import Refusal
from sightline.errors import DataError
from sightline.model.compute import Group
from sightline.model.description import InputRules
from sightline.model.inputs import Item
from sightline.model.workers import workers
from sightline.ordered import in_order

LISTED = 20
"""Refused pictures that a message names."""

Decode = Callable[[Item], NDArray[np.uint8]]


@dataclass(frozen=True)
class Judged:
    """One group: what was decoded and computed, and what was refused."""

    kept: tuple[str, ...]
    refused: tuple[Refusal, ...]
    probabilities: Float32[ndarray, "kept class"]


@dataclass(frozen=True)
class _Read:
    names: tuple[str, ...]
    refused: tuple[Refusal, ...]
    pixels: NDArray[np.uint8]


def decoding(rules: InputRules, limits: Limits) -> Decode:
    """Return the function that reads and decodes one picture by the model's rules."""

    def apply(item: Item) -> NDArray[np.uint8]:
        picture = item.read(limits)
        try:
            return decode(
                picture,
                size=rules.image_size,
                channels=rules.channels,
                resize=rules.resize,
                padding_value=rules.padding_value,
                decoder=rules.decoder,
                limits=limits,
            )
        except Refused:
            raise
        except DataError as error:
            raise DataError(
                f"{item.name}: JPEGs are to be decoded by {rules.decoder}, as in the training, which is not installed. "
                'Run: pip install "sightline[jpeg]". In Python, decoder="pillow" does without, with slightly other '
                "pixels."
            ) from error

    return apply


def predict(
    items: Sequence[Item],
    *,
    shape: tuple[int, int, int],
    classes: int,
    decode_item: Decode,
    compute: Group,
    size: int,
    threads: int,
    compute_in_threads: bool,
    skip_refused: bool,
    progress: Progress,
) -> Judged:
    """Return the probabilities of all that can be decoded.

    Args:
        shape: of decoded pixels, (height, width, channels).
        size: pictures in a group.
        compute_in_threads: whether each thread computes what it has decoded; otherwise the calling thread computes.

    Raises:
        DataError: pictures are refused and not to be skipped; every one is listed, up to `LISTED`.
    """
    failing = threading.Event()

    def read(group: Sequence[Item]) -> _Read:
        pixels = np.zeros((len(group), *shape), np.uint8)
        names: list[str] = []
        refused: list[Refusal] = []
        for item in group:
            try:
                pixels[len(names)] = decode_item(item)
                names.append(item.name)
            except Refused as refusal:
                refused.append(Refusal(item.name, refusal.reason))
                failing.set()
        return _Read(tuple(names), tuple(refused), pixels[: len(names)])

    def judge(read: _Read) -> Judged:
        # Once the prediction is bound to fail, the rest is only decoded, to list everything that is refused.
        if not read.names or (failing.is_set() and not skip_refused):
            return Judged((), read.refused, np.zeros((0, classes), np.float32))
        return Judged(read.names, read.refused, compute(read.pixels))

    groups = [items[start : start + size] for start in range(0, len(items), size)]
    judged: list[Judged] = []
    count = max(1, min(threads, len(groups)))
    alone = len(groups) == 1 and not compute_in_threads  # starting threads would take longer than what they spare
    progress.start("predicting", len(items))
    try:
        with contextlib.nullcontext() if alone else workers(count) as pool:
            ahead = 2 * count + 1
            results: Iterator[Judged]
            if pool is None:
                results = map(judge, map(read, groups))
            elif compute_in_threads:
                results = in_order(pool, lambda group: judge(read(group)), groups, ahead=ahead)
            else:
                results = map(judge, in_order(pool, read, groups, ahead=ahead))
            for group, result in zip(groups, results, strict=True):
                judged.append(result)
                progress.advance(len(group))
    finally:
        progress.finish()
    refused = tuple(refusal for group in judged for refusal in group.refused)
    if refused and not skip_refused:
        raise _refused(refused, len(items))
    empty = np.zeros((0, classes), np.float32)
    return Judged(
        kept=tuple(name for group in judged for name in group.kept),
        refused=refused,
        probabilities=np.concatenate([empty, *(group.probabilities for group in judged)]),
    )


def _refused(refused: tuple[Refusal, ...], count: int) -> DataError:
    listed = [str(refusal) for refusal in refused[:LISTED]]
    if len(refused) > LISTED:
        listed.append(f"and {len(refused) - LISTED} more")
    if count == 1:
        return DataError(listed[0])
    return DataError(
        f"{len(refused)} of {count} pictures cannot be used; leave them out, or pass skip_refused=True:\n  "
        + "\n  ".join(listed)
    )
