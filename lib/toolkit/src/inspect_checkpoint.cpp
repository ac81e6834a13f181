#include "shiftnorm/toolkit/inspect_checkpoint.hpp"

#include <fmt/format.h>

#include "shiftnorm/adapt/engine.hpp"
#include "shiftnorm/core/error.hpp"
#include "shiftnorm/core/file.hpp"
#include "shiftnorm/core/text.hpp"
#include "shiftnorm/graph/marks.hpp"
#include "shiftnorm/toolkit/export.hpp"
#include "shiftnorm/toolkit/statistics.hpp"

namespace shiftnorm::toolkit {
namespace {

using container::Json;

constexpr std::uint64_t kMostProvenanceBytes = 1 << 20;

Json weights_json(const formats::WeightSets& sets) {
  Json others = Json::array();
  for (const std::string& path : sets.others) others.push(printable(path));
  return Json::object({{"chosen", printable(sets.chosen)}, {"others", std::move(others)}});
}

Json opaque_json(const formats::Checkpoint& checkpoint) {
  Json rows = Json::array();
  for (const formats::OpaqueValues& one : checkpoint.opaque)
    rows.push(Json::object({{"name", printable(one.name)}, {"first", printable(one.first)}, {"count", one.count}}));
  return rows;
}

Json unread_json(const formats::Checkpoint& checkpoint) {
  Json rows = Json::array();
  for (const formats::Unread& one : checkpoint.unread)
    rows.push(Json::object({{"name", printable(one.name)}, {"why", one.why}}));
  return rows;
}

}  // namespace

std::string FileLayer::statistics_text() const {
  if (folded) return "folded";
  return statistics ? "present" : "absent";
}

std::vector<FileLayer> file_layers(const formats::Checkpoint& checkpoint) {
  constexpr std::string_view kMean = "running_mean";
  std::vector<FileLayer> rows;
  for (const formats::NamedTensor& tensor : checkpoint.tensors) {
    if (!tensor.name.ends_with(kMean) || tensor.values.shape().rank() != 1) continue;
    const std::string stem = tensor.name.substr(0, tensor.name.size() - kMean.size());
    if (checkpoint.find(stem + "running_var") == nullptr) continue;
    FileLayer row;
    row.name = stem.ends_with('.') ? stem.substr(0, stem.size() - 1) : stem;
    row.channels = tensor.values.shape()[0];
    row.affine = checkpoint.find(stem + "weight") != nullptr;
    rows.push_back(std::move(row));
  }
  return rows;
}

std::vector<FileLayer> file_layers(RestoredModel model) {
  graph::unfold(model.graph, folded_layers(model));
  std::vector<FileLayer> rows;
  for (const graph::BatchNorm& layer : graph::batch_norms(model.graph)) {
    FileLayer row{layer.name,   layer.channels,          layer.level, layer.epsilon, layer.momentum,
                  layer.affine, model.source_statistics, layer.folded};
    if (layer.folded) row.epsilon = row.momentum = std::nullopt;
    row.training = graph::by_batch(model.graph, layer).has_value();
    rows.push_back(std::move(row));
  }
  return rows;
}

std::vector<stats::LayerDistance> drift_to(const RestoredModel& model, const stats::StatisticsFile& file) {
  if (!model.source_statistics)
    throw ConfigError(fmt::format("{} holds no statistics (track_running_stats=False); expected some to compare with",
                                  model.checkpoint.file_name));
  adapt::Mode pure;
  const stats::Statistics target = applied(model, file, pure);
  return stats::distances(adapt::source_statistics(model.graph, graph::batch_norms(model.graph)), target);
}

Json provenance_beside(const std::filesystem::path& file, const formats::Checkpoint& checkpoint, const Events& events) {
  const std::filesystem::path path = provenance_path(file);
  if (!std::filesystem::is_regular_file(path)) return {};
  try {
    Json json = container::parse_json(as_text(read_file(path, kMostProvenanceBytes)));
    const Json* adapted = json.find("adapted_sha256");
    if (adapted != nullptr && adapted->is_string() && adapted->as_string() == checkpoint.sha256) return json;
    events.warn(fmt::format("{}: belongs to another file than the one beside it", path.filename().string()));
  } catch (const Error& e) {
    events.warn(fmt::format("{}: {}", path.filename().string(), e.what()));
  }
  return {};
}

Json checkpoint_json(const formats::Checkpoint& checkpoint, std::int64_t parameters,
                     const std::vector<FileLayer>& layers) {
  Json rows = Json::array();
  for (const FileLayer& row : layers)
    rows.push(Json::object({{"name", printable(row.name)},
                            {"channels", row.channels},
                            {"level", container::value_or_null(row.level)},
                            {"epsilon", container::value_or_null(row.epsilon)},
                            {"momentum", container::value_or_null(row.momentum)},
                            {"affine", row.affine},
                            {"statistics", row.statistics_text()},
                            {"training", row.training}}));
  return Json::object({{"schema", 1},
                       {"format", checkpoint.format},
                       {"sha256", checkpoint.sha256},
                       {"tensors", static_cast<std::int64_t>(checkpoint.tensors.size())},
                       {"parameters", parameters},
                       {"batchnorms", std::move(rows)},
                       {"weights", weights_json(checkpoint.sets)},
                       {"opaque", opaque_json(checkpoint)},
                       {"unread", unread_json(checkpoint)}});
}

}  // namespace shiftnorm::toolkit
