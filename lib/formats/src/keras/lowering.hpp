#pragma once

#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "architecture.hpp"
#include "shiftnorm/graph/graph.hpp"
#include "version.hpp"
#include "weights.hpp"

namespace shiftnorm::formats::keras {

using graph::ValueId;
using Ints = std::vector<std::int64_t>;

/// A value of the graph. Keras keeps channels last in most models; the graph wants them second. `moved` says that the
/// last axis of the Keras tensor is second here.
struct Feature {
  ValueId id = graph::kNone;
  bool moved = false;
};

/// Puts together the graph of one model: knows its layout, its weights and how Keras' axes map to the graph's.
class Lowering {
 public:
  Lowering(const Architecture& architecture, const Weights& weights, const Version& version, std::string backend);

  /// Every call in order, by the table of layers. `input`: of one image, channels second; absent: the model's own.
  /// Errors  ShapeError for an input that the model does not take.
  [[nodiscard]] graph::Graph run(const std::optional<Shape>& input = std::nullopt) &&;
  /// The input as the graph has it, N = 1 in front; 0 where the model leaves an extent open.
  [[nodiscard]] Ints open_input() const;
  /// "NHWC" and the like where the model's own input has its channels last; else empty.
  [[nodiscard]] std::string own_layout() const;

  [[nodiscard]] const Version& version() const { return version_; }
  [[nodiscard]] const std::string& backend() const { return backend_; }
  /// Of a layer that says nothing itself, as the other layers have it.
  [[nodiscard]] bool channels_first(const Settings& settings) const;

  /// Appends a node under a name of its own and infers its shape.
  ValueId add(const std::string& op, const std::string& name, std::vector<ValueId> inputs,
              std::map<std::string, graph::Attribute> attributes = {});
  /// The same with one input, whose layout the result has.
  Feature add_like(const Feature& x, const std::string& op, const std::string& name,
                   std::map<std::string, graph::Attribute> attributes = {}, std::vector<ValueId> more = {});
  /// A tensor that no file holds as it is; asked for again under the same name it is the same.
  ValueId constant(const std::string& name, const Shape& shape, std::span<const float> values);
  ValueId scalar(const std::string& name, double value);
  ValueId integers(const std::string& name, Ints values) { return graph_.add_constant(name, std::move(values)); }
  /// A one-dimensional weight under its name in the file.
  ValueId stored(std::size_t tensor);
  [[nodiscard]] const NamedTensor& tensor(std::size_t index) const { return weights_.tensors.at(index); }

  [[nodiscard]] const Shape& shape(const Feature& x) const { return *graph_.value(x.id).shape; }
  [[nodiscard]] std::size_t rank(const Feature& x) const { return shape(x).rank(); }
  /// Extents in the order of Keras, N in front.
  [[nodiscard]] Ints keras_shape(const Feature& x) const;
  /// An axis as Keras counts it, from either end, in the graph.
  [[nodiscard]] std::size_t axis_here(const Feature& x, std::int64_t keras_axis) const;

  /// The same tensor with Keras' last axis second, or with its axes as in Keras.
  Feature relaid(const Feature& x, bool moved, const std::string& name);
  /// With channels second and `spatial` axes behind them. Errors: FormatError for another rank.
  Feature channels_second(const Feature& x, bool channels_first, std::size_t spatial, const std::string& name);
  /// Axes in this order of Keras' axes; copies only where values change their place.
  ValueId arranged(const Feature& x, const std::vector<std::size_t>& keras_axes, const std::string& name);
  Feature reshaped(const Feature& x, Ints keras_shape, const std::string& name);
  Feature flattened(const Feature& x, const std::string& name);

 private:
  [[nodiscard]] std::vector<std::size_t> keras_axes(const Feature& x) const;
  /// A grey image without its axis of channels, as the input of a network of Dense layers.
  [[nodiscard]] bool plain_image() const;
  [[nodiscard]] bool input_moved() const;
  Feature add_input(const std::optional<Shape>& input);
  [[nodiscard]] std::string unique(const std::string& name);

  const Architecture& architecture_;
  const Weights& weights_;
  Version version_;
  std::string backend_;
  bool channels_first_ = false;
  graph::Graph graph_;
  std::vector<Feature> results_;
  std::map<std::string, std::size_t> names_;
  std::map<std::string, ValueId> parameters_;
};

/// One use of a layer on its way into the graph.
struct LayerCall {
  Lowering& to;
  const Layer& layer;
  const LayerWeights& weights;
  Settings settings;
  std::vector<Feature> inputs;
  std::vector<double> constants;              ///< operands that are not tensors
  const container::Json* keywords = nullptr;  ///< of the call

  [[nodiscard]] const Feature& x() const { return inputs.front(); }
  [[nodiscard]] bool has(const std::string& role) const { return weights.contains(role); }
  /// Values of a weight of this rank. Errors: FormatError.
  [[nodiscard]] const Array& weight(const std::string& role, std::size_t rank) const;
  [[nodiscard]] std::string part(std::string_view what) const { return layer.name + "." + std::string(what); }
};

/// A layer class: its name, the weights it has under these settings, and what it becomes.
struct LayerClass {
  std::string_view name;
  Feature (*lower)(LayerCall&);
  Roles (*roles)(const Settings&);
};

/// Errors  UnsupportedError naming the class.
[[nodiscard]] const LayerClass& layer_class(const std::string& name);

/// Values in another order of axes.
[[nodiscard]] std::vector<float> permuted(const Array& values, std::span<const std::size_t> axes);

/// What the setting `activation` asks for.
Feature activate(LayerCall& call, const Feature& x);

}  // namespace shiftnorm::formats::keras
