#include "result_piece.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "shiftnorm/container/json.hpp"
#include "shiftnorm/container/safetensors.hpp"
#include "shiftnorm/core/error.hpp"
#include "shiftnorm/stats/statistics_file.hpp"

namespace shiftnorm::toolkit {
namespace {

using container::Json;

constexpr const char *kFacts = "piece", *kMeasured = "measured", *kOutputs = "outputs", *kAfter = "after";

bool finite(const stats::Statistics& statistics) {
  const auto all = [](const std::vector<double>& values) {
    return std::ranges::all_of(values, [](double v) { return std::isfinite(v); });
  };
  return std::ranges::all_of(
      statistics, [&](const stats::LayerStatistics& layer) { return all(layer.mean) && all(layer.variance); });
}

Array statistics_array(const ResultPiece& piece) {
  stats::StatisticsFile file;
  file.semantics = adapt::name_of(piece.mode.semantics);
  file.estimator = adapt::name_of(piece.mode.estimator);
  if (piece.mode.semantics == adapt::Semantics::batch) file.batch = piece.mode.batch;
  file.model_sha256 = std::string(64, '0');  // the name of the piece says which
  for (const stats::LayerStatistics& layer : piece.measured) file.images = std::max(file.images, layer.images);
  file.layers = piece.measured;
  std::vector<std::byte> bytes = stats::write_statistics(file);
  const auto length = static_cast<std::int64_t>(bytes.size());
  return {DType::u8, Shape{length}, std::move(bytes)};
}

Array outputs_array(const adapt::Outputs& outputs) {
  const auto rows = static_cast<std::int64_t>(outputs.values.size()) / outputs.width;
  return Array::from_floats(Shape{rows, outputs.width}, outputs.values);
}

adapt::Outputs outputs_of(const Array& array) {
  if (array.dtype() != DType::f32 || array.shape().rank() != 2)
    throw FormatError("outputs are not a matrix of float32");
  return {array.shape()[1], array.to_float()};
}

Json facts_of(const ResultPiece& piece) {
  Json left_out = Json::array();
  for (const adapt::LeftOut& one : piece.left_out)
    left_out.push(Json::object({{"image", static_cast<std::int64_t>(one.image)}, {"reason", one.reason}}));
  return Json::object({{"mode", piece.mode.name},
                       {"adapt", piece.seconds.adapt},
                       {"evaluate", piece.seconds.evaluate},
                       {"images", piece.images},
                       {"left_out", std::move(left_out)}});
}

}  // namespace

std::optional<std::vector<std::byte>> write_piece(const ResultPiece& piece) {
  if (!finite(piece.measured)) return std::nullopt;
  std::vector<std::pair<std::string, Array>> arrays;
  if (!piece.measured.empty()) arrays.emplace_back(kMeasured, statistics_array(piece));
  if (piece.outputs) arrays.emplace_back(kOutputs, outputs_array(*piece.outputs));
  if (piece.after) arrays.emplace_back(kAfter, outputs_array(*piece.after));
  return container::write_safetensors(arrays, {{kFacts, container::write_json(facts_of(piece))}});
}

ResultPiece read_piece(std::span<const std::byte> bytes) {
  const container::SafetensorsIndex index = container::index_safetensors(bytes);
  const auto text = index.metadata.find(kFacts);
  if (text == index.metadata.end()) throw FormatError("no facts; expected a piece of a run's work");
  const Json facts = container::parse_json(text->second);
  ResultPiece piece;
  piece.mode.name = facts.at("mode").as_string();
  piece.seconds = {facts.at("adapt").as_number(), facts.at("evaluate").as_number()};
  piece.images = facts.at("images").as_integer();
  for (const Json& one : facts.at("left_out").as_array())
    piece.left_out.push_back({static_cast<std::size_t>(one.at("image").as_integer()), one.at("reason").as_string()});
  for (const container::SafetensorsEntry& entry : index.entries) {
    const Array array = container::read_entry(bytes, entry);
    if (entry.name == kMeasured)
      piece.measured = stats::read_statistics(array.bytes()).layers;
    else
      (entry.name == kAfter ? piece.after : piece.outputs) = outputs_of(array);
  }
  return piece;
}

}  // namespace shiftnorm::toolkit
