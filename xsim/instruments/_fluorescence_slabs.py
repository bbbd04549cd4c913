"""Where a specimen is cut into slabs along the beam, so that absorption in it and the spot are followed.

Flat layers are exact however thick: one slab each, for no spot sees a difference in them. Bodies are cut so finely that
a slab is a tenth of an absorption length on the way in and out together, which leaves some 0.7 % of error in their
light (7 % times that depth), and no deeper than the focus. Tilted layers, and ways out within 10 degrees of the slabs,
need slabs all alike.
"""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from xsim.errors import SamplingWarning
from xsim.interaction.fluorescence import crosses_slabs
from xsim.matter.lines import emission
from xsim.specimen.specimen import Specimen
from xsim.waves.grid import Grid

Array = NDArray[np.float64]

#: optical depth of a slab that is aimed at, where a warning is due, and limits of the number of slabs
DEPTH, TOO_DEEP, FEWEST_SLABS, MOST_SLABS = 0.1, 0.2, 4, 64
#: error of a body's light per optical depth of a slab, by an exact integral over spheres
ERROR = 0.07
#: lines below this energy [eV] do not decide the number of slabs: no window lets them pass
SEEN = 1e3


@dataclass(frozen=True)
class Ways:
    """The specimen seen by a beam of `energy` [eV] and along `directions` (unit vectors) to the detectors."""

    specimen: Specimen
    energy: float
    directions: tuple[tuple[float, float, float], ...]

    @property
    def free(self) -> bool:
        """Whether slabs may differ in thickness."""
        flat = abs(abs(self.specimen.layers.normal[2]) - 1) < 1e-12
        return flat and all(crosses_slabs(d) for d in self.directions)

    @property
    def span(self) -> tuple[float, float]:
        """Lowest and highest z [m] between which the specimen differs from place to place; (0, 0) if nowhere."""
        spans = [p.z_range for p in self.specimen.populations if len(p)]
        if not self.free:
            return self.specimen.z_range
        return (min(a for a, _ in spans), max(b for _, b in spans)) if spans else (0.0, 0.0)

    def count(self, grid: Grid, focus_depth: float) -> int:
        """Slabs of the span so thin that no voxel is optically thick on the way in or out, nor deeper than the focus.

        focus_depth: to either side [m]. May warn.
        """
        low, high = self.span if self.free else self.specimen.z_range_on(grid)
        whole = {m: float(t.max()) for m, t in self.specimen.thickness(grid, low, high).items() if t.any()}
        seen = {line.energy for m in whole for line, _ in emission(m, self.energy) if line.energy >= SEEN}
        slant = max(min(abs(d[2]) for d in self.directions), math.cos(math.radians(80)))

        def depth(at: float) -> float:
            return sum(float(m.optics(at).mu_total) * t for m, t in whole.items())

        deepest = depth(self.energy) + max((depth(at) for at in seen), default=0.0) / slant
        wanted = max(math.ceil(deepest / DEPTH), math.ceil((high - low) / focus_depth))
        slabs = int(np.clip(wanted, FEWEST_SLABS, MOST_SLABS))
        if deepest / slabs > TOO_DEEP:
            warnings.warn(
                f"voxels are {deepest / slabs:.2g} absorption lengths deep, should be <= {TOO_DEEP}: the softest lines "
                f"of thick bodies err by about {min(100 * ERROR * deepest / slabs, 100):.0f} %; set slabs = "
                f"{math.ceil(deepest / DEPTH)}",
                SamplingWarning,
                stacklevel=5,
            )
        return slabs

    def cuts(self, grid: Grid, slabs: int | None, focus_depth: float) -> int | Array:
        """Edges of the slabs along z [m], or how many where all are alike.

        slabs: how many to cut the span (or uniform layers) into, None: as many as needed.
        """
        if not self.free:
            return slabs or self.count(grid, focus_depth)
        layers, (low, high) = self.specimen.layers, self.span
        bounds = layers.edges * layers.normal[2] if len(layers) else np.zeros(0)
        if high > low:
            bounds = np.append(bounds, np.linspace(low, high, (slabs or self.count(grid, focus_depth)) + 1))
        elif slabs:
            bounds = np.append(bounds, np.linspace(*self.specimen.z_range, slabs + 1))
        edges = np.unique(bounds)
        # no slivers between two edges that mean the same plane
        return np.asarray(edges[np.append(True, np.diff(edges) > 1e-9 * np.ptp(edges))]) if len(edges) > 1 else 1
