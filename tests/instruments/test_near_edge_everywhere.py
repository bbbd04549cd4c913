"""One near edge in every technique: what waves and rays do through an edge is the measured spectrum and its partner."""

from __future__ import annotations

import numpy as np
import pytest

from xsim.constants import HC, N_A, R_E, wavenumber
from xsim.instruments._maps import truth_maps
from xsim.interaction import multislice
from xsim.interaction.transmission import transmission
from xsim.matter import library, xdi
from xsim.matter.elements import element
from xsim.matter.material import Material
from xsim.registry import lookup
from xsim.resources import data_dir
from xsim.simulate import simulate
from xsim.specimen.specimen import Specimen, contrast
from xsim.waves.grid import Grid

THICKNESS = 400e-9
HEMATITE = library.find("hematite")
ATOMIC = Material("Fe2O3", "5.25 g/cm^3")
#: before the edge, on the white line, in the dip of delta, after it
ENERGIES = np.array([7100.0, 7122.0, 7126.0, 7132.0, 7150.0, 7250.0])


def exit_wave(energy):
    """Of a film, by the multislice that full field, ptychography, scanning and diffraction share."""
    film = Specimen.from_table({"layers": [{"material": "hematite", "thickness": "400 nm"}]})
    slabs = multislice.sample(film, Grid((8, 8), 10e-9), 3)
    return complex(multislice.exit_wave(slabs, 1.0, energy, dtype=np.complex128)[4, 4])


def test_the_phase_through_the_edge_is_an_independent_transform_of_the_measured_spectrum():
    """The file itself, scaled on both sides of the edge to the table, transformed by a Maclaurin sum (Ohta & Ishida).

    Only the difference from the same film of free atoms is compared: all else is in both.
    """
    spectrum = xdi.read(data_dir("materials") / "xas" / "hematite.xdi")
    step = 0.1
    grid = np.arange(7082.0, 7462.0, step)  # E0 - 30 to E0 + 350 eV
    mu = np.interp(grid, spectrum.energy, spectrum.mu)
    _, atomic2 = element("Fe").factors(grid)
    # scale and straight background from -30..-15 eV and from beyond 200 eV: not the fit of the program
    sides = (grid < 7097) | (grid > 7312)
    design = np.stack([mu, np.ones_like(grid), grid - 7112], axis=1)
    weight = np.where(grid < 7112, 8.0, 1.0)[sides]
    solution = np.linalg.lstsq(design[sides] * weight[:, None], (atomic2 / grid)[sides] * weight, rcond=None)[0]
    more2 = (design @ solution) * grid - atomic2
    more2 *= np.clip((grid[-1] - grid) / 120, 0, 1)
    iron = 2 * HEMATITE.density * N_A / HEMATITE.formula_mass
    for energy in ENERGIES:
        place = round((energy - grid[0]) / step)
        odd = np.arange((place + 1) % 2, len(grid), 2)
        more1 = 2 / np.pi * 2 * step * np.sum(grid[odd] * more2[odd] / (grid[place] ** 2 - grid[odd] ** 2))
        expected = -R_E * HC / energy * iron * THICKNESS * more1
        found = np.angle(exit_wave(float(energy)) / complex(transmission({ATOMIC: THICKNESS}, float(energy), complex)))
        # 4 % of the largest change of f1, 7 electrons: what the scale of a measured spectrum is known to
        tolerance = R_E * HC / energy * iron * THICKNESS * 0.04 * 7
        assert found == pytest.approx(expected, abs=tolerance)


def test_amplitude_maps_and_born_amplitude_carry_the_same_edge():
    film = Specimen.from_table({"layers": [{"material": "hematite", "thickness": "400 nm"}]})
    for energy in ENERGIES.tolist():
        optics, wave = HEMATITE.optics(energy), exit_wave(energy)
        assert np.log(abs(wave) ** 2) == pytest.approx(-optics.mu_total * THICKNESS, rel=1e-9)
        assert wave == pytest.approx(np.exp(-1j * wavenumber(energy) * optics.decrement * THICKNESS), rel=1e-9)
        truth = truth_maps(film, Grid((2, 2), 10e-9), energy)
        assert truth["optical_density"].values[0, 0] == pytest.approx(-np.log(abs(wave) ** 2), rel=1e-9)
        assert np.exp(1j * truth["phase"].values[0, 0]) == pytest.approx(wave / abs(wave), rel=1e-9)
        assert contrast(HEMATITE, None, energy) == optics.decrement


CONTRAST = {
    "full_field": {"field": "400 nm", "pixel": "20 nm"},
    "stxm": {"field": ["200 nm", "200 nm"], "step": "50 nm"},
    "ptychography": {},
    "cdi": {},
    "saxs": {},
    "absorption": {},
    "fluorescence": {},
}


@pytest.mark.parametrize("kind", CONTRAST)
def test_what_a_technique_expects_changes_with_the_edge_of_the_material(kind):
    """At the white line the same particles of hematite and of free atoms give different photons; before it, alike."""
    instrument_type = lookup("instruments", kind)

    def photons(material, energy):
        layers = [{"material": material, "thickness": "300 nm"}] if kind in ("absorption", "full_field", "stxm") else []
        ball = {"name": "ball", "material": material, "shape": {"kind": "sphere", "radius": "60 nm"}}
        specimen = Specimen.from_table({"extent": ["1 um", "1 um"], "layers": layers, "population": [ball]})
        instrument = instrument_type.model_validate({**CONTRAST[kind], "energy": f"{energy} eV"})
        return simulate(specimen, instrument, seed=1).expected

    free = {"formula": "Fe2O3", "density": "5.25 g/cm^3"}
    line, before = (
        np.sum(np.abs(photons("hematite", energy) - photons(free, energy))) / np.sum(photons(free, energy))
        for energy in (7131.0, 6000.0)
    )
    assert line > 20 * before
    assert line > 1e-4
