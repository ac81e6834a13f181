"""ONNX models as people have them: PyTorch's exports of many opsets, Caffe-era files, graphs in tf2onnx's manner, forms
that came with opsets 18 to 21; and what others make of the models that we wrote back."""
import importlib.util
import io
import sys
import warnings
from pathlib import Path

from onnx_cases import has_runtime, helper, np, numpy_helper, onnx, run_cases, runtime, TensorProto
from support import ParityCase, build, images, main, norms, read_safetensors, run, set_training, torch

warnings.simplefilter("ignore")
SHARED = Path(sys.argv[3])
RUNTIME = has_runtime()
if not RUNTIME:
    print("onnxruntime-node is not there (CMake variable SHIFTNORM_ORT, a node_modules folder): comparisons with it are left out")

PRESERVE = torch.onnx.TrainingMode.PRESERVE
EXPORTS = [("resnet18", 9), ("densenet121", 11), ("mobilenet_v2", 10), ("efficientnet_b0", 14), ("shufflenet_v2_x1_0", 13), ("googlenet", 15),
           ("mobilenet_v3_small", 17), ("regnet_y_400mf", 16), ("cifar_resnet20", 12)]


def exported(model, x, opset, **options):
    file = io.BytesIO()
    torch.onnx.export(model, x, file, opset_version=opset, input_names=["input"], output_names=["logits"], **options)
    return file.getvalue()


