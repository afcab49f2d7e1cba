"""The benchmarks: ratios inside one run, so that they hold on a noisy machine. They never fail."""
