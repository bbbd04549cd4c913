"""A table that names some values of a part keeps the rest of what the instrument has there by default."""

from __future__ import annotations

import pytest

from xsim.instruments.full_field import FullField
from xsim.instruments.ptychography import Ptychography


def test_a_part_keeps_the_instruments_own_values_where_a_table_is_silent():
    default = Ptychography().zone_plate
    plate = Ptychography.model_validate({"zone_plate": {"diameter": "200 um"}}).zone_plate
    assert plate.diameter == pytest.approx(200e-6)
    assert (plate.outermost_zone, plate.thickness) == (default.outermost_zone, default.thickness)
    assert default.outermost_zone != FullField().objective.outermost_zone


def test_what_was_merged_is_written_and_read_back_alike():
    instrument = Ptychography.model_validate({"zone_plate": {"material": "nickel"}})
    assert Ptychography.model_validate(instrument.model_dump()) == instrument
