"""Measurements, as ratios within one run. Not part of the package; `python -m benchmarks` runs them."""
