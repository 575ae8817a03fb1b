"""JAX forms of the layers, one file a family, gathered in `table.LOWERINGS`."""
