"""Settings of torch that hold for a whole process, changed for a training and put back after it."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

import torch


@contextlib.contextmanager
def numerics(*, threads: int, deterministic: bool, device: str) -> Iterator[None]:
    """Run the body with so many CPU threads and, if asked, only with operations that give the same bits each time.

    float32 means float32: the shortened TF32 of some accelerators is off. torch's global generators, which are keyed
    anew before every step, go on afterwards as if nothing had happened.
    """
    cudnn, matmul, determinism = torch.backends.cudnn, torch.backends.cuda.matmul, torch.utils.deterministic
    before = (
        torch.get_num_threads(),
        torch.are_deterministic_algorithms_enabled(),
        torch.is_deterministic_algorithms_warn_only_enabled(),
        determinism.fill_uninitialized_memory,  # type: ignore[attr-defined]
        cudnn.benchmark,
        cudnn.allow_tf32,
        matmul.allow_tf32,
    )
    if deterministic:
        # cuBLAS reads this when its first handle is made; without it, it refuses to be deterministic.
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    accelerators = [torch.cuda.current_device()] if device == "cuda" else []
    try:
        with torch.random.fork_rng(devices=accelerators):
            torch.set_num_threads(threads)
            torch.use_deterministic_algorithms(deterministic)
            # Filling fresh memory is only for finding reads of it; it costs a pass over every tensor made.
            determinism.fill_uninitialized_memory = False  # type: ignore[attr-defined]
            cudnn.benchmark = not deterministic
            cudnn.allow_tf32 = matmul.allow_tf32 = False
            yield
    finally:
        torch.set_num_threads(before[0])
        torch.use_deterministic_algorithms(before[1], warn_only=before[2])
        determinism.fill_uninitialized_memory = before[3]  # type: ignore[attr-defined]
        cudnn.benchmark, cudnn.allow_tf32, matmul.allow_tf32 = before[4:]
