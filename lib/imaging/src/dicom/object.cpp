#include "dicom/object.hpp"

#include <dcmtk/config/osconfig.h>
#include <dcmtk/dcmdata/dcdatset.h>
#include <dcmtk/dcmdata/dcdeftag.h>
#include <dcmtk/dcmdata/dcdict.h>
#include <dcmtk/dcmdata/dcistrmb.h>
#include <fmt/format.h>

#include <algorithm>

#include "dicom/attributes.hpp"
#include "dicom/codestream.hpp"
#include "dicom/codestream_colour.hpp"
#include "dicom/fault.hpp"
#include "dicom/frame_index.hpp"
#include "dicom/layout.hpp"
#include "dicom/pixel_data.hpp"
#include "dicom/pixel_rules.hpp"
#include "dicom/sop_class.hpp"

namespace shiftnorm::imaging::dicom {
namespace {

E_TransferSyntax encoding_of(const TransferSyntax& syntax) {
  if (!syntax.explicit_vr) return EXS_LittleEndianImplicit;
  if (syntax.big_endian) return EXS_BigEndianExplicit;
  // Syntaxes newer than the library: the header of every encapsulated one is the same.
  return syntax.packing == Packing::native ? EXS_LittleEndianExplicit : EXS_JPEG2000;
}

/// An attribute by keyword or "gggg,eeee".
std::optional<DcmTagKey> key_of(const std::string& name) {
  DcmTag tag;
  if (DcmTag::findTagFromName(name.c_str(), tag).good()) return tag;
  return std::nullopt;
}

std::string in_one(const std::vector<std::string>& values) { return fmt::format("{}", fmt::join(values, "\\")); }

}  // namespace

struct Object::State {
  std::vector<std::byte> file;
  Limits limits;
  Layout layout;
  mutable DcmDataset header;
  mutable std::optional<PixelModule> module;
  mutable std::optional<FrameIndex> index;  ///< encapsulated: once the module is known

