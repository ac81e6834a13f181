#include "shiftnorm/toolkit/reference.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "job_session.hpp"
#include "reference_sample.hpp"
#include "shiftnorm/core/error.hpp"
#include "shiftnorm/core/file.hpp"
#include "shiftnorm/core/hash.hpp"
#include "shiftnorm/core/text.hpp"
#include "shiftnorm/toolkit/cohort.hpp"
#include "shiftnorm/toolkit/run.hpp"
#include "shiftnorm/toolkit/statistics.hpp"

namespace shiftnorm::toolkit {
namespace {

constexpr std::uint64_t kMostReferenceBytes = std::uint64_t{4} << 30;

/// Few patients of one class would be told by its moments, however many there are in all.
void check_classes_cohort(const Session& session, const stats::Reference& reference, bool allowed) {
  if (allowed || !session.patients.known() || reference.findings || !reference.labelled) return;
  std::map<std::int32_t, std::set<std::uint32_t>> patients;
  for (std::size_t i = 0; i < session.store->size(); ++i)
    if (const std::int32_t label = session.store->sample(i).label; label >= 0)
      patients[label].insert(session.patients.of[i]);
  for (const auto& [label, of_class] : patients)
    if (std::cmp_less(of_class.size(), kSmallestCohort))
      throw ConfigError(fmt::format(
          "class '{}': {} patients; expected at least {} of each class, whose moments could reveal individuals "
          "(--allow-small-cohort writes it anyway)",
          printable(reference.classes[static_cast<std::size_t>(label)]), of_class.size(), kSmallestCohort));
}

std::string weighted_by(const Session& session, const stats::Reference& reference) {
  if (!reference.labelled) return "by the network's own probabilities";
  const std::int64_t labelled = session.labelled(), all = reference.images;
  if (labelled >= all) return "by their labels";
  return fmt::format("by their labels ({} of {}), the others by the network's own probabilities", labelled, all);
}

}  // namespace

MadeReference make_reference(const ReferenceOptions& options) {
  SessionOptions wanted =
      job_session(options.session, options.checkpoint, options.architecture, options.data, options.preprocess);
  wanted.labelled = !options.by_outputs;
  wanted.reference.clear();
  wanted.source.reset();
  RestoredModel model = restore(wanted.checkpoint, wanted.network);
  // Where BatchNorms were folded away, the sample itself says what their statistics were.
  if (!folded_layers(model).empty()) wanted.source = wanted.data;
  wanted.source_is_data = true;
  MadeReference out{.session = open_session(std::move(model), wanted, options.events.progress)};
  const Session& session = out.session;
  tell_of_session(session, options.events);
  check_cohort(session.patient_count(), options.small_cohort);
  std::vector<adapt::LeftOut> left_out;
  out.reference = measure_reference(session, {*session.dataset, *session.store, options.by_outputs}, left_out,
                                    options.events.progress);
  check_classes_cohort(session, out.reference, options.small_cohort);
  fill_facts(session.model, out.reference.images, {}, data_facts(session, left_out), out.reference);
  out.bad = bad_files(session, left_out);
  options.events.tell(fmt::format("{} images count {}", out.reference.images, weighted_by(session, out.reference)));
  out.notes = notes_on_reference(out.reference);
  return out;
}

LoadedReference loaded(stats::Reference reference, std::string name) {
  std::string hash = sha256_hex(stats::write_reference(reference));
  return {std::move(reference), std::move(hash), std::move(name)};
}

LoadedReference load_reference(const std::filesystem::path& path) {
  const std::vector<std::byte> bytes = read_file(path, kMostReferenceBytes);
  try {
    return {stats::read_reference(bytes), sha256_hex(bytes), path.filename().string()};
  } catch (const Error&) {
    rethrow_at(path.filename().string());
  }
}

stats::Reference merge_references(std::span<const std::filesystem::path> parts) {
  std::vector<stats::NamedReference> named;
  for (const std::filesystem::path& part : parts) {
    LoadedReference one = load_reference(part);
    named.push_back({one.name, std::move(one.reference)});
  }
  return stats::merged(named);
}

std::vector<std::string> notes_on_reference(const stats::Reference& reference) {
  std::vector<std::string> few;
  for (std::size_t g = 0; g < reference.groups(); ++g) {
    if (reference.images_of(g) >= kFewOfClass) continue;
    const std::string& name = reference.classes[reference.findings ? g / 2 : g];
    few.push_back(fmt::format("{}{} ({:.1f})", printable(name),
                              reference.findings ? (g % 2 == 0 ? " absent" : " present") : "", reference.images_of(g)));
  }
  if (few.empty()) return {};
  return {fmt::format("the reference has fewer than {:g} images of {}: matched statistics rely on each class's moments",
                      kFewOfClass, join(few, 5))};
}

}  // namespace shiftnorm::toolkit
