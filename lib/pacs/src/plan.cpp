#include "plan.hpp"

#include <algorithm>
#include <array>
#include <iterator>
#include <utility>

#include "sop_classes.hpp"

namespace shiftnorm::pacs {
namespace {

constexpr std::array<std::string_view, 30> kSyntaxes{
    "1.2.840.10008.1.2",        // implicit little endian
    "1.2.840.10008.1.2.1",      // explicit little endian
    "1.2.840.10008.1.2.2",      // explicit big endian
    "1.2.840.10008.1.2.1.99",   // deflated
    "1.2.840.10008.1.2.5",      // RLE
    "1.2.840.10008.1.2.4.50",   // JPEG baseline
    "1.2.840.10008.1.2.4.51",   // JPEG extended
    "1.2.840.10008.1.2.4.53",   // JPEG spectral selection, retired
    "1.2.840.10008.1.2.4.55",   // JPEG full progression, retired
    "1.2.840.10008.1.2.4.57",   // JPEG lossless
    "1.2.840.10008.1.2.4.70",   // JPEG lossless, first order
    "1.2.840.10008.1.2.4.80",   // JPEG-LS lossless
    "1.2.840.10008.1.2.4.81",   // JPEG-LS near-lossless
    "1.2.840.10008.1.2.4.90",   // JPEG 2000 lossless
    "1.2.840.10008.1.2.4.91",   // JPEG 2000
    "1.2.840.10008.1.2.4.92",   // JPEG 2000 part 2 lossless
    "1.2.840.10008.1.2.4.93",   // JPEG 2000 part 2
    "1.2.840.10008.1.2.4.201",  // HTJ2K lossless
    "1.2.840.10008.1.2.4.202",  // HTJ2K lossless, RPCL
    "1.2.840.10008.1.2.4.203",  // HTJ2K
    "1.2.840.10008.1.2.4.100",  // MPEG-2 main level
    "1.2.840.10008.1.2.4.101",  // MPEG-2 high level
    "1.2.840.10008.1.2.4.102",  // MPEG-4
    "1.2.840.10008.1.2.4.103",  // MPEG-4 BD
    "1.2.840.10008.1.2.4.104",  // MPEG-4 2D
    "1.2.840.10008.1.2.4.105",  // MPEG-4 3D
    "1.2.840.10008.1.2.4.106",  // MPEG-4 stereo
    "1.2.840.10008.1.2.4.107",  // HEVC
    "1.2.840.10008.1.2.4.110",  // JPEG XL lossless
    "1.2.840.10008.1.2.4.112",  // JPEG XL
};

struct ModalityClasses {
  std::string_view modality;
  std::array<std::string_view, 3> classes;
};

constexpr std::string_view kCr = "1.2.840.10008.5.1.4.1.1.1", kSecondary = "1.2.840.10008.5.1.4.1.1.7";

// PS3.4 B.5, those whose IOD has this modality.
constexpr ModalityClasses kModalities[] = {
    {"CR", {kCr, "1.2.840.10008.5.1.4.1.1.1.1", kSecondary}},
    {"CT", {"1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.2.1", kSecondary}},
    {"DX", {"1.2.840.10008.5.1.4.1.1.1.1", kCr, kSecondary}},
    {"ES", {"1.2.840.10008.5.1.4.1.1.77.1.1", "1.2.840.10008.5.1.4.1.1.77.1.1.1", kSecondary}},
    {"GM", {"1.2.840.10008.5.1.4.1.1.77.1.2", kSecondary, ""}},
    {"IO", {"1.2.840.10008.5.1.4.1.1.1.3", kCr, kSecondary}},
    {"MG", {"1.2.840.10008.5.1.4.1.1.1.2", "1.2.840.10008.5.1.4.1.1.13.1.3", kSecondary}},
    {"MR", {"1.2.840.10008.5.1.4.1.1.4", "1.2.840.10008.5.1.4.1.1.4.1", kSecondary}},
    {"NM", {"1.2.840.10008.5.1.4.1.1.20", kSecondary, ""}},
    {"OP", {"1.2.840.10008.5.1.4.1.1.77.1.5.1", "1.2.840.10008.5.1.4.1.1.77.1.5.2", kSecondary}},
    {"OT", {kSecondary, "1.2.840.10008.5.1.4.1.1.7.2", "1.2.840.10008.5.1.4.1.1.7.4"}},
    {"PT", {"1.2.840.10008.5.1.4.1.1.128", "1.2.840.10008.5.1.4.1.1.130", kSecondary}},
    {"PX", {"1.2.840.10008.5.1.4.1.1.1.1", kCr, kSecondary}},
    {"RF", {"1.2.840.10008.5.1.4.1.1.12.2", "1.2.840.10008.5.1.4.1.1.12.2.1", kSecondary}},
    {"SC", {kSecondary, "1.2.840.10008.5.1.4.1.1.7.2", "1.2.840.10008.5.1.4.1.1.7.4"}},
    {"SR", {"1.2.840.10008.5.1.4.1.1.88.11", "1.2.840.10008.5.1.4.1.1.88.22", "1.2.840.10008.5.1.4.1.1.88.33"}},
    {"US", {"1.2.840.10008.5.1.4.1.1.6.1", "1.2.840.10008.5.1.4.1.1.3.1", kSecondary}},
    {"XA", {"1.2.840.10008.5.1.4.1.1.12.1", "1.2.840.10008.5.1.4.1.1.12.1.1", kSecondary}},
    {"XC", {"1.2.840.10008.5.1.4.1.1.77.1.4", "1.2.840.10008.5.1.4.1.1.77.1.4.1", kSecondary}},
};

constexpr std::array<std::string_view, 3> kUnknownModality{kSecondary, kCr, "1.2.840.10008.5.1.4.1.1.1.1"};

std::vector<std::string> merged(const std::vector<std::string>& a, const std::vector<std::string>& b) {
  std::vector<std::string> all;
  std::ranges::set_union(a, b, std::back_inserter(all));
  return all;
}

std::vector<std::string> sorted(std::span<const std::string_view> classes) {
  std::vector<std::string> all;
  for (const std::string_view one : classes)
    if (!one.empty()) all.emplace_back(one);
  std::ranges::sort(all);
  return all;
}

}  // namespace

std::span<const std::string_view> storage_syntaxes() { return kSyntaxes; }

std::size_t classes_per_association() { return (kMostContexts - 1) / kSyntaxes.size(); }

std::vector<std::string> classes_of_modality(std::string_view modality) {
  const auto* const found = std::ranges::find(kModalities, modality, &ModalityClasses::modality);
  return sorted(found == std::end(kModalities) ? kUnknownModality : found->classes);
}

std::vector<Retrieval> retrievals_of(std::string_view study, std::string_view series, std::span<const Instance> wanted,
                                     bool whole, const std::vector<std::string>& fallback) {
  std::vector<std::string> classes;
  for (const Instance& one : wanted)
    classes = merged(classes, one.sop_class.empty() ? fallback : std::vector{one.sop_class});
  if (wanted.empty()) classes = fallback;
  if (classes.size() <= classes_per_association()) {
    Retrieval all{std::string(study), std::string(series), {}, classes};
    if (!whole)
      for (const Instance& one : wanted) all.objects.push_back(one.uid);
    return {all};
  }
  // Too many kinds for one association: by kind, object for object.
  std::vector<Retrieval> parts;
  for (std::size_t first = 0; first < classes.size(); first += classes_per_association()) {
    const std::size_t last = std::min(first + classes_per_association(), classes.size());
    Retrieval part{
        std::string(study),
        std::string(series),
        {},
        {classes.begin() + static_cast<std::ptrdiff_t>(first), classes.begin() + static_cast<std::ptrdiff_t>(last)}};
    for (const Instance& one : wanted)
      if (std::ranges::find(part.classes, one.sop_class.empty() ? fallback.front() : one.sop_class) !=
          part.classes.end())
        part.objects.push_back(one.uid);
    if (!part.objects.empty()) parts.push_back(std::move(part));
  }
  return parts;
}

std::vector<std::vector<Retrieval>> associations_of(std::vector<Retrieval> retrievals) {
  std::vector<std::vector<Retrieval>> groups;
  std::vector<std::string> classes;
  for (Retrieval& one : retrievals) {
    std::vector<std::string> together = merged(classes, one.classes);
    if (groups.empty() || together.size() > classes_per_association()) {
      groups.emplace_back();
      together = one.classes;
    }
    classes = std::move(together);
    groups.back().push_back(std::move(one));
  }
  return groups;
}

std::vector<Context> get_contexts(std::span<const Retrieval> retrievals) {
  std::vector<std::string> classes;
  for (const Retrieval& one : retrievals) classes = merged(classes, one.classes);
  std::vector<Context> contexts{{std::string(kStudyRootGet), {std::string(kImplicitLittle)}, false}};
  for (const std::string& sop_class : classes)
    for (const std::string_view syntax : kSyntaxes) contexts.push_back({sop_class, {std::string(syntax)}, true});
  return contexts;
}

}  // namespace shiftnorm::pacs
