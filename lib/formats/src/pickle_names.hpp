#pragma once

#include <cstddef>
#include <span>
#include <string_view>

#include "pickle_heap.hpp"

namespace shiftnorm::formats::pickle {

/// A name of a pickle: its place in the table of those that may be called, or else a ClassName.
/// Errors  FormatError for builtins that the table lacks; UnsupportedError where the name stands for something
///         harmless that we lack.
[[nodiscard]] Value find_name(std::string_view module, std::string_view name);

/// That a pickle may not call or hold this name.
[[noreturn]] void refuse_name(std::string_view full_name);

/// What calling a known name with these arguments gives. Nothing of Python runs: plain values are built.
/// Errors  FormatError for wrong arguments or a name that cannot be called.
[[nodiscard]] Id call_name(Heap& heap, std::size_t index, std::span<const Id> arguments);

/// The value behind a persistent id: torch.save's ('storage', type, key, location, elements[, view]),
/// or ('module', class, file, source), which stands for the class. Errors  FormatError
[[nodiscard]] Id load_persistent(Heap& heap, Id id);

/// The element type that a storage's type stands for. Errors  FormatError if the value is none.
[[nodiscard]] DType storage_dtype(const Heap& heap, Id type);

}  // namespace shiftnorm::formats::pickle
