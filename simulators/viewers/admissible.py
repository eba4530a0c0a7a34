"""The SOP classes whose instances a French manifest may list."""

_STORAGE = "1.2.840.10008.5.1.4.1.1"
_LEAVES = (
    "1 1.1 1.1.1 1.2 1.2.1 1.3 1.3.1 2 2.1 2.2 3.1 4 4.1 4.2 4.3 4.4 6.1 6.2 7 7.1 7.2 7.3 7.4 "
    "11.1 11.2 11.3 11.4 11.5 12.1 12.1.1 12.2 12.2.1 13.1.1 13.1.2 13.1.3 13.1.4 13.1.5 20 "
    "66 66.1 66.2 66.3 66.4 66.5 67 68.1 68.2"
)
_KEY_OBJECTS = "88.59"

ADMISSIBLE = frozenset(f"{_STORAGE}.{leaf}" for leaf in (*_LEAVES.split(), _KEY_OBJECTS))
"""The 47 classes of JDV_SOPClass_CISIS (1.2.250.1.213.1.1.5.689), and key objects."""