class Models(ParityCase):
    def evaluate(self, name, x, *more):
        np.save(self.at / "x.npy", x)
        run("evaluate", self.at / name, "--data", self.at / "x.npy", "--outputs", self.at / "y.safetensors", *more)
        (y,) = read_safetensors(self.at / "y.safetensors").values()
        return y

    def close(self, found, expected, tolerance=1e-4):
        """Float32 sums in another order: of the largest magnitude."""
        self.assertEqual(found.shape, expected.shape)
        self.assertLess(np.abs(found - expected).max(), tolerance * np.abs(expected).max())

    def test_exports_of_pytorch(self):
        for name, opset in EXPORTS:
            with self.subTest(name, opset=opset):
                model, x = build(name), images(name, 3)
                with torch.no_grad():
                    expected = model(x).numpy()
                # A fixed batch of three, or any number of images and any size.
                free = {} if opset % 2 else {"dynamic_axes": {"input": {0: "n", 2: "h", 3: "w"}, "logits": {0: "n"}}}
                (self.at / "net.onnx").write_bytes(exported(model, x, opset, training=PRESERVE, do_constant_folding=False, **free))
                self.close(self.evaluate("net.onnx", x.numpy()), expected)
                found = run("inspect", self.at / "net.onnx", "--json")
                used = sum(not key.startswith("aux") for key in norms(model))
                self.assertEqual(found.count('"level"'), used)

    def test_adapted_statistics_are_those_of_the_weights_file(self):
        """Also with --graph: the model gives the network, the state_dict the values, and is what is written back."""
        for name in ("cifar_resnet20", "mobilenet_v2"):
            with self.subTest(name):
                model, x = build(name), images(name, 12)
                self.save(model, x)
                (self.at / "net.onnx").write_bytes(exported(model, x[:1], 13, training=PRESERVE, do_constant_folding=False))
                for out, source in (("a.pth", ("net.pth", "--arch", name)), ("b.pth", ("net.pth", "--graph", self.at / "net.onnx")), ("a.onnx", ("net.onnx",))):
                    run("recalibrate", self.at / source[0], *source[1:], "--data", self.at / "x.npy", "--out", self.at / out)
                first, second = (torch.load(self.at / file) for file in ("a.pth", "b.pth"))
                for key in first:
                    self.assertTrue(torch.equal(first[key], second[key]), key)
                adapted = onnx.load(self.at / "a.onnx")
                onnx.checker.check_model(adapted)
                model.load_state_dict(first)
                with torch.no_grad():
                    expected = model(x).numpy()
                self.close(self.evaluate("a.onnx", x.numpy()), expected)
                if RUNTIME:
                    self.close(runtime(self.at, self.at / "a.onnx", x[:1].numpy()), expected[:1])

    def test_merged_vectors_are_told_apart(self):
        """Equal vectors share an initialiser in PyTorch's exports: overwriting one must not change the other."""
        model = build("cifar_resnet20")
        layers = list(norms(model).values())
        for bn in layers[:4]:
            bn.weight.data.fill_(1)
            bn.running_var.fill_(1)
            bn.bias.data.zero_()
            bn.running_mean.zero_()
        x = images("cifar_resnet20", 12)
        self.save(model, x)
        (self.at / "net.onnx").write_bytes(exported(model, x[:1], 13, training=PRESERVE, do_constant_folding=False))
        proto = onnx.load(self.at / "net.onnx")
        self.assertLess(len(proto.graph.initializer), len(model.state_dict()) - len(layers))
        run("recalibrate", self.at / "net.onnx", "--data", self.at / "x.npy", "--out", self.at / "a.onnx")
        run("recalibrate", self.at / "net.pth", "--arch", "cifar_resnet20", "--data", self.at / "x.npy", "--out", self.at / "a.pth")
        onnx.checker.check_model(onnx.load(self.at / "a.onnx"))
        model.load_state_dict(torch.load(self.at / "a.pth"))
        with torch.no_grad():
            expected = model(x).numpy()
        self.close(self.evaluate("a.onnx", x.numpy()), expected)
        if RUNTIME:
            self.close(runtime(self.at, self.at / "a.onnx", x[:1].numpy()), expected[:1])

    def test_caffe_era_models(self):
        """shared/data/onnx with seeded weights, against ONNX Runtime; the BatchNorms of all but one are recalibrated."""
        script = SHARED / "oracle" / "light_models.py"
        if not (RUNTIME and script.exists()):
            print("left out: the light_* models need ONNX Runtime and the shared data")
            return
        spec = importlib.util.spec_from_file_location("light_models", script)
        light = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(light)
        x = np.random.RandomState(5).randn(2, 3, 224, 224).astype(np.float32)
        for name, layers in (("densenet121", 121), ("inception_v1", 0), ("inception_v2", 69), ("resnet50", 53), ("shufflenet", 49)):
            with self.subTest(name):
                light.main(str(SHARED / "data" / "onnx" / f"light_{name}.onnx"), str(self.at / "net.onnx"))
                expected = runtime(self.at, self.at / "net.onnx", x[:1]).reshape(1, -1)
                if layers == 0:
                    (result,) = run_cases(self.at, [("net", onnx.load(self.at / "net.onnx"), x[:1])], "plan").values()
                    self.assertEqual(result[0], "ok plan")
                    self.close(result[2].reshape(1, -1), expected)
                    continue
                self.close(self.evaluate("net.onnx", x[:1]).reshape(1, -1), expected)
                np.save(self.at / "x.npy", x)
                run("recalibrate", self.at / "net.onnx", "--data", self.at / "x.npy", "--out", self.at / "a.onnx")
                self.assertEqual(run("inspect", self.at / "a.onnx", "--json").count('"level"'), layers)
                onnx.checker.check_model(onnx.load(self.at / "a.onnx"))
                adapted = runtime(self.at, self.at / "a.onnx", x[:1]).reshape(1, -1)
                self.assertGreater(np.abs(adapted - expected).max(), 1e-3 * np.abs(expected).max())
                self.close(self.evaluate("a.onnx", x)[:1].reshape(1, -1), adapted)

    def model_of(self, nodes, opset, initializers=(), shape=("n", 4, 6, 6), outputs=1, ir=8):
        graph = helper.make_graph(nodes, "case", [helper.make_tensor_value_info("x", TensorProto.FLOAT, list(shape))],
                                  [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
                                  [numpy_helper.from_array(np.asarray(v), k) for k, v in dict(initializers).items()])
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=ir)

    def test_forms_of_opsets_18_to_21(self):
        if not RUNTIME:
            return
        node, f32, i64 = helper.make_node, np.float32, np.int64
        axes = {"axes": np.array([2, 3], i64)}
        vector = np.linspace(0.5, 2, 4).astype(f32)
        cases = {
            "reduce_mean_18": ([node("ReduceMean", ["x", "axes"], ["y"], keepdims=0)], 18, axes),
            "reduce_max_18_all": ([node("ReduceMax", ["x"], ["m"], keepdims=1), node("Sub", ["x", "m"], ["y"])], 18, {}, (1, 4, 6, 6)),
            "reduce_l2_20": ([node("ReduceL2", ["x", "axes"], ["y"])], 20, axes),
            "reduce_noop_18": ([node("ReduceMean", ["x", "axes"], ["y"], noop_with_empty_axes=1)], 18, {"axes": np.array([], i64)}),
            "split_18": ([node("Split", ["x"], ["a", "b", "c"], axis=3, num_outputs=3), node("Sub", ["a", "b"], ["d"]), node("Mul", ["d", "c"], ["y"])], 18, {}),
            "split_18_uneven": ([node("Split", ["x"], ["a", "b"], axis=1, num_outputs=2), node("Concat", ["b", "a"], ["y"], axis=1)], 18, {}, ("n", 5, 3, 3)),
            "mish_18": ([node("Mish", ["x"], ["y"])], 18, {}),
            "gelu_20": ([node("Gelu", ["x"], ["y"])], 20, {}),
            "gelu_20_tanh": ([node("Gelu", ["x"], ["y"], approximate="tanh")], 20, {}),
            "average_pool_19": ([node("AveragePool", ["x"], ["y"], kernel_shape=[2, 2], dilations=[2, 2], ceil_mode=1)], 19, {}),
            "average_pool_19_pad": ([node("AveragePool", ["x"], ["y"], kernel_shape=[3, 3], pads=[1, 1, 1, 1], strides=[2, 2], count_include_pad=1)], 19, {}),
            "resize_18": ([node("Resize", ["x", "", "s"], ["y"], mode="linear")], 18, {"s": np.array([1, 1, 2, 2], f32)}),
            "resize_18_antialias": ([node("Resize", ["x", "", "s"], ["y"], mode="linear", antialias=1)], 18, {"s": np.array([1, 1, 0.5, 0.5], f32)}),
            "resize_18_axes": ([node("Resize", ["x", "", "s"], ["y"], mode="linear", axes=[2, 3])], 18, {"s": np.array([2, 3], f32)}),
            "resize_19": ([node("Resize", ["x", "", "", "z"], ["y"], mode="cubic")], 19, {"z": np.array([1, 4, 9, 4], i64)}, (1, 4, 6, 6)),
            "group_normalization_21": ([node("GroupNormalization", ["x", "g", "b"], ["y"], num_groups=2)], 21, {"g": vector, "b": vector[::-1].copy()}),
            "pad_18_axes": ([node("Pad", ["x", "p", "", "axes"], ["y"])], 18, {"p": np.array([1, 2, 3, 0], i64), **axes}),
            "pad_19_wrap": ([node("Pad", ["x", "p"], ["y"], mode="wrap")], 19, {"p": np.array([0, 0, 1, 1, 0, 0, 2, 2], i64)}),
            "clip_21": ([node("Clip", ["x", "lo", "hi"], ["y"])], 21, {"lo": f32(-0.5), "hi": f32(0.7)}),
            "reshape_21": ([node("Reshape", ["x", "t"], ["y"])], 21, {"t": np.array([0, -1], i64)}),
            "shape_arithmetic_19": ([node("Shape", ["x"], ["s"], start=0, end=2), node("Concat", ["s", "m"], ["t"], axis=0), node("Reshape", ["x", "t"], ["y"])], 19,
                                    {"m": np.array([-1], i64)}),
            "cast_19": ([node("Cast", ["x"], ["h"], to=TensorProto.FLOAT16), node("Cast", ["h"], ["y"], to=TensorProto.FLOAT)], 19, {}),
            "constant_21": ([node("Constant", [], ["c"], value=numpy_helper.from_array(vector.reshape(1, 4, 1, 1))), node("Mul", ["x", "c"], ["y"])], 21, {}),
            "batch_normalization_15": ([node("BatchNormalization", ["x", "g", "b", "m", "v"], ["y"])], 21,
                                       {"g": vector, "b": vector - 1, "m": vector / 3, "v": vector}),
            "equal_where_19": ([node("Greater", ["x", "z"], ["c"]), node("Where", ["c", "x", "z"], ["y"])], 19, {"z": f32(0)}),
            "unsqueeze_21": ([node("Unsqueeze", ["x", "a"], ["u"]), node("Squeeze", ["u", "a"], ["y"])], 21, {"a": np.array([2], i64)}),
            "depth_to_space_18": ([node("DepthToSpace", ["x"], ["y"], blocksize=2, mode="CRD")], 18, {}),
            "instance_normalization_21": ([node("InstanceNormalization", ["x", "g", "b"], ["y"])], 21, {"g": vector, "b": vector}),
            "layer_normalization_17": ([node("LayerNormalization", ["x", "g"], ["y"], axis=-1)], 20, {"g": np.linspace(1, 2, 6).astype(f32)}),
            "softmax_18": ([node("Softmax", ["x"], ["y"], axis=1)], 18, {}),
            "hard_swish_18": ([node("HardSwish", ["x"], ["y"])], 18, {}),
        }
        x = {name: np.random.RandomState(7).randn(*[2 if d == "n" else d for d in (case[3] if len(case) > 3 else ("n", 4, 6, 6))]).astype(f32)
             for name, case in cases.items()}
        models = [(name, self.model_of(*case[:3], **({"shape": case[3]} if len(case) > 3 else {}), ir=10), x[name]) for name, case in cases.items()]
        results = run_cases(self.at, models)
        for name, model, _ in models:
            with self.subTest(name):
                line, outputs, plan = results[name]
                self.assertTrue(line.startswith("ok"), line)
                expected = runtime(self.at, self.at / f"{name}.onnx", x[name]).ravel()
                # float16 in the middle: we compute it in float32.
                tolerance = 2e-3 if name.startswith("cast") else 1e-5
                for found in [outputs[0]] + ([plan] if plan is not None else []):
                    self.assertEqual(found.size, expected.size)
                    self.assertLess(np.abs(found - expected).max(), tolerance * max(1, np.abs(expected).max()))

    def test_graphs_in_the_manner_of_tf2onnx(self):
        """NHWC input transposed, padding as a node, BatchNorm behind a transpose, Squeeze and shape arithmetic at the end."""
        node, rng = helper.make_node, np.random.RandomState(3)
        weights = {"w1": rng.randn(8, 3, 3, 3).astype(np.float32) / 5, "w2": rng.randn(8, 5).astype(np.float32),
                   "pads": np.array([0, 0, 0, 0, 0, 0, 1, 1], np.int64), "axes": np.array([2, 3], np.int64), "one": np.array([1], np.int64),
                   "zero": np.array([0], np.int64), "minus": np.array([-1], np.int64), "const_fold_opt__7": np.array([5], np.int64)}
        for i in (1, 2):
            weights |= {f"bn{i}/gamma:0": rng.uniform(0.5, 1.5, 8).astype(np.float32), f"bn{i}/beta:0": rng.randn(8).astype(np.float32) / 5,
                        f"bn{i}/moving_mean:0": rng.randn(8).astype(np.float32) / 5, f"bn{i}/moving_variance:0": rng.uniform(0.5, 1.5, 8).astype(np.float32)}
        bn = [[f"bn{i}/{part}:0" for part in ("gamma", "beta", "moving_mean", "moving_variance")] for i in (1, 2)]
        nodes = [node("Transpose", ["x"], ["t"], perm=[0, 3, 1, 2], name="StatefulPartitionedCall/model/conv/Conv2D__6"),
                 node("Pad", ["t", "pads"], ["p"], mode="constant"),
                 node("Conv", ["p", "w1"], ["c"], kernel_shape=[3, 3], strides=[2, 2]),
                 node("BatchNormalization", ["c", *bn[0]], ["b1"], epsilon=1e-3, momentum=0.99),
                 node("Relu", ["b1"], ["r"]),
                 node("Transpose", ["r"], ["nhwc"], perm=[0, 2, 3, 1]), node("Transpose", ["nhwc"], ["nchw"], perm=[0, 3, 1, 2]),
                 node("BatchNormalization", ["nchw", *bn[1]], ["b2"], epsilon=1e-3, momentum=0.99),
                 node("ReduceMean", ["b2"], ["m"], axes=[2, 3], keepdims=1), node("Squeeze", ["m", "axes"], ["s"]),
                 node("MatMul", ["s", "w2"], ["logits"]),
                 node("Shape", ["logits"], ["shape"]), node("Cast", ["shape"], ["shape32"], to=TensorProto.INT32),
                 node("Cast", ["shape32"], ["shape64"], to=TensorProto.INT64), node("Slice", ["shape64", "zero", "one", "zero"], ["count"]),
                 node("Concat", ["count", "const_fold_opt__7"], ["target"], axis=0), node("Reshape", ["logits", "target"], ["y"])]
        model = self.model_of(nodes, 13, weights, shape=("n", 16, 16, 3))
        onnx.save(model, self.at / "net.onnx")
        x = rng.randn(3, 16, 16, 3).astype(np.float32)
        # Read, the network takes its channels second, as every other.
        results = run_cases(self.at, [("tf", model, x.transpose(0, 3, 1, 2).copy())])
        line, outputs, plan = results["tf"]
        self.assertEqual(line, "ok plan")
        self.close(plan, outputs[0])
        if RUNTIME:
            self.close(outputs[0], runtime(self.at, self.at / "net.onnx", x).ravel())
        self.assertEqual(run("inspect", self.at / "net.onnx", "--json").count('"level"'), 2)


if __name__ == "__main__":
    main()
