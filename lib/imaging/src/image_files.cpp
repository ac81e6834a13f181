#include "image_files.hpp"

#include <fmt/format.h>

#include "decode_image.hpp"
#include "shiftnorm/core/content_hash.hpp"
#include "shiftnorm/core/error.hpp"
#include "shiftnorm/core/file.hpp"
#include "shiftnorm/core/hash.hpp"
#include "shiftnorm/core/text.hpp"

namespace shiftnorm::imaging {
namespace {

constexpr std::uint64_t kFileLimit = std::uint64_t{512} << 20;  ///< bytes of one image file

}  // namespace

ImageFiles::ImageFiles(std::vector<std::filesystem::path> paths)
    : paths_(std::move(paths)), digests_(paths_.size()), contents_(paths_.size()) {}

Image ImageFiles::decode(std::size_t index) const {
  Image image = decode_image(read(index));
  contents_.set(index, content_of(image));
  return image;
}

std::string ImageFiles::content(std::size_t index) const {
  return contents_.get(index, [&] { static_cast<void>(decode(index)); });
}

std::string ImageFiles::digest(std::size_t index) const {
  if (std::string known = known_digest(index); !known.empty()) return known;
  try {
    (void)read(index);
    return known_digest(index);
  } catch (const Error&) {
    return "unreadable";
  }
}

std::string ImageFiles::known_digest(std::size_t index) const {
  const std::lock_guard lock(mutex_);
  return digests_[index];
}

/// The file's bytes. Hashed at every reading: the fingerprint then costs no second one, and a change is noticed.
std::vector<std::byte> ImageFiles::read(std::size_t index) const {
  const std::filesystem::path& path = paths_[index];
  const std::string where = path.filename().string() + ": ";
  std::vector<std::byte> bytes;
  try {
    bytes = read_file(path, kFileLimit);
  } catch (const Error& e) {
    // The caller says which sample it asked for, by its id.
    std::string text = e.what();
    if (text.starts_with(where)) text.erase(0, where.size());
    throw FormatError(text);
  }
  std::string now = sha256_hex(bytes);
  const std::lock_guard lock(mutex_);
  std::string& first = digests_[index];
  if (first.empty())
    first = std::move(now);
  else if (first != now)
    throw FormatError("has changed since it was first read; expected the same bytes");
  return bytes;
}

std::string content_of(const Image& image) {
  const bool reals = image.bits == 0;
  const std::span<const std::byte> values =
      reals ? std::as_bytes(std::span(image.reals)) : std::as_bytes(std::span(image.pixels));
  const std::size_t one = reals ? sizeof(float) : sizeof(std::uint16_t);
  if (all_alike(values, static_cast<std::size_t>(image.channels) * one)) return {};
  return fmt::format("{} {} {} {} {}", image.height, image.width, image.channels, image.bits, content_hash(values));
}

std::string id_of(const std::string& path) {
  if (printable(path, std::string::npos) == path) return path;
  std::string id;
  for (const char c : path) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x20 && byte < 0x7f)
      id += c;
    else
      id += fmt::format("\\x{:02x}", byte);
  }
  return id;
}

}  // namespace shiftnorm::imaging
