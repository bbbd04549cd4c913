"""The one door to Fourier transforms: nothing else in xsim calls an FFT.

Transforms act on the last two axes [y, x] and carry no shift: forward sum exp(-iq.r), inverse with 1/(ny nx). NumPy
arrays go through scipy.fft, which returns the same bits for any batch, alignment and number of threads; arrays of
other libraries (PyTorch, CuPy ...) go through their own. FFTW is not offered: its measured plans do not repeat to
the bit between processes, and its estimated plans, which do, are slower than scipy's (99 against 92 ms for 1024 x
1024 complex64 there and back on one busy core, where a measured plan took 11).
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import scipy.fft as _scipy

from xsim.errors import SamplingError
from xsim.threads import thread_count

#: samples along one axis at most: a single line of more would fill the memory of most machines
MOST = 2**27


def array_namespace(array: Any) -> Any:
    """The module whose functions work on `array`: numpy, torch, cupy or any library of the array-API standard."""
    if isinstance(array, np.ndarray | np.generic | float | int | complex):
        return np
    if hasattr(array, "__array_namespace__"):
        return array.__array_namespace__()
    return sys.modules[type(array).__module__.split(".")[0]]


def like(values: Any, array: Any, dtype: Any = None) -> Any:
    """NumPy `values` as an array of the library and device of `array`; NumPy arrays pass through without a copy."""
    xp = array_namespace(array)
    values = np.asarray(values, dtype)
    return values if xp is np else xp.asarray(values, device=array.device)


def as_complex(array: Any) -> Any:
    """A real or complex array of any library as a complex one of the same precision."""
    xp = array_namespace(array)
    if hasattr(xp, "astype"):
        return xp.astype(array, xp.complex64 if str(array.dtype).endswith(("float32", "complex64")) else xp.complex128)
    return array + 0j


def fft2(array: Any, *, overwrite: bool = False) -> Any:
    """Forward transform over the last two axes, sum of a exp(-iq.r). `overwrite` lets it destroy its input."""
    return _transform("fft2", array, overwrite)


def ifft2(array: Any, *, overwrite: bool = False) -> Any:
    """Inverse transform over the last two axes, with 1/(ny nx). `overwrite` lets it destroy its input."""
    return _transform("ifft2", array, overwrite)


def fft1(array: Any, axis: int, *, overwrite: bool = False, workers: int | None = None) -> Any:
    """Forward transform along one axis of a NumPy array, on `workers` threads (by default all)."""
    return _scipy.fft(array, axis=axis, overwrite_x=overwrite, workers=workers or thread_count())


def ifft1(array: Any, axis: int, *, overwrite: bool = False, scaled: bool = True, workers: int | None = None) -> Any:
    """Inverse transform along one axis of a NumPy array, with 1/n unless `scaled` is false."""
    norm = "backward" if scaled else "forward"
    return _scipy.ifft(array, axis=axis, overwrite_x=overwrite, norm=norm, workers=workers or thread_count())


def fftn(array: Any, *, overwrite: bool = False) -> Any:
    """Forward transform over all axes of a NumPy array, sum of a exp(-iq.r)."""
    return _scipy.fftn(array, overwrite_x=overwrite, workers=thread_count())


def ifftn(array: Any, *, overwrite: bool = False) -> Any:
    """Inverse transform over all axes of a NumPy array, with 1/size."""
    return _scipy.ifftn(array, overwrite_x=overwrite, workers=thread_count())


def fftshift(array: Any) -> Any:
    """Zero frequency from pixel (0, 0) to pixel (ny//2, nx//2)."""
    return _roll(array, 1)


def ifftshift(array: Any) -> Any:
    """Centre pixel (ny//2, nx//2) to pixel (0, 0)."""
    return _roll(array, -1)


def fftfreq(count: int, pixel: float) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Angular frequencies [rad/m] in FFT order for `count` samples `pixel` [m] apart."""
    return 2 * np.pi * np.asarray(_scipy.fftfreq(count, pixel), np.float64)


def good_size(count: int) -> int:
    """The smallest number >= `count` that transforms fast; raises SamplingError where no memory would hold it."""
    if count > MOST:
        raise SamplingError(
            "a wave of more samples a side than can be transformed",
            value=count,
            allowed=f"<= {MOST}",
            cure="use a smaller field, a coarser pixel, or optics of smaller aperture and spread",
        )
    return int(_scipy.next_fast_len(count))


def _roll(array: Any, sign: int) -> Any:
    xp = array_namespace(array)
    # a half turn forward is n//2, back is -(n//2): they differ for odd sizes
    shifts = tuple(sign * (n // 2) for n in array.shape[-2:])
    if xp.__name__ == "torch":
        return xp.roll(array, shifts, dims=(-2, -1))
    return xp.roll(array, shifts, axis=(-2, -1))


def _transform(name: str, array: Any, overwrite: bool) -> Any:
    xp = array_namespace(array)
    if xp is not np:
        if hasattr(xp.fft, name):
            return getattr(xp.fft, name)(array)
        return getattr(xp.fft, name.replace("2", "n"))(array, axes=(-2, -1))  # all that the array-API standard has
    return getattr(_scipy, name)(array, axes=(-2, -1), overwrite_x=overwrite, workers=thread_count())
