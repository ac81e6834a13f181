#include "opaque_values.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string_view>
#include <unordered_map>

#include "pickle_places.hpp"
#include "shiftnorm/core/text.hpp"

namespace shiftnorm::formats {
namespace {

using pickle::Heap, pickle::Id, pickle::Object, pickle::TensorRef;

// What torch and NumPy make their tensors and arrays by.
constexpr std::array<std::string_view, 3> kTensorMakers{"torch._utils._rebuild_", "torch._tensor._rebuild_",
                                                        "torch.nested._internal."};
constexpr std::array<std::string_view, 2> kArrayMakers{"._reconstruct", "._frombuffer"};
constexpr std::size_t kMaxCalls = 8, kMaxOpaque = 1024;

bool makes_tensors(std::string_view name) {
  return std::any_of(kTensorMakers.begin(), kTensorMakers.end(),
                     [name](std::string_view start) { return name.starts_with(start); });
}

bool makes_arrays(std::string_view name) {
  return name.starts_with("numpy.") && std::any_of(kArrayMakers.begin(), kArrayMakers.end(),
                                                   [name](std::string_view end) { return name.ends_with(end); });
}

/// The class or function that an object comes from; what a call gives may be called again.
std::string_view maker_of(const Heap& heap, Id id) {
  for (std::size_t calls = 0; calls < kMaxCalls; ++calls) {
    if (const auto* name = heap.get<pickle::ClassName>(id)) return name->name;
    const auto* object = heap.get<Object>(id);
    if (object == nullptr) break;
    id = object->type;
  }
  return "an unknown object";
}

std::string_view opaque_name(const Heap& heap, Id id) {
  if (const auto* tensor = heap.get<TensorRef>(id))
    return dense_tensor(heap, id) != nullptr ? std::string_view() : heap.element_type(*tensor).name;
  const auto* object = heap.get<Object>(id);
  const bool opaque = (object != nullptr && !object->module) || heap.get<pickle::ClassName>(id) != nullptr;
  return opaque ? maker_of(heap, id) : std::string_view();
}

}  // namespace

const TensorRef* dense_tensor(const Heap& heap, Id id) {
  const auto* tensor = heap.get<TensorRef>(id);
  return tensor != nullptr && heap.element_type(*tensor).dtype ? tensor : nullptr;
}

bool stands_for_tensor(const Heap& heap, Id id) {
  if (heap.get<TensorRef>(id) != nullptr) return true;
  const auto* object = heap.get<Object>(id);
  if (object == nullptr || object->module) return false;
  const std::string_view maker = maker_of(heap, id);
  return object->tensor || makes_tensors(maker) || makes_arrays(maker);
}

std::string why_unread(const Heap& heap, Id id) {
  if (const auto* tensor = heap.get<TensorRef>(id))
    return fmt::format("the elements of a '{}' are not supported; supported are real, integer and bool tensors",
                       printable(heap.element_type(*tensor).name));
  const std::string_view maker = maker_of(heap, id);
  if (makes_tensors(maker))
    return fmt::format("tensors made by '{}' are not supported; supported are dense ones", printable(maker));
  return fmt::format("is made by '{}', which is not supported; expected a tensor", printable(maker));
}

std::vector<OpaqueValues> opaque_values(const Heap& heap, Id root) {
  const std::vector<Place> places = places_in(
      heap, root, [](const Place&) { return true; }, [](Id) { return true; });
  std::vector<OpaqueValues> found;
  std::unordered_map<std::string_view, std::size_t> row_of;
  for (std::size_t i = 0; i < places.size(); ++i) {
    const Place& place = places[i];
    const std::string_view name = place.again ? std::string_view() : opaque_name(heap, place.id);
    if (name.empty()) continue;
    const auto at = row_of.find(name);
    if (at != row_of.end()) {
      ++found[at->second].count;
    } else if (found.size() < kMaxOpaque) {
      row_of.emplace(name, found.size());
      found.push_back({std::string(name), path_of(places, i), 1});
    }
  }
  return found;
}

}  // namespace shiftnorm::formats
