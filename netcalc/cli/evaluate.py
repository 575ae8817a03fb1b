"""x."""

EXAMPLE = "x"


def evaluate() -> None:
    """x."""
