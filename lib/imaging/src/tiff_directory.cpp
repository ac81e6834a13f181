#include "tiff_directory.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>
#include <string>
#include <string_view>

#include "image_header.hpp"
#include "shiftnorm/core/error.hpp"

namespace shiftnorm::imaging {
namespace {

namespace tag {
constexpr std::uint16_t kWidth = 256, kHeight = 257, kBits = 258, kCompression = 259, kPhotometric = 262,
                        kFillOrder = 266, kStripOffsets = 273, kOrientation = 274, kSamples = 277, kRowsPerStrip = 278,
                        kStripBytes = 279, kPlanes = 284, kColourMap = 320, kTileWidth = 322, kTileHeight = 323,
                        kTileOffsets = 324, kTileBytes = 325, kExtraSamples = 338, kNumber = 339;
}

struct Entry {
  std::uint64_t type = 0, count = 0, values_at = 0;
};

/// The entries of the first directory.
class Entries {
 public:
  explicit Entries(std::span<const std::byte> bytes)
      : file_(bytes, Codec::tiff, std::to_integer<char>(bytes[0]) == 'M'), big_(file_.u16(2) == 43) {
    const std::uint64_t at = big_ ? file_.read(8, 8) : file_.u32(4);
    n_ = file_.read(at, big_ ? 8 : 2);
    first_ = at + (big_ ? 8 : 2);
    if (n_ > file_.size() / entry_bytes()) truncated(Codec::tiff, "its directory ends early");
  }

  [[nodiscard]] const Fields& file() const { return file_; }

  [[nodiscard]] std::optional<Entry> find(std::uint16_t id) const {
    std::optional<Entry> found;
    for (std::uint64_t i = 0; i < n_; ++i) {
      const std::uint64_t at = first_ + i * entry_bytes();
      if (file_.u16(at) != id) continue;
      if (found) throw FormatError(fmt::format("TIFF has tag {} twice", id));
      found = entry_at(at, id);
    }
    return found;
  }
  [[nodiscard]] std::uint64_t value(const Entry& entry, std::uint64_t i) const {
    return file_.read(entry.values_at + i * bytes_of(entry), bytes_of(entry));
  }
  [[nodiscard]] std::uint64_t first(std::uint16_t id, std::uint64_t absent) const {
    const std::optional<Entry> entry = find(id);
    return entry && entry->count > 0 ? value(*entry, 0) : absent;
  }
  [[nodiscard]] std::vector<std::uint64_t> all(std::uint16_t id) const {
    std::vector<std::uint64_t> values;
    if (const std::optional<Entry> entry = find(id))
      for (std::uint64_t i = 0; i < entry->count; ++i) values.push_back(value(*entry, i));
    return values;
  }

 private:
  [[nodiscard]] std::uint64_t entry_bytes() const { return big_ ? 20 : 12; }
  [[nodiscard]] Entry entry_at(std::uint64_t at, std::uint16_t id) const {
    Entry entry{
        .type = file_.u16(at + 2), .count = file_.read(at + 4, big_ ? 8 : 4), .values_at = at + (big_ ? 12 : 8)};
    const std::uint64_t inline_bytes = big_ ? 8 : 4;
    if (entry.count > inline_bytes / bytes_of(entry)) entry.values_at = file_.read(entry.values_at, big_ ? 8 : 4);
    if (entry.count > file_.size() / bytes_of(entry)) truncated(Codec::tiff, fmt::format("its tag {} ends early", id));
    return entry;
  }
  static std::size_t bytes_of(const Entry& entry) {
    constexpr std::uint64_t kByte = 1, kShort = 3, kLong = 4, kLong8 = 16;
    switch (entry.type) {
      case kByte: return 1;
      case kShort: return 2;
      case kLong: return 4;
      case kLong8: return 8;
      default: throw FormatError(fmt::format("TIFF tag has type {}; expected an unsigned integer", entry.type));
    }
  }

