"""What the model counts, and where it stands."""

Kind = tuple[str, str]  # SKU and grade
Heap = tuple[int, Kind]  # what stands in one bin, by the bin's id

GOOD, FLAWED = "good", "minor_defect"


def other(kind: Kind) -> Kind:
    """The same in the other grade."""
    return kind[0], FLAWED if kind[1] == GOOD else GOOD
