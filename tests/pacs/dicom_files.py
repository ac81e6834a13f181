"""Small DICOM files in five transfer syntaxes, written byte by byte, and what of them must survive a journey."""
import hashlib
import io
import struct

import numpy as np
from PIL import Image

IMPLICIT = "1.2.840.10008.1.2"
EXPLICIT = "1.2.840.10008.1.2.1"
RLE = "1.2.840.10008.1.2.5"
JPEG = "1.2.840.10008.1.2.4.50"
JPEG_2000 = "1.2.840.10008.1.2.4.90"
SYNTAXES = [IMPLICIT, EXPLICIT, RLE, JPEG, JPEG_2000]

LONG_FORM = {"OB", "OW", "SQ", "UN", "UT"}


def element(tag, vr, value, implicit=False):
    if isinstance(value, str):
        value = value.encode()
        if len(value) % 2:
            value += b"\0" if vr == "UI" else b" "
    elif isinstance(value, int):
        value = struct.pack("<H", value)
    head = struct.pack("<HH", tag >> 16, tag & 0xFFFF)
    if implicit:
        return head + struct.pack("<I", len(value)) + value
    if vr in LONG_FORM:
        return head + vr.encode() + struct.pack("<HI", 0, len(value)) + value
    return head + vr.encode() + struct.pack("<H", len(value)) + value


def packbits(row):
    """PS3.5 annex G, as literal runs only."""
    out = b""
    for at in range(0, len(row), 128):
        part = row[at:at + 128]
        out += bytes([len(part) - 1]) + part
    return out


def rle_frame(pixels):
    segment = b"".join(packbits(row.tobytes()) for row in pixels)
    segment += b"\0" * (len(segment) % 2)
    return struct.pack("<16I", 1, 64, *[0] * 14) + segment


def encapsulated(frame):
    frame += b"\0" * (len(frame) % 2)
    item = struct.pack("<HHI", 0xFFFE, 0xE000, 0)  # an empty offset table
    item += struct.pack("<HHI", 0xFFFE, 0xE000, len(frame)) + frame
    return (struct.pack("<HH", 0x7FE0, 0x0010) + b"OB" + struct.pack("<HI", 0, 0xFFFFFFFF) + item +
            struct.pack("<HHI", 0xFFFE, 0xE0DD, 0))


def pixel_element(pixels, syntax):
    if syntax in (IMPLICIT, EXPLICIT):
        return element(0x7FE00010, "OW", pixels.tobytes(), syntax == IMPLICIT)
    if syntax == RLE:
        return encapsulated(rle_frame(pixels))
    stream = io.BytesIO()
    if syntax == JPEG:
        Image.fromarray(pixels).save(stream, "JPEG", quality=90)
    else:
        Image.fromarray(pixels).save(stream, "JPEG2000", irreversible=False, no_jp2=True)
    frame = stream.getvalue()
    if syntax == JPEG_2000 and not frame.startswith(b"\xff\x4f"):  # an old Pillow writes the box format all the same
        frame = frame[frame.index(b"\xff\x4f\xff\x51"):]
    return encapsulated(frame)


def make_file(syntax, uids, values, rows=64, seed=0, sop_class="1.2.840.10008.5.1.4.1.1.7"):
    """A picture of noise on a ramp. `uids`: study, series, object. `values`: {(tag, VR): text}."""
    noise = np.random.default_rng(seed).integers(0, 32, (rows, 64))
    pixels = (noise + np.arange(64) * 3).astype(np.uint8)
    elements = {
        (0x00080016, "UI"): sop_class, (0x00080018, "UI"): uids[2], (0x0020000D, "UI"): uids[0],
        (0x0020000E, "UI"): uids[1], (0x00280002, "US"): 1, (0x00280004, "CS"): "MONOCHROME2",
        (0x00280010, "US"): rows, (0x00280011, "US"): 64, (0x00280100, "US"): 8, (0x00280101, "US"): 8,
        (0x00280102, "US"): 7, (0x00280103, "US"): 0, **values}
    dataset = b"".join(element(tag, vr, value, syntax == IMPLICIT) for (tag, vr), value in sorted(elements.items()))
    dataset += pixel_element(pixels, syntax)
    meta = element(0x00020001, "OB", b"\0\1")
    for number, uid in ((0x00020002, sop_class), (0x00020003, uids[2]), (0x00020010, syntax),
                        (0x00020012, "1.2.3.4")):
        meta += element(number, "UI", uid)
    return b"\0" * 128 + b"DICM" + element(0x00020000, "UL", struct.pack("<I", len(meta))) + meta + dataset


def parts(file):
    """(transfer syntax, hash of the data set, hash of its pixel element) of a file; its meta information is checked."""
    assert file[128:132] == b"DICM"
    length = struct.unpack("<I", file[140:144])[0]
    meta, dataset = file[144:144 + length], file[144 + length:]
    uids, at = {}, 0
    while at < len(meta):
        group, number = struct.unpack("<HH", meta[at:at + 4])
        vr = meta[at + 4:at + 6].decode()
        size = struct.unpack("<I", meta[at + 8:at + 12])[0] if vr in LONG_FORM else \
            struct.unpack("<H", meta[at + 6:at + 8])[0]
        at += 12 if vr in LONG_FORM else 8
        uids[group << 16 | number] = meta[at:at + size].rstrip(b"\0 ").decode("latin1")
        at += size
    assert at == len(meta)
    pixels = dataset[dataset.index(struct.pack("<HH", 0x7FE0, 0x0010)):]
    return {"syntax": uids[0x00020010], "class": uids[0x00020002], "uid": uids[0x00020003],
            "dataset": hashlib.sha256(dataset).hexdigest(), "pixels": hashlib.sha256(pixels).hexdigest()}
