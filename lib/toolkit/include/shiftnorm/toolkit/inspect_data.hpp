#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "shiftnorm/container/json.hpp"
#include "shiftnorm/imaging/data_report.hpp"
#include "shiftnorm/imaging/dataset.hpp"
#include "shiftnorm/imaging/transform.hpp"
#include "shiftnorm/toolkit/events.hpp"

namespace shiftnorm::toolkit {

/// What one sample of a data set holds, or why it is bad.
struct Finding {
  std::string id, format, sha256, dtype, bad, kind;
  std::vector<std::int64_t> shape;
  double min = 0, max = 0, mean = 0;
  std::int64_t values = 0;                                 ///< that `mean` is over
  std::string transfer_syntax, transfer_syntax_name, voi;  ///< DICOM; empty: none
  std::optional<double> voi_mean;
  std::vector<std::string> remarks;  ///< as PixelAudit has them
  std::string group;                 ///< of the histograms: whose intensities may be put together
  bool counted = true;               ///< false: a further frame of an object that has its finding
};

/// Everything that was looked at: a finding for each sample, and the intensities of all good ones by group.
struct Findings {
  std::vector<Finding> samples;
  std::map<std::string, imaging::Histogram> intensities;
};

struct InspectDataOptions {
  std::string where;                      ///< as imaging::open_dataset takes it
  imaging::DatasetOptions dataset = {};   ///< what is counted of its attributes is added here
  std::vector<std::string> domains = {};  ///< more columns or attributes to count by
  bool show_domains = false;              ///< values that identify a site by their names, not as domain-1, domain-2 ..
  bool pixels = false;                    ///< hashes of image files' values too
  std::optional<imaging::Pipeline> preprocess = {};  ///< also the intensities after it
  std::int64_t thumbnails = 0;  ///< so many good images, small; those that may carry a name in their pixels
                                ///< (docs/reference/dicom.md#privacy) are counted instead
  int threads = 1;              ///< what is found does not depend on their number
  Events events = {};
};

struct InspectedData {
  std::shared_ptr<const imaging::Dataset> dataset;
  Findings findings;
  imaging::DataReport report;
};

/// Decodes every sample and counts what it finds. A file that cannot be used is a finding, no error.
/// Errors  as imaging::open_dataset and, with a preprocessing, imaging::SampleStore.
[[nodiscard]] InspectedData inspect_data(const InspectDataOptions& options);

/// `pixels` of the JSON document: good and bad samples, then files that are bad or left out.
[[nodiscard]] container::Json pixels_json(const InspectedData& data);
/// "512 x 512 x 1"
[[nodiscard]] std::string size_text(const std::vector<std::int64_t>& shape);

}  // namespace shiftnorm::toolkit
