#include "shiftnorm/imaging/dataset.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <set>

#include "shiftnorm/core/error.hpp"
#include "shiftnorm/core/text.hpp"

namespace shiftnorm::imaging {

void check_classes(std::span<const std::string> names) {
  std::set<std::string_view> seen;
  for (const std::string& name : names)
    if (!seen.insert(name).second)
      throw ConfigError(fmt::format("'{}' is named twice; expected each class once", printable(name)));
}

const std::vector<Bad>& Dataset::bad() const {
  static const std::vector<Bad> none;
  return none;
}

const std::vector<Bad>& Dataset::skipped_files() const {
  static const std::vector<Bad> none;
  return none;
}

std::vector<std::string> Dataset::notes(const Pipeline&) const { return {}; }

bool names_nobody(std::string_view attribute) {
  constexpr std::array<std::string_view, 17> kTechnical{"Modality",
                                                        "Manufacturer",
                                                        "ManufacturerModelName",
                                                        "KVP",
                                                        "ViewPosition",
                                                        "Laterality",
                                                        "ImageLaterality",
                                                        "FrameLaterality",
                                                        "BodyPartExamined",
                                                        "PatientSex",
                                                        "PatientPosition",
                                                        "PatientOrientation",
                                                        "TransferSyntaxUID",
                                                        "SOPClassUID",
                                                        "ImageType",
                                                        "PhotometricInterpretation",
                                                        "PresentationLUTShape"};
  return std::ranges::find(kTechnical, attribute) != kTechnical.end();
}

bool tells_patients(const Dataset& data) {
  return data.reader() == Reader::dicom ||
         std::ranges::any_of(data.samples(), [](const Sample& sample) { return !sample.patient.empty(); });
}

std::string shown_name(const Dataset& data, const std::string& where) {
  if (data.reader() == Reader::dicom) return "DICOM data";
  if (tells_patients(data)) return "data of patients";
  const std::filesystem::path path = std::filesystem::path(where).lexically_normal();
  return path.has_filename() ? path.filename().string() : path.parent_path().filename().string();
}

std::optional<PixelAudit> Dataset::audit(std::size_t) const { return std::nullopt; }

}  // namespace shiftnorm::imaging
