"""The light of a beam set for one energy: lines of the monochromator's resolution, each with its higher harmonics."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from xsim.exposure import Illumination


@dataclass(frozen=True)
class BeamLine:
    """`share` of the beam's photons at `energy` [eV], in the `order` of the monochromator (1: the wanted light)."""

    order: int
    energy: float
    share: float


def beam_lines(instrument: Any, energy: float) -> list[BeamLine]:
    """The light of `instrument` set for `energy` [eV], shares summing to 1, each order's middle first.

    A harmonic is one line: its own width lies far from the edge under study. Raises RangeError for a harmonic beyond
    the tables.
    """
    energies, shares = instrument.harmonics.lines(energy)
    lines, weights = instrument.bandwidth.lines(energy)
    spread = sorted(zip(lines.tolist(), weights.tolist(), strict=True), key=lambda one: abs(one[0] - energy))
    wanted = [BeamLine(1, line, float(shares[0]) * weight) for line, weight in spread]
    orders = zip(instrument.harmonics.orders, energies[1:], shares[1:], strict=True)
    return [*wanted, *(BeamLine(order, float(at), float(share)) for order, at, share in orders)]


def with_harmonics(instrument: Any, found: list[Illumination]) -> list[Illumination]:
    """The fluence of all photons shared among the wanted light and each harmonic at its own energy."""
    harmonics = instrument.harmonics
    if not harmonics.orders:
        return found
    shares = {1: harmonics.fundamental, **harmonics.orders}
    return [replace(i, energy=n * i.energy, fluence=w * i.fluence) for i in found for n, w in shares.items()]
