"""The spot of a microprobe on each plane of the specimen: core, tails, unfocused orders, depth of focus.

A mirror pair: sinc^2 tails along each axis (arms of a cross), what its figure errors scatter, the image of the source.
A zone plate: the rings round its focus (with a central stop 0.5 the first holds 9.6 % of the peak), aberrations, the
source's image, defocus (its focal length goes as the energy: refocused at every energy unless `focus_energy` holds
it), and the orders that an order-sorting aperture lets through.

    focused light beyond R from the middle:  2/(pi v) / (1 - a), v = k NA R (zone plate);  1/(pi^2 u), u = 2 NA R/lambda
                                             along each axis of a mirror pair

That light is folded back to within R, so that none is lost; its share is told. A zone plate so far out of focus that
its cone is `RAYS` half periods wide is followed by rays, as an even ring, its fringes left out. A specimen deeper
than the depth of focus, +-2 (lambda/2NA)^2/lambda, is lit by a spot of its own at every such step along the beam. Range
of validity: geometric depth (no diffraction inside the specimen). References: `xsim.optics.mirror`, `zone_plate`,
`order_sorting`.
"""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xsim.constants import FWHM, wavelength
from xsim.errors import SamplingWarning, ValidityWarning
from xsim.instruments._optic_flux import Optic, check_passes
from xsim.instruments._spot import Layout, Part, around
from xsim.optics.kirkpatrick_baez import KirkpatrickBaez, line_profile
from xsim.optics.order_sorting import Halo, OrderSortingAperture
from xsim.optics.zone_plate import ZonePlate
from xsim.waves.fft import fft2, good_size, ifft2
from xsim.waves.grid import Grid

FloatArray = NDArray[np.float64]

#: pixels per half period of the finest fringe of the spot, and half periods from its middle to the rim of its core
SAMPLES, MARGIN = 2, 20
#: half periods from the middle to where the tails are folded back
TAILS = {"mirrors": 400, "zone_plate": 200}
#: coarse pixels from the middle to the rim of the core
WINDOW = 2
#: half periods that a zone plate's cone may be wide before it is followed by rays
RAYS = 60
#: pixels from the middle to the rim of a halo: its own pixels are powers of two of the fine ones
HALO = 100
#: the largest share of the light that may be folded back unseen
LIMIT = 0.01


