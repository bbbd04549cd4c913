"""Given positions, written in the scenario: `placement = { kind = "at", positions = [["0 nm", "0 nm", "0 nm"]] }`."""

from __future__ import annotations

from typing import Literal

import numpy as np

from xsim.errors import ScenarioError
from xsim.model import Model
from xsim.specimen.placements._job import Job
from xsim.specimen.shape import Poses
from xsim.units import Length


class At(Model):
    """One particle at each of `positions` (x, y, z) [m]; the origin is the centre of the specimen."""

    kind: Literal["at"] = "at"
    positions: list[tuple[Length, Length, Length]] = [(0.0, 0.0, 0.0)]  # noqa: RUF012  (pydantic copies it)

    def needs(self) -> tuple[str, ...]:
        """Nothing has to be there before."""
        return ()

    def place(self, job: Job) -> Poses:
        """The given positions; sizes and orientations as the population says."""
        if not self.positions:
            raise ScenarioError("no positions", field="placement.positions", allowed="at least one position")
        count = job.wanted(len(self.positions))
        return Poses(np.array(self.positions, np.float64), job.rotations(count), job.scales(count))
