#include "decode_tiff.hpp"

#include <fmt/format.h>
#include <tiffio.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstdarg>
#include <cstdio>
#include <cstring>
#include <memory>
#include <vector>

#include "image_header.hpp"
#include "shiftnorm/core/error.hpp"
#include "shiftnorm/core/text.hpp"
#include "tiff_deflate.hpp"
#include "tiff_directory.hpp"
#include "tiff_samples.hpp"

namespace shiftnorm::imaging {
namespace {

/// libtiff's first words about a file. They are kept here rather than printed; its C code is no place for exceptions.
struct Remarks {
  std::array<char, 160> first{};
  bool errors = false, any = false;

  static int note(Remarks& remarks, const char* module, const char* format, va_list arguments) {
    if (!remarks.any) {
      const int n = std::snprintf(remarks.first.data(), remarks.first.size(), "%s: ", module == nullptr ? "" : module);
      const auto used = std::min(static_cast<std::size_t>(std::max(n, 0)), remarks.first.size() - 1);
      std::vsnprintf(remarks.first.data() + used, remarks.first.size() - used, format, arguments);
    }
    remarks.any = true;
    return 1;  // nobody else needs to hear of it
  }
  static int error(TIFF*, void* user, const char* module, const char* format, va_list arguments) {
    auto& remarks = *static_cast<Remarks*>(user);
    if (!remarks.errors) remarks.any = false;  // an error says more than the warnings before it
    remarks.errors = true;
    return note(remarks, module, format, arguments);
  }
  static int warning(TIFF*, void* user, const char* module, const char* format, va_list arguments) {
    return note(*static_cast<Remarks*>(user), module, format, arguments);
  }
};

/// A file in memory for libtiff, which gets it as a mapping.
struct TiffSource {
  std::span<const std::byte> bytes;
  std::uint64_t at = 0;

  static TiffSource& of(thandle_t handle) { return *static_cast<TiffSource*>(handle); }
  static tmsize_t read(thandle_t handle, void* to, tmsize_t n) {
    TiffSource& self = of(handle);
    if (n <= 0 || self.at >= self.bytes.size()) return 0;
    const auto now = std::min(static_cast<std::size_t>(n), self.bytes.size() - static_cast<std::size_t>(self.at));
    std::memcpy(to, self.bytes.data() + self.at, now);
    self.at += now;
    return static_cast<tmsize_t>(now);
  }
  static tmsize_t write(thandle_t, void*, tmsize_t) { return 0; }
  static toff_t seek(thandle_t handle, toff_t to, int whence) {
    TiffSource& self = of(handle);
    self.at = whence == SEEK_SET ? to : whence == SEEK_CUR ? self.at + to : self.bytes.size() + to;
    return self.at;
  }
  static int close(thandle_t) { return 0; }
  static toff_t size(thandle_t handle) { return of(handle).bytes.size(); }
  static int map(thandle_t handle, void** base, toff_t* size) {
    // A file opened for reading is not written to.
    *base = const_cast<std::byte*>(of(handle).bytes.data());
    *size = of(handle).bytes.size();
    return 1;
  }
  static void unmap(thandle_t, void*, toff_t) {}
};

/// One reading of libtiff's.
class TiffReading {
 public:
  TiffReading(std::span<const std::byte> file, const TiffDirectory& directory) : source_{file}, directory_(directory) {
    const std::unique_ptr<TIFFOpenOptions, decltype(&TIFFOpenOptionsFree)> options(TIFFOpenOptionsAlloc(),
                                                                                   TIFFOpenOptionsFree);
    if (options == nullptr) throw MachineError("out of memory reading a TIFF");
    TIFFOpenOptionsSetMaxSingleMemAlloc(options.get(), kMaxPixels * 8);
    TIFFOpenOptionsSetErrorHandlerExtR(options.get(), Remarks::error, &remarks_);
    TIFFOpenOptionsSetWarningHandlerExtR(options.get(), Remarks::warning, &remarks_);
    // c: strips stay as the file has them.
    tiff_.reset(TIFFClientOpenExt("TIFF", "rc", &source_, TiffSource::read, TiffSource::write, TiffSource::seek,
                                  TiffSource::close, TiffSource::size, TiffSource::map, TiffSource::unmap,
                                  options.get()));
    if (tiff_ == nullptr) fail();
    check_agreement();
    remarks_ = {};                                  // unknown tags and their like: what counts was read alike
    set(TIFFTAG_ORIENTATION, ORIENTATION_TOPLEFT);  // turned upright afterwards
    if (directory.compression == COMPRESSION_JPEG && directory.colour == TiffColour::ycbcr && !directory.planes_apart)
      set(TIFFTAG_JPEGCOLORMODE, JPEGCOLORMODE_RGB);
  }

