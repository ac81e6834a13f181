#pragma once

#include <functional>

#include "pickle_heap.hpp"
#include "pickle_names.hpp"
#include "shiftnorm/container/byte_reader.hpp"

namespace shiftnorm::formats::pickle {

struct Pickled {
  Heap heap;
  Id root = Heap::kNoneId;
};

/// What a persistent id stands for: each container has its own.
using LoadPersistent = std::function<Id(Heap&, Id)>;

/// Reads one pickle (protocols 2 to 5) up to and with its STOP. Nothing is executed: the known names of
/// pickle_names.hpp build plain values, and whatever calls another name is an inert Object.
/// Memory  bounded by the heap's limits, whatever the file says.
/// Errors  FormatError with the offset; UnsupportedError.
[[nodiscard]] Pickled unpickle(container::ByteReader& reader, const LoadPersistent& load = load_persistent);

}  // namespace shiftnorm::formats::pickle
