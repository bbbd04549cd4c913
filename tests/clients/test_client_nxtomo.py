"""NXtomo files in the hands of others: nxtomo, tomoscan and silx read them, scikit-image reconstructs what they read.

An asymmetric object must come out where it is, un-flipped; files that are wrong on purpose must not.
"""

from __future__ import annotations

import logging
import shutil
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from nxtomo.application.nxtomo import NXtomo as Reader
from scipy.ndimage import binary_erosion
from silx.io import nxdata
from silx.io.utils import get_data
from tomoscan.esrf.scan.nxtomoscan import NXtomoScan

from xsim.exposure import Measurement
from xsim.formats.nxtomo import NXtomo
from xsim.formats.run_reader import read_measurement
from xsim.instruments.full_field import FullField
from xsim.scans.tilts import Tilts
from xsim.simulate import simulate
from xsim.specimen.specimen import Specimen

pytestmark = pytest.mark.filterwarnings("ignore")
logging.getLogger("tomoscan").setLevel(logging.ERROR)
N, PIXEL = 32, 20e-9
#: radius, x, y, z [nm]: lopsided in every direction
BALLS = ((150, 80, 40, -60), (60, -130, -110, 90))


def specimen() -> Specimen:
    parts = [
        {
            "name": f"ball{k}",
            "material": "polystyrene",
            "shape": {"kind": "sphere", "radius": f"{r} nm"},
            "placement": {"kind": "at", "positions": [[f"{x} nm", f"{y} nm", f"{z} nm"]]},
        }
        for k, (r, x, y, z) in enumerate(BALLS)
    ]
    return Specimen.from_table({"extent": ["1 um", "1 um"], "population": parts})


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Path, Measurement]]:
    """The file and measurement of a series about y and one about x."""
    camera = FullField.model_validate(
        {
            "energy": "520 eV", "field": "640 nm", "pixel": "20 nm", "flux": "4e6 1/s", "exposure_time": "1 s",
            "model": "projection", "wave_pixel": "10 nm", "condenser": {"sigma": 0.5, "points": 4},
            "detector": {"kind": "camera", "shape": [64, 64], "dark": "100 1/s"},
        }
    )  # fmt: skip
    folder, found = tmp_path_factory.mktemp("tomo"), {}
    for axis in "yx":
        tilts = Tilts.model_validate({"axis": axis, "start": "-90 deg", "stop": "84 deg", "count": 30})
        made = simulate(specimen(), tilts.apply(camera), seed=5, name="it")
        NXtomo().write(made, folder / f"{axis}.nxs", {})
        found[axis] = folder / f"{axis}.nxs", made
    return found


def corrected(path: Path) -> tuple[np.ndarray, np.ndarray, float]:
    """What tomoscan makes of a file: flat-field corrected projections, angles [deg], place of the axis [pixels]."""
    scan = NXtomoScan(str(path), "entry")
    darks, info = scan.compute_reduced_darks(return_info=True)
    scan.set_reduced_darks(darks, info)
    flats, info = scan.compute_reduced_flats(return_info=True)
    scan.set_reduced_flats(flats, info)
    rows = sorted(scan.projections)
    images = scan.flat_field_correction([get_data(scan.projections[row]) for row in rows], rows)
    angles = np.array(scan.rotation_angle)[rows]
    return np.array(images), angles, float(scan.x_rotation_axis_pixel_position)


def reconstructed(path: Path) -> np.ndarray:
    """mu (z, y, x) [1/m] by scikit-image, in the right-handed axes of the file.

    Its rays are t = column cos - row sin, so rows run along z for the negative of a right-handed angle about y; it
    turns about pixel n//2, half a pixel from the middle for an even number, which is where the file puts the axis.
    """
    from skimage.transform import iradon

    images, angles, axis = corrected(path)
    density = -np.log(np.maximum(images, 1e-3))
    assert axis == 0.5  # N is even
    slices = [iradon(density[:, row].T, theta=-angles, filter_name="hann", circle=True) for row in range(N)]
    return np.stack(slices, axis=1) / PIXEL


def truth(made: Measurement) -> np.ndarray:
    return made.truth["attenuation"].values


def agreement(found: np.ndarray, true: np.ndarray) -> float:
    return float(np.corrcoef(found.ravel(), true.ravel())[0, 1])


