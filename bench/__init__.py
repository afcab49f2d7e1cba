"""Benchmarks. Most results are ratios to a baseline in the same run, so that they hold on a noisy
machine. Goals are printed, never enforced."""
