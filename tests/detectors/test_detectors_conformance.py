"""What every detector and every preset must do, over whatever is discovered."""

import warnings

import numpy as np
import pytest
from pydantic import ValidationError

from xsim.detectors._modules import Module
from xsim.detectors.panels import Panels
from xsim.detectors.photon_counter import PhotonCounter
from xsim.exposure import Axis, Exposure, FrameTable
from xsim.model import preset, presets
from xsim.registry import discover
from xsim.streams import StreamKey

KEY = StreamKey(5, "conformance")
KINDS = discover("detectors")
PRESETS = presets("detectors")


def build(name):
    """The detector of a preset."""
    table = preset("detectors", name)
    return KINDS[table["kind"]].model_validate(table)


def exposure(detector, level, frames=1):
    """An exposure that fits the detector: two energies, uniform."""
    spectral = detector.kind == "silicon_drift"
    shape = () if spectral else getattr(detector, "shape", ())
    table = FrameTable({"energy": np.full(frames, 8e3), "time": np.full(frames, 1.0)}, {}, (), np.arange(frames))
    axes = tuple(Axis(name, np.arange(n), "m") for name, n in zip("yx", shape, strict=False))
    energy = np.broadcast_to(np.array([6404.0, 8000.0]), (frames, 2)).copy()
    return Exposure(np.full((frames, 2, *shape), level), energy, axes, table, np.ones(frames))


@pytest.mark.parametrize("kind", KINDS)
class TestEveryKind:
    def test_defaults_read_what_their_mean_says(self, kind):
        detector = KINDS[kind]()
        shot = exposure(detector, 3.0)
        counts = detector.read(shot, KEY).astype(float)
        mean = detector.mean(shot)
        assert counts.shape == mean.shape == (1, *(len(axis) for axis in detector.counts_axes(shot.axes)))
        # the largest variance per count among the defaults: electrons per photon over gain
        scale = 600.0 if kind == "camera" else 1.0
        assert counts.sum() == pytest.approx(mean.sum(), abs=4 * scale * np.sqrt(mean.sum() + 1))

    def test_bits_depend_on_the_key_and_the_frame_alone(self, kind):
        detector = KINDS[kind]()
        shot = exposure(detector, 3.0, frames=3)
        whole = detector.read(shot, KEY)
        one = Exposure(shot.expected[1:2], shot.group_energy[1:2], shot.axes, shot.frames.take(slice(1, 2)), np.ones(1))
        assert np.array_equal(whole[1:2], detector.read(one, KEY))
        assert not np.array_equal(whole[0], whole[1])
        assert not np.array_equal(whole, detector.read(shot, StreamKey(6, KEY.purpose)))

    def test_no_photons_give_no_signal(self, kind):
        detector = KINDS[kind]()
        shot = exposure(detector, 0.0)
        counts = detector.read(shot, KEY).astype(float)
        assert counts.mean() == pytest.approx(getattr(detector, "offset", 0.0), abs=0.1)

    def test_scenario_form_round_trips(self, kind):
        detector = KINDS[kind]()
        again = KINDS[kind].model_validate(detector.model_dump())
        assert again == detector
        assert again.model_dump() == detector.model_dump()

    def test_an_unknown_key_is_refused(self, kind):
        with pytest.raises(ValidationError):
            KINDS[kind](kind=kind, colour="red")


@pytest.mark.parametrize("name", PRESETS)
class TestEveryPreset:
    def test_it_names_its_source(self, name):
        assert len(PRESETS[name]["source"]) > 8
        assert len(PRESETS[name]["title"]) > 8

    def test_it_reads_what_its_mean_says(self, name):
        detector = build(name)
        if hasattr(detector, "shape"):
            small = {"shape": (64, 64)} | ({"module": None} if isinstance(detector, PhotonCounter) else {})
            small |= {"modules": (Module(tile=(64, 60)),)} if isinstance(detector, Panels) else {}
            detector = detector.model_copy(update=small)
        shot = exposure(detector, 2.0)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            counts = detector.read(shot, KEY).astype(float)
        mean = detector.mean(shot)
        scale = float(mean.max() + 100) * 10 if detector.kind == "camera" else 1.0
        assert counts.sum() == pytest.approx(mean.sum(), abs=4 * scale * np.sqrt(mean.sum() + 1))

    def test_its_scenario_form_round_trips(self, name):
        detector = build(name)
        assert type(detector).model_validate(detector.model_dump()) == detector


def test_pilatus_has_its_published_number_of_modules():
    gaps = build("pilatus_1m").gaps
    assert gaps.shape == (1043, 981)
    assert (~gaps).sum() == 10 * 195 * 487


def test_a_sensor_absorbs_by_its_thickness():
    counter = build("pilatus_1m")
    shot = exposure(PhotonCounter(shape=(1, 1)), 1.0)
    # 320 um of silicon at 8 keV, total attenuation 64.7 cm^2/g (NIST): 0.992; at 6.4 keV nearly 1
    mean = counter.model_copy(update={"module": None, "dead_time": 0.0}).mean(shot)
    assert mean[0, 0, 0] == pytest.approx(1.98, abs=0.02)


def test_an_unknown_sensor_material_is_refused_with_the_nearest_name():
    with pytest.raises(ValidationError, match="silicon"):
        PhotonCounter(efficiency={"material": "silicn", "thickness": "1 um"})
