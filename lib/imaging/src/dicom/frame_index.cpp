#include "dicom/frame_index.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>
#include <string_view>

#include "dicom/fault.hpp"
#include "shiftnorm/core/file.hpp"

namespace shiftnorm::imaging::dicom {
namespace {

/// The first fragment of each frame, by its place among those that hold something.
using Starts = std::vector<std::size_t>;

struct ImageStart {
  Packing packing;
  std::string_view bytes;
};
// With the beginning of the marker that must follow: no entropy-coded data hold these.
constexpr std::array kImageStarts{
    ImageStart{Packing::jpeg, "\xff\xd8\xff"},
    ImageStart{Packing::jpeg_ls, "\xff\xd8\xff"},
    ImageStart{Packing::jpeg_2000, "\xff\x4f\xff\x51"},
    ImageStart{Packing::jpeg_2000, std::string_view("\0\0\0\x0cjP  ", 8)},
};

class Indexer {
 public:
  Indexer(std::span<const std::byte> bytes, const Layout& layout, const PixelModule& module)
      : bytes_(bytes),
        layout_(layout),
        place_(layout.pixels.value()),
        packing_(layout.syntax->packing),
        segments_(static_cast<std::uint64_t>(module.value_bytes() * module.samples)),
        frames_(static_cast<std::size_t>(module.frames)) {
    for (const Range& fragment : place_.fragments)
      if (fragment.length > 0) parts_.push_back(fragment);
  }

  FrameIndex index() {
    if (parts_.empty())
      throw Fault(Reason::pixel_length_mismatch, fmt::format("no fragment holds data; expected {} frames", frames_));
    FrameIndex out;
    const Starts starts = settled_starts(out.remark);
    for (std::size_t f = 0; f < frames_; ++f) {
      const std::size_t end = f + 1 < starts.size() ? starts[f + 1] : parts_.size();
      out.frames.emplace_back(parts_.begin() + static_cast<std::ptrdiff_t>(starts[f]),
                              parts_.begin() + static_cast<std::ptrdiff_t>(end));
    }
    return out;
  }

 private:
  [[nodiscard]] std::span<const std::byte> data(std::size_t part) const {
    return bytes_.subspan(parts_[part].offset, parts_[part].length);
  }
  [[nodiscard]] static std::uint64_t number(std::string_view text, std::size_t size = 4) {
    std::uint64_t value = 0;
    for (std::size_t b = size; b-- > 0;) value = value << 8 | static_cast<unsigned char>(text[b]);
    return value;
  }
  [[nodiscard]] std::uint64_t number(std::uint64_t at, std::size_t size) const {
    return number(as_text(bytes_.subspan(at, size)), size);
  }

  /// Up to `count` bytes from the beginning of a part on, however small the parts are.
  [[nodiscard]] std::string head(std::size_t part, std::size_t count) const {
    std::string out;
    for (; part < parts_.size() && out.size() < count; ++part)
      out += as_text(data(part).first(std::min<std::size_t>(data(part).size(), count - out.size())));
    return out;
  }
  [[nodiscard]] bool starts_image(std::size_t part) const {
    constexpr std::uint64_t kRleHeader = 64;
    const std::string found = head(part, kRleHeader);
    if (packing_ == Packing::rle)
      return found.size() == kRleHeader && number(found) == segments_ && number(found.substr(4)) == kRleHeader;
    return std::ranges::any_of(kImageStarts, [&](const ImageStart& start) {
      return start.packing == packing_ && found.starts_with(start.bytes);
    });
  }
  /// JPEG's EOI and JPEG 2000's EOC are the same marker; a zero may make the length even.
  [[nodiscard]] bool ends_image(std::size_t part) const {
    if (packing_ == Packing::rle) return true;
    std::string tail;  // the last two bytes, the last one first
    for (std::size_t p = part + 1; p-- > 0 && tail.size() < 2;) {
      const std::string_view found = as_text(data(p));
      for (std::size_t i = found.size(); i-- > 0 && tail.size() < 2;)
        if (!tail.empty() || found[i] != '\0') tail += found[i];
    }
    return tail == "\xd9\xff";
  }
  /// `behind_ends`: only where an image ends before it, for a fragment may begin with the picture inside a picture.
  [[nodiscard]] Starts images(bool behind_ends) const {
    Starts starts;
    for (std::size_t p = 0; p < parts_.size(); ++p)
      if (starts_image(p) && (!behind_ends || p == 0 || ends_image(p - 1))) starts.push_back(p);
    return starts;
  }

