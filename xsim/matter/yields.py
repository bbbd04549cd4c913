"""Fluorescence yields of shells: xraylib's, and where those are known to be poor, better-supported ones.

L2 from zinc on, L3 from zinc to osmium: the relativistic yields of Chen, Crasemann and Mark (1981). Recent absolute
measurements side with them, not with the semi-empirical table (Krause 1979) that xraylib holds: ruthenium L3
0.0459(20) against 0.0464 and 0.043, tantalum L2 0.278(15) against 0.279 and 0.258. L1 yields and Coster-Kronig
probabilities stay xraylib's, for the same measurements side with those: ruthenium L1 0.0109(9) against 0.0084 (Chen)
and 0.012, f13 0.53(9) against 0.76 and 0.61; tantalum L1 0.157(12) against 0.132 and 0.144. So L1 lines are
28 % stronger in gold than codes with Chen's yields say. L3 from iridium on are xraylib's, within 5 % of Chen's.
M2 from iridium on: Chen, Crasemann and Mark (1983); xraylib's are wrong there (gold 0.0423 for 0.0034). Rhenium's L
yields in xraylib are a third too small (L3 0.179 between 0.255 of tungsten and 0.281 of osmium); its L1 is their mean.
Uncertainty: K 1 %, L2 and L3 5 %, L1 15 %, M 10 - 20 %.

References: Chen, Crasemann, Mark, Phys. Rev. A 24, 177 (1981), doi 10.1103/PhysRevA.24.177, and 27, 2989 (1983),
doi 10.1103/PhysRevA.27.2989; Wauschkuhn et al., J. Anal. At. Spectrom. 38, 197 (2023), doi 10.1039/d2ja00325b (Ta), and
38, 1301 (2023), doi 10.1039/d3ja00085k (Ru); xraylib, doi 10.1016/j.sab.2011.09.011.
"""

from __future__ import annotations

import numpy as np

#: atomic number -> yield, linear between: the values calculated in the papers named above
_L2 = {
    **{30: 0.0110, 36: 0.0210, 40: 0.0310, 45: 0.0480, 47: 0.0560, 50: 0.0700, 54: 0.0930, 56: 0.1050, 60: 0.1390},
    **{63: 0.1670, 67: 0.2100, 70: 0.2460, 74: 0.2900, 80: 0.3680, 85: 0.4330, 90: 0.4980, 92: 0.5050},
}
_L3 = {
    **{30: 0.0110, 36: 0.0220, 40: 0.0320, 45: 0.0500, 47: 0.0580, 50: 0.0720, 54: 0.0940, 56: 0.1070, 60: 0.1360},
    **{63: 0.1600, 67: 0.1960, 70: 0.2240, 74: 0.2640, 76: 0.2827},
}
_M2 = {77: 0.00304, 80: 0.0037, 83: 0.00467, 86: 0.00565, 90: 0.0073, 92: 0.0084}
_L1 = {75: 0.130}
_BETTER = {"L1": _L1, "L2": _L2, "L3": _L3, "M2": _M2}


def fluorescence_yield(z: int, shell: str) -> float:
    """Photons per vacancy in `shell` ("K", "L1" ... "M5") of element `z`. Raises ValueError for a shell it has not."""
    import xraylib

    better = _BETTER.get(shell, {})
    if better and min(better) <= z <= max(better):
        return float(np.interp(z, list(better), list(better.values())))
    return float(xraylib.FluorYield(z, getattr(xraylib, f"{shell}_SHELL")))
