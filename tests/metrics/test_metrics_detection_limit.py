"""Limits of detection: closed forms, and the rates of false alarms and misses that draws of counts really show."""

import numpy as np
import pytest
from scipy import stats

from xsim.errors import RangeError
from xsim.metrics.detection_limit import Confidence, count_limit, currie, detected, power, threshold


def test_many_counts_give_currie_s_working_formulas():
    for background in (100.0, 1e4):
        critical, detection = currie(background)
        assert critical == pytest.approx(2.326 * np.sqrt(background), rel=1e-3)
        assert detection == pytest.approx(2.706 + 4.653 * np.sqrt(background), rel=1e-3)
    exact = count_limit(1e5)
    assert exact.detection == pytest.approx(currie(1e5)[1], rel=3e-3)
    # given the counts beside, the net counts add their own noise, k^2/2 = 1.35, and the rule rounds up: one count more
    assert exact.critical - currie(1e5)[0] == pytest.approx(1.35 + 1, abs=0.6)
    assert 0.049 < exact.false_alarm <= 0.05


def test_no_counts_beside_leave_the_binomial_alone():
    # with b = 0 and q = 1, g counts are all on one side by chance 2^-g: 5 are needed for 0.05, 4 for 0.0625
    assert threshold(np.zeros(1)) == 5
    assert threshold(np.zeros(1), alpha=0.0625) == 4
    limit = count_limit(0.0)
    assert limit.false_alarm == 0
    # a Poisson number of mean L_D is below 5 by a chance of 0.05
    assert stats.poisson.cdf(4, limit.detection) == pytest.approx(0.05, rel=1e-9)


@pytest.mark.parametrize("ratio", [0.5, 1.0, 3.0])
def test_the_threshold_is_the_first_number_whose_chance_is_small_enough(ratio):
    share = ratio / (1 + ratio)
    for b in (0, 3, 40, 1000):
        g = int(threshold(np.array([float(b)]), ratio)[0])
        assert stats.binom.sf(g - 1, g + b, share) <= 0.05 < stats.binom.sf(g - 2, g - 1 + b, share)


@pytest.mark.parametrize(("background", "ratio"), [(0.7, 1.0), (6.0, 0.5), (40.0, 2.0), (3000.0, 1.0)])
@pytest.mark.parametrize("confidence", [Confidence(), Confidence(0.01, 0.1)])
def test_draws_raise_false_alarms_and_miss_as_often_as_stated(background, ratio, confidence):
    draw = np.random.default_rng(8)
    n = 20_000
    limit = count_limit(background, ratio, confidence)
    beside = draw.poisson(background / ratio, n)
    for net, stated in ((0.0, limit.false_alarm), (limit.detection, 1 - confidence.beta)):
        seen = detected(draw.poisson(background + net, n), beside, ratio, confidence.alpha).mean()
        assert abs(seen - stated) < 3 * np.sqrt(stated * (1 - stated) / n) + 1e-12
    assert limit.false_alarm <= confidence.alpha
    if background > 1000:  # whole numbers no longer matter
        assert limit.false_alarm == pytest.approx(confidence.alpha, rel=0.06)
    assert power(limit.detection, background, ratio, confidence.alpha) == pytest.approx(1 - confidence.beta)


def test_more_background_and_more_confidence_need_more_counts():
    assert np.all(np.diff([count_limit(b).detection for b in (0, 1, 3, 10, 100)]) > 0)
    assert count_limit(10, confidence=Confidence(0.001, 0.05)).detection > count_limit(10).detection
    assert count_limit(10, ratio=0.1).detection < count_limit(10).detection


@pytest.mark.parametrize("wrong", [{"background": -1.0}, {"background": 1.0, "ratio": 0.0}])
def test_wrong_counts_are_refused(wrong):
    with pytest.raises(RangeError):
        count_limit(**wrong)
    with pytest.raises(RangeError):
        Confidence(alpha=0.7)
