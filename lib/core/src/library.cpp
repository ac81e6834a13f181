#include "shiftnorm/core/library.hpp"

#include <algorithm>

namespace shiftnorm {

std::string libraries_text(const std::vector<Library>& libraries) {
  std::string text;
  for (const Library& one : libraries) text += (text.empty() ? "" : ", ") + one.name + " " + one.version;
  return text;
}

std::vector<Library> parse_libraries(std::string_view text) {
  std::vector<Library> libraries;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = std::min(text.find(", ", begin), text.size());
    const std::string_view one = text.substr(begin, end - begin);
    const std::size_t space = one.rfind(' ');
    if (space != std::string_view::npos && space > 0)
      libraries.push_back({std::string(one.substr(0, space)), std::string(one.substr(space + 1))});
    begin = end + 2;
  }
  return libraries;
}

}  // namespace shiftnorm
