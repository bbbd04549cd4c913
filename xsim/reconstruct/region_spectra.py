"""Spectra of single particles in a stack: the light of all points of a region together, I0 from an empty area.

    D_R(E) = ln( sum_R I0 / sum_R I ) - ln( sum_0 I0 / sum_0 I )

R are the points of a region, 0 those of the empty area, which takes away windows, matrix and whatever the measured I0
misses. Transmissions are averaged, not densities, so no noise is taken the logarithm of; a region thick in some
points looks weaker, as in any beam as wide as it. Regions are a disk (`at`, `radius`), or the particles: connected
points whose spectrum changes by more than Otsu's threshold, largest first. The empty area is the `empty` part of all
points outside with the lowest density (smoothed over 3 x 3 points), at least four.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

import numpy as np
from pydantic import Field

from xsim.errors import RangeError
from xsim.exposure import Array, Axis, Measurement, Truth
from xsim.model import Model
from xsim.reconstruct._data import refuse
from xsim.reconstruct._protocol import Reconstruction
from xsim.reconstruct._stack import Stack, stack, why_no_stack
from xsim.reconstruct.clusters import occupied
from xsim.units import Length, PositiveLength

#: points of the empty area at least
FEWEST = 4


class RegionSpectra(Model):
    """Spectra of regions: a disk (at, radius [m]), or the `most` largest particles of `smallest` points and more."""

    kind: Literal["region_spectra"] = "region_spectra"
    techniques: ClassVar[tuple[str, ...]] = ("stxm", "full_field", "microprobe")
    preference: ClassVar[int] = -1
    at: tuple[Length, Length] | None = None
    radius: PositiveLength = 100e-9
    most: Annotated[int, Field(ge=1, le=100)] = 6
    smallest: Annotated[int, Field(ge=1)] = 4
    empty: float = Field(default=0.2, gt=0, le=1)

    def accepts(self, measurement: Measurement) -> str:
        """Why it cannot reconstruct this measurement; empty if it can."""
        return why_no_stack(measurement)

    def __call__(self, measurement: Measurement) -> Reconstruction:
        """Density (regions, energies) with its standard error. Raises FileError, RangeError where nothing is found."""
        refuse(measurement, self.kind, self.accepts(measurement))
        spectra = stack(measurement)
        if len(spectra.axes) != 2:
            raise RangeError("regions of an image", value=f"{len(spectra.axes)} axes", allowed="y, x")
        regions = self._disk(spectra) if self.at is not None else self._particles(spectra)
        blank = self._empty(spectra, regions)
        number = int(regions.max())
        found = [_density(spectra, regions == k, blank) for k in range(1, number + 1)]
        mask = np.where(blank, -1, regions).reshape(spectra.shape)
        axes = (Axis("region", np.arange(1, number + 1)), Axis("energy", spectra.energies, "eV"))
        return Reconstruction(
            np.stack([density for density, _ in found]),
            axes,
            "",
            "optical density of regions",
            "region_density",
            error=np.stack([error for _, error in found]),
            extras={"mask": Truth(mask, spectra.axes)},
            numbers={"regions": float(number), "empty_points": float(blank.sum())},
        )

    def _disk(self, spectra: Stack) -> Array:
        y, x = (np.asarray(axis.values, np.float64) for axis in spectra.axes)
        (across, up), inside = self.at or (0.0, 0.0), np.zeros(spectra.shape, bool)
        inside |= np.hypot(y[:, None] - up, x[None, :] - across) <= self.radius
        if not inside.any():
            value = f"({across:.4g}, {up:.4g}) m, radius {self.radius:.3g} m"
            raise RangeError("a region without points", field="at", value=value, allowed="within the scanned field")
        return inside.ravel().astype(np.int64)

    def _particles(self, spectra: Stack) -> Array:
        from skimage.measure import label

        found = label(occupied(spectra).reshape(spectra.shape), connectivity=2).ravel()
        sizes = np.bincount(found)
        sizes[0] = 0
        order = [k for k in np.argsort(-sizes, kind="stable") if sizes[k] >= self.smallest][: self.most]
        if not order:
            cure = "name a region with at and radius"
            raise RangeError("no particle stands out", value="0", allowed=f">= {self.smallest} points", cure=cure)
        out = np.zeros(len(found), np.int64)
        for rank, k in enumerate(order, start=1):
            out[found == k] = rank
        return out

    def _empty(self, spectra: Stack, regions: Array) -> Array:
        from scipy.ndimage import binary_dilation, uniform_filter

        mean = uniform_filter(spectra.density.mean(axis=0).reshape(spectra.shape), 3, mode="nearest").ravel()
        held = occupied(spectra) | (regions > 0)
        near = binary_dilation(held.reshape(spectra.shape), iterations=2).ravel()
        outside = np.flatnonzero(~near)
        if len(outside) < FEWEST:
            cure = "scan a larger field"
            raise RangeError("points outside all regions", value=len(outside), allowed=f">= {FEWEST}", cure=cure)
        count = max(FEWEST, round(self.empty * len(outside)))
        blank = np.zeros(len(regions), bool)
        blank[outside[np.argsort(mean[outside], kind="stable")[:count]]] = True
        return blank


def _density(spectra: Stack, region: Array, empty: Array) -> tuple[Array, Array]:
    """Density (energies,) of a region against the empty area, and its standard error."""
    total, variance = np.zeros(len(spectra.energies)), np.zeros(len(spectra.energies))
    for chosen, sign in ((region, -1.0), (empty, 1.0)):
        counted, blank = spectra.counted[:, chosen], spectra.blank[:, chosen]
        total += sign * np.log(counted.sum(axis=1) / blank.sum(axis=1))
        share = blank / blank.sum(axis=1, keepdims=True)
        variance += 1 / counted.sum(axis=1) + np.sum(share**2 * spectra.variance[:, chosen], axis=1)
    return total, np.sqrt(variance)
