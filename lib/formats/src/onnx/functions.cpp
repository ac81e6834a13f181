#include "functions.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <string>
#include <string_view>
#include <tuple>
#include <unordered_map>
#include <utility>
#include <vector>

#include "fields.hpp"
#include "operator_forms.hpp"
#include "shiftnorm/core/error.hpp"
#include "shiftnorm/core/file.hpp"
#include "shiftnorm/core/text.hpp"
#include "vectors.hpp"

namespace shiftnorm::formats {
namespace {

constexpr int kMaxDepth = 32;
/// Calls count too: functions of nothing but calls double with every level.
constexpr std::size_t kMaxNodes = 50'000;
/// A constant inside a function is there once for each call.
constexpr std::uint64_t kMaxGrowth = 4, kMaxGrowthExtra = std::uint64_t{64} << 20U;

std::string text_in(std::span<const std::byte> bytes, onnx_wire::Extent message, std::uint32_t number) {
  std::string text;
  for (const onnx_wire::Field& field : onnx_wire::fields_of(bytes, message))
    if (field.number == number && field.wire_type == onnx_wire::kBytes)
      text = as_text(bytes.subspan(field.payload.offset, field.payload.size));
  return text;
}

/// Domain, name and overload; the default domain has two names.
using FunctionId = std::tuple<std::string, std::string, std::string>;
FunctionId id_of(const std::string& domain, const std::string& name, const std::string& overload) {
  return {default_domain(domain) ? std::string() : domain, name, overload};
}

struct Function {
  const onnx::FunctionProto* proto = nullptr;
  std::vector<std::string> overloads;                    ///< that its nodes ask for
  std::map<std::string, onnx::AttributeProto> defaults;  ///< of attributes
  std::int64_t opset = 0;                                ///< of the default domain
};

Function read_function(std::span<const std::byte> bytes, const onnx_wire::Field& place,
                       const onnx::FunctionProto& proto, std::int64_t opset) {
  Function function;
  function.proto = &proto;
  function.opset = opset;
  for (const onnx::OperatorSetIdProto& set : proto.opset_import())
    if (default_domain(set.domain())) function.opset = set.version();
  if (function.opset < kOldestOpset || function.opset > kNewestOpset)
    throw UnsupportedError(
        fmt::format("is of opset {}; expected {} to {}", function.opset, kOldestOpset, kNewestOpset));
  for (const onnx_wire::Field& field : onnx_wire::fields_of(bytes, place.payload)) {
    if (field.wire_type != onnx_wire::kBytes) continue;
    if (field.number == fields::kFunctionNode)
      function.overloads.push_back(text_in(bytes, field.payload, fields::kNodeOverload));
    if (field.number != fields::kFunctionDefaults) continue;
    onnx::AttributeProto attribute;
    if (!attribute.ParseFromArray(bytes.data() + field.payload.offset, static_cast<int>(field.payload.size)))
      throw FormatError("has a damaged attribute");
    function.defaults[attribute.name()] = attribute;
  }
  if (function.overloads.size() != static_cast<std::size_t>(proto.node_size())) throw FormatError("is damaged");
  return function;
}

class Inliner {
 public:
  Inliner(std::span<const std::byte> bytes, OnnxFile& file)
      : bytes_(bytes), file_(file), most_(kMaxGrowth * bytes.size() + kMaxGrowthExtra) {
    for (int i = 0; i < file.model.functions_size(); ++i) {
      const onnx::FunctionProto& proto = file.model.functions(i);
      const onnx_wire::Field& place = file.places.functions.at(static_cast<std::size_t>(i));
      try {
        const FunctionId id =
            id_of(proto.domain(), proto.name(), text_in(bytes, place.payload, fields::kFunctionOverload));
        if (!functions_.emplace(id, read_function(bytes, place, proto, file.opset)).second)
          throw FormatError("is given twice");
      } catch (const Error&) {
        rethrow_at(fmt::format("function '{}'", printable(proto.name())));
      }
    }
    for (const std::string& name : value_names(file.model.graph())) taken_.insert(name);
  }

  void run() {
    auto& nodes = *file_.model.mutable_graph()->mutable_node();
    std::vector<onnx::NodeProto> own(static_cast<std::size_t>(nodes.size()));
    for (int i = 0; i < nodes.size(); ++i) own[static_cast<std::size_t>(i)].Swap(nodes.Mutable(i));
    for (std::size_t i = 0; i < own.size(); ++i)
      take(std::move(own[i]), text_in(bytes_, file_.places.nodes[i].payload, fields::kNodeOverload),
           {static_cast<int>(i), false, file_.opset}, 0);
    nodes.Clear();
    for (onnx::NodeProto& node : flat_) nodes.Add(std::move(node));
  }

