#include "support.hpp"

#include <algorithm>
#include <stdexcept>

#include "decode_image.hpp"
#include "goldens.hpp"
#include "shiftnorm/container/zip.hpp"
#include "shiftnorm/core/error.hpp"
#include "shiftnorm/core/file.hpp"
#include "shiftnorm/core/hash.hpp"
#include "support/npy_file.hpp"

namespace shiftnorm::imaging::test {
namespace {

/// Little-endian bytes appended one number after the other.
class Writer {
 public:
  Writer& number(std::uint64_t value, int bytes) {
    for (int i = 0; i < bytes; ++i) bytes_.push_back(static_cast<std::byte>(value >> (8 * i)));
    return *this;
  }
  Writer& raw(std::span<const std::byte> bytes) {
    bytes_.insert(bytes_.end(), bytes.begin(), bytes.end());
    return *this;
  }
  [[nodiscard]] std::size_t size() const { return bytes_.size(); }
  [[nodiscard]] const std::vector<std::byte>& bytes() const { return bytes_; }

 private:
  std::vector<std::byte> bytes_;
};

}  // namespace

Image picture(std::int64_t height, std::int64_t width, std::int64_t channels, int bits) {
  Image image{.height = height, .width = width, .channels = channels, .bits = bits, .pixels = {}};
  for (std::int64_t y = 0; y < height; ++y)
    for (std::int64_t x = 0; x < width; ++x)
      for (std::int64_t c = 0; c < channels; ++c)
        image.pixels.push_back(
            static_cast<std::uint16_t>((7 * x * x + 13 * y + 3 * x * y + 50 * c) % 256 * (bits == 8 ? 1 : 257)));
  return image;
}

std::string digest(const Image& image) {
  Writer bytes;
  for (const std::uint16_t v : image.pixels) bytes.number(v, 2);
  return sha256_hex(bytes.bytes());
}

std::vector<std::byte> from_hex(std::string_view hex) {
  std::vector<std::byte> bytes;
  for (std::size_t i = 0; i + 1 < hex.size(); i += 2)
    bytes.push_back(static_cast<std::byte>(std::stoi(std::string(hex.substr(i, 2)), nullptr, 16)));
  return bytes;
}

std::vector<std::byte> golden_file(std::string_view name) {
  const auto* found = std::ranges::find(goldens::kFiles, name, &goldens::File::name);
  if (found == std::end(goldens::kFiles)) throw std::logic_error("no golden file " + std::string(name));
  return from_hex(found->hex);
}

std::vector<std::byte> flat_bmp(int height, int width, std::uint8_t level) {
  const int row = (width * 3 + 3) / 4 * 4;
  Writer file;
  file.raw(as_bytes("BM")).number(static_cast<std::uint64_t>(54 + row * height), 4).number(0, 4).number(54, 4);
  file.number(40, 4).number(static_cast<std::uint64_t>(width), 4).number(static_cast<std::uint64_t>(height), 4);
  file.number(1, 2).number(24, 2).number(0, 4).number(0, 4).number(0, 8).number(0, 8);
  for (int i = 0; i < row * height; ++i) file.number(level, 1);
  return file.bytes();
}

void put(const std::filesystem::path& path, const std::vector<std::byte>& bytes) {
  std::filesystem::create_directories(path.parent_path());
  write_file(path, bytes);
}
void put(const std::filesystem::path& path, std::string_view text) {
  std::filesystem::create_directories(path.parent_path());
  write_file(path, text);
}

Array counting(const Shape& shape) {
  Array array(DType::u8, shape);
  for (std::size_t i = 0; i < array.bytes().size(); ++i) array.bytes()[i] = static_cast<std::byte>(i % 256);
  return array;
}

std::vector<std::byte> npz(const std::vector<std::pair<std::string, Array>>& arrays) {
  Writer file, directory;
  for (const auto& [key, array] : arrays) {
    const std::string name = key + ".npy";
    const std::vector<std::byte> member = shiftnorm::test::write_npy(array);
    const std::size_t at = file.size();
    const auto common = [&](Writer& to) {
      to.number(20, 2).number(0, 2).number(0, 2).number(0, 4).number(container::crc32(member), 4);
      to.number(member.size(), 4).number(member.size(), 4).number(name.size(), 2).number(0, 2);
    };
    file.number(0x04034b50, 4);
    common(file);
    file.raw(as_bytes(name)).raw(member);
    directory.number(0x02014b50, 4).number(20, 2);
    common(directory);
    directory.number(0, 2).number(0, 2).number(0, 2).number(0, 4).number(at, 4).raw(as_bytes(name));
  }
  const std::size_t at = file.size();
  file.raw(directory.bytes()).number(0x06054b50, 4).number(0, 4).number(arrays.size(), 2).number(arrays.size(), 2);
  file.number(directory.size(), 4).number(at, 4).number(0, 2);
  return file.bytes();
}

std::string refusal(std::vector<std::byte> file) {
  return error_of<Error>([&] { static_cast<void>(decode_image(std::move(file))); });
}

void set(std::vector<std::byte>& file, std::size_t at, std::initializer_list<int> values) {
  for (const int v : values) file.at(at++) = static_cast<std::byte>(v);
}

std::vector<std::int32_t> labels(const Dataset& data) {
  std::vector<std::int32_t> out;
  for (const Sample& sample : data.samples()) out.push_back(sample.label);
  return out;
}

}  // namespace shiftnorm::imaging::test
