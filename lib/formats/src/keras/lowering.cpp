#include "lowering.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <numeric>

#include "shiftnorm/core/error.hpp"
#include "shiftnorm/core/text.hpp"
#include "shiftnorm/graph/shapes.hpp"

namespace shiftnorm::formats::keras {
namespace {

/// Layers that name no format (Flatten, Keras 1's ZeroPadding2D) follow the first that does.
bool default_channels_first(const Architecture& architecture) {
  for (const Layer& layer : architecture.layers)
    if (layer.class_name != "Flatten")
      if (const std::optional<bool> first = layer.settings().channels_first()) return *first;
  return false;
}

bool has_time_axis(const Architecture& architecture) {
  return std::any_of(architecture.layers.begin(), architecture.layers.end(),
                     [](const Layer& layer) { return layer.class_name.find("1D") != std::string::npos; });
}

std::vector<std::size_t> counting(std::size_t rank) {
  std::vector<std::size_t> axes(rank);
  std::iota(axes.begin(), axes.end(), std::size_t{0});
  return axes;
}

/// 0, last, 1, 2, ...
std::vector<std::size_t> last_second(std::size_t rank) {
  std::vector<std::size_t> axes = counting(rank);
  std::rotate(axes.begin() + 1, axes.end() - 1, axes.end());
  return axes;
}

}  // namespace

std::vector<float> permuted(const Array& values, std::span<const std::size_t> axes) {
  const std::vector<float> from = values.to_float();
  std::vector<float> to(from.size());
  const Shape& shape = values.shape();
  std::vector<std::int64_t> extents, strides, position(axes.size(), 0);
  for (const std::size_t axis : axes) {
    extents.push_back(shape[axis]);
    strides.push_back(shape.elements_from(axis + 1));
  }
  std::int64_t at = 0;
  for (float& value : to) {
    value = from[static_cast<std::size_t>(at)];
    for (std::size_t axis = axes.size(); axis-- > 0;) {
      at += strides[axis];
      if (++position[axis] < extents[axis]) break;
      at -= strides[axis] * extents[axis];
      position[axis] = 0;
    }
  }
  return to;
}

const Array& LayerCall::weight(const std::string& role, std::size_t rank) const {
  const NamedTensor& tensor = to.tensor(weights.at(role));
  if (tensor.values.shape().rank() != rank)
    throw FormatError(fmt::format("weight '{}' has shape {}; expected {} axes", printable(tensor.name),
                                  tensor.values.shape().text(), rank));
  if (!is_floating(tensor.values.dtype()))
    throw FormatError(fmt::format("weight '{}' holds {}; expected floating-point numbers", printable(tensor.name),
                                  name_of(tensor.values.dtype())));
  return tensor.values;
}

Lowering::Lowering(const Architecture& architecture, const Weights& weights, const Version& version,
                   std::string backend)
    : architecture_(architecture),
      weights_(weights),
      version_(version),
      backend_(std::move(backend)),
      channels_first_(default_channels_first(architecture)) {}

graph::Graph Lowering::run(const std::optional<Shape>& input) && {
  for (const Call& use : architecture_.calls) {
    const Layer& layer = architecture_.layers[use.layer];
    if (results_.size() == architecture_.input) {
      results_.push_back(add_input(input));
      continue;
    }
    try {
      LayerCall call{*this, layer, weights_.layers[use.layer], layer.settings(), {}, {}, use.keywords};
      for (const Operand& operand : use.operands) {
        if (operand.call)
          call.inputs.push_back(results_.at(*operand.call));
        else
          call.constants.insert(call.constants.end(), operand.constant.begin(), operand.constant.end());
      }
      if (call.inputs.empty()) throw FormatError("has no input");
      results_.push_back(layer_class(layer.class_name).lower(call));
    } catch (const Error&) {
      rethrow_at(fmt::format("layer '{}' ({})", printable(layer.name), printable(layer.class_name)));
    }
  }
  std::vector<ValueId> outputs;
  for (const std::size_t call : architecture_.outputs)
    outputs.push_back(relaid(results_.at(call), false, architecture_.layers[architecture_.calls[call].layer].name).id);
  graph_.set_outputs(std::move(outputs));
  return std::move(graph_);
}

bool Lowering::channels_first(const Settings& settings) const {
  return settings.channels_first().value_or(channels_first_);
}

bool Lowering::plain_image() const { return architecture_.input_shape.size() == 2 && !has_time_axis(architecture_); }

bool Lowering::input_moved() const {
  return !plain_image() && !channels_first_ && architecture_.input_shape.size() > 1;
}

Ints Lowering::open_input() const {
  const Ints& own = architecture_.input_shape;
  Ints extents = plain_image() ? Ints{1, 1} : Ints{1};
  for (const std::int64_t extent : own) extents.push_back(extent == -1 ? 0 : extent);
  if (input_moved()) std::rotate(extents.begin() + 1, extents.end() - 1, extents.end());
  return extents;
}

std::string Lowering::own_layout() const {
  // By the number of axes of an image without its channels.
  constexpr std::array<std::string_view, 4> kLayouts{"", "NTC", "NHWC", "NDHWC"};
  const std::size_t spatial = architecture_.input_shape.empty() ? 0 : architecture_.input_shape.size() - 1;
  return input_moved() && spatial < kLayouts.size() ? std::string(kLayouts[spatial]) : std::string();
}

Feature Lowering::add_input(const std::optional<Shape>& input) {
  const Layer& layer = architecture_.layers[architecture_.calls[architecture_.input].layer];
  Ints extents = open_input();
  if (input) {
    const auto fits = [](std::int64_t own, std::int64_t given) { return own == given || own == 0; };
    if (!std::equal(extents.begin(), extents.end(), input->extents().begin(), input->extents().end(), fits))
      throw ShapeError(fmt::format("layer '{}': is given {}; expected [{}] with any extent for 0",
                                   printable(layer.name), input->text(), fmt::join(extents, ", ")));
    extents = input->extents();
  }
  if (std::any_of(extents.begin(), extents.end(), [](std::int64_t e) { return e < 1; }))
    throw FormatError(fmt::format("layer '{}': an input of [{}]", printable(layer.name), fmt::join(extents, ", ")));
  const Feature given{graph_.add_input(layer.name, Shape(extents)), input_moved()};
  if (!plain_image()) return given;
  extents.erase(extents.begin());
  return reshaped(given, extents, layer.name);
}

std::string Lowering::unique(const std::string& name) {
  const std::size_t seen = names_[name]++;
  return seen == 0 ? name : unique(fmt::format("{}#{}", name, seen + 1));
}

ValueId Lowering::add(const std::string& op, const std::string& name, std::vector<ValueId> inputs,
                      std::map<std::string, graph::Attribute> attributes) {
  const graph::OpSpec* spec = graph::find_operator(op);
  if (spec == nullptr) throw UnsupportedError(fmt::format("operator {} is not supported", op));
  const ValueId id = graph_.add(op, unique(name), std::move(inputs), std::move(attributes));
  graph_.value(id).shape = spec->infer(graph_, graph_.nodes().back()).at(0);
  return id;
}

Feature Lowering::add_like(const Feature& x, const std::string& op, const std::string& name,
                           std::map<std::string, graph::Attribute> attributes, std::vector<ValueId> more) {
  more.insert(more.begin(), x.id);
  return {add(op, name, std::move(more), std::move(attributes)), x.moved};
}

ValueId Lowering::constant(const std::string& name, const Shape& shape, std::span<const float> values) {
  const auto known = parameters_.find(name);
  if (!name.empty() && known != parameters_.end()) return known->second;
  const ValueId id = graph_.add_parameter(name, shape);
  graph_.value(id).tensor = Tensor(shape, values);
  if (!name.empty()) parameters_.emplace(name, id);
  return id;
}

ValueId Lowering::scalar(const std::string& name, double value) {
  const auto narrow = static_cast<float>(value);
  return constant(name, Shape{}, std::span(&narrow, 1));
}

ValueId Lowering::stored(std::size_t tensor) {
  const NamedTensor& found = weights_.tensors.at(tensor);
  return constant(found.name, found.values.shape(), found.values.to_float());
}

std::vector<std::size_t> Lowering::keras_axes(const Feature& x) const {
  return x.moved ? last_second(rank(x)) : counting(rank(x));
}

Ints Lowering::keras_shape(const Feature& x) const {
  Ints extents = shape(x).extents();
  if (x.moved) std::rotate(extents.begin() + 1, extents.begin() + 2, extents.end());
  return extents;
}

std::size_t Lowering::axis_here(const Feature& x, std::int64_t keras_axis) const {
  const auto n = static_cast<std::int64_t>(rank(x));
  const std::int64_t axis = keras_axis < 0 ? keras_axis + n : keras_axis;
  if (axis < 0 || axis >= n) throw FormatError(fmt::format("axis {} of a tensor with {} axes", keras_axis, n));
  const std::vector<std::size_t> axes = keras_axes(x);
  return static_cast<std::size_t>(std::find(axes.begin(), axes.end(), static_cast<std::size_t>(axis)) - axes.begin());
}

ValueId Lowering::arranged(const Feature& x, const std::vector<std::size_t>& wanted, const std::string& name) {
  const std::vector<std::size_t> here = keras_axes(x);
  if (here == wanted) return x.id;
  Ints order, extents;
  std::int64_t latest = -1;
  bool in_place = true;  // axes of one element may change places without moving any value
  for (const std::size_t axis : wanted) {
    const auto at = static_cast<std::int64_t>(std::find(here.begin(), here.end(), axis) - here.begin());
    order.push_back(at);
    const std::int64_t extent = shape(x)[static_cast<std::size_t>(at)];
    extents.push_back(extents.empty() ? 0 : extent);
    if (extent == 1) continue;
    in_place = in_place && at > latest;
    latest = at;
  }
  if (in_place) return add("Reshape", name + ".reshape", {x.id, integers(name + ".shape", std::move(extents))});
  return add("Transpose", name + ".transpose", {x.id}, {{"perm", std::move(order)}});
}

Feature Lowering::relaid(const Feature& x, bool moved, const std::string& name) {
  if (rank(x) < 3) return x;
  return {arranged(x, moved ? last_second(rank(x)) : counting(rank(x)), name), moved};
}

Feature Lowering::channels_second(const Feature& x, bool channels_first, std::size_t spatial, const std::string& name) {
  if (rank(x) != spatial + 2)
    throw FormatError(
        fmt::format("its input has shape {}; expected {} axes", Shape(keras_shape(x)).text(), spatial + 2));
  return relaid(x, !channels_first, name);
}

Feature Lowering::reshaped(const Feature& x, Ints keras_shape, const std::string& name) {
  const Feature plain = relaid(x, false, name);
  if (shape(plain).extents() == keras_shape) return plain;
  keras_shape[0] = 0;  // as many images as there are
  return {add("Reshape", name, {plain.id, integers(name + ".target", std::move(keras_shape))}), false};
}

Feature Lowering::flattened(const Feature& x, const std::string& name) {
  if (rank(x) == 2) return x;
  return {add("Flatten", name, {x.id}), false};
}

}  // namespace shiftnorm::formats::keras
