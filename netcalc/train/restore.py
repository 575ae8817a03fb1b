"""A training's arrays from a checkpoint, on the device and in the axis order that go on with them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
from numpy.typing import NDArray

from netcalc.diagnostics import CannotRunError
from netcalc.train.checkpoint import TRAINING, SavedTraining
from netcalc.train.metrics import Sums
from netcalc.train.optimizers import Optimizer
from netcalc.train.recipe import Recipe
from netcalc.train.step import TrainState, initial_train_state


def restored(saved: SavedTraining, recipe: Recipe, optimizer: Optimizer, path: Path) -> tuple[TrainState, Sums]:
    """Return the state and the epoch's sums of metrics that were saved, bit by bit.

    Kernels, and what the optimizer keeps for each of their values, are turned where the checkpoint is of a device
    with another axis order. Raises CannotRunError, naming the file, for arrays that are not this training's.
    """
    expected = jax.eval_shape(lambda: (initial_train_state(recipe, optimizer), recipe.meter.zero()))
    arrays = dict(saved.arrays)

    def leaf(keys: tuple[Any, ...], shape: jax.ShapeDtypeStruct) -> jax.Array:
        name = jax.tree_util.keystr(keys)
        array = arrays.pop(name, None)
        if array is not None and saved.kernel_order != recipe.layout.kernel_order:
            array = _turned(array, keys, recipe)
        wanted = f"shape {shape.shape} and dtype {shape.dtype}"
        found = "nothing" if array is None else f"shape {array.shape} and dtype {array.dtype}"
        if array is None or found != wanted:
            raise CannotRunError(f"{path / TRAINING}: `{name}` should have {wanted}, found {found}")
        return jnp.array(array)  # a copy: what an update donates must be the device's own

    state, sums = jax.tree_util.tree_map_with_path(leaf, expected)
    if arrays:
        raise CannotRunError(f"{path / TRAINING}: `{min(arrays)}` belongs to no part of this training")
    return state, sums


def _turned(array: NDArray[Any], keys: tuple[Any, ...], recipe: Recipe) -> NDArray[Any]:
    """Return a leaf in the recipe's axis order if it has a value for each value of a convolution's kernel.

    An optimizer keeps such values in trees like that of the parameters, so the path ends in node and parameter.
    """
    nodes = recipe.network.graph.nodes
    match keys[-2:]:
        case (jax.tree_util.DictKey(key=node), jax.tree_util.DictKey(key=name)):
            if node in nodes and name in nodes[node].known.params:
                return recipe.layout.from_other(node, name, array)
    return array
