#include "array_dataset.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <functional>
#include <map>
#include <utility>

#include "array_layout.hpp"
#include "image_header.hpp"
#include "mapped_file.hpp"
#include "shiftnorm/container/npy.hpp"
#include "shiftnorm/container/safetensors.hpp"
#include "shiftnorm/container/zip.hpp"
#include "shiftnorm/core/content_hash.hpp"
#include "shiftnorm/core/error.hpp"
#include "shiftnorm/core/file.hpp"
#include "shiftnorm/core/hash.hpp"
#include "shiftnorm/core/text.hpp"

namespace shiftnorm::imaging {
namespace {

namespace fs = std::filesystem;
using Bytes = std::span<const std::byte>;

/// The named arrays of a file; each is read only when asked for.
using Members = std::map<std::string, std::function<Array()>>;

Members members_of_npy(Bytes file, const std::string& stem) {
  return {{stem, [file] { return container::read_npy(file); }}};
}

Members members_of_npz(Bytes file, const std::string&) {
  Members members;
  for (const container::ZipMember& member : container::index_zip(file)) {
    if (!member.name.ends_with(".npy")) continue;
    members[member.name.substr(0, member.name.size() - 4)] = [file, member] {
      return container::read_npy(container::read_member(file, member, kDefaultFileLimit * 8));
    };
  }
  return members;
}

Members members_of_safetensors(Bytes file, const std::string&) {
  Members members;
  for (const container::SafetensorsEntry& entry : container::index_safetensors(file).entries)
    members[entry.name] = [file, entry] { return container::read_entry(file, entry); };
  return members;
}

struct FileType {
  std::string_view extension;
  Members (*open)(Bytes file, const std::string& stem);
};
constexpr std::array<FileType, 3> kFileTypes{
    {{".npy", members_of_npy}, {".npz", members_of_npz}, {".safetensors", members_of_safetensors}}};

const FileType* find_type(const fs::path& file) {
  const auto* found = std::ranges::find(kFileTypes, file.extension().string(), &FileType::extension);
  return found == kFileTypes.end() ? nullptr : found;
}

std::vector<std::string> names(const Members& members) {
  std::vector<std::string> out;
  for (const auto& [name, read] : members) out.push_back(printable(name));
  return out;
}

bool labels_name(const std::string& name) { return name == "labels" || name.ends_with("_labels"); }
bool images_name(const std::string& name) { return name == "images" || name.ends_with("_images"); }

/// The array to read when the user named none.
std::string only_key(const Members& members) {
  std::vector<std::string> data, images;
  for (const auto& [name, read] : members) {
    if (!labels_name(name)) data.push_back(name);
    if (images_name(name)) images.push_back(name);
  }
  if (data.size() == 1) return data[0];
  if (images.size() == 1) return images[0];
  throw ConfigError(fmt::format("holds {}; expected FILE#NAME with one of these names",
                                members.empty() ? "no array" : "the arrays " + join(names(members))));
}

/// Where the labels of `key` may lie, best first.
std::optional<std::string> labels_key(const Members& members, const std::string& key) {
  std::vector<std::string> candidates;
  if (images_name(key)) candidates.push_back(key.substr(0, key.size() - std::strlen("images")) + "labels");
  candidates.push_back(key + "_labels");
  candidates.emplace_back("labels");
  for (const std::string& name : candidates)
    if (name != key && members.contains(name)) return name;
  return std::nullopt;
}

std::vector<std::int32_t> read_labels(const Members& members, const std::string& name, std::int64_t n) {
  const Array array = members.at(name)();
  const Shape& shape = array.shape();
  const bool fits = (shape.rank() == 1 || (shape.rank() == 2 && shape[1] == 1)) && shape[0] == n;
  if (!fits)
    throw FormatError(fmt::format("{} has shape {}; expected [{}] or [{}, 1], one class for each image",
                                  printable(name), shape.text(), n, n));
  constexpr std::int64_t kMostClasses = 1 << 20;
  std::vector<std::int32_t> labels;
  for (const std::int64_t value : array.to_int64()) {
    if (value < -1 || value >= kMostClasses)
      throw FormatError(
          fmt::format("{} holds {}; expected class indices from 0, or -1 for none", printable(name), value));
    labels.push_back(static_cast<std::int32_t>(value));
  }
  return labels;
}

std::vector<std::string> class_names(const std::vector<std::int32_t>& labels, const std::vector<std::string>& given) {
  const std::int32_t largest = labels.empty() ? -1 : *std::ranges::max_element(labels);
  if (largest < 0) return {};
  if (!given.empty()) {
    if (static_cast<std::size_t>(largest) >= given.size())
      throw ConfigError(fmt::format("classes: {} names given; the labels go up to {}", given.size(), largest));
    return given;
  }
  std::vector<std::string> out;
  for (std::int32_t i = 0; i <= largest; ++i) out.push_back(std::to_string(i));
  return out;
}

class ArrayDataset final : public Dataset {
 public:
  ArrayDataset(const Members& members, const std::string& key, const DatasetOptions& options)
      : data_(members.at(key)()), layout_(layout_of(data_.shape(), data_.dtype(), options.layout)) {
    images_ = images_of(layout_, data_.dtype());
    const std::int64_t n = data_.shape()[0];
    if (n == 0 || data_.shape().elements() == 0)
      throw FormatError(
          fmt::format("{} has shape {}; expected at least one sample", printable(key), data_.shape().text()));
    std::vector<std::int32_t> labels(static_cast<std::size_t>(n), -1);
    if (options.labelled)
      if (const auto name = labels_key(members, key)) labels = read_labels(members, *name, n);
    classes_ = class_names(labels, options.classes);
    for (std::int64_t i = 0; i < n; ++i)
      samples_.push_back({fmt::format("{}[{}]", printable(key), i), labels[static_cast<std::size_t>(i)]});
  }

