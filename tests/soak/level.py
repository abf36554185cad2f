"""Is a series of samples level? A line is fitted to what was measured after the warm-up."""

from dataclasses import dataclass


@dataclass
class Fit:
    """`grown` is what the fitted line gained from the first sample to the last, in the samples' unit."""

    per_second: float
    grown: float
    seconds: float


def after(samples: list[tuple[float, float]], warm_up: float) -> list[tuple[float, float]]:
    """Those of (time, value) that are at least `warm_up` seconds younger than the first."""
    return [(time, value) for time, value in samples if time - samples[0][0] >= warm_up]


def fit(samples: list[tuple[float, float]]) -> Fit:
    """Least squares over (seconds, value); at least three samples."""
    assert len(samples) >= 3, "too few samples to say anything"
    count = len(samples)
    middle = sum(time for time, _ in samples) / count
    mean = sum(value for _, value in samples) / count
    spread = sum((time - middle) ** 2 for time, _ in samples)
    slope = sum((time - middle) * (value - mean) for time, value in samples) / spread
    seconds = samples[-1][0] - samples[0][0]
    return Fit(slope, slope * seconds, seconds)
