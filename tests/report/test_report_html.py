"""The page holds every picture and number, loads nothing from elsewhere, and copes with odd data."""

from __future__ import annotations

import base64
import dataclasses
import io
import re
import struct
import sys
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "formats"))
import synthetic_measurements as synthetic

from xsim.exposure import Axis, Dose, Measurement, Truth
from xsim.report import figures, text
from xsim.report.html import ReportInput, flattened, render, write
from xsim.report.panels import Curves, Line, Picture, in_rows
from xsim.report.parts import pair
from xsim.report.views import rows_of
from xsim.waves.grid import Grid

VOID = {"meta", "img", "br"}
EXTERNAL = re.compile(r"""(?:src|href)=["'](?!data:|#)|url\(|<script|<link|@import""")


class Balance(HTMLParser):
    """Fails on tags that are not closed in order; keeps the words."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.words: list[str] = []

    def handle_starttag(self, tag, attributes):
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open, tag
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.words.append(data)


def words(page: str) -> str:
    parser = Balance()
    parser.feed(page)
    assert parser.open == []
    return " ".join(" ".join(parser.words).split())


def changed(measurement: Measurement, **fields) -> Measurement:
    return dataclasses.replace(measurement, **fields)


def panels(measurement: Measurement) -> list:
    return [panel for row in rows_of(measurement) for panel in row]


def test_the_page_is_one_well_formed_file_that_loads_nothing(tmp_path):
    grid = Grid((30, 40), 10e-9)
    run = ReportInput(
        "Gold <b>& ice</b>", [builder() for builder in synthetic.ALL], "First.\n\nSecond.", 'title = "<x>"',
        {"version": "9.9", "seed": 3, "scenario_hash": "cafe"}, {"gold": synthetic.image(30, 40) * 1e-9}, grid,
        {"labels": 200}, 12.5, ["outside & <odd>"], {"cores": 2}, {"contrast": "ok"},
    )  # fmt: skip
    write(tmp_path / "report.html", run)
    page = (tmp_path / "report.html").read_text("utf-8")
    assert not EXTERNAL.search(page)
    read = words(page)
    for word in ("Gold <b>& ice</b>", "outside & <odd>", "photon count <low> & odd", "9.9", "cafe", "labels: 200"):
        assert word in read
    assert "<b>& ice" not in page
    pictures = re.findall(r"data:image/png;base64,([^\"]+)", page)
    assert len(pictures) == len(synthetic.ALL) + 1
    for picture in pictures:
        raw = base64.b64decode(picture)
        assert raw.startswith(b"\x89PNG")
        assert min(struct.unpack(">II", raw[16:24])) > 200
    assert list(tmp_path.iterdir()) == [tmp_path / "report.html"]


def test_the_check_for_outside_links_finds_one():
    assert EXTERNAL.search('<img src="https://example.org/a.png">')
    assert not EXTERNAL.search('<img src="data:image/png;base64,xx"><a href="#txm">')


def test_the_table_states_photons_counts_time_and_dose_by_material():
    measurement = synthetic.ptychography()
    counted = text.count_text(float(measurement.counts.sum()))
    dose = {"gold": Dose(1.234e6, 5.6e6, 0, 1), "protein": Dose(float("nan"), 2e3, 0, 0)}
    read = words(render(ReportInput("t", [changed(measurement, dose=dose), synthetic.absorption()])))
    for word in (
        "1.2·10⁷",
        f"{counted} counts",
        "1.23 MGy",
        "5.6 MGy",
        "not known",
        "2 kGy",
        "1.2 s",
        "protein",
        "6.2 keV",
    ):
        assert word in read, word
    assert "–" in read  # the second instrument knows no protein


def test_measured_stands_beside_noise_free_with_unit_and_scale():
    for builder in (synthetic.full_field, synthetic.stxm, synthetic.ptychography, synthetic.cdi, synthetic.saxs):
        first, second = rows_of(builder())[0][:2]
        assert isinstance(first, Picture)
        assert isinstance(second, Picture)
        assert "Measured" in first.title
        assert "Noise-free" in second.title
        assert first.unit.startswith("counts")
        assert second.unit.startswith("photons")
        assert first.pixel is not None
        assert first.values.shape == second.values.shape


def test_pictures_show_the_array_as_it_is_not_flipped_or_transposed():
    measurement = synthetic.full_field()
    first, second, truth = rows_of(measurement)[0]
    np.testing.assert_array_equal(first.values, measurement.counts[0])
    np.testing.assert_array_equal(second.values, measurement.expected[0])
    assert truth.title == "Truth · phase"
    assert first.pixel == pytest.approx((20e-9, 20e-9))


def test_far_field_pictures_are_scaled_in_q():
    """q per pixel = k p / L at the beam's centre."""
    first = rows_of(synthetic.ptychography())[0][0]
    k = 2 * np.pi * 6200 / 1.2398419843320026e-6
    assert first.pixel == pytest.approx((k * 75e-6 / 2.0,) * 2, rel=1e-9)
    assert first.length_unit == "rad/m"
    assert first.scale == "log"


