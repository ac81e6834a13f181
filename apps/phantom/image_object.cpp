#include "image_object.hpp"

#include <dcmtk/dcmdata/dcdeftag.h>
#include <dcmtk/dcmdata/dcdict.h>
#include <dcmtk/dcmdata/dcpixel.h>
#include <dcmtk/dcmdata/dcpixseq.h>
#include <dcmtk/dcmdata/dcpxitem.h>
#include <dcmtk/dcmdata/dcrleerg.h>
#include <dcmtk/dcmdata/dcuid.h>
#include <dcmtk/dcmjpeg/djencode.h>
#include <dcmtk/dcmjpls/djencode.h>
#include <fmt/format.h>

#include <array>
#include <cmath>
#include <vector>

#include "jpeg_2000.hpp"
#include "random.hpp"
#include "scanner.hpp"
#include "shiftnorm/core/error.hpp"

namespace shiftnorm::phantom {
namespace {

constexpr int kBits = 12;
constexpr double kMost = (1 << kBits) - 1;

/// What a make of scanner writes. Modality values are slope * stored + intercept; the window spans them exactly.
struct Device {
  const char* manufacturer;
  const char* model;
  const char* modality;
  const char* sop_class;
  const char* kvp;
  bool inverted;  ///< MONOCHROME1
  double slope, intercept;
  const char* function;  ///< of its window
};
constexpr std::array kDevices{
    Device{"AlphaRay", "AR-1", "CR", UID_ComputedRadiographyImageStorage, "120", false, 1, 0, "LINEAR"},
    Device{"BetaScan", "BS-2", "DX", UID_DigitalXRayImageStorageForPresentation, "110", true, 2, -1000, "LINEAR_EXACT"},
};
static_assert(kDevices.size() == kScanners.size());

void require(const OFCondition& status, std::string_view what) {
  if (status.bad()) throw Error(fmt::format("{}: {}", what, status.text()));
}

/// Writes text and numbers under their keywords.
class Writer {
 public:
  explicit Writer(DcmItem& item) : item_(item) {}
  Writer& text(const DcmTag& tag, const std::string& value) {
    require(item_.putAndInsertString(tag, value.c_str()), "an attribute");
    return *this;
  }
  Writer& number(const DcmTagKey& key, int value) {
    require(item_.putAndInsertUint16(key, static_cast<Uint16>(value)), "an attribute");
    return *this;
  }
  Writer& code(const DcmTagKey& sequence, const std::string& value, const std::string& scheme,
               const std::string& meaning) {
    DcmItem* item = nullptr;
    require(item_.findOrCreateSequenceItem(sequence, item, -2), "a sequence");
    Writer(*item).text(DCM_CodeValue, value).text(DCM_CodingSchemeDesignator, scheme).text(DCM_CodeMeaning, meaning);
    return *this;
  }

