#include "shiftnorm/toolkit/session.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>

#include "array_axes.hpp"
#include "reference_sample.hpp"
#include "shiftnorm/container/json.hpp"
#include "shiftnorm/core/error.hpp"
#include "shiftnorm/core/file.hpp"
#include "shiftnorm/core/hash.hpp"
#include "shiftnorm/core/stopwatch.hpp"
#include "shiftnorm/core/text.hpp"
#include "shiftnorm/toolkit/export.hpp"
#include "shiftnorm/toolkit/session_cache.hpp"
#include "shiftnorm/zoo/zoo.hpp"
#include "source_sample.hpp"
#include "training_mode.hpp"

namespace shiftnorm::toolkit {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kMaxProvenanceBytes = 1 << 20;

/// The preprocessing that an earlier recalibration recorded beside this very file.
std::optional<imaging::Pipeline> recorded_pipeline(const fs::path& checkpoint, const std::string& sha256) {
  const fs::path beside = provenance_path(checkpoint);
  if (!fs::is_regular_file(beside)) return std::nullopt;
  const std::string name = beside.filename().string();
  const std::vector<std::byte> bytes = read_file(beside, kMaxProvenanceBytes);
  try {
    const container::Json json = container::parse_json(as_text(bytes));
    if (json.at("adapted_sha256").as_string() != sha256) return std::nullopt;  // it belongs to another file
    const container::Json* steps = json.at("preprocessing").find("steps");
    if (steps == nullptr || steps->is_null()) return std::nullopt;
    imaging::Pipeline pipeline = config::parse_pipeline(steps->as_string(), name);
    pipeline.name = json.at("preprocessing").at("name").as_string();
    return pipeline;
  } catch (const FormatError&) {
    rethrow_at(name);
  }
}

imaging::Pipeline choose_pipeline(const SessionOptions& options, const Session& session) {
  const bool images = session.dataset->images();
  if (!images && !session.dataset->integers()) {
    if (options.preprocess)
      throw ConfigError(
          fmt::format("{}: floating-point arrays enter the network as they are; expected no preprocessing",
                      imaging::shown_name(*session.dataset, options.data.path.string())));
    return {"none", {}};
  }
  if (options.preprocess) return *options.preprocess;
  if (auto recorded = recorded_pipeline(options.checkpoint, session.model.checkpoint.sha256)) return *recorded;
  if (!images)
    throw ConfigError(
        fmt::format("{}: whole numbers without a preprocessing; expected a list of steps with to_float and its scale "
                    "(scale 1: as they are)",
                    imaging::shown_name(*session.dataset, options.data.path.string())));
  throw ConfigError(fmt::format("images without a preprocessing; expected a preset ({}) or a list of steps",
                                join(imaging::preset_names())));
}

/// What samples must look like: zoo networks are built for the images' size, others for the shape in their file.
Shape wanted_shape(const RestoredModel& model) {
  Shape made_for = model.input();
  // Keras: extents that the model leaves open are the samples'.
  std::vector<std::int64_t> own = model.fixed_sample();
  if (model.checkpoint.build && !own.empty()) return Shape(std::move(own));
  if (model.architecture.empty() && !model.dynamic_shape) return made_for;
  std::vector<std::int64_t> open(made_for.rank(), 0);
  open[0] = made_for[0];
  return Shape(std::move(open));
}

/// Whether the file itself leaves every extent open in which the sample differs from the size that its network was
/// restored at.
bool leaves_open(const RestoredModel& model, const Shape& sample) {
  const std::vector<std::int64_t> fixed = model.fixed_sample();
  return !fixed.empty() && fit(sample.extents(), fixed);
}

/// Operators that give the values they take, in another shape.
bool only_reshapes(const std::string& op) {
  constexpr std::array<std::string_view, 6> kShapes{"Cast", "Flatten", "Identity", "Reshape", "Squeeze", "Unsqueeze"};
  return std::ranges::find(kShapes, op) != kShapes.end();
}

config::OutputKind told_by_network(const RestoredModel& model) {
  if (model.of_zoo() && zoo::architecture(model.architecture).sigmoid) return config::OutputKind::sigmoid;
  const graph::Graph& graph = model.graph;
  graph::ValueId output = graph.outputs().at(0);
  for (auto node = graph.nodes().rbegin(); node != graph.nodes().rend(); ++node) {  // from each to what it takes
    if (std::ranges::find(node->outputs, output) == node->outputs.end()) continue;
    if (node->op == "Sigmoid") return config::OutputKind::sigmoid;
    if (node->op == "Softmax") return config::OutputKind::probabilities;
    if (!only_reshapes(node->op)) return config::OutputKind::logits;
    output = node->inputs.front();
  }
  return config::OutputKind::logits;
}

/// Who and what the samples have in common.
void fill_groups(Session& session) {
  std::vector<std::string> patients, pixels;
  for (std::size_t i = 0; i < session.store->size(); ++i) {
    patients.push_back(session.store->sample(i).patient);
    pixels.push_back(session.dataset->content(session.store->listed(i)));
  }
  const bool any = std::ranges::any_of(patients, [](const std::string& patient) { return !patient.empty(); });
  if (any) session.patients = grouped(patients, false);
  session.pixels = grouped(pixels, true);
  if (const std::int64_t n = session.repeated(); n > 0)
    session.notes.push_back(fmt::format("{} images have the pixels of an earlier one under another name", n));
}

/// Whether numbers from 1 on were taken for numbers from 0 on.
bool begins_at_one(const Session& session) {
  const std::vector<std::string>& classes = session.dataset->classes();
  const std::vector<std::int32_t> labels = session.labels();
  return std::cmp_equal(classes.size(), session.engine->outputs() + 1) && classes.front() == "0" &&
         std::ranges::find(labels, 0) == labels.end() && session.findings().empty();
}

/// Labels are there to be scored; features are asked for by taking all outputs.
void check_head(const Session& session, const SessionOptions& options) {
  if (!session.model.features || !options.labelled || options.all_outputs || session.dataset->classes().empty()) return;
  throw ConfigError(
      fmt::format("{}: has no head, so that its outputs are features, which no labels can be compared with; expected a "
                  "file with its head, --outputs for the features, or data without labels",
                  session.model.checkpoint.file_name));
}

void check_classes(const Session& session, const std::string& where) {
  const std::vector<std::string>& classes = session.dataset->classes();
  if (classes.empty() || !session.classifies() || std::cmp_equal(classes.size(), session.engine->outputs())) return;
  const std::string advice =
      begins_at_one(session) ? fmt::format("no image has label 0: if they count from 1, classes: [1, .., {}] says so",
                                           session.engine->outputs())
                             : std::string("the classes setting names all of them in order");
  throw ConfigError(fmt::format("{}: {} classes ({}); expected {}, as the network has outputs ({})",
                                imaging::shown_name(*session.dataset, where), classes.size(), join(classes, 4),
                                session.engine->outputs(), advice));
}

/// Class labels that were asked for by name say nothing of maps.
void check_scored(const Session& session, const SessionOptions& options) {
  const imaging::LabelTable& labels = options.data.dataset.labels;
  const imaging::DicomOptions& dicom = options.data.dataset.dicom;
  const bool asked = !labels.label.empty() || labels.several() || dicom.label_folders || !dicom.label.tag.empty();
  if (!options.labelled || !asked || session.classifies() || session.model.features) return;
  throw ConfigError(fmt::format(
      "label: the network gives {} for each image, not a vector of class scores, so labels have nothing to score; "
      "expected none (statistics are measured without; "
      "evaluate --outputs writes the maps, for a program that knows the masks)",
      session.output().text()));
}

/// Values of columns and attributes may name somebody: only which of them were asked for is reported.
std::string drawn_text(const imaging::DatasetOptions& options) {
  std::vector<std::string> parts;
  std::vector<std::string> keys;
  for (const auto& [key, values] : options.where) keys.push_back(key);
  if (!keys.empty()) parts.push_back(fmt::format("chosen by {}", join(keys, 100)));
  if (options.limit.per_class) parts.push_back(fmt::format("the first {} of each class", *options.limit.per_class));
  if (options.limit.images)
    parts.push_back(fmt::format("{} images, seed {}", *options.limit.images, options.limit.seed));
  return fmt::format("{}", fmt::join(parts, "; "));
}

std::string shift_text(const SessionOptions& options) {
  std::string text;
  for (const imaging::Shift& shift : options.data.shifts)
    text += fmt::format("{}{}: {}", text.empty() ? "" : ", ", shift.name, shift.severity);
  return text.empty() ? text : fmt::format("{}; seed {}", text, options.shift_seed);
}

}  // namespace

