"""From a graph to JAX functions: the only place that knows both layers and jax."""
