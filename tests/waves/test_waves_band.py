import numpy as np
import pytest

from xsim.errors import SamplingError
from xsim.waves.band import inner_band


@pytest.mark.parametrize(("fine", "coarse"), [((48, 60), (16, 20)), ((45, 64), (15, 23)), ((50, 33), (24, 33))])
def test_plane_waves_inside_the_band_keep_amplitude_and_phase_and_others_vanish(fine, coarse):
    def plane(shape, row, column):
        y, x = (np.arange(n) - n // 2 for n in shape)
        return np.exp(2j * np.pi * (row * y[:, None] / shape[0] + column * x[None, :] / shape[1]))

    assert np.abs(inner_band(plane(fine, 5, -7), coarse) - plane(coarse, 5, -7)).max() < 1e-12
    beyond = plane(fine, coarse[0] // 2 + 2, 1)
    assert np.abs(inner_band(beyond, coarse)).max() < 1e-12


def test_a_wave_on_its_own_samples_stays_and_a_finer_grid_is_refused():
    wave = np.exp(1j * np.arange(12.0)).reshape(3, 4)
    assert np.array_equal(inner_band(wave, (3, 4)), wave)
    with pytest.raises(SamplingError, match="finer grid"):
        inner_band(wave, (3, 5))
