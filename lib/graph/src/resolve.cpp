#include <fmt/format.h>

#include <algorithm>
#include <deque>

#include "shiftnorm/core/error.hpp"
#include "shiftnorm/graph/constants.hpp"
#include "shiftnorm/graph/marks.hpp"
#include "shiftnorm/graph/shapes.hpp"

namespace shiftnorm::graph {
namespace {

std::size_t index(ValueId id) { return static_cast<std::size_t>(id); }

/// Which nodes an output needs.
std::vector<bool> needed_nodes(const Graph& graph) {
  std::vector<bool> wanted(graph.values(), false), needed(graph.nodes().size(), false);
  for (const ValueId id : graph.outputs()) wanted[index(id)] = true;
  for (std::size_t n = graph.nodes().size(); n-- > 0;) {
    const Node& node = graph.nodes()[n];
    needed[n] = std::any_of(node.outputs.begin(), node.outputs.end(), [&](ValueId id) { return wanted[index(id)]; });
    if (!needed[n]) continue;
    for (const ValueId id : node.inputs)
      if (id != kNone) wanted[index(id)] = true;
  }
  return needed;
}

/// A target that counts `batch` images, made to count one. Unchanged where it fits as it is.
std::vector<std::int64_t> for_one_image(std::vector<std::int64_t> target, const Shape& from, std::int64_t batch) {
  if (target.empty() || target[0] <= 0 || target[0] % batch != 0) return target;
  std::int64_t product = 1;
  bool open = false;
  for (std::size_t i = 0; i < target.size(); ++i) {
    const std::int64_t extent = target[i] == 0 && i < from.rank() ? from[i] : target[i];
    open = open || extent == -1;
    if (extent != -1 && __builtin_mul_overflow(product, extent, &product)) return target;
  }
  const bool fits = open ? product != 0 && from.elements() % product == 0 : product == from.elements();
  if (!fits || (open && target[0] == batch)) target[0] /= batch;
  return target;
}

class Resolution {
 public:
  Resolution(const Graph& from, std::int64_t batch)
      : from_(from), batch_(batch), now_(from.values(), kNone), known_(from.values(), nullptr) {
    for (std::size_t i = 0; i < from.values(); ++i) {
      const Value& value = from.value(static_cast<ValueId>(i));
      if (value.parameter) known_[i] = &value;
    }
  }

  Graph run(const Shape& input) {
    now_[index(from_.input())] = to_.add_input(from_.value(from_.input()).name, input);
    const std::vector<bool> needed = needed_nodes(from_);
    for (std::size_t n = 0; n < from_.nodes().size(); ++n) {
      if (!needed[n]) continue;
      try {
        take(from_.nodes()[n]);
      } catch (const Error&) {
        rethrow_at(fmt::format("node '{}'", from_.nodes()[n].name));
      }
    }
    std::vector<ValueId> outputs;
    for (const ValueId id : from_.outputs()) {
      outputs.push_back(output_apart(now(id), from_.value(id).name, outputs));
      Value& value = to_.value(outputs.back());
      if (!value.parameter && outputs.back() != to_.input()) value.name = from_.value(id).name;
    }
    to_.set_outputs(std::move(outputs));
    return std::move(to_);
  }

 private:
  /// One value may be two outputs of different names.
  ValueId output_apart(ValueId id, const std::string& name, const std::vector<ValueId>& earlier) {
    if (std::find(earlier.begin(), earlier.end(), id) == earlier.end() || to_.value(id).name == name) return id;
    const ValueId copy = to_.add("Identity", name, {id});
    infer_node(to_, to_.nodes().back());
    return copy;
  }

  /// The new graph's value; constants are copied when a node that stays asks for them.
  ValueId now(ValueId id) {
    if (id == kNone) return kNone;
    ValueId& at = now_[index(id)];
    if (at == kNone) {
      const Value* constant = known_[index(id)];
      if (constant == nullptr) throw FormatError("takes a value that no earlier node produces");
      at = to_.add_parameter(from_.value(id).name, *constant->shape);
      to_.value(at).tensor = constant->tensor;
      to_.value(at).integers = constant->integers;
    }
    return at;
  }

  [[nodiscard]] std::vector<const Value*> values_of(const Node& node) const {
    std::vector<const Value*> values;
    for (const ValueId id : node.inputs) {
      const Value* value = id == kNone ? nullptr : known_[index(id)];
      if (id != kNone && value == nullptr && now_[index(id)] != kNone) value = &to_.value(now_[index(id)]);
      values.push_back(value);
    }
    return values;
  }

  /// The target of Reshape and Expand put right for one image, where it has to be. Targets that shape arithmetic gave
  /// count one image already.
  [[nodiscard]] std::optional<std::vector<std::int64_t>> target_for_one(const Node& node) const {
    if (batch_ == 1 || (node.op != "Reshape" && node.op != "Expand") || node.inputs.size() < 2) return std::nullopt;
    const ValueId target = node.inputs[1];
    const Value* source = values_of(node)[0];
    if (target == kNone || !from_.value(target).integers || source == nullptr || source->parameter || !source->shape)
      return std::nullopt;
    const std::vector<std::int64_t>& given = *from_.value(target).integers;
    std::vector<std::int64_t> one = for_one_image(given, *source->shape, batch_);
    return one == given ? std::nullopt : std::optional(std::move(one));
  }

