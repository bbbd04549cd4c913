"""Linear combination fit: each spectrum as a sum of reference spectra, and from that the chemical species in it.

    -ln(I/I0) = sum_m mu_m(E - shift) t_m + a + b (E - E_mean),    t_m >= 0,    f_m = n_m t_m / sum_j n_j t_j

mu_m is the attenuation of reference material m near its measured edge, averaged over the energy spread that the
measurement tells, t_m its thickness, n_m its atoms of the absorbing element per volume, f_m the share of these atoms
that are in its state. Counts are fitted as Poisson numbers, with the noise of I0; the error bars follow from the
counts alone, so they are those that the dose allows. `poisson = false` fits the densities, weighted by counts.

In fluorescence (`channel = "fluorescence"`) I_f/I0 is fitted with the absorption of the element, on no absolute scale:
right for thin or dilute samples. Over-absorption of thick ones biases the shares, of which a warning tells;
`over_absorption = "layer"` takes it out for a flat sample, by the transmission measured beside
(`xsim.reconstruct._over_absorption`).

References are names of materials of the library, whose measured spectra they are. Shares are given where the amount of
all references together exceeds `faintest` of its 99th percentile and three standard errors. With `shift`, one shift of
all energies is fitted to the sum of all spectra first, within +-`within`.
References: Malinowski, Factor Analysis in Chemistry; Koprinarov et al., J. Phys. Chem. B 106, 5358 (2002), doi
10.1021/jp013281l; Lengke et al. (2006), doi 10.1021/es061040r, from whose work gold's references are.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal

import numpy as np
from pydantic import Field, field_validator

from xsim.errors import RangeError
from xsim.exposure import Array, Axis, Measurement, Truth, incident_photons, lookup, one_channel
from xsim.model import Model
from xsim.reconstruct._combination import Combination, combined, counted_combination, warn_of_misfit
from xsim.reconstruct._data import refuse
from xsim.reconstruct._over_absorption import layer_share, warn_of_flattening
from xsim.reconstruct._protocol import Reconstruction
from xsim.reconstruct._stack import Stack, stack, why_no_stack
from xsim.reconstruct.energy_fit import check_apart
from xsim.sources.bandwidth import Bandwidth
from xsim.units import Energy

#: references at most: every subset of them is tried
MOST = 6


class LinearCombination(Model):
    """Shares of species by a fit of reference spectra. element: whose atoms count (found in the references if absent).

    background: what is fitted beside the references; non_negative: thicknesses are; faintest: amount, in parts of the
    largest, below which no shares are given.
    """

    kind: Literal["lcf"] = "lcf"
    techniques: ClassVar[tuple[str, ...]] = ("absorption", "stxm", "full_field", "microprobe")
    preference: ClassVar[int] = -1
    references: tuple[str, ...] = ()
    element: str | None = None
    background: Literal["none", "constant", "linear"] = "linear"
    non_negative: bool = True
    poisson: bool = True
    shift: bool = False
    within: Energy = 5.0
    channel: Literal["transmission", "fluorescence"] = "transmission"
    over_absorption: Literal["keep", "layer"] = "keep"
    faintest: float = Field(default=0.1, ge=0, lt=1)

    @field_validator("references")
    @classmethod
    def _few(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if len(value) > MOST or len(set(value)) < len(value):
            raise RangeError("references", value=", ".join(value), allowed=f"at most {MOST}, all different")
        return value

    def accepts(self, measurement: Measurement) -> str:
        """Why it cannot reconstruct this measurement; empty if it can."""
        reason = why_no_stack(measurement)
        unknowns = len(self.references) + len(self._smooth(np.zeros(1)).T)
        count = len(np.unique(np.asarray(measurement.frames["energy"])))
        if not reason and count <= unknowns:
            return f"{count} photon energies do not tell {unknowns} unknowns apart"
        return reason

    def __call__(self, measurement: Measurement) -> Reconstruction:
        """Thickness [m] of each reference (amounts in fluorescence), with the shares of atoms among the extras.

        Raises FileError, RangeError, UnknownNameError.
        """
        refuse(measurement, self.kind, self.accepts(measurement))
        if not self.references:
            cure = """name the spectra to fit: --set 'references=["gold", "gold_sulphide"]'"""
            raise RangeError("a fit without references", field="references", value="[]", cure=cure)
        spectra = stack(measurement)
        known = References.of(self.references, self.element, spectra.energies, measurement, self.channel)
        if self.channel == "fluorescence":
            spectra = self._yielded(measurement, spectra, known.element)
        moved, error = self._shift(spectra, known) if self.shift else (0.0, 0.0)
        columns = np.column_stack([known.columns(spectra.energies - moved), self._smooth(spectra.energies)])
        check_apart(columns, (*self.references, "background"))
        found = self._fit(columns, spectra)
        told = {"energy_shift [eV]": moved, "energy_shift_error [eV]": error} if self.shift else {}
        return self._told(found, spectra, known, told, columns)

    def _yielded(self, measurement: Measurement, transmitted: Stack, element: str) -> Stack:
        """I_f/I0 in place of the photons; of a layer, as it would be without over-absorption."""
        found = _fluorescence(measurement, transmitted)
        correct = self.over_absorption == "layer"
        if not correct and lookup(measurement, "fluorescence_angle") is None:
            return found
        if not correct and float(lookup(measurement, "fluorescence_angle")) <= np.pi / 2:
            return found
        share, slope = layer_share(measurement, transmitted, element)
        if not correct:
            warn_of_flattening(share)
            return found
        value = found.counted / share[:, None]
        # the transmission is a measurement of its own, with noise of its own
        noise = (value * slope[:, None]) ** 2 / transmitted.counted
        return replace(found, counted=value, variance=found.variance / share[:, None] ** 2 + noise)

    def _smooth(self, energies: Array) -> Array:
        """Columns (e, 0 to 2) of the background."""
        count = {"none": 0, "constant": 1, "linear": 2}[self.background]
        span = max(float(np.ptp(energies)), 1e-9)
        return np.stack([np.ones(len(energies)), (energies - energies.mean()) / span], axis=1)[:, :count]

    def _fit(self, columns: Array, spectra: Stack) -> Combination:
        bound = len(self.references) if self.non_negative else 0
        if self.channel == "fluorescence":
            return combined(columns, spectra.counted, 1 / spectra.variance, bound)
        return counted_combination(columns, spectra.counted, spectra.blank, spectra.variance, bound, self.poisson)

    def _shift(self, spectra: Stack, known: References) -> tuple[float, float]:
        """The shift of the energies [eV] at which the sum of all spectra fits best, and its standard error."""
        from scipy.optimize import minimize_scalar

        total = spectra.summed(self.channel == "fluorescence")

        def misfit(moved: float) -> float:
            columns = np.column_stack([known.columns(total.energies - moved), self._smooth(total.energies)])
            return float(self._fit(columns, total).chi2[0]) * max(1, len(columns) - columns.shape[1])

        trials = np.linspace(-self.within, self.within, 21)
        start = float(trials[np.argmin([misfit(float(t)) for t in trials])])
        step = self.within / 10
        low, high = max(-self.within, start - step), min(self.within, start + step)
        best = minimize_scalar(misfit, bounds=(low, high), method="bounded", options={"xatol": 1e-3})
        x, d = float(best.x), 0.05
        curvature = (misfit(x + d) - 2 * misfit(x) + misfit(x - d)) / d**2
        return x, float(np.sqrt(2 / curvature)) if curvature > 0 else float("inf")

    def _told(
        self, found: Combination, spectra: Stack, known: References, told: dict[str, float], columns: Array
    ) -> Reconstruction:
        count, shape = len(self.references), spectra.shape
        amounts, covariance = found.amounts[:count], found.covariance[:, :count, :count]
        share, share_error, holds = shares(amounts, covariance, known.atoms, self.faintest)
        error = np.sqrt(np.einsum("pii->ip", covariance))
        named = (Axis("material", np.array(self.references)), *spectra.axes)
        extras = {
            "fraction": Truth(share.reshape(count, *shape), named),
            "fraction_error": Truth(share_error.reshape(count, *shape), named),
            "atoms_per_volume": Truth(known.atoms, named[:1], "1/m^3"),
            "chi2": Truth(found.chi2.reshape(shape), spectra.axes),
            **self._curves(found, spectra, holds, columns),
        }
        if self.channel == "transmission":
            every = found.chi2[holds] if holds.any() else found.chi2
            warn_of_misfit(every, columns.shape[0] - columns.shape[1])
        told = told | {"chi2_per_freedom": float(np.median(found.chi2)), "points_with_shares": float(holds.sum())}
        if holds.any():
            told |= {
                f"fraction_{n}": float(v) for n, v in zip(self.references, known.whole(amounts, holds), strict=True)
            }
        thin = self.channel == "transmission"
        return Reconstruction(
            amounts.reshape(count, *shape),
            named,
            "m" if thin else "",
            "linear combination of reference spectra",
            "thickness" if thin else "amount",
            error=error.reshape(count, *shape),
            extras=extras,
            numbers=told,
        )

    def _curves(self, found: Combination, spectra: Stack, holds: Array, columns: Array) -> dict[str, Truth]:
        """Mean spectrum of the points with shares, its fit, and what of the fit each reference makes."""
        axis = Axis("energy", spectra.energies, "eV")
        chosen = holds if holds.any() else np.ones(len(holds), bool)
        thin = self.channel == "transmission"
        measured = (spectra.density if thin else spectra.counted)[:, chosen].mean(axis=1)
        amounts = found.amounts[:, chosen].mean(axis=1)
        curves = {"spectrum": measured, "fit": columns @ amounts}
        parts = {f"part_{name}": columns[:, k] * amounts[k] for k, name in enumerate(self.references)}
        return {name: Truth(curve, (axis,)) for name, curve in (curves | parts).items()}


@dataclass(frozen=True, eq=False)
class References:
    """Reference materials, their atoms of the absorbing element per volume [1/m^3], and how their light was spread."""

    materials: tuple[Any, ...]
    element: str
    atoms: Array
    spread: float
    channel: str

    @staticmethod
    def of(
        names: tuple[str, ...], element: str | None, energies: Array, measurement: Measurement, channel: str
    ) -> References:
        """Look the materials up. Raises UnknownNameError, RangeError for a reference without the element."""
        from xsim.matter import library

        found = tuple(library.find(name) for name in names)
        symbol = element or lookup(measurement, "element") or _common_element(found, energies)
        atoms = np.array([m.number_densities.get(symbol, 0.0) for m in found])
        if not atoms.all():
            missing = next(m.name for m, n in zip(found, atoms, strict=True) if not n)
            cure = "leave it out of the references, or name another element"
            raise RangeError(f"a reference holds no {symbol}", field="references", value=missing, cure=cure)
        spread = lookup(measurement, "energy_spread")
        return References(found, str(symbol), atoms, float(spread or 0.0), channel)

    def columns(self, energies: Array) -> Array:
        """mu [1/m] of each reference at `energies` (e,) [eV] in the measurement's light, (e, references)."""
        width = Bandwidth(relative_width=self.spread / float(energies.mean()), samples=31)
        lines, weights = width.lines(float(energies.mean()))
        away = lines - float(energies.mean())
        return np.column_stack([self._mu(m, energies[:, None] + away) @ weights for m in self.materials])

    def _mu(self, material: Any, energies: Array) -> Array:
        if self.channel == "transmission":
            return np.asarray(material.optics(energies).mu_total)
        f2 = np.asarray(material.factors(self.element, energies)[1])  # mu is proportional to f2 / E
        return material.number_densities[self.element] * f2 / energies

    def whole(self, amounts: Array, holds: Array) -> Array:
        """Share of each reference in all atoms of the points that hold some."""
        atoms = (self.atoms[:, None] * amounts)[:, holds].sum(axis=1)
        return np.asarray(atoms / atoms.sum())


