"""Writes goldens.hpp: small image files made by PIL with the pixels PIL reads from them, and what PIL's and
torchvision's resizing make of an image that both sides can compute.

usage: make_goldens.py > goldens.hpp     (Debian 12: python3-pil 9.4, python3-torchvision 0.14)
"""
import hashlib, io, pathlib, struct, sys, zlib
import numpy as np
import torch
from PIL import Image, __version__ as pil_version
sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "parity"))
from image_writers import bmp, bmp_rows, bmp_runs, tiff
import torchvision
import torchvision.transforms.functional as F
from torchvision.transforms import CenterCrop, Compose, InterpolationMode, Resize


def picture(h, w, c):
    y, x, k = np.mgrid[0:h, 0:w, 0:c]
    return ((x * x * 7 + y * 13 + x * y * 3 + k * 50) % 256).astype(np.uint8)


def pil(a):
    return Image.fromarray(a[..., 0] if a.shape[2] == 1 else a)


def digest(a):
    return hashlib.sha256(np.ascontiguousarray(a).astype("<u2").tobytes()).hexdigest()


def saved(image, kind, **options):
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def png(w, h, depth, colour, rows):
    def chunk(name, data):
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", w, h, depth, colour, 0, 0, 0))
            + chunk(b"IDAT", zlib.compress(b"".join(b"\0" + r for r in rows))) + chunk(b"IEND", b""))


def files():
    rgb, grey, four = pil(picture(9, 11, 3)), pil(picture(9, 11, 1)), picture(9, 11, 4)
    small = dict(quality=60, optimize=True)
    turned = Image.Exif()
    turned[0x0112] = 6
    wide = Image.fromarray((picture(9, 11, 1)[..., 0].astype(np.uint16) * 251 + 3))
    yield "jpeg-420", saved(rgb, "jpeg", subsampling=2, **small)
    yield "jpeg-444-progressive", saved(rgb, "jpeg", subsampling=0, progressive=True, **small)
    yield "jpeg-grey", saved(grey, "jpeg", **small)
    yield "jpeg-exif-turned", saved(rgb, "jpeg", exif=turned, **small)
    yield "png-rgb", saved(rgb, "png")
    yield "png-grey", saved(grey, "png")
    yield "png-grey16", saved(wide, "png")
    yield "png-grey-alpha", saved(Image.merge("LA", (grey, grey)), "png")
    yield "png-rgba", saved(Image.fromarray(four, "RGBA"), "png")
    yield "png-palette", saved(rgb.quantize(12), "png")
    yield "png-palette-transparent", saved(rgb.quantize(12), "png", transparency=2)
    yield "png-bilevel", saved(grey.convert("1"), "png")
    yield "png-grey2", png(8, 3, 2, 0, [bytes([0x1b, 0xe4]), bytes([0x00, 0xff]), bytes([0x55, 0xaa])])
    yield "png-colour-profile", saved(rgb, "png", icc_profile=b"not a colour profile")
    yield "bmp-rgb", saved(rgb, "bmp")
    yield "bmp-palette", saved(rgb.quantize(12), "bmp")
    yield "tiff-rgb-lzw", saved(rgb, "tiff", compression="tiff_lzw")
    yield "tiff-rgba", saved(Image.fromarray(four, "RGBA"), "tiff")
    yield "tiff-grey16", saved(wide, "tiff")
    yield "tiff-turned", saved(rgb, "tiff", tiffinfo={274: 6}, compression="tiff_lzw")
    random = np.random.default_rng(16)
    few = picture(9, 11, 1).astype(np.int64)
    colours = random.integers(0, 65536, 48).tolist()
    quads = np.pad(random.integers(0, 256, (16, 3)).astype(np.uint8), ((0, 0), (0, 1))).tobytes()
    yield "bmp-os2", bmp(bmp_rows(few[::-1] % 16, 4), 4, 11, 9, 12, palette=bytes(random.integers(0, 256, 48).astype(np.uint8)))
    yield "bmp-555", bmp(bmp_rows(picture(9, 12, 2), 8), 16, 12, 9)
    yield "bmp-565", bmp(bmp_rows(picture(9, 12, 2), 8), 16, 12, 9, 40, 3, masks=struct.pack("<III", 0xf800, 0x7e0, 0x1f))
    yield "bmp-top-down-v5", bmp(bmp_rows(four, 8), 32, 11, 9, 124, 3, masks=struct.pack("<IIII", 0xff, 0xff00, 0xff0000, 0xff000000), top_down=True)
    yield "bmp-runs8", bmp(bmp_runs(few[..., 0] % 16, False, random), 8, 11, 9, 40, 1, quads, colours=16)
    yield "bmp-runs4", bmp(bmp_runs(few[..., 0] % 16, True, random), 4, 11, 9, 40, 2, quads)
    yield "tiff-palette1", tiff(few % 2, 1, 3, colour_map=colours[:6])
    yield "tiff-palette2-deflate", tiff(few % 4, 2, 3, compression=8, colour_map=colours[:12])
    yield "tiff-palette4-tiles", tiff(few % 16, 4, 3, tile=(16, 16), compression=5, colour_map=colours)
    yield "tiff-grey4-white-is-zero", tiff(few % 16, 4, 0, strip=2)
    yield "tiff-planes-strips-deflate", tiff(picture(9, 11, 3).astype(np.int64), 8, 2, ">", 8, planes=True, strip=4, predictor=True)
    yield "tiff-premultiplied", tiff(four.astype(np.int64), 8, 2, compression=32773, extra=(1,))
    yield "tiff-cmyk-big", tiff(four.astype(np.int64), 8, 5, big=True, compression=5)
    yield "tiff-fax", saved(grey.convert("1"), "tiff", compression="group4")
    yield "tiff-jpeg", saved(rgb.convert("YCbCr"), "tiff", compression="jpeg")
    yield "tiff-ycbcr", saved(rgb.convert("YCbCr"), "tiff", compression="tiff_lzw")
    yield "webp-lossless", saved(rgb, "webp", lossless=True)
    yield "webp-lossy", saved(rgb, "webp", quality=60)
    yield "webp-animated", saved(Image.fromarray(four, "RGBA"), "webp", save_all=True, append_images=[rgb.convert("RGBA")], lossless=True)
    yield "pnm-plain-bits", b"P1 # note\n11 9\n" + b"".join(b"%d" % (v % 2) for v in few.ravel())
    yield "pnm-plain-grey", b"P2\n11 9 99\n" + b" ".join(b"%d" % (v % 100) for v in few.ravel())
    yield "pnm-bits", saved(grey.convert("1"), "ppm")
    yield "pnm-grey16", b"P5 11 9 1000\n" + (few * 3).astype(">u2").tobytes()
    yield "pnm-colours", saved(rgb, "ppm")


