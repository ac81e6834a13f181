#pragma once

#include <string>
#include <vector>

#include "pickle_heap.hpp"
#include "shiftnorm/formats/checkpoint.hpp"

namespace shiftnorm::formats {

/// A tensor whose numbers are read, or nullptr.
[[nodiscard]] const pickle::TensorRef* dense_tensor(const pickle::Heap& heap, pickle::Id id);

/// Whether a value is a tensor or stands where one would: of elements that are not read, sparse, quantised, without a
/// storage, of a class of its own, an array of NumPy's.
[[nodiscard]] bool stands_for_tensor(const pickle::Heap& heap, pickle::Id id);

/// Why a value that is not a dense tensor is not read: "tensors made by 'torch._utils._rebuild_qtensor' are not ...".
[[nodiscard]] std::string why_unread(const pickle::Heap& heap, pickle::Id id);

/// What is carried over and never built, by the names it is made of. The classes of modules are none of it.
[[nodiscard]] std::vector<OpaqueValues> opaque_values(const pickle::Heap& heap, pickle::Id root);

}  // namespace shiftnorm::formats
