"""Image files against Pillow: every kind of pixel of every format decodes to the same numbers, and a damaged file to Pillow's or to none.

usage: image_files_parity.py SHIFTNORM PROJECT SHARED     (Debian 12: python3-pil 9.4, python3-numpy)

What differs from Pillow on purpose is held against the array that was written: colours of 16 bits keep them (Pillow takes the high byte), and
16 bits whose white is zero are turned over (Pillow leaves them).
"""
import hashlib
import io
import itertools
import json
import os
import subprocess
import sys
import tempfile
import unittest
import warnings
from pathlib import Path

try:
    import numpy as np
    from PIL import Image
except ImportError as missing:
    print(f"SKIPPED: image_files_parity: {missing.name} is not installed")
    sys.exit(0)

from image_writers import bmp, bmp_rows, bmp_runs, chunk, lzw, png, tiff

PROGRAM = Path(sys.argv[1]).resolve()
SEED = int(os.environ.get("SHIFTNORM_SEED", "16"))  # other seeds by hand: other pictures, other damage
SIZES = ((1, 1), (2, 9), (13, 7), (24, 32), (37, 51))
warnings.simplefilter("ignore")


LARGE = "a size that only damage made, too large for a test"


def by_pillow(data):
    """What the program is to make of a file, or None where Pillow raises."""
    try:
        with Image.open(io.BytesIO(data)) as image:
            if image.size[0] * image.size[1] > 1 << 24:
                return LARGE
            image.load()
            if image.mode == "F":
                return np.asarray(image)[..., None].astype(np.float32)
            if image.mode.startswith("I;16") or (image.mode == "I" and image.format in ("PNG", "PPM")):
                return np.asarray(image).astype(np.uint16)[..., None]
            if image.mode == "I":
                return np.asarray(image)[..., None].astype(np.float32)
            if image.mode in ("1", "L", "LA"):
                return np.asarray(image.convert("L"))[..., None]
            return np.asarray(image.convert("RGB"))
    except Exception:
        return None


def saved(image, kind, **options):
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def picture(h, w, n, most, random):
    """Smooth with some noise, so that every compressor has both to do."""
    y, x, c = np.mgrid[0:h, 0:w, 0:n]
    wave = 0.5 + 0.4 * np.sin(x / 5 + c) * np.cos(y / 7 - c)
    return np.clip(np.rint(most * (wave + random.normal(0, 0.02, wave.shape))), 0, most).astype(np.int64)


def image_of(samples):
    return Image.fromarray(samples[..., 0].astype(np.uint8) if samples.shape[2] == 1 else samples.astype(np.uint8))


def pngs(random):
    for (h, w), interlaced in itertools.product(SIZES, (False, True)):
        tag = f"{h}x{w}{'-interlaced' if interlaced else ''}"
        for colour, n, depths in ((0, 1, (1, 2, 4, 8, 16)), (2, 3, (8, 16)), (3, 1, (1, 2, 4, 8)), (4, 2, (8, 16)), (6, 4, (8, 16))):
            for bits in depths:
                samples = picture(h, w, n, 2**bits - 1, random)
                palette = random.integers(0, 256, 3 << bits).astype(np.uint8).tobytes() if colour == 3 else b""
                before = [b"", chunk(b"gAMA", b"\0\0\x50\0"), chunk(b"tIME", b"\x07\xe0\1\1\0\0\0")][int(random.integers(0, 3))]
                data = png(samples, bits, colour, random, interlaced, palette, before, int(random.integers(1, 4)))
                wide = samples[..., :1 if colour in (0, 4) else 3].astype(np.uint16) if bits == 16 else None
                yield f"png-{colour}-{bits}bit-{tag}.png", data, wide
    rgb = picture(24, 32, 3, 255, random)
    yield "png-trns.png", saved(image_of(rgb), "png", transparency=(1, 2, 3)), None
    yield "png-palette-trns.png", saved(image_of(rgb).quantize(20), "png", transparency=3), None
    yield "png-icc.png", saved(image_of(rgb), "png", icc_profile=b"\0" * 3000), None
    yield "png-animated.png", saved(image_of(rgb), "png", save_all=True, append_images=[image_of(255 - rgb)]), None


