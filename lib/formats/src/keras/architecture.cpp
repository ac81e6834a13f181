#include "architecture.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <map>
#include <utility>

#include "shiftnorm/core/error.hpp"
#include "shiftnorm/core/text.hpp"

namespace shiftnorm::formats::keras {
namespace {

using container::Json;

constexpr std::array<std::string_view, 3> kModels{"Model", "Functional", "Sequential"};
// Layers are in an order that can be computed, except for layers used twice.
constexpr int kMaxPasses = 256;

bool is_model(std::string_view class_name) {
  return std::find(kModels.begin(), kModels.end(), class_name) != kModels.end();
}

bool upper(char c) { return c >= 'A' && c <= 'Z'; }
bool lower(char c) { return c >= 'a' && c <= 'z'; }

/// Keras' to_snake_case: `_` before a capital that lower case follows, and before one that follows lower case.
std::string snake_case(std::string_view name) {
  std::string out;
  for (std::size_t i = 0; i < name.size(); ++i) {
    const char c = name[i];
    if (std::isalnum(static_cast<unsigned char>(c)) == 0 && c != '_') continue;
    const bool before_lower = i + 1 < name.size() && lower(name[i + 1]);
    if (!out.empty() && upper(c) && (before_lower || lower(name[i - 1]))) out += '_';
    out += upper(c) ? static_cast<char>(c - 'A' + 'a') : c;
  }
  return out;
}

/// A tensor as configurations name it: which output of which use of which layer.
struct Reference {
  std::string layer;
  std::int64_t node = 0, tensor = 0;
};

bool is_triple(const Json& json) {
  return json.is_array() && json.as_array().size() >= 3 && json.as_array()[0].is_string() &&
         json.as_array()[1].is_integer() && json.as_array()[2].is_integer();
}

Reference triple(const Json& json) {
  if (!is_triple(json)) throw FormatError("names a tensor in an unknown way; expected [layer, node, tensor]");
  const Json::ArrayType& parts = json.as_array();
  return {parts[0].as_string(), parts[1].as_integer(), parts[2].as_integer()};
}

/// An argument of a call before layers are looked up.
struct Argument {
  std::optional<Reference> tensor;
  std::vector<double> constant;
};

struct Node {
  std::vector<Argument> arguments;
  const Json* keywords = nullptr;
};

/// Names under which operators take their second argument.
bool operand_keyword(std::string_view key) { return key == "x" || key == "y" || key == "x1" || key == "x2"; }

/// Keras 1 and 2: a list of [layer, node, tensor, {keywords}].
Node old_node(const Json& json) {
  Node node;
  const auto add = [&node](const Json& one) {
    node.arguments.push_back({triple(one), {}});
    if (one.as_array().size() < 4) return;
    const Json& keywords = one.as_array()[3];
    if (!keywords.is_object()) return;
    node.keywords = &keywords;
    for (const auto& [key, value] : keywords.as_object()) {
      if (is_triple(value)) node.arguments.push_back({triple(value), {}});
      if (operand_keyword(key) && (value.is_number() || (value.is_array() && !is_triple(value))))
        node.arguments.push_back({std::nullopt, Settings(keywords).numbers({key})});
    }
  };
  if (is_triple(json))
    add(json);
  else
    for (const Json& one : json.as_array()) add(one);
  return node;
}

/// Keras 3: {"args": [...], "kwargs": {...}} with tensors anywhere inside.
Node new_node(const Json& json) {
  Node node;
  node.keywords = json.find("kwargs");
  const auto walk = [&node](const Json& value, bool constants, const auto& self) -> void {
    if (const Json* name = value.find("class_name"); name != nullptr && name->is_string()) {
      if (name->as_string() == "__keras_tensor__")
        node.arguments.push_back({triple(value.at("config").at("keras_history")), {}});
      return;
    }
    if (value.is_array())
      for (const Json& item : value.as_array()) self(item, constants, self);
    if (constants && value.is_number()) node.arguments.push_back({std::nullopt, {value.as_number()}});
  };
  walk(json.at("args"), true, walk);
  if (node.keywords != nullptr && node.keywords->is_object())
    for (const auto& [key, value] : node.keywords->as_object()) walk(value, operand_keyword(key), walk);
  return node;
}

std::vector<Node> nodes_of(const Json& layer) {
  std::vector<Node> nodes;
  const Json* inbound = layer.find("inbound_nodes");
  if (inbound == nullptr || inbound->is_null()) return nodes;
  for (const Json& node : inbound->as_array()) nodes.push_back(node.is_object() ? new_node(node) : old_node(node));
  return nodes;
}

/// input_layers and output_layers: one triple, a list of them, or in Keras 3 a nesting.
std::vector<Reference> endpoints(const Json& json) {
  if (is_triple(json)) return {triple(json)};
  std::vector<Reference> found;
  const auto add = [&found](const Json& item) {
    for (Reference& one : endpoints(item)) found.push_back(std::move(one));
  };
  if (json.is_object())
    for (const auto& [key, value] : json.as_object()) add(value);
  else
    for (const Json& item : json.as_array()) add(item);
  return found;
}

template <class Do>
auto at_layer(const std::string& name, const Do& act) {
  try {
    return act();
  } catch (const Error&) {
    rethrow_at(fmt::format("layer '{}'", printable(name)));
  }
}

class Reader {
 public:
  Architecture read(const Json& json) {
    const std::vector<std::size_t> outputs = add_model(json, "", {}, "", {});
    if (inputs_.size() != 1)
      throw UnsupportedError(fmt::format("the model has {} inputs; supported is one", inputs_.size()));
    architecture_.input = inputs_[0];
    architecture_.outputs = outputs;
    return std::move(architecture_);
  }

