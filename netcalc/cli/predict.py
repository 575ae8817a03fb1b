"""x."""

EXAMPLE = "x"


def predict() -> None:
    """x."""
