"""A segmented detector behind a scanning microscope: rings and sectors of the far field.

Segment s = ring * sectors + sector takes all light that leaves at angles between two radii and two azimuths, counted
from +x towards +y. Radii are given in units of the focused cone's own half angle NA at the instrument's energy: a ring
inside 1 is bright field, one beyond 1 dark field. References: Hornberger et al., J. Synchrotron Rad. 15, 355 (2008),
doi 10.1107/S0909049508008509; Feser et al., Nucl. Instrum. Methods A 565, 841 (2006), doi 10.1016/j.nima.2006.05.086.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import Annotated, Any

import numpy as np
from numba import njit
from numpy.typing import NDArray
from pydantic import Field, field_validator

from xsim.errors import RangeError
from xsim.exposure import Axis
from xsim.model import Model
from xsim.units import Angle
from xsim.waves.grid import Grid

FloatArray = NDArray[np.float64]

#: samples per axis of each frequency cell, for the share of it that a segment takes
_FINE = 8
#: azimuths are shifted by this [rad] to either side, so that what lies on a border is shared
_BORDER = 1e-9
#: segments at most
MOST = 4096


class Segments(Model):
    """rings: increasing radii of their borders in units of NA, the first may be 0. sectors: in each ring.

    start: azimuth at which the first sector begins; left out, the middle of the first sector is at +x.
    """

    rings: Annotated[tuple[float, ...], Field(min_length=2)] = (0.0, 2.0)
    sectors: Annotated[int, Field(ge=1, le=360)] = 4
    start: Angle | None = None

    @field_validator("rings")
    @classmethod
    def _increasing(cls, value: tuple[float, ...]) -> tuple[float, ...]:
        if not (value[0] >= 0 and all(a < b for a, b in pairwise(value))):
            raise RangeError("radii of rings", value=list(value), allowed="increasing, the first >= 0, in units of NA")
        if not value[-1] <= 20:
            raise RangeError("radius of the last ring", value=value[-1], allowed="<= 20, in units of NA")
        return value

    def __len__(self) -> int:
        return (len(self.rings) - 1) * self.sectors

    @property
    def first(self) -> float:
        """Azimuth [rad] at which the first sector begins."""
        return -math.pi / self.sectors if self.start is None else self.start

    @property
    def axis(self) -> Axis:
        """The detector's axis: the number of the segment."""
        return Axis("segment", np.arange(len(self)))

    def geometry(self, numerical_aperture: float) -> dict[str, Any]:
        """Radii and azimuths (segments,) [rad] of all segments."""
        inner, outer = (np.repeat(np.array(r) * numerical_aperture, self.sectors) for r in self._borders())
        begin = self.first + np.tile(np.arange(self.sectors), len(self.rings) - 1) * 2 * np.pi / self.sectors
        return {
            "segment_inner [rad]": inner,
            "segment_outer [rad]": outer,
            "segment_start [rad]": begin,
            "segment_stop [rad]": begin + 2 * np.pi / self.sectors,
        }

    def even(self, share_between: Any, numerical_aperture: float) -> FloatArray:
        """Share (segments,) of light that is even in azimuth; share_between(low, high) [rad]: of it in a ring."""
        radii = np.array(self.rings) * numerical_aperture
        rings = [share_between(float(low), float(high)) for low, high in pairwise(radii)]
        return np.repeat(np.array(rings, np.float64), self.sectors) / self.sectors

    def masks(self, grid: Grid, scale: float) -> Masks:
        """Which samples of a far field on `grid` (FFT order) each segment takes; scale: k NA [rad/m], a radius of 1."""
        qy, qx = (np.ravel(q) for q in grid.frequencies())
        fine = (np.arange(_FINE) + 0.5) / _FINE - 0.5
        cells = [2 * np.pi / (n * grid.pixel) for n in grid.shape]
        near = np.hypot(qy[:, None], qx[None, :]) <= self.rings[-1] * scale + math.hypot(*cells)
        places = np.flatnonzero(near)
        rows, columns = np.divmod(places, grid.shape[1])
        shares = np.zeros((len(self) + 1, len(places)))
        for dy in fine * cells[0]:
            for dx in fine * cells[1]:
                y, x = qy[rows] + dy, qx[columns] + dx
                ring = np.searchsorted(self.rings, np.hypot(y, x) / scale, side="right") - 1
                for shift in (-_BORDER, _BORDER):
                    turned = np.mod(np.arctan2(y, x) - self.first + shift, 2 * np.pi)
                    sector = np.minimum((turned * self.sectors / (2 * np.pi)).astype(np.int64), self.sectors - 1)
                    segment = np.where((ring >= 0) & (ring < len(self.rings) - 1), ring * self.sectors + sector, -1)
                    shares[segment, np.arange(len(places))] += 0.5 / _FINE**2
        return Masks.of(shares[:-1], places)

    def _borders(self) -> tuple[tuple[float, ...], tuple[float, ...]]:
        return self.rings[:-1], self.rings[1:]


@dataclass(frozen=True, eq=False)
class Masks:
    """Samples of a far field by segment: those of segment s at start[s]:start[s + 1] of `sample`, with `weight`."""

    start: NDArray[np.int64]
    sample: NDArray[np.int64]
    weight: FloatArray

    @staticmethod
    def of(shares: FloatArray, places: NDArray[np.int64]) -> Masks:
        """From the share (segments, n) of each of the samples `places` (n,)."""
        segment, column = np.nonzero(shares)
        start = np.searchsorted(segment, np.arange(len(shares) + 1))
        return Masks(start.astype(np.int64), places[column], shares[segment, column])

    def sums(self, far: NDArray[Any]) -> FloatArray:
        """Light (segments,) of one far-field amplitude (ny, nx) in FFT order; one order of additions for all."""
        out = np.zeros(len(self.start) - 1)
        _sum_segments(out, np.ascontiguousarray(far).reshape(-1), self.start, self.sample, self.weight)
        return out


@njit(cache=True)
def _sum_segments(out, far, start, sample, weight):  # type: ignore[no-untyped-def]
    for s in range(len(out)):
        total = 0.0
        for j in range(start[s], start[s + 1]):
            value = far[sample[j]]
            total += weight[j] * (np.float64(value.real) ** 2 + np.float64(value.imag) ** 2)
        out[s] = total
