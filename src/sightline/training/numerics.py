"""Settings of torch that hold for a whole process, changed for a training and put back after it."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

import torch


@contextlib.contextmanager
def numerics(*, threads: int, deterministic: bool) -> Iterator[None]:
    """Run the body with so many CPU threads and, if asked, only with operations that give the same bits each time."""
    before = (
        torch.get_num_threads(),
        torch.are_deterministic_algorithms_enabled(),
        torch.is_deterministic_algorithms_warn_only_enabled(),
        torch.backends.cudnn.benchmark,
    )
    generator = torch.get_rng_state()
    if deterministic:
        # cuBLAS reads this when its first handle is made; without it, it refuses to be deterministic.
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    try:
        torch.set_num_threads(threads)
        torch.use_deterministic_algorithms(deterministic)
        # Filling fresh memory is only for finding reads of it; it costs a pass over every tensor made.
        torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
        torch.backends.cudnn.benchmark = not deterministic
        yield
    finally:
        torch.set_num_threads(before[0])
        torch.use_deterministic_algorithms(before[1], warn_only=before[2])
        torch.backends.cudnn.benchmark = before[3]
        # Every step keys torch's global generator anew; a caller's own numbers go on as if it had not.
        torch.set_rng_state(generator)
