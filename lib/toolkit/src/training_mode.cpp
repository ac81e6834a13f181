#include "training_mode.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "shiftnorm/core/error.hpp"
#include "shiftnorm/core/text.hpp"
#include "shiftnorm/graph/marks.hpp"

namespace shiftnorm::toolkit {
namespace {

std::vector<std::string> names_of(const RestoredModel& model, std::string_view op) {
  std::vector<std::string> names;
  for (const formats::TrainingNode& node : model.checkpoint.in_training)
    if (node.op == op) names.push_back(printable(node.name));
  return names;
}

constexpr std::string_view kBatchNorm = "BatchNormalization", kDropout = "Dropout";

/// A file of tensors holds no modes.
bool holds_modes(const std::string& file_name) {
  return std::filesystem::path(file_name).extension() != ".safetensors";
}

}  // namespace

std::vector<std::string> notes_on_training_mode(const RestoredModel& model) {
  std::vector<std::string> notes;
  if (const std::vector<std::string> names = names_of(model, kBatchNorm); !names.empty()) {
    std::int64_t images = 0;
    const std::vector<graph::BatchNorm> layers = graph::batch_norms(model.graph);
    for (const graph::BatchNorm& layer : layers)
      images = std::max(images, graph::by_batch(model.graph, layer).value_or(0));
    notes.push_back(fmt::format(
        "{} of {} BatchNorms are in training mode ({}): the file's runtime normalises them by each batch's own "
        "statistics and ignores those in the file, and so does source here, in batches of {}; every other mode is that "
        "of the file set to inference mode, which --to-inference (export.to_inference) writes",
        names.size(), layers.size(), join(names, 4),
        images > 0 ? fmt::format("{}, which the file fixes", images) : std::string("--batch images")));
  }
  if (const std::vector<std::string> names = names_of(model, kDropout); !names.empty())
    notes.push_back(
        fmt::format("{} Dropouts are in training mode ({}): the file's runtime drops values at random, "
                    "and here nothing is dropped; --to-inference (export.to_inference) writes them so",
                    names.size(), join(names, 4)));
  return notes;
}

void may_write(const RestoredModel& model, const Written& written) {
  const std::vector<std::string> names = names_of(model, kBatchNorm);
  if (names.empty() || written.to_inference || !holds_modes(written.file_name)) return;
  throw ConfigError(fmt::format(
      "{}: {} BatchNorms are in training mode ({}), so that its runtime would ignore the statistics that are written; "
      "expected --to-inference (export.to_inference: true), which sets them to inference mode too",
      model.checkpoint.file_name, names.size(), join(names, 4)));
}

void check_training_mode(const RestoredModel& model, const SessionOptions& options) {
  if (options.written) may_write(model, *options.written);
  if (!names_of(model, kBatchNorm).empty()) return;
  for (const adapt::Mode& mode : options.modes)
    if (mode.policy == adapt::Policy::source && mode.batch != adapt::Mode{}.batch)
      throw ConfigError(fmt::format(
          "mode '{}': batch = {} with policy source; expected no batch: {} normalises by its running statistics",
          mode.name, mode.batch, model.checkpoint.file_name));
}

}  // namespace shiftnorm::toolkit
