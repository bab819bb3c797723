"""Transfer learning as a user of fastai does it: accuracy on the test pictures, and how long it takes.

    python benchmarks/transfer_fastai.py --weights squeezenet1_1-imagenet-features.safetensors \\
        --pictures folder --size 128 --batch 32 --freeze-epochs 1 --epochs 2

One side of a comparison, to be run by an environment that has fastai, with the folder of `torchvision_shim` on
`PYTHONPATH` where torchvision was built for CUDA and torch was not. The folder holds `train/CLASS/*.jpg` and
`test/CLASS/*.jpg`. The network is torchvision's SqueezeNet 1.1 up to its features, with the weights of the file, under
fastai's own head. `fine_tune` trains the head alone for `--freeze-epochs`, then everything for `--epochs`, the body in
two groups at smaller rates. Augmentation, optimizer, schedule and rates are fastai's.

Nothing is validated before the end: a callback cancels the pass over the test pictures that fastai makes after every
epoch, so that neither its time nor that of a metric is counted. The accuracy is of one pass afterwards, over every test
picture. An epoch leaves out the last, incomplete batch, as fastai's default is.

Printed is one line of JSON: `accuracy`, a fraction; `seconds_training`, of `fine_tune` alone; `seconds_total`, from the
first statement of this file to the end, with imports, reading the folder and the test; `per_epoch_seconds`, head first.

By default the training process reads the pictures itself. On two cores, with 100 training pictures at 128 px in batches
of 32, 15 epochs took 10.0 and 10.2 s so, and 16.9 and 17.7 s with two workers, which fastai starts anew in every
epoch; the accuracy was the same.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import time
from pathlib import Path
from typing import Any

BEGUN = time.perf_counter()


def main() -> None:
    """Train, test and print."""
    given = _arguments()
    with contextlib.suppress(ImportError):
        import torchvision_shim  # noqa: F401  # lets the wheel for CUDA load beside a torch without it
    import torch
    from fastai.vision.all import set_seed

    torch.set_num_threads(given.threads)
    set_seed(given.seed, reproducible=False)
    learner = _learner(_pictures(given.pictures, given.size, given.batch, given.workers), given.weights)
    clock = _clock()
    with learner.no_bar(), learner.no_logging():
        begun = time.perf_counter()
        learner.fine_tune(given.epochs, base_lr=given.lr, freeze_epochs=given.freeze_epochs, cbs=clock)
        trained = time.perf_counter() - begun
        _, accuracy = learner.validate()
    print(
        json.dumps(
            {
                "accuracy": accuracy,
                "seconds_training": round(trained, 3),
                "seconds_total": round(time.perf_counter() - BEGUN, 3),
                "per_epoch_seconds": [round(seconds, 3) for seconds in clock.seconds],
            }
        )
    )


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--weights", type=Path, required=True, help="safetensors, named features.*")
    parser.add_argument("--pictures", type=Path, required=True, help="folder of train/CLASS and test/CLASS")
    parser.add_argument("--size", type=int, default=128, help="side in pixels")
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--freeze-epochs", type=int, default=1, help="epochs of the head alone")
    parser.add_argument("--epochs", type=int, default=2, help="epochs of everything, after those")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=2, help="torch's threads, beside the workers")
    parser.add_argument("--lr", type=float, default=2e-3, help="fastai's base_lr")
    parser.add_argument("--workers", type=int, default=0, help="processes that read pictures; 0 reads in this one")
    return parser.parse_args()


def _pictures(folder: Path, size: int, batch: int, workers: int) -> Any:
    """Return loaders of the training and the test pictures, in the place of validation."""
    from fastai.vision.all import ImageDataLoaders, Normalize, Resize, aug_transforms, imagenet_stats

    return ImageDataLoaders.from_folder(
        folder,
        train="train",
        valid="test",
        item_tfms=Resize(size),
        batch_tfms=[*aug_transforms(), Normalize.from_stats(*imagenet_stats)],
        bs=batch,
        num_workers=workers,
    )


def _learner(pictures: Any, weights: Path) -> Any:
    """Return what `vision_learner` makes of pretrained weights, but with those of a file; `fine_tune` freezes them."""
    from fastai.vision.all import accuracy, vision_learner
    from safetensors.torch import load_file
    from torchvision.models import squeezenet1_1

    learner = vision_learner(pictures, squeezenet1_1, pretrained=False, metrics=accuracy)
    body = learner.model[0][0]
    body.load_state_dict({name.removeprefix("features."): value for name, value in load_file(weights).items()})
    return learner


def _clock() -> Any:
    """Return a callback that takes the time of each epoch, and has it end with the training pictures."""
    from fastai.vision.all import Callback, CancelValidException

    class Clock(Callback):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.seconds: list[float] = []

        def before_epoch(self) -> None:
            self.begun = time.perf_counter()

        def before_validate(self) -> None:
            raise CancelValidException

        def after_epoch(self) -> None:
            self.seconds.append(time.perf_counter() - self.begun)

    return Clock()


if __name__ == "__main__":
    main()