 private:
  void take(onnx::NodeProto node, const std::string& overload, NodeSource source, int depth) {
    if (++count_ > kMaxNodes)
      throw UnsupportedError(
          fmt::format("has more than {} nodes with its functions written out; expected a network of fewer", kMaxNodes));
    const auto function = functions_.find(id_of(node.domain(), node.op_type(), overload));
    if (function == functions_.end()) {
      flat_.push_back(std::move(node));
      file_.nodes.push_back(source);
      return;
    }
    if (depth >= kMaxDepth)
      throw UnsupportedError(fmt::format("function '{}' is called {} functions deep, or calls itself",
                                         printable(node.op_type()), kMaxDepth));
    try {
      expand(function->second, node, source.place, depth);
    } catch (const FormatError&) {
      rethrow_at(fmt::format("function '{}'", printable(node.op_type())));
    }
  }

  void expand(const Function& function, const onnx::NodeProto& call, int place, int depth) {
    const onnx::FunctionProto& body = *function.proto;
    if (call.input_size() > body.input_size() || call.output_size() > body.output_size())
      throw FormatError(fmt::format("is given {} inputs and {} outputs; expected at most {} and {}", call.input_size(),
                                    call.output_size(), body.input_size(), body.output_size()));
    // An output's name is nobody else's, so that the names made of it seldom meet another.
    const std::string path = call.output_size() > 0 && !call.output(0).empty() ? call.output(0) : call.name();
    std::map<std::string, std::string> names{{"", ""}};
    for (int i = 0; i < body.input_size(); ++i)
      if (!names.emplace(body.input(i), i < call.input_size() ? call.input(i) : "").second)
        throw FormatError(fmt::format("has two inputs called '{}'", printable(body.input(i))));
    std::vector<std::pair<std::string, std::string>> passed_on;  // inputs that are outputs as they are
    for (int i = 0; i < call.output_size(); ++i) {
      if (call.output(i).empty()) continue;
      const auto [known, fresh] = names.emplace(body.output(i), call.output(i));
      if (!fresh) passed_on.emplace_back(known->second, call.output(i));
    }
    Attributes given;
    for (const onnx::AttributeProto& one : call.attribute()) given.insert_or_assign(one.name(), &one);
    for (int i = 0; i < body.node_size(); ++i) {
      onnx::NodeProto node = written_out(body.node(i), function, given, path, names);
      grown_ += node.ByteSizeLong();
      if (grown_ > most_)
        throw UnsupportedError(
            fmt::format("takes more than {} bytes with its functions written out; expected fewer", most_));
      take(std::move(node), function.overloads[static_cast<std::size_t>(i)], {place, true, function.opset}, depth + 1);
    }
    for (auto& [from, to] : passed_on) {
      onnx::NodeProto copy;
      copy.set_op_type("Identity");
      copy.add_input(from);
      copy.add_output(to);
      take(std::move(copy), {}, {place, true, function.opset}, depth + 1);
    }
  }

  using Attributes = std::unordered_map<std::string_view, const onnx::AttributeProto*>;

  /// A node of the function's body with the names and attributes that it has in this call; `given`: the call's.
  onnx::NodeProto written_out(const onnx::NodeProto& from, const Function& function, const Attributes& given,
                              const std::string& path, std::map<std::string, std::string>& names) {
    const auto here = [&](const std::string& name) -> const std::string& {
      const auto known = names.find(name);
      if (known != names.end()) return known->second;
      return names.emplace(name, taken_.fresh(path + "/" + name)).first->second;
    };
    onnx::NodeProto node = from;
    node.set_name(path + "/" + (from.name().empty() ? from.op_type() : from.name()));
    for (std::string& name : *node.mutable_input()) name = here(name);
    for (std::string& name : *node.mutable_output()) name = here(name);
    node.clear_attribute();
    for (const onnx::AttributeProto& attribute : from.attribute()) {
      if (attribute.ref_attr_name().empty()) {
        *node.add_attribute() = attribute;
        continue;
      }
      const onnx::AttributeProto* value = nullptr;
      if (const auto at = given.find(attribute.ref_attr_name()); at != given.end())
        value = at->second;
      else if (const auto absent = function.defaults.find(attribute.ref_attr_name()); absent != function.defaults.end())
        value = &absent->second;
      if (value == nullptr) continue;  // the operator's own default
      onnx::AttributeProto& added = *node.add_attribute();
      added = *value;
      added.set_name(attribute.name());
    }
    return node;
  }

  std::span<const std::byte> bytes_;
  OnnxFile& file_;
  std::uint64_t most_, grown_ = 0;
  std::size_t count_ = 0;
  std::map<FunctionId, Function> functions_;
  TakenNames taken_;
  std::vector<onnx::NodeProto> flat_;
};

}  // namespace

void inline_functions(std::span<const std::byte> bytes, OnnxFile& file) {
  const int own = file.model.graph().node_size();
  if (file.model.functions_size() > 0) {
    Inliner(bytes, file).run();
    return;
  }
  for (int i = 0; i < own; ++i) file.nodes.push_back({i, false, file.opset});
}

}  // namespace shiftnorm::formats
