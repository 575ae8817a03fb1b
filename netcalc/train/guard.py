"""Whether a training is finite still, and the state that it returns to where it is not."""

from __future__ import annotations

import math
from typing import Any

from netcalc.spec.nonfinite import OnNonfinite
from netcalc.train.metrics import Sums
from netcalc.train.rollback import Kept, first_kept, kept_if_finite
from netcalc.train.step import TrainState, all_finite

_LOOK_EVERY = 16
"""Updates from one look at the loss to the next."""


class Guard:
    """Looks at a training without waiting for the device.

    `kept` is the last good state, None where the spec does not ask for a rollback.
    """

    def __init__(self, chosen: OnNonfinite) -> None:
        self.skips = chosen.kind == "skip"
        self.rollback = chosen.rollback
        self.kept: Kept | None = None
        self._looked_at: Any = None  # a jax.Array, whose type has no `is_ready`

    def knows_of_trouble(self, step: int, sums: Sums) -> bool:
        """Tell whether a loss is known not to be finite after an update; never wait for the device.

        A sum of losses stays NaN or infinite once one of them is, so it is enough to look at one now and then.
        """
        if self.skips or step % _LOOK_EVERY:
            return False
        if self._looked_at is not None and self._looked_at.is_ready():
            found, self._looked_at = float(self._looked_at), None
            if not math.isfinite(found):
                return True
        if self._looked_at is None:
            self._looked_at = sums.loss + 0  # a copy: the next update donates the sum
        return False

    def finds_trouble(self, current: TrainState, sums: Sums) -> bool:
        """Tell whether a parameter or a loss is not finite; waits for the device."""
        return not self.skips and not all_finite((current.params, sums.loss))

    def begin_epoch(self, current: TrainState, sums: Sums) -> None:
        """Keep the state that an epoch begins with, or goes on with after a pause."""
        if self.rollback is not None:
            self._keep(current, sums)

    def after_update(self, step: int, current: TrainState, sums: Sums) -> None:
        """Keep the state if it is time to."""
        if self.rollback is not None and step % self.rollback.every == 0:
            self._keep(current, sums)

    def has_returned(self, kept: Kept) -> None:
        """Go on from a good state: what was seen before is of updates that are made again."""
        self.kept, self._looked_at = kept, None

    def _keep(self, current: TrainState, sums: Sums) -> None:
        """Let this be the state to return to, unless it is not finite."""
        self.kept = first_kept(current, sums) if self.kept is None else kept_if_finite(self.kept, current, sums)
