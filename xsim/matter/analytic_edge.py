"""Near edges by formula, for teaching and for trying what a spectrum could show: an arctangent step and peaks.

    f2(E) = base(E) [1 + (r - 1) s(E)] + sum_i h_i J g_i(E),      s(E) = 1/2 + arctan(2 (E - E0) / w) / pi

base is the atomic f2 without the jump of the edge, r the jump ratio of the table, J = (r - 1) base(E0) the height of
the step, E0 and w position and full width at half maximum of the step's derivative (a Lorentzian: the life time of the
hole). Each peak is a Gaussian or a Lorentzian of full width w_i at half maximum and of height h_i J; a negative one
is a dip. f1 follows by the exact transform of the difference from the atomic table, so that delta and beta agree. The
window ends 40 eV below and 160 eV above all of this (and 20 widths of Lorentzians), with smooth tapers.
Valid as far as the formula is: strength moved by the peaks is not taken from elsewhere. Reference: Outka & Stöhr,
J. Chem. Phys. 88, 3539 (1988), doi 10.1063/1.453902.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from xsim.errors import RangeError
from xsim.matter import elements
from xsim.matter.edge_change import Correction, changed, taper

FloatArray = NDArray[np.float64]

#: what the window holds below and above step and peaks, and the tapers at its two ends [eV]
MARGINS = (40.0, 160.0)
TAPERS = (10.0, 60.0)
#: how many of a peak's widths the window holds on either side; nodes per width
WIDTHS = {"gaussian": 3.0, "lorentzian": 20.0}
NODES = 16


@dataclass(frozen=True)
class Peak:
    """A peak at `position` [eV], of full `width` at half maximum [eV] and `height` in units of the step."""

    position: float
    width: float
    height: float
    form: Literal["gaussian", "lorentzian"] = "gaussian"

    def __call__(self, energy: FloatArray) -> FloatArray:
        """Its value at `energy` [eV], in units of the step."""
        x = 2 * (energy - self.position) / self.width
        if self.form == "gaussian":
            return self.height * np.exp(-np.log(2) * x * x)
        return self.height / (1 + x * x)


@dataclass(frozen=True)
class AnalyticEdge:
    """A near edge of one element by formula.

    position [eV] of the step (None: the tabulated edge); width [eV] of its derivative (None: the level's);
    share: part of the element's atoms that are in this state (below 1 in mixtures).
    """

    element: str
    edge: str
    position: float | None = None
    width: float | None = None
    peaks: tuple[Peak, ...] = ()
    source: str = ""
    share: float = 1.0

    @property
    def step(self) -> tuple[float, float]:
        """Position and width of the step [eV]."""
        tabulated, natural = elements.element(self.element).edge(self.edge)
        return self.position or tabulated, self.width or natural

    @property
    def window(self) -> tuple[float, float]:
        """Where it may change f2 [eV]."""
        tabulated, natural = elements.element(self.element).edge(self.edge)
        places = [
            (tabulated, natural),
            (self.step[0], 0.0),
            *((p.position, WIDTHS[p.form] * p.width) for p in self.peaks),
        ]
        low = min(place - reach for place, reach in places) - MARGINS[0]
        high = max(place + reach for place, reach in places) + MARGINS[1]
        return max(low, elements.LOWEST + 1.0), min(high, elements.HIGHEST - 1.0)


def analytic_correction(near: AnalyticEdge) -> Correction:
    """What the formula adds to the atomic table, for an atom in this state whatever their share.

    Raises UnknownNameError for a wrong edge, RangeError for one without a jump in the table, a place far from the edge
    or an f2 below zero.
    """
    element = elements.element(near.element)
    edge, natural = element.edge(near.edge)
    position, width = near.step
    for name, place in (
        ("position", position),
        *((f"peak[{i}].position", p.position) for i, p in enumerate(near.peaks)),
    ):
        if abs(place - edge) > 0.15 * edge + 20:
            allowed = f"within 15 % and 20 eV of the {near.element} {near.edge} edge, {edge:g} eV"
            raise RangeError("too far from the edge", field=name, value=f"{place:g} eV", allowed=allowed)
    sides = element.factors(np.array([edge - natural / 2, edge + natural / 2]))[1]
    ratio = float(sides[1] / sides[0])
    if ratio < 1.01:
        allowed = "an edge where f2 rises by 1 % or more"
        raise RangeError("the table has no jump at this edge", field="edge", value=near.edge, allowed=allowed)
    nodes = _nodes(near, edge, natural)
    atomic = element.factors(nodes)[1]
    base = atomic / (1 + (ratio - 1) * np.clip((nodes - edge) / natural + 0.5, 0, 1))
    step = 0.5 + np.arctan(2 * (nodes - position) / width) / np.pi
    height = (ratio - 1) * float(np.interp(position, nodes, base))
    shaped = base * (1 + (ratio - 1) * step) + height * sum((peak(nodes) for peak in near.peaks), np.zeros(1))
    difference = taper(nodes, *TAPERS) * (shaped - atomic)
    difference[[0, -1]] = 0.0
    lowest = int(np.argmin(atomic + difference))
    if atomic[lowest] + difference[lowest] <= 0:
        value = f"f2 {atomic[lowest] + difference[lowest]:.3g} at {nodes[lowest]:.6g} eV"
        raise RangeError("the peaks make f2 negative", field="peak", value=value, allowed="f2 > 0")
    return changed(nodes, difference, edge)


def _nodes(near: AnalyticEdge, edge: float, natural: float) -> FloatArray:
    """Energies [eV] between which the difference is linear: fine around edge, step and peaks, coarser away."""
    low, high = near.window
    position, width = near.step
    places = [(edge, natural), (position, width), *((peak.position, peak.width) for peak in near.peaks)]
    parts = [np.arange(low, high, 2.0), np.array([high]), edge + natural * np.array([-0.5, 0.5])]
    for place, across in places:
        near_by = np.linspace(-3, 3, 6 * NODES + 1)
        away = np.geomspace(3, max(4.0, (high - low) / across), 80)
        parts.append(place + across * np.concatenate((-away, near_by, away)))
    nodes = np.concatenate(parts)
    table = elements.element(near.element).energy
    nodes = np.unique(np.concatenate((nodes, table)))
    nodes = nodes[(nodes >= low) & (nodes <= high)]
    return nodes[np.concatenate(([True], np.diff(nodes) > 1e-7 * nodes[1:]))]
