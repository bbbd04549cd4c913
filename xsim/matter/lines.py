"""Fluorescence lines of an element and their production cross sections, cascades included.

sigma_line = sigma_vacancy(shell) * fluorescence yield * radiative rate; the vacancies of the L and M shells include
those that radiative and Auger transitions of deeper shells leave (full cascade, xraylib). Primary vacancies are our
own photoabsorption divided among the shells as the partial cross sections of Kissel are. Their thresholds differ from
our absorption edges by up to some eV (O K: 532.0 against 543.1 eV), so each shell is taken at E + (threshold - edge)
and is empty below our edge: excitation thresholds and absorption edges are the same; up to 350 eV above an edge that
stands alone, its shell takes what exceeds the absorption extrapolated from below it. The shares are held constant
above 20 times the K edge, where the partial tables of light elements fail (C at 10 keV: 28 % low in sum).
Rates that differ from those of fisx (EADL, Elam), radiative rates being alike: Ag L3 .93 and Sn L2 .92 by the
Coster-Kronig shares f13 .59 (fisx .74) and f12 .07 (.19), Sr and Zr L2 1.10 to 1.13 by f12 .27, .26 (.14, .09); Hg and
U L3 1.04 and 1.11 by the yields .333 and .489 (.320, .443), W M4 .65 by .0132 (.0200); K of Na at 1.3 keV by the photo
cross section, 10 % (at 3 keV 0.3 %). The shares of L1 have not been held against measurements.
Valid 30 eV - 150 keV for K, L and M lines above 30 eV. Yields: `xsim.matter.yields`.
References: xraylib, doi 10.1016/j.sab.2011.09.011; Kissel partial cross sections, doi 10.1016/S0969-806X(00)00290-5.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from xsim.matter import elements
from xsim.matter.material import Material
from xsim.matter.near_edge import correction
from xsim.matter.yields import fluorescence_yield

_SHELLS = ("K", "L1", "L2", "L3", "M1", "M2", "M3", "M4", "M5")
_PHOTO_SHELLS = (*_SHELLS, *(f"N{n}" for n in range(1, 8)), *(f"O{n}" for n in range(1, 6)), "P1", "P2", "P3")
_OUTER = (
    *(f"{letter}{n}" for letter, last in zip("LMNOPQ", (3, 5, 7, 7, 5, 1), strict=True) for n in range(1, last + 1)),
    *("N67", "O", "O45", "P", "P23", "P45"),  # some are tabulated together only: 1.3 % of Au L3, 3 % of U L3
)


#: where f2 before a measured edge is smooth, and where its shell follows the tables again, relative to it [eV]
BEFORE, TAPER = (-60.0, -30.0), (100.0, 350.0)


@dataclass(frozen=True)
class Line:
    """One line: name in IUPAC notation ("KL3"), family "K", "L" or "M", energy [eV], cross section [m^2 per atom]."""

    element: str
    name: str
    family: str
    energy: float
    cross_section: float


def fluorescence_lines(element: str, energy_eV: float, weakest: float = 1e-3) -> list[Line]:
    """All lines excited in `element` by photons of `energy_eV` [eV], sorted by energy.

    Lines weaker than `weakest` times the strongest of their family are left out. Raises UnknownNameError, RangeError.
    """
    elements.element(element)
    return list(_lines(element, float(elements.checked(energy_eV)), weakest, ()))


def emission(material: Material, energy_eV: float, weakest: float = 1e-3) -> list[tuple[Line, float]]:
    """All lines of a material and the photons of each made per incident photon and length [1/m] at `energy_eV` [eV].

    Near a measured edge the vacancies follow the measured absorption, so that a fluorescence-yield spectrum shows it.
    """
    energy = float(elements.checked(energy_eV))
    found = []
    for symbol, number in material.number_densities.items():
        extra: dict[str, float] = {}
        for near in material.near_edges:
            if near.element == symbol:
                more = near.share * float(correction(near)(np.asarray(energy))[1])
                cross = float(elements.photo_cross_section(np.asarray(more), np.asarray(energy)))
                extra[near.edge] = extra.get(near.edge, 0.0) + cross
        found += [(line, number * line.cross_section) for line in _lines(symbol, energy, weakest, tuple(extra.items()))]
    return found


@lru_cache(maxsize=4096)
def _onset(element: str, edge: str, energy: float) -> tuple[float, float]:
    """How far (0 .. 1) the rule below holds at `energy` [eV], and the f2 [electrons] that it gives the edge's shell.

    Near an edge its shell absorbs all that exceeds the smooth f2 extrapolated from before it, the other shells the
    rest: the tabulated edge is a ramp as wide as its level, and the partial cross sections of L shells rise over some
    ten electron volts above it. Tapers off from 100 to 350 eV above the edge; zero where another edge lies near,
    where the table begins too late for a smooth curve before it, or where its rise is not half to twice what the
    partial cross sections give the shell (L1 of light elements, whose rise the tables do not hold).
    """
    record = elements.element(element)
    middle = record.edges[edge]
    low, high = middle + BEFORE[0], middle + TAPER[1]
    if low < elements.LOWEST or not middle + BEFORE[1] < energy < high:
        return 0.0, 0.0
    if any(low < e < high for name, e in record.edges.items() if name != edge):
        return 0.0, 0.0
    before = middle + np.array(BEFORE)
    first, last = record.factors(before)[1]
    power = np.log(last / first) / np.log(before[1] / before[0])
    above = middle + TAPER[0]
    rise = 1 - last * (above / before[1]) ** power / float(record.factors(above)[1])
    if not 0.5 < rise * _partial_sum(record, above) / max(_partial(record, edge, above), 1e-300) < 2:
        return 0.0, 0.0
    smooth = float(last * (energy / before[1]) ** power)
    u = min(1.0, (high - energy) / (TAPER[1] - TAPER[0]))
    return u * u * (3 - 2 * u), max(float(record.factors(energy)[1]) - smooth, 0.0)


def vacancies(element: str, energy: float, extra: dict[str, float] | None = None) -> dict[str, float]:
    """Vacancies made per fluence in each shell [m^2 per atom] at `energy` [eV], cascades included.

    extra: absorption of single shells beyond the table [m^2 per atom], from a measured near edge.
    """
    import xraylib

    record = elements.element(element)
    f2 = float(record.factors(energy)[1])
    sharing = min(energy, 20 * record.edges["K"])
    near = next((name for name in record.edges if _onset(element, name, energy)[0]), "")
    share, excess = _onset(element, near, energy) if near else (0.0, 0.0)
    total = max(_partial_sum(record, sharing), 1e-300)
    own = _partial(record, near, sharing) if near else 0.0
    per_f2 = float(elements.photo_cross_section(np.asarray(1.0), np.asarray(energy)))
    # what the shell of a near edge leaves to the others
    others = (1 - share) * f2 / total + share * (f2 - excess) / max(total - own, 1e-300)
    per_sum = others * per_f2
    found: dict[str, float] = {}
    for shell in _SHELLS:
        edge = record.edges.get(shell)
        more = (extra or {}).get(shell, 0.0) / per_sum
        if shell == near and (energy >= record.edges[near] or more):
            # before the edge the ramp excites nothing, unless a measured edge says what does
            more += (((1 - share) * f2 / total * own) + share * excess) / others - own
        if edge is None or energy < edge:  # a measured edge, or its ramp, rises before the tabulated one
            found[shell] = max(more, 0.0)
            continue
        found[shell] = max(_shell_vacancies(xraylib, record, shell, sharing, found) + more, 0.0)
    return {shell: value * per_sum for shell, value in found.items()}


def _partial(record: elements.Element, shell: str, energy: float) -> float:
    """Partial cross section [cm^2/g] of a shell at `energy` [eV], 0 below our edge."""
    import xraylib

    if energy < record.edges[shell]:
        return 0.0
    try:
        code = getattr(xraylib, f"{shell}_SHELL")
        return float(xraylib.CS_Photo_Partial(record.z, code, _shifted(xraylib, record, shell, energy)))
    except ValueError:  # the shell is empty in this element, or not tabulated
        return 0.0


def _shifted(xraylib: Any, record: elements.Element, shell: str, energy: float) -> float:
    """The energy [keV] at which the partial tables are read: as far above their threshold as ours above our edge."""
    # a grain above the threshold of the partial cross sections, which refuse their own edge
    above = max(energy - record.edges[shell], 1e-3)
    return float(xraylib.EdgeEnergy(record.z, getattr(xraylib, f"{shell}_SHELL"))) + above / 1e3


@lru_cache(maxsize=4096)
def _partial_sum(record: elements.Element, energy: float) -> float:
    """Sum of the partial cross sections [cm^2/g] of all shells open at `energy` [eV]."""
    import xraylib

    total = 0.0
    for shell in _PHOTO_SHELLS:
        code = getattr(xraylib, f"{shell}_SHELL")
        try:
            known = shell in record.edges
            if known and energy < record.edges[shell]:
                continue
            at = _shifted(xraylib, record, shell, energy) if known else energy / 1e3
            total += xraylib.CS_Photo_Partial(record.z, code, at)
        except ValueError:  # the shell is empty in this element, or not tabulated
            continue
    return total


def _shell_vacancies(
    xraylib: Any, record: elements.Element, shell: str, energy: float, deeper: dict[str, float]
) -> float:
    """Vacancies in one shell [cm^2/g] at `energy` [eV], given those of the deeper shells."""
    try:
        shifted = _shifted(xraylib, record, shell, energy)
        if shell == "K":
            return float(xraylib.CS_Photo_Partial(record.z, xraylib.K_SHELL, shifted))
        inner = [deeper[name] for name in _SHELLS[: _SHELLS.index(shell)]]
        return float(getattr(xraylib, f"P{shell}_full_cascade_kissel")(record.z, shifted, *inner))
    except ValueError:  # the shell is empty in this element, or not tabulated
        return 0.0


@lru_cache(maxsize=4096)
def _lines(element: str, energy: float, weakest: float, extra: tuple[tuple[str, float], ...]) -> tuple[Line, ...]:
    found: list[Line] = []
    made = vacancies(element, energy, dict(extra))
    for family in "KLM":
        lines = [line for shell in _SHELLS if shell[0] == family for line in _of_shell(element, shell, made[shell])]
        strongest = max((line.cross_section for line in lines), default=0.0)
        found += [line for line in lines if line.cross_section >= weakest * strongest]
    return tuple(sorted(found, key=lambda line: line.energy))


def _of_shell(element: str, shell: str, made: float) -> list[Line]:
    if made <= 0:
        return []
    return [Line(element, name, shell[0], line, made * share) for name, line, share in _radiative(element, shell)]


@lru_cache(maxsize=1024)
def _radiative(element: str, shell: str) -> tuple[tuple[str, float, float], ...]:
    """(name, energy [eV], photons per vacancy) of the lines that fill `shell`, above 30 eV."""
    import xraylib

    z = elements.element(element).z
    found = []
    for outer in _OUTER:
        code = getattr(xraylib, f"{shell}{outer}_LINE", None)
        if code is None:
            continue
        try:
            share = fluorescence_yield(z, shell) * xraylib.RadRate(z, code)
            line = 1e3 * xraylib.LineEnergy(z, code)
        except ValueError:  # no such line in this element
            continue
        if share > 0 and line >= elements.LOWEST:
            found.append((f"{shell}{outer}", line, share))
    return tuple(found)
