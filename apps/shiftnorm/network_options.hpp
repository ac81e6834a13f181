#pragma once

#include <span>
#include <string>

#include "options.hpp"
#include "shiftnorm/toolkit/export.hpp"
#include "shiftnorm/toolkit/restore.hpp"

namespace shiftnorm::app {

/// Where the network comes from: --arch or --graph, and which of the file's weights.
[[nodiscard]] std::span<const OptionSpec> network_options();

/// What network_options() say; `absent`, `weights`: the architecture and set when none is given. Errors  ConfigError
/// naming the option.
[[nodiscard]] toolkit::NetworkSource network_of(const Options& options, const std::string& absent = {},
                                                const std::string& weights = {});

inline constexpr OptionSpec kToInference{"to-inference", "",
                                         "ONNX: also write a network in training mode, set to inference mode; "
                                         "otherwise it is refused, as its runtime would ignore what is written"};

/// ", converted from pytorch-zip to ONNX", for people; empty where the original's format was kept.
[[nodiscard]] std::string conversion(const toolkit::Exported& exported);

}  // namespace shiftnorm::app
