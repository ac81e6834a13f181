#include "shiftnorm/experiment/model.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <map>
#include <set>
#include <span>
#include <utility>

#include "shiftnorm/core/error.hpp"
#include "shiftnorm/core/text.hpp"
#include "shiftnorm/graph/shapes.hpp"
#include "shiftnorm/zoo/zoo.hpp"

namespace shiftnorm::experiment {
namespace {

using formats::Checkpoint, formats::NamedTensor;

/// The tensor that has this name once wrappings such as `module.` are undone. `conv1.weight` also ends the name of
/// `layer1.0.conv1.weight`, so the shortest match is the one at the top.
const NamedTensor* unwrapped(const Checkpoint& checkpoint, std::string_view name) {
  const NamedTensor* best = nullptr;
  for (const NamedTensor& tensor : checkpoint.tensors) {
    const bool match = tensor.name == name || tensor.name.ends_with(fmt::format(".{}", name));
    if (match && (best == nullptr || tensor.name.size() < best->name.size())) best = &tensor;
  }
  return best;
}

std::int64_t extent(const NamedTensor* tensor, std::size_t axis) {
  if (tensor == nullptr || tensor->values.shape().rank() <= axis) return 0;
  return tensor->values.shape()[axis];
}

zoo::BuildOptions build_options(const Checkpoint& checkpoint, const zoo::Architecture& architecture) {
  zoo::BuildOptions options;
  options.classes = extent(unwrapped(checkpoint, architecture.head), 0);
  options.channels = extent(unwrapped(checkpoint, architecture.stem), 1);
  if (!architecture.thresholds.empty())
    if (const NamedTensor* points = unwrapped(checkpoint, architecture.thresholds))
      options.thresholds = points->values.to_float();
  return options;
}

bool batch_norm_tensor(std::string_view name) {
  return name.ends_with("running_mean") || name.ends_with("running_var");
}

/// Whether a prefix stands at the front of a name or of one of its later parts (`module.aux1.conv.bn.running_mean`).
bool has_part(std::string_view name, std::string_view prefix) {
  return name.starts_with(prefix) || name.find(fmt::format(".{}", prefix)) != std::string_view::npos;
}

/// A file in which no BatchNorm has statistics was made so; a file that lacks some of them is damaged. What is not
/// there becomes NaN: neither zeros nor ones stand in for it.
bool without_statistics(graph::Graph& graph, const Checkpoint& checkpoint) {
  if (std::ranges::any_of(checkpoint.tensors, [](const NamedTensor& t) { return batch_norm_tensor(t.name); }))
    return false;
  for (const graph::BatchNorm& layer : graph::batch_norms(graph))
    for (const graph::ValueId id : {layer.mean, layer.variance}) {
      graph::Value& value = graph.value(id);
      value.tensor = Tensor(*value.shape, std::vector<float>(static_cast<std::size_t>(layer.channels),
                                                             std::numeric_limits<float>::quiet_NaN()));
    }
  return true;
}

using ModernName = decltype(zoo::Architecture::modern_name);

std::vector<graph::NamedSource> sources_of(const std::vector<NamedTensor>& tensors, ModernName modern_name = nullptr) {
  std::vector<graph::NamedSource> sources;
  for (const NamedTensor& tensor : tensors)
    sources.push_back(
        {modern_name != nullptr ? modern_name(tensor.name) : tensor.name, tensor.values.shape(), &tensor.values});
  return sources;
}

/// `known`: of zoo; null: a file describes the network, and `otherwise` are the values that it brings itself.
graph::Binding bind_to(graph::Graph& graph, const Checkpoint& checkpoint, const zoo::Architecture* known,
                       std::span<const std::string> allow_unused, const std::vector<NamedTensor>& otherwise = {}) {
  const std::string_view training_only = known != nullptr ? known->training_only : std::string_view();
  graph::Binding binding = graph::bind(
      graph, sources_of(checkpoint.tensors, known != nullptr ? known->modern_name : nullptr), sources_of(otherwise));
  // A deeper network of the same family holds every name of a shallower one: what is left over tells them apart.
  std::vector<std::string> unmeasured;
  std::ranges::copy_if(binding.left_over, std::back_inserter(unmeasured), [&](const std::string& name) {
    const auto fits = [&name](const std::string& pattern) { return matches_pattern(pattern, name); };
    return batch_norm_tensor(name) && (training_only.empty() || !has_part(name, training_only)) &&
           std::ranges::none_of(allow_unused, fits);
  });
  if (!unmeasured.empty())
    throw FormatError(fmt::format("the file does not fit the architecture: {} BatchNorm tensors left over ({})",
                                  unmeasured.size(), join(unmeasured, 4)));
  return binding;
}

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

bool fits(const Checkpoint& checkpoint, const zoo::Architecture& architecture) {
  try {
    graph::Graph graph = architecture.build(build_options(checkpoint, architecture));
    static_cast<void>(without_statistics(graph, checkpoint));
    (void)bind_to(graph, checkpoint, &architecture, {});
    return true;
  } catch (const Error&) {
    return false;
  }
}

[[noreturn]] void architecture_missing(const Checkpoint& checkpoint) {
  if (checkpoint.format == "keras-h5")
    throw ConfigError(fmt::format("{}: holds weights only and no graph was given; expected the JSON of model.to_json()",
                                  checkpoint.file_name));
  std::vector<std::string> fitting, all;
  for (const zoo::Architecture& one : zoo::architectures()) {
    all.emplace_back(one.name);
    if (fits(checkpoint, one)) fitting.emplace_back(one.name);
  }
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

Shape RestoredModel::input() const {
  const std::optional<Shape>& shape = graph.value(graph.input()).shape;
  if (!shape || shape->rank() < 2)
    throw FormatError(fmt::format("{}: the network's input has no shape", checkpoint.file_name));
  return Shape(std::vector<std::int64_t>(shape->extents().begin() + 1, shape->extents().end()));
}

namespace {

/// Weights of an ONNX file stand in initialisers and in nodes (Constant, ConstantOfShape), and what is computed from
/// weights alone stands for them: counted is what nodes take in. Single numbers are the arithmetic's.
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

/// The file holds its network.
void take_own_graph(RestoredModel& model) {
  Checkpoint& checkpoint = model.checkpoint;
  model.graph = *checkpoint.graph;
  for (std::size_t i = 0; i < checkpoint.tensors.size(); ++i) model.tensor_of.emplace(checkpoint.tensors[i].name, i);
  model.binding = binding_by_name(model.graph, model.tensor_of);
  if (!open_input(model)) {
    graph::infer_shapes(model.graph);
    graph::check_images_apart(model.graph);
  }
  model.sizeless = std::exchange(checkpoint.sizeless, std::nullopt);
}

void take_zoo(RestoredModel& model, const zoo::Architecture& known) {
  model.architecture = known.name;
  try {
    model.graph = known.build(build_options(model.checkpoint, known));
    model.source_statistics = !without_statistics(model.graph, model.checkpoint);
    model.binding = bind_to(model.graph, model.checkpoint, &known, model.allow_unused);
    graph::infer_shapes(model.graph);
  } catch (const Error&) {
    rethrow_at(fmt::format("{} as {}", model.checkpoint.file_name, known.name));
  }
}

void take_description(RestoredModel& model, const std::filesystem::path& path) {
  formats::Architecture architecture = formats::read_architecture(path);
  model.architecture = architecture.file_name;
  try {
    model.sizeless = std::move(architecture.network);
    graph::Graph& graph = model.sizeless->graph;
    for (const auto& [id, index] :
         bind_to(graph, model.checkpoint, nullptr, model.allow_unused, architecture.values).pairs)
      model.tensor_of.emplace(graph.value(id).name, index);
    model.graph = formats::resolve(*model.sizeless);
    model.binding = binding_by_name(model.graph, model.tensor_of);
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

}  // namespace

RestoredModel restore(const std::filesystem::path& path, const NetworkSource& source) {
  if (!source.architecture.empty() && !source.graph.empty())
    throw ConfigError("an architecture and a graph are given; expected one of them");
  RestoredModel model;
  model.allow_unused = source.allow_unused;
  const bool keras = !source.graph.empty() && formats::is_keras_architecture(source.graph);
  model.checkpoint = keras ? formats::read_checkpoint(path, source.graph)
                           : formats::read_checkpoint(path, {.weights = source.weights});
  if (!model.checkpoint.weights.empty())
    throw ConfigError(fmt::format("{}: holds no set of weights '{}'; expected one that `shiftnorm inspect` names",
                                  model.checkpoint.file_name, printable(model.checkpoint.weights)));
  model.assumptions = model.checkpoint.assumptions;
  model.parameters = count_parameters(model.checkpoint);
  if (keras) {
    take_own_graph(model);
    model.architecture = source.graph.filename().string();
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
  const zoo::Architecture& known = zoo::architecture(model.architecture);
  zoo::BuildOptions options = build_options(model.checkpoint, known);
  options.height = image[1];
  options.width = image[2];
  model.graph = known.build(options);
  static_cast<void>(without_statistics(model.graph, model.checkpoint));
  model.binding = bind_to(model.graph, model.checkpoint, &known, model.allow_unused);
  graph::infer_shapes(model.graph);
}

void resolve_again(RestoredModel& model, const Shape& sample) {
  const std::vector<std::int64_t> spatial(sample.extents().begin() + 1, sample.extents().end());
  const std::optional<Shape> input = model.sizeless->sized(spatial);
  if (!input)
    throw ConfigError(
        fmt::format("{}: takes images of {}, and they enter as {}; expected preprocessing that gives its size",
                    model.checkpoint.file_name, model.input().text(), sample.text()));
  model.graph = formats::resolve(*model.sizeless, *input);
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
    if (model.sizeless)
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

}  // namespace shiftnorm::experiment
