"""Ptychography by the extended iterative engine (ePIE): rPIE with the full regularisation, cautious and slow.

See `xsim.reconstruct.rpie` for the equations. Reference: Maiden & Rodenburg, Ultramicroscopy 109, 1256 (2009), doi
10.1016/j.ultramic.2009.05.012.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from xsim.reconstruct.rpie import Rpie


class Epie(Rpie):
    """Iterative ptychography with steps over the largest weight."""

    kind: Literal["epie"] = "epie"
    preference: ClassVar[int] = 0
    object_step: Annotated[float, Field(gt=0, le=1)] = 1.0
