#pragma once

#include <cstddef>
#include <span>
#include <string_view>

#include "pickle_heap.hpp"

namespace shiftnorm::formats::pickle {

/// A name of a pickle: its place in the table of those that may be called, or else a ClassName.
[[nodiscard]] Value find_name(std::string_view module, std::string_view name);

/// That a file holds nothing that is read, but this name.
[[noreturn]] void refuse_name(std::string_view full_name);

/// What calling a known name with these arguments gives. Nothing of Python runs: plain values are built.
/// Errors  FormatError for wrong arguments or a name that cannot be called.
[[nodiscard]] Id call_name(Heap& heap, std::size_t index, std::span<const Id> arguments);

/// The value behind a persistent id: torch.save's ('storage', type, key, location, elements[, view]),
/// or ('module', class, file, source), which stands for the class. Errors  FormatError
[[nodiscard]] Id load_persistent(Heap& heap, Id id);

/// What the type of a storage says of its elements. Errors  FormatError if the value is no such type.
[[nodiscard]] ElementType element_type(const Heap& heap, Id type);

}  // namespace shiftnorm::formats::pickle
