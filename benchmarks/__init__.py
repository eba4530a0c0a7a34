"""How fast and how large: each module measures one thing, beside a peer, in one run.

    python -m benchmarks --help

Figures of two runs are never compared, for machines are shared: what counts are ratios of one run,
in which subject and peer take turns. Results go to `benchmarks/results` as JSON and PNG.
"""
