#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "dicom/helper_pool.hpp"
#include "dicom/source_walk.hpp"
#include "shiftnorm/imaging/dataset.hpp"

namespace shiftnorm::imaging::dicom {

/// A source that holds an image object.
struct Found {
  Source source;
  ObjectFacts facts;
  FileStamp stamp;
};

/// What listing gives, in the order of `shown`.
struct Listing {
  std::vector<Found> images;
  struct Left {
    Source source;
    std::string reason;  ///< of a skip, or the text of a fault
    std::string kind;    ///< the fault's name; empty: skipped on purpose
    std::optional<std::uint64_t> offset;
    FileStamp stamp;
  };
  std::vector<Left> skipped, bad;
};

/// Walks, looks into archives, reads every header through helpers, and resolves duplicates by SOPInstanceUID: same
/// stored values are skipped, different ones are the fault uid-conflict.
[[nodiscard]] Listing list_objects(const std::filesystem::path& where, const DatasetOptions& options, HelperPool& pool);

/// Without blanks around it or several in a row, in lower case: how values of attributes are compared.
[[nodiscard]] std::string comparable(std::string_view value);
/// Whether `text`, or one of its parts between backslashes, is `value`; both are comparable().
[[nodiscard]] bool has_value(std::string_view text, std::string_view value);

/// First bytes of a file, fewer if it is shorter or cannot be read.
[[nodiscard]] std::vector<std::byte> head_of(const std::filesystem::path& file);
[[nodiscard]] bool has_zip_magic(std::span<const std::byte> head);

}  // namespace shiftnorm::imaging::dicom
