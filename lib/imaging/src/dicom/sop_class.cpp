#include "dicom/sop_class.hpp"

#include <algorithm>
#include <array>

namespace shiftnorm::imaging::dicom {
namespace {

constexpr std::string_view kStorage = "1.2.840.10008.5.1.4.1.1.";
constexpr std::string_view kDirectory = "1.2.840.10008.1.3.10";

// Behind kStorage; a trailing '.' takes the whole branch. PS3.4 annex B.5 and GG.3.
constexpr std::array<std::string_view, 26> kNoImages{
    "4.2",            // MR spectroscopy
    "8",              // standalone overlay
    "9",      "9.",   // standalone curve, waveforms
    "10",             // standalone modality LUT
    "11",     "11.",  // standalone VOI LUT, presentation states
    "30",             // parametric map
    "66",     "66.",  // raw data, registration, fiducials, segmentation, surfaces, tracts
    "67",             // real world value mapping
    "68.",            // surface scans
    "77.1.6",         // whole slide tiles
    "78.",            // lensometry and other measurements
    "79.1",   "80.1", "81.1", "82.1",
    "88.",   // structured reports
    "90.1",  // content assessment
    "91.1",  // bulk annotations
    "104.",  // encapsulated documents
    "129",   // PET curve
    "131",   // basic structured display
    "200.",  // protocols
    "201.",  // storage management
};
// Procedures, hanging protocols, palettes, implants.
constexpr std::array<std::string_view, 5> kNoImageBranches{"1.2.840.10008.5.1.4.34.", "1.2.840.10008.5.1.4.38.",
                                                           "1.2.840.10008.5.1.4.39.", "1.2.840.10008.5.1.4.43.",
                                                           "1.2.840.10008.5.1.4.44."};
constexpr std::array<std::string_view, 7> kSliced{"2.1", "2.2", "4.1", "4.3", "4.4", "128.1", "130"};

bool matches(std::string_view rest, std::string_view entry) {
  return entry.back() == '.' ? rest.starts_with(entry) : rest == entry;
}

}  // namespace

Kind kind_of_class(std::string_view uid) {
  if (uid == kDirectory) return Kind::directory;
  if (std::ranges::any_of(kNoImageBranches, [&](std::string_view branch) { return uid.starts_with(branch); }))
    return Kind::no_image;
  if (!uid.starts_with(kStorage)) return Kind::unknown;
  const std::string_view rest = uid.substr(kStorage.size());
  if (std::ranges::any_of(kNoImages, [&](std::string_view entry) { return matches(rest, entry); }))
    return Kind::no_image;
  // Of the radiotherapy objects RT Image alone is one.
  if (rest.starts_with("481.") && rest != "481.1") return Kind::no_image;
  return Kind::image;
}

bool is_image_modality(std::string_view modality) {
  constexpr std::array<std::string_view, 5> kOthers{"SEG", "RTDOSE", "RTSTRUCT", "RWV", "SM"};
  return std::ranges::find(kOthers, modality) == kOthers.end();
}

bool frames_are_slices(std::string_view uid) {
  return uid.starts_with(kStorage) && std::ranges::find(kSliced, uid.substr(kStorage.size())) != kSliced.end();
}

}  // namespace shiftnorm::imaging::dicom