def test_the_scattering_curve_is_absolute_where_thickness_and_transmission_are_known():
    measurement = synthetic.saxs()
    panel = rows_of(measurement)[0][2]
    assert "cm⁻¹" in panel.y_label
    bare = {key: value for key, value in measurement.geometry.items() if "specimen" not in key}
    other = rows_of(changed(measurement, geometry=bare))[0][2]
    assert "[1/sr]" in other.y_label
    for absolute, fraction in zip(panel.lines, other.lines, strict=True):
        np.testing.assert_allclose(absolute.y, fraction.y / (2e-6 * 0.9) / 100, rtol=1e-12)


def test_masked_pixels_are_shown_as_missing():
    measurement = synthetic.cdi()
    first, second = rows_of(measurement)[0][:2]
    np.testing.assert_array_equal(np.isnan(first.values), measurement.geometry["mask"])
    np.testing.assert_array_equal(np.isnan(second.values), measurement.geometry["mask"])


def test_the_spectrum_of_a_stack_is_the_one_of_the_points_that_change():
    """A stack whose one corner has an edge: ln(I0/I) of that corner, noise-free, to rounding."""
    energies = Axis("energy", np.linspace(700.0, 720.0, 11), "eV")
    axes = (energies, synthetic.axis("y", 10, 1e-8), synthetic.axis("x", 20, 1e-8))
    depth = np.full((11, 10, 20), 0.3)
    edge = 0.8 / (1 + np.exp(-(energies.values - 710)))
    depth[:, 8:, 15:] += edge[:, None, None]  # 10 points of 200, 5 %
    made = synthetic.measurement("s", "stxm", synthetic.table(axes), (1e6 * np.exp(-depth)).ravel(), ())
    (curve,) = [panel for panel in panels(made) if isinstance(panel, Curves)]
    free = next(line for line in curve.lines if line.label == "noise-free")
    np.testing.assert_allclose(free.y, 0.3 + edge, rtol=1e-12)
    seen = next(line for line in curve.lines if line.label == "measured")
    assert np.all(np.abs(seen.y - free.y) < 5 * seen.error)


def test_the_images_of_a_stack_are_its_brightest_and_its_most_different():
    stack = np.ones((5, 6, 6)) * np.array([3.0, 5.0, 4.0, 4.0, 4.5])[:, None, None]
    stack[3, 2, 4] = 0.5
    from xsim.report.views import contrasting

    assert contrasting(stack) == [1, 3]
    assert contrasting(stack[:1]) == [0]


def test_an_absorption_spectrum_has_poisson_errors():
    measurement = synthetic.absorption()
    curve = panels(measurement)[0]
    measured, free = curve.lines
    np.testing.assert_allclose(measured.error, 1 / np.sqrt(measurement.counts))
    np.testing.assert_allclose(free.y, measurement.truth["absorbance"].values, rtol=1e-9)
    pulls = (measured.y - free.y) / measured.error
    assert abs(pulls.std() - 1) < 4 / np.sqrt(2 * len(pulls))