  [[nodiscard]] std::span<const std::byte> bytes() const {
    return layout.syntax->deflated ? std::span<const std::byte>(layout.inflated) : std::span<const std::byte>(file);
  }
  void parse_header();
  /// The data set's, or else the meta header's, which some writers fill alone.
  [[nodiscard]] std::string sop_class() const {
    const std::string uid = text(header, DCM_SOPClassUID);
    return uid.empty() ? layout.sop_class : uid;
  }
  [[nodiscard]] std::string sop_instance() const {
    const std::string uid = text(header, DCM_SOPInstanceUID);
    return uid.empty() ? layout.sop_instance : uid;
  }
  [[nodiscard]] std::string why_skipped() const;
  [[nodiscard]] std::vector<std::string> contradictions() const;
};

void Object::State::parse_header() {
  const std::uint64_t end = layout.pixels ? layout.pixels->element : layout.end;
  const std::span<const std::byte> head = bytes().subspan(layout.data_set, end - layout.data_set);
  if (head.empty()) return;
  DcmInputBufferStream stream;
  stream.setBuffer(head.data(), static_cast<offile_off_t>(head.size()));
  stream.setEos();
  header.transferInit();
  const OFCondition status = header.read(stream, encoding_of(*layout.syntax), EGL_noChange);
  header.transferEnd();
  if (status.bad()) throw Fault(Reason::parse, "the header cannot be parsed");
}

std::string Object::State::why_skipped() const {
  const std::string uid = sop_class();
  const Kind kind = kind_of_class(uid);
  if (kind == Kind::directory) return "directory";
  if (item_of(header, DCM_DirectoryRecordSequence) != nullptr) return "directory";
  // What does not name its class itself must look like an image.
  const bool image = layout.pixels && has_value(header, DCM_Rows) && has_value(header, DCM_Columns);
  if (!image && text(header, DCM_SOPClassUID).empty()) return "no-sop-class";
  if (uid.empty() && !is_image_modality(text(header, DCM_Modality))) return "sop-class";
  if (kind == Kind::no_image) return "sop-class";
  if (kind == Kind::unknown && !layout.pixels) return "sop-class";
  if (text(header, DCM_ImageType, 2) == "LOCALIZER") return "localizer";
  if (text(header, DCM_PresentationIntentType) == "FOR PROCESSING") return "for-processing";
  return {};
}

/// Of the frames' colours, each once; damage is for the decoder to report.
std::vector<std::string> Object::State::contradictions() const {
  std::vector<std::string> out;
  if (!index || !module || module->samples != 3) return out;
  for (const std::vector<Range>& parts : index->frames) {
    try {
      // What precedes the first scan: tables, and texts of some kilobytes.
      constexpr std::uint64_t kHeadBytes = std::uint64_t{1} << 18;
      const std::string remark = colour_of(joined(bytes(), parts, kHeadBytes), layout, *module).remark;
      if (!remark.empty() && std::ranges::find(out, remark) == out.end()) out.push_back(remark);
    } catch (const Fault&) {
    }
  }
  return out;
}

Object::Object(std::vector<std::byte> file, const Limits& limits) : state_(std::make_unique<State>()) {
  state_->file = std::move(file);
  state_->limits = limits;
  state_->layout = read_layout(state_->file, limits);
  state_->parse_header();
}
Object::Object(Object&&) noexcept = default;
Object& Object::operator=(Object&&) noexcept = default;
Object::~Object() = default;

ObjectFacts Object::facts(std::span<const std::string> tags) const {
  const State& s = *state_;
  ObjectFacts facts;
  facts.transfer_syntax = s.layout.transfer_syntax;
  facts.skip = s.why_skipped();
  facts.sop_class = s.sop_class();
  facts.modality = text(s.header, DCM_Modality);
  facts.photometric = text(s.header, DCM_PhotometricInterpretation);
  facts.sop_instance = s.sop_instance();
  facts.series = text(s.header, DCM_SeriesInstanceUID);
  facts.study = text(s.header, DCM_StudyInstanceUID);
  facts.accession = text(s.header, DCM_AccessionNumber);
  facts.patient = text(s.header, DCM_PatientID);
  facts.issuer = text(s.header, DCM_IssuerOfPatientID);
  facts.study_date = text(s.header, DCM_StudyDate);
  facts.birth_date = text(s.header, DCM_PatientBirthDate);
  facts.sex = text(s.header, DCM_PatientSex);
  facts.every_frame = frames_are_slices(facts.sop_class);
  for (const std::string& name : tags) {
    const auto key = key_of(name);
    if (!key)
      throw ConfigError(fmt::format("'{}' is not a DICOM attribute; expected a keyword such as Modality", name));
    facts.tags.push_back(*key == DCM_TransferSyntaxUID ? facts.transfer_syntax : in_one(texts(s.header, *key)));
  }
  if (!facts.skip.empty()) return facts;
  const PixelModule& m = module();
  facts.rows = m.rows;
  facts.columns = m.columns;
  facts.frames = m.frames;
  facts.remarks = remarks();
  return facts;
}

std::vector<std::string> Object::remarks() const {
  const State& s = *state_;
  std::vector<std::string> out = s.layout.remarks;
  const auto add = [&](const std::string& remark) {
    if (!remark.empty() && std::ranges::find(out, remark) == out.end()) out.push_back(remark);
  };
  if (text(s.header, DCM_SOPClassUID).empty()) add("no SOP class");
  try {
    for (const std::string& remark : rules(0).remarks) add(remark);
  } catch (const Fault&) {
    // The object is bad, and says so when its turn comes.
  }
  if (s.index) add(s.index->remark);
  for (const std::string& remark : s.contradictions()) add(remark);
  return out;
}

const PixelModule& Object::module() const {
  const State& s = *state_;
  if (s.module) return *s.module;
  if (s.layout.syntax->packing == Packing::unsupported)
    throw Fault(Reason::unsupported_transfer_syntax,
                fmt::format("{} is not decoded by this program", s.layout.syntax->name));
  if (!s.layout.pixels || s.layout.pixels->element_number != 0x0010)
    throw Fault(Reason::missing_pixel_data, "an image object without pixel data");
  if (s.layout.has_dimensions_twice) throw Fault(Reason::geometry_mismatch, "the header gives its dimensions twice");
  const PixelModule module = read_pixel_module(s.header, s.limits);
  check_pixel_length(module, s.layout);
  if (s.layout.pixels->encapsulated) s.index = index_frames(s.bytes(), s.layout, module);
  s.module = module;
  return *s.module;
}

FrameRules Object::rules(std::int64_t frame) const { return read_frame_rules(state_->header, module(), frame); }

StoredFrame Object::frame(std::int64_t index) const {
  const PixelModule& m = module();
  if (index < 0 || index >= m.frames) throw Error(fmt::format("frame {} of {}", index, m.frames));
  const State& s = *state_;
  if (!s.index) return native_frame(s.bytes(), s.layout, m, index);
  return decoded_frame(joined(s.bytes(), s.index->frames.at(static_cast<std::size_t>(index))), s.layout, m);
}

}  // namespace shiftnorm::imaging::dicom
