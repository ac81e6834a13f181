"""Objects of every transfer syntax that we decode, made by a seed: photometric interpretations, planes, bits, fragments, tables
of offsets and the oddities that real archives have. Stored values (`inspect --pixels`) and what enters a network (`evaluate`
with an identity) against the arrays that they were made from, or, where encoding loses something, against Pillow and GDCM.
Encoders: Pillow, GDCM, and DCMTK's dcmcjpeg and dcmcjpls. Another seed: SHIFTNORM_DICOM_SEED; more objects: SHIFTNORM_DICOM_OBJECTS."""
import csv
import hashlib
import io
import json
import os
import random
import shutil
import subprocess
import sys

from support import ParityCase, main, np, read_safetensors, run

try:
    import gdcm
    import onnx
    import pydicom
    from onnx import TensorProto, helper, numpy_helper
    from PIL import Image
    from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
    from pydicom.encaps import generate_pixel_data_frame
    from pydicom.pixel_data_handlers.rle_handler import rle_encode_frame
    from pydicom.sequence import Sequence
except ImportError as missing:
    print(f"SKIPPED: dicom_pixels_parity: {missing.name} is not installed")
    sys.exit(0)
for tool in ("dcmcjpeg", "dcmcjpls"):
    if shutil.which(tool) is None:
        print(f"SKIPPED: dicom_pixels_parity: {tool} is not installed")
        sys.exit(0)

gdcm.Trace.WarningOff()
gdcm.Trace.ErrorOff()

SEED = int(os.environ.get("SHIFTNORM_DICOM_SEED", "16"))
OBJECTS = int(os.environ.get("SHIFTNORM_DICOM_OBJECTS", "160"))
ROWS, COLUMNS = 24, 40
ROOT = "1.2.840.10008.1.2"
IMPLICIT, EXPLICIT, BIG, DEFLATED, RLE = ROOT, f"{ROOT}.1", f"{ROOT}.2", f"{ROOT}.1.99", f"{ROOT}.5"
BASELINE, EXTENDED, LOSSLESS, LOSSLESS_1 = f"{ROOT}.4.50", f"{ROOT}.4.51", f"{ROOT}.4.57", f"{ROOT}.4.70"
JPEG_LS, J2K, J2K_LOSSY = f"{ROOT}.4.80", f"{ROOT}.4.90", f"{ROOT}.4.91"
NATIVE = (IMPLICIT, EXPLICIT, BIG, DEFLATED)
SECONDARY = "1.2.840.10008.5.1.4.1.1.7"
JFIF = b"\xff\xe0\x00\x10JFIF\0\x01\x01\0\0\x01\0\x01\0\0"


def adobe(transform):
    return b"\xff\xee\x00\x0eAdobe\x00\x64\x00\x00\x00\x00" + bytes([transform])


def without_applications(stream):
    at, out = 2, b"\xff\xd8"
    while True:
        length = int.from_bytes(stream[at + 2:at + 4], "big")
        if not 0xe0 <= stream[at + 1] <= 0xef:
            out += stream[at:at + 2 + length]
        if stream[at + 1] == 0xda:
            return out + stream[at + 2 + length:]
        at += 2 + length


def marked(stream, markers):
    return stream[:2] + markers + stream[2:]


def jpeg(image, **how):
    out = io.BytesIO()
    image.save(out, "JPEG", quality=92, **how)
    return out.getvalue()


def item(value):
    value += b"\0" * (len(value) % 2)
    return b"\xfe\xff\x00\xe0" + len(value).to_bytes(4, "little") + value


