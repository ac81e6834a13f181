#include "array_dataset.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <functional>
#include <map>
#include <utility>

#include "fingerprint.hpp"
#include "image_header.hpp"
#include "limit.hpp"
#include "mapped_file.hpp"
#include "shiftnorm/container/npy.hpp"
#include "shiftnorm/container/safetensors.hpp"
#include "shiftnorm/container/zip.hpp"
#include "shiftnorm/core/error.hpp"
#include "shiftnorm/core/file.hpp"
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

enum class Layout { as_is, channels_first, channels_last, grey };

Layout image_layout(const Shape& shape, const std::string& wanted) {
  const auto channels = [&](std::size_t axis) { return shape[axis] == 1 || shape[axis] == 3 || shape[axis] == 4; };
  const std::size_t rank = shape.rank();
  if (rank == 3 && (wanted.empty() || wanted == "NHW")) return Layout::grey;
  if (rank == 4 && channels(3) && (wanted.empty() || wanted == "NHWC")) return Layout::channels_last;
  if (rank == 4 && channels(1) && (wanted.empty() || wanted == "NCHW")) return Layout::channels_first;
  throw ConfigError(
      fmt::format("images of shape {}{}; expected [N, H, W], [N, H, W, C] or [N, C, H, W] with C 1, 3 or 4",
                  shape.text(), wanted.empty() ? "" : " with layout " + wanted));
}

Layout float_layout(const Shape& shape, const std::string& wanted) {
  if (shape.rank() < 2)
    throw ConfigError(fmt::format("array of shape {}; expected samples along the first axis", shape.text()));
  if (wanted.empty() || (wanted == "NCHW" && shape.rank() == 4)) return Layout::as_is;
  if (wanted == "NHW" && shape.rank() == 3) return Layout::grey;
  if (wanted == "NHWC" && shape.rank() >= 3) return Layout::channels_last;
  throw ConfigError(fmt::format("array of shape {} with layout {}; they do not fit", shape.text(), wanted));
}

Shape without_first(const Shape& shape) {
  return Shape(std::vector<std::int64_t>(shape.extents().begin() + 1, shape.extents().end()));
}

class ArrayDataset final : public Dataset {
 public:
  ArrayDataset(const Members& members, const std::string& key, const DatasetOptions& options)
      : data_(members.at(key)()) {
    const DType type = data_.dtype();
    images_ = type == DType::u8 || type == DType::u16;
    if (!images_ && !is_floating(type))
      throw UnsupportedError(fmt::format("{} holds {}; supported are uint8 and uint16 images and floating-point arrays",
                                         printable(key), name_of(type)));
    layout_ = images_ ? image_layout(data_.shape(), options.layout) : float_layout(data_.shape(), options.layout);
    const std::int64_t n = data_.shape()[0];
    stored_ = without_first(data_.shape());
    if (n == 0 || stored_.elements() == 0)
      throw FormatError(
          fmt::format("{} has shape {}; expected at least one sample", printable(key), data_.shape().text()));
    std::vector<std::int32_t> labels(static_cast<std::size_t>(n), -1);
    if (const auto name = labels_key(members, key)) labels = read_labels(members, *name, n);
    classes_ = class_names(labels, options.classes);
    std::vector<Sample> all;
    for (std::int64_t i = 0; i < n; ++i)
      all.push_back({fmt::format("{}[{}]", printable(key), i), labels[static_cast<std::size_t>(i)]});
    rows_ = select(options.limit, all);
    for (const std::size_t i : rows_) samples_.push_back(std::move(all[i]));
  }

  [[nodiscard]] const std::vector<Sample>& samples() const override { return samples_; }
  [[nodiscard]] const std::vector<std::string>& classes() const override { return classes_; }
  [[nodiscard]] std::int64_t skipped() const override { return 0; }
  [[nodiscard]] Reader reader() const override { return Reader::array; }
  [[nodiscard]] bool images() const override { return images_; }

  [[nodiscard]] Image decode(std::size_t index) const override {
    if (!images_) throw Error("a floating-point array was asked for images; expected array()");
    const bool first = layout_ == Layout::channels_first, grey = layout_ == Layout::grey;
    const std::int64_t h = stored_[first ? 1 : 0], w = stored_[first ? 2 : 1];
    const std::int64_t from = grey ? 1 : stored_[first ? 0 : 2], to = from == 1 ? 1 : 3;
    if (h > kMaxPixels / w)
      throw FormatError(fmt::format("has {} x {} pixels; expected at most {} in all", w, h, kMaxPixels));
    const bool narrow = data_.dtype() == DType::u8;
    Image image{.height = h, .width = w, .channels = to, .bits = narrow ? 8 : 16, .pixels = {}};
    image.pixels.resize(static_cast<std::size_t>(h * w * to));
    const std::byte* src = stored(index).data();
    const std::int64_t pixel_step = first ? 1 : from, channel_step = first ? h * w : 1;
    for (std::int64_t p = 0; p < h * w; ++p) {
      for (std::int64_t c = 0; c < to; ++c) {
        const std::int64_t at = p * pixel_step + c * channel_step;
        std::uint16_t value = 0;
        if (narrow)
          value = std::to_integer<std::uint16_t>(src[at]);
        else
          std::memcpy(&value, src + 2 * at, sizeof value);
        image.pixels[static_cast<std::size_t>(p * to + c)] = value;
      }
    }
    return image;
  }

  [[nodiscard]] Tensor array(std::size_t index) const override {
    if (images_) throw Error("an image array was asked for floats; expected decode()");
    const Bytes bytes = stored(index);
    const Array one(data_.dtype(), stored_, std::vector<std::byte>(bytes.begin(), bytes.end()));
    const std::vector<float> values = one.to_float();
    std::vector<std::int64_t> extents = stored_.extents();
    if (layout_ == Layout::grey) extents.insert(extents.begin(), 1);
    if (layout_ != Layout::channels_last) return {Shape(std::move(extents)), values};
    std::rotate(extents.begin(), extents.end() - 1, extents.end());
    Tensor out{Shape(std::move(extents))};
    const auto channels = static_cast<std::size_t>(out.shape[0]), plane = values.size() / channels;
    for (std::size_t p = 0; p < plane; ++p)
      for (std::size_t c = 0; c < channels; ++c) out.values[c * plane + p] = values[p * channels + c];
    return out;
  }

  [[nodiscard]] std::string fingerprint() const override {
    return fingerprint_of(samples_, [this](std::size_t i) { return sha256_hex(stored(i)); });
  }

 private:
  [[nodiscard]] Bytes stored(std::size_t index) const {
    const std::size_t bytes = static_cast<std::size_t>(stored_.elements()) * size_of(data_.dtype());
    return data_.bytes().subspan(rows_.at(index) * bytes, bytes);
  }

  Array data_;
  Shape stored_;  ///< of one sample, as the file has it
  Layout layout_ = Layout::as_is;
  bool images_ = false;
  std::vector<std::size_t> rows_;  ///< of data_, one for each sample
  std::vector<Sample> samples_;
  std::vector<std::string> classes_;
};

}  // namespace

bool named_like_array(const fs::path& file) { return find_type(file) != nullptr; }

std::unique_ptr<Dataset> open_array(const fs::path& file, const std::string& key, const DatasetOptions& options) {
  const FileType* type = find_type(file);
  if (type == nullptr)
    throw UnsupportedError(
        fmt::format("{}: is no array file by its name; expected .npy, .npz or .safetensors", file.filename().string()));
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
