"""Where a layer computes more precisely than its input is stored."""

from __future__ import annotations

import jax
import jax.numpy as jnp


def widened(x: jax.Array) -> jax.Array:
    """Return x in float32 at least, for sums and powers that bfloat16 and float16 would lose."""
    return x.astype(jnp.promote_types(x.dtype, jnp.float32))
