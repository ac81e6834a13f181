#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace shiftnorm {

/// A library of others that computes: what records must name beside our own version, as another one of it may give
/// other bits. Each module lists its own in its libraries().
struct Library {
  std::string name, version;
  friend bool operator==(const Library&, const Library&) = default;
};

/// "oneDNN 2.6.0, Highway 1.0.3" and back; a name may hold spaces, a version none.
[[nodiscard]] std::string libraries_text(const std::vector<Library>& libraries);
[[nodiscard]] std::vector<Library> parse_libraries(std::string_view text);

}  // namespace shiftnorm