def read(data):
    image = Image.open(io.BytesIO(data))
    image.load()
    if image.mode.startswith("I"):
        return np.asarray(image).astype(np.int64)[..., None], 16
    one = image.mode in ("1", "L", "LA")
    a = np.asarray(image.convert("L" if one else "RGB"))
    return (a[..., None] if one else a), 8


def text(data):
    hexed = data.hex()
    return "\n     ".join('"%s"' % hexed[i:i + 100] for i in range(0, len(hexed), 100))


NAMES = ["nearest", "bilinear", "bicubic"]
MODES = [InterpolationMode.NEAREST, InterpolationMode.BILINEAR, InterpolationMode.BICUBIC]
SIZES = [(40, 30, 17, 23), (40, 30, 64, 11), (23, 31, 50, 60), (30, 40, 30, 13), (30, 40, 7, 40), (5, 3, 1, 1), (1, 1, 4, 3)]


def resizes():
    for h, w, to_h, to_w in SIZES:
        for mode, name in zip(MODES, NAMES):
            for c in (1, 3):
                out = np.asarray(F.resize(pil(picture(h, w, c)), [to_h, to_w], mode)).reshape(to_h, to_w, c)
                yield h, w, c, 8, to_h, to_w, name, digest(out)
            wide = Image.fromarray(picture(h, w, 1)[..., 0].astype(np.int32) * 257)
            out = np.asarray(F.resize(wide, [to_h, to_w], mode)).clip(0, 65535)
            yield h, w, 1, 16, to_h, to_w, name, digest(out)


