"""Phase retrieval of one far-field pattern by relaxed averaged alternating reflections, with shrink-wrap.

    RAAR:  psi <- beta/2 (R_S R_M + 1) psi + (1 - beta) P_M psi,  R = 2P - 1;      then ER:  psi <- P_S P_M psi

P_M puts the measured modulus on the far field and leaves pixels without data (behind the beam stop, in gaps) free;
P_S keeps what lies in the support and obeys the constraint. The value is w = psi/psi_0 - 1 behind the object, psi_0 the
wave where there is no object, absolute in modulus (less what a support absorbs). The support begins as the
autocorrelation above 4 % of its peak and shrinks with the image. See `_starts` for what becomes of many starts. Open
remain the position (the support's centre is put in the middle), a constant phase (within the constraint) and the twin
conj(w(-r)). Small angles: the pattern is the Fourier transform on a flat detector. The history "distance" is
|P_M psi - P_S P_M psi| / |P_M psi|.

References: Luke, Inverse Problems 21, 37 (2005), doi 10.1088/0266-5611/21/1/004; Fienup, Appl. Opt. 21, 2758 (1982),
doi 10.1364/AO.21.002758; Marchesini et al., Phys. Rev. B 68, 140101 (2003), doi 10.1103/PhysRevB.68.140101.
"""

from __future__ import annotations

from typing import ClassVar, Literal

from xsim.reconstruct._lensless import Lensless
from xsim.reconstruct._phasing import Rule


class Raar(Lensless):
    """RAAR with shrink-wrap. Knobs: iterations, refine, starts, constraint, threshold, seed."""

    kind: Literal["raar"] = "raar"
    rule: ClassVar[Rule] = "raar"
    name: ClassVar[str] = "RAAR"
