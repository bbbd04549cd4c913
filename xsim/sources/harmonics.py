"""Higher harmonics: light of n times the photon energy that a crystal monochromator passes beside the wanted one.

    E_n = n E,    <I> = sum_n w_n I(n E),    sum_n w_n = 1

A crystal set for the wavelength lambda also reflects lambda/n in its n-th order (Si 111 has no second, so the third is
the worst). w_n are shares of all photons in the beam. A specimen or an ion chamber takes little from them, so they
fill up strong absorption: with a share w of a harmonic that is not absorbed, a true density D reads
-ln[(1 - w) e^-D + w], at most -ln w however thick the specimen is. A detuned crystal or a mirror makes w smaller.

Valid for few harmonic photons (together less than all the others). Each order is one line: its own width, at n times
the energy, lies far from the edge under study. References: Stern & Kim, Phys. Rev. B 23, 3781 (1981), doi
10.1103/PhysRevB.23.3781; Bunker, Introduction to XAFS, doi 10.1017/CBO9780511809194, ch. 3.
"""

from __future__ import annotations

from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from xsim.errors import RangeError
from xsim.matter import elements
from xsim.model import Model

Share = Annotated[float, Field(ge=0, lt=0.5)]


class Harmonics(Model):
    """Shares of all photons in the second to fifth order of the monochromator, at 2 to 5 times the energy."""

    second: Share = 0.0
    third: Share = 0.0
    fourth: Share = 0.0
    fifth: Share = 0.0

    @model_validator(mode="after")
    def _few(self) -> Harmonics:
        total = sum(self._shares())
        if total >= 0.5:
            raise RangeError(
                "share of the harmonics together", value=f"{total:g}", allowed="< 0.5", cure="give smaller shares"
            )
        return self

    def _shares(self) -> tuple[float, ...]:
        return self.second, self.third, self.fourth, self.fifth

    @property
    def orders(self) -> dict[int, float]:
        """The share of each higher order that has light."""
        return {n: share for n, share in enumerate(self._shares(), start=2) if share > 0}

    @property
    def fundamental(self) -> float:
        """The share of photons that have the wanted energy."""
        return 1.0 - sum(self._shares())

    def lines(self, energy: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Energies (n,) [eV], the wanted one first, and weights (n,) summing to 1.

        Raises RangeError for a harmonic beyond the tables.
        """
        orders = self.orders
        highest = max(orders, default=1) * energy
        if highest > elements.HIGHEST:
            raise RangeError(
                "energy of a harmonic",
                field="harmonics",
                value=f"{highest:.6g} eV",
                allowed=f"<= {elements.HIGHEST:g} eV",
                cure="leave out the highest order",
            )
        energies = np.array([energy, *(n * energy for n in orders)], np.float64)
        return energies, np.array([self.fundamental, *orders.values()])

    def geometry(self) -> dict[str, float]:
        """What is told of them in files: the share of all harmonics together, nothing where there are none."""
        return {"harmonic_share": 1.0 - self.fundamental} if self.orders else {}
