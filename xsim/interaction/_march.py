"""A wave carried through many slabs in two trips through memory for each: one by rows, one by columns.

By rows: transform back along x, multiply by the slab, transform forward along x, in blocks of rows that stay in the
processor's cache. By columns: transform along y, multiply by the transfer function, transform back, in blocks of
columns. The kept buffer has rows a little longer than the wave's, since columns of a power of two of bytes would
crowd into few lines of the cache. Every block is worked out alone and its size follows from the shapes only, so the
bits do not depend on the number of threads.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xsim.interaction import _passes
from xsim.threads import spans, team
from xsim.waves.fft import fft1, ifft1

#: bytes of the wave in one block: several fit into a core's own cache
_BLOCK = 3 << 17
#: extra bytes at the end of a row
_EXTRA = 64
#: samples below which starting a thread costs more than it saves
_WORTH_A_THREAD = 1 << 16

#: multiplies the rows (start, stop) of the wave (waves, ny, more than nx) in place
Act = Callable[[NDArray[Any], tuple[int, int]], None]


@dataclass(frozen=True)
class Kernel:
    """A transfer function (ny, nx) over a power of two near nx ny, in blocks of `width` columns; None: all zero.

    `gain` is what the wave is then too large by. To divide by nx ny itself would round all elements the same way, and
    that adds up over the slabs.
    """

    width: int
    gain: float
    blocks: tuple[NDArray[Any] | None, ...]

    @staticmethod
    def of(transfer: NDArray[Any], waves: int = 1) -> Kernel:
        """For batches of so many `waves`; columns without any light are left out."""
        ny, nx = transfer.shape
        width = _lines(waves * ny * transfer.itemsize, nx)
        power = math.ldexp(1.0, round(math.log2(nx * ny)))
        found = []
        for a, b in spans(nx, width):
            part = transfer[:, a:b]
            found.append(
                np.ascontiguousarray(part) / transfer.dtype.type(power) if np.any(part[0]) or np.any(part) else None
            )
        return Kernel(width, nx * ny / power, tuple(found))


#: a flight, and then a slab, each made when it is due (None: none)
Step = tuple[Callable[[], Kernel] | None, Callable[[], Act] | None]


def march(wave: NDArray[Any], steps: Sequence[Step], factor: complex = 1.0) -> NDArray[Any]:
    """`wave` (..., ny, nx) complex after all `steps`, times `factor`; in place."""
    ny, nx = wave.shape[-2:]
    batch = wave.reshape(-1, ny, nx)
    buffer = np.zeros((len(batch), ny, nx + _EXTRA // wave.itemsize), wave.dtype)
    kept = buffer[..., :nx]
    kept[...] = batch
    height = _lines(len(batch) * nx * wave.itemsize, ny)
    with team(None if batch.size >= _WORTH_A_THREAD else 1) as share:

        def by_rows(back: bool, act: Act | None, forward: bool, scale: float = 1.0) -> None:
            def work(a: int, b: int) -> None:
                block = kept[:, a:b]
                if back:
                    _into(block, ifft1(block, -1, overwrite=True, scaled=False, workers=1))
                if act is not None:
                    act(buffer, (a, b))
                if scale != 1.0:
                    block *= wave.dtype.type(scale)
                if forward:
                    _into(block, fft1(block, -1, overwrite=True, workers=1))

            if back or act is not None or forward:
                share(work, spans(ny, height))

        flights = [flight is not None for flight, _ in steps] + [False]
        by_rows(False, None, flights[0])
        for (flight, act), ahead in zip(steps, flights[1:], strict=True):
            scale = 1.0
            if flight is not None:
                kernel = flight()
                jobs = zip(spans(nx, kernel.width), kernel.blocks, strict=True)
                share(_fly, [(buffer, a, b, block) for (a, b), block in jobs])
                factor /= kernel.gain
                if not 2**-30 < abs(factor) < 2**30:  # far from where single precision ends
                    scale = math.ldexp(1.0, round(math.log2(abs(factor))))
                    factor /= scale
            by_rows(flight is not None, None if act is None else act(), ahead, scale)
    np.multiply(kept, factor, out=batch)
    return wave


def _fly(buffer: NDArray[Any], start: int, stop: int, kernel: NDArray[Any] | None) -> None:
    part = buffer[..., start:stop]
    if kernel is None:
        part[...] = 0
        return
    _into(part, fft1(part, -2, overwrite=True, workers=1))
    _passes.multiply(buffer, kernel, start)
    _into(part, ifft1(part, -2, overwrite=True, scaled=False, workers=1))


def _into(part: NDArray[Any], result: NDArray[Any]) -> None:
    if result.__array_interface__["data"] != part.__array_interface__["data"]:
        part[...] = result


def _lines(line: int, count: int) -> int:
    """How many of `count` lines of so many bytes make a block; a multiple of 8, or all."""
    return max(8, min(count, _BLOCK // line) // 8 * 8)
