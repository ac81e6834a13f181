#pragma once

#include <cstddef>
#include <span>
#include <string_view>

#include "pickle_heap.hpp"

namespace shiftnorm::formats::pickle {

/// The place of a name in the table of those that a pickle may use.
/// Errors  FormatError naming any other; UnsupportedError where it stands for something harmless that we lack.
[[nodiscard]] std::size_t find_name(std::string_view module, std::string_view name);

/// What calling a known name with these arguments gives. Nothing of Python runs: plain values are built.
/// Errors  FormatError for wrong arguments or a name that cannot be called.
[[nodiscard]] Id call_name(Heap& heap, std::size_t index, std::span<const Id> arguments);

/// The value behind a persistent id: torch.save's ('storage', type, key, location, elements[, view]).
/// Errors  FormatError; UnsupportedError for a pickled module's source.
[[nodiscard]] Id load_persistent(Heap& heap, Id id);

}  // namespace shiftnorm::formats::pickle
