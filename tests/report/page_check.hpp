#pragma once

#include <set>
#include <string>
#include <vector>

namespace shiftnorm::test {

/// What is wrong with the nesting of tags, or empty. Knows HTML's void elements, comments, and that style and script
/// hold text.
[[nodiscard]] inline std::string unbalanced(const std::string& page) {
  const std::set<std::string> without_end{"meta", "br", "wbr", "link", "img", "input", "hr"};
  std::vector<std::string> open;
  for (std::size_t at = page.find('<'); at != std::string::npos; at = page.find('<', at)) {
    const std::size_t end = page.find('>', at);
    if (end == std::string::npos) return "a tag is not closed";
    std::string tag = page.substr(at + 1, end - at - 1);
    at = end;
    if (tag.starts_with("!")) continue;
    const bool closing = tag.starts_with("/"), alone = tag.ends_with("/");
    tag = tag.substr(closing ? 1 : 0);
    tag = tag.substr(0, tag.find_first_of(" \n/"));
    if (alone || without_end.contains(tag)) continue;
    if (closing) {
      if (open.empty() || open.back() != tag)
        return "</" + tag + "> closes <" + (open.empty() ? "nothing" : open.back()) + ">";
      open.pop_back();
      continue;
    }
    open.push_back(tag);
    if (tag == "style" || tag == "script") at = page.find("</" + tag, end);
  }
  return open.empty() ? "" : "<" + open.back() + "> is never closed";
}

/// The values of every attribute of that name.
[[nodiscard]] inline std::vector<std::string> values_of(const std::string& page, const std::string& attribute) {
  std::vector<std::string> values;
  const std::string start = " " + attribute + "=\"";
  for (std::size_t at = page.find(start); at != std::string::npos; at = page.find(start, at + 1))
    values.push_back(page.substr(at + start.size(), page.find('"', at + start.size()) - at - start.size()));
  return values;
}

}  // namespace shiftnorm::test
