"""The page on the lecture's example: its figures are those of the configs, its slips what the page says."""

from __future__ import annotations

from netcalc.analysis.textbook import textbook_memory
from netcalc.graph import Graph
from netcalc.units import format_bytes, format_shape
from tests.configs.zoo import load, totals
from tests.conftest import ROOT

NOTED = {
    # layer of the config: size, parameters and where they come from, as the notes print them
    "conv1": ("61×61×96", "12,096", "126 a filter, where 5·5·3 + 1 = 76"),
    "conv2": ("29×29×256", "614,656", ""),
    "conv3": ("13×13×384", "1,638,656", "256 filters, where the layer has 384"),
    "conv4": ("5×5×384", "omitted", "the row is missing; its label stands at the first dense layer"),
    "dense1": ("4096", "39,325,696", "the label says conv4"),
    "dense2": ("4096", "16,781,312", "listed twice"),
    "output": ("1000", "4,100,096", "4096 · 1001: a bias for each input, where each output has one"),
}
PRINTED_PARAMS = (12_096, 614_656, 1_638_656, 39_325_696, 16_781_312, 16_781_312, 4_100_096)
"""The rows of the notes' table of parameters, with the one that stands twice."""

VARIANTS = {
    "stride2": "the worked example",
    "conv20": "20 convolutions with stride 1: 125 → 45",
    "conv30": "ten more: 125 → 5",
    "conv31": "one more, of 1000 filters: 125 → 1, no dense layer",
    "padded": "20 convolutions that keep the size by padding",
    "average_pool_head": "average pooling over a last map of 9×9, no hidden dense layers",
}


def weighted(graph: Graph) -> list[str]:
    """Return the names of the layers with weights, in order."""
    return [name for name, node in graph.nodes.items() if node.known.params]


def test_each_slip_is_what_the_page_says() -> None:
    assert PRINTED_PARAMS[0] == 96 * 126
    assert 96 * (5 * 5 * 3 + 1) == 7_296
    assert PRINTED_PARAMS[2] == 256 * (5 * 5 * 256 + 1)
    assert PRINTED_PARAMS[-1] == 4096 * 1001
    assert 4 * sum(PRINTED_PARAMS) == 317_015_296
    assert 8 * 10**9 // 9_220_000 == 867
    assert 8 * 10**9 // (2 * 4 * 656_200) == 1_523
    assert (round(100 * 11 / 224, 1), round(100 * 11**2 / 224**2, 2)) == (4.9, 0.24)


