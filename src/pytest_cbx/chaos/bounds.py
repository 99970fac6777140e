"""Confidence bounds, by scipy."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

ALPHA = 0.01
"""Of each criterion, so that six together hold at about 95 %."""


def upper_share(failures: int, trials: int, alpha: float = ALPHA) -> float:
    """The largest share of failures that so many trials leave possible, at confidence 1 − alpha: one-sided Clopper–Pearson.

    Source: C. J. Clopper, E. S. Pearson, Biometrika 26 (1934), 404–413. Without a trial anything is possible: 1.
    """
    if trials <= 0:
        return 1.0
    from scipy.stats import binomtest  # noqa: PLC0415 - takes half a second to load

    found = binomtest(failures, trials, alternative="less").proportion_ci(confidence_level=1 - alpha, method="exact")
    return float(found.high)


def needed(share: float, alpha: float = ALPHA) -> int:
    """How many trials without a failure are needed for `upper_share` to be below a share.

    With none of n: 1 − alpha^(1/n) < share, so n > log(alpha) / log(1 − share).
    """
    number = 1
    while upper_share(0, number, alpha) >= share:
        number *= 2
    low, high = number // 2, number
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if upper_share(0, middle, alpha) < share else (middle, high)
    return high


def upper_ratio(pairs: Sequence[tuple[float, float]], alpha: float = ALPHA, seed: int = 0) -> float:
    """The largest ratio of medians, second to first, that the measured pairs leave possible: bootstrap of the pairs.

    Source: B. Efron, R. Tibshirani, An Introduction to the Bootstrap (1993), percentile intervals. Fewer than three pairs: infinity.
    """
    if len(pairs) < 3:
        return float("inf")
    import numpy  # noqa: PLC0415
    from scipy.stats import bootstrap  # noqa: PLC0415

    first, second = (numpy.array(values) for values in zip(*pairs, strict=True))
    found = bootstrap(
        (first, second),
        lambda one, other, axis=-1: numpy.median(other, axis=axis) / numpy.median(one, axis=axis),
        paired=True,
        vectorized=True,
        n_resamples=4000,
        confidence_level=1 - alpha,
        alternative="less",
        method="percentile",
        rng=numpy.random.default_rng(seed),
    )
    return float(found.confidence_interval.high)


def ratio(pairs: Sequence[tuple[float, float]]) -> float:
    """The ratio of medians, second to first."""
    return median(other for _, other in pairs) / median(one for one, _ in pairs)
