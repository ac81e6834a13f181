#include "shiftnorm/experiment/model.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>

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

graph::Binding bind_to(graph::Graph& graph, const Checkpoint& checkpoint, const zoo::Architecture& known) {
  std::vector<graph::NamedSource> sources;
  for (const NamedTensor& tensor : checkpoint.tensors)
    sources.push_back({known.modern_name != nullptr ? known.modern_name(tensor.name) : tensor.name,
                       tensor.values.shape(), &tensor.values});
  graph::Binding binding = graph::bind(graph, sources);
  // A deeper network of the same family holds every name of a shallower one: what is left over tells them apart.
  std::vector<std::string> unmeasured;
  std::ranges::copy_if(binding.left_over, std::back_inserter(unmeasured), [&](const std::string& name) {
    return batch_norm_tensor(name) && (known.training_only.empty() || !has_part(name, known.training_only));
  });
  if (!unmeasured.empty())
    throw FormatError(fmt::format("the file does not fit the architecture: {} BatchNorm tensors left over ({})",
                                  unmeasured.size(), join(unmeasured, 4)));
  return binding;
}

/// A file that holds its graph names the parameters that can be written back as their tensors.
graph::Binding binding_by_name(const graph::Graph& graph, const Checkpoint& checkpoint) {
  std::map<std::string_view, std::size_t> index;
  for (std::size_t i = 0; i < checkpoint.tensors.size(); ++i) index.emplace(checkpoint.tensors[i].name, i);
  graph::Binding binding;
  for (const graph::ValueId id : graph.parameters())
    if (const auto at = index.find(graph.value(id).name); at != index.end()) binding.pairs.emplace_back(id, at->second);
  return binding;
}

bool fits(const Checkpoint& checkpoint, const zoo::Architecture& architecture) {
  try {
    graph::Graph graph = architecture.build(build_options(checkpoint, architecture));
    (void)bind_to(graph, checkpoint, architecture);
    return true;
  } catch (const Error&) {
    return false;
  }
}

/// A file's own network for another input.
void rebuild(RestoredModel& model, const Shape& image) {
  std::vector<std::int64_t> input = image.extents();
  input.insert(input.begin(), 1);
  try {
    model.graph = formats::graph_for(model.checkpoint, Shape(std::move(input)));
    model.binding = binding_by_name(model.graph, model.checkpoint);
    graph::infer_shapes(model.graph);
  } catch (const Error&) {
    rethrow_at(fmt::format("{} for images {}", model.checkpoint.file_name, image.text()));
  }
}

[[noreturn]] void architecture_missing(const Checkpoint& checkpoint) {
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

std::int64_t count_parameters(const Checkpoint& checkpoint) {
  std::int64_t parameters = 0;
  for (const NamedTensor& tensor : checkpoint.tensors)
    if (is_floating(tensor.values.dtype()) && !batch_norm_tensor(tensor.name))
      parameters += tensor.values.shape().elements();
  return parameters;
}

RestoredModel restore(const std::filesystem::path& path, const std::string& architecture) {
  RestoredModel model;
  model.checkpoint = formats::read_checkpoint(path);
  model.parameters = count_parameters(model.checkpoint);
  if (model.checkpoint.graph) {
    model.graph = *model.checkpoint.graph;
    model.binding = binding_by_name(model.graph, model.checkpoint);
    if (model.input().elements() != 0) graph::infer_shapes(model.graph);  // else resize_input() has to come
  } else {
    if (architecture.empty()) architecture_missing(model.checkpoint);
    const zoo::Architecture& known = zoo::architecture(architecture);
    model.architecture = known.name;
    try {
      model.graph = known.build(build_options(model.checkpoint, known));
      model.binding = bind_to(model.graph, model.checkpoint, known);
      graph::infer_shapes(model.graph);
    } catch (const Error&) {
      rethrow_at(fmt::format("{} as {}", model.checkpoint.file_name, known.name));
    }
  }
  if (graph::batch_norms(model.graph).empty())
    throw FormatError(
        fmt::format("{}: the network has no BatchNorm; nothing to recalibrate", model.checkpoint.file_name));
  return model;
}

void resize_input(RestoredModel& model, const Shape& image) {
  if (model.input() == image) return;
  if (model.architecture.empty()) {
    if (model.checkpoint.build) rebuild(model, image);
    return;
  }
  const zoo::Architecture& known = zoo::architecture(model.architecture);
  zoo::BuildOptions options = build_options(model.checkpoint, known);
  options.height = image[1];
  options.width = image[2];
  try {
    model.graph = known.build(options);
    model.binding = bind_to(model.graph, model.checkpoint, known);
    graph::infer_shapes(model.graph);
  } catch (const Error&) {
    rethrow_at(fmt::format("{} as {} for {} x {} images", model.checkpoint.file_name, known.name, image[1], image[2]));
  }
}

}  // namespace shiftnorm::experiment
