"""Dose shared among copies: laws of scale, limits, and the bound of a single molecule."""

from __future__ import annotations

import numpy as np
import pytest

from xsim.dose.required import HOWELLS, PowerLaw, required_dose, required_fluence, resolution_limit
from xsim.dose.sharing import GARMAN, HENDERSON, Capped, copies_needed, dose_per_copy, shared_resolution, sharing
from xsim.errors import RangeError
from xsim.matter.library import find

PROTEIN, WATER, ENERGY = find("protein"), find("water"), 8e3


def test_the_dose_of_each_copy_is_one_over_their_number_at_the_same_signal() -> None:
    alone = required_dose(PROTEIN, WATER, 1e-9, ENERGY)
    for copies in (1, 30, 1e6):
        assert dose_per_copy(PROTEIN, WATER, 1e-9, ENERGY, copies) * copies == pytest.approx(alone, rel=1e-12)
    one, many = sharing(PROTEIN, WATER, ENERGY, [1, 1e8])
    from xsim.dose.required import electron_contrast

    contrast = electron_contrast(PROTEIN, WATER, ENERGY)
    for share in (one, many):  # 25 photons from the feature, of all copies together
        assert share.fluence * share.copies == pytest.approx(required_fluence(contrast, share.size, ENERGY), rel=1e-9)
        assert share.dose == pytest.approx(share.alone / share.copies)


def test_one_copy_ends_where_the_resolution_limit_of_a_single_particle_is() -> None:
    assert shared_resolution(PROTEIN, WATER, ENERGY, 1) == pytest.approx(
        resolution_limit(PROTEIN, WATER, ENERGY), rel=1e-9
    )


@pytest.mark.parametrize("power", [1.0, 1.7, 0.0])
def test_resolution_improves_as_copies_to_the_power_of_one_over_four_plus_that_of_the_limit(power: float) -> None:
    law = PowerLaw(1e8, power)
    sizes = [shared_resolution(PROTEIN, WATER, ENERGY, n, law) for n in (1, 1e5)]
    assert sizes[1] / sizes[0] == pytest.approx(1e5 ** (-1 / (4 + power)), rel=1e-8)


def test_as_many_copies_as_a_resolution_needs_reach_it_at_the_tolerable_dose() -> None:
    for size in (0.2e-9, 1e-9, 3e-9):
        copies = copies_needed(PROTEIN, WATER, size, ENERGY)
        assert copies > 1
        assert shared_resolution(PROTEIN, WATER, ENERGY, copies) == pytest.approx(size, rel=1e-8)
        assert dose_per_copy(PROTEIN, WATER, size, ENERGY, copies) == pytest.approx(HOWELLS(size))
    assert copies_needed(PROTEIN, WATER, 1e-6, ENERGY) == 1


def test_the_limits_of_crystals_lie_on_the_line_of_howells_at_two_and_three_angstrom() -> None:
    assert HOWELLS(0.2e-9) == pytest.approx(HENDERSON)
    assert HOWELLS(0.3e-9) == pytest.approx(GARMAN)
    capped = Capped(GARMAN)
    assert capped(0.2e-9) == pytest.approx(20e6)
    assert capped(1e-9) == GARMAN
    assert copies_needed(PROTEIN, WATER, 1e-9, ENERGY, capped) == pytest.approx(
        copies_needed(PROTEIN, WATER, 1e-9, ENERGY) * 1e8 / 30e6
    )


def test_fewer_than_one_copy_is_refused() -> None:
    with pytest.raises(RangeError, match="at least one copy"):
        dose_per_copy(PROTEIN, WATER, 1e-9, ENERGY, 0.5)
    assert np.isfinite(shared_resolution(PROTEIN, None, ENERGY, 1e12))


def test_plan_tells_and_draws_the_curve(tmp_path, capsys) -> None:  # type: ignore[no-untyped-def]
    from xsim.cli import main

    picture = tmp_path / "share.png"
    assert main(["plan", "protein-shots", "--sharing", "-o", str(picture), "--quiet"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[1].split()[:2] == ["copies", "resolution"]
    assert len(lines) == 11
    assert picture.stat().st_size > 10_000
    assert main(["plan", "protein-shots", "--sharing", "-o", "share.jpg", "--quiet"]) == 2
