#include "shiftnorm/toolkit/statistics.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "shiftnorm/adapt/engine.hpp"
#include "shiftnorm/core/error.hpp"
#include "shiftnorm/core/file.hpp"
#include "shiftnorm/core/hash.hpp"
#include "shiftnorm/core/parse.hpp"
#include "shiftnorm/core/text.hpp"
#include "shiftnorm/core/version.hpp"
#include "shiftnorm/exec/instruction_set.hpp"
#include "shiftnorm/toolkit/libraries.hpp"

namespace shiftnorm::toolkit {
namespace {

constexpr std::uint64_t kMaxStatisticsBytes = std::uint64_t{1} << 30;

stats::StatisticsFile read_any(const std::filesystem::path& path) {
  const std::vector<std::byte> bytes = read_file(path, kMaxStatisticsBytes);
  try {
    return stats::read_statistics(bytes);
  } catch (const Error&) {
    rethrow_at(path.filename().string());
  }
}

/// Everything that the bits of an estimate depend on.
std::string job_of(const Session& session, const adapt::Mode& mode) {
  Sha256 hash;
  const auto add = [&hash](std::string_view name, std::string_view value) {
    hash.add(fmt::format("{} {} {}\n", name, value.size(), value));
  };
  add("model", session.model.checkpoint.sha256);
  add("architecture", session.model.architecture);
  add("weights", session.model.source.weights);
  for (const std::string& pattern : session.model.source.allow_unused) add("allow unused", pattern);
  add("preprocess", session.preprocess_sha256);
  add("images", session.dataset->fingerprint());
  add("count", std::to_string(session.images.count));
  add("sample", session.store->shape().text());
  add("source", session.source_fingerprint);
  add("mode", adapt::canonical(adapt::measuring_of(mode)));
  add("instruction set", exec::instruction_set());
  add("libraries", libraries_text(computing_libraries()));
  add("version", version());
  return hash.hex();
}

}  // namespace

void require_measured_alone(const adapt::Mode& mode) {
  if (adapt::measured_alone(mode)) return;
  throw ConfigError(
      "--stats-out: policy matched measures each layer behind matched ones, which no other policy can use; expected "
      "--out alone");
}

void fill_facts(const RestoredModel& model, std::int64_t images, const ExportFacts& facts, const DataFacts& data,
                stats::MeasuredFacts& to) {
  to.model_sha256 = model.checkpoint.sha256;
  to.architecture = model.architecture;
  to.weights = model.source.weights;
  to.preprocess = data.preprocess;
  to.preprocess_steps = data.preprocess_yaml;
  to.preprocess_sha256 = data.preprocess_sha256;
  to.fingerprints = {data.fingerprint};
  to.images = images;
  to.patients = data.patients;
  to.drawn = data.drawn;
  to.shift = data.shift;
  to.instruction_set = facts.instruction_set;
  to.program_version = facts.program_version;
  to.libraries = libraries_text(facts.libraries);
}

stats::StatisticsFile statistics_file(const RestoredModel& model, const stats::Statistics& measured,
                                      const ExportFacts& facts, const DataFacts& data) {
  stats::StatisticsFile file;
  file.semantics = adapt::name_of(facts.mode.semantics);
  file.estimator = adapt::name_of(facts.mode.estimator);
  if (facts.mode.semantics == adapt::Semantics::batch) {
    file.batch = facts.mode.batch;
    file.shuffle = facts.mode.shuffle ? std::to_string(*facts.mode.shuffle) : "off";
  }
  fill_facts(model, facts.images, facts, data, file);
  file.layers = measured;
  return file;
}

std::vector<std::byte> write_interrupted(const Session& session, const stats::Statistics& reached,
                                         const adapt::Mode& mode) {
  ExportFacts facts;
  facts.mode = mode;
  stats::StatisticsFile file = statistics_file(session.model, reached, facts, data_facts(session, {}));
  for (const stats::LayerStatistics& layer : reached) file.images = std::max(file.images, layer.images);
  file.job = job_of(session, mode);
  return stats::write_statistics(file);
}

stats::Statistics read_interrupted(const std::filesystem::path& path, const Session& session, const adapt::Mode& mode) {
  stats::StatisticsFile file = read_any(path);
  if (file.job != job_of(session, mode))
    throw ConfigError(fmt::format(
        "{}: belongs to an estimate with other options, images or another network; expected the command that was "
        "interrupted, or no --resume",
        path.filename().string()));
  return std::move(file.layers);
}

stats::StatisticsFile read_statistics_file(const std::filesystem::path& path) {
  stats::StatisticsFile file = read_any(path);
  if (!file.job.empty())
    throw FormatError(fmt::format(
        "{}: belongs to an estimate that was interrupted; expected a finished one (recalibrate --resume continues it)",
        path.filename().string()));
  return file;
}

adapt::Mode measured_mode(const stats::StatisticsFile& file, adapt::Mode mode) {
  mode.semantics = adapt::parse_semantics(file.semantics);
  mode.estimator = adapt::parse_estimator(file.estimator);
  if (file.batch > 0) mode.batch = file.batch;
  mode.shuffle.reset();
  std::uint64_t seed = 0;
  if (parse_whole(file.shuffle, seed)) mode.shuffle = seed;
  return mode;
}

stats::Statistics applied(const RestoredModel& model, const stats::StatisticsFile& file, const adapt::Mode& mode) {
  if (!adapt::measures(mode.policy))
    throw ConfigError(fmt::format("policy {} uses no measured statistics; expected one that does, such as adabn",
                                  adapt::name_of(mode.policy)));
  if (!adapt::measured_alone(mode))
    throw ConfigError(
        "policy matched measures each layer behind matched ones, which no statistics file holds; expected recalibrate or "
        "evaluate with the images");
  if (file.model_sha256 != model.checkpoint.sha256)
    throw ConfigError(fmt::format("statistics of the network {}; expected those of {}, which has {}",
                                  printable(file.model_sha256, 12), model.checkpoint.file_name,
                                  printable(model.checkpoint.sha256, 12)));
  if (file.weights != model.source.weights)
    throw ConfigError(
        fmt::format("statistics of the weights '{}'; expected those of '{}' (--weights; empty: the usual)",
                    printable(file.weights), printable(model.source.weights)));
  if (file.architecture != model.architecture)
    throw ConfigError(fmt::format("statistics of the architecture '{}'; expected those of '{}' (--arch, --graph)",
                                  printable(file.architecture), printable(model.architecture)));
  const std::vector<graph::BatchNorm> layers = graph::batch_norms(model.graph);
  if (layers.empty())
    throw ConfigError(
        fmt::format("the BatchNorms of {} were folded away; expected recalibrate or evaluate with a source "
                    "sample, or the unfolded file",
                    model.checkpoint.file_name));
  const stats::Statistics source = adapt::source_statistics(model.graph, layers);
  if (file.layers.size() != source.size())
    throw FormatError(fmt::format("{} layers; expected {}, as {} has", file.layers.size(), source.size(),
                                  model.checkpoint.file_name));
  for (std::size_t i = 0; i < source.size(); ++i)
    if (file.layers[i].name != source[i].name || file.layers[i].mean.size() != source[i].mean.size())
      throw FormatError(fmt::format("layer '{}' with {} channels; expected '{}' with {}",
                                    printable(file.layers[i].name), file.layers[i].mean.size(), source[i].name,
                                    source[i].mean.size()));
  return adapt::apply_policy(mode, layers, source, file.layers, file.images);
}

DataFacts data_facts(const stats::StatisticsFile& file) {
  DataFacts facts;
  facts.preprocess = file.preprocess;
  facts.preprocess_yaml = file.preprocess_steps;
  facts.preprocess_sha256 = file.preprocess_sha256;
  facts.fingerprint = join(file.fingerprints, 1 << 20);
  facts.drawn = file.drawn;
  facts.shift = file.shift;
  facts.patients = file.patients;
  return facts;
}

}  // namespace shiftnorm::toolkit