 private:
  DcmItem& item_;
};

enum Level : std::uint64_t { kStudy = 1, kSeries, kImage, kReport };

std::string uid_at(const Exposure& e, Level level, std::uint64_t seed) {
  const auto number = [](std::int64_t n) { return static_cast<std::uint64_t>(n); };
  const std::array place{std::uint64_t{level}, std::uint64_t{e.scanner}, number(e.patient), number(e.study),
                         level == kStudy ? 0 : number(e.series)};
  return uid_of(seed, place);
}

/// Patient, study, series and make: what every object of the archive has.
void describe(Writer& w, const Exposure& e, std::uint64_t seed) {
  const Device& device = kDevices[e.scanner];
  const std::string_view scanner = kScanners[e.scanner].name;
  w.text(DcmTag(0x0008, 0x001c, EVR_CS), "YES");  // SyntheticData
  w.text(DCM_PatientName, fmt::format("PHANTOM^{}{:05}^^^SYNTHETIC", scanner, e.patient));
  w.text(DCM_PatientID, fmt::format("SYNTHETIC-{}{:05}", scanner, e.patient));
  w.text(DCM_PatientBirthDate, "19000101").text(DCM_PatientSex, "O");
  w.text(DCM_PatientComments, "Synthetic: no person is behind this object");
  w.text(DCM_StudyInstanceUID, uid_at(e, kStudy, seed)).text(DCM_StudyID, fmt::format("{}", e.study));
  w.text(DCM_StudyDate, fmt::format("1900{:02}01", e.study)).text(DCM_StudyTime, "120000");
  w.text(DCM_AccessionNumber, accession_number(e)).text(DCM_ReferringPhysicianName, "PHANTOM^REFERRER");
  w.text(DCM_StudyDescription, "Synthetic chest").text(DCM_InstitutionName, "Phantom Hospital (synthetic)");
  w.text(DCM_Manufacturer, device.manufacturer).text(DCM_ManufacturerModelName, device.model);
  w.text(DCM_StationName, fmt::format("PHANTOM-{}", scanner)).text(DCM_DeviceSerialNumber, "0000");
}

void describe_pixels(Writer& w, const Device& device, std::size_t side) {
  const double low = device.intercept, high = device.slope * kMost + device.intercept;
  const bool exact = std::string_view(device.function) == "LINEAR_EXACT";
  // PS3.3 C.11.2.1.2: LINEAR ends at c - 0.5 +- (w - 1) / 2, LINEAR_EXACT at c +- w / 2.
  const double centre = (low + high) / 2 + (exact ? 0 : 0.5), width = high - low + (exact ? 0 : 1);
  const std::string photometric = device.inverted ? "MONOCHROME1" : "MONOCHROME2";
  w.number(DCM_SamplesPerPixel, 1).text(DCM_PhotometricInterpretation, photometric);
  w.number(DCM_Rows, static_cast<int>(side)).number(DCM_Columns, static_cast<int>(side));
  w.number(DCM_BitsAllocated, 16).number(DCM_BitsStored, kBits).number(DCM_HighBit, kBits - 1);
  w.number(DCM_PixelRepresentation, 0);
  w.text(DCM_RescaleSlope, fmt::format("{}", device.slope)).text(DCM_RescaleIntercept, fmt::format("{}", low));
  w.text(DCM_RescaleType, "US").text(DCM_VOILUTFunction, device.function);
  w.text(DCM_WindowCenter, fmt::format("{}", centre)).text(DCM_WindowWidth, fmt::format("{}", width));
  w.text(DCM_PresentationLUTShape, device.inverted ? "INVERSE" : "IDENTITY");
  w.text(DCM_BurnedInAnnotation, "NO").text(DCM_LossyImageCompression, "00");
}

/// 430 mm of detector over `side` pixels.
std::string spacing(std::size_t side) { return fmt::format("{0:.6f}\\{0:.6f}", 430.0 / static_cast<double>(side)); }

void put_jpeg_2000(DcmItem& item, std::span<const Uint16> values, std::size_t side) {
  std::vector<Uint8> stream = encode_jpeg_2000(values, side, kBits);
  if (stream.size() % 2 != 0) stream.push_back(0);
  auto sequence = std::make_unique<DcmPixelSequence>(DcmTag(DCM_PixelData, EVR_OB));
  require(sequence->insert(new DcmPixelItem(DcmTag(DCM_PixelItemTag, EVR_OB))), "the offset table");
  auto fragment = std::make_unique<DcmPixelItem>(DcmTag(DCM_PixelItemTag, EVR_OB));
  require(fragment->putUint8Array(stream.data(), static_cast<unsigned long>(stream.size())), "the codestream");
  require(sequence->insert(fragment.release()), "the codestream");
  auto pixels = std::make_unique<DcmPixelData>(DCM_PixelData);
  pixels->putOriginalRepresentation(EXS_JPEG2000LosslessOnly, nullptr, sequence.release());
  require(item.insert(pixels.release()), "the pixel data");
}

}  // namespace

Encoders::Encoders() {
  if (!dcmDataDict.isDictionaryLoaded())
    throw MachineError("DCMTK's data dictionary is missing; expected the one that its package installs");
  DcmRLEEncoderRegistration::registerCodecs();
  DJEncoderRegistration::registerCodecs();
  // Raw: the stored values themselves, not a rendering of them.
  DJLSEncoderRegistration::registerCodecs(0, 0, 0, 0, OFFalse);
}
Encoders::~Encoders() {
  DJLSEncoderRegistration::cleanup();
  DJEncoderRegistration::cleanup();
  DcmRLEEncoderRegistration::cleanup();
}

std::string uid_of(std::uint64_t seed, std::span<const std::uint64_t> place) {
  for (const std::uint64_t part : place) seed = mixed(seed, part);
  return fmt::format("2.25.{}", seed);  // PS3.5 B.2: roots that nobody has to register
}

std::string accession_number(const Exposure& e) {
  return fmt::format("SYN-{}{:05}-{}", kScanners[e.scanner].name, e.patient, e.study);
}

std::unique_ptr<DcmFileFormat> image_object(const Exposure& e, std::span<const double> levels, std::uint64_t seed,
                                            const Syntax& syntax) {
  const Device& device = kDevices[e.scanner];
  const auto side = static_cast<std::size_t>(std::lround(std::sqrt(static_cast<double>(levels.size()))));
  auto file = std::make_unique<DcmFileFormat>();
  DcmDataset& data = *file->getDataset();
  Writer w(data);
  describe(w, e, seed);
  w.text(DCM_SOPClassUID, device.sop_class).text(DCM_SOPInstanceUID, uid_at(e, kImage, seed));
  w.text(DCM_Modality, device.modality).text(DCM_SeriesInstanceUID, uid_at(e, kSeries, seed));
  w.text(DCM_SeriesNumber, fmt::format("{}", e.series)).text(DCM_InstanceNumber, "1");
  w.text(DCM_ImageType, "ORIGINAL\\PRIMARY").text(DCM_BodyPartExamined, "CHEST").text(DCM_ViewPosition, "PA");
  w.text(DCM_PatientOrientation, "L\\F").text(DCM_KVP, device.kvp).text(DCM_ImagerPixelSpacing, spacing(side));
  if (std::string_view(device.modality) == "DX") w.text(DCM_PresentationIntentType, "FOR PRESENTATION");
  describe_pixels(w, device, side);

  std::vector<Uint16> values;
  values.reserve(levels.size());
  for (const double level : levels)
    values.push_back(static_cast<Uint16>(std::lround(kMost * (device.inverted ? 1 - level : level))));
  if (syntax.code == EXS_JPEG2000LosslessOnly) {
    put_jpeg_2000(data, values, side);
    return file;
  }
  require(data.putAndInsertUint16Array(DCM_PixelData, values.data(), static_cast<unsigned long>(values.size())),
          "the pixel data");
  require(data.chooseRepresentation(syntax.code, nullptr), syntax.name);
  return file;
}

std::unique_ptr<DcmFileFormat> report_object(std::size_t scanner, std::uint64_t seed) {
  Exposure e{.scanner = scanner};
  e.series = 9;
  auto file = std::make_unique<DcmFileFormat>();
  Writer w(*file->getDataset());
  describe(w, e, seed);
  w.text(DCM_SOPClassUID, UID_BasicTextSRStorage).text(DCM_SOPInstanceUID, uid_at(e, kReport, seed));
  w.text(DCM_Modality, "SR").text(DCM_SeriesInstanceUID, uid_at(e, kSeries, seed));
  w.text(DCM_SeriesNumber, fmt::format("{}", e.series)).text(DCM_InstanceNumber, "1");
  w.text(DCM_ContentDate, "19000101").text(DCM_ContentTime, "120000");
  w.text(DCM_CompletionFlag, "COMPLETE").text(DCM_VerificationFlag, "UNVERIFIED");
  w.text(DCM_ValueType, "CONTAINER").text(DCM_ContinuityOfContent, "SEPARATE");
  w.code(DCM_ConceptNameCodeSequence, "18782-3", "LN", "Radiology Study observation");
  DcmItem* content = nullptr;
  require(file->getDataset()->findOrCreateSequenceItem(DCM_ContentSequence, content, -2), "the content");
  Writer(*content)
      .text(DCM_RelationshipType, "CONTAINS")
      .text(DCM_ValueType, "TEXT")
      .code(DCM_ConceptNameCodeSequence, "121071", "DCM", "Finding")
      .text(DCM_TextValue, "Synthetic report on a synthetic chest");
  return file;
}

}  // namespace shiftnorm::phantom
