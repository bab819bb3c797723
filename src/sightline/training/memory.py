"""Too little memory, said in a sentence, whichever device it is that has run out."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import torch

from sightline.errors import TrainingError


@contextlib.contextmanager
def enough_memory(*, machine: str, batch_size: int) -> Iterator[None]:
    """Raise TrainingError where the body needs more memory than there is.

    An accelerator says so with a class of its own, a processor with MemoryError or with words in a RuntimeError.
    """
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        told = isinstance(error, MemoryError | torch.OutOfMemoryError) or "not enough memory" in str(error)
        if not told:
            raise
        raise TrainingError(
            f"{machine}: too little memory for {batch_size} pictures a step. "
            f"Try --set training.batch_size={max(1, batch_size // 2)}"
        ) from error
