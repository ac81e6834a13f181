#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "settings.hpp"
#include "shiftnorm/container/json.hpp"

namespace shiftnorm::formats::keras {

/// A layer of a model or of a model inside it.
struct Layer {
  std::string name;  ///< those of inner models as outer/inner
  std::string class_name;
  const container::Json* config = nullptr;
  std::string place;                  ///< in a .keras file: layers/functional/layers/conv2d_1
  std::vector<std::size_t> position;  ///< in the configuration, one index per model around it
  bool trainable = true;

  [[nodiscard]] Settings settings() const { return Settings(*config); }
};

/// What a call is given: the result of an earlier call, or a constant.
struct Operand {
  std::optional<std::size_t> call;
  std::vector<double> constant;
};

/// One use of a layer, in an order that can be computed.
struct Call {
  std::size_t layer = 0;
  std::vector<Operand> operands;
  const container::Json* keywords = nullptr;
};

/// A model of Keras' functional or sequential kind as a flat graph, inner models put in their place.
struct Architecture {
  std::vector<Layer> layers;
  std::vector<Call> calls;
  std::size_t input = 0;                  ///< the call of the one InputLayer
  std::vector<std::int64_t> input_shape;  ///< without N, in the model's own order; -1 where it is free
  std::vector<std::size_t> outputs;       ///< calls
};

/// `json` is what model.to_json() gives, and must outlive the result.
/// Errors  FormatError, UnsupportedError naming the layer.
[[nodiscard]] Architecture read_architecture(const container::Json& json);

}  // namespace shiftnorm::formats::keras
