#include "shiftnorm/graph/movement.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "shiftnorm/core/error.hpp"
#include "shiftnorm/core/strides.hpp"
#include "shiftnorm/graph/shapes.hpp"

namespace shiftnorm::graph {
namespace {

using Offsets = std::vector<std::int64_t>;

/// from, from + step, ... : count values.
Offsets ramp(std::int64_t from, std::int64_t step, std::int64_t count) {
  Offsets out(static_cast<std::size_t>(count));
  for (std::size_t i = 0; i < out.size(); ++i) out[i] = from + static_cast<std::int64_t>(i) * step;
  return out;
}

/// Every axis as it is.
Movement whole(const Shape& src) {
  Movement m;
  const std::vector<std::int64_t> strides = strides_of(src);
  for (std::size_t i = 0; i < src.rank(); ++i) m.offsets.push_back(ramp(0, strides[i], src[i]));
  return m;
}

struct Case {
  const Graph& graph;
  const Node& node;
  const Shape &src, &dst;
  std::size_t which;
};

Movement transpose(const Case& c) {
  const Movement m = whole(c.src);
  Movement out;
  for (const std::size_t axis : permutation_of(c.node, c.src.rank())) out.offsets.push_back(m.offsets[axis]);
  return out;
}

Movement slice(const Case& c) {
  Movement m;
  const std::vector<std::int64_t> strides = strides_of(c.src);
  const std::vector<SliceAxis> axes = slice_axes(c.graph, c.node, c.src);
  for (std::size_t i = 0; i < axes.size(); ++i)
    // A step beyond the extent takes one element, and must not overflow on the way.
    m.offsets.push_back(
        ramp(axes[i].start * strides[i], axes[i].count > 1 ? axes[i].step * strides[i] : 0, axes[i].count));
  return m;
}

Movement split(const Case& c) {
  Movement m = whole(c.src);
  const std::size_t axis = axis_of(c.node.integer("axis", 0), c.src.rank());
  const std::vector<std::int64_t> sizes = split_sizes(c.graph, c.node, c.src);
  std::int64_t first = 0;
  for (std::size_t k = 0; k < c.which; ++k) first += sizes[k];
  const std::int64_t stride = strides_of(c.src)[axis];
  m.offsets[axis] = ramp(first * stride, stride, sizes[c.which]);
  return m;
}

Movement expand(const Case& c) { return expansion(c.src, c.dst); }

Movement tile(const Case& c) {
  Movement m = whole(c.src);
  for (std::size_t i = 0; i < c.src.rank(); ++i) {
    Offsets& axis = m.offsets[i];
    const auto once = static_cast<std::size_t>(c.src[i]);
    axis.resize(static_cast<std::size_t>(c.dst[i]));
    for (std::size_t x = once; x < axis.size(); ++x) axis[x] = axis[x - once];
  }
  return m;
}

/// Where a padded axis of n reads for position x, which may lie outside.
std::int64_t padded(std::int64_t x, std::int64_t n, std::string_view mode) {
  if (x >= 0 && x < n) return x;
  if (mode == "constant" || n == 0) return -1;
  if (mode == "edge") return x < 0 ? 0 : n - 1;
  if (mode == "wrap") return (x % n + n) % n;
  // reflect: the edge itself is not repeated, and long pads swing to and fro.
  const std::int64_t period = 2 * (n - 1);
  if (period == 0) return 0;
  const std::int64_t at = (x % period + period) % period;
  return at < n ? at : period - at;
}

Movement pad(const Case& c) {
  Movement m;
  const std::string mode = c.node.text("mode", "constant");
  const std::vector<std::int64_t> pads = pads_of(c.graph, c.node, c.src), strides = strides_of(c.src);
  for (std::size_t i = 0; i < c.dst.rank(); ++i) {
    Offsets& axis = m.offsets.emplace_back();
    // Negative pads crop before the others repeat.
    const std::int64_t first = std::max<std::int64_t>(-pads[i], 0),
                       n = c.src[i] - first - std::max<std::int64_t>(-pads[i + c.dst.rank()], 0);
    for (std::int64_t x = 0; x < c.dst[i]; ++x) {
      const std::int64_t at = padded(x - std::max<std::int64_t>(pads[i], 0), std::max<std::int64_t>(n, 0), mode);
      axis.push_back(at < 0 ? -1 : (at + first) * strides[i]);
      m.fills = m.fills || at < 0;
    }
  }
  return m;
}

Movement gather(const Case& c) {
  Movement m = whole(c.src);
  const std::size_t axis = axis_of(c.node.integer("axis", 0), c.src.rank());
  const std::int64_t stride = strides_of(c.src)[axis], n = c.src[axis];
  Offsets places;
  for (const std::int64_t i : constant_input(c.graph, c.node, 1, {})) places.push_back((i < 0 ? i + n : i) * stride);
  m.offsets[axis] = std::move(places);
  return m;
}

/// [N, C, H, W] with channels that count (b, b, C') or (C', b, b) cells of a pixel.
Movement depth_to_space(const Case& c) {
  const std::int64_t b = c.node.integer("blocksize", 1), plane = c.src.elements_from(2), width = c.src[3];
  const std::int64_t channels = c.dst[1];
  const bool cells_first = c.node.text("mode", "DCR") == "DCR";
  const std::int64_t channel = cells_first ? plane : plane * b * b, column = cells_first ? plane * channels : plane;
  return {{ramp(0, c.src[1] * plane, c.src[0]), ramp(0, channel, channels), ramp(0, width, c.src[2]),
           ramp(0, column * b, b), ramp(0, 1, width), ramp(0, column, b)}};
}

Movement space_to_depth(const Case& c) {
  const std::int64_t b = c.node.integer("blocksize", 1), plane = c.src.elements_from(2), width = c.src[3];
  return {{ramp(0, c.src[1] * plane, c.src[0]), ramp(0, width, b), ramp(0, 1, b), ramp(0, plane, c.src[1]),
           ramp(0, width * b, c.src[2] / b), ramp(0, b, width / b)}};
}

struct Mover {
  std::string_view op;
  Movement (*of)(const Case& c);
  bool per_axis;  ///< as long as the rank stays
};
constexpr std::array kMovers{Mover{"DepthToSpace", depth_to_space, false},
                             Mover{"Expand", expand, true},
                             Mover{"Gather", gather, true},
                             Mover{"Pad", pad, true},
                             Mover{"Slice", slice, true},
                             Mover{"SpaceToDepth", space_to_depth, false},
                             Mover{"Split", split, true},
                             Mover{"Tile", tile, true},
                             Mover{"Transpose", transpose, false}};

const Mover* find_mover(const Node& node) {
  const auto* const it =
      std::find_if(kMovers.begin(), kMovers.end(), [&](const Mover& mover) { return mover.op == node.op; });
  return it == kMovers.end() ? nullptr : it;
}

}  // namespace

bool moves(const Node& node) { return find_mover(node) != nullptr; }

Movement movement_of(const Graph& graph, const Node& node, const Shape& src, const Shape& dst, std::size_t which) {
  const Mover* mover = find_mover(node);
  if (mover == nullptr) throw UnsupportedError(fmt::format("operator {} does more than move elements", node.op));
  Movement movement = mover->of({graph, node, src, dst, which});
  movement.per_axis = mover->per_axis && src.rank() == dst.rank();
  return movement;
}

Movement expansion(const Shape& src, const Shape& dst) {
  Movement m;
  const std::vector<std::int64_t> strides = broadcast_strides(src, dst);
  for (std::size_t i = 0; i < dst.rank(); ++i) m.offsets.push_back(ramp(0, strides[i], dst[i]));
  return m;
}

template <class T>
void move(const Movement& m, T fill, const T* src, T* dst) {
  // An axis for what a scalar has none of.
  static const std::vector<std::int64_t> kOne{0};
  std::vector<std::int64_t> extents;
  for (const auto& axis : m.offsets) {
    if (axis.empty()) return;
    extents.push_back(static_cast<std::int64_t>(axis.size()));
  }
  const std::vector<std::int64_t>& last = m.offsets.empty() ? kOne : m.offsets.back();
  if (!extents.empty()) extents.pop_back();
  // A run of neighbours, as most movements leave along the last axis, is copied at once.
  bool run = true;
  for (std::size_t i = 1; i < last.size() && run; ++i) run = last[i] == last[0] + static_cast<std::int64_t>(i);
  run = run && last[0] >= 0;
  Odometer outer(extents);
  do {
    std::int64_t base = 0;
    bool inside = true;
    for (std::size_t i = 0; i < extents.size(); ++i) {
      const std::int64_t at = m.offsets[i][static_cast<std::size_t>(outer[i])];
      inside = inside && at >= 0;
      base += at;
    }
    if (!inside) {
      dst = std::fill_n(dst, last.size(), fill);
    } else if (run) {
      dst = std::copy_n(src + base + last[0], last.size(), dst);
    } else if (!m.fills) {
      for (const std::int64_t at : last) *dst++ = src[base + at];
    } else {
      for (const std::int64_t at : last) *dst++ = at < 0 ? fill : src[base + at];
    }
  } while (outer.next());
}

template void move(const Movement&, float, const float*, float*);
template void move(const Movement&, std::int64_t, const std::int64_t*, std::int64_t*);

}  // namespace shiftnorm::graph
