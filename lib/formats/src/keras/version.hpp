#pragma once

#include <array>
#include <string_view>

namespace shiftnorm::formats::keras {

/// Which Keras wrote a file: `2.1.6-tf`, `2.15.0`, `1.2.1`.
struct Version {
  std::array<int, 3> numbers{1, 0, 0};
  bool tensorflow = false;  ///< tf.keras 2.x, which goes its own way in some places

  /// Text without numbers is Keras 1, which wrote none.
  [[nodiscard]] static Version parse(std::string_view text);
  [[nodiscard]] int major() const { return numbers[0]; }
  [[nodiscard]] bool at_least(std::array<int, 3> other) const { return numbers >= other; }
};

}  // namespace shiftnorm::formats::keras