  /// Where a table leads, whose entries of `size` bytes count from the item of the first fragment.
  [[nodiscard]] std::optional<Starts> told_by(const Range& table, std::size_t size) const {
    if (table.length != size * frames_) return std::nullopt;
    const std::uint64_t base = place_.fragments.front().offset;
    Starts starts;
    for (std::size_t f = 0; f < frames_; ++f) {
      const std::uint64_t offset = number(table.offset + size * f, size);
      if (offset > bytes_.size()) return std::nullopt;
      // It may lead to a fragment that holds nothing.
      const auto fragment = std::ranges::lower_bound(place_.fragments, base + offset, {}, &Range::offset);
      if (fragment == place_.fragments.end() || fragment->offset != base + offset) return std::nullopt;
      const auto part = std::ranges::lower_bound(parts_, base + offset, {}, &Range::offset);
      const auto start = static_cast<std::size_t>(part - parts_.begin());
      if (part == parts_.end() || (f == 0 ? start != 0 : start <= starts.back())) return std::nullopt;
      starts.push_back(start);
    }
    return starts;
  }
  /// The extended table comes with the length of each frame, without the byte that makes it even.
  [[nodiscard]] bool lengths_fit(const Starts& starts) const {
    const Range& table = layout_.extended_lengths;
    if (table.length == 0) return true;
    if (table.length != 8 * frames_) return false;
    for (std::size_t f = 0; f < frames_; ++f) {
      std::uint64_t found = 0;
      const std::size_t end = f + 1 < frames_ ? starts[f + 1] : parts_.size();
      for (std::size_t p = starts[f]; p < end; ++p) found += parts_[p].length;
      const std::uint64_t told = number(table.offset + 8 * f, 8);
      if (told > found || found - told > 1) return false;
    }
    return true;
  }
  /// No image begins inside a frame. Behind the last one images may be too many, which is another matter, as long as it
  /// is an image too; a frame that begins as none is damaged, which its decoder says.
  [[nodiscard]] bool holds(const Starts& told) const {
    const bool all_images = std::ranges::all_of(told, [&](std::size_t part) { return starts_image(part); });
    return std::ranges::all_of(images(true), [&](std::size_t image) {
      return std::ranges::binary_search(told, image) || (all_images && image > told.back());
    });
  }
  [[nodiscard]] std::optional<Starts> by_table() const {
    const bool extended = layout_.extended_offsets.length > 0;
    std::optional<Starts> told = extended ? told_by(layout_.extended_offsets, 8) : told_by(place_.offset_table, 4);
    if (!told || (extended && !lengths_fit(*told)) || !holds(*told)) return std::nullopt;
    return told;
  }

  [[nodiscard]] Starts settled_starts(std::string& remark) const {
    if (const std::optional<Starts> told = by_table()) {
      const Starts all = images(true);
      const auto beyond =
          static_cast<std::size_t>(std::ranges::count_if(all, [&](std::size_t image) { return image > told->back(); }));
      if (beyond > 0) remark = too_many(frames_ + beyond);
      Starts starts = *told;
      if (beyond > 0) starts.push_back(*std::ranges::upper_bound(all, told->back()));
      return starts;
    }
    if (layout_.extended_offsets.length > 0 || place_.offset_table.length > 0)
      remark = "the table of frame offsets is wrong; frames begin where images do";
    Starts starts = images(false);
    if (starts.size() == frames_ && starts.front() == 0) return starts;
    if (parts_.size() == frames_) {
      starts.clear();
      for (std::size_t f = 0; f < frames_; ++f) starts.push_back(f);
      return starts;
    }
    starts = images(true);
    // The only frame is all there is: its decoder says what is wrong with it.
    if (frames_ == 1 && starts.size() < 2) return {0};
    if (starts.size() < frames_ || starts.front() != 0)
      throw Fault(Reason::pixel_length_mismatch,
                  fmt::format("{} images in {} fragments; expected {} frames", starts.size(), parts_.size(), frames_));
    if (starts.size() > frames_) remark += (remark.empty() ? "" : "; ") + too_many(starts.size());
    return starts;
  }

  [[nodiscard]] std::string too_many(std::size_t images) const {
    return fmt::format("{} images in the pixel data where NumberOfFrames is {}; the first are taken", images, frames_);
  }

  std::span<const std::byte> bytes_;
  const Layout& layout_;
  const PixelDataPlace& place_;
  Packing packing_;
  std::uint64_t segments_;  ///< of RLE
  std::size_t frames_;
  std::vector<Range> parts_;
};

}  // namespace

FrameIndex index_frames(std::span<const std::byte> bytes, const Layout& layout, const PixelModule& module) {
  return Indexer(bytes, layout, module).index();
}

std::vector<std::byte> joined(std::span<const std::byte> bytes, const std::vector<Range>& parts, std::uint64_t most) {
  std::vector<std::byte> stream;
  for (const Range& range : parts) {
    if (stream.size() >= most) break;
    const auto part = bytes.subspan(range.offset, range.length);
    stream.insert(stream.end(), part.begin(), part.end());
  }
  return stream;
}

}  // namespace shiftnorm::imaging::dicom
