#include "job_options.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <thread>

#include "shiftnorm/core/file.hpp"
#include "shiftnorm/core/parse.hpp"
#include "shiftnorm/core/text.hpp"

namespace shiftnorm::app {
namespace {

namespace fs = std::filesystem;

constexpr OptionSpec kData[] = {
    {"data", "WHERE",
     "the images: a folder (class folders or none), DICOM objects, "
     "a table (.csv with a column path), an array (FILE#key)"},
    {"source-data", "WHERE", "a small unlabelled sample like the training images, where BatchNorms were folded away"},
    {"preprocess", "NAME|FILE", "a preset's name, or a YAML file with the list of steps"},
    {"reader", "READER", "auto, folder, array, table or dicom (default: auto)"},
    {"layout", "LAYOUT", "the axes of an array, e.g. NHWC, NCT, NTC, NDHWC or NC (default: inferred from the shape)"},
    {"quarantine", "FILE", "also write the list of bad files: id, reason, offset (CSV)"},
    {"max-images", "N", "use N images, drawn with the seed; recalibrate: auto uses as many as it needs"},
};

constexpr OptionSpec kNetwork[] = {
    {"arch", "NAME",
     "architecture, for files that hold weights only (export: by default the one that the statistics name)"},
    {"graph", "FILE", "file that describes the architecture instead: an ONNX model, or Keras' JSON"},
    {"weights", "PREFIX",
     "which of several sets of weights in the file: its name, or the prefix of its tensors' names"},
    {"allow-unused", "PATTERN",
     "tensors of the file that the network does not use and need not, e.g. 'projector.*'; may be repeated", true},
};

constexpr OptionSpec kTable[] = {
    {"labels", "CSV", "a table with a row for each image: labels, and columns for --where and --domain"},
    {"key", "COLUMN,..",
     "the table's columns that identify an image: paths, file names, either without extension (default: path)"},
    {"label", "COLUMN,..",
     "the table's column of class names (default: label), or several of findings: 0, 1, or empty where unknown; "
     "DICOM: folder takes the first folder"},
    {"label-split", "SEPARATOR", "the column holds several findings at once, such as A|B or ['A', 'B']"},
    {"label-none", "VALUE,..", "of these findings: what means none, e.g. 'No Finding'"},
    {"label-tag", "KEYWORD", "DICOM: the attribute whose value is the class, e.g. ViewPosition"},
    {"label-map", "VALUE=CLASS,..", "the classes of that attribute's values; others have no label"},
    {"patient", "COLUMN", "the table's column that identifies patients (default: patient)"},
    {"ids", "path|hash", "how outputs name the images (default: hash where patients are identified, else path)"},
    {"identify", "FILE", "also write the path of each id: FILE may identify patients, mode 0600"},
    {"where", "K=V,..", "only images with one of these values in column or DICOM attribute K; may be repeated", true},
};

constexpr OptionSpec kMeasure[] = {
    {"semantics", "S",
     "layerwise, batch or source: how the network is normalised while it is measured (default: layerwise)"},
    {"estimator", "E",
     "population, batch-mean, ema, ema-reset or dua; all but the first with semantics batch (default: population)"},
    {"batch", "N", "images per batch, where batches matter (default: 64)"},
    {"momentum", "P", "PyTorch's p, for estimators that use it (default: the layer's own)"},
    {"shuffle", "SEED|on|off", "order of the batches; on: by the seed (default: on)"},
    {"seed", "S", "seed of everything random (default: 0)"},
    {"prior-images", "N", "blend: the source counts as N images"},
    {"source-weight", "L", "blend: the source's weight, in [0, 1]"},
    {"domain", "KEY", "separate statistics for each value of this column; each image uses its own"},
    {"domain-min-images", "N", "with fewer, a domain falls back to blend (default: 32)"},
    {"domain-prior-images", "N", "of that blend: the source counts as N images (default: 16)"},
    {"show-domains", "", "print the names of domains that identify a site"},
    {"layers", "RULE", "e.g. 'layer1.*,!*.bn2,last=4,min_level=2': the layers to include"},
};

constexpr OptionSpec kResources[] = {
    {"max-bad", "N|P%", "end with exit code 4 when more files are bad (default: 5%)"},
    {"memory", "SIZE", "memory to use, e.g. 4G (default: half of what is free)"},
};

constexpr int kMostThreads = 1024;
constexpr std::size_t kBadShown = 5;

/// K=V,V..; the same K again adds values.
void parse_where(const std::string& text, std::map<std::string, std::vector<std::string>>& where) {
  const std::size_t equals = text.find('=');
  if (equals == std::string::npos || equals == 0)
    throw ConfigError(fmt::format("'{}'; expected COLUMN=VALUE or COLUMN=VALUE,VALUE", printable(text)));
  for (std::string& value : split(text.substr(equals + 1), ','))
    where[text.substr(0, equals)].push_back(std::move(value));
}

std::map<std::string, std::string> parse_label_map(const std::string& text) {
  std::map<std::string, std::string> map;
  for (const std::string& part : split(text, ',')) {
    const std::size_t equals = part.rfind('=');
    if (equals == std::string::npos || equals == 0 || equals + 1 == part.size())
      throw ConfigError(fmt::format("'{}'; expected VALUE=CLASS", printable(part)));
    if (!map.emplace(part.substr(0, equals), part.substr(equals + 1)).second)
      throw ConfigError(
          fmt::format("'{}' is given twice; expected each value once", printable(part.substr(0, equals))));
  }
  return map;
}

void read_label_options(const Options& options, imaging::DatasetOptions& dataset) {
  if (options.has("label-map") && !options.has("label-tag"))
    throw ConfigError("--label-map: expected --label-tag KEYWORD with it");
  if (options.has("label-tag")) {
    if (options.has("label"))
      throw ConfigError("--label-tag: defines the label, and so does --label; expected one of them");
    dataset.dicom.label.tag = options.text("label-tag");
    if (options.has("label-map"))
      dataset.dicom.label.map = from_option("label-map", [&] { return parse_label_map(options.text("label-map")); });
    return;
  }
  dataset.labels.split = options.text("label-split");
  if (options.has("label-none")) dataset.labels.none = split(options.text("label-none"), ',');
  if (options.has("label-none") && !options.has("label-split"))
    throw ConfigError("--label-none: expected --label-split SEPARATOR with it");
  const std::vector<std::string> labels = split(options.text("label"), ',');
  if (options.has("label-split") && (labels.size() > 1 || labels[0] == "folder"))
    throw ConfigError("--label-split: splits one column; expected one column as --label");
  if (labels.size() > 1)
    dataset.labels.findings = labels;
  else if (labels[0] == "folder")
    dataset.dicom.label_folders = true;
  else
    dataset.labels.label = labels[0];
}

using Count = std::optional<std::int64_t> adapt::LayerRule::*;
struct CountKey {
  std::string_view key;
  Count member;
};
constexpr CountKey kCounts[] = {{"first=", &adapt::LayerRule::first},
                                {"last=", &adapt::LayerRule::last},
                                {"min_level=", &adapt::LayerRule::min_level},
                                {"max_level=", &adapt::LayerRule::max_level}};

void parse_layer_part(const std::string& part, adapt::LayerRule& rule) {
  for (const CountKey& known : kCounts)
    if (part.starts_with(known.key)) {
      std::int64_t value = 0;
      if (!parse_whole(std::string_view(part).substr(known.key.size()), value) || value < 1)
        throw ConfigError(fmt::format("'{}'; expected {}N with N at least 1", printable(part), known.key));
      rule.*known.member = value;
      return;
    }
  if (part.empty() || part == "!" || part.find('=') != std::string::npos)
    throw ConfigError(fmt::format("'{}'; expected a pattern, !pattern, first=N, last=N, min_level=N or max_level=N",
                                  printable(part)));
  if (part[0] == '!')
    rule.exclude.push_back(part.substr(1));
  else
    rule.include.push_back(part);
}

}  // namespace

std::span<const OptionSpec> data_options() { return kData; }
std::span<const OptionSpec> network_options() { return kNetwork; }
std::span<const OptionSpec> table_options() { return kTable; }
std::span<const OptionSpec> measure_options() { return kMeasure; }
std::span<const OptionSpec> resource_options() { return kResources; }

int threads_of(const Options& options) {
  const auto all = static_cast<std::int64_t>(std::max(1U, std::thread::hardware_concurrency()));
  return static_cast<int>(options.integer("threads", all, 1, kMostThreads));
}

std::uint64_t seed_of(const Options& options) { return static_cast<std::uint64_t>(options.integer("seed", 0, 0)); }

toolkit::BadLimit bad_limit_of(const Options& options) {
  toolkit::BadLimit limit;
  if (!options.has("max-bad")) return limit;
  const std::string given = options.text("max-bad");
  std::string_view digits = given;
  limit.percent = digits.ends_with('%');
  if (limit.percent) digits.remove_suffix(1);
  if (!parse_whole(digits, limit.value) || !std::isfinite(limit.value) || limit.value < 0 ||
      (limit.percent && limit.value > 100) || (!limit.percent && limit.value != std::floor(limit.value)))
    throw ConfigError(
        fmt::format("--max-bad = {}; expected a number of files, or a share such as 5%", printable(given)));
  return limit;
}

toolkit::NetworkSource network_of(const Options& options, const std::string& absent, const std::string& weights) {
  if (options.has("arch") && options.has("graph"))
    throw ConfigError("--graph: describes the network, and so does --arch; expected one of them");
  toolkit::NetworkSource source;
  if (options.has("graph"))
    source.graph = options.text("graph");
  else
    source.architecture = options.text("arch", absent);
  source.weights = options.text("weights", weights);
  source.allow_unused = options.texts("allow-unused");
  return source;
}

void read_table_options(const Options& options, imaging::DatasetOptions& dataset) {
  dataset.labels.file = options.text("labels");
  if (options.has("key")) dataset.labels.key = split(options.text("key"), ',');
  read_label_options(options, dataset);
  dataset.labels.patient = options.text("patient");
  dataset.ids = options.named("ids", imaging::kIds, dataset.ids);
  from_option("where", [&] {
    for (const std::string& condition : options.texts("where")) parse_where(condition, dataset.where);
  });
}

std::optional<config::DomainConfig> domain_of(const Options& options) {
  if (!options.has("domain")) {
    for (const std::string_view part : {"domain-min-images", "domain-prior-images", "show-domains"})
      if (options.has(part)) throw ConfigError(fmt::format("--{}: expected --domain KEY with it", part));
    return std::nullopt;
  }
  config::DomainConfig domain;
  domain.key = options.text("domain");
  domain.min_images = options.integer("domain-min-images", domain.min_images, 1);
  domain.prior_images =
      options.number("domain-prior-images", 0, std::numeric_limits<double>::max()).value_or(domain.prior_images);
  domain.shown = options.has("show-domains");
  return domain;
}

std::string conversion(const toolkit::Exported& exported) {
  return exported.converted.empty() ? std::string() : fmt::format(", converted {}", exported.converted);
}

imaging::Pipeline preprocess_of(const Options& options) {
  return from_option("preprocess", [&] { return config::find_pipeline(options.text("preprocess")); });
}

toolkit::SessionOptions session_options_of(const Options& options) {
  toolkit::SessionOptions session;
  session.checkpoint = options.positional();
  session.network = network_of(options);
  session.data.path = options.text("data");
  if (options.has("preprocess")) session.preprocess = preprocess_of(options);
  session.data.dataset.reader = options.named("reader", imaging::kReaders, session.data.dataset.reader);
  session.data.dataset.layout = options.text("layout");
  if (options.has("layout")) from_option("layout", [&] { imaging::check_layout(session.data.dataset.layout); });
  read_table_options(options, session.data.dataset);
  if (options.has("max-images") && options.text("max-images") != "auto")
    session.data.dataset.limit.images = options.integer("max-images", 0, 1);
  session.data.dataset.limit.seed = seed_of(options);
  if (options.has("source-data")) session.source = config::DataConfig{options.text("source-data")};
  session.threads = threads_of(options);
  session.memory = {options.bytes("memory")};
  return session;
}

adapt::Mode mode_of(const Options& options, std::string_view policy_option, std::string_view absent) {
  adapt::Mode mode;
  mode.policy =
      from_option(policy_option, [&] { return adapt::parse_policy(options.text(policy_option, std::string(absent))); });
  mode.name = adapt::name_of(mode.policy);
  mode.semantics = options.named("semantics", adapt::kSemantics, mode.semantics);
  mode.estimator = options.named("estimator", adapt::kEstimators, mode.estimator);
  mode.batch = options.integer("batch", mode.batch, 1, std::int64_t{1} << 30);
  mode.momentum = options.number("momentum", 0, 1);
  mode.prior_images = options.number("prior-images", 0, std::numeric_limits<double>::max());
  mode.source_weight = options.number("source-weight", 0, 1);
  if (options.has("layers")) mode.layers = from_option("layers", [&] { return parse_layers(options.text("layers")); });
  if (!options.has("shuffle")) {
    config::settle_shuffle(mode, seed_of(options));
  } else if (options.text("shuffle") == "on") {
    mode.shuffle = seed_of(options);
  } else if (options.text("shuffle") != "off") {
    mode.shuffle = static_cast<std::uint64_t>(options.integer("shuffle", 0, 0));
  }
  adapt::require_valid(mode, fmt::format("--{}", policy_option));
  return mode;
}

void tell_of_policy_name(const Options& options, std::string_view policy_option, Console& console) {
  if (const std::string note = adapt::note_on_policy_name(options.text(policy_option)); !note.empty())
    console.warn(note);
}

adapt::LayerRule parse_layers(const std::string& text) {
  adapt::LayerRule rule;
  for (const std::string& part : split(text, ',')) parse_layer_part(part, rule);
  return rule;
}

void expect_identities(const Options& options, OutputFiles& files) {
  if (options.has("identify")) files.expect("--identify", options.text("identify"));
}

void set_identities(const Options& options, const imaging::Dataset& data, OutputFiles& files, Console& console) {
  if (!options.has("identify")) return;
  const fs::path path = options.text("identify");
  files.set_private(path, toolkit::identities_csv(data));
  console.warn(fmt::format("{}: maps ids to paths, and paths may identify patients; its mode is 0600",
                           path.filename().string()));
}

void warn_of_bad(Console& console, std::span<const results::BadFile> bad) {
  for (std::size_t i = 0; i < std::min(bad.size(), kBadShown); ++i)
    console.warn(fmt::format("{}: {}; left out", printable(bad[i].id), printable(bad[i].reason)));
  if (bad.size() > kBadShown) console.warn(fmt::format("{} more files were bad and left out", bad.size() - kBadShown));
}

ExitCode judge_bad(Console& console, const toolkit::BadLimit& limit, std::int64_t usable, std::int64_t bad) {
  if (!limit.exceeded({usable, bad})) return ExitCode::done;
  console.fail(
      {ExitCode::too_many_bad,
       fmt::format("{} of {} files were bad; expected at most {}{} (--max-bad); the outputs were written without them",
                   bad, usable + bad, limit.value, limit.percent ? "%" : "")});
  return ExitCode::too_many_bad;
}

}  // namespace shiftnorm::app
