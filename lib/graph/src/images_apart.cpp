#include "images_apart.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "shape_rules.hpp"
#include "shiftnorm/core/error.hpp"

namespace shiftnorm::graph {
namespace {

[[noreturn]] void mixes(const ImageFlow& flow, std::string_view how) {
  throw UnsupportedError(fmt::format("{} {} mixes images", flow.node.op, how));
}

const Shape& in(const ImageFlow& flow, std::size_t index) { return input_shape(flow.graph, flow.node, index); }

const Shape& out(const ImageFlow& flow) {
  for (const ValueId id : flow.node.outputs)
    if (id != kNone) return *flow.graph.value(id).shape;
  throw FormatError(fmt::format("{} has no output", flow.node.op));
}

/// The axis of the first input; all others must be constants.
std::int64_t alone(const ImageFlow& flow) {
  for (std::size_t k = 1; k < flow.axes.size(); ++k)
    if (flow.axes[k] != kNoImages)
      throw UnsupportedError(fmt::format("input {} of {} depends on the image; expected a constant", k, flow.node.op));
  return flow.axes[0];
}

std::int64_t untouched(const ImageFlow& flow, std::int64_t given) {
  const std::size_t rank = in(flow, 0).rank();
  const std::size_t axis = axis_of(given, rank);
  std::int64_t images = kNoImages;
  for (std::size_t k = 0; k < flow.axes.size(); ++k) {
    if (flow.axes[k] == kNoImages) {
      continue;
    }
    if (flow.axes[k] == static_cast<std::int64_t>(axis)) mixes(flow, fmt::format("along axis {}", axis));
    if (images != kNoImages && images != flow.axes[k]) mixes(flow, "of inputs that count them along different axes");
    images = flow.axes[k];
  }
  return images;
}

std::int64_t rank_of(const ImageFlow& flow, std::size_t index) {
  return static_cast<std::int64_t>(in(flow, index).rank());
}

/// The axis of a reduced shape that was axis `images` before.
std::int64_t after_reduction(const ImageFlow& flow, std::int64_t images, const std::vector<bool>& reduced) {
  if (reduced[static_cast<std::size_t>(images)]) mixes(flow, fmt::format("over axis {}", images));
  if (flow.node.integer("keepdims", 1) != 0) return images;
  return images - std::count(reduced.begin(), reduced.begin() + images, true);
}

}  // namespace

std::int64_t images_broadcast(const ImageFlow& flow) {
  // Axes count from the end here, where broadcasting aligns them.
  std::int64_t from_end = kNoImages, rank = 0;
  for (std::size_t k = 0; k < flow.axes.size(); ++k) {
    if (!has_input(flow.node, k)) continue;
    rank = std::max(rank, rank_of(flow, k));
    if (flow.axes[k] == kNoImages) continue;
    const std::int64_t here = rank_of(flow, k) - 1 - flow.axes[k];
    if (from_end != kNoImages && here != from_end) mixes(flow, "of inputs that count them along different axes");
    from_end = here;
  }
  for (std::size_t k = 0; k < flow.axes.size(); ++k) {
    if (!has_input(flow.node, k) || flow.axes[k] != kNoImages || rank_of(flow, k) <= from_end) continue;
    const auto axis = static_cast<std::size_t>(rank_of(flow, k) - 1 - from_end);
    if (in(flow, k)[axis] != 1)
      mixes(flow, fmt::format("with a constant of extent {} along their axis", in(flow, k)[axis]));
  }
  return rank - 1 - from_end;
}

std::int64_t images_first(const ImageFlow& flow) {
  const std::int64_t images = alone(flow);
  if (images != 0) mixes(flow, fmt::format("of an input that counts them along axis {}", images));
  return 0;
}

std::int64_t images_beside(const ImageFlow& flow) {
  const std::int64_t absent = flow.node.op == "Concat" ? 1 : flow.node.op == "Split" ? 0 : -1;
  return untouched(flow, flow.node.integer("axis", absent));
}

std::int64_t images_instance(const ImageFlow& flow) {
  const std::int64_t images = alone(flow);
  if (static_cast<std::size_t>(images) >= axis_of(flow.node.integer("axis", -1), in(flow, 0).rank()))
    mixes(flow, fmt::format("along axis {}", images));
  return images;
}

std::int64_t images_mean_variance(const ImageFlow& flow) {
  std::vector<bool> reduced(in(flow, 0).rank(), false);
  for (const std::int64_t axis : flow.node.integers("axes", {0, 2, 3})) reduced[axis_of(axis, reduced.size())] = true;
  if (reduced[static_cast<std::size_t>(flow.axes[0])]) mixes(flow, fmt::format("over axis {}", flow.axes[0]));
  return flow.axes[0];
}

std::int64_t images_reduce(const ImageFlow& flow) {
  return after_reduction(flow, alone(flow), reduced_axes(flow.graph, flow.node, in(flow, 0).rank()));
}

std::int64_t images_arg(const ImageFlow& flow) {
  std::vector<bool> reduced(in(flow, 0).rank(), false);
  reduced[axis_of(flow.node.integer("axis", 0), reduced.size())] = true;
  return after_reduction(flow, alone(flow), reduced);
}

std::int64_t images_gather(const ImageFlow& flow) {
  const auto axis = static_cast<std::int64_t>(axis_of(flow.node.integer("axis", 0), in(flow, 0).rank()));
  const std::int64_t data = flow.axes[0], indices = flow.axes[1];
  if (data != kNoImages && indices != kNoImages) mixes(flow, "at places that depend on the image");
  if (data == axis) mixes(flow, fmt::format("along axis {}", axis));
  if (indices != kNoImages) return axis + indices;
  return data < axis ? data : data - 1 + rank_of(flow, 1);
}

std::int64_t images_gather_elements(const ImageFlow& flow) {
  if (flow.axes[1] == kNoImages) mixes(flow, "at places that are the same for every image");
  return untouched(flow, flow.node.integer("axis", 0));
}

std::int64_t images_slice(const ImageFlow& flow) {
  const std::int64_t images = alone(flow);
  const SliceAxis axis = slice_axes(flow.graph, flow.node, in(flow, 0))[static_cast<std::size_t>(images)];
  bool whole = axis.start == 0 && axis.step == 1;
  if (whole) {
    // An end that happens to be the number of images would take the first of a larger batch.
    const auto starts = constant_argument(flow.graph, flow.node, 1, "starts").value();
    const auto ends = constant_argument(flow.graph, flow.node, 2, "ends").value();
    const auto axes = constant_argument(flow.graph, flow.node, 3, "axes");
    for (std::size_t k = 0; k < ends.size(); ++k) {
      const std::int64_t named = axes ? (*axes)[k] : static_cast<std::int64_t>(k);
      if (static_cast<std::int64_t>(axis_of(named, in(flow, 0).rank())) == images)
        whole = ends[k] >= std::numeric_limits<std::int32_t>::max();
    }
  }
  if (!whole) mixes(flow, fmt::format("along axis {}", images));
  return images;
}

std::int64_t images_pad(const ImageFlow& flow) {
  const std::int64_t images = alone(flow);
  const std::vector<std::int64_t> pads = pads_of(flow.graph, flow.node, in(flow, 0));
  const auto axis = static_cast<std::size_t>(images);
  if (pads[axis] != 0 || pads[axis + in(flow, 0).rank()] != 0) mixes(flow, fmt::format("along axis {}", images));
  return images;
}

std::int64_t images_kept(const ImageFlow& flow) {
  const std::int64_t images = alone(flow);
  const Shape &from = in(flow, 0), &to = out(flow);
  // Expand may put axes in front.
  const auto at = images + static_cast<std::int64_t>(to.rank() - from.rank());
  if (to[static_cast<std::size_t>(at)] != from[static_cast<std::size_t>(images)])
    mixes(flow, fmt::format("along axis {}", images));
  return at;
}

std::int64_t images_reshape(const ImageFlow& flow) {
  const std::int64_t images = alone(flow);
  const Shape &from = in(flow, 0), &to = out(flow);
  // The axis that has as many elements before it, and as many images.
  std::int64_t before = 1, seen = 1;
  for (std::int64_t i = 0; i < images; ++i) before *= from[static_cast<std::size_t>(i)];
  for (std::size_t i = 0; i < to.rank(); ++i) {
    if (seen == before && to[i] == from[static_cast<std::size_t>(images)]) return static_cast<std::int64_t>(i);
    seen *= to[i];
  }
  mixes(flow, fmt::format("of {} to {}, which has no axis for them, and", from.text(), to.text()));
}

std::int64_t images_flatten(const ImageFlow& flow) {
  const std::int64_t given = flow.node.integer("axis", 1), rank = rank_of(flow, 0);
  if ((given < 0 ? given + rank : given) <= flow.axes[0]) mixes(flow, fmt::format("with axis {}", given));
  return images_reshape(flow);
}

std::int64_t images_squeeze(const ImageFlow& flow) {
  const std::int64_t images = alone(flow);
  const Shape& from = in(flow, 0);
  const auto axes = constant_argument(flow.graph, flow.node, 1, "axes");
  std::vector<bool> gone(from.rank(), false);
  for (std::size_t i = 0; !axes && i < from.rank(); ++i) gone[i] = from[i] == 1;
  if (axes)
    for (const std::int64_t axis : *axes) gone[axis_of(axis, from.rank())] = true;
  if (gone[static_cast<std::size_t>(images)]) mixes(flow, fmt::format("of axis {}", images));
  return images - std::count(gone.begin(), gone.begin() + images, true);
}

std::int64_t images_unsqueeze(const ImageFlow& flow) {
  const std::int64_t images = alone(flow);
  const auto axes = constant_argument(flow.graph, flow.node, 1, "axes").value();
  const std::size_t rank = in(flow, 0).rank() + axes.size();
  std::vector<bool> fresh(rank, false);
  for (const std::int64_t axis : axes) fresh[axis_of(axis, rank)] = true;
  std::int64_t old = -1;
  for (std::size_t i = 0; i < rank; ++i)
    if (!fresh[i] && ++old == images) return static_cast<std::int64_t>(i);
  mixes(flow, "of their axis");
}

std::int64_t images_transpose(const ImageFlow& flow) {
  const std::vector<std::size_t> perm = permutation_of(flow.node, in(flow, 0).rank());
  return std::find(perm.begin(), perm.end(), static_cast<std::size_t>(flow.axes[0])) - perm.begin();
}

std::int64_t images_gemm(const ImageFlow& flow) {
  const bool left = flow.node.integer("transA", 0) != 0, right = flow.node.integer("transB", 0) != 0;
  if (flow.axes[0] != kNoImages && flow.axes[1] != kNoImages) mixes(flow, "of two factors that depend on images");
  std::int64_t images = kNoImages;
  if (flow.axes[0] != kNoImages) {
    if (flow.axes[0] != (left ? 1 : 0)) mixes(flow, left ? "with transA" : "along its columns");
    images = 0;
  } else if (flow.axes[1] != kNoImages) {
    if (flow.axes[1] != (right ? 0 : 1)) mixes(flow, "along the rows of its second factor");
    images = 1;
  }
  if (!has_input(flow.node, 2)) return images;
  const std::int64_t skipped = 2 - rank_of(flow, 2);
  if (flow.axes[2] != kNoImages) {
    if (images != kNoImages && flow.axes[2] + skipped != images) mixes(flow, "with a bias along another axis");
    return flow.axes[2] + skipped;
  }
  if (images >= skipped && in(flow, 2)[static_cast<std::size_t>(images - skipped)] != 1)
    mixes(flow, "with a bias for each of them");
  return images;
}

std::int64_t images_mat_mul(const ImageFlow& flow) {
  // Places count from the end in the output with the axes that vectors lack filled in: 1 columns, 2 rows, 3.. batches.
  std::int64_t place = 0;
  for (std::size_t k = 0; k < 2; ++k) {
    if (flow.axes[k] == kNoImages) continue;
    const std::int64_t rank = rank_of(flow, k), inner = k == 0 ? 1 : 2;
    std::int64_t here = rank - flow.axes[k];
    if (rank == 1) here = inner;  // a vector has nothing but the axis that is summed over
    if (here == inner) mixes(flow, fmt::format("summing over axis {} of input {}", flow.axes[k], k));
    if (place != 0 && (here != place || here < 3)) mixes(flow, "of two factors that depend on images");
    place = here;
  }
  for (std::size_t k = 0; k < 2 && place > 2; ++k) {
    const std::int64_t axis = rank_of(flow, k) - place;
    if (flow.axes[k] == kNoImages && axis >= 0 && in(flow, k)[static_cast<std::size_t>(axis)] != 1)
      mixes(flow, "with a constant for each of them");
  }
  const auto rank = static_cast<std::int64_t>(out(flow).rank());
  const bool row = rank_of(flow, 0) == 1, column = rank_of(flow, 1) == 1;
  const std::int64_t axis = rank + (row ? 1 : 0) + (column ? 1 : 0) - place;
  return row && place == 1 ? axis - 1 : axis;
}

void check_images_apart(const Graph& graph) {
  std::vector<std::int64_t> axis(graph.values(), kNoImages);
  axis[static_cast<std::size_t>(graph.input())] = 0;
  std::vector<std::int64_t> axes;
  for (const Node& node : graph.nodes()) {
    axes.clear();
    for (const ValueId id : node.inputs) axes.push_back(id == kNone ? kNoImages : axis[static_cast<std::size_t>(id)]);
    if (std::all_of(axes.begin(), axes.end(), [](std::int64_t a) { return a == kNoImages; })) continue;
    try {
      const OpSpec* spec = find_operator(node.op);
      if (spec == nullptr) throw UnsupportedError(fmt::format("operator {} is not supported", node.op));
      const std::int64_t images = spec->images({graph, node, axes});
      for (const ValueId id : node.outputs)
        if (id != kNone) axis[static_cast<std::size_t>(id)] = images;
    } catch (const Error&) {
      rethrow_at(fmt::format("node '{}'", node.name));
    }
  }
  for (const ValueId id : graph.outputs()) {
    const std::int64_t images = axis[static_cast<std::size_t>(id)];
    if (images > 0)
      throw UnsupportedError(
          fmt::format("output '{}' counts images along axis {}; expected 0", graph.value(id).name, images));
  }
}

}  // namespace shiftnorm::graph
