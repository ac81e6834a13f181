#!/usr/bin/env python3
"""Writes node_cases.txt: one-node ONNX models with inputs and outputs in numbers.

Cases up to opset 17 are ONNX's own backend node tests (python3-onnx 1.12); those of later opsets, which that version
does not know, are run by ONNX Runtime (npm onnxruntime-node 1.30, found through NODE_PATH). Cases of integer or 16-bit
arithmetic, of training, and long ones are left out. Use: make_node_cases.py > node_cases.txt; the operators are those of
lib/graph/src/shapes.cpp.
"""
import json
import os
import re
import subprocess
import tempfile
from pathlib import Path

import numpy as np

# Aliases that NumPy dropped and onnx 1.12 still uses.
for name, kind in {"float": float, "object": object, "bool": bool, "int": int}.items():
    setattr(np, name, kind)

import onnx  # noqa: E402
from onnx import TensorProto, helper  # noqa: E402
from onnx.backend.test.case.node import collect_testcases  # noqa: E402

# align_corners: onnx 1.12 divides by the unrounded extent; 1.13 mended that, and ONNX Runtime never did it.
LEFT_OUT = ["training", "bf16", "BFLOAT16", "FLOAT16", "uint8", "scales_linear_align_corners",
            "scales_cubic_align_corners"]
MOST_WORDS = 160


def words(values):
    a = np.asarray(values)
    integer = a.dtype.kind in "iu"
    shape = [a.ndim, *a.shape]
    flat = [str(int(v)) if integer else str(np.float32(v)) for v in a.reshape(-1)]
    return " ".join(["i" if integer else "f", *map(str, shape), *flat])


def attribute(a):
    kind = {1: "F", 2: "I", 3: "S", 6: "G", 7: "J"}[a.type]
    value = helper.get_attribute_value(a)
    if kind == "S":
        return f"S {a.name} {value.decode()}"
    if kind in "GJ":
        return " ".join([kind, a.name, str(len(value)), *[str(np.float32(v)) if kind == "G" else str(v) for v in value]])
    return f"{kind} {a.name} {np.float32(value) if kind == 'F' else value}"


def case(name, node, inputs, outputs):
    lines = [f"case {name} {node.op_type} {len(node.input)} {len(node.output)} {len(node.attribute)}"]
    lines += [attribute(a) for a in node.attribute]
    lines += [words(inputs[i]) if i else "-" for i in node.input]
    lines += [words(outputs[o]) if o else "-" for o in node.output]
    return "\n".join(lines)


def numbers(values):
    return all(isinstance(v, (np.ndarray, np.generic)) and np.asarray(v).dtype.kind in "fiub" for v in values)


def backend_cases(operators):
    for c in collect_testcases(None):
        graph = c.model.graph
        inputs, outputs = c.data_sets[0]
        if len(graph.node) != 1 or graph.node[0].op_type not in operators or not numbers([*inputs, *outputs]):
            continue
        if any(part in c.name for part in LEFT_OUT):
            continue
        yield case(c.name[len("test_"):], graph.node[0], dict(zip([i.name for i in graph.input], inputs)),
                   dict(zip([o.name for o in graph.output], outputs)))


RUN = """
const ort = require('onnxruntime-node');
(async () => {
  const s = await ort.InferenceSession.create(process.argv[1], {logSeverityLevel: 3});
  const r = await s.run({});
  console.log(JSON.stringify(s.outputNames.map(n => ({dims: r[n].dims.map(Number), data: Array.from(r[n].data, Number)}))));
})().catch(e => { console.error(String(e)); process.exit(1); });
"""


def run(node, inputs, opset):
    """Outputs of a model whose inputs are all initialisers."""
    tensors = [helper.make_tensor(k, TensorProto.INT64 if v.dtype.kind == "i" else TensorProto.FLOAT, v.shape,
                                  v.reshape(-1)) for k, v in inputs.items()]
    graph = helper.make_graph([node], "g", [], [helper.make_empty_tensor_value_info(o) for o in node.output], tensors)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)])
    model.ir_version = 8
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "m.onnx")
        with open(path, "wb") as f:
            f.write(model.SerializeToString())
        text = subprocess.run(["node", "-e", RUN, path], check=True, capture_output=True, text=True).stdout
    return [np.array(o["data"], dtype=np.float32).reshape(o["dims"]) for o in json.loads(text)]


