"""Higher harmonics: shares, and how they fill up strong absorption."""

import math

import numpy as np
import pytest
from pydantic import ValidationError

from xsim.errors import RangeError
from xsim.sources.harmonics import Harmonics


def test_without_harmonics_there_is_one_line_to_the_bit():
    energies, weights = Harmonics().lines(7112.5)
    assert energies.tolist() == [7112.5]
    assert weights.tolist() == [1.0]
    assert Harmonics().geometry() == {}


def test_orders_lie_at_multiples_and_shares_add_up_to_one():
    energies, weights = Harmonics(third=0.02, second=0.01).lines(7000.0)
    assert energies.tolist() == [7000.0, 14000.0, 21000.0]
    assert weights.tolist() == pytest.approx([0.97, 0.01, 0.02])
    assert Harmonics(third=0.02).geometry() == {"harmonic_share": pytest.approx(0.02)}


def test_no_density_reads_more_than_minus_the_logarithm_of_the_share():
    energies, weights = Harmonics(third=1e-3).lines(7000.0)
    for true in (0.1, 2.0, 20.0):
        read = -math.log(weights @ np.where(energies > 7000, 1.0, math.exp(-true)))
        assert read == pytest.approx(-math.log(0.999 * math.exp(-true) + 1e-3))
        assert read < min(true, -math.log(1e-3)) + 1e-9


def test_impossible_shares_and_energies_beyond_the_tables_are_refused():
    with pytest.raises(ValidationError, match=r"less than 0\.5"):
        Harmonics(third=0.6)
    with pytest.raises(ValidationError, match="harmonics together"):
        Harmonics(second=0.3, third=0.3)
    with pytest.raises(RangeError, match="leave out"):
        Harmonics(third=0.01).lines(60e3)