@dataclass(frozen=True)
class Focus:
    """The spot of an optic, `defocus` [m] downstream of whose focus the plane z = 0 lies.

    source_image: FWHM (x, y) [m] of the source in a zone plate's focus (mirrors tell their own). focus_energy: where a
    zone plate stays in focus (None: everywhere).
    """

    optic: Optic
    order_sorting: OrderSortingAperture | None = None
    source_image: tuple[float, float] = (0.0, 0.0)
    defocus: float = 0.0
    focus_energy: float | None = None

    def half_period(self, energy: float) -> float:
        """Half the finest period [m] that the spot can show at `energy` [eV]: lambda/4NA."""
        return float(wavelength(energy)) / (4 * self._aperture(energy))

    def depth(self, energy: float) -> float:
        """Depth of focus [m] to either side at `energy` [eV]: more where the source's image widens the spot."""
        half = self.half_period(energy)
        wider = math.hypot(1.0, min(self.image()) / (1.77 * half))
        return 2 * (2 * half) ** 2 / float(wavelength(energy)) * wider

    def width(self, energy: float) -> float:
        """Width [m] of the spot on the plane z = 0: lambda/2NA, or the source's image or the cone's blur if wider."""
        return max(2 * self.half_period(energy), max(self.image()), 2 * self._blur(energy, 0.0))

    def image(self) -> tuple[float, float]:
        """FWHM (x, y) [m] of the source's image in the focus."""
        if isinstance(self.optic, KirkpatrickBaez):
            return self.optic.horizontal.source_image, self.optic.vertical.source_image
        return self.source_image

    def away(self, energy: float, height: float = 0.0) -> float:
        """How far [m] the plane z = `height` lies downstream of the focus of `energy` [eV]."""
        found = self.defocus + height
        if isinstance(self.optic, KirkpatrickBaez) or self.focus_energy in (None, energy):
            return found
        return found + float(self.optic.focal_length(self.focus_energy) - self.optic.focal_length(energy))

    def layout(self, field: tuple[float, float], step: float, energy: float, heights: tuple[float, float]) -> Layout:
        """Grids for a scan of `field` (y, x) [m] and all planes between `heights` [m] at `energy` [eV]."""
        half = self.half_period(energy)
        factor = max(1, math.ceil(step * SAMPLES / half - 1e-9))
        pixel, blur = step / factor, max(self._blur(energy, height) for height in heights)
        if isinstance(self.optic, ZonePlate):
            blur = min(blur, RAYS * half)
        core = MARGIN * half + blur + max(self.image())
        block = 2 * math.ceil(core / ((WINDOW + 0.5) * pixel) / 2) + 1
        name = "mirrors" if isinstance(self.optic, KirkpatrickBaez) else "zone_plate"
        reach = max(WINDOW + 1, math.ceil((TAILS[name] * half + 2 * blur + max(self.image())) / (block * pixel)))
        near = around(field, (2 * WINDOW + 1) * block, pixel)
        return Layout(near, around(field, 2 * reach + 1, block * pixel), block, WINDOW, reach)

    def parts(self, layout: Layout, energy: float, height: float, field: tuple[float, float]) -> tuple[Part, ...]:
        """The light of `energy` [eV] on the plane z = `height` [m], per photon in the focus."""
        away = self.away(energy, height)
        halos = self._unfocused(energy, away)
        if self._as_rays(energy, away):
            assert isinstance(self.optic, ZonePlate)
            size = abs(away) / float(self.optic.focal_length(energy)) * self.optic.diameter / 2
            halos = (Halo(1, 1.0, size * self.optic.central_stop, size, (0.0, 0.0)), *halos)
            return _halo_parts(halos, layout.near.pixel, field)
        if isinstance(self.optic, KirkpatrickBaez):
            lines = [line_profile(m, layout.fine, layout.near.pixel, energy, away) for m in
                     (self.optic.vertical, self.optic.horizontal)]  # fmt: skip
            core, tails = layout.split(*lines)
        else:
            core, tails = layout.split_image(self._plate_spot(layout, energy, away))
        focused = (Part("", layout.near, core), Part("tails of the spot", layout.far, tails))
        return (*focused, *_halo_parts(halos, layout.near.pixel, field))

    def unfocused_share(self, energy: float) -> float:
        """Photons in unfocused orders on the plane z = 0 per photon in the focus."""
        return sum(halo.share for halo in self._unfocused(energy, self.away(energy)))

    def folded_share(self, layout: Layout, energy: float) -> float:
        """Share of the focused light that falls beyond the tails and is folded back into them."""
        reach = (layout.reach + 0.5) * layout.far.pixel
        if isinstance(self.optic, ZonePlate):
            v = 2 * math.pi / float(wavelength(energy)) * self._aperture(energy) * reach
            return 2 / (math.pi * v) / (1 - self.optic.central_stop)
        both = (self.optic.horizontal, self.optic.vertical)
        return sum(float(wavelength(energy)) / (math.pi**2 * 2 * m.numerical_aperture * reach) for m in both)

    def check(self, layout: Layout, energy: float) -> None:
        """Raise an error or warn where the optic, its aperture or the grid do not serve `energy` [eV]."""
        check_passes(self.optic, energy, "mirrors" if isinstance(self.optic, KirkpatrickBaez) else "zone_plate")
        if isinstance(self.optic, ZonePlate):
            self.optic.check(energy)
            self._check_orders(self.optic, energy)
        half = self.half_period(energy)
        if layout.near.pixel > half * (1 + 1e-9) and not self._as_rays(energy, self.away(energy)):
            text = f"pixel {layout.near.pixel:.3g} m, should be <= {half:.3g} m"
            cure = "set the instrument's energy to the highest of the scan"
            warnings.warn(
                f"the spot at {energy:.6g} eV is sampled coarsely: {text}; {cure}", SamplingWarning, stacklevel=4
            )
        folded = self.folded_share(layout, energy)
        if folded > LIMIT:
            cure = "set the instrument's energy to the middle of the scan"
            warnings.warn(
                f"{folded:.2g} of the spot's light at {energy:.6g} eV falls beyond the field of its tails and is "
                f"folded back into it, should be <= {LIMIT:g}; {cure}",
                ValidityWarning,
                stacklevel=4,
            )

    def _check_orders(self, plate: ZonePlate, energy: float) -> None:
        away = self.away(energy)
        if self.order_sorting is not None:
            self.order_sorting.check(plate, energy, away)
            told = self.order_sorting.warning(plate, energy, away)
            if told:
                warnings.warn(told, ValidityWarning, stacklevel=5)
        depth = self.depth(energy)
        if self.focus_energy is not None and abs(away) > depth:
            blur = plate.blur(energy, away)
            warnings.warn(
                f"the zone plate, held in focus at {self.focus_energy:.6g} eV, is {abs(away):.3g} m out of focus at "
                f"{energy:.6g} eV, its depth of focus {depth:.3g} m: the spot is {2 * blur:.3g} m wide; leave out "
                "focus_energy to refocus",
                ValidityWarning,
                stacklevel=5,
            )

    def _aperture(self, energy: float) -> float:
        if isinstance(self.optic, ZonePlate):
            return float(self.optic.numerical_aperture(energy))
        return max(self.optic.horizontal.numerical_aperture, self.optic.vertical.numerical_aperture)

    def _blur(self, energy: float, height: float) -> float:
        away = self.away(energy, height)
        if isinstance(self.optic, ZonePlate):
            return self.optic.blur(energy, away)
        return max(m.blur(energy, away) for m in (self.optic.horizontal, self.optic.vertical))

    def _as_rays(self, energy: float, away: float) -> bool:
        plate = self.optic
        return isinstance(plate, ZonePlate) and plate.blur(energy, away) > RAYS * self.half_period(energy)

    def _unfocused(self, energy: float, away: float) -> tuple[Halo, ...]:
        if self.order_sorting is None or not isinstance(self.optic, ZonePlate):
            return ()
        return self.order_sorting.halos(self.optic, energy, away)

    def _plate_spot(self, layout: Layout, energy: float, away: float) -> FloatArray:
        """Share (fine, fine) of the focused light in each fine pixel, summing to 1."""
        assert isinstance(self.optic, ZonePlate)
        n = good_size(layout.fine)
        grid = Grid((n, n), layout.near.pixel)
        spot: Any = np.abs(self.optic.probe(grid, energy, away)) ** 2
        if max(self.source_image) > 0:
            qy, qx = grid.frequencies()
            across, up = self.source_image
            spot = ifft2(
                fft2(spot.astype(np.complex128)) * np.exp(-((across * qx) ** 2 + (up * qy) ** 2) / 2 / FWHM**2)
            )
            spot = np.maximum(spot.real, 0)
        first = n // 2 - layout.fine // 2
        spot = spot[first : first + layout.fine, first : first + layout.fine]
        return np.asarray(spot / spot.sum())


def _halo_parts(halos: tuple[Halo, ...], pixel: float, field: tuple[float, float]) -> tuple[Part, ...]:
    """One part per size of halo: all annuli of one pixel size together."""
    sizes: dict[int, list[Halo]] = {}
    for halo in halos:
        power = max(0, math.ceil(math.log2(max(halo.outer, *(width / 2 for width in field)) / (HALO * pixel))))
        sizes.setdefault(power, []).append(halo)
    found = []
    for power, some in sorted(sizes.items()):
        wide = pixel * 2**power
        n = 2 * (HALO + 1) + 1
        kernel = np.zeros((n, n))
        for halo in some:
            kernel += halo.share * halo.kernel(Grid((n, n), wide))
        found.append(Part("unfocused orders", around(field, n, wide), kernel))
    return tuple(found)
