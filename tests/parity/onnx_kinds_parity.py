"""ONNX files of kinds that users have: BatchNorms in training mode, Softmax before opset 13, opsets 22 and later, functions of
the model's own, inputs with channels last. Oracle: ONNX Runtime; where it is not there, formulas in NumPy."""
import sys

from onnx_cases import has_runtime, helper, np, numpy_helper, onnx, runtime, TensorProto
from support import F, ParityCase, main, read_safetensors, run, torch

if not has_runtime():
    print("SKIPPED: onnx_kinds_parity: onnxruntime-node is not there (CMake variable SHIFTNORM_ORT, a node_modules folder)")
    sys.exit(0)

BN = ["bn.weight", "bn.bias", "bn.running_mean", "bn.running_var"]
node = helper.make_node


def weights(rng, channels=8):
    def uniform(*shape, low=-0.5, high=0.5):
        return rng.uniform(low, high, shape).astype(np.float32)
    return {"conv.weight": uniform(channels, 3, 3, 3), "fc.weight": uniform(4, channels), "fc.bias": uniform(4), BN[0]: uniform(channels, low=0.5, high=1.5),
            BN[1]: uniform(channels), BN[2]: uniform(channels), BN[3]: uniform(channels, low=0.5, high=1.5)}


def conv(first="x"):
    return node("Conv", [first, "conv.weight"], ["c"], kernel_shape=[3, 3], pads=[1] * 4, name="conv")


def tail(first="b"):
    return [node("Relu", [first], ["r"]), node("GlobalAveragePool", ["r"], ["g"]), node("Flatten", ["g"], ["f"]),
            node("Gemm", ["f", "fc.weight", "fc.bias"], ["y"], transB=1)]


def overloaded(proto, number, payload):
    """A field that the installed onnx does not know yet, at the end of a message."""
    raw = payload.encode() if isinstance(payload, str) else payload
    out = type(proto)()
    out.ParseFromString(proto.SerializeToString() + bytes([number << 3 | 2, len(raw)]) + raw)
    return out