  [[nodiscard]] const std::vector<Sample>& samples() const override { return samples_; }
  [[nodiscard]] const std::vector<std::string>& classes() const override { return classes_; }
  [[nodiscard]] std::int64_t skipped() const override { return 0; }
  [[nodiscard]] Reader reader() const override { return Reader::array; }
  [[nodiscard]] bool images() const override { return images_; }
  [[nodiscard]] bool integers() const override { return !images_ && !is_floating(data_.dtype()); }

  [[nodiscard]] Image decode(std::size_t index) const override {
    if (!images_) throw Error("an array without images was asked for one; expected array()");
    const ArrayLayout::Axis &c = *layout_.find('C'), &h = *layout_.find('H'), &w = *layout_.find('W');
    const std::int64_t channels = c.extent == 1 ? 1 : 3;
    if (h.extent > kMaxPixels / w.extent)
      throw FormatError(fmt::format("has {} x {} pixels; expected at most {} in all", w.extent, h.extent, kMaxPixels));
    const bool narrow = data_.dtype() == DType::u8;
    Image image{.height = h.extent, .width = w.extent, .channels = channels, .bits = narrow ? 8 : 16, .pixels = {}};
    image.pixels.resize(static_cast<std::size_t>(h.extent * w.extent * channels));
    const std::byte* src = stored(index).data();
    std::uint16_t* dst = image.pixels.data();
    for (std::int64_t y = 0; y < h.extent; ++y) {
      for (std::int64_t x = 0; x < w.extent; ++x) {
        for (std::int64_t k = 0; k < channels; ++k, ++dst) {
          const std::int64_t at = y * h.stride + x * w.stride + k * c.stride;
          if (narrow)
            *dst = std::to_integer<std::uint16_t>(src[at]);
          else
            std::memcpy(dst, src + 2 * at, sizeof *dst);
        }
      }
    }
    return image;
  }

  [[nodiscard]] Tensor array(std::size_t index) const override {
    if (images_) throw Error("an image array was asked for floats; expected decode()");
    const Bytes bytes = stored(index);
    const Array one(data_.dtype(), stored_shape(), std::vector<std::byte>(bytes.begin(), bytes.end()));
    const std::vector<float> values = one.to_float();
    if (layout_.in_place()) return {layout_.shape(), values};
    Tensor out(layout_.shape());
    std::vector<std::int64_t> position(layout_.axes.size(), 0);
    std::int64_t from = 0;
    for (float& value : out.values) {
      value = values[static_cast<std::size_t>(from)];
      for (std::size_t i = position.size(); i-- > 0;) {
        const ArrayLayout::Axis& axis = layout_.axes[i];
        from += axis.stride;
        if (++position[i] < axis.extent) break;
        from -= axis.stride * axis.extent;
        position[i] = 0;
      }
    }
    return out;
  }

  [[nodiscard]] std::string digest(std::size_t index) const override { return sha256_hex(stored(index)); }
  [[nodiscard]] std::string content(std::size_t index) const override {
    const Bytes bytes = stored(index);
    return all_alike(bytes, size_of(data_.dtype())) ? std::string() : content_hash(bytes);
  }

 private:
  [[nodiscard]] Shape stored_shape() const {
    return Shape(std::vector<std::int64_t>(data_.shape().extents().begin() + 1, data_.shape().extents().end()));
  }
  [[nodiscard]] Bytes stored(std::size_t index) const {
    const std::size_t bytes = static_cast<std::size_t>(data_.shape().elements_from(1)) * size_of(data_.dtype());
    return data_.bytes().subspan(index * bytes, bytes);
  }

  Array data_;
  ArrayLayout layout_;
  bool images_ = false;
  std::vector<Sample> samples_;
  std::vector<std::string> classes_;
};

}  // namespace

bool named_like_array(const fs::path& file) { return find_type(file) != nullptr; }

std::unique_ptr<Dataset> open_array(const fs::path& file, const std::string& key, const DatasetOptions& options) {
  const FileType* type = find_type(file);
  if (type == nullptr)
    throw UnsupportedError(fmt::format("{}: is not named like an array file; expected .npy, .npz or .safetensors",
                                       file.filename().string()));
  const MappedFile mapped(file);
  try {
    const Members members = type->open(mapped.bytes(), file.stem().string());
    if (!key.empty() && !members.contains(key))
      throw ConfigError(fmt::format("has no array '{}'; expected one of {}", printable(key), join(names(members))));
    return std::make_unique<ArrayDataset>(members, key.empty() ? only_key(members) : key, options);
  } catch (...) {
    rethrow_at(file.filename().string());
  }
}

}  // namespace shiftnorm::imaging