  Fields file_;
  bool big_;
  std::uint64_t first_ = 0, n_ = 0;
};

struct Named {
  std::uint64_t number;
  std::string_view name;
};
/// `most`: bytes that one stored byte can become; 0: not bounded by the codes alone.
struct Compression {
  std::uint64_t number;
  std::string_view name;
  std::uint64_t most;
};
constexpr std::array kCompressions{
    Compression{1, "none", 1},          Compression{2, "CCITT RLE", 0},     Compression{3, "CCITT group 3", 0},
    Compression{4, "CCITT group 4", 0}, Compression{5, "LZW", 4096},        Compression{7, "JPEG", 0},
    Compression{8, "deflate", 1032},    Compression{32773, "PackBits", 64}, Compression{32946, "old deflate", 1032},
    Compression{50000, "ZSTD", 0},      Compression{50001, "WebP", 0}};
/// Read by libtiff too, and refused: seldom met, and their decoders are little tried against hostile files.
constexpr std::array kOtherCompressions{
    Named{6, "old-style JPEG"}, Named{32809, "ThunderScan"}, Named{32909, "PixarLog"},
    Named{34661, "JBIG"},       Named{34676, "SGI LogL"},    Named{34677, "SGI LogLuv"},
    Named{34712, "JPEG 2000"},  Named{34887, "LERC"},        Named{34925, "LZMA"}};
constexpr std::array kOtherPhotometrics{
    Named{4, "a transparency mask"},       Named{8, "CIE L*a*b*"}, Named{9, "ICC L*a*b*"}, Named{10, "ITU L*a*b*"},
    Named{32803, "a colour filter array"}, Named{32844, "LogL"},   Named{32845, "LogLuv"}, Named{34892, "linear raw"}};

std::string name_in(std::span<const Named> list, std::uint64_t number) {
  const auto found = std::ranges::find(list, number, &Named::number);
  return found == list.end() ? std::string() : fmt::format(" ({})", found->name);
}

std::uint16_t compression_of(const Entries& entries) {
  const std::uint64_t number = entries.first(tag::kCompression, 1);
  if (std::ranges::find(kCompressions, number, &Compression::number) != kCompressions.end())
    return static_cast<std::uint16_t>(number);
  std::string known;
  for (const Compression& one : kCompressions) known += fmt::format("{}{}", known.empty() ? "" : ", ", one.name);
  throw UnsupportedError(
      fmt::format("TIFF has compression {}{}; supported are {}", number, name_in(kOtherCompressions, number), known));
}

void set_colour(TiffDirectory& directory, std::uint64_t photometric) {
  struct Row {
    std::uint64_t number;
    TiffColour colour;
    bool white_is_zero;
  };
  constexpr std::array kColours{Row{0, TiffColour::grey, true},  Row{1, TiffColour::grey, false},
                                Row{2, TiffColour::rgb, false},  Row{3, TiffColour::palette, false},
                                Row{5, TiffColour::cmyk, false}, Row{6, TiffColour::ycbcr, false}};
  const auto* found = std::ranges::find(kColours, photometric, &Row::number);
  if (found == kColours.end())
    throw UnsupportedError(fmt::format("TIFF holds photometric {}{}; supported are grey, RGB, palettes, CMYK and YCbCr",
                                       photometric, name_in(kOtherPhotometrics, photometric)));
  directory.photometric = static_cast<std::uint16_t>(photometric);
  directory.colour = found->colour;
  directory.white_is_zero = found->white_is_zero;
}

/// One number for all samples, which may be given once for all of them.
std::uint64_t same_of(std::vector<std::uint64_t> values, std::uint64_t absent, std::int64_t samples,
                      std::string_view what) {
  if (values.empty()) values.push_back(absent);
  if (values.size() > static_cast<std::size_t>(samples)) values.resize(static_cast<std::size_t>(samples));
  const bool one = values.size() == 1 || values.size() == static_cast<std::size_t>(samples);
  if (!one || std::ranges::any_of(values, [&](std::uint64_t v) { return v != values[0]; }))
    throw UnsupportedError(fmt::format("TIFF has samples of different {}; supported are equal ones", what));
  return values[0];
}

constexpr std::uint64_t kUnspecified = 0, kAssociated = 1, kUnassociated = 2, kCorelDraw = 999;

/// What lies behind the colours of a pixel: PIL's combinations.
void set_extra_samples(TiffDirectory& directory, const std::vector<std::uint64_t>& extra) {
  const std::int64_t base = colour_samples(directory.colour), more = directory.samples - base;
  const bool first_alpha = !extra.empty() && (extra[0] == kAssociated || extra[0] == kUnassociated);
  const bool rest_plain = std::all_of(extra.begin() + (first_alpha ? 1 : 0), extra.end(),
                                      [](std::uint64_t kind) { return kind == kUnspecified; });
  const bool counted = more == static_cast<std::int64_t>(extra.size());
  bool known = more == 0 && extra.empty();
  switch (directory.colour) {
    case TiffColour::grey:
    case TiffColour::palette:
      known = known || (counted && more == 1 && extra[0] == kUnassociated && directory.bits >= 8);
      break;
    case TiffColour::rgb:
      // Some writers leave the tag out behind three colours and an alpha.
      known = known || (more == 1 && extra.empty()) || (counted && more == 1 && extra[0] == kCorelDraw) ||
              (counted && more <= (directory.bits == 8 ? 3 : 1) && rest_plain);
      break;
    case TiffColour::cmyk:
      known = known || (counted && more <= 2 && !first_alpha && rest_plain && directory.bits == 8);
      break;
    case TiffColour::ycbcr: break;
  }
  if (!known)
    throw UnsupportedError(
        fmt::format("TIFF has {} samples per pixel, {} of them marked as extra, in photometric {}; "
                    "supported are the {} of its colours, and an alpha",
                    directory.samples, extra.size(), directory.photometric, base));
  directory.premultiplied = directory.colour == TiffColour::rgb && first_alpha && extra[0] == kAssociated;
}

void check_numbers(const TiffDirectory& directory) {
  constexpr std::array kGrey{1, 2, 4, 8, 16};
  constexpr std::array kPalette{1, 2, 4, 8};
  const int bits = directory.bits;
  const auto one_of = [&](auto list) { return std::ranges::find(list, bits) != list.end(); };
  bool known = false;
  std::string_view supported;
  switch (directory.number) {
    case TiffNumber::real:
      known = bits == 32 && directory.colour == TiffColour::grey && directory.samples == 1;
      supported = "one sample of 32 bits";
      break;
    case TiffNumber::whole_signed:
      known = (bits == 16 || bits == 32) && directory.photometric == 1 && directory.samples == 1;
      supported = "one sample of 16 or 32 bits, black at the least";
      break;
    case TiffNumber::whole:
      if (bits == 32)
        known = directory.photometric == 1 && directory.samples == 1;
      else if (directory.colour == TiffColour::grey)
        known = one_of(kGrey);
      else if (directory.colour == TiffColour::palette)
        known = one_of(kPalette);
      else
        known = bits == 8 || (bits == 16 && directory.colour != TiffColour::ycbcr);
      supported = "1, 2, 4, 8 and 16 bits of grey, 1, 2, 4 and 8 of a palette, 8 and 16 of colours, 8 of YCbCr";
      break;
  }
  if (!known)
    throw UnsupportedError(fmt::format("TIFF holds {} of {} bits in photometric {}; supported are {}",
                                       kTiffNumbers.name_of(directory.number), bits, directory.photometric, supported));
}

void read_palette(const Entries& entries, TiffDirectory& directory) {
  const std::vector<std::uint64_t> values = entries.all(tag::kColourMap);
  const std::size_t n = std::size_t{3} << static_cast<unsigned>(directory.bits);
  if (values.size() != n)
    throw FormatError(fmt::format("TIFF has a palette of {} numbers; expected {}", values.size(), n));
  for (const std::uint64_t v : values) directory.colours.push_back(static_cast<std::uint8_t>(v >> 8 & 255));
}

std::int64_t blocks_along(std::int64_t extent, std::int64_t block) { return (extent + block - 1) / block; }

/// Before memory is taken for pixels that so few bytes cannot be.
void check_volume(const TiffDirectory& directory, std::uint64_t stored) {
  const std::uint64_t most = std::ranges::find(kCompressions, directory.compression, &Compression::number)->most;
  const std::int64_t row_bits = directory.width * directory.samples * directory.bits;
  // The two colour differences of YCbCr may have a sixteenth of the pixels.
  const std::int64_t parts = directory.colour == TiffColour::ycbcr ? 3 : 1;
  const auto needed = static_cast<std::uint64_t>((row_bits + 7) / 8 * directory.height / parts);
  if (most != 0 && stored < needed / most)
    truncated(Codec::tiff, fmt::format("its {} bytes of pixel data cannot hold {}", stored, needed));
}

/// Strips or tiles: as many as expected, each within the file.
void read_blocks(const Entries& entries, TiffDirectory& directory) {
  directory.tiled = entries.find(tag::kTileOffsets).has_value();
  const auto offsets = entries.find(directory.tiled ? tag::kTileOffsets : tag::kStripOffsets);
  const auto counts = entries.find(directory.tiled ? tag::kTileBytes : tag::kStripBytes);
  if (!offsets || (directory.tiled && entries.find(tag::kStripOffsets)))
    throw FormatError("TIFF does not say where its pixels are");
  const auto side = [&](std::uint16_t id, std::int64_t absent) {
    return static_cast<std::int64_t>(
        std::min<std::uint64_t>(entries.first(id, static_cast<std::uint64_t>(absent)), INT32_MAX));
  };
  directory.block_width = directory.tiled ? side(tag::kTileWidth, 0) : directory.width;
  directory.block_height =
      directory.tiled ? side(tag::kTileHeight, 0) : std::min(side(tag::kRowsPerStrip, INT32_MAX), directory.height);
  if (directory.block_width <= 0 || directory.block_height <= 0)
    throw FormatError(fmt::format("TIFF has blocks of {} x {} pixels; expected at least 1 x 1", directory.block_width,
                                  directory.block_height));
  // A small picture may lie in one common tile; nobody needs more than that.
  constexpr std::int64_t kTile = std::int64_t{1} << 24;
  if (directory.block_width > std::max(kTile, 2 * directory.width * directory.height) / directory.block_height)
    throw FormatError(fmt::format("TIFF has tiles of {} x {} pixels for a picture of {} x {}", directory.block_width,
                                  directory.block_height, directory.width, directory.height));
  const std::int64_t blocks = blocks_along(directory.width, directory.block_width) *
                              blocks_along(directory.height, directory.block_height) *
                              (directory.planes_apart ? directory.samples : 1);
  // Other numbers than expected are of another picture, and what libtiff makes of it is a guess.
  for (const std::optional<Entry>& entry : {offsets, counts})
    if (entry && entry->count != static_cast<std::uint64_t>(blocks))
      throw FormatError(fmt::format("TIFF says where {} parts of its pixels are; expected {}", entry->count, blocks));
  constexpr int kPlain = 1;
  if (!counts && directory.compression != kPlain) throw FormatError("TIFF does not say how long its pixel data are");
  const std::uint64_t size = entries.file().size();
  std::uint64_t stored = 0;
  for (std::uint64_t i = 0; i < static_cast<std::uint64_t>(blocks); ++i) {
    const std::uint64_t at = entries.value(*offsets, i), n = counts ? entries.value(*counts, i) : 0;
    if (at > size || n > size - at)
      truncated(Codec::tiff, fmt::format("pixel data at byte {} has {} bytes, the file {}", at, n, size));
    stored += n;
    if (counts)
      directory.blocks.push_back(
          entries.file().bytes().subspan(static_cast<std::size_t>(at), static_cast<std::size_t>(n)));
  }
  // libtiff works lengths out for itself where plain ones cannot be right.
  check_volume(directory, directory.compression == kPlain ? size : stored);
}

}  // namespace

std::int64_t colour_samples(TiffColour colour) {
  switch (colour) {
    case TiffColour::grey:
    case TiffColour::palette: return 1;
    case TiffColour::rgb:
    case TiffColour::ycbcr: return 3;
    case TiffColour::cmyk: return 4;
  }
  throw Error("TIFF colours without a number of samples");
}

TiffDirectory read_tiff_directory(std::span<const std::byte> file) {
  const Entries entries(file);
  constexpr std::uint64_t kLargest = INT32_MAX;
  TiffDirectory directory;
  directory.height = static_cast<std::int64_t>(std::min(entries.first(tag::kHeight, 0), kLargest));
  directory.width = static_cast<std::int64_t>(std::min(entries.first(tag::kWidth, 0), kLargest));
  check_size(Codec::tiff, directory.width, directory.height);
  directory.compression = compression_of(entries);
  // Programs differ in what they take for granted where the tag is missing: white at zero, or black.
  if (!entries.find(tag::kPhotometric))
    throw FormatError("TIFF does not say what its samples mean: it has no photometric interpretation");
  set_colour(directory, entries.first(tag::kPhotometric, 0));
  constexpr std::uint64_t kMostSamples = 6, kWhole = 1, kApart = 2;
  const std::uint64_t samples = entries.first(tag::kSamples, 1);
  if (samples < 1 || samples > kMostSamples)
    throw UnsupportedError(fmt::format("TIFF has {} samples per pixel; supported are 1 to {}", samples, kMostSamples));
  directory.samples = static_cast<std::int64_t>(samples);
  directory.bits = static_cast<int>(
      std::min<std::uint64_t>(same_of(entries.all(tag::kBits), 1, directory.samples, "sizes"), 1U << 16));
  const std::uint64_t number = same_of(entries.all(tag::kNumber), kWhole, directory.samples, "kinds");
  if (number < 1 || number > 3)
    throw UnsupportedError(
        fmt::format("TIFF has samples of format {}; supported are whole numbers, signed or not, and "
                    "real ones (1, 2, 3)",
                    number));
  directory.number = static_cast<TiffNumber>(number);
  check_numbers(directory);
  set_extra_samples(directory, entries.all(tag::kExtraSamples));
  const std::uint64_t planes = entries.first(tag::kPlanes, 1);
  if (planes != 1 && planes != kApart)
    throw FormatError(fmt::format("TIFF has planar configuration {}; expected 1 or 2", planes));
  directory.planes_apart = planes == kApart && directory.samples > 1;
  // Values outside 1..8 mean nothing; libtiff and PIL ignore them too.
  if (const std::uint64_t value = entries.first(tag::kOrientation, 1); value >= 1 && value <= 8)
    directory.orientation = static_cast<int>(value);
  directory.big_endian = std::to_integer<char>(file[0]) == 'M';
  directory.bits_reversed = entries.first(tag::kFillOrder, 1) == 2;
  if (directory.colour == TiffColour::palette) read_palette(entries, directory);
  read_blocks(entries, directory);
  return directory;
}

}  // namespace shiftnorm::imaging
