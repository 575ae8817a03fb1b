"""The walk over a jaxpr against counts by hand."""

import jax
import jax.numpy as jnp
import pytest
from jax import lax

from tests.conformance.jaxpr_macs import count_macs

SQUARE = jax.ShapeDtypeStruct((4, 4), "float32")


def product(x):
    return x @ x


@jax.custom_jvp
def own_jvp(x):
    return product(x)


@jax.custom_vjp
def own_vjp(x):
    return product(x)


own_jvp.defjvps(lambda tangent, result, x: product(tangent))
own_vjp.defvjp(lambda x: (product(x), x), lambda x, g: (g,))


@pytest.mark.parametrize(
    ("function", "products"),
    [
        (product, 1),
        (lambda x: product(x) + x @ x.T, 2),
        (jax.jit(product), 1),
        (jax.jit(lambda x: jax.jit(product)(x) + product(x)), 2),
        (own_jvp, 1),
        (own_vjp, 1),
        (jax.checkpoint(product), 1),
        (lambda x: lax.scan(lambda c, _: (product(c), None), x, length=5)[0], 5),
        (lambda x: lax.fori_loop(0, 3, lambda _, c: product(c), x), 3),
        (lambda x: lax.cond(x[0, 0] > 0, product, lambda c: product(product(c)), x), 2),
        (lambda x: lax.while_loop(lambda c: c[0, 0] < 9, lambda c: c + 1, x), 0),
        (jnp.tanh, 0),
    ],
    ids=[
        "plain",
        "two",
        "jit",
        "nested",
        "custom_jvp",
        "custom_vjp",
        "remat",
        "scan",
        "fori",
        "cond",
        "while",
        "tanh",
    ],
)
def test_products_are_found_wherever_they_stand(function, products):
    assert count_macs(jax.make_jaxpr(function)(SQUARE)) == products * 4 * 4 * 4


def test_a_product_with_batch_axes_counts_each():
    left, right = jax.ShapeDtypeStruct((7, 2, 3), "float32"), jax.ShapeDtypeStruct((7, 3, 5), "float32")
    assert count_macs(jax.make_jaxpr(jnp.matmul)(left, right)) == 7 * 2 * 3 * 5


def test_a_grouped_convolution_counts_the_channels_of_a_group():
    x, kernel = jax.ShapeDtypeStruct((2, 9, 6), "float32"), jax.ShapeDtypeStruct((3, 2, 12), "float32")

    def conv(x, kernel, **options):
        return lax.conv_general_dilated(
            x, kernel, (1,), ((1, 1),), dimension_numbers=("NWC", "WIO", "NWC"), feature_group_count=3, **options
        )

    assert count_macs(jax.make_jaxpr(conv)(x, kernel)) == 2 * 9 * 12 * 3 * 2
    # Transposed: each of the 6 channels of the 9 inputs of 2 samples goes to 3 taps of the 4 filters of its group.
    holes = jax.make_jaxpr(lambda *args: conv(*args, lhs_dilation=(2,)))(x, kernel)
    assert count_macs(holes) == 2 * 9 * 6 * 3 * 4

    def at_stride_1(*args):
        with jax.named_scope("conv_transpose"):
            return conv(*args)

    assert count_macs(jax.make_jaxpr(jax.jit(at_stride_1))(x, kernel)) == 2 * 9 * 6 * 3 * 4


def test_a_while_that_multiplies_is_refused():
    jaxpr = jax.make_jaxpr(lambda x: lax.while_loop(lambda c: c[0, 0] < 9, product, x))(SQUARE)
    with pytest.raises(ValueError, match="number of turns"):
        count_macs(jaxpr)
