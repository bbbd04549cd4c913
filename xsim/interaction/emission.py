"""What matter sends out under an X-ray beam: fluorescence in all directions, elastic and Compton scatter into one.

Per metre of material and steradian: fluorescence n sigma_line / 4 pi; scatter n dsigma/dOmega averaged over the
detector's cone, because at 90 degrees in the plane of polarisation the centre alone would give zero. Compton scatter
has the energies that moving electrons give it, in bins narrower than a silicon detector resolves
(`scatter.doppler`). Light scattered twice is left out: about half the optical depth for scatter of the specimen, 1 % in
100 um of ice at 12 keV, 10 % in 1 mm; and so is the bremsstrahlung of photoelectrons, some 1e-5 photons per absorbed
photon and keV below their energy in light matter. Scatter is valid from 1 to 150 keV and is left out below.
References: `xsim.matter.lines`, `xsim.matter.scatter`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from xsim.matter import lines, scatter
from xsim.matter.material import Material

#: photon energies [eV] for which scatter is tabulated
SCATTER_RANGE = (1e3, 150e3)
#: lines below this energy [eV] are left out: tables are uncertain by tens of percent, and no window lets them pass
SOFTEST = 200.0
#: rings and directions per ring over which the detector's cone is averaged
_RINGS, _SPOKES = 4, 12
#: momenta of electrons [atomic units] between which Compton scatter is gathered into one energy; on the side of low
#: energies, where lines are, bins are no wider than a drift detector resolves, or their middles would look like lines
_MOMENTA = (*range(-20, -2), -2, -1.5, -1, -0.5, 0, 0.5, 1, 1.5, 2, 3, 4, 6, 10, 20)


@dataclass(frozen=True, eq=False)
class Group:
    """Photons of one energy [eV]; made: (materials,) [1/(m sr)] per incident photon; element "" for scatter."""

    label: str
    element: str
    family: str
    energy: float
    made: NDArray[np.float64]


@dataclass(frozen=True)
class Cone:
    """What a detector sees: `angle` from the beam, `solid_angle` [sr], `azimuth` from the horizontal [rad].

    polarised: the beam, in the horizontal plane.
    """

    angle: float
    solid_angle: float
    polarised: bool
    azimuth: float = 0.0

    @property
    def direction(self) -> tuple[float, float, float]:
        """Unit vector (x, y, z) from the specimen to the detector."""
        side = math.sin(self.angle)
        if self.azimuth == 0:
            return side, 0.0, math.cos(self.angle)
        return side * math.cos(self.azimuth), side * math.sin(self.azimuth), math.cos(self.angle)

    def directions(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Scattering angles and azimuths [rad] of directions of equal weight that fill the cone."""
        cosine = 1 - (np.arange(_RINGS) + 0.5) / _RINGS * self.solid_angle / (2 * np.pi)
        spoke = 2 * np.pi * (np.arange(_SPOKES) + 0.5) / _SPOKES
        c, s = np.repeat(cosine, _SPOKES), np.sqrt(1 - np.repeat(cosine, _SPOKES) ** 2)
        around = np.tile(spoke, _RINGS)
        across, up = s * np.cos(around), s * np.sin(around)
        x = c * math.sin(self.angle) + across * math.cos(self.angle)
        z = c * math.cos(self.angle) - across * math.sin(self.angle)
        return np.arccos(np.clip(z, -1, 1)), np.arctan2(up, x) + self.azimuth


def groups(materials: tuple[Material, ...], energy: float, cone: Cone) -> list[Group]:
    """All lines from 200 eV of all elements, by energy, then Compton and elastic scatter; `energy` [eV] of the beam."""
    made: dict[tuple[str, str], NDArray[np.float64]] = {}
    known: dict[tuple[str, str], lines.Line] = {}
    for i, material in enumerate(materials):
        for line, rate in lines.emission(material, energy):
            if line.energy < SOFTEST:
                continue
            key = line.element, line.name
            known[key] = line
            made.setdefault(key, np.zeros(len(materials)))[i] += rate / (4 * np.pi)
    order = sorted(known, key=lambda key: (known[key].energy, key))
    found: list[Group] = []
    for key in order:
        line = known[key]
        if found and (line.element, line.energy) == (found[-1].element, found[-1].energy):
            # tables give some lines of a shell one energy: O KL2 and KL3
            last = found.pop()
            found.append(
                Group(f"{last.label}/{line.name}", line.element, line.family, line.energy, last.made + made[key])
            )
        else:
            found.append(Group(f"{line.element} {line.name}", line.element, line.family, line.energy, made[key]))
    return found + _scatter(materials, energy, cone)


def rates(materials: tuple[Material, ...], chosen: list[Group], energy: float) -> list[NDArray[np.float64]]:
    """`made` [1/(m sr)] of some groups when light of `energy` [eV] excites them, (materials,) each."""
    made: dict[tuple[str, str], NDArray[np.float64]] = {}
    for i, material in enumerate(materials):
        for line, rate in lines.emission(material, energy):
            made.setdefault((line.element, line.name), np.zeros(len(materials)))[i] += rate / (4 * np.pi)
    none = np.zeros(len(materials))
    names = [group.label.split(" ")[1].split("/") for group in chosen]
    return [
        np.sum([made.get((group.element, name), none) for name in each], axis=0)
        for group, each in zip(chosen, names, strict=True)
    ]


def _scatter(materials: tuple[Material, ...], energy: float, cone: Cone) -> list[Group]:
    """Compton scatter in bins of energy, widened by the electrons' motion and by the cone, and elastic scatter."""
    center = float(scatter.compton_energy(energy, cone.angle))
    # energies at which electrons of these momenta [atomic units] scatter, to first order in the momentum
    step = np.sqrt(energy**2 + center**2 - 2 * energy * center * np.cos(cone.angle)) * scatter.ALPHA * center / energy
    edges = np.clip(center + step * np.array(_MOMENTA), 0.5 * center, energy)
    edges = np.unique(edges)
    compton, elastic = np.zeros((len(edges) - 1, len(materials))), np.zeros(len(materials))
    if SCATTER_RANGE[0] <= energy <= SCATTER_RANGE[1]:
        theta, phi = cone.directions()
        azimuth = phi if cone.polarised else None
        rings = np.linspace(theta.min(), theta.max(), _RINGS + 1)
        ring = np.clip(np.searchsorted(rings, theta) - 1, 0, _RINGS - 1)
        for i, material in enumerate(materials):
            for symbol, number in material.number_densities.items():
                cross = scatter.compton(symbol, energy, theta, azimuth) / len(theta)
                elastic[i] += number * float(np.mean(scatter.rayleigh(symbol, energy, theta, azimuth)))
                for k in range(_RINGS):
                    at = (rings[k] + rings[k + 1]) / 2
                    found = scatter.doppler(symbol, energy, at, edges)
                    # what bound electrons cannot take, and what lies beyond the bins, keeps the total cross section
                    compton[:, i] += number * cross[ring == k].sum() * found / max(found.sum(), 1e-12)
    middles = (edges[1:] + edges[:-1]) / 2
    names = [f"Compton {k + 1}" for k in range(len(middles))]
    made = [Group(n, "", "scatter", float(e), c) for n, e, c in zip(names, middles, compton, strict=True)]
    return [*made, Group("elastic", "", "scatter", energy, elastic)]
