#pragma once

#include "pickle_heap.hpp"
#include "shiftnorm/container/byte_reader.hpp"

namespace shiftnorm::formats::pickle {

struct Pickled {
  Heap heap;
  Id root = Heap::kNoneId;
};

/// Reads one pickle (protocols 2 to 5) up to and with its STOP. Nothing is executed: the known names of
/// pickle_names.hpp build plain values, and everything else is an error.
/// Memory  bounded by the heap's limits, whatever the file says.
/// Errors  FormatError with the offset; UnsupportedError.
[[nodiscard]] Pickled unpickle(container::ByteReader& reader);

}  // namespace shiftnorm::formats::pickle
