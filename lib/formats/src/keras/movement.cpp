#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "layers.hpp"
#include "shiftnorm/core/error.hpp"
#include "shiftnorm/core/text.hpp"

namespace shiftnorm::formats::keras {
namespace {

using container::Json;

/// Cells added or cut before and behind each axis, in any of the ways that Keras writes them: 1, [1, 2] (one axis:
/// before and behind; several: both sides of each), [[1, 2], [3, 4]], [top, bottom, left, right].
Ints borders(const Settings& settings, Settings::Keys keys, std::size_t spatial) {
  constexpr std::int64_t kMost = std::int64_t{1} << 20U;
  const Json* json = settings.find(keys);
  if (json == nullptr) return Ints(2 * spatial, 1);
  Ints before, behind;
  const auto cells = [](const Json& item) {
    const std::int64_t count = item.as_integer();
    if (count < 0 || count > kMost) throw FormatError(fmt::format("a border of {} cells", count));
    return count;
  };
  const auto add = [&](const Json& first, const Json& last) {
    before.push_back(cells(first));
    behind.push_back(cells(last));
  };
  if (!json->is_array()) {
    for (std::size_t axis = 0; axis < spatial; ++axis) add(*json, *json);
  } else {
    const Json::ArrayType& items = json->as_array();
    const bool flat = items.size() == 2 * spatial && !items[0].is_array();
    for (std::size_t i = 0; i < items.size(); i += flat ? 2 : 1) {
      if (flat)
        add(items[i], items[i + 1]);
      else if (items[i].is_array() && items[i].as_array().size() == 2)
        add(items[i].as_array()[0], items[i].as_array()[1]);
      else
        add(items[i], items[i]);
    }
  }
  if (before.size() != spatial)
    throw FormatError(fmt::format("borders of {} axes; expected {}", before.size(), spatial));
  before.insert(before.end(), behind.begin(), behind.end());
  return before;
}

Feature input_of(LayerCall& call, std::size_t spatial) {
  return call.to.channels_second(call.x(), call.to.channels_first(call.settings), spatial, call.part("input"));
}

}  // namespace

Feature lower_identity(LayerCall& call) { return call.x(); }

template <std::size_t spatial>
Feature lower_zero_padding(LayerCall& call) {
  const Feature x = input_of(call, spatial);
  const Ints cells = borders(call.settings, {"padding"}, spatial);
  Ints pads(2 * (spatial + 2), 0);
  std::copy_n(cells.begin(), spatial, pads.begin() + 2);
  std::copy_n(cells.begin() + spatial, spatial, pads.end() - spatial);
  return call.to.add_like(x, "Pad", call.layer.name, {}, {call.to.integers(call.part("pads"), std::move(pads))});
}

template <std::size_t spatial>
Feature lower_cropping(LayerCall& call) {
  const Feature x = input_of(call, spatial);
  const Ints cells = borders(call.settings, {"cropping"}, spatial);
  Ints starts, ends, axes;
  for (std::size_t axis = 0; axis < spatial; ++axis) {
    const std::int64_t extent = call.to.shape(x)[axis + 2];
    starts.push_back(cells[axis]);
    ends.push_back(extent - cells[spatial + axis]);
    axes.push_back(static_cast<std::int64_t>(axis) + 2);
    if (starts.back() >= ends.back()) throw FormatError(fmt::format("crops all of {} cells", extent));
  }
  return call.to.add_like(
      x, "Slice", call.layer.name, {},
      {call.to.integers(call.part("starts"), std::move(starts)), call.to.integers(call.part("ends"), std::move(ends)),
       call.to.integers(call.part("axes"), std::move(axes))});
}

template <std::size_t spatial>
Feature lower_upsampling(LayerCall& call) {
  const Feature x = input_of(call, spatial);
  const Ints factors = call.settings.extents({"size", "length"}, spatial, 2);
  const std::string kind = call.settings.text({"interpolation"}, "nearest");
  if (kind != "nearest" && kind != "bilinear")
    throw UnsupportedError(fmt::format("interpolation '{}'; expected nearest or bilinear", printable(kind)));
  Ints sizes = call.to.shape(x).extents();
  for (std::size_t axis = 0; axis < spatial; ++axis) sizes[axis + 2] *= factors[axis];
  const bool nearest = kind == "nearest";
  return call.to.add_like(x, "Resize", call.layer.name,
                          {{"mode", std::string(nearest ? "nearest" : "linear")},
                           {"coordinate_transformation_mode", std::string(nearest ? "asymmetric" : "half_pixel")},
                           {"nearest_mode", std::string("floor")}},
                          {graph::kNone, graph::kNone, call.to.integers(call.part("sizes"), std::move(sizes))});
}

/// The order of values is Keras' own; with data_format channels_first, which is not said before 2.1.6, channels go last
/// first.
Feature lower_flatten(LayerCall& call) {
  const Feature& x = call.x();
  if (call.to.rank(x) < 3) return call.to.reshaped(x, {1, call.to.shape(x).elements()}, call.layer.name);
  std::vector<std::size_t> axes(call.to.rank(x));
  std::iota(axes.begin(), axes.end(), std::size_t{0});
  if (call.settings.channels_first().value_or(false)) std::rotate(axes.begin() + 1, axes.begin() + 2, axes.end());
  // Where at most one axis has more than one element, every order is the same.
  const Ints& extents = call.to.shape(x).extents();
  const bool trivial = std::count_if(extents.begin() + 1, extents.end(), [](std::int64_t e) { return e != 1; }) <= 1;
  const ValueId ordered = trivial ? x.id : call.to.arranged(x, axes, call.part("input"));
  return call.to.flattened({ordered, false}, call.layer.name);
}

Feature lower_reshape(LayerCall& call) {
  const Json* target = call.settings.find({"target_shape"});
  if (target == nullptr) throw FormatError("has no 'target_shape'");
  Ints extents{1};
  std::size_t open = 0;
  std::int64_t known = 1;
  const std::int64_t elements = call.to.shape(call.x()).elements();
  for (const Json& item : target->as_array()) {
    const std::int64_t extent = item.is_null() ? -1 : item.as_integer();
    if (extent == 0 || extent < -1 || extent > elements || (extent == -1 && open != 0))
      throw FormatError(fmt::format("an extent of {} for {} values", extent, elements));
    if (extent == -1)
      open = extents.size();
    else if (known > elements / extent)
      throw FormatError(fmt::format("more than the {} values of its input", elements));
    else
      known *= extent;
    extents.push_back(extent);
  }
  if (open != 0) extents[open] = elements / known;
  if (Shape(extents).elements() != elements)
    throw FormatError(fmt::format("shape {} for {} values", Shape(extents).text(), elements));
  return call.to.reshaped(call.x(), std::move(extents), call.layer.name);
}

Feature lower_permute(LayerCall& call) {
  const std::size_t rank = call.to.rank(call.x());
  const Ints dims = call.settings.extents({"dims"}, rank - 1, 1);
  std::vector<std::size_t> axes{0};
  for (const std::int64_t dim : dims) axes.push_back(static_cast<std::size_t>(dim));
  std::vector<std::size_t> sorted = axes;
  std::sort(sorted.begin(), sorted.end());
  for (std::size_t i = 0; i < rank; ++i)
    if (sorted[i] != i) throw FormatError("'dims' names an axis twice or not at all");
  return {call.to.arranged(call.x(), axes, call.layer.name), false};
}

template Feature lower_zero_padding<1>(LayerCall&);
template Feature lower_zero_padding<2>(LayerCall&);
template Feature lower_zero_padding<3>(LayerCall&);
template Feature lower_cropping<1>(LayerCall&);
template Feature lower_cropping<2>(LayerCall&);
template Feature lower_cropping<3>(LayerCall&);
template Feature lower_upsampling<1>(LayerCall&);
template Feature lower_upsampling<2>(LayerCall&);
template Feature lower_upsampling<3>(LayerCall&);

}  // namespace shiftnorm::formats::keras
