"""Random streams: one seed per run, a named purpose, a key per frame; counter-based, so order never matters.

A stream is identified by (seed, purpose) hashed together to a 64-bit key, never added. Detectors draw with
compiled Philox4x32 counters under that key; specimen generators use `generator`. Reference: Salmon et al., SC11
(doi 10.1145/2063384.2063405).
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class StreamKey:
    """Names one stream of random numbers: the run's seed and what the numbers are for, e.g. "txm/photons"."""

    seed: int
    purpose: str

    def child(self, name: str) -> StreamKey:
        """The stream for a part of this purpose."""
        return StreamKey(self.seed, f"{self.purpose}/{name}")

    @property
    def words(self) -> tuple[int, int]:
        """The 64-bit key as two 32-bit words, for Philox4x32."""
        digest = hashlib.blake2b(f"{self.seed}\x00{self.purpose}".encode(), digest_size=8).digest()
        return int.from_bytes(digest[:4], "little"), int.from_bytes(digest[4:], "little")


def generator(key: StreamKey, index: int = 0) -> np.random.Generator:
    """A NumPy generator for stream `key`, independent for every `index` (a frame, a particle, an attempt)."""
    low, high = key.words
    return np.random.Generator(np.random.Philox(key=low | (high << 32), counter=[0, 0, 0, index]))