class Kinds(ParityCase):
    def setUp(self):
        super().setUp()
        self.rng = np.random.RandomState(4)
        self.x = self.rng.randn(6, 3, 16, 16).astype(np.float32)
        np.save(self.at / "x.npy", self.x)

    def write(self, name, nodes, initializers, opset, shape=("n", 3, 16, 16), functions=(), ir=8, outputs=("y",)):
        graph = helper.make_graph(nodes, "case", [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape and list(shape))],
                                  [helper.make_tensor_value_info(o, TensorProto.FLOAT, None) for o in outputs],
                                  [numpy_helper.from_array(np.asarray(v), k) for k, v in initializers.items()])
        domains = sorted({f.domain for f in functions})
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)] + [helper.make_opsetid(d, 1) for d in domains],
                                  functions=list(functions), ir_version=ir)
        onnx.save(model, str(self.at / name))

    @staticmethod
    def check(path):
        """By ONNX's own checker, which asks for what these cases leave out: a shape of every output."""
        model = onnx.load(str(path))
        for output in model.graph.output:
            output.type.tensor_type.shape.SetInParent()
        onnx.checker.check_model(model)

    def evaluate(self, name, data="x.npy", *more):
        run("evaluate", self.at / name, "--data", self.at / data, "--outputs", self.at / "y.safetensors", *more)
        (y,) = read_safetensors(self.at / "y.safetensors").values()
        return y

    def agrees(self, name, x=None, data="x.npy", *more):
        expected = runtime(self.at, self.at / name, self.x if x is None else x)
        found = self.evaluate(name, data, *more)
        self.assertEqual(found.shape, expected.shape)
        # Float32 sums in another order.
        self.assertLess(np.abs(found - expected).max(), 1e-5 * max(1, np.abs(expected).max()))
        return found

    def training_cases(self):
        w = weights(self.rng)
        two = {k.replace("bn.", "bn2."): v for k, v in w.items() if k.startswith("bn.")}
        second = node("BatchNormalization", ["b", *two], ["b2"], name="bn2")
        return {
            # What torch.onnx.export(training=TRAINING) writes before opset 14, and from there on.
            "five_outputs_9": ([conv(), node("BatchNormalization", ["c", *BN], ["b", "m1", "v1", "m2", "v2"], name="bn"), *tail()], w, 9),
            "three_outputs_15": ([conv(), node("BatchNormalization", ["c", *BN], ["b", "m1", "v1"], name="bn", training_mode=1), *tail()], w, 15),
            "one_output_17": ([conv(), node("BatchNormalization", ["c", *BN], ["b"], name="bn", training_mode=1), *tail()], w, 17),
            "one_of_two_15": ([conv(), node("BatchNormalization", ["c", *BN], ["b", "m1", "v1"], name="bn", training_mode=1), second, *tail("b2")], {**w, **two}, 15),
        }

    def in_training(self, name, w, x):
        """What a case gives for one batch. ONNX Runtime 1.30 refuses training mode with a single output, and behind a layer
        in training mode it gives what the operator's definition does not: there PyTorch's functions, in double."""
        if name in ("five_outputs_9", "three_outputs_15"):
            return runtime(self.at, self.at / "net.onnx", x)
        of = {k: torch.from_numpy(v).double() for k, v in w.items()}
        y = F.batch_norm(F.conv2d(torch.from_numpy(x).double(), of["conv.weight"], padding=1), None, None, of[BN[0]], of[BN[1]], training=True)
        if "bn2.weight" in of:
            y = F.batch_norm(y, of["bn2.running_mean"], of["bn2.running_var"], of["bn2.weight"], of["bn2.bias"])
        return (F.relu(y).mean((2, 3)) @ of["fc.weight"].T + of["fc.bias"]).numpy()

    def test_source_of_training_mode_is_what_the_runtime_does(self):
        for name, (nodes, w, opset) in self.training_cases().items():
            with self.subTest(name):
                self.write("net.onnx", nodes, w, opset)
                expected, whole = self.in_training(name, w, self.x), self.evaluate("net.onnx")
                self.assertLess(np.abs(whole - expected).max(), 1e-5 * np.abs(expected).max())
                pairs = np.concatenate([self.in_training(name, w, self.x[i:i + 2]) for i in (0, 2, 4)])
                found = self.evaluate("net.onnx", "x.npy", "--batch", "2")
                self.assertLess(np.abs(found - pairs).max(), 1e-5 * np.abs(pairs).max())
                self.assertGreater(np.abs(found - whole).max(), 1e-3 * np.abs(pairs).max())

    def test_a_batch_that_the_file_fixes(self):
        nodes, w, opset = self.training_cases()["three_outputs_15"]
        self.write("net.onnx", nodes, w, opset, shape=(3, 3, 16, 16))
        expected = np.concatenate([runtime(self.at, self.at / "net.onnx", self.x[i:i + 3]) for i in (0, 3)])
        self.assertLess(np.abs(self.evaluate("net.onnx") - expected).max(), 1e-5 * np.abs(expected).max())

    def test_to_inference(self):
        """What is written has an effect in ONNX Runtime, equals our own outputs, and differs in mode and vectors alone."""
        for name, (nodes, w, opset) in self.training_cases().items():
            with self.subTest(name):
                self.write("net.onnx", nodes, w, opset)
                out = self.at / f"{name}.adapted.onnx"
                run("recalibrate", self.at / "net.onnx", "--data", self.at / "x.npy", "--out", out, expect=2)
                self.assertFalse(out.exists())
                run("recalibrate", self.at / "net.onnx", "--data", self.at / "x.npy", "--out", out, "--to-inference")
                self.check(out)
                adapted = onnx.load(str(out))
                expected = self.evaluate("net.onnx", "x.npy", "--mode", "adabn")
                found = runtime(self.at, out, self.x)
                self.assertLess(np.abs(found - expected).max(), 1e-5 * np.abs(expected).max())
                original = onnx.load(str(self.at / "net.onnx"))
                for before, after in zip(original.graph.node, adapted.graph.node):
                    if before.op_type == "BatchNormalization":
                        del before.output[1:]
                        kept = [a for a in before.attribute if a.name != "training_mode"]
                        del before.attribute[:]
                        before.attribute.extend(kept)
                    self.assertEqual(before, after)
                for before, after in zip(original.graph.initializer, adapted.graph.initializer):
                    if not before.name.endswith(("running_mean", "running_var")):
                        self.assertEqual(before, after)

    def test_dropout_in_training_mode(self):
        """torch.onnx.export(training=TRAINING) leaves it so; it does nothing here, and nothing once it was set to inference."""
        nodes, w, _ = self.training_cases()["three_outputs_15"]
        nodes[-1] = node("Gemm", ["d", "fc.weight", "fc.bias"], ["y"], transB=1)
        nodes.insert(-1, node("Dropout", ["f", "ratio", "on"], ["d"], name="drop"))
        self.write("net.onnx", nodes, {**w, "ratio": np.float32(0.5), "on": np.array(True)}, 15)
        run("recalibrate", self.at / "net.onnx", "--data", self.at / "x.npy", "--out", self.at / "a.onnx", "--to-inference")
        found = runtime(self.at, self.at / "a.onnx", self.x)
        self.assertLess(np.abs(found - self.evaluate("a.onnx")).max(), 1e-5 * np.abs(found).max())
        self.assertEqual(list(next(n for n in onnx.load(str(self.at / "a.onnx")).graph.node if n.op_type == "Dropout").input), ["f", "ratio", ""])

    def test_softmax_before_13(self):
        w = weights(self.rng)
        head = [conv(), node("BatchNormalization", ["c", *BN], ["b"])]
        boxes = [*head, node("Transpose", ["b"], ["t"], perm=[0, 2, 3, 1]), node("Reshape", ["t", "shape"], ["q"])]
        with_shape = {**w, "shape": np.array([0, -1, 4])}
        for opset in (7, 9, 11, 12):
            for op in ("Softmax", "LogSoftmax", "Hardmax"):
                for axis in (1, 2, 3) + ((-1, -2) if opset > 10 else ()):
                    with self.subTest(op, opset=opset, axis=axis):
                        # Of three axes, and of four, where the axes behind the first count as one.
                        cut = axis if axis < 3 else 2
                        self.write("net.onnx", [*boxes, node(op, ["q"], ["y"], axis=cut)], with_shape, opset)
                        self.agrees("net.onnx")
                        self.write("net.onnx", [*head, node(op, ["b"], ["y"], axis=axis)], w, opset)
                        self.agrees("net.onnx")
        self.write("net.onnx", [*head, node("Softmax", ["b"], ["y"], axis=0)], w, 11)
        run("evaluate", self.at / "net.onnx", "--data", self.at / "x.npy", expect=3)

    def test_opsets_22_and_later(self):
        w = weights(self.rng)
        for opset, ir in ((22, 10), (23, 11), (24, 12), (25, 13)):
            with self.subTest(opset):
                self.write("net.onnx", [conv(), node("BatchNormalization", ["c", *BN], ["b"]), *tail()], w, opset, ir=ir)
                try:
                    self.agrees("net.onnx")
                except AssertionError:
                    if opset < 24:
                        raise
                    # This ONNX Runtime may not know the newest opsets; the forms are those of 22.
                    newest = self.evaluate("net.onnx")
                    self.write("net.onnx", [conv(), node("BatchNormalization", ["c", *BN], ["b"]), *tail()], w, 22, ir=10)
                    np.testing.assert_array_equal(newest, self.agrees("net.onnx"))

    def test_functions_of_the_model(self):
        w = weights(self.rng)
        bnrelu = helper.make_function("pkg", "bnrelu", list("awbmv"), ["o"], [node("BatchNormalization", list("awbmv"), ["n"]), node("Relu", ["n"], ["o"])],
                                      [helper.make_opsetid("", 15)])
        rest = tail("r")[1:]
        leaky = node("LeakyRelu", ["a"], ["o"])
        attribute = onnx.AttributeProto(name="alpha", type=onnx.AttributeProto.FLOAT, ref_attr_name="slope")
        leaky.attribute.append(attribute)
        by_reference = helper.make_function("pkg", "leaky", ["a"], ["o"], [leaky], [helper.make_opsetid("", 15)], ["slope"])
        inner = helper.make_function("pkg", "block", list("xkwbmv"), ["o"], [node("Conv", ["x", "k"], ["c"], kernel_shape=[3, 3], pads=[1] * 4),
                                                                              node("bnrelu", list("cwbmv"), ["o"], domain="pkg")],
                                     [helper.make_opsetid("", 15), helper.make_opsetid("pkg", 1)])
        cases = {
            "bnrelu": ([conv(), node("bnrelu", ["c", *BN], ["r"], domain="pkg"), *rest], [bnrelu]),
            "twice": ([conv(), node("bnrelu", ["c", *BN], ["s"], domain="pkg", name="one"), node("bnrelu", ["s", *BN], ["r"], domain="pkg", name="two"), *rest], [bnrelu]),
            "nested": ([node("block", ["x", "conv.weight", *BN], ["r"], domain="pkg"), *rest], [bnrelu, inner]),
            "attribute": ([conv(), node("BatchNormalization", ["c", *BN], ["b"]), node("leaky", ["b"], ["r"], domain="pkg", slope=0.3), *rest], [by_reference]),
        }
        for name, (nodes, functions) in cases.items():
            with self.subTest(name):
                self.write("net.onnx", nodes, w, 15, functions=functions)
                self.agrees("net.onnx")
                run("recalibrate", self.at / "net.onnx", "--data", self.at / "x.npy", "--out", self.at / "a.onnx")
                self.check(self.at / "a.onnx")
                adapted = self.agrees("a.onnx")
                self.assertLess(np.abs(adapted - self.evaluate("net.onnx", "x.npy", "--mode", "adabn")).max(), 1e-5 * np.abs(adapted).max())

    def test_channels_last(self):
        """Images, and arrays of either layout, enter an NHWC input; so do they a file that was made of it."""
        w = weights(self.rng)
        nodes = [node("Transpose", ["x"], ["t"], perm=[0, 3, 1, 2]), conv("t"), node("BatchNormalization", ["c", *BN], ["b"]), *tail()]
        last = self.x.transpose(0, 2, 3, 1).copy()
        np.save(self.at / "last.npy", last)
        np.save(self.at / "pixels.npy", self.rng.randint(0, 256, (4, 16, 16, 3)).astype(np.uint8))
        (self.at / "steps.yaml").write_text("- {to_float: {scale: 255}}\n")
        for shape in (("n", 16, 16, 3), ("n", "h", "w", 3), (1, 16, 16, 3)):
            with self.subTest(shape):
                self.write("net.onnx", nodes, w, 13, shape=shape)
                expected = np.concatenate([runtime(self.at, self.at / "net.onnx", last[i:i + 1]) for i in range(6)])
                for data, more in (("last.npy", ()), ("x.npy", ()), ("x.npy", ("--layout", "NCHW")), ("last.npy", ("--layout", "NHWC"))):
                    self.assertLess(np.abs(self.evaluate("net.onnx", data, *more) - expected).max(), 1e-5 * np.abs(expected).max())
                pixels = (np.load(self.at / "pixels.npy") / np.float32(255)).astype(np.float32)
                expected = np.concatenate([runtime(self.at, self.at / "net.onnx", pixels[i:i + 1]) for i in range(4)])
                found = self.evaluate("net.onnx", "pixels.npy", "--preprocess", self.at / "steps.yaml")
                self.assertLess(np.abs(found - expected).max(), 1e-5 * np.abs(expected).max())
        run("export", self.at / "net.onnx", "--fold", "--out", self.at / "folded.onnx")
        self.assertEqual(onnx.load(str(self.at / "folded.onnx")).graph.input[0].type.tensor_type.shape.dim[3].dim_value, 3)
        expected = runtime(self.at, self.at / "folded.onnx", last)
        self.assertLess(np.abs(self.evaluate("net.onnx", "last.npy") - expected).max(), 1e-5 * np.abs(expected).max())

    def test_output_names_that_no_file_of_tensors_can_hold(self):
        """One line and exit 3 before anything is computed; without --outputs they do no harm."""
        w = weights(self.rng)
        nodes = [conv(), node("BatchNormalization", ["c", *BN], ["b"]), *tail()]
        nodes.append(node("Identity", ["y"], ["__metadata__"]))
        for outputs in (("y", "__metadata__"), ("y", "y")):
            with self.subTest(outputs):
                self.write("net.onnx", nodes, w, 13, outputs=outputs)
                run("evaluate", self.at / "net.onnx", "--data", self.at / "x.npy", "--outputs", self.at / "y.safetensors", expect=3)
                run("evaluate", self.at / "net.onnx", "--data", self.at / "x.npy")
        # One value under two names is two outputs.
        nodes[-1] = node("Identity", ["y"], ["z"])
        self.write("net.onnx", nodes, w, 13, outputs=("y", "z"))
        run("evaluate", self.at / "net.onnx", "--data", self.at / "x.npy", "--outputs", self.at / "y.safetensors")
        found = read_safetensors(self.at / "y.safetensors")
        np.testing.assert_array_equal(found["y"], found["z"])

    def test_an_input_without_a_shape(self):
        w = weights(self.rng)
        self.write("net.onnx", [conv(), node("BatchNormalization", ["c", *BN], ["b"]), *tail()], w, 13, shape=None)
        run("evaluate", self.at / "net.onnx", "--data", self.at / "x.npy", expect=3)

    def test_function_defaults_and_overloads(self):
        """Fields of later releases, against the same model without functions."""
        w = weights(self.rng)
        rest = tail("r")[1:]
        self.write("plain.onnx", [conv(), node("BatchNormalization", ["c", *BN], ["b"]), node("LeakyRelu", ["b"], ["r"], alpha=0.25), *rest], w, 15)
        leaky = node("LeakyRelu", ["a"], ["o"])
        leaky.attribute.append(onnx.AttributeProto(name="alpha", type=onnx.AttributeProto.FLOAT, ref_attr_name="slope"))
        function = helper.make_function("pkg", "leaky", ["a"], ["o"], [leaky], [helper.make_opsetid("", 15)])
        default = helper.make_attribute("slope", 0.25).SerializeToString()
        wrong = helper.make_function("pkg", "leaky", ["a"], ["o"], [node("Neg", ["a"], ["o"])], [helper.make_opsetid("", 15)])
        right = overloaded(overloaded(function, 11, default), 13, "second")
        call = overloaded(node("leaky", ["b"], ["r"], domain="pkg"), 8, "second")
        self.write("net.onnx", [conv(), node("BatchNormalization", ["c", *BN], ["b"]), call, *rest], w, 15, functions=[wrong, right], ir=10)
        np.testing.assert_array_equal(self.evaluate("net.onnx"), self.agrees("plain.onnx"))


if __name__ == "__main__":
    main()
