"""The dose of each copy against the number of copies, for the feature of a plan: a table and a picture."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from xsim.dose.required import required_dose
from xsim.dose.sharing import GARMAN, HENDERSON, Share, sharing
from xsim.planner.plan import nearest_to_axis, smallest
from xsim.specimen.specimen import Specimen

#: copies from one particle to a crystal of a few micrometres; more would ask for detail finer than atoms
COPIES = tuple(10.0**power for power in range(9))


@dataclass(frozen=True)
class SharingPlan:
    """The curve for a feature (its material and that around it) at a photon energy [eV]."""

    feature: str
    background: str
    energy: float
    shares: tuple[Share, ...]
    nanometre: float  #: dose [Gy] of one copy alone for detail of 1 nm

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        rows = [asdict(share) for share in self.shares]
        return {
            "feature": self.feature,
            "background": self.background,
            "energy": self.energy,
            "dose_for_1nm": self.nanometre,
            "copies": rows,
        }


def sharing_plan(specimen: Specimen, energy: float, feature: str | None = None) -> SharingPlan:
    """The curve for one particle of population `feature` (the smallest if None) at `energy` [eV]."""
    particle = nearest_to_axis(specimen, feature or smallest(specimen))
    host = particle.host
    one = required_dose(particle.material, host, 1e-9, energy)
    found = sharing(particle.material, host, energy, COPIES)
    return SharingPlan(particle.material.name, host.name if host else "vacuum", energy, tuple(found), one)


def sharing_figure(plan: SharingPlan) -> Any:
    """A figure: the dose each copy takes at its best resolution, and that resolution, against the number of copies."""
    from xsim.report.figures import draw
    from xsim.report.panels import Curves, Line

    copies = np.array([share.copies for share in plan.shares])
    sizes = np.array([share.size for share in plan.shares])
    dose = Curves(
        "Dose per copy", "copies", "dose [Gy]",
        (
            Line("at its best resolution (1e8 Gy per nm)", copies, np.array([share.dose for share in plan.shares])),
            Line("for 1 nm", copies, plan.nanometre / copies),
            Line("Garman 30 MGy", copies, np.full(len(copies), GARMAN)),
            Line("Henderson 20 MGy", copies, np.full(len(copies), HENDERSON)),
        ), log_x=True, log_y=True,
    )  # fmt: skip
    title = f"Resolution, {plan.feature} in {plan.background}, {plan.energy / 1e3:g} keV"
    return draw([[Curves(title, "copies", "resolution [nm]", (Line("", copies, sizes * 1e9),), True, True), dose]])