std::vector<std::int32_t> Session::labels() const {
  std::vector<std::int32_t> out;
  for (std::size_t i = 0; i < store->size(); ++i) out.push_back(store->sample(i).label);
  return out;
}

std::vector<std::int8_t> Session::findings() const {
  std::vector<std::int8_t> out;
  for (std::size_t i = 0; i < store->size(); ++i) {
    const std::vector<std::int8_t>& own = store->sample(i).findings;
    out.insert(out.end(), own.begin(), own.end());
  }
  return out;
}

std::int64_t Session::labelled() const {
  std::int64_t n = 0;
  for (std::size_t i = 0; i < store->size(); ++i) n += store->sample(i).labelled() ? 1 : 0;
  return n;
}

std::vector<std::string> Session::ids() const {
  std::vector<std::string> out;
  for (std::size_t i = 0; i < store->size(); ++i) out.push_back(store->sample(i).id);
  return out;
}

std::optional<std::int64_t> Session::patient_count() const {
  if (!patients.known()) return std::nullopt;
  return patients.count;
}

std::int64_t Session::repeated() const { return static_cast<std::int64_t>(pixels.of.size()) - pixels.count; }

std::int64_t Session::levels() const {
  std::int64_t highest = 0;
  for (const graph::BatchNorm& layer : engine->batch_norms()) highest = std::max(highest, layer.level);
  return highest;
}