def test_fluorescence_maps_count_the_window_of_each_element_beside_its_photons():
    measurement = synthetic.fluorescence()
    lines = Axis("line", np.array(["S KL3", "Fe KL3", "Fe KM3", "Au M5N7", "Au L3M5", "elastic"]))
    axes = measurement.frames.axes
    maps = {name: Truth(np.full((12, 16), k), axes, "photon") for k, name in enumerate(("line_Fe_K", "line_Au_L"))}
    truth = {
        "line_energies": Truth(np.array([2307.0, 6404.0, 7058.0, 2122.0, 9713.0, 12000.0]), (lines,), "eV"),
        "line_photons": Truth(np.array([5.0, 90.0, 10.0, 40.0, 70.0, 1e9]), (lines,), "photon"),
        "line_Au_M": Truth(np.zeros((12, 16)), axes, "photon"), **maps,
    }  # fmt: skip
    rows = rows_of(changed(measurement, truth=truth))
    assert [row[0].title for row in rows] == ["Measured · Fe K, 6.40 keV", "Measured · Au L, 9.71 keV"]
    channels = measurement.axes[0].values
    window = np.abs(channels - 6404) <= 130
    np.testing.assert_array_equal(rows[0][0].values, measurement.counts.reshape(12, 16, -1)[..., window].sum(-1))
    assert "Fe K" in rows[0][1].title
    assert rows[0][1].values[0, 0] == 0
    assert rows[1][1].values[0, 0] == 1
    spectrum = rows[0][2]
    np.testing.assert_array_equal(spectrum.lines[0].y, measurement.counts.sum(axis=0)[channels <= 12600])


def test_the_sum_spectrum_names_escape_pile_up_and_scatter_and_shows_what_was_expected():
    measurement = synthetic.fluorescence()
    lines = Axis("line", np.array(["Fe KL3", "Compton 1", "Compton 2", "elastic"]))
    response = np.zeros((4, len(measurement.axes[0].values)))
    response[np.arange(4), [126, 225, 229, 237]] = 0.5
    maps = measurement.frames.axes
    truth = {
        "line_energies": Truth(np.array([5404.0, 11300.0, 11500.0, 12000.0]), (lines,), "eV"),
        "line_photons": Truth(np.array([1e4, 30.0, 10.0, 50.0]), (lines,), "photon"),
        "line_response": Truth(response, (lines, *measurement.axes), "counts/photon"),
        "line_Fe_K": Truth(np.ones((12, 16)), maps, "photon"),
        "area_density_Fe": Truth(np.full((12, 16), 0.5), maps, "kg/m^2"),
    }
    geometry = {"escape": 1, "resolving_time [s]": 1e-7, "live_time [s]": 0.8 * measurement.frames["time"]}
    rows = rows_of(changed(measurement, truth=truth, geometry=geometry))
    assert rows[0][2].title == "Truth · Fe in the specimen"
    spectrum = rows[0][3]
    wanted = {"Fe K": 5.404, "Fe K escape": 3.664, "2 x Fe K, pile-up": 10.808, "Compton": 11.35, "elastic": 12.0}
    assert spectrum.marks == pytest.approx(wanted)
    assert spectrum.lines[1].y[126] == pytest.approx(0.8 * 0.5 * 1e4)


def test_fluorescence_without_named_lines_finds_the_peaks():
    rows = rows_of(synthetic.fluorescence())
    labels = sorted(float(re.search(r"[\d.]+", row[0].title).group()) for row in rows)
    np.testing.assert_allclose(labels, [2.122, 6.404, 9.713], atol=0.06)


def test_scan_positions_lie_where_the_beam_was():
    measurement = synthetic.ptychography(12)
    x0 = np.linspace(-60e-9, 60e-9, 12)
    columns = {**measurement.frames.columns, "x": x0, "y": -x0}
    measurement = changed(measurement, frames=dataclasses.replace(measurement.frames, columns=columns))
    picture = rows_of(measurement)[0][2]
    axes = measurement.truth["object"].axes
    full = np.angle(measurement.truth["object"].values)
    x, y = picture.points
    # the point (x, y) [m] in the cropped picture shows the pixel of the whole map at that place
    for number in (0, 11):
        row, column = np.abs(axes[0].values + x0[number]).argmin(), np.abs(axes[1].values - x0[number]).argmin()
        shown = picture.values[round(float(y[number])), round(float(x[number]))]
        assert shown == full[row, column]


