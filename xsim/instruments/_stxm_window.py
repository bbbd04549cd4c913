"""The grids of a scanning microscope's waves: of one point's window, and of the object that all points see."""

from __future__ import annotations

import math

from xsim.constants import wavelength
from xsim.instruments._ladder import room_for
from xsim.instruments._stxm_light import Light, check_size, wandering
from xsim.interaction.cutting import Cut
from xsim.interaction.standing import GUIDED
from xsim.specimen.specimen import Specimen
from xsim.waves.fft import good_size
from xsim.waves.grid import Grid

#: frequency cells across the cone of light, which set the window; more for defocused and blurred spots
CELLS = 48
#: the far field reaches so many times the cone's half angle, and so many times the outermost ring; twice as far where
#: all light is counted, whatever its angle: 4 % of a small dot is missing at 3, 0.3 % at 6
BAND, BEYOND, ALL = 3.0, 1.25, 6.0
#: the largest number of samples of the object, and of one window
MOST, MOST_WINDOW = 6144**2, 1536**2


def grids(light: Light, specimen: Specimen, slabs: Cut | None) -> tuple[Grid, Grid]:
    """The grids of one point's wave and of the object, as in `window_grid`. Raises SamplingError."""
    window = window_grid(light, specimen, slabs)
    around = [2 * wandering(light.instrument) + width for width in reversed(light.instrument.field)]
    ny, nx = (good_size(n + 2 * math.ceil(w / window.pixel / 2 + 1)) for n, w in zip(window.shape, around, strict=True))
    check_size((ny, nx), MOST)
    return window, Grid((ny, nx), window.pixel)


def fitting(light: Light, specimen: Specimen) -> int:
    """How many slabs of the object fit into memory."""
    return room_for(grids(light, specimen, None)[1], specimen)


def window_grid(light: Light, specimen: Specimen, slabs: Cut | None) -> Grid:
    """The grid of one point's wave: pixels that divide the scan step if that is cheap, and room for the spot.

    The beam opens on the way through a `specimen` of several `slabs` (None: many), whose walls guide steep light.
    """
    instrument, energy = light.instrument, light.instrument.energy
    na, lam = light.numerical_aperture(energy), float(wavelength(energy))
    reach = ALL if instrument.segments is None else max(BAND, BEYOND * instrument.segments.rings[-1])
    reach = max(reach, 1 + GUIDED * (0.0 if slabs is None else slabs.critical) / na)
    finest = lam / (2 * na * reach)
    pixel = instrument.step / math.ceil(instrument.step / finest - 1e-9)
    if pixel < finest / math.sqrt(2):  # two transforms per point cost less than one on so fine a grid
        pixel = finest
    heights = specimen.z_range if slabs is None or slabs.count > 1 else (light.height,)
    blur = max(Light(instrument, z).blur(energy) for z in heights)
    image = max(light.source_image())
    n = good_size(math.ceil((CELLS * lam / (2 * na) + 2 * blur + 3 * image) / pixel))
    check_size((n, n), MOST_WINDOW)
    return Grid((n, n), pixel)
