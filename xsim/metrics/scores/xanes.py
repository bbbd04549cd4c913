"""Where an absorption edge lies and how high its white line stands, from a spectrum that crosses it.

The density, less a line through its first points and over the mean of its last ones (the step), is smoothed by a
Gaussian as wide as the steps at the edge: its steepest rise is E0, its first crossing of one half the half height, its
largest value the white line.
"""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from xsim.errors import RangeError
from xsim.exposure import Array
from xsim.model import Model
from xsim.units import Energy

#: points in each band at least
FEWEST = 3


class XanesScore(Model):
    """NAME_e0, NAME_half [eV] and NAME_white_line of a spectrum.

    of: the noise-free expectation, or what was counted. before: the line is fitted up to this energy; after: the step
    is the mean from here on.
    """

    kind: Literal["xanes"] = "xanes"
    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_]*$")]
    of: Literal["expected", "counts"] = "expected"
    before: Energy
    after: Energy

    def spectrum(self, energies: Array, density: Array) -> dict[str, float]:
        """The scores of a density (n,) at ascending `energies` (n,) [eV]. Raises RangeError for too few points."""
        low, high = energies <= self.before, energies >= self.after
        if low.sum() < FEWEST or high.sum() < FEWEST:
            value = f"{low.sum()} before, {high.sum()} after the edge"
            raise RangeError("points of a spectrum", field="before", value=value, allowed=f">= {FEWEST} each")
        line = np.polynomial.Polynomial.fit(energies[low], density[low], 1)
        norm = density - line(energies)
        norm = norm / norm[high].mean()
        fine = np.arange(energies[0], energies[-1], 0.05)
        width = float(np.diff(energies[~low & ~high]).min()) if (~low & ~high).sum() > 1 else 1.0
        from scipy.ndimage import gaussian_filter1d

        curve = gaussian_filter1d(np.interp(fine, energies, norm), width / 0.05 / 2, mode="nearest")
        inside = (fine > self.before) & (fine < self.after)
        steep = np.where(inside, np.gradient(curve), -np.inf)
        return {
            f"{self.name}_e0": float(fine[np.argmax(steep)]),
            f"{self.name}_half": float(fine[np.argmax(curve >= 0.5)]),
            f"{self.name}_white_line": float(curve[inside].max()),
        }
