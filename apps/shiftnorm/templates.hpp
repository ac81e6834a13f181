#pragma once

#include <span>
#include <string_view>

namespace shiftnorm::app {

/// A commented starting YAML that `shiftnorm init NAME` writes.
struct Template {
  std::string_view name, text;
};
[[nodiscard]] std::span<const Template> templates();

}  // namespace shiftnorm::app
