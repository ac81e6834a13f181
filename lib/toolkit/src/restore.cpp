#include "shiftnorm/toolkit/restore.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "bound_network.hpp"
#include "shiftnorm/core/error.hpp"
#include "shiftnorm/core/file.hpp"
#include "shiftnorm/core/hash.hpp"
#include "shiftnorm/core/text.hpp"
#include "shiftnorm/graph/shapes.hpp"
#include "shiftnorm/zoo/zoo.hpp"
#include "training_mode.hpp"

namespace shiftnorm::toolkit {
namespace {

using formats::Checkpoint, formats::NamedTensor;

/// Parameters keep their names when a network is resolved for another size, not their places.
graph::Binding binding_by_name(const graph::Graph& graph, const std::map<std::string, std::size_t>& tensor_of) {
  graph::Binding binding;
  for (const graph::ValueId id : graph.parameters())
    if (const auto at = tensor_of.find(graph.value(id).name); at != tensor_of.end())
      binding.pairs.emplace_back(id, at->second);
  return binding;
}

/// Whether the graph's input leaves an extent to the data.
bool open_input(const RestoredModel& model) {
  const Shape input = model.input();
  return std::ranges::find(input.extents(), 0) != input.extents().end();
}

/// Whether and how well a file fits: with the architecture's own head, with another, not at all.
enum class Fit { own_head, other_head, none };

Fit fit_of(const Checkpoint& checkpoint, const zoo::Architecture& architecture) {
  try {
    return bind_zoo(checkpoint, architecture, {}).report.own_head ? Fit::own_head : Fit::other_head;
  } catch (const Error&) {
    return Fit::none;
  }
}

[[noreturn]] void architecture_missing(const Checkpoint& checkpoint) {
  if (checkpoint.format == "keras-h5")
    throw ConfigError(fmt::format("{}: holds weights only and no graph was given; expected the JSON of model.to_json()",
                                  checkpoint.file_name));
  std::vector<std::string> fitting, nearly, all;
  for (const zoo::Architecture& one : zoo::architectures()) {
    all.emplace_back(one.name);
    if (const Fit fit = fit_of(checkpoint, one); fit != Fit::none)
      (fit == Fit::own_head ? fitting : nearly).emplace_back(one.name);
  }
  if (fitting.empty()) fitting = nearly;
  if (!checkpoint.no_graph.empty())
    throw ConfigError(fmt::format("{}: holds {}; expected --arch with its architecture{} or --graph with its graph",
                                  checkpoint.file_name, checkpoint.no_graph,
                                  fitting.empty() ? "" : fmt::format(" (it fits {})", join(fitting))));
  throw ConfigError(fmt::format("{}: holds weights only and no architecture was named; {}", checkpoint.file_name,
                                fitting.empty() ? "expected one of " + join(all, 100) : "it fits " + join(fitting)));
}

}  // namespace

std::string RestoredModel::name_in_file(graph::ValueId id) const {
  for (const auto& [value, index] : binding.pairs)
    if (value == id) return checkpoint.tensors.at(index).name;
  return {};
}

std::vector<std::int64_t> RestoredModel::fixed_sample() const {
  const std::vector<std::int64_t>& open = checkpoint.open_input;
  return open.empty() ? open : std::vector<std::int64_t>(open.begin() + 1, open.end());
}

std::vector<std::string> RestoredModel::assumed() const {
  std::vector<std::string> all = assumptions;
  if (!left_to_architecture.empty()) all.push_back(left_to_architecture);
  return all;
}

Shape RestoredModel::input() const {
  const std::optional<Shape>& shape = graph.value(graph.input()).shape;
  if (!shape || shape->rank() < 2)
    throw FormatError(fmt::format("{}: the network's input has no shape", checkpoint.file_name));
  return Shape(std::vector<std::int64_t>(shape->extents().begin() + 1, shape->extents().end()));
}

namespace {

/// Weights of an ONNX file are in initialisers and in nodes (Constant, ConstantOfShape), and what is computed from
/// weights alone represents them: counted is what nodes take in. Single numbers are the arithmetic's.
std::int64_t count_used(const graph::Graph& graph) {
  std::set<graph::ValueId> counted;
  for (const graph::BatchNorm& layer : graph::batch_norms(graph)) counted.insert({layer.mean, layer.variance});
  std::int64_t parameters = 0;
  for (const graph::Node& node : graph.nodes())
    for (const graph::ValueId id : node.inputs) {
      if (id == graph::kNone || !graph.value(id).parameter || graph.value(id).integers) continue;
      if (graph.value(id).shape->rank() > 0 && counted.insert(id).second)
        parameters += graph.value(id).shape->elements();
    }
  return parameters;
}

}  // namespace

std::int64_t count_parameters(const Checkpoint& checkpoint) {
  if (checkpoint.graph && checkpoint.format == "onnx") return count_used(*checkpoint.graph);
  std::set<std::string> statistics;
  if (checkpoint.graph) {
    for (const graph::BatchNorm& layer : graph::batch_norms(*checkpoint.graph))
      for (const graph::ValueId id : {layer.mean, layer.variance}) statistics.insert(checkpoint.graph->value(id).name);
  }
  std::int64_t parameters = 0;
  for (const NamedTensor& tensor : checkpoint.tensors)
    if (is_floating(tensor.values.dtype()) && !batch_norm_tensor(tensor.name) && !statistics.contains(tensor.name))
      parameters += tensor.values.shape().elements();
  return parameters;
}

namespace {

/// What records call a network that a file of its own describes: its content, as the user's names may say who they are.
std::string described_by(const std::filesystem::path& graph) {
  constexpr std::size_t kDigits = 16;
  return std::string(kDescribed) + sha256_hex(read_file(graph)).substr(0, kDigits);
}

/// The file holds its network.
void take_own_graph(RestoredModel& model) {
  Checkpoint& checkpoint = model.checkpoint;
  if (!checkpoint.weights.empty())
    throw ConfigError(fmt::format("{}: has no set of weights '{}'; expected none named, as the file holds one network",
                                  checkpoint.file_name, printable(checkpoint.weights)));
  model.graph = *checkpoint.graph;
  for (std::size_t i = 0; i < checkpoint.tensors.size(); ++i) model.tensor_of.emplace(checkpoint.tensors[i].name, i);
  model.binding = binding_by_name(model.graph, model.tensor_of);
  if (!open_input(model)) {
    graph::infer_shapes(model.graph);
    graph::check_images_apart(model.graph);
  }
  model.dynamic_shape = std::exchange(checkpoint.dynamic_shape, std::nullopt);
  if (checkpoint.format == "onnx" && !checkpoint.layout.empty())
    model.assumptions.push_back(
        fmt::format("its input is taken as channels last ({}), for which images are turned", checkpoint.layout));
  for (std::string& note : notes_on_training_mode(model)) model.assumptions.push_back(std::move(note));
}

/// Of several sets the parameters of one are counted.
void take_choice(RestoredModel& model, const WeightChoice& choice) {
  if (!choice.assumption.empty()) model.assumptions.push_back(choice.assumption);
  if (choice.others.empty()) return;
  model.parameters = 0;
  for (const auto& [id, index] : model.binding.pairs)
    if (const NamedTensor& tensor = model.checkpoint.tensors[index]; !batch_norm_tensor(tensor.name))
      model.parameters += tensor.values.shape().elements();
}

void take_zoo(RestoredModel& model, const zoo::Architecture& known) {
  model.architecture = known.name;
  const std::string as = fmt::format("{} as {}", model.checkpoint.file_name, known.name);
  try {
    BoundNetwork network = bind_zoo(model.checkpoint, known, model.source.allow_unused);
    model.graph = std::move(network.graph);
    model.binding = std::move(network.binding);
    model.source_statistics = network.statistics;
    model.features = network.report.features;
    take_choice(model, network.choice);
    graph::infer_shapes(model.graph);
    for (const std::string& assumed : network.report.assumptions)
      model.assumptions.push_back(fmt::format("{}: {}", as, assumed));
    if (model.features)
      model.assumptions.push_back(
          fmt::format("{}: the file has no head '{}': the outputs are the features before it, and nothing is scored",
                      as, known.head));
    model.left_to_architecture = fmt::format(
        "{}: strides, dilations, padding and pooling are taken from the architecture; weights do not show them", as);
  } catch (const ConfigError&) {
    throw;
  } catch (const Error&) {
    rethrow_at(as);
  }
}

void take_description(RestoredModel& model, const std::filesystem::path& path) {
  formats::Architecture architecture = formats::read_architecture(path);
  model.architecture = described_by(path);
  try {
    model.dynamic_shape = std::move(architecture.network);
    model.checkpoint.layout = model.dynamic_shape->layout;
    model.checkpoint.open_input = model.dynamic_shape->input;
    graph::Graph& graph = model.dynamic_shape->graph;
    WeightChoice choice;
    for (const auto& [id, index] :
         bind_description(graph, model.checkpoint, architecture.values, model.source.allow_unused, choice).pairs)
      model.tensor_of.emplace(graph.value(id).name, index);
    model.graph = formats::resolve(*model.dynamic_shape);
    model.binding = binding_by_name(model.graph, model.tensor_of);
    take_choice(model, choice);
  } catch (const ConfigError&) {
    throw;
  } catch (const FormatError& error) {
    throw FormatError(fmt::format("{} as {}: {}{}", model.checkpoint.file_name, architecture.file_name, error.what(),
                                  architecture.format == "onnx"
                                      ? "; PyTorch's exporter keeps names and BatchNorms with "
                                        "training=TrainingMode.PRESERVE and do_constant_folding=False"
                                      : ""));
  } catch (const Error&) {
    rethrow_at(fmt::format("{} as {}", model.checkpoint.file_name, architecture.file_name));
  }
}

/// Several sets that nothing distinguishes: an ensemble's, a list's.
[[noreturn]] void ask_for_weights(const Checkpoint& checkpoint, const std::string& wanted) {
  std::vector<std::string> sets{printable(checkpoint.sets.chosen)};
  for (const std::string& other : checkpoint.sets.others) sets.push_back(printable(other));
  throw ConfigError(fmt::format(
      "{}: holds several sets of weights and {}; expected --weights (YAML: model.weights) with one of {}",
      checkpoint.file_name,
      wanted.empty() ? "nothing says which is meant" : fmt::format("none '{}'", printable(wanted)), join(sets, 8)));
}

}  // namespace

RestoredModel restore(const std::filesystem::path& path, const NetworkSource& source) {
  if (!source.architecture.empty() && !source.graph.empty())
    throw ConfigError("an architecture and a graph are given; expected one of them");
  RestoredModel model;
  model.source = source;
  const bool keras = !source.graph.empty() && formats::is_keras_architecture(source.graph);
  model.checkpoint = keras ? formats::read_checkpoint(path, source.graph)
                           : formats::read_checkpoint(path, {.weights = source.weights});
  if (!model.checkpoint.sets.told) ask_for_weights(model.checkpoint, source.weights);
  model.assumptions = model.checkpoint.assumptions;
  model.parameters = count_parameters(model.checkpoint);
  if (keras) {
    model.checkpoint.weights = source.weights;  // its reader knows no sets
    take_own_graph(model);
    model.architecture = described_by(source.graph);
  } else if (!source.graph.empty())
    take_description(model, source.graph);
  else if (model.checkpoint.graph)
    take_own_graph(model);
  else if (source.architecture.empty())
    architecture_missing(model.checkpoint);
  else
    take_zoo(model, zoo::architecture(source.architecture));
  if (graph::batch_norms(model.graph).empty() && folded_layers(model).empty())
    throw FormatError(
        fmt::format("{}: the network has no BatchNorm; nothing to recalibrate", model.checkpoint.file_name));
  return model;
}

std::vector<graph::FoldedLayer> folded_layers(const RestoredModel& model) {
  // Keras' tools fold nothing: a network without BatchNorm was made so.
  const bool keras = model.checkpoint.format.starts_with("keras");
  const bool likely = model.checkpoint.format == "onnx" || (!keras && graph::batch_norms(model.graph).empty());
  return likely ? graph::folded_layers(model.graph) : std::vector<graph::FoldedLayer>();
}

namespace {

void build_again(RestoredModel& model, const Shape& image) {
  BoundNetwork network =
      bind_zoo(model.checkpoint, zoo::architecture(model.architecture), model.source.allow_unused, image);
  model.graph = std::move(network.graph);
  model.binding = std::move(network.binding);
  graph::infer_shapes(model.graph);
}

void resolve_again(RestoredModel& model, const Shape& sample) {
  const std::vector<std::int64_t> spatial(sample.extents().begin() + 1, sample.extents().end());
  const std::optional<Shape> input = model.dynamic_shape->sized(spatial);
  if (!input)
    throw ConfigError(
        fmt::format("{}: takes images of {}, and they enter as {}; expected preprocessing that gives its size",
                    model.checkpoint.file_name, model.input().text(), sample.text()));
  model.graph = formats::resolve(*model.dynamic_shape, *input);
  model.binding = binding_by_name(model.graph, model.tensor_of);
}

/// A pickled module takes any input.
void rebuild(RestoredModel& model, const Shape& sample) {
  std::vector<std::int64_t> input = sample.extents();
  input.insert(input.begin(), 1);
  model.graph = formats::graph_for(model.checkpoint, Shape(std::move(input)));
  model.binding = binding_by_name(model.graph, model.tensor_of);
  graph::infer_shapes(model.graph);
  graph::check_images_apart(model.graph);
}

/// The input leaves extents to the data.
void fill_input(RestoredModel& model, const Shape& sample) {
  std::vector<std::int64_t> extents{1};
  extents.insert(extents.end(), sample.extents().begin(), sample.extents().end());
  model.graph.value(model.graph.input()).shape = Shape(std::move(extents));
  graph::infer_shapes(model.graph);
  graph::check_images_apart(model.graph);
}

}  // namespace

void fit_input(RestoredModel& model, const Shape& sample) {
  const bool inferred = model.graph.value(model.graph.outputs().at(0)).shape.has_value();
  if (model.input() == sample && inferred) return;
  const bool of_zoo = model.of_zoo();
  try {
    if (model.dynamic_shape)
      resolve_again(model, sample);
    else if (of_zoo)
      build_again(model, sample);
    else if (model.checkpoint.build)
      rebuild(model, sample);
    else
      fill_input(model, sample);
  } catch (const ConfigError&) {
    throw;
  } catch (const Error&) {
    rethrow_at(of_zoo ? fmt::format("{} as {} for {} x {} images", model.checkpoint.file_name, model.architecture,
                                    sample[1], sample[2])
                      : fmt::format("{} for samples of {}", model.checkpoint.file_name, sample.text()));
  }
}

}  // namespace shiftnorm::toolkit
