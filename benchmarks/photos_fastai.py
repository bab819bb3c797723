"""Training from scratch as a user of fastai does it, with as many epochs as fit a number of minutes.

    python benchmarks/photos_fastai.py --pictures folder --size 128 --minutes 15

One side of a comparison, to be run by an environment that has fastai. The folder holds `train/CLASS/*.jpg` and
`test/CLASS/*.jpg`. The network is `vision_learner(resnet18, pretrained=False)`; augmentation, batch size, optimizer,
rate and the one-cycle schedule are fastai's. One epoch of another learner is timed first, and as many are trained as
fit what is left of the minutes, less the time of one pass over the test pictures. Nothing is validated before the end,
so that no time goes there; the accuracy is of one pass over the test pictures after the last epoch.

Printed is one line of JSON: `accuracy`, a fraction; `epochs`; `seconds`, from the first statement of this file to the
end.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

BEGUN = time.perf_counter()


def main() -> None:
    """Train, test and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=Path, required=True)
    parser.add_argument("--size", type=int, default=128, help="side in pixels")
    parser.add_argument("--minutes", type=float, default=15.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=2)
    given = parser.parse_args()
    import torch
    from fastai.vision.all import set_seed

    torch.set_num_threads(given.threads)
    set_seed(given.seed, reproducible=False)
    learner = _learner(given.pictures, given.size)
    with learner.no_bar(), learner.no_logging():
        before = time.perf_counter()
        learner.fit_one_cycle(1, cbs=_without_validation())
        epoch = time.perf_counter() - before
        before = time.perf_counter()
        learner.validate()
        test = time.perf_counter() - before
    left = 60.0 * given.minutes - (time.perf_counter() - BEGUN) - test
    epochs = max(1, int(left / epoch))
    set_seed(given.seed, reproducible=False)
    learner = _learner(given.pictures, given.size)
    with learner.no_bar(), learner.no_logging():
        learner.fit_one_cycle(epochs, cbs=_without_validation())
        _, accuracy = learner.validate()
    print(json.dumps({"accuracy": accuracy, "epochs": epochs, "seconds": round(time.perf_counter() - BEGUN, 1)}))


def _learner(pictures: Path, size: int) -> Any:
    from fastai.vision.all import (
        ImageDataLoaders,
        Normalize,
        Resize,
        accuracy,
        aug_transforms,
        imagenet_stats,
        resnet18,
        vision_learner,
    )

    loaders = ImageDataLoaders.from_folder(
        pictures,
        train="train",
        valid="test",
        item_tfms=Resize(size),
        batch_tfms=[*aug_transforms(), Normalize.from_stats(*imagenet_stats)],
        num_workers=0,  # faster than two processes on two cores, which fastai starts anew in each epoch
    )
    return vision_learner(loaders, resnet18, pretrained=False, metrics=accuracy)


def _without_validation() -> Any:
    from fastai.vision.all import Callback, CancelValidException

    class WithoutValidation(Callback):  # type: ignore[misc]
        def before_validate(self) -> None:
            raise CancelValidException

    return WithoutValidation()


if __name__ == "__main__":
    main()