  void take(const Node& node) {
    if (std::optional<std::vector<std::int64_t>> target = target_for_one(node)) {
      keep(node, to_.add_constant(from_.value(node.inputs[1]).name, std::move(*target)));
    } else if (std::optional<Value> constant = constant_of(node, values_of(node), budget_)) {
      constant->name = from_.value(node.outputs.front()).name;
      made_.push_back(std::move(*constant));
      known_[index(node.outputs.front())] = &made_.back();
    } else if (node.attributes.contains(std::string(kAxesTogether))) {
      keep_axes_together(node);
    } else {
      keep(node, kNone);
    }
  }

  /// Dropout is the identity in inference; a Reshape to the shape that is there anyway does nothing.
  [[nodiscard]] bool renames(const Node& node) const {
    if (node.op == "Identity" || node.op == "Dropout") return node.outputs.size() == 1;
    const Shape& shape = *to_.value(now_[index(node.inputs.front())]).shape;
    if (node.op == "Flatten") return shape.rank() == 2 && node.integer("axis", 1) == 1;
    if (node.op != "Reshape" || node.inputs.size() < 2 || node.inputs[1] == kNone) return false;
    const Value* target = known_[index(node.inputs[1])];
    return target != nullptr && target->integers == shape.extents();
  }

  /// What `node` gives, under its name.
  ValueId add(const Node& node, std::string_view part, std::string op, std::vector<ValueId> inputs,
              std::map<std::string, Attribute> attributes) {
    const std::string name = part.empty() ? node.name : fmt::format("{}/{}", node.name, part);
    const ValueId id = to_.add(std::move(op), name, std::move(inputs), std::move(attributes));
    to_.value(id).name = part.empty() ? from_.value(node.outputs.front()).name : name;
    infer_node(to_, to_.nodes().back());
    return id;
  }

  /// Softmax and its kin before opset 13, by those of opset 13: over the last axis of a Reshape unless the axes behind
  /// the first are of one element.
  void keep_axes_together(const Node& node) {
    const ValueId x = now(node.inputs.at(0));
    const Shape shape = *to_.value(x).shape;
    const std::size_t axis = axis_of(node.integer("axis", 1), shape.rank());
    const auto along = [](std::int64_t last) { return std::map<std::string, Attribute>{{"axis", last}}; };
    ValueId& out = now_[index(node.outputs.front())];
    if (shape.elements_from(axis + 1) == 1) {
      out = add(node, "", node.op, {x}, along(static_cast<std::int64_t>(axis)));
      return;
    }
    if (axis == 0) throw UnsupportedError("takes all images as one, axis 0 before opset 13; expected an axis of each");
    // 0: as it was.
    std::vector<std::int64_t> rows(axis, 0), whole(axis, 0);
    rows.push_back(-1);
    whole.insert(whole.end(), shape.extents().begin() + static_cast<std::ptrdiff_t>(axis), shape.extents().end());
    const auto target = [&](std::string_view part, std::vector<std::int64_t> extents) {
      return to_.add_constant(fmt::format("{}/{}.shape", node.name, part), std::move(extents));
    };
    const ValueId matrix = add(node, "rows", "Reshape", {x, target("rows", std::move(rows))}, {});
    const ValueId result = add(node, "by_row", node.op, {matrix}, along(-1));
    out = add(node, "", "Reshape", {result, target("whole", std::move(whole))}, {});
  }

  void keep(const Node& node, ValueId target) {
    std::vector<ValueId> inputs;
    for (const ValueId id : node.inputs) inputs.push_back(now(id));
    if (target != kNone) {
      inputs[1] = target;
    } else if (!inputs.empty() && inputs.front() != kNone && renames(node)) {
      now_[index(node.outputs.front())] = inputs.front();
      return;
    }
    to_.add(node.op, node.name, inputs, node.attributes, node.outputs.size());
    const Node& added = to_.nodes().back();
    for (std::size_t i = 0; i < node.outputs.size(); ++i) {
      to_.value(added.outputs[i]).name = from_.value(node.outputs[i]).name;
      now_[index(node.outputs[i])] = added.outputs[i];
    }
    infer_node(to_, added);
  }

  const Graph& from_;
  std::int64_t batch_;
  Graph to_;
  FoldBudget budget_;
  std::vector<ValueId> now_;
  std::vector<const Value*> known_;  ///< constants; those of the old graph and those made
  std::deque<Value> made_;
};

}  // namespace

Graph resolve(const Graph& graph, const Shape& input, std::int64_t batch) {
  return Resolution(graph, batch).run(input);
}

}  // namespace shiftnorm::graph
