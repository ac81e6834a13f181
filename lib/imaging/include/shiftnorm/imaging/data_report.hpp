#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "shiftnorm/imaging/dataset.hpp"
#include "shiftnorm/imaging/histogram.hpp"

/// What a data set holds: filled by toolkit's inspect_data(), read by report's pages, which know nothing of each other.
namespace shiftnorm::imaging {

/// How many images have each value of something.
struct Tally {
  std::string key;    ///< in JSON: "modalities"
  std::string title;  ///< for people: "Modality"
  std::map<std::string, std::int64_t> counts;
  std::map<std::string, std::string> names{};  ///< what people call some of the values
  [[nodiscard]] std::string shown(const std::string& value) const {
    const auto name = names.find(value);
    return name == names.end() || name->second.empty() ? value : name->second + " (" + value + ")";
  }
};

/// Intensities of many images together.
struct Distribution {
  std::string name;  ///< "CR", "uint8", "channel 1"
  Histogram histogram;
  double mean = 0;
  std::optional<double> deviation;  ///< population
};

/// A small picture, in rows from the top. Only where the user asked for pictures.
struct Thumbnail {
  std::string id;
  std::int64_t height = 0, width = 0, channels = 1;  ///< 1 or 3, interleaved
  std::vector<std::uint8_t> values;
};

/// What is in a data set, and what would be left out of it. Holds nothing that names a person, place or date: whoever
/// fills it masks values that do.
struct DataReport {
  std::string name;    ///< what to call the data; no folder
  std::string reader;  ///< "folder", "array", "table", "dicom"
  std::string program_version;
  std::int64_t images = 0;   ///< files (DICOM: objects; arrays: samples) that can be used
  std::int64_t samples = 0;  ///< what enters a network: some frames of each object
  std::int64_t skipped = 0;
  std::optional<std::int64_t> patients, studies, series, frames;
  std::vector<Tally> tallies;
  std::optional<LabelCounts> labels;
  std::vector<Bad> bad;              ///< what quarantine.csv would list
  std::vector<Bad> skipped_files;    ///< where the reader lists them one by one
  std::vector<Distribution> before;  ///< as stored; DICOM: after the modality step, padding left out
  std::vector<Distribution> after;   ///< what the network gets; empty without a preprocessing
  std::string preprocess, preprocess_sha256;
  std::vector<std::string> notes;
  std::vector<Thumbnail> thumbnails;
  std::int64_t withheld = 0;  ///< pictures asked for and not shown: they may carry a name in their pixels
  std::string fingerprint;
};

}  // namespace shiftnorm::imaging
