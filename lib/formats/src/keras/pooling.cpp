#include <algorithm>

#include "layers.hpp"
#include "window.hpp"

namespace shiftnorm::formats::keras {
namespace {

Feature pool(LayerCall& call, const std::string& op, std::size_t spatial) {
  const Feature x =
      call.to.channels_second(call.x(), call.to.channels_first(call.settings), spatial, call.part("input"));
  const Ints kernel = call.settings.extents({"pool_size", "pool_length"}, spatial, 2);
  const Ints strides = call.settings.find({"strides", "stride"}) == nullptr
                           ? kernel
                           : call.settings.extents({"strides", "stride"}, spatial, 1);
  const Ints& shape = call.to.shape(x).extents();
  const Window w = window(call.settings, {shape.begin() + 2, shape.end()}, kernel, strides, Ints(spatial, 1));
  return call.to.add_like(x, op, call.layer.name, {{"kernel_shape", kernel}, {"strides", w.strides}, {"pads", w.pads}});
}

Feature global_pool(LayerCall& call, const std::string& op, std::size_t spatial) {
  const Feature x =
      call.to.channels_second(call.x(), call.to.channels_first(call.settings), spatial, call.part("input"));
  const Feature y = call.to.add_like(x, op, call.layer.name);
  return call.settings.flag({"keepdims"}, false) ? y : call.to.flattened(y, call.part("flatten"));
}

}  // namespace

template <std::size_t spatial>
Feature lower_max_pool(LayerCall& call) {
  return pool(call, "MaxPool", spatial);
}
template <std::size_t spatial>
Feature lower_average_pool(LayerCall& call) {
  return pool(call, "AveragePool", spatial);
}
template <std::size_t spatial>
Feature lower_global_max(LayerCall& call) {
  return global_pool(call, "GlobalMaxPool", spatial);
}
template <std::size_t spatial>
Feature lower_global_average(LayerCall& call) {
  return global_pool(call, "GlobalAveragePool", spatial);
}

template Feature lower_max_pool<1>(LayerCall&);
template Feature lower_max_pool<2>(LayerCall&);
template Feature lower_max_pool<3>(LayerCall&);
template Feature lower_average_pool<1>(LayerCall&);
template Feature lower_average_pool<2>(LayerCall&);
template Feature lower_average_pool<3>(LayerCall&);
template Feature lower_global_max<1>(LayerCall&);
template Feature lower_global_max<2>(LayerCall&);
template Feature lower_global_max<3>(LayerCall&);
template Feature lower_global_average<1>(LayerCall&);
template Feature lower_global_average<2>(LayerCall&);
template Feature lower_global_average<3>(LayerCall&);

}  // namespace shiftnorm::formats::keras
