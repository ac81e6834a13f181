#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "layers.hpp"
#include "shiftnorm/core/error.hpp"
#include "shiftnorm/core/text.hpp"
#include "shiftnorm/graph/batch_norms.hpp"

namespace shiftnorm::formats::keras {
namespace {

using graph::StoredVariance;

/// What training put into the moving variance. TensorFlow's fused kernel takes inputs of four axes and gives the sample
/// variance; Keras 2.1.4 to 2.3 for several backends corrects whatever it gets once more, with epsilon in the divisor.
StoredVariance stored_variance(const LayerCall& call, std::size_t rank) {
  const Version& version = call.to.version();
  const bool fused = rank == 4 && call.settings.flag({"fused"}, true);
  if (version.major() != 2) return StoredVariance::population;
  if (version.tensorflow) return fused ? StoredVariance::sample : StoredVariance::population;
  const bool fused_here = fused && call.to.backend() == "tensorflow" && version.at_least({2, 1, 3});
  if (!version.at_least({2, 1, 4}) || call.to.backend() == "cntk")
    return fused_here ? StoredVariance::sample : StoredVariance::population;
  return fused_here ? StoredVariance::keras_twice : StoredVariance::keras_once;
}

/// One value per channel of `x` along the graph's axis 1 or where `axis` says.
Shape beside(const Lowering& to, const Feature& x, std::size_t axis, std::size_t count) {
  Ints extents(to.rank(x) - axis, 1);
  extents[0] = static_cast<std::int64_t>(count);
  if (to.shape(x)[axis] != extents[0])
    throw FormatError(fmt::format("{} values for an axis of {}", count, to.shape(x)[axis]));
  return Shape(std::move(extents));
}

/// x * scale + offset; each one number, or one per element of the axis.
Feature scale_and_shift(LayerCall& call, const Feature& x, std::size_t axis, const std::vector<double>& scale,
                        const std::vector<double>& offset) {
  const auto constant = [&](const std::string& part, const std::vector<double>& values) {
    if (values.size() == 1) return call.to.scalar(call.part(part), values[0]);
    const std::vector<float> narrow(values.begin(), values.end());
    return call.to.constant(call.part(part), beside(call.to, x, axis, values.size()), narrow);
  };
  const Feature scaled = call.to.add_like(x, "Mul", call.part("multiply"), {}, {constant("scale", scale)});
  return call.to.add_like(scaled, "Add", call.layer.name, {}, {constant("offset", offset)});
}

std::vector<double> weight_or_setting(const LayerCall& call, const std::string& role) {
  if (!call.has(role)) return call.settings.numbers({role});
  return call.to.tensor(call.weights.at(role)).values.to_double();
}

}  // namespace

Feature lower_batch_norm(LayerCall& call) {
  if (call.settings.integer({"mode"}, 0) != 0)
    throw UnsupportedError(fmt::format("mode {} of Keras 1; supported is 0", call.settings.integer({"mode"}, 0)));
  for (const std::string_view key : {"renorm", "virtual_batch_size"})
    if (const container::Json* value = call.settings.find({key}); value != nullptr && *value != container::Json(false))
      throw UnsupportedError(fmt::format("'{}' is not supported", key));
  const auto rank = static_cast<std::int64_t>(call.to.rank(call.x()));
  const std::int64_t given = call.settings.axis({"axis"}, -1), axis = given < 0 ? given + rank : given;
  if (axis != 1 && axis != rank - 1)
    throw UnsupportedError(fmt::format("axis {} of {}; supported are channels first or last", given, rank));
  const Feature x = call.to.relaid(call.x(), axis == rank - 1, call.part("input"));
  const Shape channels{call.to.shape(x)[1]};
  std::vector<ValueId> inputs{x.id};
  constexpr std::array<std::pair<const char*, float>, 4> kParts{
      {{"gamma", 1.0f}, {"beta", 0.0f}, {"moving_mean", 0.0f}, {"moving_variance", 1.0f}}};
  for (const auto& [role, neutral] : kParts) {
    if (!call.has(role)) {  // switched off: a constant that no file holds has no name
      inputs.push_back(
          call.to.constant("", channels, std::vector<float>(static_cast<std::size_t>(channels[0]), neutral)));
      continue;
    }
    if (const Shape& shape = call.weight(role, 1).shape(); shape != channels)
      throw FormatError(fmt::format("{} has shape {}; expected {}", role, shape.text(), channels.text()));
    inputs.push_back(call.to.stored(call.weights.at(role)));
  }
  const double epsilon = call.settings.number({"epsilon"}, 1e-3), momentum = call.settings.number({"momentum"}, 0.99);
  if (!(epsilon >= 0) || !(momentum >= 0 && momentum <= 1))
    throw FormatError(fmt::format("epsilon {} and momentum {}; expected 0 or more, and 0 to 1", epsilon, momentum));
  const StoredVariance kind = stored_variance(call, static_cast<std::size_t>(rank));
  return {call.to.add("BatchNormalization", call.layer.name, std::move(inputs),
                      {{"epsilon", static_cast<float>(epsilon)},
                       {"momentum", static_cast<float>(momentum)},
                       {std::string(graph::kStoredVariance), std::string(graph::name_of(kind))}}),
          x.moved};
}

Feature lower_layer_norm(LayerCall& call) {
  const auto rank = static_cast<std::int64_t>(call.to.rank(call.x()));
  if (const std::int64_t axis = call.settings.axis({"axis"}, -1); axis != -1 && axis != rank - 1)
    throw UnsupportedError(fmt::format("axis {}; supported is the last", axis));
  const Feature x = call.to.relaid(call.x(), false, call.part("input"));
  const Shape channels{call.to.shape(x)[call.to.rank(x) - 1]};
  std::vector<ValueId> inputs{x.id};
  for (const auto& [role, neutral] : {std::pair<const char*, float>{"gamma", 1.0f}, {"beta", 0.0f}}) {
    if (call.has(role) && call.weight(role, 1).shape() != channels)
      throw FormatError(
          fmt::format("{} has shape {}; expected {}", role, call.weight(role, 1).shape().text(), channels.text()));
    const std::vector<float> values(static_cast<std::size_t>(channels[0]), neutral);
    inputs.push_back(call.has(role) ? call.to.stored(call.weights.at(role))
                                    : call.to.constant(call.part(role), channels, values));
  }
  const auto epsilon = static_cast<float>(call.settings.number({"epsilon"}, 1e-3));
  return {call.to.add("LayerNormalization", call.layer.name, std::move(inputs),
                      {{"axis", std::int64_t{-1}}, {"epsilon", epsilon}}),
          false};
}

/// (x - mean) / max(sqrt(variance), 1e-7), or back again. Constants or weights; no BatchNorm, nothing to adapt.
Feature lower_normalization(LayerCall& call) {
  const Feature& x = call.x();
  const std::vector<double> mean = weight_or_setting(call, "mean"), variance = weight_or_setting(call, "variance");
  if (mean.empty() || mean.size() != variance.size())
    throw FormatError(fmt::format("{} means and {} variances; expected as many", mean.size(), variance.size()));
  const bool invert = call.settings.flag({"invert"}, false);
  std::vector<double> scale, offset;
  for (std::size_t i = 0; i < mean.size(); ++i) {
    const double deviation = std::max(std::sqrt(variance[i]), 1e-7);
    scale.push_back(invert ? deviation : 1.0 / deviation);
    offset.push_back(invert ? mean[i] : -mean[i] / deviation);
  }
  const std::size_t axis = mean.size() == 1 ? 1 : call.to.axis_here(x, call.settings.axis({"axis"}, -1));
  return scale_and_shift(call, x, axis, scale, offset);
}

Feature lower_rescaling(LayerCall& call) {
  const std::vector<double> scale = call.settings.numbers({"scale"});
  std::vector<double> offset = call.settings.numbers({"offset"});
  if (scale.empty()) throw FormatError("has no 'scale'");
  if (offset.empty()) offset = {0.0};
  return scale_and_shift(call, call.x(), call.to.axis_here(call.x(), -1), scale, offset);
}

}  // namespace shiftnorm::formats::keras
