"""Ptychography by the difference map: exit waves of all points at once, between what was measured and what overlaps.

    psi <- psi + P_F(2 P_O psi - psi) - P_O psi

P_F puts the measured modulus on each pattern, sqrt(N_j) over sqrt(sum_m |F psi_jm|^2), and leaves pixels without data
as they are. P_O makes the waves products psi_jm = P_m(r - r_j) O(r) of one object and one probe (of `modes`
mutually incoherent modes), in turns:

    O = sum_jm conj(P_m) psi_jm / sum_jm |P_m|^2,     P_m = sum_j conj(O) psi_jm / sum_j |O|^2

All exit waves are kept: points x modes x n^2 x 8 bytes. The last fifth of the iterations is averaged, because the map
does not settle on noisy data. First probe, modes, positions between pixels, power and what the data cannot tell: as
in `xsim.reconstruct.rpie`. history "error": sum (|F P_O psi| - sqrt N)^2 / sum N. References: Thibault et al.,
Ultramicroscopy 109, 338 (2009), doi 10.1016/j.ultramic.2008.12.011; Thibault & Menzel, Nature 494, 68 (2013), doi
10.1038/nature11806; Elser, J. Opt. Soc. Am. A 20, 40 (2003), doi 10.1364/JOSAA.20.000040.
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
from xsim.waves.fft import fft2, ifft2


class DifferenceMap(Model):
    """Ptychography by the difference map. modes: of the probe; probe_from: iteration from which it is refined.

    rounds: turns of object and probe within one overlap projection.
    """

    kind: Literal["difference_map"] = "difference_map"
    techniques: ClassVar[tuple[str, ...]] = ("ptychography",)
    iterations: Annotated[int, Field(ge=1, le=100_000)] = 100
    modes: Annotated[int, Field(ge=1, le=64)] = 1
    probe_from: Annotated[int, Field(ge=0)] = 3
    rounds: Annotated[int, Field(ge=1, le=10)] = 2

    def accepts(self, measurement: Measurement) -> str:
        """Why it cannot reconstruct this measurement; empty if it can."""
        return why_not(measurement)

    def __call__(self, measurement: Measurement) -> Reconstruction:
        """Object (y, x) with its probe in `extras`. Raises FileError if this is no ptychographic scan."""
        refuse(measurement, self.kind, self.accepts(measurement))
        scan, amplitude, known, probes, power = start(measurement, self.modes)
        map_ = _Map(scan, amplitude, known, probes)
        total, errors = float(np.sum(amplitude.astype(np.float64) ** 2)), np.zeros(self.iterations)
        mean, count = np.zeros(scan.grid.shape, np.complex128), 0
        for number in range(self.iterations):
            for turn in range(self.rounds):
                map_.make_object()
                if number >= self.probe_from:
                    map_.make_probe(power)
                elif turn == 0:
                    break
            errors[number] = map_.step() / total
            if number >= self.iterations - max(1, self.iterations // 5):
                mean, count = mean + map_.object, count + 1
        return reconstruction(scan, (mean / count).astype(np.complex64), map_.probe, errors, "difference map")


class _Map:
    """The exit waves (points, m, n, n) with object and probe's modes (m, n, n), waves in FFT order."""

    def __init__(self, scan: Scan, amplitude: Array, known: Array, probe: Any):
        self.scan, self.known, self.probe = scan, known, probe
        self.amplitude = amplitude * np.float32(amplitude.shape[-1])
        self.object: Any = np.ones(scan.grid.shape, np.complex64)
        self.ramps = [scan.ramp(j) for j in range(len(amplitude))]
        self.waves = np.stack([self._moved(j) for j in range(len(amplitude))])

    def make_object(self) -> None:
        """The object that fits the waves best for this probe; where there is hardly any light it stays."""
        above, below = np.zeros(self.object.shape, np.complex64), np.zeros(self.object.shape, np.float32)
        for j, part in enumerate(self.scan.parts):
            probe = self._moved(j)
            above[part] += np.sum(np.conj(probe) * self.waves[j], axis=0)
            below[part] += np.sum(np.abs(probe) ** 2, axis=0)
        least = np.float32(1e-4) * below.max()
        self.object = (above + least * self.object) / (below + least)

    def make_probe(self, power: float) -> None:
        """The modes that fit the waves best for this object, their power held."""
        above, below = np.zeros(self.probe.shape, np.complex64), np.zeros(self.probe.shape[1:], np.float32)
        for j, part in enumerate(self.scan.parts):
            under = self.object[part]
            above += fft2(np.conj(under) * self.waves[j], overwrite=True) * np.conj(self.ramps[j])
            below += np.abs(under) ** 2
        probe = ifft2(above, overwrite=True) / np.maximum(below, np.float32(1e-4) * below.max())
        self.probe = probe * np.float32(np.sqrt(power / np.sum(np.abs(probe) ** 2)))

    def step(self) -> float:
        """One step of the map; returns the misfit of the overlap's own waves."""
        misfit = 0.0
        for j, part in enumerate(self.scan.parts):
            overlap = self._moved(j) * self.object[part]
            misfit += self._fitted(overlap, j)[1]
            fitted, _ = self._fitted(2 * overlap - self.waves[j], j)
            self.waves[j] += fitted - overlap
        return misfit

    def _fitted(self, waves: Any, j: int) -> tuple[Any, float]:
        """P_F of one point's waves (m, n, n), and how far they were from it [photons]."""
        far = fft2(waves)
        size = np.sqrt(np.sum(far.real**2 + far.imag**2, axis=0))
        gap = (size - self.amplitude[j])[self.known].astype(np.float64)
        far *= np.where(self.known, self.amplitude[j] / np.maximum(size, 1e-12), 1).astype(np.float32)
        return ifft2(far, overwrite=True), float(np.sum(gap**2)) / size.size

    def _moved(self, j: int) -> Any:
        return ifft2(fft2(self.probe) * self.ramps[j], overwrite=True)
