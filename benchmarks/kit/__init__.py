"""What all benchmarks share: peers, data, how figures are taken, kept and drawn."""
