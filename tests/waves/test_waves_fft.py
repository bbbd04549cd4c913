"""The FFT door: conventions, bits, and that nothing else opens another."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

import xsim
from xsim.errors import RangeError
from xsim.threads import use_threads
from xsim.waves import fft


def test_no_other_module_calls_a_transform():
    calls = re.compile(r"(np|numpy|scipy)\.fft\b(?!\.(fftfreq|rfftfreq|fftshift|ifftshift))|from (numpy|scipy)\.fft")
    root = Path(xsim.__file__).parent
    guilty = [
        f"{path.relative_to(root)}: {line.strip()}"
        for path in root.rglob("*.py")
        if path != root / "waves" / "fft.py"
        for line in path.read_text(encoding="utf-8").splitlines()
        if calls.search(line) or re.search(r"from (numpy|scipy) import .*\bfft\b", line)
    ]
    assert not guilty


def test_the_forward_transform_sums_exp_minus_iqr():
    n = 12
    wave = np.exp(2j * np.pi * 3 * np.arange(n) / n)[None, :] * np.ones((5, 1))
    spectrum = fft.fft2(wave)
    assert spectrum[0, 3] == pytest.approx(5 * n)
    assert np.abs(spectrum).sum() == pytest.approx(5 * n, rel=1e-12)


@pytest.mark.parametrize("dtype", [np.complex64, np.complex128])
def test_a_transform_and_its_inverse_are_the_identity(dtype):
    rng = np.random.default_rng(0)
    wave = (rng.normal(size=(3, 20, 21)) + 1j * rng.normal(size=(3, 20, 21))).astype(dtype)
    back = fft.ifft2(fft.fft2(wave))
    assert back.dtype == dtype
    assert np.allclose(back, wave, atol=1e-5 if dtype == np.complex64 else 1e-13)


@pytest.mark.parametrize("shape", [(64, 64), (45, 50), (7, 128)])
@pytest.mark.parametrize("overwrite", [False, True])
def test_the_bits_depend_on_neither_threads_nor_batch(shape, overwrite):
    """In place or not each time: from SciPy 1.18 on the two round differently."""
    rng = np.random.default_rng(0)
    waves = (rng.normal(size=(6, *shape)) + 1j * rng.normal(size=(6, *shape))).astype(np.complex64)
    with use_threads(1):
        one = fft.fft2(waves.copy(), overwrite=overwrite)
    with use_threads(2):
        two = fft.fft2(waves.copy(), overwrite=overwrite)
    alone = np.stack([fft.fft2(w.copy(), overwrite=overwrite) for w in waves])
    assert np.array_equal(one, two)
    assert np.array_equal(one, alone)


def test_shifts_invert_each_other_for_odd_sizes_too():
    values = np.arange(35).reshape(5, 7)
    assert np.array_equal(fft.fftshift(values), np.fft.fftshift(values))
    assert np.array_equal(fft.ifftshift(fft.fftshift(values)), values)


def test_overwriting_works_in_place_on_columns_too():
    wave = np.ones((64, 64), np.complex64)
    part = wave[:, :20]
    assert np.shares_memory(fft.fft1(part, 0, overwrite=True), wave)


def test_no_threads_at_all_are_refused():
    with pytest.raises(RangeError), use_threads(0):
        pass
