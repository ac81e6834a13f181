#include "version.hpp"

#include <algorithm>
#include <charconv>

namespace shiftnorm::formats::keras {

Version Version::parse(std::string_view text) {
  Version version;
  const char *at = text.data(), *const end = text.data() + text.size();
  for (std::size_t i = 0; i < version.numbers.size(); ++i) {
    const auto [after, error] = std::from_chars(at, end, version.numbers[i]);
    if (error != std::errc()) break;
    at = after;
    if (at == end || *at != '.') break;
    ++at;
  }
  // Keras of several backends ended with 2.3.1; TensorFlow 2.3 was the first to leave its suffix out, as 2.4.0.
  version.tensorflow = version.major() == 2 && (text.ends_with("-tf") || version.at_least(std::array<int, 3>{2, 4, 0}));
  return version;
}

}  // namespace shiftnorm::formats::keras
