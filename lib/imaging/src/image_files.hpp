#pragma once

#include <filesystem>
#include <mutex>
#include <string>
#include <vector>

#include "contents.hpp"
#include "shiftnorm/imaging/dataset.hpp"

namespace shiftnorm::imaging {

/// Image files that are read and decoded when asked for. Safe from several threads.
class ImageFiles {
 public:
  explicit ImageFiles(std::vector<std::filesystem::path> paths);
  /// Errors  FormatError, UnsupportedError: what is wrong, without the file's name; also if its bytes changed
  ///         since they were first read.
  [[nodiscard]] Image decode(std::size_t index) const;
  /// SHA-256 of the stored bytes, "unreadable" where there are none.
  [[nodiscard]] std::string digest(std::size_t index) const;
  /// As Dataset::content().
  [[nodiscard]] std::string content(std::size_t index) const;

 private:
  [[nodiscard]] std::string known_digest(std::size_t index) const;
  [[nodiscard]] std::vector<std::byte> read(std::size_t index) const;

  std::vector<std::filesystem::path> paths_;
  mutable std::mutex mutex_;
  mutable std::vector<std::string> digests_;  ///< as first read; empty until then
  mutable Contents contents_;
};

/// Dataset::content() of a decoded image.
[[nodiscard]] std::string content_of(const Image& image);

/// A path as an id: what cannot be printed (control bytes, invalid UTF-8) is escaped, so that every output can hold it.
[[nodiscard]] std::string id_of(const std::string& path);

}  // namespace shiftnorm::imaging