  /// Bytes of a row of a strip or tile, of one plane where planes lie apart.
  [[nodiscard]] std::size_t row_bytes() {
    return size(directory_.tiled ? TIFFTileRowSize64(tiff_.get()) : TIFFScanlineSize64(tiff_.get()));
  }
  /// The strip or tile of that number, with so many rows.
  void read_block(std::int64_t number, std::span<std::byte> to) {
    const auto n = static_cast<tmsize_t>(to.size());
    const auto block = static_cast<std::uint32_t>(number);
    const tmsize_t got = directory_.tiled ? TIFFReadEncodedTile(tiff_.get(), block, to.data(), n)
                                          : TIFFReadEncodedStrip(tiff_.get(), block, to.data(), n);
    // What it warns of while it decodes are codes that do not fit and rows that it filled up.
    if (got != n || remarks_.any) fail();
    const bool deflated =
        directory_.compression == COMPRESSION_ADOBE_DEFLATE || directory_.compression == COMPRESSION_DEFLATE;
    if (deflated && !deflate_checks(directory_.blocks[block], to, deflate_rows(),
                                    row_bytes() * static_cast<std::size_t>(directory_.block_height)))
      throw FormatError("TIFF data cannot be decoded (deflate: the checksum of a strip or tile is wrong)");
  }
  /// The whole picture in 8-bit colours, a pixel in each number.
  void read_colours(std::span<std::uint32_t> to) {
    const int whole =
        TIFFReadRGBAImageOriented(tiff_.get(), static_cast<std::uint32_t>(directory_.width),
                                  static_cast<std::uint32_t>(directory_.height), to.data(), ORIENTATION_TOPLEFT, 1);
    if (whole == 0 || remarks_.any) fail();
  }

 private:
  struct Close {
    void operator()(TIFF* tiff) const { TIFFClose(tiff); }
  };

  [[noreturn]] void fail() const {
    throw FormatError(fmt::format("TIFF data cannot be decoded{}",
                                  remarks_.any ? fmt::format(" ({})", printable(remarks_.first.data())) : ""));
  }
  void set(std::uint32_t tag, int value) {
    if (TIFFSetField(tiff_.get(), tag, value) == 0) fail();
  }
  template <class T>
  [[nodiscard]] T get(std::uint32_t tag, T absent) const {
    T value{};
    return TIFFGetFieldDefaulted(tiff_.get(), tag, &value) == 1 ? value : absent;
  }
  static std::size_t size(std::uint64_t bytes) {
    if (bytes == 0 || bytes > static_cast<std::uint64_t>(kMaxPixels) * 8)
      throw FormatError(fmt::format("TIFF rows have {} bytes", bytes));
    return static_cast<std::size_t>(bytes);
  }
  [[nodiscard]] DeflateRows deflate_rows() {
    return {.row_bytes = row_bytes(),
            .sample_bytes = static_cast<std::size_t>(directory_.bits + 7) / 8,
            .stride = static_cast<std::size_t>(directory_.planes_apart ? 1 : directory_.samples),
            .predictor = get<std::uint16_t>(TIFFTAG_PREDICTOR, 1),
            .swapped = directory_.big_endian != (std::endian::native == std::endian::big),
            .reversed = directory_.bits_reversed};
  }
  /// libtiff mends directories as it sees fit: what decides on the pixels must have been read alike.
  void check_agreement() const {
    const TiffDirectory& d = directory_;
    const std::uint16_t planes = get<std::uint16_t>(TIFFTAG_PLANARCONFIG, 1);
    const bool same = get<std::uint32_t>(TIFFTAG_IMAGEWIDTH, 0) == d.width &&
                      get<std::uint32_t>(TIFFTAG_IMAGELENGTH, 0) == d.height &&
                      get<std::uint16_t>(TIFFTAG_BITSPERSAMPLE, 1) == d.bits &&
                      get<std::uint16_t>(TIFFTAG_SAMPLESPERPIXEL, 1) == d.samples &&
                      get<std::uint16_t>(TIFFTAG_COMPRESSION, 1) == d.compression &&
                      get<std::uint16_t>(TIFFTAG_PHOTOMETRIC, 0) == d.photometric &&
                      (d.samples == 1 || (planes == PLANARCONFIG_SEPARATE) == d.planes_apart) &&
                      (TIFFIsTiled(tiff_.get()) != 0) == d.tiled;
    if (!same) throw FormatError("TIFF directory can be read in two ways: its tags contradict each other");
  }

