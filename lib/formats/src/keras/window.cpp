#include "window.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "shiftnorm/core/error.hpp"
#include "shiftnorm/core/text.hpp"

namespace shiftnorm::formats::keras {

Padding padding_of(const Settings& settings) {
  const std::string padding = settings.text({"padding", "border_mode"}, "valid");
  if (padding == "valid") return Padding::valid;
  if (padding == "same") return Padding::same;
  if (padding == "causal") return Padding::causal;
  throw UnsupportedError(fmt::format("padding '{}'; expected valid or same", printable(padding)));
}

Window window(const Settings& settings, const std::vector<std::int64_t>& in, const std::vector<std::int64_t>& kernel,
              std::vector<std::int64_t> strides, std::vector<std::int64_t> dilations) {
  const std::size_t n = in.size();
  Window w{std::move(strides), std::move(dilations), std::vector<std::int64_t>(2 * n, 0)};
  const Padding padding = padding_of(settings);
  for (std::size_t axis = 0; axis < n; ++axis) {
    const std::int64_t reach = (kernel[axis] - 1) * w.dilations[axis] + 1, stride = w.strides[axis];
    if (padding == Padding::same) {
      const std::int64_t out = (in[axis] + stride - 1) / stride;
      const std::int64_t total = std::max<std::int64_t>((out - 1) * stride + reach - in[axis], 0);
      w.pads[axis] = total / 2;
      w.pads[n + axis] = total - total / 2;
    }
    if (padding == Padding::causal) w.pads[axis] = reach - 1;
  }
  return w;
}

}  // namespace shiftnorm::formats::keras
