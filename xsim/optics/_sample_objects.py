"""Objects on which images by a few modes are compared with Abbe's sum."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xsim.waves.fft import fft2, fftshift


def sample_objects(side: int, coarse: int) -> Iterator[NDArray[Any]]:
    """Fourier coefficients (side, side), zero in the middle, of an opaque edge, gratings, dot, hole and phase objects.

    coarse: periods lambda/NA across the field.
    """
    place = (np.arange(side) - side // 2) * coarse / side
    x, y = place[None, :], place[:, None]
    r = np.hypot(x, y)
    rough = np.sin(1.3 + 9.1 * np.sin(7.7 * x + 3.1 * y) + 6.3 * np.sin(5.9 * y - 2.3 * x) + 4.7 * np.sin(11.3 * x * y))
    things = [
        ((x > 0) & (x < 0.4 * coarse)) * np.ones_like(y),
        *(
            np.floor(2 * (np.cos(turn) * x + np.sin(turn) * y + 1e-9) / period) % 2
            for turn, period in ((0.0, 0.7), (0.3, 0.55), (0.7, 0.8), (1.1, 0.55), (1.6, 1.2), (2.0, 0.7), (2.6, 2.5))
        ),
        r < 0.3,
        r >= 0.6,
        np.exp(-0.7j * (np.hypot(x - 0.8, y) < 1.5)),
        np.exp(0.6j * rough),
    ]
    for thing in things:
        yield fftshift(fft2(np.asarray(thing, np.complex128))) / side**2
