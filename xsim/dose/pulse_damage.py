"""What an X-ray laser pulse does to a particle while it is being scattered: rate equations of an average atom.

For every element and every group g of its electrons (`xsim.dose.shells`), n_g of them left on average,
    dn_g/dt = - F(t) sigma_g n_g/N_g        photoabsorption: a shell that is emptied absorbs no more
              + (N_g - n_g) A_g a^2         holes filled at the rate A_g = width/hbar, a: share left in outer shells,
              - fillers - Auger electrons   of which one falls, and with probability 1 - yield another leaves
              - collisions                  trapped electrons set others free, at twice what binds them
Electrons leave a sphere of the particle's volume or stay in it, as its charge and its size have it
(`xsim.dose.electron_escape`); those that stay give up their energy over their slowing-down time. What they do not
spend on binding energies is the heat E_th of the free electrons. The sphere (radius R, mass M, charge Q) grows alike
everywhere,
    d2R/dt2 = (10/3) E_th/(M R) + Q^2/(4 pi eps0 M R^2),      dE_th/dt = heating - 2 E_th (dR/dt)/R
pushed by its charge and by the pressure of its electrons; and ions are heated by electrons (Spitzer), so that each
atom also strays from its place by sigma along every axis, d2(sigma^2)/dt2 = 2 k T_i/m.

Energy and electrons are conserved (tested). Valid for 300 eV to 30 keV, for up to 200 fs, spheres of 0.5 to 500 nm
and up to 1e22 W/cm2: two-photon absorption, recombination, bonds, Coster-Kronig rates, the rarefaction wave that eats
large particles from outside, and the shielding of the core by trapped electrons are left out. Populations of charge
states are binomial. Not compared with a full simulation beyond the numbers in the tests. References:
Neutze et al., Nature 406, 752 (2000), doi 10.1038/35021099; Hau-Riege, London & Szoke, Phys. Rev. E 69, 051906
(2004), doi 10.1103/PhysRevE.69.051906 (this kind of model); Barty et al., Nature Photon. 6, 35 (2012), doi
10.1038/nphoton.2011.297; NRL Plasma Formulary (Spitzer rate).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.constants import atomic_mass, e, hbar

from xsim.constants import FWHM
from xsim.dose.shells import Shells, shells
from xsim.matter import elements

FloatArray = NDArray[np.float64]
Profile = Literal["flat", "gaussian"]

#: 1 fs: the unit of time inside; energies are in eV, lengths in nm, masses in u
FS, NM = 1e-15, 1e-9
#: hbar [eV fs]
_HBAR = hbar / e / FS
#: holes live at least 2.5 % of the pulse: what is refilled faster is empty for as short, and not worth the steps
_FASTEST = 40.0
#: how much less likely a shell one further out fills a hole
_FURTHER = 0.1


@dataclass(frozen=True)
class Target:
    """A particle as the model sees it: atoms of each element, and the volume [m^3] of the sphere that they fill."""

    atoms: tuple[tuple[str, float], ...]
    volume: float

    @property
    def count(self) -> float:
        """All atoms."""
        return sum(n for _, n in self.atoms)

    @property
    def radius(self) -> float:
        """Radius of the sphere [m]."""
        return float(np.cbrt(3 * self.volume / (4 * np.pi)))

    @property
    def mass(self) -> float:
        """Mass [u]."""
        return sum(n * elements.element(s).weight for s, n in self.atoms)

    @property
    def density(self) -> float:
        """Mass density [kg/m^3]."""
        return self.mass * atomic_mass / self.volume


@dataclass(frozen=True)
class Exposed:
    """The light: fluence [1/m^2] of the whole pulse at photon `energy` [eV], `duration` [s] (FWHM) of its
    `profile`."""

    energy: float
    fluence: float
    duration: float
    profile: Profile = "gaussian"

    def passed(self, time: Any) -> FloatArray:
        """Share of the pulse that has passed at `time` [s] after the middle."""
        from scipy.special import ndtr

        t = np.asarray(time, np.float64) / self.duration
        return np.asarray(ndtr(t * FWHM) if self.profile == "gaussian" else np.clip(t + 0.5, 0, 1))

    def time(self, share: Any) -> FloatArray:
        """When `share` of the pulse has passed [s after its middle]."""
        from scipy.special import ndtri

        share = np.asarray(share, np.float64)
        return np.asarray((ndtri(share) / FWHM if self.profile == "gaussian" else share - 0.5) * self.duration)

    def rate(self, time: float) -> float:
        """Flux over fluence [1/s] at `time` [s]."""
        t = time / self.duration
        if self.profile == "gaussian":
            return float(FWHM / np.sqrt(2 * np.pi) * np.exp(-((t * FWHM) ** 2) / 2) / self.duration)
        return 1 / self.duration if abs(t) <= 0.5 else 0.0

    @property
    def ends(self) -> tuple[float, float]:
        """Beginning and end [s]: a Gaussian is followed over all but 1e-5 of it."""
        return float(self.time(5e-6 if self.profile == "gaussian" else 0.0)), float(
            self.time(1 - 5e-6 if self.profile == "gaussian" else 1.0)
        )


@dataclass(frozen=True, eq=False)
class Coefficients:
    """Everything that does not change: flat arrays over all groups of all elements, (g,) unless said."""

    target: Target
    light: Exposed
    parts: tuple[Shells, ...]
    share: FloatArray  #: of its element among all atoms
    which: NDArray[np.int64]  #: its element
    start: FloatArray  #: electrons of the neutral atom
    sigma: FloatArray  #: cross section of the full group [nm^2]
    auger: FloatArray  #: refilling rate of a hole [1/fs]
    yields: FloatArray
    givers: FloatArray  #: (g, g) weight with which h fills g
    masses: FloatArray  #: (elements,) [u]

    @cached_property
    def slices(self) -> list[slice]:
        """Groups of each element."""
        edges = np.concatenate([[0], np.cumsum([len(p.electrons) for p in self.parts])])
        return [slice(int(a), int(b)) for a, b in pairwise(edges)]

    def depth(self, n: FloatArray) -> FloatArray:
        """Binding energies [eV] of all groups."""
        return np.concatenate([p.depth(n[s]) for p, s in zip(self.parts, self.slices, strict=True)])


@dataclass(frozen=True, eq=False)
class Sources:
    """Electrons set free per atom and fs, by their origin, with their kinetic energies [eV]; all arrays (g,)."""

    change: FloatArray  #: dn/dt of every group, per atom of its element
    absorbed: FloatArray
    photo_energy: FloatArray
    emitted: FloatArray
    auger_energy: FloatArray
    light: float  #: fluorescence that leaves [eV per atom and fs]


def coefficients(target: Target, light: Exposed) -> Coefficients:
    """Gather the atomic data. Raises UnknownNameError, RangeError."""
    import xraylib

    parts = tuple(shells(symbol) for symbol, _ in target.atoms)
    sigma, givers = [], []
    for part in parts:
        _, f2 = elements.element(part.symbol).factors(elements.checked(light.energy))
        total = float(elements.photo_cross_section(f2, np.asarray(light.energy)))
        partial = np.array([_partial(xraylib, part.z, names, light.energy) for names in part.names])
        partial = np.where(light.energy > part.binding, partial, 0)
        if partial.sum() <= 0:  # below every edge of the tables: the outermost electrons absorb
            partial = np.where(part.binding == part.binding.min(), 1.0, 0.0)
        sigma.append(total * partial / partial.sum() / NM**2)
        givers.append(_givers(part))
    size = sum(len(p.electrons) for p in parts)
    table, at = np.zeros((size, size)), 0
    for one in givers:
        table[at : at + len(one), at : at + len(one)] = one
        at += len(one)
    which = np.repeat(np.arange(len(parts)), [len(p.electrons) for p in parts])
    shares = np.array([n for _, n in target.atoms]) / target.count
    return Coefficients(
        target, light, parts, shares[which], which, np.concatenate([p.electrons for p in parts]),
        np.concatenate(sigma), np.concatenate([p.width for p in parts]) / _HBAR, np.concatenate([p.fluorescence for p
        in parts]), table, np.array([elements.element(p.symbol).weight for p in parts]),
    )  # fmt: skip


def _partial(xraylib: Any, z: int, names: tuple[str, ...], energy: float) -> float:
    """Cross section of a group [barn], of its subshells that the photon can reach."""
    total = 0.0
    for name in names:
        try:
            total += float(xraylib.CSb_Photo_Partial(z, getattr(xraylib, f"{name}_SHELL"), energy / 1e3))
        except ValueError:
            continue
    return total


def _givers(part: Shells) -> FloatArray:
    """Weights (g, h) with which group h fills a hole in g: outer shells, nearer ones first."""
    further = part.principal[None, :] - part.principal[:, None]
    return np.where(further > 0, _FURTHER ** np.maximum(further - 1.0, 0), 0.0)


def sources(c: Coefficients, n: FloatArray, depth: FloatArray, time: float) -> Sources:
    """Photoabsorption and refilling at `time` [fs] for n electrons in each group, bound by `depth` [eV]."""
    flux = c.light.fluence * NM**2 * c.light.rate(time * FS) * FS
    absorbed = flux * c.sigma * n / c.start * (depth < c.light.energy)
    weights = c.givers * np.maximum(n, 0.0)
    sums, full = weights.sum(axis=1), c.givers @ c.start
    some = np.maximum(sums, 1e-12)
    ready = np.divide(sums, full, out=np.zeros_like(sums), where=full > 0)
    filled = np.maximum(c.start - n, 0.0) * c.auger * ready**2
    shares = weights / some[:, None]
    outer = shares @ depth
    can = np.maximum(depth - 2 * outer, 0.0)
    leaving = (1 - c.yields) * (can > 0)
    emitted = filled * leaving
    # each refilling takes one electron from outside, each Auger decay another
    change = -absorbed + filled - shares.T @ (filled + emitted)
    light = float(np.sum(c.share * (filled - emitted) * (depth - outer)))
    return Sources(change, absorbed, np.maximum(c.light.energy - depth, 0.0), emitted, can, light)
