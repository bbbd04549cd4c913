"""The scenario form: what it means, how it goes wrong, and that it comes back the same."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from xsim.errors import XsimError
from xsim.matter import library
from xsim.matter.material import Material
from xsim.model import NestedErrors
from xsim.specimen.description import SpecimenDescription
from xsim.specimen.sizes import Size
from xsim.specimen.specimen import Specimen
from xsim.streams import StreamKey, generator

DOTS: dict[str, Any] = {
    "name": "dots",
    "material": "gold",
    "shape": {"kind": "sphere", "radius": "10 nm"},
    "count": 3,
    "placement": {"kind": "random"},
}
TABLE: dict[str, Any] = {
    "extent": ["1 um", "2 um"],
    "layers": [{"material": "water", "thickness": "300 nm"}],
    "population": [DOTS],
}


def faults(change: dict[str, Any]) -> list[tuple[str, str]]:
    """Key path and message of every mistake in TABLE's population after `change`, plug-ins' own included."""
    table = {**TABLE, "population": [{**DOTS, **change}]}
    try:
        SpecimenDescription.model_validate(table).build(1)
    except ValidationError as error:
        return list(flat(error, ()))
    except XsimError as error:
        return [(error.field, str(error))]
    return []


def flat(error: ValidationError, above: tuple[Any, ...]) -> Any:
    for item in error.errors():
        path = (*above, *item["loc"])
        cause = item.get("ctx", {}).get("error")
        if isinstance(cause, NestedErrors):
            yield from flat(cause.error, path)
            continue
        own = cause.field if isinstance(cause, XsimError) else ""
        yield ".".join(str(part) for part in (*path, own) if part != ""), str(cause or item["msg"])


@pytest.mark.parametrize(
    ("change", "path", "words"),
    [
        ({"material": "gould"}, "population.0.material", 'did you mean "gold"'),
        ({"material": {"formula": "Au"}}, "population.0.material.density", "2.2 g/cm^3"),
        ({"material": {"formula": "Au", "density": 19.3}}, "population.0.material", "missing unit"),
        ({"material": {"formula": "Au", "density": "19 g/cm^3", "hue": 1}}, "population.0.material.hue", "permitted"),
        ({"shape": {"kind": "spere", "radius": "1 nm"}}, "population.0.shape", 'did you mean "sphere"'),
        ({"shape": {"kind": "sphere", "radius": 12}}, "population.0.shape.radius", "missing unit"),
        ({"shape": {"kind": "sphere", "radius": "-1 nm"}}, "population.0.shape.radius", "out of range"),
        ({"shape": {"kind": "sphere", "radius": "1 keV"}}, "population.0.shape.radius", "wrong unit"),
        ({"count": 0}, "population.0.count", "greater than or equal to 1"),
        ({"count": 2.5}, "population.0.count", "integer"),
        ({"name": "two words"}, "population.0.name", "pattern"),
        ({"colour": "red"}, "population.0.colour", "not permitted"),
        ({"placement": {"kind": "everywhere"}}, "population.0.placement", "unknown placement"),
        ({"placement": {"kind": "random", "minimum_gap": "-1 nm"}}, "population.0.placement.minimum_gap", "of range"),
        ({"placement": {"kind": "at", "positions": [["1 nm", "1 nm"]]}}, "population.0.placement.positions.0", "requi"),
        ({"size": {"distribution": "lognormal"}}, "population.0.size.relative_width", "> 0 and <= 2"),
        ({"size": {"distribution": "normal", "relative_width": 0.5}}, "population.0.size.relative_width", "<= 0.3"),
        ({"size": {"relative_width": 0.1}}, "population.0.size.relative_width", "no meaning"),
        ({"size": {"distribution": "gauss"}}, "population.0.size.distribution", "lognormal"),
        ({"size": {"distribution": "list", "scales": [1.0]}}, "population[0].size.scales", "3 scales"),
        ({"orientation": {"euler": ["1 deg", "2 deg", 3]}}, "population.0.orientation", "missing unit"),
        ({"orientation": "upright"}, "population.0.orientation", "aligned"),
        ({"orientation": {"quaternion": [0, 0, 0, 0]}}, "population.0.orientation", "no rotation"),
        ({"orientation": "normal"}, "population[0].orientation", "needs a surface"),
        ({"core_material": "gold"}, "population.0.core_material", "hollow"),
        ({"shape": {"kind": "sphere", "radius": "400 nm"}}, "population[0].placement", "larger than the region"),
        ({"placement": {"kind": "lattice", "structure": "fcc"}}, "population.0.placement.structure", "exactly one way"),
        ({"placement": {"kind": "surface", "of": "dots"}}, "population[0].placement.of", "unknown population"),
    ],
    ids=lambda v: str(v)[:60],
)  # fmt: skip
def test_every_mistake_names_its_key_and_what_is_allowed(change: dict[str, Any], path: str, words: str) -> None:
    found = faults(change)
    assert found, "accepted"
    assert any(key.startswith(path) and words in text for key, text in found), found


def test_two_populations_of_one_name_are_refused() -> None:
    with pytest.raises(ValidationError, match="two populations of the same name"):
        SpecimenDescription.model_validate({**TABLE, "population": [DOTS, DOTS]})


def test_populations_that_need_each_other_are_refused() -> None:
    first = {**DOTS, "name": "first", "host": "second"}
    second = {**DOTS, "name": "second", "host": "first"}
    with pytest.raises(XsimError, match="circle"):
        Specimen.from_table({**TABLE, "population": [first, second]})


def test_without_extent_or_layers_random_placement_says_what_is_missing() -> None:
    with pytest.raises(XsimError, match="extent") as caught:
        Specimen.from_table({"population": [DOTS]})
    assert caught.value.field == "extent"
    with pytest.raises(XsimError, match=r'z = \["-1 um", "1 um"\]') as caught:
        Specimen.from_table({"extent": ["1 um", "1 um"], "population": [DOTS]})
    assert caught.value.field == "population[0].placement.z"
    free = {**DOTS, "placement": {"kind": "random", "z": ["-1 um", "1 um"]}}
    assert Specimen.from_table({"extent": ["1 um", "1 um"], "population": [free]}).populations[0].host is None


def test_the_scenario_form_comes_back_the_same() -> None:
    population = [
        {**DOTS, "size": {"distribution": "schulz", "relative_width": 0.12}, "orientation": "random"},
        {
            "name": "pills",
            "material": {"formula": "SiO2", "density": "1.9 g/cm^3"},
            "core_material": {"formula": "gold", "density": "18 g/cm^3"},
            "shape": {"kind": "core_shell", "radius": "40 nm", "shell": "5 nm"},
            "orientation": {"axis": [0, 1, 0], "angle": "30 deg"},
            "placement": {"kind": "at", "positions": [["0 nm", "300 nm", "0 nm"], ["-0.2 um", "0 nm", "1 nm"]]},
        },
    ]
    one = SpecimenDescription.model_validate({**TABLE, "population": population})
    two = SpecimenDescription.model_validate(one.model_dump())
    assert two == one
    assert two.model_dump() == one.model_dump()
    built = [d.build(5).particle_table() for d in (one, two)]
    for key, column in built[0].items():
        assert np.array_equal(column, built[1][key]), key


def test_layers_are_stacked_from_upstream_about_the_centre() -> None:
    layers = [{"material": "silicon_nitride", "thickness": "50 nm"}, {"material": "water", "thickness": "950 nm"}]
    specimen = Specimen.from_table({"layers": layers})
    np.testing.assert_allclose(specimen.layers.edges, [-500e-9, -450e-9, 500e-9], atol=1e-20)
    names = [m.name for m in specimen.layers.materials]
    assert names == ["silicon_nitride", "water"]
    points = np.array([[0, 0, -460e-9], [0, 0, 0], [0, 0, 501e-9]])
    assert list(specimen.layers.index_at(points)) == [0, 1, -1]


def test_copies_in_different_layers_displace_their_own_layer() -> None:
    layers = [{"material": "water", "thickness": "100 nm"}, {"material": "pmma", "thickness": "100 nm"}]
    where = [["0 nm", "0 nm", "50 nm"], ["0 nm", "0 nm", "-50 nm"], ["50 nm", "0 nm", "50 nm"]]
    dots = {**DOTS, "placement": {"kind": "at", "positions": where}}
    specimen = Specimen.from_table({"layers": layers, "population": [dots]})
    hosts = {int(i): p.host.name for p in specimen.populations if p.host for i in p.index}
    assert hosts == {0: "pmma", 1: "water", 2: "pmma"}
    assert specimen.particle("dots", 1).poses.positions[0, 2] < 0
    assert sorted(specimen.particle_table()["name"]) == ["dots[0]", "dots[1]", "dots[2]"]


def test_a_material_object_may_stand_in_for_its_name() -> None:
    material = Material("CdSe", density="5.8 g/cm^3")
    specimen = Specimen.from_table({**TABLE, "population": [{**DOTS, "material": material}]})
    assert specimen.materials == (library.find("water"), material)


@pytest.mark.parametrize(
    ("distribution", "width"),
    [("lognormal", 0.103), ("lognormal", 0.5), ("normal", 0.1), ("schulz", 0.3), ("uniform", 0.4)],
)
def test_sizes_have_mean_one_and_the_stated_width(distribution: str, width: float) -> None:
    size = Size(distribution=distribution, relative_width=width)  # type: ignore[arg-type]
    n = 200_000
    scales = size.draw(n, generator(StreamKey(3, "sizes")))
    assert scales.min() > 0
    assert abs(scales.mean() - 1) < 3.5 * width / n**0.5
    spread = (scales - 1) ** 2
    assert abs(spread.mean() - width**2) < 3.5 * spread.std() / n**0.5


def test_lognormal_and_schulz_have_their_third_moments() -> None:
    w, n = 0.25, 400_000
    for distribution, third in (("lognormal", (1 + w**2) ** 3), ("schulz", (1 + w**2) * (1 + 2 * w**2))):
        scales = Size(distribution=distribution, relative_width=w).draw(n, generator(StreamKey(4, distribution)))  # type: ignore[arg-type]
        cube = scales**3
        assert abs(cube.mean() - third) < 3.5 * cube.std() / n**0.5


def test_given_scales_are_taken_in_order() -> None:
    table = {**DOTS, "size": {"distribution": "list", "scales": [0.5, 1.0, 2.0]}}
    specimen = Specimen.from_table({**TABLE, "population": [table]})
    np.testing.assert_allclose(specimen.populations[0].radii, [5e-9, 10e-9, 20e-9])


def test_the_schema_is_json_and_knows_the_plugins() -> None:
    schema = SpecimenDescription.model_json_schema()
    text = str(schema)
    assert "sphere" in text
    assert "surface" in text


@pytest.mark.parametrize(
    "form",
    [
        {"formula": "SiO2", "density": "2.2 g/cm^3", "porosity": 0.4},
        {"parts_by_atoms": {"gold": 0.5, "silver": 0.5}},
        {"parts_by_volume": {"hematite": 0.3, "iron": 0.2, "water": 0.5}},
        {
            "formula": "Fe2O3",
            "density": "5.2 g/cm^3",
            "near_edge": [{"element": "Fe", "edge": "K", "position": "7121 eV", "peak": [
                {"position": "7114 eV", "width": "2 eV", "height": 0.1}]}],
        },
    ],
)  # fmt: skip
def test_a_material_of_a_scenario_comes_back_from_its_written_form_with_its_near_edges(form):
    from xsim.specimen.material_field import _MaterialMark as Mark

    first = Mark.validate(form)
    second = Mark.validate(Mark.dump(first))
    assert second.near_edges == first.near_edges
    assert second.density == pytest.approx(first.density, rel=1e-12)
    assert second.optics(7125.0).delta == pytest.approx(first.optics(7125.0).delta, rel=1e-12)
    assert second.optics(7125.0).beta == pytest.approx(first.optics(7125.0).beta, rel=1e-12)


def test_parts_by_atoms_and_porosity_are_what_they_say():
    from xsim.specimen.material_field import _MaterialMark as Mark

    alloy = Mark.validate({"parts_by_atoms": {"gold": 0.25, "silver": 0.75}}).number_densities
    assert alloy["Ag"] / alloy["Au"] == pytest.approx(3, rel=1e-12)
    porous = Mark.validate({"formula": "SiO2", "density": "2.2 g/cm^3", "porosity": 0.4})
    assert porous.density == pytest.approx(1320, rel=1e-12)
