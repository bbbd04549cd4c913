"""Phase retrieval: its projections by their definition, its starts, and patterns with gaps and missing centres."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from xsim.metrics.complex_match import Freedom, match
from xsim.reconstruct._pattern import Pattern, first_support
from xsim.reconstruct._phasing import Phaser
from xsim.reconstruct._starts import fftshift_all
from xsim.reconstruct.er import Er
from xsim.reconstruct.hio import Hio
from xsim.reconstruct.raar import Raar
from xsim.threads import use_threads
from xsim.waves.fft import fftn, ifftn

RNG = np.random.default_rng(11)


def blobs(shape: tuple[int, ...], weights: Any) -> np.ndarray[Any, Any]:
    """Balls of the given weights at fixed places, lopsided, zero elsewhere, middle in the middle."""
    r = np.meshgrid(*(np.arange(n) - n // 2 for n in shape), indexing="ij")
    places = [(0, -5, 3, 4), (2, 6, 1, 3), (-4, 3, -6, 2.5), (3, -4, -4, 2)]
    image = np.zeros(shape, complex)
    for weight, (*at, radius) in zip(weights, places, strict=True):
        image[sum((x - a) ** 2 for x, a in zip(r, at[-len(shape) :], strict=True)) <= radius**2] = weight
    return image


def projections(wave: Any, modulus: Any, support: Any, constraint: str) -> tuple[Any, Any]:
    """P_M, and P_S as a function, in double precision."""
    far = fftn(wave)
    unit = far / np.maximum(np.abs(far), 1e-30)
    fitted = ifftn(np.where(modulus >= 0, modulus * unit, far))

    def inside(image: Any) -> Any:
        if constraint == "quadrant":
            image = np.minimum(image.real, 0) + 1j * np.minimum(image.imag, 0)
        elif constraint == "real":
            image = np.maximum(image.real, 0)
        return np.where(support, image, 0)

    return fitted, inside


@pytest.mark.parametrize("shape", [(48, 48), (20, 24, 16)])
@pytest.mark.parametrize("constraint", ["none", "quadrant", "real"])
def test_one_iteration_is_what_its_definition_says(shape: tuple[int, ...], constraint: Any) -> None:
    wave = (RNG.normal(size=shape) + 1j * RNG.normal(size=shape)).astype(np.complex64)
    modulus = np.abs(fftn(RNG.normal(size=shape) + 0j)).astype(np.float32)
    modulus[RNG.random(shape) < 0.1] = -1
    support = RNG.random(shape) < 0.3
    fitted, inside = projections(wave, modulus, support, constraint)
    reflected = 2 * fitted - wave
    raar = 0.45 * (2 * inside(reflected) - reflected + wave) + 0.1 * fitted
    kept = inside(fitted)
    back = fitted * 0.9
    hio = np.where(kept.real == fitted.real, fitted.real, (wave - back).real) + 1j * np.where(
        kept.imag == fitted.imag, fitted.imag, (wave - back).imag
    )
    apart = np.linalg.norm(fitted - kept) / np.linalg.norm(fitted)
    for rule, wanted in (("er", kept), ("hio", hio), ("raar", raar)):
        with Phaser(wave, modulus, support, constraint) as state:
            assert state.kept() == pytest.approx(kept, abs=2e-5)
            assert state.iterate(rule, 0.9) == pytest.approx(apart, rel=1e-5)  # type: ignore[arg-type]
            assert np.abs(state.wave - wanted).max() < 2e-5


def test_the_number_of_threads_changes_no_bit() -> None:
    wave = (RNG.normal(size=(256, 256)) + 0j).astype(np.complex64)
    modulus = np.abs(fftn(wave))[::-1]
    results = []
    for threads in (1, 2, 3):
        with use_threads(threads), Phaser(wave, modulus, np.ones((256, 256)), "real") as state:
            distances = [state.iterate("raar") for _ in range(3)]
            results.append((distances, state.wave.copy()))
    for distances, image in results[1:]:
        assert distances == results[0][0]
        assert np.array_equal(image, results[0][1])


def test_error_reduction_never_raises_the_misfit() -> None:
    truth = blobs((64, 64), (1, 0.8, 0.6, 0.9))
    modulus = np.abs(fftn(truth)).astype(np.float32)
    start = ifftn(modulus * np.exp(2j * np.pi * RNG.random(modulus.shape)))
    errors = []
    with Phaser(start, modulus, np.abs(np.fft.fftshift(truth)) > 0, "none") as state:
        for _ in range(30):
            state.iterate("er")
            errors.append(Pattern(modulus, 1.0).error(state.wave))
    assert np.all(np.diff(errors) <= 1e-6)
    assert errors[-1] < errors[0]


def observed(truth: Any, hole: int = 0, gap: int = 0) -> Pattern:
    """The pattern of an image with a hidden centre of `hole` pixels and gaps of `gap` pixels in quarter position."""
    n = truth.shape[0]
    modulus = np.abs(fftn(truth)).astype(np.float32)
    if hole:
        near = np.minimum(np.arange(n), n - np.arange(n)) <= hole // 2
        modulus[np.ix_(*[near] * truth.ndim)] = -1
    if gap:
        modulus[n // 6 : n // 6 + gap] = -1
        modulus[:, -n // 5 : -n // 5 + gap] = -1
    return Pattern(modulus, 1e-9)


MATTER = -np.array([0.3 + 0.5j, 0.2 + 0.6j, 0.4 + 0.3j, 0.3 + 0.4j])


@pytest.mark.parametrize(("hole", "gap"), [(0, 0), (3, 0), (0, 3), (3, 2)])
def test_the_object_comes_back_through_gaps_and_a_missing_centre(hole: int, gap: int) -> None:
    truth = blobs((64, 64), MATTER)
    found = Raar(starts=3, iterations=200).phased(observed(truth, hole, gap), "raar")
    score = match(found.values, truth, Freedom(twin=True, contrast=False))
    assert score.correlation > 0.97
    mirrored = match(found.values[:, ::-1], truth, Freedom(twin=True, contrast=False))
    assert mirrored.correlation < score.correlation - 0.05


def test_starts_that_agree_are_averaged_and_their_transfer_function_says_so() -> None:
    truth = blobs((64, 64), (1, 0.8, 0.6, 0.9))
    found = Raar(starts=5, iterations=200, constraint="real").phased(observed(truth, 3), "raar")
    errors = found.extras["modulus_errors"].values
    kept = int(found.numbers["starts_kept"])
    assert 2 <= kept <= 5
    assert kept == np.count_nonzero(errors <= 1.25 * errors.min())
    frequency, curve = found.extras["prtf"].axes[0].values, found.extras["prtf"].values
    assert curve[(frequency > 0.05e9) & (frequency < 0.3e9)].mean() > 0.8
    assert match(found.values, truth, Freedom(twin=True, contrast=False)).correlation > 0.97


def test_hybrid_input_output_finds_what_error_reduction_alone_does_not() -> None:
    truth = blobs((64, 64), (1, 0.8, 0.6, 0.9))
    knobs = {"starts": 2, "iterations": 250, "constraint": "real"}
    scores = {}
    for method in (Hio(**knobs), Er(**knobs)):
        found = method.phased(observed(truth, 3), method.kind)
        scores[method.kind] = match(found.values, truth, Freedom(twin=True, contrast=False)).correlation
    assert scores["hio"] > 0.95
    assert scores["er"] < scores["hio"]


def test_a_volume_is_phased_like_an_image() -> None:
    truth = blobs((40, 40, 40), (1, 0.8, 0.6, 0.9))
    found = Raar(starts=2, iterations=120, constraint="real").phased(observed(truth, 1), "raar")
    assert [a.name for a in found.axes] == ["z", "y", "x"]
    best = 0.0
    for image in (found.values, np.conj(found.values[::-1, ::-1, ::-1])):
        overlap = np.abs(ifftn(np.conj(fftn(truth)) * fftn(image))).max()
        best = max(best, overlap / np.linalg.norm(truth) / np.linalg.norm(image))
    assert best > 0.97


def test_the_first_support_is_wide_enough_for_the_object_and_smaller_than_the_field() -> None:
    truth = blobs((64, 64), (1, 0.8, 0.6, 0.9))
    support = fftshift_all(first_support(observed(truth)))
    assert support[np.abs(truth) > 0].mean() > 0.9
    assert support.mean() < 0.4