def main():
    print("// Written by make_goldens.py with PIL %s and torchvision %s; do not edit." % (pil_version, torchvision.__version__))
    print("#pragma once\n\n#include <string_view>\n\n// clang-format off\nnamespace shiftnorm::imaging::goldens {\n")
    print("struct File { std::string_view name, hex; int height, width, channels, bits; std::string_view pixels_sha256; };")
    print("inline constexpr File kFiles[] = {")
    for name, data in files():
        a, bits = read(data)
        print('    {"%s",\n     %s,\n     %d, %d, %d, %d, "%s"},' % (name, text(data), *a.shape, bits, digest(a)))
    print("};\n")
    cmyk = saved(Image.fromarray(picture(4, 4, 4), "CMYK"), "jpeg", quality=90, optimize=True)
    print("inline constexpr std::string_view kCmyk =\n     %s;" % text(cmyk))
    print("inline constexpr int kCmykPixels[] = {%s};\n" % ", ".join(map(str, read(cmyk)[0].ravel())))
    reals = (picture(4, 5, 1)[..., 0].astype(np.float32) - 100) / 3
    print("struct Reals { std::string_view name, hex; int height, width; float pixels[20]; };")
    print("inline constexpr Reals kReals[] = {")
    for name, data in (("float", tiff(reals[..., None], 32, 1, number=3)), ("float-big-endian", tiff(reals[..., None], 32, 1, ">", number=3)),
                       ("float-predictor-deflate", saved(Image.fromarray(reals), "tiff", compression="tiff_adobe_deflate", tiffinfo={317: 3})),
                       ("signed16", tiff((reals * 300).astype(np.int16)[..., None], 16, 1, number=2)),
                       ("unsigned32", tiff(np.abs(reals * 1e5).astype(np.uint32)[..., None], 32, 1))):
        image = Image.open(io.BytesIO(data))
        image.load()
        a = np.asarray(image).astype(np.float32)
        assert image.mode in "FI"
        print('    {"%s",\n     %s,\n     %d, %d, {%s}},' % (name, text(data), *a.shape, ", ".join(repr(float(v)) + "f" for v in a.ravel())))
    print("};\n")
    print("struct Resized { int height, width, channels, bits, to_height, to_width; std::string_view interpolation, pixels_sha256; };")
    print("inline constexpr Resized kResized[] = {")
    for row in resizes():
        print('    {%d, %d, %d, %d, %d, %d, "%s", "%s"},' % row)
    print("};\n")
    tensor = torch.from_numpy(picture(5, 6, 1).transpose(2, 0, 1))
    for name, mode in (("Bilinear", MODES[1]), ("Bicubic", MODES[2])):
        out = F.resize(tensor, [3, 8], mode, antialias=False).numpy()
        print("inline constexpr int kTensor%s[] = {%s};" % (name, ", ".join(map(str, out.ravel()))))
    steps = Compose([Resize(32), CenterCrop(28)])
    print("\nstruct Steps { int height, width; std::string_view pixels_sha256; };  // Resize(32), CenterCrop(28), three channels")
    print("inline constexpr Steps kSteps[] = {")
    for h, w in ((50, 37), (37, 50), (33, 32), (61, 20), (32, 90)):
        print('    {%d, %d, "%s"},' % (h, w, digest(np.asarray(steps(pil(picture(h, w, 3)))))))
    print("};\n\nstruct Crop { int height, width, to_height, to_width; std::string_view pixels_sha256; };  // CenterCrop alone")
    print("inline constexpr Crop kCrops[] = {")
    for h, w, to_h, to_w in ((7, 10, 4, 5), (9, 11, 4, 4), (10, 13, 5, 6), (5, 4, 8, 7), (5, 12, 8, 7), (6, 6, 6, 6)):
        print('    {%d, %d, %d, %d, "%s"},' % (h, w, to_h, to_w, digest(np.asarray(CenterCrop((to_h, to_w))(pil(picture(h, w, 3)))))))
    print("};\n")
    luma = np.asarray(pil(picture(4, 5, 3)).convert("L"))
    print("inline constexpr int kLuma[] = {%s};  // picture(4, 5, 3) as \"L\"" % ", ".join(map(str, luma.ravel())))
    print("\n}  // namespace shiftnorm::imaging::goldens\n// clang-format on")


main()
