"""Measures Sheen beside its peers, in one run, and reports ratios. ``make benchmark``, or ``python
-m benchmarks NAME``.
"""