def test_the_page_has_netcalcs_figures(golden) -> None:
    example, found = load("lecture/stride2"), totals("lecture/stride2")
    assert weighted(example) == list(NOTED)
    rule = textbook_memory(found.params.trainable, found.activations.weighted_output_elements)
    sizes, params, activations = [], [], []
    for name, (size, printed, slip) in NOTED.items():
        facts = example.nodes[name].known
        held = sum(spec.size for spec in facts.params.values())
        sizes.append(f"| {name} | {size} | {format_shape(facts.output.shape)} |")
        params.append(f"| {name} | {printed} | {held:,} | {slip} |")
        activations.append(f"| {name} | {facts.output.size:,} | {format_bytes(4 * facts.output.size)} |")
    variants = []
    for name, what in VARIANTS.items():
        graph, figures = load(f"lecture/{name}"), totals(f"lecture/{name}")
        last = [node for node in graph.nodes.values() if node.kind == "conv"][-1].known.output
        stored = textbook_memory(figures.params.trainable, figures.activations.weighted_output_elements)
        variants.append(
            f"| [{name}](../configs/lecture/{name}.yaml) | {what} | {format_shape(last.shape)} "
            f"| {figures.params.trainable:,} | {figures.macs.forward:,} "
            f"| {format_bytes(stored.training_activation_bytes or 0)} | {stored.copies:,} |"
        )
    maps = [example.inputs["input"], *(example.nodes[f"conv{n}"].known.output for n in range(1, 5))]
    shrinking = " → ".join(f"{x.size:,}" for x in maps)
    googlenet = load("googlenet")
    pools = [node for node in googlenet.nodes.values() if node.kind == "max_pool"]
    halving = [node for node in pools if node.known.window[0].stride == 2]
    pooled = googlenet.type_of(googlenet.nodes["pool5"].inputs[0])
    padded = totals("lecture/padded").macs
    edge = 100 * (1 - padded.padding_exact / padded.forward)
    held_bytes, stored_bytes = format_bytes(rule.params_bytes or 0), format_bytes(rule.activation_bytes or 0)
    assert rule.copies == 1_523
    page = f"""# The lecture's example

netcalc grew out of lecture notes on convolutional networks whose worked example is calculated by hand. This
page sets the notes' tables beside netcalc's figures, which a test recomputes, and says where they differ and
why. To follow it:

```sh
netcalc analyze configs/lecture/stride2.yaml --rule textbook
```

The network: an input of 125×125×3, four 5×5 convolutions with stride 2 and no padding, with 96, 256, 384 and
384 filters, then dense layers of 4096, 4096 and 1000. It has six hidden layers, four convolutions and two
dense ones; the notes say five.

## Sizes

Without padding a side of N becomes L = (N − F) / S + 1 (equation 1), with P pixels of zeros at each end L =
(N + 2P − F) / S + 1 (equation 2); F is the side of the filter, S the stride. Where S does not divide the
numerator the design does not tile: the last window does not fit and is dropped, and the pixels under it with
it. netcalc rounds down and `netcalc check` reports the pixels as
[NC302](rules.md#nc302-dropped-pixels). In the example every division comes out even.

| layer | notes | netcalc |
|---|--:|--:|
{chr(10).join(sizes)}

## Parameters

A convolution of K filters over C channels has K · (F · F · C + 1): for conv1 96 · (5 · 5 · 3 + 1) = 7,296.

| layer | notes | netcalc | what the notes do |
|---|--:|--:|---|
{chr(10).join(params)}
| **total** | **321 MB** | **{found.params.trainable:,} = {held_bytes}** | their rows sum to 317 MB |

## Activations and memory

Four bytes a value. The notes store the outputs of layers with weights, and as much again for their gradients.

| layer | activations | bytes |
|---|--:|--:|
{chr(10).join(activations)}
| **total** | **{found.activations.weighted_output_elements:,}** | **{stored_bytes}** |

| | notes | netcalc | what the notes do |
|---|--:|--:|---|
| activations | 4.61 MB | {stored_bytes} | their rows sum to 2.63 MB |
| with gradients | 9.22 MB | {format_bytes(rule.training_activation_bytes or 0)} | twice the wrong sum |
| networks in 8 GB | 867 | {rule.copies:,} | 8 · 10⁹ / 9.22 · 10⁶ |

How many networks fit is the memory over activations and gradients alone, 8 · 10⁹ /
{rule.training_activation_bytes:,} rounded down, as 8 · 10⁹ / 9.22 · 10⁶ gives the notes' 867: networks that
work on different images of a batch share their parameters, and the rule leaves the one set out. Beside it
{rule.copies_beside_params:,} fit. Training needs more: gradients of parameters, the optimizer's state,
workspace.

A batch of 256, as is usual, fits the worked example and none of the deep variants below.

The forward pass is {found.macs.forward:,} MACs, a training step {found.macs.training:,} for each image. Where
the notes count 2 FLOPs for a ReLU, netcalc counts [1](counting.md).

## The variants

| network | what it is | last map | parameters | forward MACs | activations and gradients | copies in 8 GB |
|---|---|--:|--:|--:|--:|--:|
{chr(10).join(variants)}

- **Depth by small steps.** Each 5×5 convolution with stride 1 cuts 4 pixels: the fourth gives 109×109×384,
  the 20th 45×45, the 30th 5×5, the 31st 1×1, so that a filter for each class needs no dense layer. The notes'
  31 convolutions cost 414 times the MACs of the worked example.
- **Padding** keeps the size, so that depth can be chosen freely. The price is the full map in every layer;
  {edge:.1f} % of the MACs of `padded` are spent on padding.
- **Average pooling** over the last map, in place of two hidden dense layers, removes nine tenths of the
  parameters.

## Is information lost?

The maps of the worked example hold {shrinking} values: the first convolution widens, and from there the maps
shrink faster than the filters grow, so that each has to summarise the one before. Whether that loses what the
classes need is no matter of arithmetic; where it happens can be seen before training. Dropping filters saves
memory, parameters and MACs in proportion, those of the next layer too, which has as many channels as this one
has filters; and it makes the map shrink as much more.

## Other slips

- **An 11×11 filter on 224×224** spans 11 / 224 = 4.9 % of the side (the notes print 4.3) and 121 / 50,176 =
  0.24 % of the area.
- **GoogLeNet keeps its pools.** The notes credit it with strided convolutions in place of max-pooling. It has
  {len(pools)} max-pooling layers, of which {len(halving)} halve the map; networks without pooling came with
  Springenberg et al. (2014), and ResNet pools once. What GoogLeNet does replace is the hidden dense layers,
  by average pooling over a last map of {format_shape(pooled.sides)}; the notes say about 9×9.
- **Leaky ReLU as a maxout** is the larger of w and αw, for 0 < α < 1; the notes print w and −αw, which for α
  = 1 is the absolute value. ReLU is the larger of 0 and w.
"""
    golden(ROOT / "docs" / "lecture.md", page)


def test_a_usual_batch_fits_where_the_page_says() -> None:
    fits = {
        name
        for name in VARIANTS
        if (textbook_memory(0, totals(f"lecture/{name}").activations.weighted_output_elements).copies or 0) >= 256
    }
    assert fits == {"stride2", "average_pool_head"}


def test_ratios_that_the_page_tells() -> None:
    deep, example = totals("lecture/conv31").macs.forward, totals("lecture/stride2").macs.forward
    assert round(deep / example) == 414
    pooled, dense = (totals(f"lecture/{name}").params.trainable for name in ("average_pool_head", "stride2"))
    assert 0.89 < 1 - pooled / dense < 0.91
