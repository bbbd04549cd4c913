"""The wave of a scanning diffraction microscope: the probe at one place of the object, and its far field.

    I(u) = sum_modes |F[p(r - r_j) t(r)](u)|^2

The window of a frame spans lambda D/L, so that its transform falls on the detector's pixels. Its samples lie closer
than the detector needs: with 1 + b times as many along an axis, b the band of the probe over the detector's own, every
frequency of the object that the probe can bring onto the detector is there, and what the product aliases falls beside
the detector. So patterns are exact for the band of the object that matters, up to the detector's edge.

Positions between samples: `_scan_shift`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xsim.errors import RangeError
from xsim.instruments._scan_passes import add_patterns_of, multiply, place
from xsim.instruments._scan_shift import ShiftKernel
from xsim.interaction.cutting import Cut
from xsim.threads import share, spans, thread_count, use_threads
from xsim.waves.fft import fft1, fft2, ifft2, ifftshift
from xsim.waves.grid import Grid

FloatArray = NDArray[np.float64]

#: frames that share one reading of the probe
BLOCK = 2
#: samples of a window over those of the detector, eighths, for which transforms are fast
_EIGHTHS = (8, 9, 10, 12, 14, 16, 20, 24, 32)


@dataclass(frozen=True, eq=False)
class ScanOptics:
    """Everything that one photon energy fixes.

    modes: (m, n, n) the probe's modes at z = 0, centred, all squares together summing to 1 (or less by what
    lies beyond the band). probe: (m, n + T - 1,
    n + T - 1) complex64, the same at the first slab, for shifts by `kernel`. transmissions: of each slab on
    `object_grid`, complex64, the last one times the phase of `centring`; kernels: steps between slabs. cut: where they
    lie.
    """

    window: Grid
    object_grid: Grid
    modes: NDArray[Any]
    probe: NDArray[np.complex64]
    kernel: ShiftKernel
    transmissions: tuple[NDArray[Any], ...]
    kernels: tuple[NDArray[Any], ...]
    cut: Cut

    def corners(self, y: FloatArray, x: FloatArray) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """First row and column (frames, 2) of the windows for the beam at (y, x) [m], and weights (frames, 2, T)."""
        places = np.stack([y, x], axis=1) / self.window.pixel
        whole = np.rint(places)
        weights = self.kernel.weights(places - whole)
        corners = whole.astype(np.int64) + self.object_grid.shape[0] // 2 - self.window.shape[0] // 2
        most = self.object_grid.shape[0] - self.window.shape[0]
        if len(corners) and not (corners.min() >= 0 and corners.max() <= most):
            raise RangeError(
                "the beam leaves the object",
                field="motion",
                value=f"{max(float(np.abs(y).max()), float(np.abs(x).max())):.4g} m from the middle",
                allowed=f"<= {most // 2 * self.window.pixel:.4g} m",
                cure="scan for a shorter time, or let the stage drift less",
            )
        return corners, weights.astype(np.float32)


def window_samples(count: int, band: float) -> int:
    """Samples along a window for `count` detector pixels and a probe of `band` over the detector's own."""
    for eighths in _EIGHTHS:
        if eighths >= 8 * (1 + band) and count * eighths % 8 == 0:
            return count * eighths // 8
    return 4 * count


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


def add_patterns(
    state: ScanOptics,
    places: tuple[FloatArray, FloatArray],
    scale: FloatArray,
    out: NDArray[np.float32],
    anew: bool = False,
) -> None:
    """Add the patterns with the beam at places (y, x) [m] (frames, paths), scale (frames,) times share of the light.

    out (frames, ny, nx) float32, zero angle at (ny//2, nx//2), overwritten where `anew`. A frame's result depends on
    its own values alone.
    """
    y, x = places
    # long runs of frames, so that the threads' buffers are made a few times only
    jobs = spans(len(out), max(BLOCK, -(-len(out) // (3 * thread_count()))))

    def work(start: int, stop: int) -> None:
        rows = slice(start, stop)
        _run(state, (y[rows], x[rows]), scale[rows], out[rows], anew)

    share(work, jobs)


def _run(
    state: ScanOptics, places: tuple[FloatArray, FloatArray], scale: FloatArray, out: NDArray[np.float32], anew: bool
) -> None:
    """Patterns of some frames on one thread, `BLOCK` at a time."""
    n, most = state.window.shape[0], min(BLOCK, len(out))
    buffer = np.empty((most, n, n), np.complex64)
    factors = (scale / n**2).astype(np.float32)
    with use_threads(1):
        for path in range(places[0].shape[1]):
            corners, weights = state.corners(places[0][:, path], places[1][:, path])
            for start, stop in spans(len(out), most):
                waves, rows = buffer[: stop - start], slice(start, stop)
                for number, mode in enumerate(state.probe):
                    place(mode, weights[rows], state.transmissions[0], corners[rows], waves)
                    if state.kernels:
                        _pass_slabs(state, waves, corners[rows])
                    _record(waves, factors[rows], out[rows], anew and path == number == 0)


def _pass_slabs(state: ScanOptics, waves: NDArray[Any], corners: NDArray[np.int64]) -> None:
    """From behind the first slab to behind the last, in place."""
    for wave, (row, column) in zip(waves, corners, strict=True):
        for kernel, object_ in zip(state.kernels, state.transmissions[1:], strict=True):
            spectrum = fft2(wave, overwrite=True)
            spectrum *= kernel
            wave[:] = ifft2(spectrum, overwrite=True)
            multiply(wave, object_, row, column)


def _record(waves: NDArray[Any], factors: NDArray[np.float32], out: NDArray[np.float32], anew: bool) -> None:
    """Add the patterns of `waves`, whose values are lost: only rows that the detector sees are transformed in full."""
    ny, top = out.shape[1], waves.shape[1] // 2 - out.shape[1] // 2
    far = fft1(waves, 1, overwrite=True)
    add_patterns_of(fft1(far[:, top : top + ny], 2, overwrite=True), factors, out, anew)


def centring(count: int, window: int) -> NDArray[np.complex128]:
    """A phase (count,) along an object by which the transforms of its windows have zero frequency in the middle."""
    return np.asarray(np.exp(2j * np.pi * (window // 2) / window * np.arange(count)))


def far_field(state: ScanOptics, x: float, y: float, n: int) -> NDArray[np.float32]:
    """Share of the photons (n, n) in each detector pixel with the beam at (x, y) [m], zero angle at the centre."""
    out = np.zeros((1, n, n), np.float32)
    add_patterns(state, (np.array([[y]]), np.array([[x]])), np.ones(1), out)
    return out[0]


def enclosed_diameter(intensity: FloatArray, grid: Grid, share: float) -> float:
    """Diameter [m] of the circle about the centre of mass that holds `share` of an intensity summing to 1."""
    total = float(intensity.sum())
    x0, y0 = float((intensity.sum(0) * grid.x).sum()) / total, float((intensity.sum(1) * grid.y).sum()) / total
    radius = np.hypot(grid.x[None, :] - x0, grid.y[:, None] - y0).ravel()
    order = np.argsort(radius, kind="stable")
    reached = np.searchsorted(np.cumsum(intensity.ravel()[order]), share * total)
    return 2 * float(radius[order][min(int(reached), len(order) - 1)])
