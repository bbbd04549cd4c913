"""Strangers read a ptychographic CXI file and reconstruct a lopsided object from it, where it is and un-flipped.

Two are some lines of h5py and numpy, always run: one reads by the words of the CXI standard, one as ptypy's Hdf5Loader
does. The third is cdtools, which brings torch along: `pip install '.[clients]'` (.ci/run does), then run the tests.
Files that are wrong on purpose must not give the object.
"""

from __future__ import annotations

import importlib.util
import shutil
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from xsim.errors import XsimWarning
from xsim.formats.cxi import CXI
from xsim.instruments.ptychography import Ptychography
from xsim.metrics.complex_match import Freedom, match
from xsim.simulate import simulate
from xsim.specimen.specimen import Specimen

PLANCK, LIGHT, CHARGE = 6.62607015e-34, 299792458.0, 1.602176634e-19
DEFOCUS = 220e-6
GOLD = ((60, 100, 50), (40, -120, -60), (30, 20, -150), (25, -60, 130), (25, 180, -120))
TABLE = {
    "field": ["700 nm", "700 nm"], "step": "120 nm", "flux": "1e9 1/s", "defocus": f"{DEFOCUS} m",
    "zone_plate": {"outermost_zone": "80 nm", "diameter": "80 um", "thickness": "700 nm"},
    "detector": {"kind": "photon_counter", "shape": [64, 64], "pixel": "150 um", "module": [20, 64], "gap": [2, 0]},
}  # fmt: skip
#: pixels across the middle of the field in which images are compared
SEEN = 40


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, np.ndarray]:
    """The CXI file and the true object."""
    population = [
        {"name": f"s{k}", "material": "gold", "shape": {"kind": "sphere", "radius": f"{r} nm"},
         "placement": {"kind": "at", "positions": [[f"{x} nm", f"{y} nm", "0 nm"]]}}
        for k, (r, x, y) in enumerate(GOLD)
    ]  # fmt: skip
    specimen = Specimen.from_table({"extent": ["2 um", "2 um"], "population": population})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", XsimWarning)
        made = simulate(specimen, Ptychography.model_validate(TABLE), seed=3, name="scan")
    path = tmp_path_factory.mktemp("cxi") / "scan.cxi"
    CXI().write(made, path, {})
    return path, np.asarray(made.truth["object"].values)


