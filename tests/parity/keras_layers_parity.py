"""Layers that no golden Keras model has: small models written with h5py as Keras 2 writes them, against the same
mathematics in PyTorch, channels last. What Keras does is told by its documentation and, for padding, by TensorFlow's rule."""
import json
import sys

from support import F, ParityCase, main, np, read_safetensors, run, torch

try:
    import h5py
except ImportError:
    print("SKIPPED: keras_layers_parity: h5py is not installed")
    sys.exit(0)

rng = np.random.default_rng(3)


def weights(*shape):
    return rng.normal(0, 0.5, shape).astype(np.float32)


def first(x):
    """Channels last to first."""
    return x.movedim(-1, 1)


def last(x):
    return x.movedim(1, -1)


def t(a):
    return torch.tensor(a).double()


def conv_kernel(k):
    """(spatial..., in, out) to (out, in, spatial...)."""
    return t(np.moveaxis(k, (-1, -2), (0, 1)))


def transposed_same(x, k, stride):
    """The gradient of TensorFlow's 'same' convolution by its own definition: autograd."""
    size = [n * stride for n in x.shape[1:3]]
    y = torch.zeros(x.shape[0], k.shape[2], *size, dtype=torch.double, requires_grad=True)
    pads = [max((n // stride - 1) * stride + k.shape[i] - n, 0) for i, n in enumerate(size)]
    padded = F.pad(y, (pads[1] // 2, pads[1] - pads[1] // 2, pads[0] // 2, pads[0] - pads[0] // 2))
    forward = F.conv2d(padded, t(np.transpose(k, (3, 2, 0, 1))), stride=stride)
    return last(torch.autograd.grad(forward, y, first(x))[0])


def cases():
    """name -> (layers behind the input: (class, config, weights), what they compute). Inputs are [N, 6, 8, 4]."""
    k1, k2, k3, kt = weights(3, 4, 5), weights(2, 3, 4, 5), weights(2, 2, 2, 4, 3), weights(3, 3, 5, 4)
    dw, pw = weights(3, 4, 2), weights(1, 8, 5)
    alpha, alphas = weights(1, 1, 4), weights(6, 8, 4)
    gamma, beta = weights(4), weights(4)
    dense, bias = weights(4, 3), weights(3)
    line = ("Reshape", {"target_shape": [48, 4]}, {})
    cube = ("Reshape", {"target_shape": [3, 4, 4, 4]}, {})
    same = {"padding": "same", "data_format": "channels_last"}
    resize = lambda x, **more: last(F.interpolate(first(x), **more))
    table = {
        "conv1d": ([line, ("Conv1D", {"strides": [2], "use_bias": False, "padding": "valid"}, {"kernel": k1})],
                   lambda x: last(F.conv1d(first(x.reshape(-1, 48, 4)), conv_kernel(k1), stride=2))),
        "conv1d causal": ([line, ("Conv1D", {"dilation_rate": [2], "use_bias": False, "padding": "causal"}, {"kernel": k1})],
                          lambda x: last(F.conv1d(F.pad(first(x.reshape(-1, 48, 4)), (4, 0)), conv_kernel(k1), dilation=2))),
        "conv3d": ([cube, ("Conv3D", {"strides": [1, 2, 1], "use_bias": False, "padding": "valid"}, {"kernel": k3})],
                   lambda x: last(F.conv3d(first(x.reshape(-1, 3, 4, 4, 4)), conv_kernel(k3), stride=(1, 2, 1)))),
        "separable conv1d": ([line, ("SeparableConv1D", {"use_bias": False, "padding": "valid"}, {"depthwise_kernel": dw, "pointwise_kernel": pw})],
                             lambda x: last(F.conv1d(F.conv1d(first(x.reshape(-1, 48, 4)), t(dw.reshape(3, 8).T[:, None].copy()), groups=4), conv_kernel(pw)))),
        "transposed valid": ([("Conv2DTranspose", {"strides": [4, 2], "use_bias": False, "padding": "valid"}, {"kernel": kt})],
                             # A stride above the kernel leaves a border of zeros behind (Keras' deconv_output_length).
                             lambda x: last(F.pad(F.conv_transpose2d(first(x), t(np.transpose(kt, (3, 2, 0, 1)).copy()), stride=(4, 2)), (0, 0, 0, 1)))),
        "transposed same": ([("Conv2DTranspose", {"strides": [2, 2], "use_bias": False, **same}, {"kernel": kt})],
                            lambda x: transposed_same(x, kt, 2)),
        "transposed same, stride above the kernel": ([("Conv2DTranspose", {"strides": [4, 4], "use_bias": False, **same}, {"kernel": kt})],
                                                     lambda x: transposed_same(x, kt, 4)),
        "max pooling 1d": ([line, ("MaxPooling1D", {"pool_size": [3], "strides": [2], "padding": "valid"}, {})],
                           lambda x: last(F.max_pool1d(first(x.reshape(-1, 48, 4)), 3, 2))),
        "average pooling 3d": ([cube, ("AveragePooling3D", {"pool_size": [2, 2, 2], "padding": "valid"}, {})],
                               lambda x: last(F.avg_pool3d(first(x.reshape(-1, 3, 4, 4, 4)), 2))),
        "global max": ([("GlobalMaxPooling2D", {}, {})], lambda x: x.amax((1, 2))),
        "global average 1d": ([line, ("GlobalAveragePooling1D", {}, {})], lambda x: x.reshape(-1, 48, 4).mean(1)),
        "cropping": ([("Cropping2D", {"cropping": [[1, 2], [0, 3]]}, {})], lambda x: x[:, 1:-2, :-3]),
        "zero padding 1d": ([line, ("ZeroPadding1D", {"padding": [2, 1]}, {})], lambda x: F.pad(x.reshape(-1, 48, 4), (0, 0, 2, 1))),
        "nearest upsampling": ([("UpSampling2D", {"size": [2, 3]}, {})], lambda x: resize(x, scale_factor=(2, 3), mode="nearest")),
        "bilinear upsampling": ([("UpSampling2D", {"size": [2, 2], "interpolation": "bilinear"}, {})],
                                lambda x: resize(x, scale_factor=2, mode="bilinear", align_corners=False)),
        "permute": ([("Permute", {"dims": [3, 1, 2]}, {})], lambda x: x.permute(0, 3, 1, 2)),
        "permute, flatten": ([("Permute", {"dims": [2, 1, 3]}, {}), ("Flatten", {}, {})], lambda x: x.permute(0, 2, 1, 3).reshape(len(x), -1)),
        "flatten": ([("Flatten", {"data_format": "channels_last"}, {})], lambda x: x.reshape(len(x), -1)),
        "dense on maps": ([("Dense", {"activation": "tanh"}, {"kernel": dense, "bias": bias})], lambda x: torch.tanh(x @ t(dense) + t(bias))),
        "layer normalization": ([("LayerNormalization", {"epsilon": 0.001, "axis": [3]}, {"gamma": gamma, "beta": beta})],
                                lambda x: F.layer_norm(x, (4,), t(gamma), t(beta), 0.001)),
        "prelu, shared": ([("PReLU", {"shared_axes": [1, 2]}, {"alpha": alpha})], lambda x: torch.where(x > 0, x, x * t(alpha))),
        "prelu": ([("PReLU", {}, {"alpha": alphas})], lambda x: torch.where(x > 0, x, x * t(alphas))),
        "thresholded relu": ([("ThresholdedReLU", {"theta": 0.5}, {})], lambda x: torch.where(x > 0.5, x, torch.zeros_like(x))),
        "relu, sloped and bounded": ([("ReLU", {"negative_slope": 0.25, "max_value": 0.75}, {})], lambda x: F.leaky_relu(x, 0.25).clamp(max=0.75)),
        "softmax over rows": ([("Softmax", {"axis": 1}, {})], lambda x: torch.softmax(x, 1)),
    }
    for name, function in {"elu": F.elu, "exponential": torch.exp, "gelu": F.gelu, "mish": F.mish, "selu": F.selu, "sigmoid": torch.sigmoid,
                           "softplus": F.softplus, "softsign": F.softsign, "swish": F.silu, "relu6": F.relu6, "tanh": torch.tanh,
                           "hard_sigmoid": lambda x: (0.2 * x + 0.5).clamp(0, 1), "log_softmax": lambda x: torch.log_softmax(x, -1)}.items():
        table[name] = ([("Activation", {"activation": name}, {})], function)
    return table


def merges():
    """class -> (config, what it makes of a and of its per-channel maximum b, whose missing axes broadcast)."""
    return {"Add": ({}, lambda a, b: a + b), "Subtract": ({}, lambda a, b: a - b), "Multiply": ({}, lambda a, b: a * b),
            "Average": ({}, lambda a, b: (a + b) / 2), "Maximum": ({}, torch.maximum), "Minimum": ({}, torch.minimum),
            "Concatenate": ({"axis": -1}, None)}


class KerasLayers(ParityCase):
    def setUp(self):
        super().setUp()
        self.x = rng.normal(0.2, 1.5, (3, 6, 8, 4)).astype(np.float32)
        self.norm = {"gamma": weights(4), "beta": weights(4), "moving_mean": weights(4), "moving_variance": weights(4) ** 2 + 0.1}
        n = {k: t(v) for k, v in self.norm.items()}
        self.normed = n["gamma"] * (t(self.x) - n["moving_mean"]) / torch.sqrt(n["moving_variance"] + 1e-3) + n["beta"]

    def write(self, layers, inbound=None):
        """layers: (class, config, weights) behind the input and one BatchNormalization."""
        all_layers = [("BatchNormalization", {"axis": -1, "epsilon": 0.001}, self.norm), *layers]
        names = [f"layer{i}" for i in range(len(all_layers))]
        configs = [{"class_name": c, "name": n, "config": {"name": n, **cfg}} for n, (c, cfg, _) in zip(names, all_layers)]
        if inbound is None:
            configs[0]["config"]["batch_input_shape"] = [None, 6, 8, 4]
            model = {"class_name": "Sequential", "config": {"name": "s", "layers": configs}}
        else:
            for config, calls in zip(configs, inbound):
                config["inbound_nodes"] = [[[source, 0, 0, {}] for source in call] for call in calls]
            start = {"class_name": "InputLayer", "name": "input", "config": {"name": "input", "batch_input_shape": [None, 6, 8, 4]}, "inbound_nodes": []}
            model = {"class_name": "Model", "config": {"name": "f", "layers": [start, *configs], "input_layers": [["input", 0, 0]], "output_layers": [[names[-1], 0, 0]]}}
        with h5py.File(self.at / "model.h5", "w") as f:
            f.attrs["model_config"], f.attrs["keras_version"], f.attrs["backend"] = json.dumps(model), "2.15.0", "tensorflow"
            root = f.create_group("model_weights")
            root.attrs["layer_names"] = np.array(names, "S")
            for name, (_, _, held) in zip(names, all_layers):
                group = root.create_group(name)
                group.attrs["weight_names"] = np.array([f"{name}/{role}:0" for role in held], "S") if held else np.zeros(0)
                for role, values in held.items():
                    group[f"{name}/{role}:0"] = values

    def check(self, expected):
        np.save(self.at / "x.npy", self.x)
        run("evaluate", self.at / "model.h5", "--data", self.at / "x.npy", "--layout", "NHWC", "--outputs", self.at / "y.safetensors")
        (found,) = read_safetensors(self.at / "y.safetensors").values()
        self.assertEqual(found.size, expected.numel())
        self.assert_logits(found.reshape(expected.shape), expected.detach())

    def test_layers(self):
        for name, (layers, function) in cases().items():
            with self.subTest(name):
                self.write(layers)
                self.check(function(self.normed))

    def test_merges(self):
        for name, (config, function) in merges().items():
            with self.subTest(name):
                pooled = self.normed.amax((1, 2))
                if function is None:
                    self.write([("Activation", {"activation": "tanh"}, {}), (name, config, {})], [[["input"]], [["layer0"]], [["layer0", "layer1"]]])
                    self.check(torch.cat([self.normed, torch.tanh(self.normed)], -1))
                else:
                    self.write([("GlobalMaxPooling2D", {}, {}), (name, config, {})], [[["input"]], [["layer0"]], [["layer0", "layer1"]]])
                    self.check(function(self.normed, pooled[:, None, None]))

    def test_a_layer_used_twice(self):
        kernel = weights(3, 3, 4, 4)
        conv = ("Conv2D", {"padding": "same", "use_bias": False, "data_format": "channels_last"}, {"kernel": kernel})
        self.write([conv, ("Activation", {"activation": "relu"}, {})], [[["input"]], [["layer0"], ["layer2"]], [["layer1"]]])
        config = json.loads(h5py.File(self.at / "model.h5")["/"].attrs["model_config"])
        config["config"]["output_layers"] = [["layer1", 1, 0]]
        with h5py.File(self.at / "model.h5", "r+") as f:
            f.attrs["model_config"] = json.dumps(config)
        once = F.conv2d(first(self.normed), conv_kernel(kernel), padding=1)
        self.check(last(F.conv2d(F.relu(once), conv_kernel(kernel), padding=1)))


if __name__ == "__main__":
    main()