 private:
  using Outputs = std::vector<std::size_t>;

  /// A layer on its way: its own outputs, one list per use.
  struct Pending {
    const Json* json = nullptr;
    std::string name, class_name, place;
    std::vector<Node> nodes;
    std::vector<std::optional<Outputs>> results;
    std::optional<std::size_t> layer;  ///< in architecture_.layers
    std::vector<std::size_t> position;
    bool unfolded = false;  ///< an inner model that has been put in its place
  };

  std::vector<std::size_t> add_model(const Json& json, const std::string& prefix, const Outputs& feeds,
                                     const std::string& place, std::vector<std::size_t> position) {
    const std::string& class_name = json.at("class_name").as_string();
    if (!is_model(class_name))
      throw UnsupportedError(
          fmt::format("the model is a '{}'; supported are Sequential and Functional", printable(class_name)));
    const Json& config = json.at("config");
    const Json& layers = config.is_array() ? config : config.at("layers");
    std::map<std::string, std::size_t> seen;
    std::vector<Pending> pending;
    position.push_back(0);
    for (const Json& layer : layers.as_array()) {
      Pending one;
      one.json = &layer;
      one.class_name = layer.at("class_name").as_string();
      one.name = name_of(layer);
      const std::string snake = snake_case(one.class_name);
      const std::size_t nth = seen[snake]++;
      one.place = nth > 0 ? fmt::format("{}layers/{}_{}", place, snake, nth) : fmt::format("{}layers/{}", place, snake);
      one.position = position;
      ++position.back();
      pending.push_back(std::move(one));
    }
    return class_name == "Sequential" ? add_sequential(pending, prefix, feeds)
                                      : add_functional(config, pending, prefix, feeds);
  }

  static std::string name_of(const Json& layer) {
    const Json* name = layer.at("config").find("name");
    if (name == nullptr || !name->is_string()) name = layer.find("name");
    if (name == nullptr || !name->is_string()) throw FormatError("a layer has no name");
    return name->as_string();
  }