bool Session::classifies() const {
  const Shape& output = *model.graph.value(model.graph.outputs().at(0)).shape;
  return !model.features && output.rank() >= 2 && output.elements_from(2) == 1;
}

Shape Session::output() const {
  const std::vector<std::int64_t>& extents = model.graph.value(model.graph.outputs().at(0)).shape->extents();
  return Shape(
      std::vector<std::int64_t>(extents.begin() + std::min<std::ptrdiff_t>(1, std::ssize(extents)), extents.end()));
}

Session open_session(const SessionOptions& options, const Progress& progress) {
  const auto restored = [&] { return restore(options.checkpoint, options.network); };
  return open_session(options.cache->model(options.shared.model, restored), options, progress);
}

Session open_session(RestoredModel model, const SessionOptions& options, const Progress& progress) {
  const Stopwatch watch;
  Session session;
  session.model = std::move(model);
  load_session_reference(options, session);
  check_folded(session.model, options);
  check_training_mode(session.model, options);
  session.outputs = options.outputs ? *options.outputs : told_by_network(session.model);
  imaging::DatasetOptions dataset = options.data.dataset;
  dataset.labelled = options.labelled;
  dataset.threads = options.threads;
  session.dataset = imaging::shifted(
      open_for(session.model, options.data.path.string(), dataset, *options.cache, options.shared.target),
      options.data.shifts, options.shift_seed);

  check_head(session, options);
  imaging::Pipeline pipeline = choose_pipeline(options, session);
  session.preprocess = pipeline.name;
  session.pipeline = pipeline;
  session.preprocess_sha256 = sha256_hex(imaging::canonical(pipeline));

  session.drawn = drawn_text(options.data.dataset);
  session.shift = shift_text(options);
  session.notes = session.model.assumptions;
  for (std::string& note : session.dataset->selection_notes()) session.notes.push_back(std::move(note));
  for (std::string& note : session.dataset->notes(pipeline)) session.notes.push_back(std::move(note));

  const imaging::StoreOptions store = options.memory.store(options.threads);
  const Shape wanted = wanted_shape(session.model);
  const auto load = [&] {
    return std::make_shared<imaging::SampleStore>(session.dataset, pipeline, wanted, store, progress);
  };
  const std::string samples = options.shared.samples.empty()
                                  ? std::string()
                                  : fmt::format("{}\n{}\n{}\n{}", options.shared.samples, wanted.text(),
                                                session.preprocess_sha256, dataset.layout);
  session.store = options.cache->store(SessionCache::Part::target, samples, load);
  fill_groups(session);
  const Shape& sample = session.store->shape();
  if (const Shape made_for = session.model.input();
      sample != made_for && made_for.elements() != 0 && !leaves_open(session.model, sample))
    session.notes.push_back(fmt::format(
        "images enter the network as {}; {} was made for {}", sample.text(),
        session.model.architecture.empty() ? session.model.checkpoint.file_name : session.model.architecture,
        made_for.text()));
  fit_input(session.model, sample);
  // With a source sample, a folded network itself depends on data.
  const bool of_data = (options.source || session.reference) && !folded_layers(session.model).empty();
  bring_back_folded(options, pipeline, session, progress);

  adapt::EngineOptions engine;
  engine.threads = options.threads;
  engine.all_outputs = options.all_outputs;
  engine.memory = options.memory.engine();
  const auto compile = [&] { return std::make_shared<adapt::Engine>(session.model.graph, engine); };
  try {
    const bool shared = !of_data && !options.shared.model.empty();
    session.engine = options.cache->engine(
        shared ? fmt::format("{}\n{}", options.shared.model, sample.text()) : std::string(), compile);
  } catch (const Error&) {
    rethrow_at(session.model.checkpoint.file_name);
  }
  // Classes of folders are one label per image; sigmoid outputs are not distinguished by them.
  check_scored(session, options);
  const bool findings = !session.store->sample(0).findings.empty();
  if (options.labelled && findings && session.outputs == config::OutputKind::probabilities)
    throw ConfigError(
        "label: several findings per image, and the network's outputs are probabilities of which one is true; expected "
        "a network with sigmoid outputs or logits");
  if (options.labelled && (findings || session.outputs != config::OutputKind::sigmoid))
    check_classes(session, options.data.path.string());
  session.images.count = session.store->size();
  session.images.load = [store_of = session.store.get()](std::size_t index, std::span<float> dst) {
    store_of->load(index, dst);
  };
  settle_session_reference(options, session, progress);
  session.load_seconds = watch.seconds();
  return session;
}

}  // namespace shiftnorm::toolkit
