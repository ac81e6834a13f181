#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "dicom/listing.hpp"
#include "shiftnorm/imaging/dataset.hpp"

namespace shiftnorm::imaging::dicom {

/// What the values of an attribute say of objects.
struct TagLabels {
  std::vector<std::string> classes;
  std::vector<std::int32_t> labels;  ///< of each object; -1: no value, or none of the map
  std::int64_t unused = 0;           ///< values of the map that no object has
};

/// Classes of objects by `label.tag`, the last of ObjectFacts::tags. A map's value fits as `where` does: the whole
/// text or one of its parts, whatever the case; without a map the whole text is the class. `given`: DatasetOptions.
/// Errors  ConfigError: a tag without a map whose values might identify a person or place, a map with one value for two
///         classes, a class that is none of those given; FormatError: objects with values of several classes.
[[nodiscard]] TagLabels tag_labels(const TagLabel& label, const std::vector<std::string>& given,
                                   std::span<const Found> objects);

}  // namespace shiftnorm::imaging::dicom