def late_cases():
    random = np.random.RandomState(0)

    def values(*shape):
        return np.round(random.randn(*shape) * 2, 2).astype(np.float32)

    def ints(*v):
        return np.array(v, dtype=np.int64)

    def floats(*v):
        return np.array(v, dtype=np.float32)

    x = values(1, 1, 5, 7)
    wide = values(1, 1, 4, 12)
    table = []

    def add(name, opset, op, inputs, outputs=1, **attributes):
        table.append((name, opset, op, inputs, outputs, attributes))

    for mode in ["linear", "cubic"]:
        for exclude in [0, 1]:
            add(f"resize_antialias_{mode}_{exclude}", 18, "Resize", [wide, None, floats(1, 1, 0.5, 0.4)], mode=mode,
                antialias=1, exclude_outside=exclude)
        add(f"resize_{mode}_up", 18, "Resize", [x, None, floats(1, 1, 1.7, 2)], mode=mode)
        add(f"resize_{mode}_symmetric", 19, "Resize", [x, None, floats(1, 1, 0.7, 2.3)], mode=mode,
            coordinate_transformation_mode="half_pixel_symmetric")
        add(f"resize_{mode}_align_corners", 18, "Resize", [x, None, floats(1, 1, 0.7, 2.3)], mode=mode,
            coordinate_transformation_mode="align_corners")
    for policy in ["not_larger", "not_smaller"]:
        add(f"resize_{policy}", 18, "Resize", [x, None, None, ints(9, 9)], mode="nearest", axes=[2, 3],
            keep_aspect_ratio_policy=policy)
    for mode in ["nearest", "linear"]:
        add(f"resize_crop_{mode}", 18, "Resize",
            [x, floats(0, 0, 0.4, -0.2, 1, 1, 0.6, 1.3), None, ints(1, 1, 3, 4)], mode=mode,
            coordinate_transformation_mode="tf_crop_and_resize", extrapolation_value=10.0)
    add("pad_axes", 18, "Pad", [x, ints(1, 2, 0, 1), floats(0.5), ints(3, 2)])
    add("pad_wrap", 19, "Pad", [x, ints(0, 0, 3, 2, 0, 0, 4, 1)], mode="wrap")
    add("pad_negative_edge", 19, "Pad", [x, ints(0, 0, -1, 2, 0, 0, 1, -2)], mode="edge")
    add("average_pool_dilations", 19, "AveragePool", [x], kernel_shape=[2, 3], dilations=[2, 2], pads=[1, 1, 1, 1],
        count_include_pad=1)
    add("average_pool_ceil", 19, "AveragePool", [x], kernel_shape=[2, 2], strides=[2, 2], ceil_mode=1,
        pads=[1, 0, 0, 0], count_include_pad=1)
    add("lp_pool_dilations", 18, "LpPool", [x], kernel_shape=[2, 2], dilations=[2, 1], p=3)
    add("mish", 18, "Mish", [x])
    add("gelu", 20, "Gelu", [x])
    add("gelu_tanh", 20, "Gelu", [x], approximate="tanh")
    add("split_uneven", 18, "Split", [x], 3, axis=3, num_outputs=3)
    for op in ["ReduceMean", "ReduceL2", "ReduceLogSumExp", "ReduceMax"]:
        add(f"{op}_axes_input", 18, op, [x, ints(-1)], keepdims=0)
    add("reduce_noop", 18, "ReduceMean", [x, ints()], noop_with_empty_axes=1)
    add("conv_transpose_output_shape_same_lower", 11, "ConvTranspose", [values(1, 2, 3, 3), values(2, 2, 3, 3)],
        strides=[2, 2], auto_pad="SAME_LOWER")
    add("conv_transpose_grouped", 11, "ConvTranspose", [values(1, 4, 2, 3), values(4, 1, 2, 3), values(2)], group=2,
        strides=[2, 1], dilations=[1, 2], pads=[0, 1, 1, 0], output_padding=[1, 0])
    add("conv_same_lower", 11, "Conv", [values(1, 2, 4, 5), values(2, 1, 2, 2)], group=2, auto_pad="SAME_LOWER",
        strides=[2, 1])
    for name, opset, op, inputs, outputs, attributes in table:
        names = [f"i{k}" if v is not None else "" for k, v in enumerate(inputs)]
        results = [f"o{k}" for k in range(outputs)]
        node = helper.make_node(op, names, results, **attributes)
        given = {n: v for n, v in zip(names, inputs) if n}
        yield case(f"{name}_opset{opset}", node, given, dict(zip(results, run(node, given, opset))))


def main():
    table = Path(__file__).parents[3] / "lib" / "graph" / "src" / "shapes.cpp"
    operators = set(re.findall(r'OpSpec\{"(\w+)"', table.read_text()))
    for text in [*backend_cases(operators), *late_cases()]:
        if len(text.split()) <= MOST_WORDS:
            print(text)


main()
