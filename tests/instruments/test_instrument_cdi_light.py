"""Finite, partially coherent and polychromatic beams of diffraction imaging, against closed forms."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError
from scipy.special import j1

from xsim.constants import wavelength, wavenumber
from xsim.errors import SamplingError, SamplingWarning, ValidityWarning
from xsim.instruments._cdi_beam import wave
from xsim.instruments.cdi import Cdi
from xsim.specimen.specimen import Specimen
from xsim.waves.angular_spectrum import propagate
from xsim.waves.coherence import modes
from xsim.waves.far_field import fraunhofer
from xsim.waves.grid import Grid

ENERGY, PIXEL = 6200.0, 75e-6


def camera(**changes: Any) -> Cdi:
    detector = {"kind": "photon_counter", "shape": [128, 128], "pixel": "75 um"}
    return Cdi.model_validate({"polarisation": 0.0, "model": "projection", "detector": detector, **changes})


def dots(*places: tuple[str, str], radius: str = "25 nm", layers: Any = ()) -> Specimen:
    at = {"kind": "at", "positions": [[x, y, "0 nm"] for x, y in places]}
    ball = {"name": "d", "material": "gold", "shape": {"kind": "sphere", "radius": radius}, "placement": at}
    return Specimen.from_table({"extent": ["4 um", "4 um"], "population": [ball], "layers": list(layers)})


def pattern(instrument: Cdi, specimen: Specimen) -> np.ndarray[Any, Any]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ValidityWarning)
        return np.asarray(instrument.prepare(specimen).expose(instrument.frames()).expected[0, 0])


PAIR = (("-300 nm", "0 nm"), ("300 nm", "0 nm"))


def fringes(stop: str = "600 um", **changes: Any) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """q x distance of a pair of dots, and its pattern over that of two dots without interference."""
    instrument = camera(beam_stop=stop, **changes)
    # so small that their own pattern is flat over what the light smears
    single = pattern(camera(), dots(("0 nm", "0 nm"), radius="8 nm"))
    row = pattern(instrument, dots(*PAIR, radius="8 nm"))[64]
    shown = np.arange(128) * PIXEL - 64 * PIXEL > 310e-6
    angle = np.arctan((np.arange(128) - 64) * PIXEL)[shown]
    return wavenumber(ENERGY) * np.sin(angle) * 600e-9, (row / np.maximum(2 * single[64], 1e-30))[shown]


@pytest.mark.parametrize("coherence", ["0.35 um", "0.6 um", "2 um"])
def test_the_visibility_of_the_fringes_of_a_pair_is_the_degree_of_coherence_between_them(coherence: str) -> None:
    phase, seen = fringes(coherence_length=[coherence, "1 mm"])
    mu = np.exp(-0.5 * (0.6 / float(coherence.split()[0])) ** 2)
    inner = slice(0, 40)
    assert seen[inner] == pytest.approx(1 + mu * np.cos(phase[inner]), abs=0.02)
    across, whole = fringes(coherence_length=["1 mm", coherence])[1], fringes()[1]
    assert across[inner] == pytest.approx(whole[inner], abs=0.02)


@pytest.mark.parametrize("shape", ["gaussian", "rectangular"])
def test_fringes_fade_where_their_path_difference_passes_the_coherence_length(shape: str) -> None:
    width = 0.08
    band = {"relative_width": width, "shape": shape, "samples": 25}
    phase, seen = fringes(bandwidth=band)
    turns = phase / (2 * np.pi) * width  # path difference over lambda E/dE
    rms = 2 * np.pi * turns / (2 * np.sqrt(2 * np.log(2)))
    mu = np.exp(-(rms**2) / 2) if shape == "gaussian" else np.sinc(turns)
    inner = slice(0, 40)
    # the dots' own scattering changes along with the energy, by a percent or two at such a width
    assert seen[inner] == pytest.approx(1 + mu[inner] * np.cos(phase[inner]), abs=0.03)
    assert mu[39] < 0.75


def test_a_narrow_spectrum_changes_nothing_and_a_wide_one_is_told_with_its_limit() -> None:
    narrow = fringes(bandwidth={"relative_width": 1e-5})[1]
    assert narrow == pytest.approx(fringes()[1], abs=1e-4)
    with pytest.warns(ValidityWarning, match=r"coherence length.*smear"):
        camera(bandwidth={"relative_width": 0.1, "samples": 41}).prepare(dots(*PAIR))
    with pytest.warns((SamplingWarning, ValidityWarning)) as told:
        camera(bandwidth={"relative_width": 0.1, "samples": 3}).prepare(dots(*PAIR))
    assert any("bandwidth.samples: 3 energies" in str(one.message) for one in told)


def test_a_gaussian_beam_without_specimen_has_its_far_field_whatever_the_distance_from_the_waist() -> None:
    angle = np.hypot(*np.meshgrid(np.arange(128) - 64, np.arange(128) - 64)) * PIXEL
    for away in ("0 m", "1 mm"):
        instrument = camera(profile="gaussian", beam="200 nm", beam_distance=away, beam_stop="75 um")
        found = pattern(instrument, Specimen())
        waist = 200e-9 / np.sqrt(2 * np.log(2))
        k = wavenumber(ENERGY)
        wanted = (k * waist) ** 2 / (2 * np.pi) * np.exp(-((k * waist * angle) ** 2) / 2) * PIXEL**2
        wanted *= instrument.flux * instrument.exposure_time
        shown = ~instrument.stopped()
        assert np.abs(found - wanted)[shown].max() < 1e-4 * wanted.max()  # paraxial: sin against tan at 5 mrad


def test_a_gaussian_beam_opens_behind_its_waist_as_free_flight_says() -> None:
    grid = Grid((256, 256), 100e-9)
    near, far = (camera(profile="gaussian", beam="1 um", beam_distance=f"{z} mm") for z in (5, 15))
    flown = propagate(wave(near, grid, ENERGY), grid, ENERGY, 10e-3)
    wanted = wave(far, grid, ENERGY)
    flown *= np.exp(-1j * np.angle(flown[128, 128] / wanted[128, 128]))  # piston and Gouy's phase
    assert np.abs(flown - wanted).max() < 1e-4 * np.abs(wanted).max()


def test_a_pinhole_makes_airys_pattern() -> None:
    instrument = camera(profile="pinhole", beam="600 nm", beam_stop="75 um", samples=8)
    found = pattern(instrument, Specimen())
    angle = np.hypot(*np.meshgrid(np.arange(128) - 64, np.arange(128) - 64)) * PIXEL
    x = wavenumber(ENERGY) * angle * 300e-9 + 1e-12
    wanted = (2 * j1(x) / x) ** 2 * (wavenumber(ENERGY) * 300e-9) ** 2 / (4 * np.pi) * PIXEL**2
    wanted *= instrument.flux * instrument.exposure_time
    shown = ~instrument.stopped() & (angle < 2e-3)
    assert np.abs(found - wanted)[shown].max() < 0.005 * wanted[shown].max()


def test_a_partially_coherent_gaussian_beam_is_the_sum_of_its_modes() -> None:
    """The sum over Hermite-Gauss modes, each a coherent wave through the specimen, knows nothing of the convolution."""
    specimen = dots(("-60 nm", "30 nm"), ("80 nm", "-50 nm"), radius="40 nm")
    fwhm, length = 250e-9, 150e-9
    setting = {"profile": "gaussian", "beam": "250 nm", "beam_stop": "75 um"}
    instrument = camera(**setting, coherence_length=["150 nm", "150 nm"])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ValidityWarning)
        prepared = instrument.prepare(specimen)
    found = np.asarray(prepared.expose(instrument.frames()).expected[0, 0])
    grid: Grid = prepared.grid
    wave, shares = modes(grid.x, fwhm / (2 * np.sqrt(2 * np.log(2))), length, 1e-5)
    assert len(shares) > 5
    from xsim.interaction import multislice

    object_ = multislice.exit_wave(prepared.slabs, 1.0, ENERGY, planes=(0.0, 0.0), dtype=np.complex128)
    q = wavenumber(ENERGY) * np.sin(np.arctan((np.arange(128) - 64) * PIXEL))
    kernel = np.exp(-1j * np.outer(q, grid.x))
    total = np.zeros((128, 128))
    for i, a in enumerate(shares):
        for j, b in enumerate(shares):
            far = kernel @ (wave[i][:, None] * wave[j][None, :] * object_) @ kernel.T
            total += a * b * np.abs(far) ** 2
    total *= (wavenumber(ENERGY) * grid.pixel**2 / (2 * np.pi)) ** 2 * PIXEL**2 * instrument.flux
    shown = ~instrument.stopped()
    assert np.abs(found - total)[shown].max() < 2e-3 * total[shown].max()


def test_a_finite_beam_sees_only_what_it_lights() -> None:
    wide = dots(("0 nm", "0 nm"), ("1500 nm", "-900 nm"), radius="60 nm")
    setting = {"profile": "gaussian", "beam": "300 nm"}
    lit, alone = (pattern(camera(**setting), s) for s in (wide, dots(("0 nm", "0 nm"), radius="60 nm")))
    assert np.abs(lit - alone).max() < 1e-9 * lit.max()
    with pytest.raises(SamplingError, match="wider than the beam"):
        camera(beam="2 um").prepare(wide)


def test_a_wide_finite_beam_scatters_what_a_flat_one_of_its_fluence_does() -> None:
    specimen = dots(("-40 nm", "10 nm"), ("60 nm", "-30 nm"))
    detector = {"kind": "photon_counter", "shape": [128, 128], "pixel": "75 um"}
    setting = {"distance": "4 m", "beam_stop": "1.5 mm", "samples": 1, "detector": detector}
    # 4 ln 2/(pi FWHM^2) on the axis against 4/(pi d^2)
    flat = pattern(camera(beam="2 um", **setting), specimen)
    lit = pattern(camera(profile="gaussian", beam="1.2 um", **setting), specimen)
    shown = ~camera(**setting).stopped()
    ratio = np.log(2) * (2 / 1.2) ** 2
    assert lit[shown].sum() / flat[shown].sum() == pytest.approx(ratio, rel=0.03)


def test_the_true_wave_has_the_recorded_pattern() -> None:
    specimen = dots(("-200 nm", "110 nm"), ("180 nm", "-60 nm"), ("30 nm", "240 nm"), radius="60 nm",
                    layers=[{"material": "silicon_nitride", "thickness": "130 nm"}])  # fmt: skip
    instrument = camera(beam_stop="300 um")
    prepared = instrument.prepare(specimen)
    found = prepared.expose(instrument.frames()).expected[0, 0]
    wave = prepared.truth()["exit_wave"].values - 1
    far = np.abs(fraunhofer(wave)) ** 2 * wave.size
    angle = PIXEL
    fluence = instrument.flux / (np.pi * instrument.beam**2 / 4)
    pixel = instrument.pixel(ENERGY)
    membrane = np.exp(-specimen.layers.materials[0].optics(ENERGY).mu_total * 130e-9)
    wanted = membrane * fluence * (pixel**2 / wavelength(ENERGY)) ** 2 * far * angle**2
    shown = ~instrument.stopped()
    assert np.abs(found - wanted)[shown].sum() < 2e-3 * wanted[shown].sum()


def test_the_true_volume_adds_up_to_phase_and_loss_along_the_beam() -> None:
    specimen = dots(("-200 nm", "110 nm"), ("180 nm", "-60 nm"), radius="60 nm")
    truth = camera().prepare(specimen).truth()
    volume = truth["potential"]
    along = volume.values.sum(axis=0) * np.diff(volume.axes[0].values).mean()
    half = len(volume.axes[1]) // 2
    box = slice(64 - half, 64 + half)
    wanted = 1j * truth["phase"].values - truth["optical_density"].values / 2
    assert along == pytest.approx(wanted[box, box], abs=1e-9)
    assert np.abs(along).sum() == pytest.approx(np.abs(wanted).sum(), rel=1e-9)


def test_what_a_beam_stop_a_source_and_a_detector_spoil_is_told_with_numbers() -> None:
    specimen = dots(("-400 nm", "0 nm"), ("400 nm", "0 nm"))
    with pytest.warns(ValidityWarning, match=r"beam_stop: it hides 3\.\d+ speckles"):
        camera(beam_stop="800 um").prepare(specimen)
    with pytest.warns(ValidityWarning, match=r"coherence_length: .*visibility of 0\.2"):
        camera(coherence_length=["500 nm", "500 nm"], beam_stop="500 um").prepare(specimen)
    with pytest.raises(SamplingError, match="direct beam passes the beam stop"):
        camera(coherence_length=["200 nm", "200 nm"]).prepare(specimen)
    with pytest.raises(SamplingError, match="undersampled"):
        camera(profile="gaussian", beam="1 um").prepare(specimen)
    with pytest.raises(ValidationError, match="no waist"):
        camera(beam_distance="1 mm")
    with pytest.raises(ValidationError, match="Born"):
        camera(profile="gaussian", model="born")


def test_gaps_of_the_detector_are_in_its_mask() -> None:
    detector = {"kind": "photon_counter", "shape": [128, 128], "pixel": "75 um", "module": [60, 128], "gap": [8, 0]}
    instrument = camera(detector=detector)
    mask = instrument.geometry()["mask"]
    assert mask[60:68].all()
    assert mask.sum() == 8 * 128 + np.count_nonzero(instrument.stopped() & ~instrument.detector.gaps)
