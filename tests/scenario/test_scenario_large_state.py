"""What a killed run leaves of expectations larger than memory is written block by block and read back."""

from __future__ import annotations

import numpy as np

from xsim.scenario.resume import _write
from xsim.spill import BLOCK, create


def test_an_expectation_in_a_file_is_left_as_a_file(tmp_path):
    values = create(tmp_path / "raw", np.float32, (BLOCK // 40_000, 101, 103))
    values[:] = np.random.default_rng(1).random(values.shape[1:])
    values[-1] = 7
    _write(tmp_path / "copy.npy", values)
    read = np.load(tmp_path / "copy.npy", mmap_mode="r")
    (tmp_path / "copy.npy").unlink()  # as a resumed run clears away what is stale
    assert isinstance(read, np.memmap)
    assert np.array_equal(read, values)
