"""How wrong slabs are for strong bodies that stand through many of them: told, and seen with many more slabs."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from full_field_images import exposed, microscope

from xsim.errors import ValidityWarning
from xsim.instruments._recent import Recent
from xsim.instruments.cdi import Cdi
from xsim.instruments.full_field import FullField
from xsim.interaction import multislice
from xsim.interaction.cutting import Cut
from xsim.specimen.specimen import Specimen


def lines(material: str, height: float, period: str = "32 nm") -> Specimen:
    bars = {"kind": "grating", "bars": 21, "period": period, "length": "1 um", "height": f"{height} nm"}
    part = {"name": "lines", "material": material, "shape": bars}
    return Specimen.from_table({"extent": ["1 um", "1 um"], "population": [part]})


def small(energy: float, **more: object) -> FullField:
    cone = {"sigma": 0.4, "points": 3, "tolerance": 1.0}
    return microscope(energy=f"{energy} eV", field="64 nm", pixel="3.2 nm", condenser=cone, **more)


def times(found: Cut, more: int) -> Cut:
    """Each slab cut into `more`."""
    pairs = zip(found.edges[:-1], found.edges[1:], strict=True)
    parts = [np.linspace(low, high, more + 1)[:-1] for low, high in pairs]
    return replace(found, edges=np.append(np.concatenate(parts), found.edges[-1]), deep=np.repeat(found.deep, more))


@pytest.mark.filterwarnings("ignore:field")
@pytest.mark.parametrize(("material", "energy", "height"), [("gold", 815.0, 400.0), ("nickel", 700.0, 800.0)])
def test_images_behind_deep_walls_are_within_the_error_that_is_told(material, energy, height):
    specimen = lines(material, height)
    prepared = small(energy).prepare(specimen)
    cut, half_period = prepared.slabs.cut, prepared.instrument.finest_period(energy) / 2
    told = cut.error(specimen, energy, half_period)
    many = times(cut, 4)
    reach = replace(many, critical=2 * many.critical)
    coarse, fine, wider = (
        exposed(replace(prepared, slabs=multislice.sample(specimen, prepared.slabs.grid, c), _recent=Recent()))
        for c in (cut, many, reach)
    )
    rms = np.sqrt(np.mean((coarse - fine) ** 2) / np.mean(fine**2))
    assert told <= 0.0501
    assert told / 4 < abs(coarse.mean() / fine.mean() - 1) < told
    assert told / 4 < rms < told
    assert abs(fine.mean() / wider.mean() - 1) < 0.02  # the grid holds the light that the walls guide


@pytest.mark.filterwarnings("ignore:field")
@pytest.mark.parametrize(
    ("energy", "height", "period"), [(1200.0, 200, "45 nm"), (1200.0, 120, "45 nm"), (8000.0, 1500, "45 nm")]
)
def test_a_projection_of_short_strong_lines_is_within_the_error_that_is_told(energy, height, period):
    specimen = lines("gold", height, period)
    lens = {"outermost_zone": "30 nm", "diameter": "60 um"}
    many, asked, single = (small(energy, objective=lens, slab_error=e).prepare(specimen) for e in (0.008, 0.03, None))
    exact = exposed(many)
    for prepared in (asked, single):
        told = prepared.slabs.cut.error(specimen, energy, prepared.instrument.finest_period(energy) / 2)
        wrong = np.sqrt(np.mean((exposed(prepared) - exact) ** 2) / np.mean(exact**2))
        assert (told / 6 if prepared is single else 0.0) < wrong < told
    assert (single.slabs.count, asked.slabs.count > 1) == (1, True)
    assert asked.slabs.cut.error(specimen, energy, asked.instrument.finest_period(energy) / 2) <= 0.03


@pytest.mark.filterwarnings("ignore:field")
def test_the_error_may_be_chosen_and_stands_in_the_note():
    notes = [small(815.0, slab_error=e).prepare(lines("gold", 800)).measured() for e in (0.1, 0.02)]
    assert [float(n["interaction_model"].split("<= ")[1].split(" ")[0]) for n in notes] == [0.1, 0.02]


@pytest.mark.filterwarnings("ignore:field")
def test_a_projection_of_strong_walls_is_warned_of_with_the_number():
    with pytest.warns(ValidityWarning, match=r"wrong by up to about 0\.\d+ .*limit 0\.25.*multislice"):
        small(815.0).prepare(lines("gold", 200))
    with pytest.warns(ValidityWarning, match=r"structured over 8e-07 m.*wrong by up to (1|0\.\d+) .*\d+ slabs"):
        small(815.0, model="projection").prepare(lines("gold", 800))


@pytest.mark.filterwarnings("ignore:field")
def test_a_projection_deeper_than_its_error_takes_is_warned_of_though_within_the_rule_of_thumb():
    lens = {"outermost_zone": "30 nm", "diameter": "60 um"}
    with pytest.warns(ValidityWarning, match=r"by up to about 0\.5\d .*limit 0\.25.*\d slabs.*slab_error"):
        prepared = small(520.0, objective=lens).prepare(lines("protein", 600, "60 nm"))
    assert prepared.slabs.count == 1
    assert small(520.0, objective=lens, slab_error=0.1).prepare(lines("protein", 600, "60 nm")).slabs.count > 2


@pytest.mark.filterwarnings("ignore:field")
def test_slabs_that_do_not_fit_are_warned_of_with_number_limit_and_cure(monkeypatch):
    monkeypatch.setattr("xsim.instruments._ladder.MEMORY", 1e6)
    with pytest.warns(ValidityWarning, match=r"32 slabs, the most.* error of about 0\.0\d+ .* limit 0\.01 takes \d+"):
        prepared = small(815.0, slab_error=0.01).prepare(lines("gold", 800))
    assert prepared.slabs.count == 32


def test_slabs_for_another_energy_are_warned_of_where_they_are_too_few():
    specimen = lines("gold", 800)
    prepared = small(1600.0).prepare(specimen)
    with pytest.warns(ValidityWarning, match=r"slabs leave an error of about .*limit 0\.075"):
        prepared.check_energy(700.0)


def test_far_fields_of_deep_pillars_do_not_change_with_more_slabs():
    pillar = {"kind": "cylinder", "diameter": "80 nm", "length": "1200 nm"}
    part = {"name": "pillar", "material": "gold", "shape": pillar}
    specimen = Specimen.from_table({"extent": ["1 um", "1 um"], "population": [part]})
    detector = {"kind": "photon_counter", "shape": [64, 64], "pixel": "75 um"}
    table = {"energy": "2 keV", "distance": "120 mm", "beam": "1 um", "beam_stop": "160 um", "detector": detector}
    prepared = Cdi.model_validate(table).prepare(specimen)
    cut = prepared.slabs.cut
    assert cut.deep.any()
    patterns = [
        replace(prepared, slabs=multislice.sample(specimen, prepared.grid, c), _recent=Recent(2)).expose(
            prepared.instrument.frames()
        )
        for c in (cut, times(cut, 6))
    ]
    coarse, fine = (p.expected[0, 0] for p in patterns)
    assert np.sqrt(np.sum((coarse - fine) ** 2) / np.sum(fine**2)) < cut.error(specimen, 2000.0, 1e-9)
