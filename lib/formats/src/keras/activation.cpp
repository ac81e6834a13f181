#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <limits>

#include "layers.hpp"
#include "shiftnorm/core/error.hpp"
#include "shiftnorm/core/text.hpp"

namespace shiftnorm::formats::keras {
namespace {

using container::Json;

/// An activation under way: the layer that asks for it and the name of its last node.
struct Activation {
  LayerCall& call;
  const Feature& x;
  std::string name;

  [[nodiscard]] std::string part(std::string_view what) const { return name + "." + std::string(what); }
  [[nodiscard]] Feature one(const std::string& op, std::map<std::string, graph::Attribute> attributes = {}) const {
    return call.to.add_like(x, op, name, std::move(attributes));
  }
  [[nodiscard]] Feature clip(double low, double high) const {
    const ValueId bottom = call.to.scalar(part("low"), low), top = call.to.scalar(part("high"), high);
    return call.to.add_like(x, "Clip", name, {}, {bottom, top});
  }
  [[nodiscard]] Feature times(ValueId gate) const { return call.to.add_like(x, "Mul", name, {}, {gate}); }
};

using Attributes = std::map<std::string, graph::Attribute>;

/// alpha x + beta between 0 and 1.
Attributes hard_sigmoid(const Activation& a) {
  if (a.call.to.version().major() >= 3) return {{"alpha", 1.0f / 6.0f}, {"beta", 0.5f}};
  return {{"alpha", 0.2f}, {"beta", 0.5f}};
}

Feature gelu(const Activation& a) {
  const ValueId root = a.call.to.scalar(a.part("root"), 0.70710678118654752440);
  const ValueId scaled = a.call.to.add("Mul", a.part("scaled"), {a.x.id, root});
  const ValueId erf = a.call.to.add("Erf", a.part("erf"), {scaled});
  const ValueId raised = a.call.to.add("Add", a.part("raised"), {erf, a.call.to.scalar(a.part("one"), 1.0)});
  const ValueId half = a.call.to.add("Mul", a.part("half"), {raised, a.call.to.scalar(a.part("factor"), 0.5)});
  return a.times(half);
}

Feature mish(const Activation& a) {
  const ValueId soft = a.call.to.add("Softplus", a.part("softplus"), {a.x.id});
  return a.times(a.call.to.add("Tanh", a.part("tanh"), {soft}));
}

Feature softmax(const Activation& a, std::int64_t axis) {
  return a.one("Softmax", {{"axis", static_cast<std::int64_t>(a.call.to.axis_here(a.x, axis))}});
}

struct Named {
  std::string_view name;
  Feature (*lower)(const Activation&);
};

constexpr std::array kActivations{
    Named{"elu",
          [](const Activation& a) {
            return a.one("Elu", {{"alpha", 1.0f}});
          }},
    Named{"exponential", [](const Activation& a) { return a.one("Exp"); }},
    Named{"gelu", gelu},
    Named{"hard_sigmoid", [](const Activation& a) { return a.one("HardSigmoid", hard_sigmoid(a)); }},
    Named{"hard_silu", [](const Activation& a) { return a.one("HardSwish"); }},
    Named{"hard_swish", [](const Activation& a) { return a.one("HardSwish"); }},
    Named{"leaky_relu",
          [](const Activation& a) {
            return a.one("LeakyRelu", {{"alpha", 0.2f}});
          }},
    Named{"linear", [](const Activation& a) { return a.x; }},
    Named{"log_softmax",
          [](const Activation& a) {
            return a.one("LogSoftmax", {{"axis", static_cast<std::int64_t>(a.call.to.axis_here(a.x, -1))}});
          }},
    Named{"mish", mish},
    Named{"relu", [](const Activation& a) { return a.one("Relu"); }},
    Named{"relu6", [](const Activation& a) { return a.clip(0.0, 6.0); }},
    Named{"selu", [](const Activation& a) { return a.one("Selu"); }},
    Named{"sigmoid", [](const Activation& a) { return a.one("Sigmoid"); }},
    Named{"silu", [](const Activation& a) { return a.times(a.call.to.add("Sigmoid", a.part("sigmoid"), {a.x.id})); }},
    Named{"softmax", [](const Activation& a) { return softmax(a, -1); }},
    Named{"softplus", [](const Activation& a) { return a.one("Softplus"); }},
    Named{"softsign", [](const Activation& a) { return a.one("Softsign"); }},
    Named{"swish", [](const Activation& a) { return a.times(a.call.to.add("Sigmoid", a.part("sigmoid"), {a.x.id})); }},
    Named{"tanh", [](const Activation& a) { return a.one("Tanh"); }},
};

Feature lower_named(const Activation& a, const std::string& name) {
  const auto* const row =
      std::find_if(kActivations.begin(), kActivations.end(), [&name](const Named& n) { return n.name == name; });
  if (row == kActivations.end()) {
    std::vector<std::string> known;
    known.reserve(kActivations.size());
    for (const Named& one : kActivations) known.emplace_back(one.name);
    throw UnsupportedError(fmt::format("activation '{}'; supported are {}", printable(name), join(known, 100)));
  }
  return row->lower(a);
}

/// A name, or an object: {"class_name": "function", "config": "relu"}, or a whole layer.
Feature lower_setting(const Activation& a, const Json& setting) {
  if (setting.is_string()) return lower_named(a, setting.as_string());
  const Json& config = setting.at("config");
  if (config.is_string()) return lower_named(a, config.as_string());
  const LayerClass& layer = layer_class(setting.at("class_name").as_string());
  LayerCall inner = a.call;
  inner.settings = Settings(config);
  inner.inputs = {a.x};
  if (!layer.roles(inner.settings).names.empty())
    throw UnsupportedError(fmt::format("activation {} with its own weights", layer.name));
  return layer.lower(inner);
}

}  // namespace

Feature activate(LayerCall& call, const Feature& x) {
  const Json* setting = call.settings.find({"activation"});
  return setting == nullptr ? x : lower_setting({call, x, call.part("activation")}, *setting);
}

Feature lower_activation(LayerCall& call) {
  const Json* setting = call.settings.find({"activation"});
  if (setting == nullptr) return call.x();
  return lower_setting({call, call.x(), call.layer.name}, *setting);
}

/// Below the threshold slope * (x - threshold), and never above the largest value.
Feature lower_relu(LayerCall& call) {
  const Activation a{call, call.x(), call.layer.name};
  const double slope = call.settings.number({"negative_slope"}, 0), threshold = call.settings.number({"threshold"}, 0);
  const double largest = call.settings.number({"max_value"}, std::numeric_limits<double>::infinity());
  const bool bounded = call.settings.find({"max_value"}) != nullptr;
  if (slope == 0 && threshold == 0) return bounded ? a.clip(0, largest) : a.one("Relu");
  if (slope != 0 && threshold != 0)
    throw UnsupportedError("a negative slope together with a threshold is not supported");
  const Feature y = slope != 0 ? a.one("LeakyRelu", {{"alpha", static_cast<float>(slope)}})
                               : a.one("ThresholdedRelu", {{"alpha", static_cast<float>(threshold)}});
  if (!bounded) return y;
  return call.to.add_like(y, "Min", a.part("bound"), {}, {call.to.scalar(a.part("high"), largest)});
}

Feature lower_leaky_relu(LayerCall& call) {
  const auto slope = static_cast<float>(call.settings.number({"alpha", "negative_slope"}, 0.3));
  return call.to.add_like(call.x(), "LeakyRelu", call.layer.name, {{"alpha", slope}});
}

/// A slope for every value, or shared along some axes; in the order of Keras.
Feature lower_prelu(LayerCall& call) {
  const Feature& x = call.x();
  const std::size_t rank = call.to.rank(x);
  const Array& alpha = call.weight("alpha", rank - 1);
  Ints extents;
  std::vector<std::size_t> order;
  for (std::size_t axis = 0; axis + 1 < rank; ++axis) order.push_back(axis);
  if (x.moved) std::rotate(order.begin(), order.end() - 1, order.end());
  for (const std::size_t axis : order) extents.push_back(alpha.shape()[axis]);
  return call.to.add_like(x, "PRelu", call.layer.name, {},
                          {call.to.constant(call.part("alpha"), Shape(std::move(extents)), permuted(alpha, order))});
}

Feature lower_elu(LayerCall& call) {
  const auto alpha = static_cast<float>(call.settings.number({"alpha"}, 1.0));
  return call.to.add_like(call.x(), "Elu", call.layer.name, {{"alpha", alpha}});
}

Feature lower_thresholded_relu(LayerCall& call) {
  const auto theta = static_cast<float>(call.settings.number({"theta"}, 1.0));
  return call.to.add_like(call.x(), "ThresholdedRelu", call.layer.name, {{"alpha", theta}});
}

Feature lower_softmax(LayerCall& call) {
  return softmax({call, call.x(), call.layer.name}, call.settings.axis({"axis"}, -1));
}

}  // namespace shiftnorm::formats::keras