def shares(amounts: Array, covariance: Array, atoms: Array, faintest: float) -> tuple[Array, Array, Array]:
    """Share of atoms in each state and its standard error (m, p), NaN where there is too little; where there is enough.

    amounts (m, p) with covariance (p, m, m); atoms (m,) per amount.
    """
    held = atoms[:, None] * amounts
    spread = covariance * np.outer(atoms, atoms)
    total = held.sum(axis=0)
    error = np.sqrt(np.maximum(spread.sum(axis=(1, 2)), 0))
    # the percentile, not the largest: one bright speck must not hide all others
    holds = (total > faintest * np.percentile(total, 99)) & (total > 3 * error) if total.size > 1 else total > 3 * error
    safe = np.where(holds, total, 1.0)
    share = np.where(holds, held / safe, np.nan)
    slope = (np.eye(len(atoms))[:, :, None] - np.where(holds, held / safe, 0)[:, None, :]) / safe
    variance = np.einsum("ijp,pjk,ikp->ip", slope, spread, slope, optimize=True)
    return share, np.where(holds, np.sqrt(np.maximum(variance, 0)), np.nan), np.asarray(holds)


def _common_element(materials: tuple[Any, ...], energies: Array) -> str:
    """The element of all references that has an edge among the energies."""
    from xsim.matter import elements

    held = [set(m.number_densities) for m in materials]
    low, high = float(energies.min()), float(energies.max())
    for symbol in sorted(set.intersection(*held)):
        if any(low < edge < high for edge in elements.element(symbol).edges.values()):
            return symbol
    raise RangeError(
        "the references share no element with an edge among the energies",
        field="element",
        value=", ".join(m.name for m in materials),
        cure="scan across an edge, or name the element whose atoms count",
    )


def _fluorescence(measurement: Measurement, spectra: Stack) -> Stack:
    """I_f / I0 in place of the photons, with its variance, (energies, 1) each."""
    one = one_channel(measurement, "fluorescence")
    counts = np.ravel(np.asarray(one.counts, np.float64))
    if len(counts) != len(spectra.energies):
        raise RangeError("a fit of fluorescence", value=f"{len(counts)} frames", allowed="one per photon energy")
    order = np.argsort(np.asarray(one.frames["energy"]), kind="stable")
    blank, variance = incident_photons(one)
    value = counts / blank
    spread = (np.maximum(counts, 1) + counts**2 * variance) / blank**2
    return Stack(spectra.energies, value[order][:, None], blank[order][:, None], spread[order][:, None], ())