  TiffSource source_;
  const TiffDirectory& directory_;
  Remarks remarks_;
  std::unique_ptr<TIFF, Close> tiff_;
};

/// Where pixel (y, x) of the upright image lies in the stored one of h x w, for TIFF's orientation 1..8.
struct Upright {
  bool transposed, flip_rows, flip_columns;  ///< of the stored image
};
constexpr std::array<Upright, 8> kUpright{{{false, false, false},
                                           {false, false, true},
                                           {false, true, true},
                                           {false, true, false},
                                           {true, false, false},
                                           {true, true, false},
                                           {true, true, true},
                                           {true, false, true}}};

template <class T>
std::vector<T> turned(const std::vector<T>& values, const Image& stored, const Image& out, const Upright& how) {
  std::vector<T> to(values.size());
  if (values.empty()) return to;  // the image's values are of the other type
  std::size_t at = 0;
  for (std::int64_t y = 0; y < out.height; ++y) {
    for (std::int64_t x = 0; x < out.width; ++x) {
      std::int64_t row = how.transposed ? x : y, column = how.transposed ? y : x;
      if (how.flip_rows) row = stored.height - 1 - row;
      if (how.flip_columns) column = stored.width - 1 - column;
      const auto from = static_cast<std::size_t>((row * stored.width + column) * stored.channels);
      for (std::int64_t c = 0; c < out.channels; ++c) to[at++] = values[from + static_cast<std::size_t>(c)];
    }
  }
  return to;
}

Image turn_upright(Image stored, int orientation) {
  const Upright how = kUpright.at(static_cast<std::size_t>(orientation - 1));
  if (orientation == 1) return stored;
  Image out{.height = how.transposed ? stored.width : stored.height,
            .width = how.transposed ? stored.height : stored.width,
            .channels = stored.channels,
            .bits = stored.bits};
  out.pixels = turned(stored.pixels, stored, out, how);
  out.reals = turned(stored.reals, stored, out, how);
  return out;
}

/// libtiff's own way to RGB: for YCbCr that no JPEG decoder turns, as PIL has it.
Image read_ycbcr(TiffReading& reading, const TiffDirectory& directory) {
  Image image{.height = directory.height, .width = directory.width, .channels = 3};
  std::vector<std::uint32_t> colours(static_cast<std::size_t>(image.height * image.width));
  reading.read_colours(colours);
  image.pixels.reserve(image.values());
  for (const std::uint32_t c : colours)
    for (const std::uint32_t v : {TIFFGetR(c), TIFFGetG(c), TIFFGetB(c)})
      image.pixels.push_back(static_cast<std::uint16_t>(v));
  return image;
}

/// Strip by strip or tile by tile.
Image read_samples(TiffReading& reading, const TiffDirectory& directory) {
  TiffSamples samples(directory);
  const std::int64_t h = directory.block_height, w = directory.block_width;
  const std::size_t row_bytes = reading.row_bytes();
  std::vector<std::byte> block(row_bytes * static_cast<std::size_t>(h));
  std::int64_t number = 0;
  for (std::int64_t plane = 0; plane < (directory.planes_apart ? directory.samples : 1); ++plane) {
    for (std::int64_t y = 0; y < directory.height; y += h) {
      for (std::int64_t x = 0; x < directory.width; x += w, ++number) {
        if (plane >= samples.kept()) continue;  // alpha
        const std::int64_t rows = std::min(h, directory.height - y);
        const std::int64_t stored_rows = directory.tiled ? h : rows;
        reading.read_block(number, std::span(block).first(row_bytes * static_cast<std::size_t>(stored_rows)));
        for (std::int64_t row = 0; row < rows; ++row)
          samples.take_row(
              std::span<const std::byte>(block).subspan(static_cast<std::size_t>(row) * row_bytes, row_bytes), y + row,
              x, std::min(w, directory.width - x), plane);
      }
    }
  }
  return std::move(samples).image();
}

}  // namespace

Image decode_tiff(std::span<const std::byte> file) {
  const TiffDirectory directory = read_tiff_directory(file);
  TiffReading reading(file, directory);
  const bool by_jpeg = directory.compression == COMPRESSION_JPEG && !directory.planes_apart;
  Image image = directory.colour == TiffColour::ycbcr && !by_jpeg ? read_ycbcr(reading, directory)
                                                                  : read_samples(reading, directory);
  return turn_upright(std::move(image), directory.orientation);
}

}  // namespace shiftnorm::imaging
