#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "budget.hpp"
#include "pickle_heap.hpp"
#include "stock_layers.hpp"

namespace shiftnorm::formats {

inline constexpr std::string_view kSequential = "torch.nn.modules.container.Sequential";
/// What a Budget for read_layers() says.
inline constexpr const char* kTooManyLayers = "pickle: its modules name more layers than any network has";

/// A module that is neither a stock layer nor made of them: its place in the chain, and its class.
struct Hindrance {
  std::string name;
  std::string_view type;
};

/// Adds the layers of a chain in order: of nn.Sequential, nested or wrapped in DataParallel, of the layers in
/// stock_layers.cpp. Returns the first module that is neither a layer nor a chain.
/// Errors  FormatError for more of them than the budget allows.
[[nodiscard]] std::optional<Hindrance> read_layers(const pickle::Heap& heap, pickle::Id root, Budget& budget,
                                                   std::vector<StockLayer>& layers);

/// Puts them behind the chain's end. Errors  those of the layer, naming it.
void add_layers(Chain& chain, std::span<const StockLayer> layers);

}  // namespace shiftnorm::formats
