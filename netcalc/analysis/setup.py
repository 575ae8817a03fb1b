"""How a network is trained, as far as memory and time depend on it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Setup:
    """All that changes the memory of a training step beside the network."""

    batch: int
    outputs: tuple[str, ...]
    optimizer_slots: int
    compute_bytes: int
    params_bytes: int
    input_bytes: int
    input_is_prepared: bool
    gradients_wait: bool
    remat: str
    lean: bool = True

    @property
    def gradient_bytes(self) -> int:
        """Bytes of an element of a parameter's gradient, as the convolution that makes it writes it."""
        return self.compute_bytes
