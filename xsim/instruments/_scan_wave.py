"""The wave of a scanning diffraction microscope: the probe at one place of the object, and its far field.

    I(u) = sum_modes |F[p(r - r_j) t(r)](u)|^2

The window of a frame spans lambda D/L, so that its transform falls on the detector's pixels. Its samples lie closer
than the detector needs: with 1 + b times as many along an axis, b the band of the probe over the detector's own, every
frequency of the object that the probe can bring onto the detector is there, and what the product aliases falls beside
the detector. So patterns are exact for the band of the object that matters, up to the detector's edge.

Positions between samples: exp(-iqd) = sum_k (2 - [k = 0]) (-i)^k J_k(q h) T_k(d/h) for |d| <= h, half a sample; the
probes of the leading pairs (k, l) are made once, and a frame's probe is their sum with its own weights. Terms are
kept until those left out hold 1e-5 of the probe's amplitude at most (Abramowitz & Stegun 9.1.44).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xsim.errors import RangeError
from xsim.instruments._scan_passes import add_pattern, multiply, place
from xsim.threads import share, spans, thread_count, use_threads
from xsim.waves.fft import fft2, fftshift, ifft2, ifftshift
from xsim.waves.grid import Grid

FloatArray = NDArray[np.float64]

#: amplitude of the terms of a shift that are left out, over that of the probe
SHIFT_ERROR = 1e-5
#: frames that share one reading of the probe's planes
BLOCK = 8
#: samples of a window over those of the detector, eighths, for which transforms are fast
_EIGHTHS = (8, 9, 10, 12, 14, 16)
_ORDERS = 24


@dataclass(frozen=True, eq=False)
class ScanOptics:
    """Everything that one photon energy fixes.

    modes: (m, n, n) the probe's modes at z = 0, centred, all squares together summing to 1. planes: (m, k, n, n)
    complex64, their parts for the shift's `orders` (k, 2) along y and x at the first slab. transmissions: of each
    slab on `object_grid`, complex64; kernels: steps between slabs.
    """

    window: Grid
    object_grid: Grid
    modes: NDArray[Any]
    planes: NDArray[Any]
    orders: NDArray[np.int64]
    transmissions: tuple[NDArray[Any], ...]
    kernels: tuple[NDArray[Any], ...]

    def corners(self, y: FloatArray, x: FloatArray) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """First row and column (frames, 2) of each window for the beam at (y, x) [m], and the weights (frames, k)."""
        pixel = self.window.pixel
        whole = np.rint(np.stack([y, x], axis=1) / pixel)
        rest = 2 * (np.stack([y, x], axis=1) / pixel - whole)  # in halves of a sample
        middle = self.object_grid.shape[0] // 2 - self.window.shape[0] // 2
        polynomials = np.cos(np.arange(_ORDERS)[:, None, None] * np.arccos(np.clip(rest, -1, 1)))  # Chebyshev's T_k
        weights = polynomials[self.orders[:, 0], :, 0] * polynomials[self.orders[:, 1], :, 1]
        corners = whole.astype(np.int64) + middle
        most = self.object_grid.shape[0] - self.window.shape[0]
        if len(corners) and not (corners.min() >= 0 and corners.max() <= most):
            raise RangeError(
                "the beam leaves the object",
                field="motion",
                value=f"{max(float(np.abs(y).max()), float(np.abs(x).max())):.4g} m from the middle",
                allowed=f"<= {most // 2 * pixel:.4g} m",
                cure="scan for a shorter time, or let the stage drift less",
            )
        return corners, np.ascontiguousarray(weights.T, np.float32)


def window_samples(count: int, band: float) -> int:
    """Samples along a window for `count` detector pixels and a probe of `band` over the detector's own."""
    for eighths in _EIGHTHS:
        if eighths >= 8 * (1 + band) and count * eighths % 8 == 0:
            return count * eighths // 8
    return 2 * count


def probe_band(probe: NDArray[Any]) -> float:
    """The highest frequency (0 .. 1, of the Nyquist frequency, along an axis) beyond which 1e-5 of the light lies."""
    power = np.abs(fft2(ifftshift(probe))) ** 2
    n = len(power)
    order = np.minimum(np.arange(n), n - np.arange(n))
    found = []
    for axis in (0, 1):
        beyond = np.bincount(order, power.sum(axis=axis))[::-1].cumsum()[::-1]
        found.append(int(np.flatnonzero(beyond > 0.5e-5 * power.sum()).max()))
    return (max(found) + 1) / (n / 2)


