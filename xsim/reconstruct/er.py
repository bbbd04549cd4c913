"""Phase retrieval of one far-field pattern by error reduction, with shrink-wrap.

    psi <- P_S P_M psi

See `raar` for the projections, the support and what the value is. The error never rises, so it rests in the nearest
minimum, mostly a false one: it is for refining, and for comparison. Reference: Fienup, Appl. Opt. 21, 2758 (1982), doi
10.1364/AO.21.002758.
"""

from __future__ import annotations

from typing import ClassVar, Literal

from xsim.reconstruct._lensless import Lensless
from xsim.reconstruct._phasing import Rule


class Er(Lensless):
    """Error reduction with shrink-wrap. Knobs: iterations, refine, starts, constraint, threshold, seed."""

    kind: Literal["er"] = "er"
    preference: ClassVar[int] = -2
    rule: ClassVar[Rule] = "er"
    name: ClassVar[str] = "error reduction"
