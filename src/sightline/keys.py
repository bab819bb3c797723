"""Random numbers as a function of identity: (seed, purpose, epoch, record), never of history.

A purpose's name and the seed are hashed to a 64-bit key. Record, epoch and draw form the 128-bit counter of
Philox4x32-10, a counter-based generator: each number can be computed alone, in any order, by any number of workers,
and two different (record, epoch, draw) triples of a purpose never share a counter.

Source: Salmon, Moraes, Dror and Shaw, Parallel random numbers: as easy as 1, 2, 3 (SC 2011).
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

_MULTIPLIER_0 = 0xD2511F53
_MULTIPLIER_1 = 0xCD9E8D57
_WEYL_0 = 0x9E3779B9
_WEYL_1 = 0xBB67AE85
_LOW = 0xFFFFFFFF
_HALF = 32
_ROUNDS = 10

Records = int | NDArray[np.uint64]
W = TypeVar("W", int, NDArray[np.uint64])


@dataclass(frozen=True)
class Stream:
    """The random numbers of one purpose under one seed."""

    key: int

    def bits(self, records: Records, *, epoch: int = 0, draws: int = 1) -> NDArray[np.uint32]:
        """Return `draws` random 32-bit words for each record, shape (records, draws).

        Args:
            records: identities, each below 2⁶⁴.
            epoch: 0 to 2³² − 1.
            draws: how many words each record gets; word i is the same however many are asked for.
        """
        identities = np.atleast_1d(np.asarray(records, dtype=np.uint64))
        blocks = -(-draws // 4)
        counter = np.empty((4, len(identities), blocks), dtype=np.uint64)
        counter[0] = np.arange(blocks, dtype=np.uint64)
        counter[1] = np.uint64(epoch)
        counter[2] = (identities & _LOW)[:, None]
        counter[3] = (identities >> _HALF)[:, None]
        words = np.stack(philox(tuple(counter), self._words))
        return np.moveaxis(words, 0, -1).reshape(len(identities), blocks * 4)[:, :draws].astype(np.uint32)

    def uniform(self, records: Records, *, epoch: int = 0, draws: int = 1) -> NDArray[np.float64]:
        """Return numbers uniform in [0, 1) with 53 random bits, shape (records,), or (records, draws) for several."""
        words = self.bits(records, epoch=epoch, draws=2 * draws).astype(np.uint64)
        high, low = words[:, 0::2] >> np.uint64(5), words[:, 1::2] >> np.uint64(6)
        numbers = (high * np.uint64(1 << 26) + low).astype(np.float64) / float(1 << 53)
        return numbers[:, 0] if draws == 1 else numbers

    def permutation(self, records: NDArray[np.uint64], *, epoch: int = 0) -> NDArray[np.int64]:
        """Return the positions of `records` in random order; equal records (copies) keep their own order."""
        drawn = self.bits(records, epoch=epoch, draws=2).astype(np.uint64)
        order = np.lexsort((np.arange(len(records)), records, (drawn[:, 0] << _HALF) | drawn[:, 1]))
        return order.astype(np.int64)

    def torch_seed(self, *, epoch: int = 0, step: int = 0) -> int:
        """Return a seed in [0, 2⁶³) for a torch generator that serves one step of one epoch."""
        # Plain integers: a training asks before every step, and arrays of one take many times as long.
        high, low, _, _ = philox((0, epoch, step & _LOW, step >> _HALF), self._words)
        return ((high << _HALF) | low) >> 1

    @property
    def _words(self) -> tuple[int, int]:
        return self.key & _LOW, self.key >> _HALF


def purpose(seed: int, name: str) -> Stream:
    """Return the stream of `name` under `seed`; names keep purposes from ever sharing numbers."""
    digest = hashlib.blake2b(f"{seed}/{name}".encode(), digest_size=8, person=b"sightline").digest()
    return Stream(int.from_bytes(digest, "little"))


def philox(counter: tuple[W, ...], key: tuple[int, int]) -> tuple[W, W, W, W]:
    """Return Philox4x32-10 of a counter of four 32-bit words under a key of two.

    The words of the counter are plain integers, or arrays of uint64 that hold 32 bits each.
    """
    a, b, c, d = counter
    k0, k1 = key
    for _ in range(_ROUNDS):
        first, second = a * _MULTIPLIER_0, c * _MULTIPLIER_1
        a, b, c, d = (second >> _HALF) ^ b ^ k0, second & _LOW, (first >> _HALF) ^ d ^ k1, first & _LOW  # type: ignore[assignment]
        k0, k1 = (k0 + _WEYL_0) & _LOW, (k1 + _WEYL_1) & _LOW
    return a, b, c, d