def shifted_planes(spectra: NDArray[Any], window: Grid) -> tuple[NDArray[np.complex64], NDArray[np.int64]]:
    """planes (m, k, n, n) and orders (k, 2) for `ScanOptics` from the modes' spectra (m, n, n) in FFT order."""
    from scipy.special import jv

    k = np.arange(_ORDERS)
    qy, qx = (np.asarray(q).ravel() * window.pixel / 2 for q in window.frequencies())
    terms = [(2 - (k == 0))[:, None] * (-1j) ** k[:, None] * jv(k[:, None], q[None, :]) for q in (qy, qx)]
    power = np.sum(np.abs(spectra) ** 2, axis=0)
    along_x = np.stack([np.sum(power * np.abs(term) ** 2, axis=1) for term in terms[1]])  # (l, ny)
    sizes = np.sqrt([[float(np.sum(np.abs(one) ** 2 * line)) for line in along_x] for one in terms[0]])
    order = np.argsort(-sizes, axis=None, kind="stable")
    left = np.cumsum(sizes.ravel()[order][::-1])[::-1]  # of this term and all weaker ones
    kept = max(1, int(np.sum(left > SHIFT_ERROR * np.sqrt(power.sum()))))
    orders = np.stack(np.unravel_index(order[:kept], sizes.shape), axis=1)
    planes = np.empty((len(spectra), kept, *window.shape), np.complex64)
    for mode, spectrum in enumerate(spectra):
        for number, (row, column) in enumerate(orders):
            wave = ifft2(spectrum * terms[0][row][:, None] * terms[1][column][None, :], overwrite=True)
            planes[mode, number] = fftshift(wave)
    return planes, orders


def add_patterns(state: ScanOptics, y: FloatArray, x: FloatArray, scale: FloatArray, out: NDArray[np.float32]) -> None:
    """Add the patterns with the beam at (y, x) [m] (frames, paths), scale (frames,) times share of the light, to out.

    out (frames, ny, nx) float32, zero angle at (ny//2, nx//2). A frame's result depends on its own values alone.
    """
    # long runs of frames, so that the threads' buffers are made a few times only
    jobs = spans(len(out), max(BLOCK, -(-len(out) // (3 * thread_count()))))
    share(lambda start, stop: _run(state, (y[start:stop], x[start:stop]), scale[start:stop], out[start:stop]), jobs)


def _run(state: ScanOptics, places: tuple[FloatArray, FloatArray], scale: FloatArray, out: NDArray[np.float32]) -> None:
    """Patterns of some frames on one thread, `BLOCK` at a time."""
    n, most = state.window.shape[0], min(BLOCK, len(out))
    buffer = np.empty((most, n, n), np.complex64)
    factors = (scale / n**2).astype(np.float32)
    planes = [mode.view(np.float32) for mode in state.planes]
    objects = [t.view(np.float32) for t in state.transmissions]
    with use_threads(1):
        for start, stop in spans(len(out), most):
            waves = buffer[: stop - start]
            for path in range(places[0].shape[1]):
                corners, weights = state.corners(places[0][start:stop, path], places[1][start:stop, path])
                for mode in planes:
                    place(mode, weights, objects[0], corners, waves.view(np.float32))
                    for frame, wave in enumerate(waves, start):
                        far = _behind(state, wave, objects[1:], corners[frame - start])
                        add_pattern(far.view(np.float32), factors[frame], out[frame])


def _behind(state: ScanOptics, wave: NDArray[Any], objects: list[NDArray[Any]], corner: NDArray[np.int64]) -> Any:
    """The far field, zero frequency first, of the wave behind the first slab."""
    for kernel, object_ in zip(state.kernels, objects, strict=True):
        spectrum = fft2(wave, overwrite=True)
        spectrum *= kernel
        wave = ifft2(spectrum, overwrite=True)
        multiply(wave.view(np.float32), object_, corner[0], corner[1])
    return fft2(wave, overwrite=True)


def far_field(state: ScanOptics, x: float, y: float, n: int) -> NDArray[np.float32]:
    """Share of the photons (n, n) in each detector pixel with the beam at (x, y) [m], zero angle at the centre."""
    out = np.zeros((1, n, n), np.float32)
    add_patterns(state, np.array([[y]]), np.array([[x]]), np.ones(1), out)
    return out[0]


def enclosed_diameter(intensity: FloatArray, grid: Grid, share: float) -> float:
    """Diameter [m] of the circle about the centre of mass that holds `share` of an intensity summing to 1."""
    total = float(intensity.sum())
    x0, y0 = float((intensity.sum(0) * grid.x).sum()) / total, float((intensity.sum(1) * grid.y).sum()) / total
    radius = np.hypot(grid.x[None, :] - x0, grid.y[:, None] - y0).ravel()
    order = np.argsort(radius, kind="stable")
    reached = np.searchsorted(np.cumsum(intensity.ravel()[order]), share * total)
    return 2 * float(radius[order][min(int(reached), len(order) - 1)])
