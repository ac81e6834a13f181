#include "mixture_json.hpp"

#include <cmath>
#include <limits>

#include "json_parts.hpp"
#include "shiftnorm/core/error.hpp"

namespace shiftnorm::results {
namespace {

using container::Json;

/// NaN: null, as JSON has none.
double share_at(const Json& json, std::string_view key) {
  return number_at(json, key).value_or(std::numeric_limits<double>::quiet_NaN());
}

}  // namespace

Json mixture_json(const MixtureFacts& mixture) {
  Json classes = Json::array();
  for (std::size_t c = 0; c < mixture.classes.size(); ++c) {
    Json one = Json::object(
        {{"name", mixture.classes[c]}, {"share", mixture.shares[c]}, {"reference_share", mixture.reference_shares[c]}});
    if (!mixture.intervals.empty()) one.set("low", mixture.intervals[c].low).set("high", mixture.intervals[c].high);
    classes.push(std::move(one));
  }
  Json out = Json::object(
      {{"from", mixture.from},
       {"findings", mixture.findings},
       {"classes", std::move(classes)},
       {"reference", Json::object({{"images", mixture.reference_images}, {"labelled", mixture.reference_labelled}})},
       {"tells", mixture.tells}});
  if (!mixture.reason.empty()) out.set("reason", mixture.reason);
  if (mixture.starts_apart) out.set("starts_apart", *mixture.starts_apart);
  if (mixture.sampling) out.set("sampling", *mixture.sampling);
  if (mixture.entropy) out.set("entropy", *mixture.entropy);
  if (mixture.source_entropy) out.set("source_entropy", *mixture.source_entropy);
  if (mixture.agreement) out.set("agreement_with_source", *mixture.agreement);
  return out;
}

MixtureFacts read_mixture(const Json& json) {
  MixtureFacts out;
  out.from = json.at("from").as_string();
  out.findings = json.at("findings").as_bool();
  for (const Json& one : json.at("classes").as_array()) {
    out.classes.push_back(one.at("name").as_string());
    out.shares.push_back(share_at(one, "share"));
    out.reference_shares.push_back(share_at(one, "reference_share"));
    if (one.find("low") != nullptr) out.intervals.push_back({one.at("low").as_number(), one.at("high").as_number()});
  }
  if (!out.intervals.empty() && out.intervals.size() != out.classes.size())
    throw FormatError("intervals of some classes of a mixture; expected those of all, or none");
  out.reference_images = json.at("reference").at("images").as_integer();
  out.reference_labelled = json.at("reference").at("labelled").as_bool();
  out.tells = json.at("tells").as_bool();
  out.reason = text_at(json, "reason");
  out.starts_apart = number_at(json, "starts_apart");
  out.sampling = number_at(json, "sampling");
  out.entropy = number_at(json, "entropy");
  out.source_entropy = number_at(json, "source_entropy");
  out.agreement = number_at(json, "agreement_with_source");
  return out;
}

}  // namespace shiftnorm::results