@pytest.mark.parametrize("scale", ["linear", "log", "symmetric"])
@pytest.mark.parametrize(
    "values",
    [np.zeros((5, 7)), np.full((5, 7), 3.0), np.full((5, 7), np.nan), -np.ones((5, 7)), np.eye(6) * 1e30,
     np.where(np.eye(6) > 0, np.nan, 1e-30), np.array([[np.inf, 1.0], [2.0, -np.inf]]), np.ones((1, 400))],
)  # fmt: skip
def test_odd_images_are_drawn(values, scale):
    low, high = figures.colour_limits(values, scale)
    assert np.isfinite([low, high]).all()
    assert low < high
    figure = figures.draw([[Picture(values, "odd", "m", (1e-9, 1e-9), scale=scale)]])
    assert figures.png(figure, dpi=40).startswith(b"\x89PNG")


def test_rounding_errors_are_no_structure_and_a_contrast_of_a_thousandth_is():
    ripple = np.sin(np.arange(400.0)).reshape(20, 20)
    low, high = figures.colour_limits(56.4 * (1 + 1e-6 * ripple))
    assert high - low > 10
    low, high = figures.colour_limits(56.4 * (1 + 1e-3 * ripple))
    assert high - low < 0.2


def test_the_truth_beside_a_moved_specimen_tells_where_the_stage_stood():
    from xsim.instruments.full_field import FullField
    from xsim.report.views import rows_of
    from xsim.scans.tilts import Tilts
    from xsim.simulate import simulate
    from xsim.specimen.specimen import Specimen

    ball = {"name": "ball", "material": "gold", "shape": {"kind": "sphere", "radius": "40 nm"}}
    specimen = Specimen.from_table({"population": [ball]})
    camera = FullField(field="160 nm", pixel="20 nm", flux="1e4 1/s", flats=0, darks=0)
    tilted = Tilts(start="-60 deg", stop="60 deg", count=2).apply(camera)
    titles = [[panel.title for panel in row] for row in rows_of(simulate(specimen, tilted, seed=1))]
    assert titles[0][-1] == "Truth · optical density, stage at 0"
    alone = [panel.title for panel in rows_of(simulate(specimen, camera, seed=1))[0]]
    assert alone[-1] == "Truth · optical density"


def test_odd_curves_are_drawn():
    x = np.arange(4.0)
    lines = (Line("a", x, np.zeros(4), points=True), Line("b", x, np.full(4, np.nan)), Line("c", x, -x, np.ones(4)))
    for log in (False, True):
        figure = figures.draw([[Curves("t", "x", "y", lines, log, log)]])
        assert figures.png(figure, dpi=40).startswith(b"\x89PNG")


@pytest.mark.parametrize("builder", synthetic.ALL, ids=lambda builder: builder.__name__)
def test_a_run_without_a_single_count_or_expectation_still_has_a_report(builder):
    measurement = builder()
    for expected in (None, np.zeros_like(np.asarray(measurement.expected))):
        empty = changed(measurement, counts=np.zeros_like(measurement.counts), expected=expected, dose={}, truth={})
        assert panels(empty)
    words(render(ReportInput("empty", [empty])))


def test_a_hundred_thousand_frames_in_a_memory_map_are_sampled_not_read(tmp_path):
    n = 100_000
    counts = np.memmap(tmp_path / "big.dat", np.uint16, "w+", shape=(n, 8, 8))
    counts[0], counts[-1] = 3, 5
    base = synthetic.ptychography(2, 8)
    frames = synthetic.table(energy=6200.0, x=np.zeros(n), y=np.zeros(n))
    big = changed(base, counts=counts, expected=None, frames=frames, incident=np.ones(n))
    shown = [panel for panel in panels(big) if "Measured" in panel.title]
    assert [float(panel.values[0, 0]) for panel in shown] == [3.0, 5.0]


