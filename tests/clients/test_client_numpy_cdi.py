"""A stranger with h5py and numpy phases a pattern from its CXI file, by the words of the CXI standard alone.

The object is lopsided, the detector has gaps and a beam stop. Wrong readings of the same file must fail.
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from xsim.errors import XsimWarning
from xsim.formats.cxi import CXI
from xsim.instruments.cdi import Cdi
from xsim.simulate import simulate
from xsim.specimen.specimen import Specimen

N = 128
PARTS = ((150, 0, 0), (80, 300, 100), (80, -120, 260), (50, 220, -170))


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any, float]:
    """The CXI file, the true w = psi - 1 and its pixel [m]."""
    detector = {"kind": "photon_counter", "shape": [N, N], "module": [37, N], "gap": [2, 0]}
    instrument = Cdi.model_validate({"flux": "1e11 1/s", "detector": detector, "beam_stop": "200 um"})
    balls = [
        {"name": f"p{k}", "material": "gold", "shape": {"kind": "sphere", "radius": f"{r} nm"},
         "placement": {"kind": "at", "positions": [[f"{x} nm", f"{y} nm", "0 nm"]]}}
        for k, (r, x, y) in enumerate(PARTS)
    ]  # fmt: skip
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", XsimWarning)
        specimen = Specimen.from_table({"extent": ["2 um", "2 um"], "population": balls})
        made = simulate(specimen, instrument, seed=3, name="it")
    path = tmp_path_factory.mktemp("cxi") / "it.cxi"
    CXI().write(made, path, {})
    return path, made.truth["exit_wave"].values - 1, instrument.pixel(instrument.energy)


def read(path: Path) -> tuple[Any, Any, float]:
    """Frame, good pixels and the pixel of the image [m], as CXI defines them."""
    with h5py.File(path) as cxi:
        detector = cxi["entry_1/instrument_1/detector_1"]
        frame = cxi["entry_1/data_1/data"][0].astype(float)
        good = detector["mask"][...] == 0
        energy = cxi["entry_1/instrument_1/source_1/energy"][()]
        side, distance = detector["x_pixel_size"][()], detector["distance"][()]
        # rows run along -y and columns along -x of CXI: an image of the same handedness, turned by 180 degrees
        np.testing.assert_allclose(np.sign(detector["basis_vectors"][...]), [[0, -1, 0], [-1, 0, 0]])
    wavelength = 1.98644586e-25 / energy
    return frame, good, wavelength * distance / (side * N)


def phase(frame: Any, good: Any, seed: int = 0) -> Any:
    """RAAR with shrink-wrap in the quadrant of delaying, absorbing matter, as anyone would write it."""
    modulus = np.fft.ifftshift(np.sqrt(np.maximum(frame, 0)))
    known = np.fft.ifftshift(good)
    rng = np.random.default_rng(seed)
    radius = np.hypot(*np.meshgrid(np.arange(N) - N // 2, np.arange(N) - N // 2))
    support = np.fft.ifftshift(radius < 34)
    image = np.fft.ifft2(modulus * np.exp(2j * np.pi * rng.random((N, N))))
    blur = 4.0
    for number in range(270):
        far = np.fft.fft2(image)
        fitted = np.fft.ifft2(np.where(known, modulus * np.exp(1j * np.angle(far)), far))
        kept = np.where(support, np.minimum(fitted.real, 0) + 1j * np.minimum(fitted.imag, 0), 0)
        reflected = 2 * fitted - image
        inside = np.where(support, np.minimum(reflected.real, 0) + 1j * np.minimum(reflected.imag, 0), 0)
        image = kept if number >= 240 else 0.45 * (2 * inside - reflected + image) + 0.1 * fitted
        if number % 20 == 19 and number < 230:
            size = gaussian_filter(np.abs(fitted), blur, mode="wrap")
            support, blur = size > 0.12 * size.max(), max(1.5, 0.9 * blur)
    return image


def likeness(image: Any, truth: Any) -> float:
    """Correlation apart from shift, constant phase and the twin: what a pattern cannot tell."""
    target = np.fft.fft2(truth)
    both = [image, np.conj(image[::-1, ::-1])]
    peaks = [np.abs(np.fft.ifft2(np.fft.fft2(one) * np.conj(target))).max() for one in both]
    return float(max(peaks) / np.linalg.norm(image) / np.linalg.norm(truth))


def best(frame: Any, good: Any) -> Any:
    """The start that fits the data best."""
    starts = [phase(frame, good, seed) for seed in (0, 1)]
    modulus = np.sqrt(np.maximum(frame, 0))
    misfit = [np.linalg.norm((np.abs(np.fft.fftshift(np.fft.fft2(s))) - modulus)[good]) for s in starts]
    return starts[int(np.argmin(misfit))]


def test_it_finds_the_object_the_right_way_round(file: Any) -> None:
    path, truth, pixel = file
    frame, good, found = read(path)
    assert found == pytest.approx(pixel, rel=1e-6)
    assert 0.01 < 1 - good.mean() < 0.1
    assert (frame[~good] <= 0).all()
    image = best(frame, good)
    assert likeness(image, truth) > 0.95
    for wrong in (truth[:, ::-1], truth[::-1], truth.T):
        assert likeness(image, wrong) < 0.9


def test_wrong_readings_of_the_file_do_not_find_it(file: Any) -> None:
    path, truth, pixel = file
    frame, good, _ = read(path)
    assert likeness(best(frame.T, good.T), truth) < 0.9  # transposed frames
    assert likeness(best(frame, ~good), truth) < 0.8  # the mask taken the other way round
    with h5py.File(path) as cxi:
        energy = cxi["entry_1/instrument_1/source_1/energy"][()]
    kilo = 1.98644586e-25 / (energy / 1.602176634e-16)  # keV taken for joule
    assert not np.isclose(kilo * 1.0 / (75e-6 * N), pixel, rtol=0.5)
