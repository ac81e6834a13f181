#include "module_graph.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>

#include "module_tree.hpp"
#include "shiftnorm/core/error.hpp"
#include "shiftnorm/core/text.hpp"
#include "stock_layers.hpp"

namespace shiftnorm::formats {
namespace {

using pickle::Heap, pickle::Id;

constexpr std::string_view kSequential = "torch.nn.modules.container.Sequential";
// Run what is inside them, under one more name.
constexpr std::array<std::string_view, 2> kWrappers{"torch.nn.parallel.data_parallel.DataParallel",
                                                    "torch.nn.parallel.distributed.DistributedDataParallel"};
constexpr std::size_t kMaxLayers = 4096;

std::optional<StockLayer::Attribute> attribute(const Heap& heap, Id id) {
  const pickle::Value& value = heap.at(id);
  if (std::holds_alternative<pickle::NoneValue>(value)) return StockLayer::Attribute{};
  if (const auto* v = std::get_if<bool>(&value)) return *v;
  if (const auto* v = std::get_if<std::int64_t>(&value)) return *v;
  if (const auto* v = std::get_if<double>(&value)) return *v;
  if (const auto* v = std::get_if<std::string>(&value)) return *v;
  const auto* sequence = std::get_if<pickle::Sequence>(&value);
  if (sequence == nullptr || sequence->items.size() > 16) return std::nullopt;
  std::vector<std::int64_t> integers;
  for (const Id item : sequence->items) {
    const auto* v = heap.get<std::int64_t>(item);
    if (v == nullptr && heap.get<pickle::NoneValue>(item) == nullptr) return std::nullopt;
    integers.push_back(v == nullptr ? 0 : *v);  // None in an output size: the extent stays
  }
  return integers;
}

StockLayer read_layer(const Heap& heap, Id module, const StockLayerType& type, std::string name) {
  StockLayer layer{&type, std::move(name), {}, {}};
  for (const auto& [key, id] : heap.attributes(module)->items)
    if (const auto* text = heap.get<std::string>(key))
      if (auto value = attribute(heap, id)) layer.attributes.insert_or_assign(*text, std::move(*value));
  for (const auto& [key, tensor] : module_tensors(heap, module))
    if (const auto* dense = heap.get<pickle::TensorRef>(tensor))
      layer.tensors.insert_or_assign(key, Shape(heap.tensor(*dense).sizes));
  return layer;
}

/// A module that hinders: its place and class.
struct Hindrance {
  std::string name;
  std::string_view type;
};

/// Adds the layers of a chain in order; returns the first module that is neither a layer nor a chain.
std::optional<Hindrance> flatten(const Heap& heap, Id root, std::vector<StockLayer>& layers) {
  struct Place {
    Id id;
    std::string name;
  };
  std::vector<Place> places{{root, ""}};
  while (!places.empty()) {
    const Place place = std::move(places.back());
    places.pop_back();
    const std::string_view type = class_of(heap, place.id);
    if (const StockLayerType* row = find_stock_layer(type)) {
      layers.push_back(read_layer(heap, place.id, *row, place.name));
      if (layers.size() > kMaxLayers) throw FormatError(fmt::format("a chain of more than {} layers", kMaxLayers));
      continue;
    }
    const bool wrapper = std::find(kWrappers.begin(), kWrappers.end(), type) != kWrappers.end();
    if (type != kSequential && !wrapper) return Hindrance{place.name, type};
    const auto inner = children(heap, place.id);
    for (auto child = inner.rbegin(); child != inner.rend(); ++child)
      places.push_back({child->second, place.name.empty() ? child->first : place.name + "." + child->first});
  }
  return std::nullopt;
}

/// The input of one image as far as the layers tell it.
Shape input_of(const std::vector<StockLayer>& layers) {
  std::int64_t channels = 0;
  std::size_t rank = 0;
  for (const StockLayer& layer : layers) {
    if (layer.type->name.ends_with(".Flatten")) break;
    if (channels == 0) channels = input_channels(layer);
    if (rank == 0) rank = layer.type->rank;
    if (channels != 0 && rank != 0) break;
  }
  if (channels == 0 || rank < 2) throw UnsupportedError("its layers do not tell the shape of the input");
  std::vector<std::int64_t> extents(rank, 0);
  extents[0] = 1;
  extents[1] = channels;
  return Shape(std::move(extents));
}

graph::Graph build_chain(const std::vector<StockLayer>& layers, const Shape& input) {
  Chain chain;
  chain.x = chain.graph.add_input("input", input);
  chain.rank = input.rank();
  for (const StockLayer& layer : layers) {
    try {
      if (layer.type->rank != 0 && layer.type->rank != chain.rank)
        throw UnsupportedError(fmt::format("takes {} axes and is given {}", layer.type->rank, chain.rank));
      layer.type->add(chain, layer);
    } catch (const Error&) {
      rethrow_at(fmt::format("layer '{}' ({})", printable(layer.name), printable(layer.type->name)));
    }
  }
  chain.graph.set_outputs({chain.x});
  return std::move(chain.graph);
}

}  // namespace

ModuleNetwork read_module_network(const Heap& heap, Id module) {
  ModuleNetwork network;
  const std::string type = printable(class_of(heap, module));
  if (is_torch_script(heap, module)) {
    network.missing = fmt::format("a TorchScript module of class '{}', whose code is not read", type);
    return network;
  }
  std::vector<StockLayer> layers;
  if (const auto hindrance = flatten(heap, module, layers)) {
    network.missing = fmt::format("a pickled module of class '{}', whose code is not in the file", type);
    if (!hindrance->name.empty())
      network.missing = fmt::format("a pickled module whose part '{}' is of class '{}', which is no stock layer",
                                    printable(hindrance->name), printable(hindrance->type));
    return network;
  }
  try {
    network.input = input_of(layers);
    (void)build_chain(layers, network.input);
    network.build = [layers = std::move(layers)](const Shape& input) { return build_chain(layers, input); };
  } catch (const UnsupportedError& e) {
    network.missing = fmt::format("a pickled module of stock layers ({})", e.what());
  }
  return network;
}

}  // namespace shiftnorm::formats
