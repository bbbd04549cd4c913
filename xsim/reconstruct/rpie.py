"""Ptychography by the regularised iterative engine (rPIE): complex object and probe from overlapping patterns.

    psi_jm = P_m(r - r_j) O(r),   psi_jm' = F^-1 { sqrt(N_j) F psi_jm / sqrt(sum_m |F psi_jm|^2) }
    O += sum_m conj(P_m) (psi_m' - psi_m) / [(1 - a) sum |P|^2 + a max sum |P|^2],   P_m likewise with O

for every point j in an order drawn anew in each pass; a = 1 is ePIE. P_m are mutually incoherent modes of the probe
(`modes`): one for coherent light, several for a finite source, a bandwidth, or a beam that moves during the exposure.
Positions between pixels are kept exactly by a phase ramp on the probe's spectrum. Pixels without data (gaps, mask)
keep the modelled wave. The probe's power is held at the photons that arrive, so |O| is the transmission. The first
probe is the focus whose far field is the mean pattern (zone plate), or the hole (pinhole), carried to the specimen
over the distance that the settings tell; further modes begin as its derivatives; the object begins as 1.

history "error": sum (|F psi| - sqrt N)^2 / sum N of each pass; photon noise alone leaves about 1/4 per pixel over the
photons per pixel. What the data cannot tell: a constant phase, a common shift of probe and object, and opposite phase
ramps on them. References: Maiden, Johnson & Li, Optica 4, 736 (2017), doi 10.1364/OPTICA.4.000736; ePIE: Maiden &
Rodenburg, Ultramicroscopy 109, 1256 (2009), doi 10.1016/j.ultramic.2009.05.012; modes: Thibault & Menzel, Nature 494,
68 (2013), doi 10.1038/nature11806.
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from pydantic import Field

from xsim.exposure import Array, Measurement
from xsim.model import Model
from xsim.reconstruct._data import refuse
from xsim.reconstruct._protocol import Reconstruction
from xsim.reconstruct._ptychogram import reconstruction, start, why_not
from xsim.reconstruct._scan import Scan
from xsim.streams import StreamKey, generator
from xsim.waves.fft import fft2, ifft2


class Rpie(Model):
    """Iterative ptychography. object_step, probe_step: the regularisation a (1: ePIE, cautious; small: fast).

    modes: of the probe. probe_from: the pass from which on the probe is refined. seed: of the order of the points.
    """

    kind: Literal["rpie", "epie"] = "rpie"
    techniques: ClassVar[tuple[str, ...]] = ("ptychography",)
    preference: ClassVar[int] = 1
    iterations: Annotated[int, Field(ge=1, le=100_000)] = 100
    modes: Annotated[int, Field(ge=1, le=64)] = 1
    object_step: Annotated[float, Field(gt=0, le=1)] = 0.25
    probe_step: Annotated[float, Field(gt=0, le=1)] = 1.0
    probe_from: Annotated[int, Field(ge=0)] = 3
    seed: Annotated[int, Field(ge=0)] = 1

    def accepts(self, measurement: Measurement) -> str:
        """Why it cannot reconstruct this measurement; empty if it can."""
        return why_not(measurement)

    def __call__(self, measurement: Measurement) -> Reconstruction:
        """Object (y, x) with its probe in `extras`. Raises FileError if this is no ptychographic scan."""
        refuse(measurement, self.kind, self.accepts(measurement))
        scan, amplitude, known, probes, power = start(measurement, self.modes)
        state = _State(np.ones(scan.grid.shape, np.complex64), probes, power)
        key = StreamKey(self.seed, "reconstruct/rpie/order")
        errors = np.zeros(self.iterations)
        for number in range(self.iterations):
            misfit = 0.0
            for j in generator(key, number).permutation(len(amplitude)):
                misfit += self._visit(state, scan, int(j), (amplitude[j], known), number >= self.probe_from)
            errors[number] = misfit / float(np.sum(amplitude.astype(np.float64) ** 2))
        return reconstruction(scan, state.object, state.probe, errors, {"rpie": "rPIE", "epie": "ePIE"}[self.kind])

    def _visit(self, state: _State, scan: Scan, j: int, data: tuple[Array, Array], refine: bool) -> float:
        """Bring probe and object nearer to one pattern; returns its misfit before."""
        part, ramp = scan.parts[j], scan.ramp(j)
        amplitude, known = data
        probe = ifft2(fft2(state.probe) * ramp, overwrite=True)
        under = state.object[part]
        old = probe * under
        far = fft2(old)
        size = np.sqrt(np.sum(far.real**2 + far.imag**2, axis=0))
        n = np.sqrt(np.float32(size.size))
        misfit = float(np.sum((size / n - amplitude)[known].astype(np.float64) ** 2))
        far *= np.where(known, amplitude * n / np.maximum(size, 1e-12), 1).astype(np.float32)
        change = ifft2(far, overwrite=True) - old
        a, b = np.float32(self.object_step), np.float32(self.probe_step)
        weight = np.sum(np.abs(probe) ** 2, axis=0)
        step = np.sum(np.conj(probe) * change, axis=0)
        new = under + step / ((1 - a) * weight + a * weight.max())
        if refine:
            weight = np.abs(under) ** 2
            probe = probe + np.conj(under) * change / ((1 - b) * weight + b * weight.max())
            probe = ifft2(fft2(probe) * np.conj(ramp), overwrite=True)
            state.probe = probe * np.float32(np.sqrt(state.power / np.sum(np.abs(probe) ** 2)))
        state.object[part] = new
        return misfit


class _State:
    """The estimate that the passes refine: object (y, x), probe's modes (m, n, n) in FFT order, its power [photons]."""

    def __init__(self, object_: Any, probe: Any, power: float):
        self.object, self.probe, self.power = object_, probe, power
