"""The techniques of a scenario compared: which shows the feature, at what dose, and what limits it.

For every instrument the ideal observer's signal-to-noise ratio (`xsim.planner.detectability`) of one particle is scaled
to the Rose criterion, SNR = 5: fluence, dose and time all grow by (5 / SNR)^2. The dose is that of the most
sensitive material that holds the particle, compared with the tolerable dose at the particle's size (1e8 Gy per nm,
Howells et al. 2009, doi 10.1016/j.elspec.2008.10.008). The verdict names what stands in the way: nothing (it is seen as
described), dose (seen only beyond what the specimen survives), or time (it survives, but needs more light).
Noise is photon noise alone, and the observer knows where to look and what for: a bound that no algorithm beats.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from xsim.dose.required import HOWELLS, ROSE
from xsim.errors import RangeError
from xsim.metrics.line_limits import LineLimit
from xsim.planner.detectability import Detectability, detectability
from xsim.planner.line_limits import expected_limits
from xsim.specimen.population import Population
from xsim.specimen.specimen import Specimen

#: the verdict on a particle that no light makes visible
HIDDEN = "does not show"


@dataclass(frozen=True)
class Outlook:
    """One technique's prospect for the feature.

    snr: as described; dose: of the material around it as described [Gy]; needed_dose [Gy], needed_time [s] and
    needed_photons for SNR 5 (infinite if it does not show at all); tolerable [Gy]; share: needed over tolerable dose.
    """

    instrument: str
    kind: str
    snr: float
    material: str
    dose: float
    needed_dose: float
    needed_time: float
    needed_photons: float
    tolerable: float
    share: float
    verdict: str
    limits: tuple[LineLimit, ...] = ()


@dataclass(frozen=True)
class Plan:
    """The feature looked for, its diameter [m] and the outlook of each instrument."""

    feature: str
    size: float
    outlooks: tuple[Outlook, ...]

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for JSON (infinite ones as None)."""
        rows = [
            {k: None if isinstance(v, float) and not math.isfinite(v) else v for k, v in asdict(o).items()}
            for o in self.outlooks
        ]
        return {"feature": self.feature, "size": self.size, "criterion": f"SNR = {ROSE:g}", "instruments": rows}


def plan(
    specimen: Specimen,
    instruments: Mapping[str, Any],
    feature: str | None = None,
    tell: Callable[[str, int, int], None] | None = None,
) -> Plan:
    """Compare `instruments` for one particle of the population `feature` (the smallest particles if None)."""
    name = feature or smallest(specimen)
    particle = nearest_to_axis(specimen, name)
    index = int(particle.index[0])
    size = 2 * float(np.cbrt(particle.volumes[0] * 3 / (4 * np.pi)))
    outlooks = []
    for done, (label, instrument) in enumerate(instruments.items()):
        if tell is not None:
            tell("comparing", done, len(instruments))
        found = detectability(specimen, instrument, name, index)
        limits = expected_limits(specimen, instrument)
        outlooks.append(replace(_outlook(label, instrument.kind, found, particle, size), limits=tuple(limits)))
    if tell is not None:
        tell("comparing", len(instruments), len(instruments))
    return Plan(f"{name}[{index}]", size, tuple(outlooks))


def smallest(specimen: Specimen) -> str:
    """The population of the smallest particles; raises RangeError if there are none."""
    groups = [p for p in specimen.populations if len(p)]
    if not groups:
        raise RangeError("nothing to look for", field="specimen", value="no population", cure="add a population")
    return min(groups, key=lambda p: float(np.median(p.volumes))).name


def nearest_to_axis(specimen: Specimen, name: str) -> Population:
    """The particle of `name` nearest to the axis x = y = 0, where every instrument looks."""
    parts = specimen.population(name)
    places = [(float(np.hypot(*p.poses.positions[i, :2])), k, i) for k, p in enumerate(parts) for i in range(len(p))]
    _, k, i = min(places)
    return parts[k].take(np.array([i]))


def _outlook(label: str, kind: str, found: Detectability, particle: Population, size: float) -> Outlook:
    host = particle.host.name if particle.host is not None else particle.material.name
    dose = found.dose[host].max if host in found.dose else math.nan
    factor = (ROSE / found.snr) ** 2 if found.snr > 0 else math.inf
    tolerable = HOWELLS(size)
    needed = dose * factor
    return Outlook(
        instrument=label,
        kind=kind,
        snr=found.snr,
        material=host,
        dose=dose,
        needed_dose=needed,
        needed_time=found.time * factor,
        needed_photons=found.photons * factor,
        tolerable=tolerable,
        share=needed / tolerable,
        verdict=_verdict(factor, needed, tolerable),
    )


def _verdict(factor: float, needed: float, tolerable: float) -> str:
    if factor == math.inf or needed > 1e6 * tolerable:
        return HIDDEN
    if needed > tolerable:
        return "limited by dose"
    return "seen" if factor <= 1 else f"needs {factor:.3g} times the light"
