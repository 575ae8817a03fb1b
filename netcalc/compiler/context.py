"""What a lowering may know beside its node, parameters and inputs."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import jax


@dataclass(frozen=True, slots=True)
class Context:
    """How the network is being applied.

    `train` and `key` tell whether in training and where randomness comes from. `lean` lets max pools keep a small
    index for the backward pass; `keep_output` names the activations that keep their output for it.
    """

    train: bool = False
    key: jax.Array | None = None
    lean: bool = False
    keep_output: frozenset[str] = frozenset()

    def key_for(self, name: str) -> jax.Array:
        """Return the node's own key; raises ValueError where the caller gave none."""
        if self.key is None:
            raise ValueError(f"`{name}` draws random numbers in training: pass `key=` to apply")
        return named_key(self.key, name)


def named_key(key: jax.Array, name: str) -> jax.Array:
    """Return a key that depends on the name alone, so that it stays when other nodes come and go."""
    digest = hashlib.blake2b(name.encode(), digest_size=8).digest()
    for half in (digest[:4], digest[4:]):
        key = jax.random.fold_in(key, int.from_bytes(half, "little"))
    return key
