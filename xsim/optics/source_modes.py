"""Coherent modes of a focused beam that a source of finite size blurs.

    J(r1, r2) = int g(s) p(r1 - s) p*(r2 - s) d2s = sum_n psi_n(r1) psi_n*(r2),    <psi_m, psi_n> = 0 for m != n

p is the amplitude of one source point's beam, g the Gaussian image of the incoherent source at the focus, its points
s. The psi_n are mutually incoherent: propagate each and add intensities. A source point beside the axis tilts the
beam in the lens's plane, which in the specimen shifts it: true for a defocus far below the focal length, and for
quasi-monochromatic light.

The integral over s is a trapezoidal sum, which for a Gaussian converges at once where its step resolves the beats of
the beam's own band. g is separable, so the sums run along x first and then y; overlaps of shifted copies depend on
the difference of the shifts alone. Diagonalised by Jacobi's rotations in a fixed order: the same bits everywhere.
References: Vartanyants & Singer, New J. Phys. 12, 035004 (2010), doi 10.1088/1367-2630/12/3/035004; Thibault & Menzel,
Nature 494, 68 (2013), doi 10.1038/nature11806.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from xsim.constants import FWHM
from xsim.errors import RangeError
from xsim.waves.fft import fft2, fftshift, ifft2, ifftshift
from xsim.waves.grid import Grid

FloatArray = NDArray[np.float64]
ComplexArray = NDArray[np.complex128]

#: standard deviations to either side over which the source is summed
_REACH = 6.0
#: most shifted copies along one axis
_MOST = 400


def source_modes(probe: Any, grid: Grid, fwhm: tuple[float, float], loss: float = 1e-3) -> ComplexArray:
    """Orthogonal modes (n, ny, nx) of `probe` (ny, nx) on `grid`, strongest first, all squares together summing to 1.

    probe: centred on pixel (ny//2, nx//2). fwhm: of the source's image along x and y [m], 0 for a point. loss: the
    largest share of the light in the modes that are left out; the others are scaled up to hold it. Raises RangeError
    for a source image of more than about half the grid, which would come in again on the other side, or for a loss
    outside 0 .. 1.
    """
    _check(grid, fwhm, loss)
    spectrum = fft2(ifftshift(np.asarray(probe, np.complex128)))
    found: Any = (spectrum / math.sqrt(float(np.sum(np.abs(spectrum) ** 2))))[None]
    qy, qx = (np.asarray(q, np.float64) for q in grid.frequencies())
    for width, q, axis in ((fwhm[0], qx[0], 2), (fwhm[1], qy[:, 0], 1)):
        if width > 0:
            found = _blurred(found, q, axis, (width / FWHM, loss / 4))
    share = np.sum(np.abs(found) ** 2, axis=(1, 2))
    kept = 1 + int(np.searchsorted(np.cumsum(share), (1 - loss) * share.sum()))
    found = found[:kept] * math.sqrt(grid.shape[0] * grid.shape[1] / float(share[:kept].sum()))
    return np.asarray(fftshift(ifft2(found, overwrite=True)))


def _check(grid: Grid, fwhm: tuple[float, float], loss: float) -> None:
    if not 0 < loss < 1:
        raise RangeError("share of the light in modes left out", field="loss", value=loss, allowed="0 .. 1")
    for width, extent in zip(fwhm, grid.extent, strict=True):
        if not 0 <= width <= extent / 2:
            raise RangeError(
                "source image on its grid",
                field="source_image",
                value=f"{width:.4g} m",
                allowed=f"0 .. {extent / 2:.4g} m, half the grid",
                cure="use a smaller source image, or a larger grid (a detector with finer pixels, or further away)",
            )


def _blurred(spectra: ComplexArray, q: FloatArray, axis: int, blur: tuple[float, float]) -> ComplexArray:
    """The modes of mutually incoherent `spectra` (m, ny, nx) after shifts along `axis`; blur: (rms [m], loss)."""
    sigma, loss = blur
    power = np.sum(np.abs(spectra) ** 2, axis=(0, 3 - axis))
    band = float(np.abs(q[power > 1e-10 * power.max()]).max())
    shifts = _nodes(sigma, 2 * band)
    weights = np.exp(-((shifts / sigma) ** 2) / 2)
    weights = np.sqrt(weights / weights.sum())
    ramps = np.exp(-1j * shifts[:, None] * q[None, :])  # (nodes, n)
    count, nodes = len(spectra), len(shifts)
    gram = np.empty((count, nodes, count, nodes), np.complex128)
    lags = np.exp(-1j * (np.arange(nodes) * (shifts[1] - shifts[0]))[:, None] * q[None, :])
    index = np.arange(nodes)[None, :] - np.arange(nodes)[:, None]
    for i in range(count):
        for j in range(count):
            beat = np.sum(np.conj(spectra[i]) * spectra[j], axis=2 - axis)  # over the other axis
            ahead, behind = np.sum(lags * beat, axis=1), np.sum(np.conj(lags) * beat, axis=1)
            overlap = np.where(index >= 0, ahead[np.abs(index)], behind[np.abs(index)])
            gram[i, :, j, :] = overlap * weights[:, None] * weights[None, :]
    values, vectors = hermitian_modes(gram.reshape(count * nodes, count * nodes))
    kept = 1 + int(np.searchsorted(np.cumsum(values), (1 - loss) * values.sum()))
    parts = vectors[:, :kept].reshape(count, nodes, kept) * weights[None, :, None]
    found = np.zeros((kept, *spectra.shape[1:]), np.complex128)
    for mode in range(kept):
        for i in range(count):
            line = np.sum(parts[i, :, mode, None] * ramps, axis=0)
            found[mode] += spectra[i] * (line[None, :] if axis == 2 else line[:, None])
    return found


def _nodes(sigma: float, beat: float) -> FloatArray:
    """Evenly spaced points [m] over the source that resolve beats up to `beat` [rad/m]."""
    step = 2 * math.pi / (beat + _REACH / sigma)
    half = max(3, math.ceil(_REACH * sigma / step))
    if 2 * half + 1 > _MOST:
        raise RangeError(
            "source image against the finest detail of the beam",
            field="source_image",
            value=f"{sigma * FWHM:.4g} m",
            allowed=f"about {sigma * FWHM * _MOST / (2 * half):.2g} m",
            cure="use a smaller source image, or scan a real incoherent beam with another technique",
        )
    return np.asarray(np.arange(-half, half + 1) * (_REACH * sigma / half))


def hermitian_modes(matrix: ComplexArray) -> tuple[FloatArray, ComplexArray]:
    """Eigenvalues (n,), largest first, and eigenvectors (n, n) in columns of a positive Hermitian matrix (n, n).

    Always the same bits, for any number of threads, unlike LAPACK's.
    """
    work = np.array(matrix, np.complex128)
    vectors = np.eye(len(work), dtype=np.complex128)
    _jacobi(work, vectors)
    values = np.clip(np.real(np.diagonal(work)), 0, None)
    order = np.argsort(-values, kind="stable")
    return np.asarray(values[order]), np.asarray(vectors[:, order])


@njit(cache=True, nogil=True)
def _jacobi(a, v):  # type: ignore[no-untyped-def]
    """Diagonalise Hermitian `a` in place by cyclic rotations; `v` gathers them."""
    n = a.shape[0]
    whole = 0.0
    for p in range(n):
        for q in range(n):
            whole += a[p, q].real ** 2 + a[p, q].imag ** 2
    small = 1e-24 * whole / (n * n)
    for _ in range(60):
        turned = False
        for p in range(n - 1):
            for q in range(p + 1, n):
                size2 = a[p, q].real ** 2 + a[p, q].imag ** 2
                if size2 <= small:
                    continue
                turned = True
                size = math.sqrt(size2)
                phase = a[p, q] / size
                theta = (a[q, q].real - a[p, p].real) / (2.0 * size)
                t = 1.0 / (abs(theta) + math.sqrt(theta * theta + 1.0))
                if theta < 0.0:
                    t = -t
                c = 1.0 / math.sqrt(t * t + 1.0)
                s = t * c
                for k in range(n):  # columns p, q
                    x, y = a[k, p], a[k, q] * np.conj(phase)
                    a[k, p], a[k, q] = c * x - s * y, s * x + c * y
                    x, y = v[k, p], v[k, q] * np.conj(phase)
                    v[k, p], v[k, q] = c * x - s * y, s * x + c * y
                for k in range(n):  # rows p, q
                    x, y = a[p, k], a[q, k] * phase
                    a[p, k], a[q, k] = c * x - s * y, s * x + c * y
        if not turned:
            return
