#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "shiftnorm/config/config.hpp"
#include "yaml_tree.hpp"

namespace shiftnorm::config {
namespace {

using yaml::Node;

void flatten(const Node& node, const std::string& path, std::vector<std::pair<std::string, std::string>>& out) {
  const auto scalar = [](const Node& one) { return one.kind == Node::Kind::scalar; };
  switch (node.kind) {
    case Node::Kind::null: return;
    case Node::Kind::scalar: out.emplace_back(path, node.text); return;
    case Node::Kind::map:
      for (const yaml::Member& member : node.members)
        flatten(member.value, path.empty() ? member.key : fmt::format("{}.{}", path, member.key), out);
      return;
    case Node::Kind::sequence: break;
  }
  if (!std::ranges::all_of(node.items, scalar)) {
    for (std::size_t i = 0; i < node.items.size(); ++i) flatten(node.items[i], fmt::format("{}.{}", path, i), out);
    return;
  }
  std::vector<std::string> texts;
  for (const Node& item : node.items) texts.push_back(item.text);
  out.emplace_back(path, fmt::format("{}", fmt::join(texts, ", ")));
}

}  // namespace

std::vector<std::pair<std::string, std::string>> settings_of(std::string_view text) {
  std::vector<std::pair<std::string, std::string>> out;
  flatten(yaml::parse(text, "configuration"), "", out);
  return out;
}

}  // namespace shiftnorm::config
