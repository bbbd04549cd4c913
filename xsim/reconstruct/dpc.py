"""Differential phase contrast: the phase of a specimen from how far it bends the cone of a scanning microscope.

    M = sum_s c_s N_s / sum_s N_s,    theta = R^-1 (M - M_0),    grad phi = k theta,
    phi^ = -i (q_x G_x + q_y G_y) / q^2,    G = grad phi  (forward transform exp(-iq.r))

c_s is the centre of segment s [rad] and N_s its photons. M_0 and R = dM/dtheta follow from the even cone (round with
its central stop, or rectangular) and the segments' borders, which the measurement tells; fine rings measure the first
moment itself, R = 1, and coarse ones give the right slope for small deflections. The maps of the gradient are
continued beyond the field as those of a mirrored phase, so that the transform sees no edge; the mean of the phase
stays unknown and is set to zero.

Valid for deflections small against the cone. Rings and sectors so fine that they measure the first moment give the
phase as the spot blurs it (to 1 %); quadrants overstate structure as small as the spot by 5 to 8 %. Absorption alone
bends nothing to first order. References: Hornberger et al., J. Synchrotron Rad. 15, 355 (2008), doi
10.1107/S0909049508008509; Bon, Monneret & Wattellier, Appl. Opt. 51, 5698 (2012), doi 10.1364/AO.51.005698 (mirrored
integration).
"""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np

from xsim.constants import wavenumber
from xsim.exposure import Array, Measurement, Truth, lookup
from xsim.model import Model
from xsim.reconstruct._data import merged_repeats, photons, refuse, single_energy
from xsim.reconstruct._protocol import Reconstruction
from xsim.waves.fft import fft2, ifft2
from xsim.waves.grid import Grid

#: samples per axis over the detector, and the deflection in units of the cone, from which the response is found
_SAMPLES, _NUDGE = 400, 0.02
#: rings wider than this share of the cone are taken together: light that just leaves the cone would count for too much
_COARSE = 0.25
#: determinant of the response below which a direction cannot be told
_SINGULAR = 1e-4
_BORDERS = ("segment_inner", "segment_outer", "segment_start", "segment_stop")


class Dpc(Model):
    """Phase [rad] by differential phase contrast from a segmented detector of a scanning microscope."""

    kind: Literal["dpc"] = "dpc"
    techniques: ClassVar[tuple[str, ...]] = ("stxm",)

    def accepts(self, measurement: Measurement) -> str:
        """Why it cannot reconstruct this measurement; empty if it can."""
        if [axis.name for axis in measurement.axes] != ["segment"]:
            return "its detector has no segments"
        if any(lookup(measurement, name) is None for name in (*_BORDERS, "cone", "cone_shape")):
            return "it does not tell the borders of its segments"
        if _slopes(measurement) is None:
            return "its segments cannot tell in which direction light is bent"
        names = [a.name for a in measurement.frames.axes if a.unit or not a.name.startswith("repeat")]
        return f"its scan axes are {names}, not (y, x)" if names != ["y", "x"] else single_energy(measurement)

    def __call__(self, measurement: Measurement) -> Reconstruction:
        """Phase (y, x) [rad] with its gradients in `extras`. Raises FileError where `accepts` would object."""
        refuse(measurement, self.kind, self.accepts(measurement))
        counts, axes = merged_repeats(measurement, np.nan_to_num(np.maximum(photons(measurement), 0)))
        slopes = _slopes(measurement)
        assert slopes is not None
        centres, rest, response = slopes
        total = counts.sum(axis=-1)
        moment = np.einsum("yxs,sj->yxj", counts, centres) / np.maximum(total, 1e-9)[..., None]
        bent = np.einsum("ij,yxj->yxi", np.linalg.inv(response), np.where(total[..., None] > 0, moment, rest) - rest)
        gradient = bent * float(wavenumber(float(measurement.frames["energy"][0])))
        step = float(np.mean(np.diff(axes[-1].values)))
        phase = integrated(gradient[..., 0], gradient[..., 1], step)
        extras = {name: Truth(gradient[..., k], axes, "rad/m") for k, name in enumerate(("gradient_x", "gradient_y"))}
        title = "phase by differential phase contrast"
        return Reconstruction(phase, axes, "rad", title, "phase", extras=extras)


