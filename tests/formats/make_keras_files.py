"""Writes keras_files.hpp: one tiny network as Keras 2 (HDF5) and Keras 3 (the weights of a .keras) lay it out, by h5py.

    /usr/bin/python3 make_keras_files.py > keras_files.hpp      with h5py 3.7, libhdf5 1.10
"""
import io
import json
import textwrap
import zlib

import h5py
import numpy as np

LAYERS = [
    ("Conv2D", "conv", {"padding": "same", "data_format": "channels_last", "use_bias": True, "activation": "linear", "batch_input_shape": [None, 2, 2, 1]},
     {"kernel": np.arange(18, dtype=np.float32).reshape(3, 3, 1, 2) / 8, "bias": np.array([0.5, -0.5], np.float32)}),
    ("BatchNormalization", "bn", {"axis": -1, "epsilon": 0.001, "momentum": 0.9, "center": False, "scale": True},
     {"gamma": np.array([1.5, 2], np.float32), "moving_mean": np.array([1, 2], np.float32), "moving_variance": np.array([3, 4], np.float32)}),
    ("GlobalAveragePooling2D", "pool", {"data_format": "channels_last"}, {}),
    ("Dense", "dense", {"use_bias": False, "activation": "softmax"}, {"kernel": np.array([[1, 2], [3, 4]], np.float32)}),
]
MODEL = {"class_name": "Sequential", "config": {"name": "tiny", "layers": [{"class_name": c, "config": {"name": n, **s}} for c, n, s, _ in LAYERS]}}


def keras2(f):
    f.attrs["model_config"], f.attrs["keras_version"], f.attrs["backend"] = json.dumps(MODEL), "2.15.0", "tensorflow"
    root = f.create_group("model_weights")
    root.attrs["layer_names"] = np.array([name for _, name, _, _ in LAYERS], "S")
    for _, name, _, weights in LAYERS:
        group = root.create_group(name)
        group.attrs["weight_names"] = np.array([f"{name}/{role}:0" for role in weights], "S") if weights else np.zeros(0)
        for role, values in weights.items():
            group[f"{name}/{role}:0"] = values


def keras3(f):
    for place, (_, _, _, weights) in zip(["conv2d", "batch_normalization", "global_average_pooling2d", "dense"], LAYERS):
        group = f.create_group(f"layers/{place}/vars")
        for i, values in enumerate(weights.values()):
            group[str(i)] = values


def constant(name, fill):
    image = io.BytesIO()
    with h5py.File(image, "w") as f:
        fill(f)
    data = image.getvalue()
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    packed = (packer.compress(data) + packer.flush()).hex()
    lines = "\n".join(f'    "{line}"' for line in textwrap.wrap(packed, 112))
    return f"inline constexpr DeflatedFile {name}{{{len(data)},\n{lines}}};\n"


print("""// Made by make_keras_files.py with h5py 3.7 and libhdf5 1.10; not to be edited.
// clang-format off
#pragma once

#include "container/deflated_file.hpp"

namespace shiftnorm::test {
""")
print(constant("kKeras2", keras2))
print(constant("kKeras3Weights", keras3))
print('inline constexpr std::string_view kKerasConfig = R"(' + json.dumps(MODEL) + ')";\n')
print("}  // namespace shiftnorm::test")
