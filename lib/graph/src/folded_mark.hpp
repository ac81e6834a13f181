#pragma once

#include <string_view>

namespace shiftnorm::graph {

/// Attribute of the BatchNormalizations that unfold() puts in; no ONNX operator has it, and no file is written with it.
inline constexpr std::string_view kFolded = "shiftnorm.folded";

}  // namespace shiftnorm::graph
