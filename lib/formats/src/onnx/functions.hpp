#pragma once

#include <cstddef>
#include <span>

#include "model_proto.hpp"

namespace shiftnorm::formats {

/// Replaces every call of one of the model's own functions in its graph by the function's nodes, however deep they are
/// nested; values inside get names of their own, attributes by reference the caller's values or the function's
/// defaults. Fills OnnxFile::nodes for every node of the graph that results. Errors  UnsupportedError for functions
/// that call themselves, and for more nodes or bytes than any network has;
///         FormatError for a call that does not fit its function.
void inline_functions(std::span<const std::byte> bytes, OnnxFile& file);

}  // namespace shiftnorm::formats