@pytest.mark.parametrize("axis", ["y", "x"])
def test_tomoscan_and_scikit_image_find_the_object_where_it_is_and_no_mirror_image(axis: str, written: Any) -> None:
    path, made = written[axis]
    found = reconstructed(path)
    true = truth(made)
    if axis == "x":  # the file's x, y, z are y, x, -z of the specimen: z counts from pixel n//2 in both
        true = np.roll(true[::-1].transpose(0, 2, 1), 1, axis=0)
    right = agreement(found, true)
    assert right > 0.9
    for flip in ((0,), (1,), (2,), (0, 1), (0, 2), (1, 2)):
        assert agreement(np.flip(found, flip), true) < right - 0.15
    inside = binary_erosion(true > 0.99 * true.max(), iterations=2)  # the window of the filter blurs edges
    assert found[inside].mean() == pytest.approx(true.max(), rel=0.05)


def changed(path: Path, folder: Path, change: Any) -> Path:
    other = folder / "changed.nxs"
    shutil.copy(path, other)
    with h5py.File(other, "a") as file:
        change(file["entry"])
    return other


def negate(entry: h5py.Group) -> None:
    entry["sample/rotation_angle"][...] = -entry["sample/rotation_angle"][...]


def transpose(entry: h5py.Group) -> None:
    data = entry["instrument/detector/data"]
    data[...] = data[...].swapaxes(1, 2)


def exchange(entry: h5py.Group) -> None:
    key = entry["instrument/detector/image_key"]
    values = key[...]
    key[...] = np.where(values == 1, 2, np.where(values == 2, 1, values))


@pytest.mark.parametrize("change", [negate, transpose, exchange])
def test_wrong_angles_transposed_frames_and_exchanged_flats_and_darks_do_not_agree(
    change: Any, written: Any, tmp_path: Path
) -> None:
    path, made = written["y"]
    assert agreement(reconstructed(changed(path, tmp_path, change)), truth(made)) < 0.75


def test_tomoscan_reads_energy_in_kev_pixels_in_metres_and_every_kind_of_frame(written: Any, tmp_path: Path) -> None:
    path, made = written["y"]
    scan = NXtomoScan(str(path), "entry")
    assert scan.energy == pytest.approx(0.52)
    assert scan.sample_x_pixel_size == pytest.approx(PIXEL)
    assert (len(scan.projections), len(scan.flats), len(scan.darks)) == (30, 10, 10)
    darks, _ = scan.compute_reduced_darks(return_info=True)
    assert next(iter(darks.values())).mean() == pytest.approx(made.darks.counts.mean(), rel=0.01)

    def in_ev(entry: h5py.Group) -> None:
        entry["instrument/beam/incident_energy"][...] = 520.0

    assert NXtomoScan(str(changed(path, tmp_path, in_ev)), "entry").energy == pytest.approx(520)  # eV taken for keV


def test_nxtomo_loads_the_whole_and_finds_the_same(written: Any) -> None:
    path, made = written["y"]
    loaded = Reader().load(str(path), "entry")
    energy = loaded.instrument.beam.incident_energy
    assert float(np.ravel(energy.to("keV").magnitude)[0]) == pytest.approx(0.52)
    keys = [int(key.value) for key in loaded.instrument.detector.image_key_control]
    assert keys == [2] * 10 + [1] * 5 + [0] * 30 + [1] * 5
    angles = np.asarray(loaded.sample.rotation_angle.magnitude)[np.array(keys) == 0]
    assert angles == pytest.approx(np.rad2deg(made.frames["tilt"]))
    assert float(loaded.instrument.detector.x_pixel_size.to("m").magnitude) == pytest.approx(PIXEL)
    assert str(loaded.instrument.detector.field_of_view.value) == "Full"


def test_silx_opens_on_the_frames(written: Any) -> None:
    path, _ = written["y"]
    with h5py.File(path) as file:
        shown = nxdata.get_default(file)
        assert shown is not None
        assert shown.is_valid
        assert shown.interpretation == "image"
        assert shown.signal.shape == (50, N, N)


@pytest.mark.parametrize("axis", ["y", "x"])
def test_our_own_reader_gives_back_the_frames_as_they_were_taken(axis: str, written: Any) -> None:
    path, made = written[axis]
    again = read_measurement(path)
    for mine, its in ((made, again), (made.flats, again.flats), (made.darks, again.darks)):
        assert np.array_equal(mine.counts, its.counts)
        assert mine.counts.dtype == its.counts.dtype
