#include "module_layers.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "module_tree.hpp"
#include "shiftnorm/core/error.hpp"
#include "shiftnorm/core/text.hpp"

namespace shiftnorm::formats {
namespace {

using pickle::Heap, pickle::Id;

// Run what is inside them, under one more name.
constexpr std::array<std::string_view, 2> kWrappers{"torch.nn.parallel.data_parallel.DataParallel",
                                                    "torch.nn.parallel.distributed.DistributedDataParallel"};
constexpr std::size_t kMaxLayers = 4096, kLongestWord = 64;
constexpr std::size_t kCostOfAttribute = 16;

std::optional<StockLayer::Attribute> attribute(const Heap& heap, Id id) {
  const pickle::Value& value = heap.at(id);
  if (std::holds_alternative<pickle::NoneValue>(value)) return StockLayer::Attribute{};
  if (const auto* v = std::get_if<bool>(&value)) return *v;
  if (const auto* v = std::get_if<std::int64_t>(&value)) return *v;
  if (const auto* v = std::get_if<double>(&value)) return *v;
  if (const auto* v = std::get_if<std::string>(&value))
    return v->size() <= kLongestWord ? std::optional<StockLayer::Attribute>(*v) : std::nullopt;
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

StockLayer read_layer(const Heap& heap, Id module, const StockLayerType& type, std::string name, Budget& budget) {
  StockLayer layer{&type, std::move(name), {}, {}};
  for (const auto& [key, id] : heap.attributes(module)->items)
    if (const auto* text = heap.get<std::string>(key)) {
      budget.spend(kCostOfAttribute + text->size());
      if (auto value = attribute(heap, id)) layer.attributes.insert_or_assign(*text, std::move(*value));
    }
  for (const auto& [key, tensor] : module_tensors(heap, module, budget))
    if (const auto* dense = heap.get<pickle::TensorRef>(tensor))
      layer.tensors.insert_or_assign(key, Shape(heap.tensor(*dense).sizes));
  return layer;
}

}  // namespace

std::optional<Hindrance> read_layers(const Heap& heap, Id root, Budget& budget, std::vector<StockLayer>& layers) {
  struct Place {
    Id id;
    std::string name;
  };
  std::vector<Place> places{{root, ""}};
  while (!places.empty()) {
    const Place place = std::move(places.back());
    places.pop_back();
    const std::string_view type = class_of(heap, place.id);
    budget.spend(1 + place.name.size());
    if (const StockLayerType* row = find_stock_layer(type)) {
      layers.push_back(read_layer(heap, place.id, *row, place.name, budget));
      if (layers.size() > kMaxLayers) throw FormatError(fmt::format("a chain of more than {} layers", kMaxLayers));
      continue;
    }
    const bool wrapper = std::find(kWrappers.begin(), kWrappers.end(), type) != kWrappers.end();
    if (type != kSequential && !wrapper) return Hindrance{place.name, type};
    const auto inner = children(heap, place.id);
    budget.spend(inner.size());
    for (auto child = inner.rbegin(); child != inner.rend(); ++child)
      places.push_back({child->second, place.name.empty() ? child->first : place.name + "." + child->first});
  }
  return std::nullopt;
}

void add_layers(Chain& chain, std::span<const StockLayer> layers) {
  for (const StockLayer& layer : layers) {
    try {
      if (layer.type->rank != 0 && layer.type->rank != chain.rank)
        throw UnsupportedError(fmt::format("takes {} axes and is given {}", layer.type->rank, chain.rank));
      layer.type->add(chain, layer);
    } catch (const Error&) {
      rethrow_at(fmt::format("layer '{}' ({})", printable(layer.name), printable(layer.type->name)));
    }
  }
}

}  // namespace shiftnorm::formats
