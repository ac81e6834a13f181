#include "module_graph.hpp"

#include <fmt/format.h>

#include "module_layers.hpp"
#include "module_tree.hpp"
#include "shiftnorm/core/error.hpp"
#include "shiftnorm/core/text.hpp"

namespace shiftnorm::formats {
namespace {

using pickle::Heap, pickle::Id;

/// The input of one image as far as the layers determine it.
Shape input_of(const std::vector<StockLayer>& layers) {
  std::int64_t channels = 0;
  std::size_t rank = 0;
  for (const StockLayer& layer : layers) {
    if (layer.type->name.ends_with(".Flatten")) break;
    if (channels == 0) channels = input_channels(layer);
    if (rank == 0) rank = layer.type->rank;
    if (channels != 0 && rank != 0) break;
  }
  if (channels == 0 || rank < 2) throw UnsupportedError("its layers do not give the shape of the input");
  std::vector<std::int64_t> extents(rank, 0);
  extents[0] = 1;
  extents[1] = channels;
  return Shape(std::move(extents));
}

graph::Graph build_chain(const std::vector<StockLayer>& layers, const Shape& input) {
  Chain chain;
  chain.x = chain.graph.add_input("input", input);
  chain.rank = input.rank();
  add_layers(chain, layers);
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
  Budget budget(kTooManyLayers);
  if (const auto hindrance = read_layers(heap, module, budget, layers)) {
    network.missing = fmt::format("a pickled module of class '{}', whose code is not in the file", type);
    if (!hindrance->name.empty())
      network.missing = fmt::format("a pickled module whose part '{}' is of class '{}', which is not a stock layer",
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
