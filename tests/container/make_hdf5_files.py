"""Writes hdf5_files.hpp: small HDF5 files as h5py (libhdf5) writes them, deflated.

    /usr/bin/python3 make_hdf5_files.py > hdf5_files.hpp      with h5py 3.7, libhdf5 1.10
"""
import io
import textwrap
import zlib

import h5py
import numpy as np


def content(f):
    f.attrs["model_config"] = '{"class_name": "Sequential"}'
    f.attrs["none"] = np.zeros(0)
    g = f.create_group("model_weights")
    g.attrs["layer_names"] = np.array([b"dense", b"bn"])
    g.attrs["variable"] = np.array(["a", "", "longer text"], dtype=h5py.string_dtype())
    g["bn/bn/gamma:0"] = np.array([1, 2, 3], np.float32)
    g["dense/kernel:0"] = np.arange(6, dtype=np.float32).reshape(2, 3)
    g["count"] = np.int64(7)


def many(f):
    """Groups whose links and attributes have moved out of their headers, into heaps indexed by B-trees."""
    g = f.create_group("dense", track_order=True)
    for i in range(300):
        g[f"weight_{i:03d}"] = f.require_dataset("value", (1,), np.float64, data=[2.5]) if i == 0 else h5py.SoftLink("/value")
    for i in range(20):
        g.attrs[f"attribute_{i}"] = f"text {i}"


def odd(f):
    f["soft"] = h5py.SoftLink("/single")
    f["external"] = h5py.ExternalLink("other.h5", "/single")
    f["single"] = np.float32(1)
    f["half"] = np.array([1, 2], np.float16)
    f["big_endian"] = np.array([1, 2], ">f4")
    f["complex"] = np.array([1j])
    f["bool"] = np.array([True])
    f["empty"] = np.zeros((0, 3), np.float32)
    f.create_dataset("null", data=h5py.Empty("f4"))
    f.create_dataset("never_written", (4,), np.float32)
    f.create_dataset("scaled", data=np.zeros(8, np.float32), chunks=(4,), scaleoffset=3)
    f.create_dataset("extent", data=np.zeros(77, np.uint8))
    f["a"] = f.create_group("b")
    f["a/around"] = f["/"]


def chunked(f):
    """What h5py's options make of the same numbers."""
    values = np.arange(10, dtype=np.float32) / 4
    options = {"plain": {}, "gzip": {"compression": "gzip"}, "shuffled": {"compression": "gzip", "compression_opts": 9, "shuffle": True},
               "lzf": {"compression": "lzf", "shuffle": True}, "summed": {"compression": "gzip", "shuffle": True, "fletcher32": True}}
    for name, how in options.items():
        f.create_dataset(name, data=values, chunks=(10,), **how)
        f.create_dataset(f"{name}_in_four", data=values, chunks=(3,), **how)
    f.create_dataset("matrix", data=np.arange(35, dtype=np.float64).reshape(5, 7), chunks=(2, 3), compression="gzip")
    f.create_dataset("repeated", data=np.full(4096, 1.5, np.float32), chunks=(1000,), compression="lzf")
    f.create_dataset("extendible", data=values, chunks=(4,), maxshape=(None,), compression="gzip")
    partly = f.create_dataset("partly", (9,), np.float32, chunks=(3,), compression="gzip", fillvalue=7)
    partly[3:6] = [1, 2, 3]


def file_of(fill, **options):
    image = io.BytesIO()
    with h5py.File(image, "w", **options) as f:
        fill(f)
    return image.getvalue()


def constant(name, data):
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    packed = (packer.compress(data) + packer.flush()).hex()
    lines = "\n".join(f'    "{line}"' for line in textwrap.wrap(packed, 112))
    return f"inline constexpr DeflatedFile {name}{{{len(data)},\n{lines}}};\n"


print("""// Made by make_hdf5_files.py with h5py 3.7 and libhdf5 1.10; not to be edited.
// clang-format off
#pragma once

#include "container/deflated_file.hpp"

namespace shiftnorm::test {
""")
print(constant("kHdf5Earliest", file_of(content)))
print(constant("kHdf5Latest", file_of(content, libver="latest")))
print(constant("kHdf5Dense", file_of(many, libver="latest")))
print(constant("kHdf5Odd", file_of(odd)))
print(constant("kHdf5Chunked", file_of(chunked)))
print(constant("kHdf5ChunkedLatest", file_of(chunked, libver="latest")))
print("}  // namespace shiftnorm::test")