def integrated(gx: Array, gy: Array, step: float) -> Array:
    """The map (ny, nx) of mean zero whose gradients along x and y [1/m] on points `step` [m] apart come nearest."""
    ny, nx = gx.shape
    gx = np.concatenate([gx, -gx[:, ::-1]], axis=1)
    gx = np.concatenate([gx, gx[::-1]], axis=0)
    gy = np.concatenate([gy, gy[:, ::-1]], axis=1)
    gy = np.concatenate([gy, -gy[::-1]], axis=0)
    qy, qx = Grid((2 * ny, 2 * nx), step).frequencies()
    q2 = qx**2 + qy**2
    spectrum = -1j * (qx * fft2(gx.astype(np.complex128)) + qy * fft2(gy.astype(np.complex128)))
    found = ifft2(spectrum / np.where(q2 > 0, q2, 1)).real[:ny, :nx]
    return np.asarray(found - found.mean())


def _slopes(measurement: Measurement) -> tuple[Array, Array, Array] | None:
    """Centres (segments, 2) [rad], the first moment (2,) of the bare cone and its response (2, 2); None if singular."""
    inner, outer, start, stop = (np.asarray(lookup(measurement, name), np.float64) for name in _BORDERS)
    wide = np.asarray(lookup(measurement, "cone"), np.float64)
    reach = float(outer.max())
    place = ((np.arange(_SAMPLES) + 0.5) / _SAMPLES - 0.5) * 2 * reach
    y, x = place[:, None], place[None, :]
    radius, azimuth = np.hypot(x, y), np.arctan2(y, x)
    number = np.full(radius.shape, len(inner))
    for s in range(len(inner)):
        turned = np.mod(azimuth - start[s], 2 * np.pi)
        number[(radius >= inner[s]) & (radius < outer[s]) & (turned < stop[s] - start[s])] = s
    low, high = inner, outer
    if np.max(outer - inner) > _COARSE * float(wide.max()):  # all rings of a sector count as one
        low, high = np.full_like(inner, inner.min()), np.full_like(outer, outer.max())
    spread = np.sinc((stop - start) / (2 * np.pi)) * 2 / 3 * (high**3 - low**3) / (high**2 - low**2)
    centres = np.stack([spread * np.cos((start + stop) / 2), spread * np.sin((start + stop) / 2)], axis=1)
    nudge = _NUDGE * float(wide.min())

    def moment(dx: float, dy: float) -> Array:
        light = np.bincount(number.ravel(), _cone(measurement, wide, x - dx, y - dy).ravel(), len(inner) + 1)[:-1]
        return np.asarray(light @ centres / light.sum()) if light.sum() > 0 else np.zeros(2)

    columns = [(moment(*away) - moment(-away[0], -away[1])) / (2 * nudge) for away in ((nudge, 0.0), (0.0, nudge))]
    response = np.stack(columns, axis=1)
    if low is inner and abs(np.linalg.det(response)) > _SINGULAR:
        response = np.eye(2)  # the first moment itself
    return None if abs(np.linalg.det(response)) < _SINGULAR else (centres, moment(0.0, 0.0), response)


def _cone(measurement: Measurement, wide: Array, x: Array, y: Array) -> Array:
    """Light of the bare cone, even inside, at angles x, y [rad]; its rim is as wide as the nudge, so that it counts."""
    if str(lookup(measurement, "cone_shape")) == "rectangular":
        along = [np.clip((w - np.abs(v)) / (_NUDGE * w) + 0.5, 0, 1) for v, w in zip((x, y), wide, strict=True)]
        return np.asarray(along[0] * along[1])
    stop = float(lookup(measurement, "cone_stop") or 0.0)
    radius, cell = np.hypot(x, y) / wide[0], _NUDGE
    open_ = np.clip((1 - radius) / cell + 0.5, 0, 1)
    return np.asarray(open_ - (np.clip((stop - radius) / cell + 0.5, 0, 1) if stop > 0 else 0.0))
