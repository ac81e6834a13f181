#include "source_overlap.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <string>
#include <unordered_set>

namespace shiftnorm::toolkit {

void compare_with_source(const imaging::Dataset& dataset, const imaging::SampleStore& store, bool measured,
                         Session& session) {
  std::unordered_set<std::string> patients, pixels;
  for (std::size_t i = 0; i < store.size(); ++i) {
    patients.insert(store.sample(i).patient);
    pixels.insert(dataset.content(store.listed(i)));
  }
  // Samples without a patient, or of one value throughout, say nothing.
  patients.erase("");
  pixels.erase("");
  std::set<std::string_view> shared_patients;
  std::int64_t shared_pixels = 0;
  std::vector<std::size_t> known;
  for (std::size_t i = 0; i < session.store->size(); ++i) {
    const std::string& patient = session.store->sample(i).patient;
    const bool same_patient = patients.contains(patient);
    const bool same_pixels = pixels.contains(session.dataset->content(session.store->listed(i)));
    if (same_patient) shared_patients.insert(patient);
    shared_pixels += same_pixels ? 1 : 0;
    if (same_patient || same_pixels) known.push_back(i);
  }
  if (known.empty()) return;
  std::string note = fmt::format(
      "source and target have {} patients and the pixels of {} images in common: what is learnt on the source looks "
      "better on the target than it is",
      shared_patients.size(), shared_pixels);
  if (std::ranges::find(session.notes, note) == session.notes.end()) session.notes.push_back(std::move(note));
  if (measured) session.source_knows = std::move(known);
}

}  // namespace shiftnorm::toolkit
