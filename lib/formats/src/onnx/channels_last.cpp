#include "channels_last.hpp"

#include <algorithm>
#include <array>
#include <set>
#include <string_view>

namespace shiftnorm::formats {
namespace {

/// Move no value to another place.
constexpr std::array<std::string_view, 8> kElementwise{"Add", "Cast", "Clip", "Div", "Identity", "Mul", "Pad", "Sub"};
/// Take an image as numbers without places.
constexpr std::array<std::string_view, 2> kNoLayout{"Flatten", "Reshape"};
template <std::size_t N>
bool among(const std::array<std::string_view, N>& ops, const std::string& op) {
  return std::find(ops.begin(), ops.end(), op) != ops.end();
}

bool to_channels_second(const onnx::NodeProto& node) {
  constexpr std::array<std::int64_t, 4> kOrder{0, 3, 1, 2};
  return std::any_of(node.attribute().begin(), node.attribute().end(), [&](const onnx::AttributeProto& attribute) {
    return attribute.name() == "perm" &&
           std::equal(attribute.ints().begin(), attribute.ints().end(), kOrder.begin(), kOrder.end());
  });
}

bool colours(std::int64_t extent) { return extent == 1 || extent == 3 || extent == 4; }

}  // namespace

bool takes_channels_last(const onnx::GraphProto& graph, const std::string& input,
                         const std::vector<std::int64_t>& extents) {
  if (extents.size() != 4) return false;
  std::set<std::string_view> as_given{input};
  bool turned = false, dense = false;
  for (const onnx::NodeProto& node : graph.node()) {
    if (std::none_of(node.input().begin(), node.input().end(),
                     [&](const std::string& name) { return as_given.contains(name); }))
      continue;
    if (among(kElementwise, node.op_type()))
      as_given.insert(node.output().begin(), node.output().end());
    else if (node.op_type() == "Transpose" && to_channels_second(node))
      turned = true;
    else if (among(kNoLayout, node.op_type()))
      dense = true;
    else if (node.op_type() != "Shape")
      return false;
  }
  const bool last = colours(extents[3]) && !colours(extents[1]), second = colours(extents[1]) && !colours(extents[3]);
  if (turned) return !dense && !second;
  return dense && last && extents[1] != 0;
}

}  // namespace shiftnorm::formats