def middle(image: np.ndarray, n: int = SEEN) -> np.ndarray:
    top, left = (size // 2 - n // 2 for size in image.shape)
    return image[top : top + n, left : left + n]


def likeness(found: np.ndarray, truth: np.ndarray) -> float:
    """Correlation apart from a constant, a shift and a phase ramp."""
    return match(middle(found), middle(truth), Freedom(ramp=True)).correlation


def changed(path: Path, tmp_path: Path, **edits: Any) -> Path:
    """A copy of the file with some datasets multiplied or replaced; __ in a name stands for /."""
    copy = tmp_path / "wrong.cxi"
    shutil.copy(path, copy)
    with h5py.File(copy, "r+") as file:
        for name, edit in edits.items():
            data = file["entry_1/" + name.replace("__", "/")]
            data[...] = edit(data[...])
    return copy


@dataclass(frozen=True)
class Scan:
    """What a reader takes from a file: places (frames, 2) of the beam on the object, row and column [m]."""

    counts: np.ndarray
    good: np.ndarray
    wavelength: float
    distance: float
    detector_pixel: float
    places: np.ndarray


def as_cxi_says(path: Path) -> Scan:
    """By the words of the standard: the beam goes against the sample, rows and columns along the basis vectors."""
    with h5py.File(path) as file:
        entry = file["entry_1"]
        moves, detector = entry["data_1/translation"][...], entry["instrument_1/detector_1"]
        rows_down = detector["basis_vectors"][0, 1] < 0  # rows along -y and columns along -x:
        columns_left = detector["basis_vectors"][1, 0] < 0  # the beam goes against the sample, so along both
        return Scan(
            entry["data_1/data"][...].astype(float),
            detector["mask"][...] == 0,
            PLANCK * LIGHT / entry["instrument_1/source_1/energy"][()],
            detector["distance"][()],
            detector["x_pixel_size"][()],
            np.stack([moves[:, 1] * (1 if rows_down else -1), moves[:, 0] * (1 if columns_left else -1)], axis=1),
        )


def as_ptypy_does(path: Path) -> Scan:
    """The rules of its Hdf5Loader: one number for each of energy [keV], distance and pixel size, which may be
    multiplied; a position for each frame along the slow and the fast axis; a mask of 1 = good, which may be inverted.
    """
    keys = {
        "intensities": "entry_1/data_1/data", "mask": "entry_1/instrument_1/detector_1/mask",
        "slow": "entry_1/sample_1/transformations/y", "fast": "entry_1/sample_1/transformations/x",
        "energy": "entry_1/instrument_1/beam_1/energy", "distance": "entry_1/instrument_1/detector_1/distance",
        "psize": "entry_1/instrument_1/detector_1/x_pixel_size", "normalisation": "entry_1/control/data",
    }  # fmt: skip
    with h5py.File(path) as file:
        found = {name: file[key][()] for name, key in keys.items()}
    frames = found["intensities"].shape[:-2]
    assert found["slow"].shape == found["fast"].shape == found["normalisation"].shape == frames
    assert found["mask"].shape == found["intensities"].shape[-2:]
    mask = 1 - found["mask"]
    assert set(np.unique(mask)) == {0, 1}  # inverted without running over
    energy, distance, pixel = (float(found[name]) for name in ("energy", "distance", "psize"))
    keV = energy * (1e-3 / CHARGE)
    places = np.stack([found["slow"], found["fast"]], axis=1)  # multipliers of 1: on the object, not of the sample
    length = PLANCK * LIGHT / CHARGE / (keV * 1e3)
    return Scan(found["intensities"].astype(float), mask > 0, length, distance, pixel, places)


def stranger(path: Path, rounds: int = 20, read: Callable[[Path], Scan] = as_cxi_says) -> np.ndarray:
    """ePIE with whole pixels, from what the reader takes and the distance of the focus."""
    scan = read(path)
    counts, good, n = scan.counts, scan.good, scan.counts.shape[1]
    pixel = scan.wavelength * scan.distance / (n * scan.detector_pixel)
    whole = np.rint(scan.places / pixel).astype(int)
    if np.abs(whole).max() > 1000:
        raise ValueError("a scan of thousands of pixels")
    side = n + 2 * (np.abs(whole).max() + 1)
    corners = whole + side // 2 - n // 2
    amplitude, good = np.fft.ifftshift(np.sqrt(np.clip(counts, 0, None)), axes=(1, 2)), np.fft.ifftshift(good)
    q = 2 * np.pi * np.fft.fftfreq(n, pixel)
    away = np.exp(-0.5j * DEFOCUS * (q[:, None] ** 2 + q[None, :] ** 2) * scan.wavelength / (2 * np.pi))
    probe = np.fft.fftshift(np.fft.ifft2(np.sqrt(np.mean(amplitude**2, axis=0)) * good * away)) * n
    image, rng = np.ones((side, side), complex), np.random.default_rng(0)
    for number in range(rounds):
        for j in rng.permutation(len(counts)):
            part = tuple(slice(c, c + n) for c in corners[j])
            under = image[part].copy()
            far = np.fft.fft2(probe * under) / n
            fitted = np.where(good, amplitude[j] * np.exp(1j * np.angle(far)), far)
            change = np.fft.ifft2(fitted - far) * n
            image[part] += np.conj(probe) * change / np.max(np.abs(probe) ** 2)
            if number > 2:
                probe = probe + np.conj(under) * change / np.max(np.abs(under) ** 2)
    return image


@pytest.mark.parametrize("read", [as_cxi_says, as_ptypy_does])
def test_a_stranger_with_numpy_reconstructs_the_object_un_flipped(read: Callable[[Path], Scan], recorded: Any) -> None:
    path, truth = recorded
    found = stranger(path, read=read)
    assert likeness(found, truth) > 0.93
    for flipped in (truth[::-1], truth[:, ::-1], truth.T):
        assert likeness(found, flipped) < 0.87


@pytest.mark.parametrize(
    "edits",
    [
        {"instrument_1__detector_1__translation": lambda v: v * np.array([-1, 1, 1])},
        {"instrument_1__detector_1__translation": lambda v: -v},
        {"instrument_1__detector_1__data": lambda v: v[:, ::-1]},
        {"instrument_1__detector_1__data": lambda v: np.roll(v, 7, axis=0)},
    ],
    ids=["x turned round", "both turned round", "frames upside down", "frames shuffled"],
)
def test_wrong_files_do_not_give_the_object(recorded: Any, tmp_path: Path, edits: dict[str, Any]) -> None:
    path, truth = recorded
    assert likeness(stranger(changed(path, tmp_path, **edits)), truth) < 0.8


def test_positions_of_the_sample_where_ptypy_wants_those_of_the_beam_do_not_give_the_object(
    recorded: Any, tmp_path: Path
) -> None:
    path, truth = recorded
    turned = {f"sample_1__transformations__{name}": lambda v: -v for name in "xy"}
    assert likeness(stranger(changed(path, tmp_path, **turned), read=as_ptypy_does), truth) < 0.8


def test_a_mask_upside_down_in_sense_gives_nothing(recorded: Any, tmp_path: Path) -> None:
    path, truth = recorded
    wrong = changed(path, tmp_path, instrument_1__detector_1__mask=lambda v: 1 - np.minimum(v, 1))
    assert likeness(stranger(wrong, rounds=8), truth) < 0.5


def test_an_energy_in_kilo_electron_volts_for_joule_is_no_scan(recorded: Any, tmp_path: Path) -> None:
    path, _ = recorded
    wrong = changed(path, tmp_path, instrument_1__source_1__energy=lambda v: v / CHARGE / 1000)
    with pytest.raises(ValueError, match="thousands"):
        stranger(wrong)


# --- cdtools ---

needs_cdtools = pytest.mark.skipif(importlib.util.find_spec("cdtools") is None, reason="pip install '.[clients]'")


def with_cdtools(path: Path, passes: int = 60) -> np.ndarray:
    """The object by automatic differentiation in cdtools, from its own reader of CXI."""
    import cdtools
    import torch

    torch.manual_seed(0)
    torch.set_num_threads(1)  # small frames gain nothing from more, and other tests run beside this one
    data = cdtools.datasets.Ptycho2DDataset.from_cxi(str(path))
    model = cdtools.models.FancyPtycho.from_dataset(data, n_modes=1, propagation_distance=DEFOCUS, obj_view_crop=None)
    for _ in model.Adam_optimize(passes, data, lr=0.01, batch_size=10):
        pass
    return np.asarray(model.obj.detach().numpy())


@needs_cdtools
def test_cdtools_reads_geometry_mask_and_wavelength(recorded: Any) -> None:
    import cdtools

    path, _ = recorded
    data = cdtools.datasets.Ptycho2DDataset.from_cxi(str(path))
    assert data.wavelength == pytest.approx(PLANCK * LIGHT / (6200 * CHARGE), rel=1e-6)
    assert float(data.detector_geometry["distance"]) == pytest.approx(1.0)
    assert int((~data.mask).sum()) == 4 * 64
    with h5py.File(path) as file:
        assert np.array_equal(data.mask.numpy(), file["entry_1/instrument_1/detector_1/mask"][...] == 0)


@needs_cdtools
def test_cdtools_reconstructs_the_object_un_flipped_and_not_with_the_translations_turned_round(
    recorded: Any, tmp_path: Path
) -> None:
    path, truth = recorded
    found = with_cdtools(path)
    assert likeness(found, truth) > 0.9
    assert max(likeness(found, t) for t in (truth[::-1], truth[:, ::-1], truth.T)) < 0.87
    wrong = changed(path, tmp_path, instrument_1__detector_1__translation=lambda v: -v)
    assert likeness(with_cdtools(wrong), truth) < 0.8
