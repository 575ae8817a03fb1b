"""x."""

EXAMPLE = "x"


def train() -> None:
    """x."""
