"""Ptychography by the regularised iterative engine (rPIE): complex object and probe from overlapping patterns.

    psi_j = P(r - r_j) O(r),   psi_j' = F^-1 { sqrt(N_j) F psi_j / |F psi_j| }
    O += conj(P) (psi' - psi) / [(1 - a) |P|^2 + a max|P|^2],   P likewise with O

for every point j in an order drawn anew in each pass; a = 1 is ePIE. Positions between pixels are kept exactly by a
phase ramp on the probe's spectrum. Pixels without data (gaps, mask) keep the modelled wave. The probe's power is held
at the photons that arrive, so |O| is the transmission. The first probe is the focus whose far field is the mean
pattern (zone plate), or the hole (pinhole), carried to the specimen over the distance that the settings tell; the
object begins as 1.

history "error": sum (|F psi| - sqrt N)^2 / sum N of each pass; photon noise alone leaves about 1/4 per pixel over the
photons per pixel. What the data cannot tell: a constant phase, a common shift of probe and object, and opposite phase
ramps on them. References: Maiden, Johnson & Li, Optica 4, 736 (2017), doi 10.1364/OPTICA.4.000736; ePIE: Maiden &
Rodenburg, Ultramicroscopy 109, 1256 (2009), doi 10.1016/j.ultramic.2009.05.012.
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from pydantic import Field

from xsim.exposure import Array, Axis, Measurement, Truth
from xsim.model import Model
from xsim.reconstruct._data import refuse, single_energy
from xsim.reconstruct._protocol import Reconstruction
from xsim.reconstruct._scan import Scan, far_amplitudes, first_probe
from xsim.streams import StreamKey, generator
from xsim.waves.fft import fft2, fftshift, ifft2
from xsim.waves.grid import Grid


class Rpie(Model):
    """Iterative ptychography. object_step, probe_step: the regularisation a (1: ePIE, cautious; small: fast).

    probe_from: the pass from which on the probe is refined. seed: of the order of the points.
    """

    kind: Literal["rpie"] = "rpie"
    techniques: ClassVar[tuple[str, ...]] = ("ptychography",)
    iterations: Annotated[int, Field(ge=1, le=100_000)] = 100
    object_step: Annotated[float, Field(gt=0, le=1)] = 0.25
    probe_step: Annotated[float, Field(gt=0, le=1)] = 1.0
    probe_from: Annotated[int, Field(ge=0)] = 3
    seed: Annotated[int, Field(ge=0)] = 1

    def accepts(self, measurement: Measurement) -> str:
        """Why it cannot reconstruct this measurement; empty if it can."""
        if len(measurement.axes) != 2:
            return "its frames are not images"
        if not {"x", "y"} <= set(measurement.frames.columns) or len(measurement.frames) < 2:
            return "it has no scan points x, y"
        extra = [a.name for a in measurement.frames.axes if a.name not in ("point", "x", "y")]
        return f"it scans {', '.join(extra)} as well" if extra else single_energy(measurement)

    def __call__(self, measurement: Measurement) -> Reconstruction:
        """Object (y, x) with its probe in `extras`. Raises FileError if this is no ptychographic scan."""
        refuse(measurement, self.kind, self.accepts(measurement))
        amplitude, known, window = far_amplitudes(measurement)
        scan = Scan.of(measurement, window)
        power = float(np.mean(measurement.incident))
        probe = first_probe(measurement, window, amplitude, known) * np.sqrt(power)
        state = _State(np.ones(scan.grid.shape, np.complex64), probe.astype(np.complex64), power)
        key = StreamKey(self.seed, "reconstruct/rpie/order")
        errors = np.zeros(self.iterations)
        for number in range(self.iterations):
            misfit = 0.0
            for j in generator(key, number).permutation(len(amplitude)):
                misfit += self._visit(state, scan, int(j), (amplitude[j], known), number >= self.probe_from)
            errors[number] = misfit / float(np.sum(amplitude.astype(np.float64) ** 2))
        return self._result(state, scan, window, errors)

    def _visit(self, state: _State, scan: Scan, j: int, data: tuple[Array, Array], refine: bool) -> float:
        """Bring probe and object nearer to one pattern; returns its misfit before."""
        part, ramp = scan.parts[j], scan.ramp(j)
        amplitude, known = data
        probe = ifft2(fft2(state.probe) * ramp)
        under = state.object[part]
        old = probe * under
        far = fft2(old)
        size = np.abs(far)
        n = np.sqrt(np.float32(far.size))
        misfit = float(np.sum((size / n - amplitude)[known].astype(np.float64) ** 2))
        far *= np.where(known, amplitude * n / np.maximum(size, 1e-12), 1).astype(np.float32)
        change = ifft2(far, overwrite=True) - old
        a, b = np.float32(self.object_step), np.float32(self.probe_step)
        weight = np.abs(probe) ** 2
        new = under + np.conj(probe) * change / ((1 - a) * weight + a * weight.max())
        if refine:
            weight = np.abs(under) ** 2
            probe = probe + np.conj(under) * change / ((1 - b) * weight + b * weight.max())
            probe = ifft2(fft2(probe) * np.conj(ramp), overwrite=True)
            state.probe = probe * np.float32(np.sqrt(state.power / np.sum(np.abs(probe) ** 2)))
        state.object[part] = new
        return misfit

    def _result(self, state: _State, scan: Scan, window: Grid, errors: Array) -> Reconstruction:
        def axes(grid: Grid) -> tuple[Axis, Axis]:
            return Axis("y", grid.y, "m"), Axis("x", grid.x, "m")

        light = scan.illumination(np.abs(state.probe) ** 2)
        extras = {
            "probe": Truth(np.asarray(fftshift(state.probe)), axes(window)),
            "illumination": Truth(light, axes(scan.grid), "photons"),
        }
        return Reconstruction(
            state.object, axes(scan.grid), "", "object by rPIE", "object", {"error": errors}, extras=extras
        )


class _State:
    """The estimate that the passes refine: object (y, x), probe (FFT order), and the probe's power [photons]."""

    def __init__(self, object_: Any, probe: Any, power: float):
        self.object, self.probe, self.power = object_, probe, power