def test_figures_leave_no_global_state():
    figures.png(figures.draw([[Picture(np.eye(3), "t")]]), dpi=30)
    assert "matplotlib.pyplot" not in sys.modules or not sys.modules["matplotlib.pyplot"].get_fignums()


def test_colours_are_shared_only_where_counts_are_photons():
    camera = changed(synthetic.full_field(), counts_unit="ADU")
    assert all(panel.limits is None for panel in rows_of(camera)[0][:2])
    counter = rows_of(synthetic.full_field())[0]
    assert counter[0].limits == counter[1].limits is not None


def test_a_large_picture_is_averaged_and_says_so():
    figure = figures.draw([[Picture(np.ones((2000, 1900)), "big", "m", (1e-9, 1e-9))]])
    title = figure.axes[0].get_title(loc="left")
    assert "mean of 3×3 pixels" in title
    assert figure.axes[0].images[0].get_array().shape == (666, 633)


def test_the_scale_bar_is_as_long_as_it_says():
    figure = figures.draw([[Picture(np.ones((50, 100)), "t", "", (7e-9, 7e-9))]])
    axes = figure.axes[0]
    (bar,) = [line for line in axes.lines if len(line.get_xdata()) == 2]
    label = axes.texts[0].get_text()
    assert label == "200 nm"
    assert np.ptp(bar.get_xdata()) * 7e-9 == pytest.approx(200e-9)


def test_rows_are_even():
    assert [len(row) for row in in_rows(list(range(7)), 3)] == [3, 3, 1]
    assert [len(row) for row in in_rows(list(range(4)), 3)] == [2, 2]
    assert in_rows([], 3) == []


def test_pair_without_expectation_has_one_picture():
    measurement = synthetic.full_field()
    assert len(pair(measurement, measurement.counts[0], None, "", None, False)) == 1


def test_save_writes_a_png(tmp_path):
    figures.save(figures.draw([figures.thickness_pictures({"a_b": np.eye(4)}, Grid((4, 4), 1e-9))]), tmp_path / "t.png")
    from PIL import Image

    assert Image.open(io.BytesIO((tmp_path / "t.png").read_bytes())).size[0] == 480


@pytest.mark.parametrize(
    ("value", "unit", "said"),
    [(2e-6, "m", "2 µm"), (1.2345e6, "Gy", "1.23 MGy"), (0.02, "Gy", "0.02 Gy"), (520.0, "eV", "520 eV"),
     (0.0, "m", "0 m"), (float("nan"), "Gy", "not known"), (1e9, "rad/m", "1 nm⁻¹"), (999.9996e-9, "m", "1000 nm"),
     (3e20, "m", "3·10⁸ Tm")],
)  # fmt: skip
def test_quantities_read_well(value, unit, said):
    assert text.quantity_text(value, unit) == said


@pytest.mark.parametrize(
    ("value", "said"),
    [(0, "0"), (12, "12"), (4353.2, "4 353"), (99_999, "99 999"), (1.2345678e9, "1.235·10⁹"), (1e8, "1·10⁸"),
     (0.25, "0.25")],
)  # fmt: skip
def test_counts_read_well(value, said):
    assert text.count_text(value) == said


@pytest.mark.parametrize(("limit", "is_"), [(1.0, 1), (0.99, 0.5), (7.3, 5), (23.0, 20), (2e-7, 2e-7), (1.99e-7, 1e-7)])
def test_nice_lengths_are_the_largest_that_fit(limit, is_):
    assert text.nice(limit) == pytest.approx(is_)


def test_durations_read_well():
    assert text.duration_text(1.5) == "1.5 s"
    assert text.duration_text(312) == "5 min 12 s"
    assert text.duration_text(7500) == "2 h 05 min"


def test_settings_are_flat_short_and_without_what_is_not_set():
    settings = {"a": {"b": "1 nm", "c": None}, "d": [1, 2], "e": np.zeros((5, 6)), "f": list(range(99))}
    assert flattened(settings) == [("a.b", "1 nm"), ("d", "1, 2"), ("e", "array of 5 × 6"), ("f", "0 … 98 (99 values)")]