class Made:
    """An object, and what it should read as."""

    def __init__(self, rng, number):
        self.rng, self.number = rng, number
        self.d = self.empty(EXPLICIT)
        self.stored = None   # [frames, rows, columns, samples] as stored_sha256 takes them; None: lossy colour
        self.shown = None    # [frames, rows, columns, samples], modality values, or RGB in 0 .. 255
        self.tolerance = 0.0
        self.said = []       # parts of remarks that must be there

    def empty(self, syntax):
        meta = FileMetaDataset()
        meta.MediaStorageSOPClassUID, meta.TransferSyntaxUID, meta.ImplementationClassUID = SECONDARY, syntax, "1.2.3.4"
        meta.MediaStorageSOPInstanceUID = f"1.2.3.{SEED}.{self.number + 1}"
        d = FileDataset(None, {}, file_meta=meta, preamble=b"\0" * 128)
        d.SOPClassUID, d.SOPInstanceUID = SECONDARY, meta.MediaStorageSOPInstanceUID
        d.StudyInstanceUID = d.SeriesInstanceUID = "1.2.3.5"
        d.Modality, d.PatientID = "OT", f"phantom{self.number}"
        d.Rows, d.Columns = ROWS, COLUMNS
        d.is_little_endian, d.is_implicit_VR = syntax != BIG, syntax == IMPLICIT
        return d

    def set_syntax(self, syntax):
        self.syntax = self.d.file_meta.TransferSyntaxUID = syntax
        self.d.is_little_endian, self.d.is_implicit_VR = syntax != BIG, syntax == IMPLICIT

    def picture(self, least, most, samples=1):
        """Smooth, with noise, and both ends in it."""
        rng = np.random.default_rng(self.rng.randrange(1 << 30))
        y, x = np.mgrid[0:ROWS, 0:COLUMNS]
        planes = [np.sin(x / rng.uniform(5, 20) + rng.uniform(0, 6)) + np.cos(y / rng.uniform(4, 12)) + rng.normal(0, .05, x.shape)
                  for _ in range(samples)]
        a = np.stack(planes, -1)
        a = (a - a.min()) / (a.max() - a.min())
        return np.rint(least + a * (most - least)).astype(np.int64)

    def describe(self, photometric, samples, allocated, stored, signed=0, planar=None):
        d = self.d
        d.SamplesPerPixel, d.PhotometricInterpretation = samples, photometric
        d.BitsAllocated, d.BitsStored, d.HighBit, d.PixelRepresentation = allocated, stored, stored - 1, signed
        if samples > 1:
            d.PlanarConfiguration = planar or 0

    def put_native(self, cells, word):
        self.d.PixelData = cells.astype(cells.dtype.newbyteorder(">" if self.syntax == BIG else "<")).tobytes()
        if self.syntax == BIG and word and cells.dtype.itemsize == 1:
            b = np.frombuffer(self.d.PixelData, np.uint8)
            self.d.PixelData = b.reshape(-1, 2)[:, ::-1].tobytes()
        if len(self.d.PixelData) % 2:
            self.d.PixelData += b"\0"
        self.d["PixelData"].VR = "OW" if word else "OB"

    def encoded(self, frames, syntax):
        """One codestream a frame, by DCMTK or GDCM, from a clean object."""
        streams = []
        for frame in frames:
            self.scratch += 1
            plain, packed = self.folder / f"{self.scratch}.dcm", self.folder / f"{self.scratch}.packed"
            one = self.empty(EXPLICIT)
            for name in ("SamplesPerPixel", "PhotometricInterpretation", "BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation"):
                setattr(one, name, getattr(self.d, name))
            if one.SamplesPerPixel > 1:
                one.PlanarConfiguration = 0
            one.PixelData = frame.astype(("<i" if one.PixelRepresentation else "<u") + str(one.BitsAllocated // 8)).tobytes()
            one["PixelData"].VR = "OW"
            one.save_as(plain, write_like_original=False)
            tools = {EXTENDED: ["dcmcjpeg", "+ee", "+q", "95"], LOSSLESS: ["dcmcjpeg", "+el"], LOSSLESS_1: ["dcmcjpeg", "+e1"],
                     JPEG_LS: ["dcmcjpls", "+el"]}
            if syntax in tools:
                subprocess.run([*tools[syntax], plain, packed], check=True, capture_output=True)
            else:
                reader = gdcm.ImageReader()
                reader.SetFileName(str(plain))
                assert reader.Read()
                change = gdcm.ImageChangeTransferSyntax()
                change.SetTransferSyntax(gdcm.TransferSyntax(gdcm.TransferSyntax.JPEG2000Lossless))
                change.SetInput(reader.GetImage())
                assert change.Change()
                writer = gdcm.ImageWriter()
                writer.SetFileName(str(packed))
                writer.SetFile(reader.GetFile())
                writer.SetImage(change.GetOutput())
                assert writer.Write()
            read = pydicom.dcmread(packed)
            self.decoded.append(read)
            streams.append(next(generate_pixel_data_frame(read.PixelData)))
        return streams

    def put_frames(self, streams):
        """Fragments, tables, images too many."""
        rng, d = self.rng, self.d
        parts, starts, lengths, at = [], [], [], 0
        if rng.random() < .15:
            parts.append(b"")
            at += 8
        for stream in streams:
            starts.append(at)
            lengths.append(len(stream))
            stream += b"\0" * (len(stream) % 2)
            count = 1 if self.syntax == RLE else rng.choice([1, 1, 2, 3, 5])
            cuts = sorted(rng.sample(range(1, len(stream) // 2), count - 1))
            pieces = [stream[2 * a:2 * b] for a, b in zip([0, *cuts], [*cuts, len(stream) // 2])]
            if rng.random() < .15:
                pieces.append(b"")
            parts += pieces
            at += sum(8 + len(p) for p in pieces)
        if parts[0] == b"":
            starts[0] = 0
        kind, basic = rng.choice(["none", "none", "basic", "extended", "wrong", "short"]), b""
        if kind == "basic":
            basic = b"".join(s.to_bytes(4, "little") for s in starts)
        elif kind == "extended":
            d.add_new(0x7fe00001, "OV", b"".join(s.to_bytes(8, "little") for s in starts))
            d.add_new(0x7fe00002, "OV", b"".join(n.to_bytes(8, "little") for n in lengths))
        elif kind == "wrong":
            basic = b"".join((s + 6).to_bytes(4, "little") for s in starts)
        elif kind == "short":
            basic = (0).to_bytes(4, "little") * (len(streams) + 1)
        if kind in ("wrong", "short"):
            self.said.append("the table of frame offsets is wrong")
        if len(streams) > 1 and rng.random() < .2 and kind == "none" and self.syntax != RLE:
            # One image more than the header tells.
            self.stored, self.shown = (None if a is None else a[:-1] for a in (self.stored, self.shown))
            self.said.append(f"{len(streams)} images in the pixel data")
            streams = streams[:-1]
        d.PixelData = item(basic) + b"".join(map(item, parts))
        d["PixelData"].VR, d["PixelData"].is_undefined_length = "OB", True
        self.put_count(len(streams))

    def put_count(self, frames):
        if frames > 1 or self.rng.random() < .3:
            self.d.NumberOfFrames = frames

    def save(self, path):
        """With what real archives do to objects."""
        rng, d = self.rng, self.d
        behind, bare = b"", False
        odd = rng.choice(["", "", "zeros", "delimiter", "padding", "no preamble", "bare", "rows", "lut", "no class", "frames"])
        if odd == "zeros":
            behind, said = b"\0" * rng.choice([2, 200, 512]), "zeros after the data set"
        elif odd == "delimiter":
            behind, said = b"\xfe\xff\xdd\xe0\0\0\0\0", "a delimiter after the data set"
            if not d.is_little_endian:
                behind = b"\xff\xfe\xe0\xdd\0\0\0\0"
        elif odd == "padding" and self.syntax != DEFLATED:
            d.add_new(0xfffcfffc, "OB", b"\0" * 64)
        elif odd == "no class":
            del d.SOPClassUID
            said = "no SOP class"
        elif odd == "rows" and self.syntax != IMPLICIT:
            d[0x280010].VR = rng.choice(["UL", "SL", "SS"])
            d[0x280011].VR = rng.choice(["UL", "IS", "DS"])
        elif odd == "lut" and d.SamplesPerPixel == 1 and d.PhotometricInterpretation != "PALETTE COLOR":
            empty = Dataset()
            empty.add_new(0x283002, "US", None)
            empty.add_new(0x283006, "US", None)
            d.ModalityLUTSequence = Sequence(rng.choice([[], [Dataset()], [empty]]))
            if d.ModalityLUTSequence:
                self.said.append("a Modality LUT sequence without a table")
        if odd in ("zeros", "delimiter", "no class") and self.syntax != DEFLATED:
            self.said.append(said)
        elif odd in ("zeros", "delimiter"):
            behind = b"\0" * 512   # behind the deflated data
        elif odd == "no class":
            self.said.append(said)
        d.save_as(path, write_like_original=False)
        raw = path.read_bytes()
        if odd == "bare" and self.syntax in (IMPLICIT, EXPLICIT, BIG):
            bare = True
            raw = raw[raw.index(b"\x00\x08\x00\x16" if self.syntax == BIG else b"\x08\x00\x16\x00"):]
            self.said.append("no preamble and no meta header")
        elif odd == "no preamble":
            raw = raw[132:]
            self.said.append("no preamble")
        path.write_bytes(raw + behind)


# ---- grey


def grey(made):
    rng = made.rng
    syntax = rng.choice([*NATIVE, RLE, BASELINE, EXTENDED, LOSSLESS, LOSSLESS_1, JPEG_LS, J2K, J2K_LOSSY])
    made.set_syntax(syntax)
    stored = 8 if syntax in (BASELINE, J2K_LOSSY) else 12 if syntax == EXTENDED else rng.choice([8, 10, 12, 16])
    signed = rng.choice([0, 0, 1]) if syntax in (*NATIVE, RLE, J2K) and stored > 8 else 0
    photometric = rng.choice(["MONOCHROME2", "MONOCHROME2", "MONOCHROME1"])
    made.describe(photometric, 1, 8 if stored == 8 else 16, stored, signed)
    least, most = (-(1 << stored - 1), (1 << stored - 1) - 1) if signed else (0, (1 << stored) - 1)
    frames = np.stack([made.picture(least, most) for _ in range(rng.choice([1, 1, 2, 3]))])
    made.stored = frames
    if syntax in NATIVE:
        cells = frames & ((1 << stored) - 1)
        if stored < 16 and made.d.BitsAllocated == 16:
            # Left-aligned, and dirt in the bits that are not stored.
            shift = rng.choice([0, 16 - stored])
            made.d.HighBit = stored - 1 + shift
            dirt = np.random.default_rng(1).integers(0, 1 << 16, frames.shape) & ~(((1 << stored) - 1) << shift)
            cells = cells << shift | dirt * rng.choice([0, 1])
        made.put_native(cells.astype(np.uint8 if made.d.BitsAllocated == 8 else np.uint16), made.d.BitsAllocated == 16 or rng.random() < .5)
        made.put_count(len(frames))
    elif syntax == RLE:
        cell = np.dtype(("<i" if signed else "<u") + str(made.d.BitsAllocated // 8))
        streams = [rle_encode_frame(f[..., 0].astype(cell)) for f in frames]
        if stored < 16:
            made.stored = frames
        made.put_frames(streams)
    elif syntax == BASELINE:
        streams = [jpeg(Image.fromarray(f[..., 0].astype(np.uint8))) for f in frames]
        made.stored = np.stack([np.asarray(Image.open(io.BytesIO(s)))[..., None] for s in streams]).astype(np.int64)
        streams = [s[:-2] + rng.choice([b"", b"", b"\0" * 6, b"ab", b"\0" * 900]) + s[-2:] for s in streams]
        made.put_frames(streams)
    elif syntax == J2K_LOSSY:
        streams = []
        for f in frames:
            out = io.BytesIO()
            Image.fromarray(f[..., 0].astype(np.uint8)).save(out, "JPEG2000", irreversible=True, no_jp2=rng.random() < .5)
            streams.append(out.getvalue())
        made.stored = np.stack([np.asarray(Image.open(io.BytesIO(s)))[..., None] for s in streams]).astype(np.int64)
        made.put_frames(streams)
    else:
        streams = made.encoded(frames, syntax)
        if syntax == EXTENDED:
            made.stored = np.stack([gdcm_values(d) for d in made.decoded])
            # Scan headers that say Se = 0, which NEMA's 12-bit images have.
            if rng.random() < .5:
                streams = [se_zero(s) for s in streams]
        made.put_frames(streams)
    made.shown = made.stored.astype(np.float64)
    if rng.random() < .4:
        made.d.RescaleSlope, made.d.RescaleIntercept = "0.5", "-100"
        made.shown = made.shown * .5 - 100


def gdcm_values(d):
    from pydicom.pixel_data_handlers import gdcm_handler
    return gdcm_handler.get_pixeldata(d).reshape(ROWS, COLUMNS, 1).astype(np.int64)


def se_zero(stream):
    stream, at = bytearray(stream), stream.index(b"\xff\xda\x00\x08\x01")
    stream[at + 8] = 0
    return bytes(stream)


# ---- colour


def ycc(rgb):
    return np.asarray(Image.fromarray(rgb.astype(np.uint8)).convert("YCbCr")).astype(np.int64)


def rgb_of(ycbcr):
    """libjpeg's integers, which Pillow's convert rounds otherwise: PS3.3 C.7.6.3.1.2 within one grey level."""
    y, cb, cr = (ycbcr[..., i].astype(np.float64) for i in range(3))
    return np.stack([y + 1.402 * (cr - 128), y - .344136 * (cb - 128) - .714136 * (cr - 128), y + 1.772 * (cb - 128)], -1).round().clip(0, 255)


def colour(made):
    rng = made.rng
    kind = rng.choice(["native", "native", "422", "palette", "rle", "lossless", "jpeg-ls", "j2k", "baseline", "baseline", "baseline"])
    frames = np.stack([made.picture(0, 255, 3) for _ in range(rng.choice([1, 1, 2, 3]))])
    planar, photometric = rng.choice([0, 1]), rng.choice(["RGB", "YBR_FULL"])
    values = np.stack([ycc(f) for f in frames]) if photometric == "YBR_FULL" else frames
    made.stored, made.shown = values, rgb_of(values) if photometric == "YBR_FULL" else frames.astype(np.float64)
    made.tolerance = 1.0 if photometric == "YBR_FULL" else 0.0
    if kind in ("native", "422", "palette"):
        made.set_syntax(rng.choice(NATIVE))
    if kind == "native":
        made.describe(photometric, 3, 8, 8, 0, planar)
        cells = np.stack([np.moveaxis(v, -1, 0) for v in values]) if planar else values
        made.put_native(cells.astype(np.uint8), rng.random() < .5)
        made.put_count(len(frames))
    elif kind == "422":
        made.describe("YBR_FULL_422", 3, 8, 8)
        y = np.stack([ycc(f) for f in frames])
        y[:, :, 1::2, 1:] = y[:, :, ::2, 1:]
        made.stored, made.shown, made.tolerance = y, rgb_of(y), 1.0
        pairs = np.stack([y[:, :, ::2, 0], y[:, :, 1::2, 0], y[:, :, ::2, 1], y[:, :, ::2, 2]], -1)
        made.put_native(pairs.astype(np.uint8), rng.random() < .5)
        made.put_count(len(frames))
    elif kind == "palette":
        made.describe("PALETTE COLOR", 1, 8, 8)
        table = np.random.default_rng(3).integers(0, 256, (3, 256))
        for channel, name in zip(table, ("Red", "Green", "Blue")):
            setattr(made.d, f"{name}PaletteColorLookupTableDescriptor", [256, 0, 16])
            words = (channel * 257).astype(">u2" if made.syntax == BIG else "<u2")
            setattr(made.d, f"{name}PaletteColorLookupTableData", words.tobytes())
        made.stored = np.stack([made.picture(0, 255) for _ in frames])
        made.shown, made.tolerance = np.moveaxis(table[:, made.stored[..., 0]], 0, -1).astype(np.float64), 0.0
        made.put_native(made.stored.astype(np.uint8), rng.random() < .5)
        made.put_count(len(frames))
    elif kind == "rle":
        made.set_syntax(RLE)
        made.describe(photometric, 3, 8, 8, 0, planar)
        made.put_frames([rle_encode_frame(v.astype(np.uint8)) for v in values])
    elif kind in ("lossless", "jpeg-ls"):
        made.describe(photometric, 3, 8, 8)
        made.set_syntax(rng.choice([LOSSLESS, LOSSLESS_1]) if kind == "lossless" else JPEG_LS)
        streams = made.encoded(values, made.syntax)
        if kind == "lossless" and rng.random() < .5:
            streams = [marked(without_applications(s), JFIF) for s in streams]
            if photometric == "RGB":
                made.said.append("the header is believed")
        made.put_frames(streams)
    elif kind == "j2k":
        made.set_syntax(J2K)
        mct = rng.choice([0, 1])
        made.describe(rng.choice(["RGB", "YBR_RCT"]) if photometric == "RGB" else photometric, 3, 8, 8)
        streams = []
        for v in values:
            out = io.BytesIO()
            Image.fromarray(v.astype(np.uint8)).save(out, "JPEG2000", irreversible=False, mct=mct, no_jp2=rng.random() < .5)
            streams.append(out.getvalue())
        if mct and photometric == "YBR_FULL":
            made.said.append("a colour transform of their own")
        made.put_frames(streams)
    else:
        baseline(made, frames)


def baseline(made, frames):
    """Markers and header at odds: what libjpeg (Pillow) makes of the markers, or the header's word without any."""
    rng = made.rng
    header, markers = rng.choice(["RGB", "YBR_FULL", "YBR_FULL_422"]), rng.choice(["none", "jfif", "adobe0", "adobe1", "both"])
    in_rgb = {"none": header == "RGB", "adobe0": True}.get(markers, False)
    made.set_syntax(BASELINE)
    made.describe(header, 3, 8, 8)
    made.stored = None
    # Chroma at full size: what a decoder makes of less is its own.
    if in_rgb:
        streams = [jpeg(Image.merge("YCbCr", [Image.fromarray(f[..., c].astype(np.uint8)) for c in range(3)]), subsampling=0) for f in frames]
    else:
        streams = [jpeg(Image.fromarray(f.astype(np.uint8)), subsampling=0) for f in frames]
    plain = [without_applications(s) for s in streams]
    right = adobe(0) if in_rgb else JFIF
    made.shown = np.stack([np.asarray(Image.open(io.BytesIO(marked(s, right))).convert("RGB")) for s in plain]).astype(np.float64)
    made.tolerance = 1.0
    written = {"none": b"", "jfif": JFIF, "adobe0": adobe(0), "adobe1": adobe(1), "both": JFIF + adobe(rng.choice([0, 1]))}[markers]
    if in_rgb != (header == "RGB"):
        made.said.append("the data are believed")
    made.put_frames([marked(s, written) for s in plain])


def identity(path, channels):
    values = [numpy_helper.from_array(v.astype(np.float32), n)
              for n, v in (("w", np.ones(channels)), ("b", np.zeros(channels)), ("m", np.zeros(channels)), ("v", np.ones(channels)))]
    shape = ["N", channels, "H", "W"]
    graph = helper.make_graph([helper.make_node("BatchNormalization", ["x", "w", "b", "m", "v"], ["y"], epsilon=0.0)], "g",
                              [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
                              [helper.make_tensor_value_info("y", TensorProto.FLOAT, shape)], values)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)])
    model.ir_version = 8
    onnx.save(model, path)


class DicomPixels(ParityCase):
    def made(self, how, count, seed):
        folder = self.at / how.__name__
        folder.mkdir()
        (self.at / "scratch").mkdir(exist_ok=True)
        out = {}
        for i in range(count):
            made = Made(random.Random(seed * 1000 + i), i)
            made.folder, made.scratch, made.decoded = self.at / "scratch", i * 10 + (0 if how is grey else 100000), []
            how(made)
            made.save(folder / f"{i:03}")
            out[f"{i:03}"] = made
        return folder, out

    def compare(self, how, channels, steps, count, seed):
        folder, made = self.made(how, count, seed)
        identity(self.at / f"{channels}.onnx", channels)
        (self.at / f"{channels}.yaml").write_text(steps)
        document = json.loads(run("inspect", folder, "--pixels", "--json", "--identify", self.at / f"{channels}.csv", folder=self.at))
        run("evaluate", self.at / f"{channels}.onnx", "--data", folder, "--preprocess", self.at / f"{channels}.yaml", "--max-bad", "100%",
            "--outputs", self.at / f"{channels}.safetensors", folder=self.at)
        rows = csv.DictReader((self.at / f"{channels}.csv").read_text().splitlines())
        places = {row["id"].split(":")[0]: row["path"] for row in rows}
        raw = (self.at / f"{channels}.safetensors").read_bytes()
        ids = json.loads(raw[8:8 + int.from_bytes(raw[:8], "little")])["__metadata__"]["ids"]
        ids = json.loads(ids) if ids.startswith("[") else ids.split("\n")
        (outputs,) = read_safetensors(self.at / f"{channels}.safetensors").values()
        shown = {places[i.split(":")[0]]: o.transpose(1, 2, 0) for i, o in zip(ids, outputs)}
        found = {places[p["id"].split(":")[0]]: p for p in document["pixels"]}
        wrong = []
        for name, one in made.items():
            label = f"{how.__name__} {name} {one.syntax} {one.d.PhotometricInterpretation} {one.said}"
            got = found[name]
            if "sha256_stored" not in got or name not in shown:
                wrong.append(f"{label}: {got}")
                continue
            if one.stored is not None:
                cell = ("<i" if one.d.PixelRepresentation else "<u") + str(one.d.BitsAllocated // 8)
                if hashlib.sha256(one.stored.astype(cell).tobytes()).hexdigest() != got["sha256_stored"]:
                    wrong.append(f"{label}: other stored values")
            middle = one.shown[len(one.shown) // 2]
            scale = 255.0 if channels == 3 else 1.0
            # Float32 at the end of the chain, of values up to 65535: 1e-5 of the scale.
            worst = np.abs(shown[name] * scale - middle).max()
            if worst > one.tolerance + 1e-5 * max(1.0, np.abs(middle).max()):
                wrong.append(f"{label}: off by {worst}")
            for said in one.said:
                if not any(said in remark for remark in got["remarks"]):
                    wrong.append(f"{label}: not said in {got['remarks']}")
            if not one.said and got["remarks"]:
                expected = [r for r in got["remarks"] if not r.startswith("no transfer syntax is given")]
                if expected:
                    wrong.append(f"{label}: says {expected}")
        print(f"{how.__name__}: {count - len(wrong)} of {count} objects as they should be, seed {seed}")
        self.assertEqual(wrong, [], "\n" + "\n".join(wrong))

    def test_grey(self):
        self.compare(grey, 1, "- {voi: none}\n- {to_float: {}}\n", OBJECTS // 2, SEED)

    def test_colour(self):
        self.compare(colour, 3, "- {voi: bits}\n- {to_float: {}}\n", OBJECTS // 2, SEED + 1)


main()
