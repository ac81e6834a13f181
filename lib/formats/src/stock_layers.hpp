#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "shiftnorm/graph/graph.hpp"

namespace shiftnorm::formats {

struct StockLayerType;

/// A layer of torch.nn as its pickled attributes describe it.
struct StockLayer {
  using Attribute = std::variant<std::monostate, bool, std::int64_t, double, std::string, std::vector<std::int64_t>>;

  const StockLayerType* type = nullptr;
  std::string name;                                          ///< "features.0"
  std::map<std::string, Attribute, std::less<>> attributes;  ///< plain values; None is monostate
  std::map<std::string, Shape, std::less<>> tensors;         ///< of its own parameters and buffers

  /// Typed access; an attribute that the version which wrote the file did not have yet, or None, is `absent`.
  /// Errors  FormatError for another type
  [[nodiscard]] bool flag(std::string_view key, bool absent) const;
  [[nodiscard]] std::int64_t integer(std::string_view key, std::int64_t absent) const;
  [[nodiscard]] double number(std::string_view key, double absent) const;
  [[nodiscard]] std::string text(std::string_view key, std::string absent) const;
  [[nodiscard]] bool none(std::string_view key) const;  ///< absent or None
  /// One number stands for all `count`. Errors  FormatError for another count
  [[nodiscard]] std::vector<std::int64_t> integers(std::string_view key, std::size_t count,
                                                   std::vector<std::int64_t> absent) const;
};

/// A graph under construction and the value that the next layer takes.
struct Chain {
  graph::Graph graph;
  graph::ValueId x = graph::kNone;
  std::size_t rank = 0;  ///< of x with the images' axis
};

/// A class of torch.nn that a graph can be built of.
struct StockLayerType {
  std::string_view name;  ///< "torch.nn.modules.conv.Conv2d"
  std::size_t rank;       ///< that the class asks of its input; 0: any
  void (*add)(Chain& chain, const StockLayer& layer);
};

/// The row of a class, or nullptr.
[[nodiscard]] const StockLayerType* find_stock_layer(std::string_view class_name);

/// Channels that the layer expects, or 0 if it takes any number.
[[nodiscard]] std::int64_t input_channels(const StockLayer& layer);

}  // namespace shiftnorm::formats
