#include "dicom/pixel_rules.hpp"

#include <dcmtk/config/osconfig.h>
#include <dcmtk/dcmdata/dcdeftag.h>
#include <dcmtk/dcmdata/dcitem.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "dicom/attributes.hpp"
#include "dicom/fault.hpp"

namespace shiftnorm::imaging::dicom {
namespace {

[[noreturn]] void bad_module(const std::string& what) { throw Fault(Reason::bad_pixel_module, what); }

std::int64_t required(DcmItem& item, const DcmTagKey& key, std::string_view name) {
  const auto value = unsigned_number(item, key);
  if (!value) bad_module(fmt::format("{} is missing or not a number", name));
  return *value;
}

std::int64_t read_frames(DcmItem& item) {
  const std::string given = text(item, DCM_NumberOfFrames);
  if (given.empty()) return 1;
  const auto number = decimal(given);
  if (!number || *number < 1 || *number != std::floor(*number)) bad_module("NumberOfFrames is not a positive integer");
  return *number > 1e15 ? std::int64_t{1'000'000'000'000'000} : static_cast<std::int64_t>(*number);
}

void check_limits(const PixelModule& m, const Limits& limits) {
  const auto over = [](std::string_view what, auto found, auto most) {
    throw Fault(Reason::limit, fmt::format("{} {}; expected at most {}", found, what, most));
  };
  if (m.rows > limits.side) over("rows", m.rows, limits.side);
  if (m.columns > limits.side) over("columns", m.columns, limits.side);
  if (m.rows * m.columns > limits.frame_pixels) over("pixels in a frame", m.rows * m.columns, limits.frame_pixels);
  if (m.frames > limits.frames) over("frames", m.frames, limits.frames);
  const auto frame = static_cast<std::uint64_t>(m.frame_values() * m.value_bytes());
  if (static_cast<std::uint64_t>(m.frames) > limits.decoded_bytes / frame)
    over("frames of that size", m.frames, limits.decoded_bytes / frame);
}

// ---- functional groups

/// The item of functional group `group` that holds for a frame, or the data set itself where it applies.
struct Places {
  DcmItem& data_set;
  std::int64_t frame;

  /// Per-frame, then shared; nullptr if neither has the group. An item without values says nothing.
  [[nodiscard]] DcmItem* group(const DcmTagKey& key) const {
    const auto in = [&](DcmItem* groups) {
      DcmItem* found = groups == nullptr ? nullptr : item_of(*groups, key);
      return found == nullptr || is_empty(*found) ? nullptr : found;
    };
    DcmItem* own = in(item_of(data_set, DCM_PerFrameFunctionalGroupsSequence, frame));
    return own != nullptr ? own : in(item_of(data_set, DCM_SharedFunctionalGroupsSequence));
  }
  [[nodiscard]] DcmItem& group_or_data_set(const DcmTagKey& key) const {
    DcmItem* found = group(key);
    return found != nullptr ? *found : data_set;
  }
};

// ---- tables

/// `descriptor` is entries, first value mapped, bits; 0 entries mean 65536.
std::optional<LookupTable> make_table(const std::vector<std::uint16_t>& descriptor, std::vector<std::uint16_t> data,
                                      bool first_is_signed) {
  if (descriptor.size() < 3) return std::nullopt;
  LookupTable table;
  const std::size_t n = descriptor[0] == 0 ? 65536 : descriptor[0];
  table.first = first_is_signed ? static_cast<std::int16_t>(descriptor[1]) : std::int64_t{descriptor[1]};
  table.bits = descriptor[2];
  if (table.bits < 1 || table.bits > 16 || data.empty()) return std::nullopt;
  // Tables of 8 bits may be packed, two entries in a word, the lower first.
  if (table.bits <= 8 && data.size() < n && data.size() == (n + 1) / 2) {
    std::vector<std::uint16_t> unpacked;
    for (const std::uint16_t word : data) {
      unpacked.push_back(word & 0xffU);
      unpacked.push_back(word >> 8);
    }
    data = std::move(unpacked);
  }
  if (data.size() < n) return std::nullopt;
  data.resize(n);
  table.entries = std::move(data);
  return table;
}

std::optional<LookupTable> read_table(DcmItem& item, bool first_is_signed) {
  return make_table(words(item, DCM_LUTDescriptor), words(item, DCM_LUTData),
                    first_is_signed || is_signed_short(item, DCM_LUTDescriptor));
}

// ---- steps of the chain

std::optional<double> rescale_number(DcmItem& item, const DcmTagKey& key, std::string_view name) {
  const std::vector<std::string> all = texts(item, key);
  if (all.empty() || (all.size() == 1 && all[0].empty())) return std::nullopt;
  const auto value = numbers(item, key).front();
  if (!value) throw Fault(Reason::bad_rescale, fmt::format("{} is not a finite number", name));
  return value;
}

/// Some writers put the sequence of an image without a table, and leave its item or the item's elements empty.
bool has_table(DcmItem& item) { return has_value(item, DCM_LUTDescriptor) || has_value(item, DCM_LUTData); }

void read_modality(const Places& places, const PixelModule& module, FrameRules& rules) {
  // XA and XRF: the table leads back to the beam's intensity and is not for display (PS3.3 C.8.7.2.1.1).
  if (rules.modality == "XA" || rules.modality == "RF") return;
  if (DcmItem* sequence = item_of(places.data_set, DCM_ModalityLUTSequence)) {
    if (has_table(*sequence)) {
      rules.modality_table = read_table(*sequence, module.is_signed);
      if (!rules.modality_table) throw Fault(Reason::bad_rescale, "the Modality LUT cannot be read");
      return;
    }
    rules.remarks.emplace_back("a Modality LUT sequence without a table: not applied");
  }
  DcmItem& from = places.group_or_data_set(DCM_PixelValueTransformationSequence);
  rules.slope = rescale_number(from, DCM_RescaleSlope, "RescaleSlope").value_or(1.0);
  rules.intercept = rescale_number(from, DCM_RescaleIntercept, "RescaleIntercept").value_or(0.0);
  if (rules.slope == 0) throw Fault(Reason::bad_rescale, "RescaleSlope is 0");
}

std::optional<VoiFunction> function_of(const std::string& name) {
  if (name.empty()) return VoiFunction::linear;
  const Named<VoiFunction>* known = kVoiFunctions.find(name);
  return known == nullptr ? std::nullopt : std::optional(known->value);
}

/// Can the values that enter the VOI step be negative?
bool can_be_negative(const PixelModule& module, const FrameRules& rules) {
  if (rules.modality_table) return false;
  const double low = module.is_signed ? -std::ldexp(1.0, module.bits_stored - 1) : 0.0;
  const double high = std::ldexp(1.0, module.is_signed ? module.bits_stored - 1 : module.bits_stored) - 1;
  return std::min(rules.slope * low, rules.slope * high) + rules.intercept < 0;
}

void read_voi(const Places& places, const PixelModule& module, FrameRules& rules) {
  DcmItem& from = places.group_or_data_set(DCM_FrameVOILUTSequence);
  const bool negative = can_be_negative(module, rules);
  for (std::int64_t i = 0; DcmItem* item = item_of(from, DCM_VOILUTSequence, i); ++i) {
    if (!has_table(*item)) continue;
    if (auto table = read_table(*item, negative))
      rules.voi_tables.push_back(std::move(*table));
    else
      rules.remarks.emplace_back("a VOI LUT that cannot be used");
  }
  const std::vector<std::optional<double>> centres = numbers(from, DCM_WindowCenter),
                                           widths = numbers(from, DCM_WindowWidth);
  const auto blank = [](const std::vector<std::string>& list, std::size_t i) {
    return i >= list.size() || list[i].empty();
  };
  const std::vector<std::string> given_centres = texts(from, DCM_WindowCenter),
                                 given_widths = texts(from, DCM_WindowWidth);
  const auto function = function_of(text(from, DCM_VOILUTFunction));
  for (std::size_t i = 0; i < std::min(centres.size(), widths.size()); ++i) {
    if (blank(given_centres, i) && blank(given_widths, i)) continue;
    const auto centre = centres[i], width = widths[i];
    const bool usable = centre && width && function && *width > 0 && (function != VoiFunction::linear || *width >= 1);
    if (usable)
      rules.windows.push_back({*centre, *width, *function});
    else
      rules.remarks.emplace_back("a window that cannot be used");
  }
}

void read_padding(DcmItem& data_set, const PixelModule& module, FrameRules& rules) {
  const auto value = stored_number(data_set, DCM_PixelPaddingValue, module.is_signed);
  if (!value) return;
  const auto limit = stored_number(data_set, DCM_PixelPaddingRangeLimit, module.is_signed).value_or(*value);
  rules.padding_low = std::min(*value, limit);
  rules.padding_high = std::max(*value, limit);
}

/// height / width of a pixel from "height\width" of `key`; nothing unless both are positive.
std::optional<double> ratio(DcmItem& item, const DcmTagKey& key) {
  const std::vector<std::optional<double>> both = numbers(item, key);
  if (both.size() < 2) return std::nullopt;
  const auto height = both[0], width = both[1];
  if (!height || !width || *height <= 0 || *width <= 0) return std::nullopt;
  return *height / *width;
}

double read_aspect(const Places& places) {
  if (const auto found = ratio(places.data_set, DCM_PixelAspectRatio)) return *found;
  if (const auto found = ratio(places.group_or_data_set(DCM_PixelMeasuresSequence), DCM_PixelSpacing)) return *found;
  return ratio(places.data_set, DCM_ImagerPixelSpacing).value_or(1.0);
}

// ---- palettes

/// PS3.3 C.7.9.2: opcode 0 lists entries, 1 draws a line from the last one, 2 repeats segments from an earlier place.
class Segments {
 public:
  Segments(const std::vector<std::uint16_t>& data, std::size_t most) : data_(data), most_(most) {}
  std::optional<std::vector<std::uint16_t>> expand() {
    if (!run(0, std::nullopt, false)) return std::nullopt;
    return out_;
  }

 private:
  /// Segments from word `at` on, to the end or `count` of them.
  bool run(std::size_t at, std::optional<std::size_t> count, bool nested) {
    for (std::size_t done = 0; count ? done < *count : at + 1 < data_.size(); ++done) {
      if (at + 1 >= data_.size()) return false;
      const unsigned opcode = data_[at], length = data_[at + 1];
      at += 2;
      if (opcode == 0) {
        if (data_.size() - at < length) return false;
        for (unsigned i = 0; i < length; ++i) out_.push_back(data_[at++]);
      } else if (opcode == 1) {
        if (at >= data_.size() || out_.empty()) return false;
        const double from = out_.back(), to = data_[at++];
        for (unsigned i = 1; i <= length; ++i)
          out_.push_back(static_cast<std::uint16_t>(std::lround(from + (to - from) * i / length)));
      } else if (opcode == 2 && !nested) {
        if (data_.size() - at < 2) return false;
        const std::size_t offset = (std::size_t{data_[at + 1]} << 16 | data_[at]) / 2;
        at += 2;
        if (offset >= data_.size() || !run(offset, length, true)) return false;
      } else {
        return false;
      }
      if (out_.size() > most_) return false;
    }
    return true;
  }

  const std::vector<std::uint16_t>& data_;
  std::size_t most_;
  std::vector<std::uint16_t> out_;
};

struct PaletteKeys {
  DcmTagKey descriptor, data, segmented;
};

void read_palette(DcmItem& data_set, const PixelModule& module, FrameRules& rules) {
  const std::array<PaletteKeys, 3> colours{
      {{DCM_RedPaletteColorLookupTableDescriptor, DCM_RedPaletteColorLookupTableData,
        DCM_SegmentedRedPaletteColorLookupTableData},
       {DCM_GreenPaletteColorLookupTableDescriptor, DCM_GreenPaletteColorLookupTableData,
        DCM_SegmentedGreenPaletteColorLookupTableData},
       {DCM_BluePaletteColorLookupTableDescriptor, DCM_BluePaletteColorLookupTableData,
        DCM_SegmentedBluePaletteColorLookupTableData}}};
  for (const PaletteKeys& keys : colours) {
    const std::vector<std::uint16_t> descriptor = words(data_set, keys.descriptor);
    std::vector<std::uint16_t> data = words(data_set, keys.data);
    if (data.empty() && descriptor.size() >= 3) {
      const std::size_t n = descriptor[0] == 0 ? 65536 : descriptor[0];
      data = Segments(words(data_set, keys.segmented), n).expand().value_or(std::vector<std::uint16_t>{});
    }
    auto table = make_table(descriptor, std::move(data), module.is_signed);
    if (!table) bad_module("a palette table is missing or cannot be read");
    rules.palette.push_back(std::move(*table));
  }
}

}  // namespace

PixelModule read_pixel_module(DcmItem& data_set, const Limits& limits) {
  PixelModule m;
  m.samples = required(data_set, DCM_SamplesPerPixel, "SamplesPerPixel");
  m.rows = required(data_set, DCM_Rows, "Rows");
  m.columns = required(data_set, DCM_Columns, "Columns");
  m.bits_allocated = static_cast<int>(required(data_set, DCM_BitsAllocated, "BitsAllocated"));
  m.bits_stored = static_cast<int>(required(data_set, DCM_BitsStored, "BitsStored"));
  m.high_bit = static_cast<int>(unsigned_number(data_set, DCM_HighBit).value_or(m.bits_stored - 1));
  const std::int64_t representation = unsigned_number(data_set, DCM_PixelRepresentation).value_or(0);
  m.is_signed = representation == 1;
  m.frames = read_frames(data_set);

  if (m.rows < 1 || m.columns < 1) bad_module(fmt::format("{} x {} pixels; expected at least 1", m.rows, m.columns));
  if (m.samples != 1 && m.samples != 3) bad_module(fmt::format("{} samples per pixel; expected 1 or 3", m.samples));
  constexpr std::array<int, 4> kAllocated{1, 8, 16, 32};
  if (std::ranges::find(kAllocated, m.bits_allocated) == kAllocated.end())
    bad_module(fmt::format("{} bits allocated; expected 1, 8, 16 or 32", m.bits_allocated));
  if (m.bits_stored < 1 || m.bits_stored > m.bits_allocated)
    bad_module(fmt::format("{} bits stored of {} allocated", m.bits_stored, m.bits_allocated));
  if (m.high_bit < m.bits_stored - 1 || m.high_bit >= m.bits_allocated)
    bad_module(fmt::format("high bit {} with {} of {} bits", m.high_bit, m.bits_stored, m.bits_allocated));
  if (representation > 1) bad_module(fmt::format("pixel representation {}; expected 0 or 1", representation));

  const std::string photometric = text(data_set, DCM_PhotometricInterpretation);
  const PhotometricFacts* found = kPhotometrics.find(photometric);
  if (found == nullptr) bad_module("the photometric interpretation is missing or not supported");
  if (found->samples != m.samples) bad_module(fmt::format("{} with {} samples per pixel", found->name, m.samples));
  // PS3.3 C.7.6.3.1.2: the least sample of a colour is not intensity at all, which a negative one could not be.
  if (m.samples == 3 && m.is_signed) bad_module(fmt::format("{} with signed samples; expected unsigned", found->name));
  m.photometric = found->value;
  m.planar = m.samples > 1 && unsigned_number(data_set, DCM_PlanarConfiguration).value_or(0) == 1;
  check_limits(m, limits);
  return m;
}

FrameRules read_frame_rules(DcmItem& data_set, const PixelModule& module, std::int64_t frame) {
  const Places places{data_set, frame};
  FrameRules rules;
  rules.modality = text(data_set, DCM_Modality);
  rules.aspect = read_aspect(places);
  if (module.photometric == Photometric::palette) read_palette(data_set, module, rules);
  if (!module.grey()) return rules;
  read_modality(places, module, rules);
  read_voi(places, module, rules);
  read_padding(data_set, module, rules);
  return rules;
}

}  // namespace shiftnorm::imaging::dicom