  Outputs add_sequential(std::vector<Pending>& pending, const std::string& prefix, const Outputs& feeds) {
    Outputs previous = feeds;
    for (Pending& layer : pending) {
      if (layer.class_name == "InputLayer") {
        if (feeds.empty()) previous = {add_input(layer, prefix, layer.name)};
        continue;
      }
      // In Keras 1 and 2 the first layer may carry the shape of the input itself.
      if (previous.empty() && !is_model(layer.class_name)) previous = {add_input(layer, prefix, layer.name + "_input")};
      previous = apply(layer, prefix, arguments(previous));
    }
    if (previous.empty()) throw FormatError("a Sequential model without layers");
    return previous;
  }

  Outputs add_functional(const Json& config, std::vector<Pending>& pending, const std::string& prefix,
                         const Outputs& feeds) {
    std::map<std::string, Pending*> by_name;
    std::map<std::string, std::size_t> place_of_input;
    for (const Reference& input : endpoints(config.at("input_layers")))
      place_of_input.emplace(input.layer, place_of_input.size());
    for (Pending& layer : pending) {
      if (!by_name.emplace(layer.name, &layer).second)
        throw FormatError(fmt::format("two layers have the name '{}'", printable(layer.name)));
      layer.nodes = at_layer(layer.name, [&layer] { return nodes_of(*layer.json); });
      if (layer.class_name == "InputLayer") {
        layer.results.push_back(input_of(layer, prefix, feeds, place_of_input));
        layer.nodes.clear();
      } else {
        if (layer.nodes.empty() && is_model(layer.class_name)) layer.nodes.emplace_back();
        layer.results.resize(layer.nodes.size());
        if (!is_model(layer.class_name)) layer.layer = add_layer(layer, prefix);
      }
    }
    resolve(pending, by_name, prefix);
    Outputs outputs;
    for (const Reference& output : endpoints(config.at("output_layers"))) {
      const std::optional<std::size_t> call = find(by_name, output);
      if (!call) throw FormatError(fmt::format("output '{}' is never computed", printable(output.layer)));
      outputs.push_back(*call);
    }
    if (outputs.empty()) throw FormatError("a model without outputs");
    return outputs;
  }

  Outputs input_of(const Pending& layer, const std::string& prefix, const Outputs& feeds,
                   const std::map<std::string, std::size_t>& place_of_input) {
    if (feeds.empty()) return {add_input(layer, prefix, layer.name)};
    const auto at = place_of_input.find(layer.name);
    if (at == place_of_input.end() || at->second >= feeds.size())
      throw FormatError(fmt::format("input '{}' of '{}' is not connected", printable(layer.name), printable(prefix)));
    return {feeds[at->second]};
  }

  /// Computes every use whose arguments are there, again and again.
  void resolve(std::vector<Pending>& pending, const std::map<std::string, Pending*>& by_name,
               const std::string& prefix) {
    std::size_t open = 1;
    for (int pass = 0; open > 0; ++pass) {
      open = 0;
      bool moved = false;
      const Pending* stuck = nullptr;
      for (Pending& layer : pending)
        for (std::size_t i = 0; i < layer.nodes.size(); ++i) {
          if (layer.results[i]) continue;
          std::optional<std::vector<Operand>> operands = lookup(by_name, layer.nodes[i]);
          if (!operands) {
            ++open;
            stuck = &layer;
            continue;
          }
          layer.results[i] = apply(layer, prefix, std::move(*operands), layer.nodes[i].keywords);
          moved = true;
        }
      if (open > 0 && (!moved || pass == kMaxPasses))
        throw FormatError(
            fmt::format("layer '{}' depends on a value that is never computed", printable(prefix + stuck->name)));
    }
  }

