#include "shiftnorm/core/text.hpp"
#include "shiftnorm/report/data_report.hpp"

namespace shiftnorm::report {
namespace {

using container::Json;

std::string whole(const std::string& text) { return printable(text, std::string::npos); }

Json counts_json(const DataReport& data) {
  Json out = Json::object({{"images", data.images},
                           {"samples", data.samples},
                           {"bad", static_cast<std::int64_t>(data.bad.size())},
                           {"skipped", data.skipped},
                           {"patients", container::value_or_null(data.patients)},
                           {"studies", container::value_or_null(data.studies)},
                           {"series", container::value_or_null(data.series)},
                           {"frames", container::value_or_null(data.frames)}});
  for (const Tally& tally : data.tallies) {
    Json one = Json::object();
    for (const auto& [name, n] : tally.counts) one.set(whole(name), n);
    out.set(tally.key, std::move(one));
  }
  return out;
}

Json distributions_json(const std::vector<Distribution>& list) {
  Json out = Json::array();
  for (const Distribution& one : list) {
    const imaging::Histogram& h = one.histogram;
    Json counts = Json::array();
    for (const std::int64_t n : h.counts()) counts.push(n);
    out.push(Json::object({{"name", whole(one.name)},
                           {"values", h.values()},
                           {"not_finite", h.not_finite()},
                           {"min", h.min()},
                           {"max", h.max()},
                           {"mean", one.mean},
                           {"deviation", container::value_or_null(one.deviation)},
                           {"low", h.low()},
                           {"width", h.width()},
                           {"counts", std::move(counts)}}));
  }
  return out;
}

Json files_json(const std::vector<imaging::Bad>& files) {
  Json out = Json::array();
  for (const imaging::Bad& file : files)
    out.push(Json::object({{"id", whole(file.id)}, {"reason", whole(file.reason)}}));
  return out;
}

}  // namespace

Json data_json(const DataReport& data) {
  Json out = Json::object({{"schema", 1}, {"reader", data.reader}, {"counts", counts_json(data)}});
  if (data.labels)
    out.set("labels", Json::object({{"file", whole(data.labels->file)},
                                    {"matched", data.labels->matched},
                                    {"images_without_label", data.labels->images_without_label},
                                    {"labels_without_image", data.labels->labels_without_image},
                                    {"ambiguous", data.labels->ambiguous}}));
  out.set("bad", files_json(data.bad)).set("skipped", files_json(data.skipped_files));
  if (!data.preprocess.empty())
    out.set("preprocess", Json::object({{"name", data.preprocess}, {"sha256", data.preprocess_sha256}}));
  out.set("histograms",
          Json::object({{"before", distributions_json(data.before)}, {"after", distributions_json(data.after)}}));
  Json notes = Json::array();
  for (const std::string& note : data.notes) notes.push(whole(note));
  out.set("notes", std::move(notes));
  out.set("fingerprint", data.fingerprint);
  return out;
}

}  // namespace shiftnorm::report
