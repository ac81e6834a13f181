#include "shiftnorm/experiment/run_record.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "shiftnorm/core/error.hpp"
#include "yaml_tree.hpp"

namespace shiftnorm::experiment {
namespace {

using container::Json;
using yaml::Node;

std::string text(const Json& object, std::string_view key) {
  const Json* found = object.find(key);
  return found == nullptr || found->is_null() ? std::string() : found->as_string();
}

std::optional<double> number(const Json& object, std::string_view key) {
  const Json* found = object.find(key);
  if (found == nullptr || found->is_null()) return std::nullopt;
  return found->as_number();
}

void add_scores(const Json& mode, RunRecord& record) {
  ScoreRecord base;
  base.mode = mode.at("name").as_string();
  base.policy = text(mode, "policy");
  base.semantics = text(mode, "semantics");
  base.estimator = text(mode, "estimator");
  for (const auto& [name, metric] : mode.at("metrics").as_object()) {
    ScoreRecord score = base;
    score.metric = name;
    score.value = number(metric, "value");
    score.low = number(metric, "low");
    score.high = number(metric, "high");
    score.reason = text(metric, "reason");
    const Json* versus = mode.find("versus_source");
    if (const Json* paired = versus == nullptr ? nullptr : versus->find(name); paired != nullptr) {
      score.difference = number(*paired, "difference");
      score.difference_low = number(*paired, "low");
      score.difference_high = number(*paired, "high");
      score.test = text(*paired, "test");
      score.p = number(*paired, "p");
      if (const std::string why = text(*paired, "reason"); score.reason.empty() && !why.empty())
        score.reason = "versus source: " + why;
    }
    record.scores.push_back(std::move(score));
  }
  for (const char* name : {"mean_confidence", "mean_entropy"})
    if (const auto value = number(mode, name)) {
      ScoreRecord score = base;
      score.metric = name;
      score.value = value;
      record.scores.push_back(std::move(score));
    }
}

void flatten(const Node& node, const std::string& path, std::vector<std::pair<std::string, std::string>>& out) {
  const auto scalar = [](const Node& one) { return one.kind == Node::Kind::scalar; };
  switch (node.kind) {
    case Node::Kind::null: return;
    case Node::Kind::scalar: out.emplace_back(path, node.text); return;
    case Node::Kind::map:
      for (const yaml::Member& member : node.members)
        flatten(member.value, path.empty() ? member.key : fmt::format("{}.{}", path, member.key), out);
      return;
    case Node::Kind::sequence: break;
  }
  if (!std::ranges::all_of(node.items, scalar)) {
    for (std::size_t i = 0; i < node.items.size(); ++i) flatten(node.items[i], fmt::format("{}.{}", path, i), out);
    return;
  }
  std::string joined;
  for (const Node& item : node.items) joined += fmt::format("{}{}", joined.empty() ? "" : ", ", item.text);
  out.emplace_back(path, std::move(joined));
}

}  // namespace

std::vector<std::pair<std::string, std::string>> settings_of(std::string_view text) {
  std::vector<std::pair<std::string, std::string>> out;
  flatten(yaml::parse(text, "configuration"), "", out);
  return out;
}

RunRecord read_record(const Json& results, std::string_view shareable_yaml) {
  if (const std::int64_t schema = results.at("schema").as_integer(); schema != 1)
    throw FormatError(fmt::format("results of schema {}; expected 1", schema));
  RunRecord record;
  record.id = text(results, "id");
  record.name = results.at("name").as_string();
  record.protocol = text(results, "protocol");
  record.seed = results.at("seed").as_integer();
  record.program_version = text(results.at("program"), "version");
  record.instruction_set = text(results.at("program"), "instruction_set");
  const Json& model = results.at("model");
  record.model_sha256 = text(model, "sha256");
  record.model_file = text(model, "file");
  record.architecture = text(model, "architecture");
  record.preprocess = text(results.at("preprocess"), "name");
  const Json& target = results.at("data").at("target");
  record.fingerprint = text(target, "fingerprint");
  record.images = target.at("images").as_integer();
  if (const Json* patients = target.find("patients"); patients != nullptr && !patients->is_null())
    record.patients = patients->as_integer();
  for (const Json& mode : results.at("modes").as_array()) add_scores(mode, record);
  record.settings = settings_of(shareable_yaml);
  return record;
}

}  // namespace shiftnorm::experiment