  static std::optional<std::size_t> find(const std::map<std::string, Pending*>& by_name, const Reference& tensor) {
    const auto at = by_name.find(tensor.layer);
    if (at == by_name.end()) throw FormatError(fmt::format("there is no layer '{}'", printable(tensor.layer)));
    const Pending& layer = *at->second;
    // With one use there is no doubt which is meant; inner models count the one they were built with.
    const bool one = layer.results.size() == 1;
    const std::int64_t node = one ? 0 : tensor.node - (is_model(layer.class_name) ? 1 : 0);
    if (node < 0 || static_cast<std::size_t>(node) >= layer.results.size())
      throw FormatError(fmt::format("there is no use {} of layer '{}'", tensor.node, printable(tensor.layer)));
    const std::optional<Outputs>& outputs = layer.results[static_cast<std::size_t>(node)];
    if (!outputs) return std::nullopt;
    if (tensor.tensor < 0 || static_cast<std::size_t>(tensor.tensor) >= outputs->size())
      throw FormatError(fmt::format("layer '{}' has no output {}", printable(tensor.layer), tensor.tensor));
    return (*outputs)[static_cast<std::size_t>(tensor.tensor)];
  }

  static std::optional<std::vector<Operand>> lookup(const std::map<std::string, Pending*>& by_name, const Node& node) {
    std::vector<Operand> operands;
    for (const Argument& argument : node.arguments) {
      if (!argument.tensor) {
        operands.push_back({std::nullopt, argument.constant});
        continue;
      }
      const std::optional<std::size_t> call = find(by_name, *argument.tensor);
      if (!call) return std::nullopt;
      operands.push_back({call, {}});
    }
    return operands;
  }

  static std::vector<Operand> arguments(const Outputs& calls) {
    std::vector<Operand> operands;
    for (const std::size_t call : calls) operands.push_back({call, {}});
    return operands;
  }

  Outputs apply(Pending& layer, const std::string& prefix, std::vector<Operand> operands,
                const Json* keywords = nullptr) {
    if (is_model(layer.class_name)) {
      if (std::exchange(layer.unfolded, true))
        throw UnsupportedError(
            fmt::format("model '{}' inside the model is used twice, which is not supported", printable(layer.name)));
      Outputs feeds;
      for (const Operand& operand : operands)
        if (operand.call) feeds.push_back(*operand.call);
      return add_model(*layer.json, prefix + layer.name + "/", feeds, layer.place + "/", layer.position);
    }
    if (operands.empty()) throw FormatError(fmt::format("layer '{}' has no input", printable(prefix + layer.name)));
    if (!layer.layer) layer.layer = add_layer(layer, prefix);
    architecture_.calls.push_back({*layer.layer, std::move(operands), keywords});
    return {architecture_.calls.size() - 1};
  }

  std::size_t add_layer(const Pending& layer, const std::string& prefix) {
    const Json& config = layer.json->at("config");
    const bool trainable = at_layer(layer.name, [&config] { return Settings(config).flag({"trainable"}, true); });
    architecture_.layers.push_back(
        {prefix + layer.name, layer.class_name, &config, layer.place, layer.position, trainable});
    return architecture_.layers.size() - 1;
  }

  std::size_t add_input(const Pending& layer, const std::string& prefix, const std::string& name) {
    const Settings settings(layer.json->at("config"));
    const Json* shape = settings.find({"batch_input_shape", "batch_shape"});
    if (shape == nullptr || shape->as_array().size() < 2)
      throw FormatError(fmt::format("layer '{}' does not give the shape of its input", printable(layer.name)));
    architecture_.input_shape.clear();
    for (std::size_t i = 1; i < shape->as_array().size(); ++i) {
      const Json& extent = shape->as_array()[i];
      architecture_.input_shape.push_back(extent.is_null() ? -1 : extent.as_integer());
    }
    architecture_.layers.push_back({prefix + name, "InputLayer", &layer.json->at("config"), "", {}, false});
    architecture_.calls.push_back({architecture_.layers.size() - 1, {}, nullptr});
    inputs_.push_back(architecture_.calls.size() - 1);
    return inputs_.back();
  }

  Architecture architecture_;
  std::vector<std::size_t> inputs_;
};

}  // namespace

Architecture read_architecture(const Json& json) { return Reader().read(json); }

}  // namespace shiftnorm::formats::keras