def bmps(random):
    for h, w in SIZES:
        for bits, n in ((1, 1), (4, 1), (8, 1), (24, 3), (32, 4)):
            for dib, top in ((12, False), (40, False), (40, True), (64, False), (108, False), (124, True)):
                if dib == 12 and bits == 32:
                    continue
                samples = picture(h, w, n, min(255, 2**bits - 1), random)
                stored = samples if top else samples[::-1]
                colours = random.integers(0, 256, (1 << bits, 3)).astype(np.uint8) if bits <= 8 else np.zeros((0, 3), np.uint8)
                palette = (colours if dib == 12 else np.pad(colours, ((0, 0), (0, 1)))).tobytes()
                yield f"bmp-{bits}bit-dib{dib}{'-top' if top else ''}-{h}x{w}.bmp", bmp(bmp_rows(stored, bits), bits, w, h, dib, 0, palette, top_down=top), None
        for name, bits, dib, masks in (("555", 16, 40, None), ("565", 16, 40, (0xf800, 0x7e0, 0x1f)), ("555m", 16, 108, (0x7c00, 0x3e0, 0x1f, 0)),
                                       ("xbgr", 32, 40, (0xff000000, 0xff0000, 0xff00)), ("rgba", 32, 124, (0xff, 0xff00, 0xff0000, 0xff000000)),
                                       ("bgra", 32, 108, (0xff0000, 0xff00, 0xff, 0xff000000))):
            rows = random.integers(0, 256, (h, w * bits // 8)).astype(np.uint8)
            rows = np.pad(rows, ((0, 0), (0, -rows.shape[1] % 4))).tobytes()
            yield f"bmp-masks-{name}-{h}x{w}.bmp", bmp(rows, bits, w, h, dib, 3 if masks else 0, b"", b"".join(m.to_bytes(4, "little") for m in masks or ())), None
        for bits in (4, 8):
            index = picture(h, w, 1, 2**bits - 1, random)[..., 0]
            palette = np.pad(random.integers(0, 256, (1 << bits, 3)).astype(np.uint8), ((0, 0), (0, 1))).tobytes()
            yield f"bmp-rle{bits}-{h}x{w}.bmp", bmp(bmp_runs(index, bits == 4, random), bits, w, h, 40, 3 - bits // 4, palette), None
        grey = picture(h, w, 1, 255, random)
        yield f"bmp-grey-{h}x{w}.bmp", saved(image_of(grey), "bmp"), None
        yield f"bmp-bilevel-{h}x{w}.bmp", saved(image_of(grey).convert("1"), "bmp"), None
        few = np.array([[0, 0, 0, 0], [9, 8, 7, 0], [200, 100, 50, 0]], np.uint8).tobytes()
        yield f"bmp-few-{h}x{w}.bmp", bmp(bmp_rows(picture(h, w, 1, 2, random)[::-1], 8), 8, w, h, 40, 0, few, colours=3), None


def tiffs(random):
    kinds = [("bilevel", 1, 1, 1, {}), ("bilevel-white0", 1, 1, 0, {}), ("grey2", 2, 1, 1, {}), ("grey2-white0", 2, 1, 0, {}), ("grey4", 4, 1, 1, {}),
             ("grey4-white0", 4, 1, 0, {}), ("grey8", 8, 1, 1, {}), ("grey8-white0", 8, 1, 0, {}), ("grey16", 16, 1, 1, {}), ("grey-alpha", 8, 2, 1, {"extra": (2,)}),
             ("palette1", 1, 1, 3, {}), ("palette2", 2, 1, 3, {}), ("palette4", 4, 1, 3, {}), ("palette8", 8, 1, 3, {}), ("rgb8", 8, 3, 2, {}), ("rgb16", 16, 3, 2, {}),
             ("rgba8", 8, 4, 2, {"extra": (2,)}), ("rgbx8", 8, 4, 2, {"extra": (0,)}), ("rgb-premultiplied", 8, 4, 2, {"extra": (1,)}), ("rgb-no-extra", 8, 4, 2, {}),
             ("rgb-three-more", 8, 6, 2, {"extra": (2, 0, 0)}), ("cmyk", 8, 4, 5, {}), ("cmyk-more", 8, 5, 5, {"extra": (0,)})]
    layouts = [{}, {"strip": 5}, {"tile": (16, 16)}, {"tile": (32, 16), "order": ">"}, {"strip": 3, "big": True}, {"order": ">"}]
    for (name, bits, n, photometric, more), (i, layout), compression in itertools.product(kinds, enumerate(layouts), (1, 5, 8, 32773)):
        h, w = SIZES[int(random.integers(1, len(SIZES)))]
        samples = picture(h, w, n, 2**bits - 1, random)
        options = dict(more, **layout)
        if photometric == 3:
            options["colour_map"] = random.integers(0, 65536, 3 << bits).tolist()
        options["predictor"] = compression in (5, 8) and bits >= 8 and bool(random.integers(0, 2))
        wide = bits == 16 and n == 3
        # Planes: Pillow's own reading of uncompressed ones is right only for plain RGB.
        options["planes"] = n > 1 and bool(random.integers(0, 2)) and (compression != 1 or name == "rgb8") and name not in ("grey-alpha", "rgb-no-extra")
        if options["planes"] and compression != 1 and n > 4:
            options["planes"] = False
        if bits <= 8 and n in (1, 3) and compression != 1 and random.integers(0, 4) == 0:
            options["fill_order"] = 2
        data = tiff(samples, bits, photometric, compression=compression, **options)
        yield f"tiff-{name}-{i}-{compression}.tif", data, samples.astype(np.uint16) if wide else None
    for order, compression in itertools.product("<>", (1, 8)):
        samples = picture(13, 7, 1, 65535, random)
        yield f"tiff-grey16-white0-{ord(order)}-{compression}.tif", tiff(samples, 16, 0, order, compression), (65535 - samples).astype(np.uint16)
        real = random.normal(0, 50, (24, 32, 1)).astype(np.float32)
        yield f"tiff-float-{ord(order)}-{compression}.tif", tiff(real, 32, 1, order, compression, number=3), real
        yield f"tiff-float-tiled-{ord(order)}-{compression}.tif", tiff(real, 32, 0, order, compression, tile=(16, 16), number=3), real
        signed = random.integers(-32768, 32768, (13, 7, 1)).astype(np.int16)
        yield f"tiff-signed16-{ord(order)}-{compression}.tif", tiff(signed, 16, 1, order, compression, number=2), signed.astype(np.float32)
        large = random.integers(-2**24, 2**24, (13, 7, 1)).astype(np.int32)
        yield f"tiff-signed32-{ord(order)}-{compression}.tif", tiff(large, 32, 1, order, compression, number=2), large.astype(np.float32)
    for order, bits in itertools.product("<>", (16, 32)):  # the last strip has fewer rows
        samples = picture(37, 51, 1, 65535, random) if bits == 16 else random.normal(0, 50, (37, 51, 1)).astype(np.float32)
        more = {"number": 3} if bits == 32 else {"predictor": True}
        yield f"tiff-strips-{bits}-{ord(order)}.tif", tiff(samples, bits, 1, order, 8, strip=10, **more), samples.astype(np.uint16 if bits == 16 else np.float32)
    for orientation, compression in itertools.product(range(0, 10), (1, 5)):
        for n in (1, 3):
            yield f"tiff-turned-{orientation}-{compression}-{n}.tif", tiff(picture(13, 7, n, 255, random), 8, n // 2 + 1, compression=compression, orientation=orientation), None
    rgb = image_of(picture(37, 51, 3, 255, random))
    for mode, compression in (("1", "group3"), ("1", "group4"), ("1", "tiff_ccitt"), ("L", "jpeg"), ("RGB", "jpeg"), ("CMYK", "jpeg"), ("RGB", "zstd"), ("RGB", "webp"),
                              ("RGB", "packbits"), ("L", "tiff_lzw"), ("P", "tiff_lzw"), ("LA", "tiff_lzw"), ("RGBA", "tiff_adobe_deflate"), ("I;16", "tiff_lzw"), ("F", "tiff_lzw")):
        source = rgb.convert("L").convert(mode) if mode in ("F", "LA") else Image.fromarray(picture(37, 51, 1, 65535, random)[..., 0].astype(np.uint16)) if mode == "I;16" else \
            rgb.quantize(50) if mode == "P" else rgb.convert(mode)
        more = {"quality": 80} if compression == "jpeg" else {}
        yield f"tiff-pil-{mode.replace(';', '')}-{compression}.tif", saved(source, "tiff", compression=compression, **more), None
    for mode, predictor in (("F", 3), ("RGB", 2), ("I;16", 2)):
        source = rgb.convert("L").convert("F") if mode == "F" else rgb if mode == "RGB" else Image.fromarray(picture(37, 51, 1, 65535, random)[..., 0].astype(np.uint16))
        yield f"tiff-pil-predictor-{mode.replace(';', '')}.tif", saved(source, "tiff", compression="tiff_adobe_deflate", tiffinfo={317: predictor}), None
    for quality in (30, 95):
        yield f"tiff-ycbcr-jpeg-{quality}.tif", saved(rgb.convert("YCbCr"), "tiff", compression="jpeg", quality=quality), None
    yield "tiff-ycbcr-lzw.tif", saved(rgb.convert("YCbCr"), "tiff", compression="tiff_lzw"), None
    yield "tiff-pages.tif", saved(rgb, "tiff", save_all=True, append_images=[rgb.convert("L"), rgb.resize((5, 5))]), None


def text_of(samples, random, joined=False):
    words = [str(v) for v in samples.reshape(-1).tolist()]
    if joined:
        return "".join(words)
    return "".join(word + ("\n# note\n" if random.integers(0, 20) == 0 else " \n\t"[int(random.integers(0, 3))]) for word in words)


def pnms(random):
    for h, w in SIZES:
        for most in (255, 1, 100, 254, 256, 1000, 65535):
            for kind, n in ((2, 1), (5, 1), (3, 3), (6, 3)):
                samples = picture(h, w, n, most, random)
                head = f"P{kind}\n# a comment\n{w} {h}\n{most}\n".encode()
                body = text_of(samples, random).encode() if kind < 5 else samples.astype("u1" if most < 256 else ">u2").tobytes()
                yield f"pnm-P{kind}-{most}-{h}x{w}.{'pgm' if n == 1 else 'ppm'}", head + body, None
        bits = picture(h, w, 1, 1, random)
        yield f"pnm-P1-{h}x{w}.pbm", f"P1 {w} {h}\n".encode() + text_of(bits, random, joined=True).encode() + b"\n", None
        yield f"pnm-P4-{h}x{w}.pbm", f"P4\t{w}\r\n{h}\n".encode() + bmp_packed(bits), None


def bmp_packed(bits):
    return np.packbits(bits[..., 0].astype(np.uint8), axis=1).tobytes()


def webps(random):
    for h, w in SIZES:
        rgb, rgba = picture(h, w, 3, 255, random), picture(h, w, 4, 255, random)
        for i, options in enumerate(({"lossless": True}, {"quality": 30}, {"quality": 95, "method": 6})):
            yield f"webp-rgb-{i}-{h}x{w}.webp", saved(image_of(rgb), "webp", **options), None
            yield f"webp-rgba-{i}-{h}x{w}.webp", saved(image_of(rgba), "webp", **options), None
        if h > 1:
            frames = [image_of(rgba), image_of(255 - rgba)]
            yield f"webp-animated-{h}x{w}.webp", saved(frames[0], "webp", save_all=True, append_images=frames[1:], lossless=True), None
    yield "webp-metadata.webp", saved(image_of(picture(24, 32, 3, 255, random)), "webp", icc_profile=b"\0" * 300, exif=b"Exif\0\0" + b"\0" * 20), None


def jpegs(random):
    for (h, w), (i, options) in itertools.product(SIZES, enumerate(({}, {"quality": 30, "subsampling": 0}, {"progressive": True, "optimize": True}, {"quality": 95, "subsampling": 1}))):
        yield f"jpeg-rgb-{i}-{h}x{w}.jpg", saved(image_of(picture(h, w, 3, 255, random)), "jpeg", **options), None
        yield f"jpeg-grey-{i}-{h}x{w}.jpg", saved(image_of(picture(h, w, 1, 255, random)), "jpeg", **options), None
        yield f"jpeg-cmyk-{i}-{h}x{w}.jpg", saved(Image.fromarray(picture(h, w, 4, 255, random).astype(np.uint8), "CMYK"), "jpeg", **options), None


def refused(random):
    """Files of kinds that are named and not read."""
    rgb = image_of(picture(13, 7, 3, 255, random))
    yield "a.gif.png", saved(rgb, "gif"), "is a GIF"
    yield "b.jp2.jpg", saved(rgb, "jpeg2000"), "is a JPEG 2000 file"
    yield "c.12bit.tif", tiff(np.zeros((4, 6, 1), np.int64), 8, 1).replace(b"\x02\x01\x03\0\1\0\0\0\x08", b"\x02\x01\x03\0\1\0\0\0\x0c"), "12 bits"
    yield "d.lab.tif", saved(Image.new("LAB", (7, 5)), "tiff"), "CIE L*a*b*"
    yield "e.lzma.tif", saved(rgb, "tiff", compression="lzma"), "LZMA"
    yield "f.double.tif", tiff(np.zeros((4, 6, 1)), 64, 1, number=3), "real numbers of 64 bits"
    yield "g.nan.tif", tiff(np.full((4, 6, 1), np.nan, np.float32), 32, 1, number=3), "finite"
    yield "h.huge.tif", tiff(np.full((4, 6, 1), 2**24 + 1, np.int32), 32, 1, number=2), "integer"
    yield "i.index.png", png(np.full((3, 3, 1), 7), 8, 3, random, palette=bytes(15)), "colour 7; its palette has 5"
    yield "j.index.bmp", bmp(bmp_rows(np.full((3, 3, 1), 7), 8), 8, 3, 3, 40, 0, bytes([1, 2, 3, 0] * 5), colours=5), "colour 7; its palette has 5"
    yield "k.masks.bmp", bmp(bmp_rows(np.full((3, 3, 4), 7), 8), 32, 3, 3, 40, 3, b"", b"\xff\x03\0\0" b"\0\xfc\x0f\0" b"\0\0\xf0\x3f"), "masks"
    yield "l.jump.bmp", bmp(b"\0\2\1\0\1\5\0\1", 8, 3, 3, 40, 1, bytes(1024)), "runs"
    yield "m.letters.ppm", b"P2 2 1 9\n1 x", "number"
    yield "n.above.ppm", b"P5 2 1 9\n\1\12", "largest is 9"


def damaged(random):
    """Truncated at many places, and with single bytes changed."""
    wanted = ("png-0-8bit-24x32.", "png-3-4bit-13x7.", "png-6-8bit-13x7-interlaced", "png-2-8bit-24x32.", "bmp-8bit-dib40-13x7", "bmp-24bit-dib12-2x9", "bmp-masks-565-13x7", "bmp-rle8-24x32",
              "bmp-rle4-13x7", "tiff-rgb8-0-1.", "tiff-rgb8-1-5.", "tiff-rgb8-2-8.", "tiff-grey8-1-32773", "tiff-palette4-3-8.", "tiff-grey16-4-5.", "tiff-rgba8-5-8.", "tiff-float-60-8", "tiff-pil-RGB-jpeg",
              "tiff-pil-1-group4", "tiff-pil-1-group3", "tiff-turned-6-5-3", "tiff-pil-RGB-zstd", "pnm-P2-255-13x7", "pnm-P5-1000-13x7", "pnm-P6-255-13x7", "pnm-P4-13x7", "pnm-P1-13x7", "webp-rgb-0-13x7", "webp-rgb-1-13x7", "webp-rgba-1-24x32",
              "webp-animated-13x7", "jpeg-rgb-0-13x7", "jpeg-rgb-2-24x32", "jpeg-cmyk-1-13x7", "jpeg-grey-0-37x51")
    sources = {name: data for kind in KINDS for name, data, wide in kind(np.random.default_rng(SEED)) if name.startswith(wanted)}
    assert len(sources) == len(wanted), sorted(sources)
    for name, data in sources.items():
        stem, ending = name.rsplit(".", 1)
        for n in sorted(set(random.integers(0, len(data), 14).tolist() + [len(data) - 1, len(data) - 2, len(data) // 2])):
            yield f"{stem}-cut-{n}.{ending}", data[:n], data
        # Headers are small: half of the changes go there.
        places = random.integers(0, len(data), 30).tolist() + random.integers(0, min(len(data), 120), 15).tolist() + (random.integers(len(data) * 3 // 4, len(data), 15).tolist() if ending == "tif" else [])
        for at in sorted(set(places)):
            changed = bytearray(data)
            changed[at] ^= int(random.integers(1, 256))
            yield f"{stem}-changed-{at}.{ending}", bytes(changed), data


KINDS = (pngs, bmps, tiffs, pnms, webps, jpegs)


def found(folder):
    """What `inspect` says of each file, by name."""
    done = subprocess.run([PROGRAM, "inspect", folder, "--pixels", "--json", "--threads", "2"], capture_output=True, text=True)
    assert done.returncode in (0, 4), f"exit {done.returncode}\n{done.stderr}"
    # A decoder's own words have no place there.
    assert all(line.startswith(("warning: ", "note: ", "error: ", "shiftnorm: ", "inspect")) for line in done.stderr.splitlines()), done.stderr
    return {one["id"]: one for one in json.loads(done.stdout)["pixels"]}


def same(one, expected):
    if "bad" in one or expected is None:
        return False
    return one["shape"] == list(expected.shape) and one["dtype"] == expected.dtype.name and one["sha256_stored"] == hashlib.sha256(np.ascontiguousarray(expected).tobytes()).hexdigest()


class ImageFiles(unittest.TestCase):
    maxDiff = None

    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.at = Path(self.folder.name)
        self.random = np.random.default_rng(SEED)

    def tearDown(self):
        self.folder.cleanup()

    def test_every_kind_of_pixel_is_pillows(self):
        for kind in KINDS:
            expected = {}
            for name, data, wide in kind(np.random.default_rng(SEED)):
                (self.at / kind.__name__).mkdir(exist_ok=True)
                (self.at / kind.__name__ / name).write_bytes(data)
                pillow = by_pillow(data)
                expected[name] = pillow if wide is None else wide
                self.assertIsNotNone(expected[name], f"{name}: Pillow does not read it")
                if wide is not None and wide.shape[2] == 3 and pillow is not None and "planes" not in name and wide.dtype == np.uint16:
                    self.assertTrue(name.startswith("tiff") or (pillow == wide >> 8).all(), f"{name}: not even Pillow reads what was written")
            told = found(self.at / kind.__name__)
            wrong = {name: told.get(name) for name, values in expected.items() if not same(told.get(name, {"bad": "not listed"}), values)}
            print(f"{kind.__name__}: {len(expected)} files, {len(wrong)} differ")
            with self.subTest(kind.__name__):
                self.assertEqual(wrong, {})
                self.assertGreaterEqual(len(expected), 31)

    def test_other_kinds_are_refused_by_name(self):
        cases = {name: (data, words) for name, data, words in refused(self.random)}
        for name, (data, words) in cases.items():
            (self.at / name).write_bytes(data)
        told = found(self.at)
        for name, (data, words) in cases.items():
            with self.subTest(name):
                self.assertIn(words, told[name].get("bad", f"was read: {told[name]}"))

    def test_damage_is_bad_or_what_pillow_reads(self):
        cases = {name: (data, whole) for name, data, whole in damaged(self.random)}
        for name, (data, whole) in cases.items():
            (self.at / name).write_bytes(data)
        told = found(self.at)
        counts, wrong = {"bad": 0, "as Pillow": 0, "as before the damage": 0}, {}
        for name, (data, whole) in cases.items():
            one = told[name]
            if "bad" in one:
                counts["bad"] += 1
                continue
            pillow = by_pillow(data)
            if pillow is LARGE:
                continue
            if same(one, pillow):
                counts["as Pillow"] += 1
            elif pillow is None and same(one, by_pillow(whole)):
                counts["as before the damage"] += 1  # in what Pillow wants to be right although no pixel depends on it
            else:
                wrong[name] = one, "Pillow refuses it" if pillow is None else "Pillow reads others"
        print(f"damaged: {len(cases)} files, {counts}, {len(wrong)} wrong")
        self.assertEqual(wrong, {})
        self.assertGreater(counts["bad"], len(cases) // 3)
        self.assertGreater(counts["as Pillow"], len(cases) // 20)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
