"""What every ptychographic reconstruction shares: which measurements it takes, first modes of the probe, its result."""

from __future__ import annotations

from typing import Any

import numpy as np

from xsim.exposure import Array, Axis, Measurement, Truth
from xsim.reconstruct._data import single_energy
from xsim.reconstruct._protocol import Reconstruction
from xsim.reconstruct._scan import Scan, far_amplitudes, first_probe
from xsim.waves.fft import fft2, fftshift, ifft2
from xsim.waves.grid import Grid

#: share of the light that each mode but the first begins with
_FAINT = 0.1


def why_not(measurement: Measurement) -> str:
    """Why this is no ptychographic scan at one photon energy; empty if it is."""
    if len(measurement.axes) != 2:
        return "its frames are not images"
    if not {"x", "y"} <= set(measurement.frames.columns) or len(measurement.frames) < 2:
        return "it has no scan points x, y"
    extra = [a.name for a in measurement.frames.axes if a.name not in ("point", "x", "y")]
    return f"it scans {', '.join(extra)} as well" if extra else single_energy(measurement)


def start(measurement: Measurement, count: int) -> tuple[Scan, Array, Array, Array, float]:
    """What every method begins with: scan, amplitudes, known pixels, `count` modes of the probe, photons in a frame."""
    amplitude, known, window = far_amplitudes(measurement)
    power = float(np.mean(measurement.incident))
    probe = first_probe(measurement, window, amplitude, known) * np.sqrt(power)
    return Scan.of(measurement, window), amplitude, known, first_modes(probe, window, count), power


def first_modes(probe: Array, window: Grid, count: int) -> Array:
    """Orthogonal modes (count, n, n) complex64 in FFT order from a first probe (n, n), with its power.

    Those of a small source that blurs the probe are its derivatives: x, y, xx, xy, yy ... Each begins faint.
    """
    power, spectrum = float(np.sum(np.abs(probe) ** 2)), fft2(probe)
    qy, qx = (np.asarray(q) * window.pixel for q in window.frequencies())
    orders = [(m - k, k) for m in range(count) for k in range(m + 1)][:count]
    raw = [ifft2(spectrum * qx**a * qy**b) for a, b in orders]
    found: list[Array] = []
    for mode in raw:
        for other in found:
            mode = mode - np.vdot(other, mode) * other
        found.append(mode / max(np.linalg.norm(mode), 1e-300))
    shares = np.full(count, _FAINT)
    shares[0] = 1
    sizes = np.sqrt(power * shares / shares.sum())
    return (np.stack(found) * sizes[:, None, None]).astype(np.complex64)


def orthogonal(modes: Array) -> Array:
    """The same light in orthogonal modes (m, n, n), strongest first."""
    flat = np.asarray(modes, np.complex128).reshape(len(modes), -1)
    left, sizes, right = np.linalg.svd(flat, full_matrices=False)
    # the phase of the strongest sample of each stays as a mode alone would have it
    turned = left[np.abs(left).argmax(axis=0), np.arange(len(sizes))]
    return np.asarray((turned / np.abs(turned) * sizes)[:, None] * right, np.complex64).reshape(modes.shape)


def reconstruction(scan: Scan, object_: Array, modes: Array, errors: Array, name: str) -> Reconstruction:
    """Object, probe (modes first, where there are several), light on the object, and the misfit's history."""

    def axes(grid: Grid) -> tuple[Axis, Axis]:
        return Axis("y", grid.y, "m"), Axis("x", grid.x, "m")

    modes = orthogonal(modes) if len(modes) > 1 else modes
    light = scan.illumination(np.sum(np.abs(modes) ** 2, axis=0))
    probe: Any = np.asarray(fftshift(modes))
    own = axes(scan.window)
    extras = {
        "probe": Truth(probe[0], own) if len(modes) == 1 else Truth(probe, (Axis("mode", np.arange(len(modes))), *own)),
        "illumination": Truth(light, axes(scan.grid), "photons"),
    }
    if len(modes) > 1:
        power = np.sum(np.abs(modes) ** 2, axis=(1, 2), dtype=np.float64)
        extras["mode_shares"] = Truth(power / power.sum(), (Axis("mode", np.arange(len(modes))),))
    title = f"object by {name}" + (f" with {len(modes)} modes" if len(modes) > 1 else "")
    return Reconstruction(object_, axes(scan.grid), "", title, "object", {"error": errors}, extras=extras)
