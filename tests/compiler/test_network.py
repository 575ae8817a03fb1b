import jax
import jax.numpy as jnp
import numpy as np
import pytest

from netcalc.compiler.network import compile_graph
from netcalc.diagnostics import SpecError
from netcalc.graph import build, build_complete
from netcalc.spec.load import parse_spec

KEY = jax.random.key(7)


def network(text, *outputs):
    return compile_graph(build_complete(parse_spec(text)), outputs)


def random(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype("float32")


def same(left, right):
    """Tell whether two trees hold exactly the same arrays."""
    if jax.tree.structure(left) != jax.tree.structure(right):
        return False
    return all(np.array_equal(a, b) for a, b in zip(jax.tree.leaves(left), jax.tree.leaves(right), strict=True))


# Two branches read `stem`, `sum` merges them, `both` reads `stem` once more.
BRANCHES = """
input: [5, 2]
layers:
  - {conv: {filters: 3, kernel: 2}, name: stem}
  - {relu: , name: left}
  - {tanh: , name: right, from: stem}
  - {add: , name: sum, from: [left, right]}
  - {concat: , name: both, from: [sum, stem]}
  - flatten
  - {dense: 4, name: top}
"""


def branches_by_hand(params, x):
    kernel, bias = params["stem"]["kernel"], params["stem"]["bias"]
    stem = np.stack([np.einsum("bkc,kcf->bf", x[:, i : i + 2], kernel) for i in range(4)], axis=1) + bias
    both = np.concatenate([np.maximum(stem, 0) + np.tanh(stem), stem], axis=-1)
    return both.reshape(len(x), -1) @ params["top"]["kernel"] + params["top"]["bias"]


def test_branches_merge_and_share_a_node():
    net = network(BRANCHES)
    params, state = net.init(KEY)
    assert jax.tree.map(jnp.shape, params) == {
        "stem": {"kernel": (2, 2, 3), "bias": (3,)},
        "top": {"kernel": (24, 4), "bias": (4,)},
    }
    assert state == {}
    x = random(3, 5, 2)
    y, new_state = net.apply(params, state, x)
    np.testing.assert_allclose(y, branches_by_hand(params, x), rtol=1e-5, atol=1e-5)
    assert new_state == {}


def test_gradients_of_all_readers_of_a_node_add_up():
    net = network("input: [3]\nlayers:\n  - {dense: 2, name: d}\n  - {add: , from: [d, d]}")
    once = network("input: [3]\nlayers:\n  - {dense: 2, name: d}")
    params, _ = net.init(KEY)
    x = random(4, 3)
    twice = jax.grad(lambda p: jnp.sum(net.apply(p, {}, x)[0]))(params)
    single = jax.grad(lambda p: jnp.sum(once.apply(p, {}, x)[0]))(params)
    np.testing.assert_allclose(twice["d"]["kernel"], 2 * single["d"]["kernel"], rtol=1e-6)


def test_initial_values_stay_when_other_nodes_come_and_go():
    before, _ = network(BRANCHES).init(KEY)
    grown = BRANCHES.replace("  - flatten", "  - {conv: {filters: 6, kernel: 1}, name: new}\n  - flatten")
    after, _ = network(grown).init(KEY)
    assert set(after) == {*before, "new"}
    for node in before:
        assert same(after[node], before[node])


def test_initial_values_differ_by_node_and_by_key():
    net = network("input: [3]\nlayers: [{dense: 3}, {dense: 3}]")
    params, _ = net.init(KEY)
    assert same(params, net.init(KEY)[0])
    assert not same(params["dense1"]["kernel"], params["dense2"]["kernel"])
    assert not same(params["dense1"]["kernel"], net.init(jax.random.key(8))[0]["dense1"]["kernel"])


TWO_ENDS = """
inputs: {left: [3], right: {shape: [2], dtype: uint8}}
layers:
  - {dense: 4, name: a, from: left}
  - {dense: 4, name: b, from: right}
  - {add: , name: sum, from: [a, b]}
  - {softmax: , name: share}
outputs: [sum, share]
"""


def test_several_inputs_and_outputs_are_mappings():
    net = network(TWO_ENDS)
    params, state = net.init(KEY)
    left, right = random(2, 3), np.array([[1, 2], [250, 255]], "uint8")
    outputs, _ = net.apply(params, state, {"left": left, "right": right})
    expected = left @ params["a"]["kernel"] + right.astype("float32") @ params["b"]["kernel"]
    assert list(outputs) == ["sum", "share"]
    np.testing.assert_allclose(outputs["sum"], expected, rtol=1e-4)
    np.testing.assert_allclose(outputs["share"], jax.nn.softmax(expected), rtol=1e-4, atol=1e-6)


def test_one_output_is_an_array_also_by_name():
    net = network(TWO_ENDS, "a")
    params, state = net.init(KEY)
    inputs = {"left": random(2, 3), "right": random(2, 2)}
    output, _ = net.apply(params, state, inputs)
    np.testing.assert_allclose(output, inputs["left"] @ params["a"]["kernel"], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("dtype", ["uint8", "int32", "bool"])
def test_integers_become_float32_before_any_arithmetic(dtype):
    net = network("input: {shape: [4], dtype: uint8}\nlayers:\n  - {add: , from: [input, input]}")
    x = np.array([[0, 1, 127, 250]]).astype(dtype)
    y, _ = net.apply({}, {}, x)
    assert y.dtype == jnp.float32
    np.testing.assert_array_equal(y, 2 * x.astype("float32"))


def test_wrong_shape_is_named_with_what_is_expected():
    net = network(BRANCHES)
    params, state = net.init(KEY)
    for shape in [(1, 5, 3), (5, 2), (1, 1, 5, 2), ()]:
        with pytest.raises(ValueError) as error:
            net.apply(params, state, np.zeros(shape, "float32"))
        assert str(error.value) == f"`input` has shape {shape}, the network reads ('batch', 5, 2)"


@pytest.mark.parametrize("given", [["left"], ["left", "right", "more"], []])
def test_wrong_names_of_inputs_are_refused(given):
    net = network(TWO_ENDS)
    params, state = net.init(KEY)
    with pytest.raises(ValueError, match=r"reads \['left', 'right'\], it was given") as error:
        net.apply(params, state, {name: random(1, 3) for name in given})
    assert str(sorted(given)) in str(error.value)


def test_one_array_is_not_enough_for_two_inputs():
    net = network(TWO_ENDS)
    with pytest.raises(ValueError, match=r"reads \['left', 'right'\]"):
        net.apply(*net.init(KEY), random(1, 3))


def test_a_graph_with_errors_does_not_compile():
    broken = build(parse_spec("input: [4, 4, 1]\nlayers: [{conv: {filters: 1, kernel: 5}}]"))
    with pytest.raises(SpecError) as error:
        compile_graph(broken)
    assert [found.code for found in error.value.diagnostics] == ["NC101"]


PARTLY_FROZEN = """
input: [4, 2]
layers:
  - {conv: {filters: 3, kernel: 2}, name: first}
  - {conv: {filters: 3, kernel: 2}, name: frozen, trainable: false}
  - {conv: {filters: 3, kernel: 2}, name: last}
"""


def test_a_frozen_node_has_no_gradient_and_lets_others_pass():
    net = network(PARTLY_FROZEN)
    params, state = net.init(KEY)
    x = random(2, 4, 2)
    gradients = jax.grad(lambda p: jnp.sum(net.apply(p, state, x, train=True)[0] ** 2))(params)
    for node, values in gradients.items():
        for gradient in values.values():
            assert bool(np.any(gradient)) == (node != "frozen")


def norm(trainable):
    return f"input: [4, 2]\nlayers:\n  - {{batch_norm: {{momentum: 0.75}}, name: norm, trainable: {trainable}}}"


def test_batch_norm_moves_its_statistics_in_training_only():
    net = network(norm("true"))
    params, state = net.init(KEY)
    x = 3 + 2 * random(6, 4, 2)
    y, after = net.apply(params, state, x, train=True)
    np.testing.assert_allclose(np.mean(y, (0, 1)), 0, atol=1e-5)
    np.testing.assert_allclose(np.std(y, (0, 1)), 1, rtol=1e-4)
    np.testing.assert_allclose(after["norm"]["mean"], 0.25 * x.mean((0, 1)), rtol=1e-5)
    np.testing.assert_allclose(after["norm"]["variance"], 0.75 + 0.25 * x.var((0, 1)), rtol=1e-5)
    _, still = net.apply(params, after, x)
    assert same(still, after)
    assert same(state, net.init(KEY)[1])


def test_a_frozen_batch_norm_uses_its_stored_statistics():
    net = network(norm("false"))
    params, _ = net.init(KEY)
    state = {"norm": {"mean": jnp.array([1.0, -1.0]), "variance": jnp.array([4.0, 0.25])}}
    x = random(6, 4, 2)
    y, after = net.apply(params, state, x, train=True)
    np.testing.assert_allclose(y, (x - [1, -1]) / np.sqrt([4 + 1e-5, 0.25 + 1e-5]), rtol=1e-5, atol=1e-6)
    assert same(after, state)
    gradients = jax.grad(lambda p: jnp.sum(net.apply(p, state, x, train=True)[0] ** 2))(params)
    assert not any(map(np.any, jax.tree.leaves(gradients)))


def test_statistics_carry_no_gradient_but_the_normalisation_does():
    net = network(norm("true"))
    params, state = net.init(KEY)
    x = random(3, 4, 2)

    def statistics(x):
        _, after = net.apply(params, state, x, train=True)
        return sum(map(jnp.sum, jax.tree.leaves(after)))

    assert not np.any(jax.grad(statistics)(x))
    # The batch's mean leaves nothing of a shift of the input, so the gradient sums to zero.
    gradient = jax.grad(lambda x: jnp.sum(net.apply(params, state, x, train=True)[0] ** 3))(x)
    assert np.any(np.abs(gradient) > 1e-2)
    np.testing.assert_allclose(np.sum(gradient, (0, 1)), 0, atol=1e-4)


def test_nodes_that_no_output_needs_are_left_out():
    whole, part = network(BRANCHES), network(BRANCHES, "right")
    assert [node.name for node in part.nodes] == ["stem", "right"]
    assert [node.name for node in whole.nodes] == ["stem", "left", "right", "sum", "both", "flatten1", "top"]
    params, state = whole.init(KEY)
    x = random(2, 5, 2)
    expected, _ = network(BRANCHES.replace("layers:", "outputs: [right]\nlayers:")).apply(params, state, x)
    got, _ = part.apply({"stem": params["stem"]}, state, x)
    assert same(got, expected)


def test_state_of_nodes_left_out_is_kept():
    text = "input: [3]\nlayers: [batch_norm, {dense: 2}, batch_norm]"
    net = network(text, "dense1")
    params, state = net.init(KEY)
    _, after = net.apply(params, state, random(4, 3), train=True)
    assert not same(after["batch_norm1"], state["batch_norm1"])
    assert same(after["batch_norm2"], state["batch_norm2"])


# Everything that could mix samples or need a trace: normalisation, windows, a merge, dropout.
MIXED = """
input: [6, 6, 2]
layers:
  - {conv: {filters: 4, kernel: 3, padding: same}, name: conv}
  - {batch_norm: , name: norm}
  - residual: [{conv: {filters: 4, kernel: 1}}, relu]
  - max_pool: 2
  - dropout
  - global_avg_pool
  - {dense: 3, name: top}
  - softmax
"""


@pytest.fixture(scope="module")
def mixed():
    net = network(MIXED)
    params, state = net.init(KEY)
    state = {"norm": {"mean": jnp.linspace(-1, 1, 4), "variance": jnp.linspace(0.5, 2, 4)}}
    return net, params, state


def test_a_batch_is_its_samples_in_inference(mixed):
    net, params, state = mixed
    x = random(4, 6, 6, 2)
    together, _ = net.apply(params, state, x)
    alone = [net.apply(params, state, x[i : i + 1])[0][0] for i in range(4)]
    np.testing.assert_allclose(together, np.stack(alone), rtol=1e-5, atol=1e-6)
    assert np.ptp(together, axis=0).max() > 1e-3


def test_an_empty_batch_gives_an_empty_output(mixed):
    net, params, state = mixed
    assert net.apply(params, state, random(0, 6, 6, 2))[0].shape == (0, 3)


def test_training_and_inference_differ(mixed):
    net, params, state = mixed
    x = random(4, 6, 6, 2)
    assert not same(net.apply(params, state, x)[0], net.apply(params, state, x, train=True, key=KEY)[0])


@pytest.mark.parametrize("train", [False, True])
def test_jit_changes_nothing(mixed, train):
    net, params, state = mixed
    x = random(4, 6, 6, 2)
    eager = net.apply(params, state, x, train=train, key=KEY)
    compiled = jax.jit(net.apply, static_argnames="train")(params, state, x, train=train, key=KEY)
    assert jax.tree.structure(compiled) == jax.tree.structure(eager)
    for a, b in zip(jax.tree.leaves(compiled), jax.tree.leaves(eager), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


def test_vmap_over_networks_and_batches(mixed):
    net, _, state = mixed
    keys = jax.random.split(KEY, 3)
    params, _ = jax.jit(jax.vmap(net.init))(keys)
    x = random(3, 2, 6, 6, 2)
    apply = jax.jit(lambda p, x: net.apply(p, state, x)[0])
    mapped = jax.vmap(apply)(params, x)
    for i in range(3):
        alone, _ = net.init(keys[i])
        for a, b in zip(jax.tree.leaves(params), jax.tree.leaves(alone), strict=True):
            np.testing.assert_allclose(a[i], b, rtol=1e-6)
        np.testing.assert_allclose(mapped[i], apply(alone, x[i]), rtol=1e-5, atol=1e-6)


def test_gradient_is_the_slope(mixed):
    _, params, state = mixed
    net = network(MIXED.replace("relu", "tanh").replace("max_pool", "avg_pool"))  # a kink has no slope
    x, weights = random(2, 6, 6, 2), random(2, 3, seed=1)

    @jax.jit
    @jax.value_and_grad
    def loss(params):
        return jnp.sum(net.apply(params, state, x, train=True, key=KEY)[0] * weights)

    params = jax.tree.map(np.asarray, params)
    direction = jax.tree.map(lambda p: random(*p.shape, seed=2), params)
    _, gradient = loss(params)
    slope = sum(map(np.vdot, jax.tree.leaves(gradient), jax.tree.leaves(direction)))
    step = np.float32(1e-2)
    low, high = (loss(jax.tree.map(lambda p, d, s=s: p + s * d, params, direction))[0] for s in (-step, step))
    assert abs(slope) > 0.1
    np.testing.assert_allclose(slope, (high - low) / (2 * step), rtol=1e-2)


def test_squeeze_and_excitation_scales_each_channel_of_each_sample():
    net = network("""
input: [4, 5, 3]
layers:
  - parallel:
      branches:
        map: []
        gate: [global_avg_pool, {dense: 2}, relu, {dense: 3}, sigmoid]
      merge: multiply
""")
    params, state = net.init(KEY)
    x = random(2, 4, 5, 3)
    y, _ = net.apply(params, state, x)
    squeeze, excite = (params[f"parallel1.gate.dense{i}"] for i in (1, 2))
    hidden = np.maximum(x.mean((1, 2)) @ squeeze["kernel"] + squeeze["bias"], 0)
    gate = 1 / (1 + np.exp(-(hidden @ excite["kernel"] + excite["bias"])))
    np.testing.assert_allclose(y, x * gate[:, None, None, :], rtol=1e-5)


@pytest.mark.parametrize("kind", ["prelu", "layer_scale", "layer_norm", "group_norm: 2"])
def test_a_frozen_node_gets_no_gradient(kind):
    net = network(
        f"input: [3, 4]\nlayers: [{{{kind if ':' in kind else kind + ':'} , trainable: false}}, {{dense: 2}}]"
    )
    params, state = net.init(KEY)
    gradients = jax.grad(lambda p: jnp.sum(net.apply(p, state, random(2, 3, 4))[0] ** 2))(params)
    assert {name: any(map(np.any, jax.tree.leaves(own))) for name, own in gradients.items()} == {
        name: name == "dense1" for name in params
    }
