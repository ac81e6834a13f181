#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "pickle_heap.hpp"

namespace shiftnorm::formats {

/// Where a value of a pickle lies: under which name in which other place.
struct Place {
  pickle::Id id = 0;
  std::size_t parent = 0;  ///< of the root: itself
  std::size_t depth = 0;
  std::string_view name;  ///< a key or an attribute; empty: `number`
  std::size_t number = 0;
  bool unnamed = false;  ///< the only thing that an object was made of: it has the object's own name
  bool again = false;    ///< seen before under another name; what is below it is listed there
};

/// The containers, objects, classes and tensors of a pickle, from the root on, the shallower first. Breadth first and
/// without recursion: a file may nest as deep as it likes, and in circles; what lies more than 64 deep is not looked
/// at. `enter` is asked of a place before it is added, and may be asked of one value again and again: it looks at the
/// name; `open` once, whether to look at what is in a value. Places point into the heap. Looking through the items and
/// attributes of every place takes a bounded time. Errors  FormatError for objects that share too much.
[[nodiscard]] std::vector<Place> places_in(const pickle::Heap& heap, pickle::Id root,
                                           const std::function<bool(const Place&)>& enter,
                                           const std::function<bool(pickle::Id)>& open);

/// "state_dict", "models.0", "" for the root; cut where it is longer than anybody writes.
[[nodiscard]] std::string path_of(const std::vector<Place>& places, std::size_t place);

}  // namespace shiftnorm::formats
