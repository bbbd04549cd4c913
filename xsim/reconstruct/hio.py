"""Phase retrieval of one far-field pattern by hybrid input-output, with shrink-wrap.

    psi <- P_M psi where that obeys support and constraint, else psi - beta P_M psi;      then ER:  psi <- P_S P_M psi

See `raar` for the projections, the support and what the value is. The feedback leaves false solutions that error
reduction would rest in, at the price of an image that never quite comes to rest itself. Reference: Fienup, Appl. Opt.
21, 2758 (1982), doi 10.1364/AO.21.002758.
"""

from __future__ import annotations

from typing import ClassVar, Literal

from xsim.reconstruct._lensless import Lensless
from xsim.reconstruct._phasing import Rule


class Hio(Lensless):
    """HIO with shrink-wrap. Knobs: iterations, refine, starts, constraint, threshold, seed."""

    kind: Literal["hio"] = "hio"
    preference: ClassVar[int] = -1
    rule: ClassVar[Rule] = "hio"
    name: ClassVar[str] = "HIO"
