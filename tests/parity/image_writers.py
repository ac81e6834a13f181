"""Image files of forms that no library at hand writes, byte by byte: for image_files_parity.py. Samples are arrays of rows, columns and samples."""
import struct
import zlib

import numpy as np


def packed(samples, bits):
    """Rows of values of 1, 2, 4 or 8 bits, the first in the highest bits, each row in whole bytes; 16 bits big-endian."""
    h = samples.shape[0]
    flat = samples.reshape(h, -1)
    if bits == 16:
        return flat.astype(">u2").view(np.uint8).reshape(h, -1)
    if bits == 8:
        return flat.astype(np.uint8)
    planes = (flat[..., None] >> np.arange(bits - 1, -1, -1)) & 1
    return np.packbits(planes.reshape(h, -1).astype(np.uint8), axis=1)


# ---- PNG


def chunk(name, data):
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def filtered(rows, step, kinds):
    """Each row behind its filter (ISO/IEC 15948, 9.2); kinds: an iterator of 0 to 4."""
    out, above = bytearray(), np.zeros(rows.shape[1], np.int64)
    for row in rows.astype(np.int64):
        left, corner = np.zeros_like(row), np.zeros_like(row)
        left[step:], corner[step:] = row[:-step], above[:-step]
        p = left + above - corner
        d = np.abs(np.stack([p - left, p - above, p - corner]))
        paeth = np.where((d[0] <= d[1]) & (d[0] <= d[2]), left, np.where(d[1] <= d[2], above, corner))
        kind = next(kinds)
        out.append(kind)
        out += ((row - [0 * row, left, above, (left + above) // 2, paeth][kind]) % 256).astype(np.uint8).tobytes()
        above = row
    return bytes(out)


ADAM7 = ((0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1))


def png(samples, bits, colour, random, interlaced=False, palette=b"", before=b"", pieces=1):
    h, w, n = samples.shape
    kinds = iter(lambda: int(random.integers(0, 5)), None)
    step = max(1, n * bits // 8)
    parts = [samples[y::dy, x::dx] for y, x, dy, dx in ADAM7] if interlaced else [samples]
    data = zlib.compress(b"".join(filtered(packed(p, bits), step, kinds) for p in parts if p.size))
    cuts = np.linspace(0, len(data), pieces + 1).astype(int)
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", w, h, bits, colour, 0, 0, int(interlaced))) + before
            + (chunk(b"PLTE", palette) if palette else b"") + b"".join(chunk(b"IDAT", data[a:b]) for a, b in zip(cuts, cuts[1:])) + chunk(b"IEND", b""))


# ---- BMP


def bmp(rows, bits, width, height, dib=40, compression=0, palette=b"", masks=b"", top_down=False, colours=0):
    """rows: the stored pixels, already in the file's order."""
    if dib == 12:
        head = struct.pack("<IHHHH", 12, width, height, 1, bits)
    else:
        head = struct.pack("<IiiHHIIiiII", dib, width, -height if top_down else height, 1, bits, compression, len(rows), 2835, 2835, colours, 0)
        head += (masks if dib > 40 else b"").ljust(dib - 40, b"\0")
        head += masks if dib == 40 else b""
    at = 14 + len(head) + len(palette)
    return b"BM" + struct.pack("<IHHI", at + len(rows), 0, 0, at) + head + palette + rows


def bmp_rows(samples, bits):
    rows = packed(samples, bits)
    return np.pad(rows, ((0, 0), (0, -rows.shape[1] % 4))).tobytes()


def bmp_runs(indices, half, random):
    """RLE8, or RLE4 where `half`: runs, literals and the ends of rows by chance. No literals of odd length in RLE4: PIL misreads them."""
    out = bytearray()
    for row in indices[::-1]:
        x = 0
        while x < len(row):
            n = min(int(random.integers(1, 12)), len(row) - x)
            part = row[x:x + n]
            if len(set(part.tolist())) > 1 and n >= 4 and not (half and n % 2):
                data = bytes((int(a) << 4) | int(b) for a, b in zip(part[::2], part[1::2])) if half else part.astype(np.uint8).tobytes()
                out += bytes([0, n]) + data + b"\0" * (len(data) % 2)
                x += n
                continue
            n = 1
            while x + n < len(row) and n < 255 and row[x + n] == row[x]:
                n += 1
            out += bytes([n, int(row[x]) * 17 if half else int(row[x])])
            x += n
        out += b"\0\0"
    return bytes(out) + b"\0\1"


# ---- TIFF


def pack_bits(data):
    out = bytearray()
    for at in range(0, len(data), 128):
        part = data[at:at + 128]
        out += bytes([len(part) - 1]) + part
    return bytes(out)


def lzw(data):
    """Codes of single bytes, cleared before they grow: valid, if large."""
    bits = []
    for at in range(0, len(data), 200):
        bits += [256] + list(data[at:at + 200])
    codes = np.array(bits + [257])
    return np.packbits(((codes[:, None] >> np.arange(8, -1, -1)) & 1).reshape(-1).astype(np.uint8)).tobytes()


COMPRESSORS = {1: bytes, 5: lzw, 8: zlib.compress, 32946: zlib.compress, 32773: pack_bits}
FORMATS = {3: "H", 4: "I", 16: "Q"}


def tiff(samples, bits, photometric, order="<", compression=1, planes=False, tile=None, strip=None, big=False, predictor=False, extra=(), colour_map=None,
         number=None, orientation=None, fill_order=None, per_sample_bits=True):
    """number: SampleFormat. samples: whole numbers, or floats of 32 bits."""
    h, w, n = samples.shape
    dtype = samples.dtype.newbyteorder(order) if number in (2, 3) or bits == 32 else None

    def encoded(block):
        block = block.reshape(block.shape[0], block.shape[1], -1)
        if predictor:  # 2: differences to the left neighbour of the same sample
            block = block.copy()
            block[:, 1:] = block[:, 1:] - block[:, :-1]
        if dtype is not None:
            data = np.ascontiguousarray(block.astype(dtype)).tobytes()
        elif bits == 16:
            data = np.ascontiguousarray(block.astype(order + "u2")).tobytes()
        else:
            data = packed(block % 256, bits).tobytes()
        data = COMPRESSORS[compression](data)
        if fill_order == 2:
            data = bytes(int(f"{b:08b}"[::-1], 2) for b in data)
        return data

    blocks = []
    for layer in ([samples[..., i:i + 1] for i in range(n)] if planes else [samples]):
        if tile:
            th, tw = tile
            full = np.zeros((-(-h // th) * th, -(-w // tw) * tw, layer.shape[2]), layer.dtype)
            full[:h, :w] = layer
            blocks += [encoded(full[y:y + th, x:x + tw]) for y in range(0, h, th) for x in range(0, w, tw)]
        else:
            rows = strip or h
            blocks += [encoded(layer[y:y + rows]) for y in range(0, h, rows)]
    at, offsets = 16 if big else 8, []
    body = b""
    for block in blocks:
        offsets.append(at + len(body))
        body += block + b"\0" * (len(block) % 2)
    where = 16 if big else 4
    entries = [(256, 4, [w]), (257, 4, [h]), (258, 3, [bits] * (n if per_sample_bits else 1)), (259, 3, [compression]), (262, 3, [photometric]), (277, 3, [n])]
    entries += [(322, 4, [tile[1]]), (323, 4, [tile[0]]), (324, where, offsets), (325, 4, [len(b) for b in blocks])] if tile else \
        [(273, where, offsets), (278, 4, [strip or h]), (279, 4, [len(b) for b in blocks])]
    entries += [(266, 3, [fill_order])] if fill_order else []
    entries += [(274, 3, [orientation])] if orientation else []
    entries += [(284, 3, [2])] if planes else []
    entries += [(317, 3, [2])] if predictor else []
    entries += [(320, 3, colour_map)] if colour_map is not None else []
    entries += [(338, 3, list(extra))] if extra else []
    entries += [(339, 3, [number] * n)] if number else []
    base = at + len(body)
    tags, tail = b"", b""
    size = 20 if big else 12
    data_at = base + (8 if big else 2) + size * len(entries) + (8 if big else 4)
    inline = 8 if big else 4
    for tag, kind, values in sorted(entries):
        raw = struct.pack(order + FORMATS[kind] * len(values), *values)
        if len(raw) > inline:
            place = struct.pack(order + ("Q" if big else "I"), data_at + len(tail))
            tail += raw + b"\0" * (len(raw) % 2)
        else:
            place = raw.ljust(inline, b"\0")
        tags += struct.pack(order + ("HHQ" if big else "HHI"), tag, kind, len(values)) + place
    mark = b"II" if order == "<" else b"MM"
    head = mark + (struct.pack(order + "HHHQ", 43, 8, 0, base) if big else struct.pack(order + "HI", 42, base))
    return head + body + struct.pack(order + ("Q" if big else "H"), len(entries)) + tags + struct.pack(order + ("Q" if big else "I"), 0) + tail
