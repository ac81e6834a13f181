#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "layers.hpp"
#include "shiftnorm/core/error.hpp"
#include "shiftnorm/core/text.hpp"

namespace shiftnorm::formats::keras {
namespace {

/// All inputs with equal ranks and the same layout. As Keras does, missing axes are put behind that of the images.
std::vector<Feature> aligned(LayerCall& call) {
  std::size_t rank = 0;
  bool moved = false;
  for (const Feature& x : call.inputs) {
    rank = std::max(rank, call.to.rank(x));
    moved = moved || x.moved;
  }
  std::vector<Feature> out;
  for (std::size_t i = 0; i < call.inputs.size(); ++i) {
    const std::string name = call.part(fmt::format("input{}", i));
    Feature x = call.inputs[i];
    if (call.to.rank(x) < rank) {
      Ints extents = call.to.keras_shape(x);
      extents.insert(extents.begin() + 1, rank - extents.size(), 1);
      x = call.to.reshaped(x, std::move(extents), name);
    }
    out.push_back(call.to.relaid(x, moved, name));
  }
  return out;
}

/// A chain of one operator over all operands, the constants last.
Feature chain(LayerCall& call, const std::string& op) {
  const std::vector<Feature> inputs = aligned(call);
  Feature y = inputs.front();
  const std::size_t steps = inputs.size() - 1 + call.constants.size();
  if (steps == 0) return y;
  for (std::size_t i = 0; i < steps; ++i) {
    const std::string name = i + 1 == steps ? call.layer.name : call.part(fmt::format("step{}", i));
    const bool tensor = i + 1 < inputs.size();
    const ValueId other =
        tensor ? inputs[i + 1].id
               : call.to.scalar(call.part(fmt::format("constant{}", i)), call.constants[i + 1 - inputs.size()]);
    y = call.to.add_like(y, op, name, {}, {other});
  }
  return y;
}

struct Mode {
  std::string_view name;
  Feature (*lower)(LayerCall&);
};

/// Modes of Keras 1's Merge.
constexpr std::array kModes{Mode{"sum", lower_add}, Mode{"mul", lower_multiply}, Mode{"ave", lower_average},
                            Mode{"max", lower_maximum}, Mode{"concat", lower_concatenate}};

/// Functions that TensorFlow's operator layers and Keras 3's operations name.
constexpr std::array kOperations{
    Mode{"add", lower_add},           Mode{"subtract", lower_subtract}, Mode{"sub", lower_subtract},
    Mode{"multiply", lower_multiply}, Mode{"mul", lower_multiply},      Mode{"divide", lower_divide},
    Mode{"truediv", lower_divide},    Mode{"maximum", lower_maximum},   Mode{"minimum", lower_minimum},
};

}  // namespace

Feature lower_add(LayerCall& call) { return chain(call, "Add"); }
Feature lower_subtract(LayerCall& call) { return chain(call, "Sub"); }
Feature lower_multiply(LayerCall& call) { return chain(call, "Mul"); }
Feature lower_divide(LayerCall& call) { return chain(call, "Div"); }
Feature lower_maximum(LayerCall& call) { return chain(call, "Max"); }
Feature lower_minimum(LayerCall& call) { return chain(call, "Min"); }

Feature lower_average(LayerCall& call) {
  const ValueId share = call.to.scalar(call.part("share"), 1.0 / static_cast<double>(call.inputs.size()));
  return call.to.add_like(chain(call, "Add"), "Mul", call.part("average"), {}, {share});
}

Feature lower_concatenate(LayerCall& call) {
  const std::vector<Feature> inputs = aligned(call);
  const std::int64_t axis = call.settings.axis({"axis", "concat_axis"}, -1);
  std::vector<ValueId> ids;
  ids.reserve(inputs.size());
  for (const Feature& x : inputs) ids.push_back(x.id);
  const auto here = static_cast<std::int64_t>(call.to.axis_here(inputs.front(), axis));
  return {call.to.add("Concat", call.layer.name, std::move(ids), {{"axis", here}}), inputs.front().moved};
}

Feature lower_merge(LayerCall& call) {
  const std::string name = call.settings.text({"mode"}, "sum");
  const auto* const mode =
      std::find_if(kModes.begin(), kModes.end(), [&name](const Mode& m) { return m.name == name; });
  if (mode == kModes.end()) throw UnsupportedError(fmt::format("mode '{}'", printable(name)));
  return mode->lower(call);
}

/// keras.applications' InceptionResNetV2: the first input and the second scaled.
Feature lower_custom_scale(LayerCall& call) {
  if (call.inputs.size() != 2) throw FormatError(fmt::format("{} inputs; expected 2", call.inputs.size()));
  const ValueId factor = call.to.scalar(call.part("scale"), call.settings.number({"scale"}, 1.0));
  call.inputs[1] = call.to.add_like(call.inputs[1], "Mul", call.part("scaled"), {}, {factor});
  return chain(call, "Add");
}

/// TensorFlow's operators as layers: the last part of `__operators__.add` or `math.multiply` says which.
Feature lower_operation(LayerCall& call) {
  const std::string function = call.settings.text({"function", "name"}, "");
  const std::string name = function.substr(function.rfind('.') + 1);
  const auto* const operation =
      std::find_if(kOperations.begin(), kOperations.end(), [&name](const Mode& m) { return m.name == name; });
  if (operation == kOperations.end())
    throw UnsupportedError(fmt::format("function '{}' is not supported", printable(function)));
  return operation->lower(call);
}

}  // namespace shiftnorm::formats::keras
