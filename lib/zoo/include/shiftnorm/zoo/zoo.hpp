#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "shiftnorm/graph/graph.hpp"

namespace shiftnorm::zoo {

/// What an architecture needs to know that only the file or the data can tell.
struct BuildOptions {
  std::int64_t classes = 0;            ///< outputs of the head; 0: the architecture's default
  std::int64_t height = 0, width = 0;  ///< of the input; 0: the architecture's default
  std::int64_t channels = 0;           ///< of the input; 0: the architecture's default
  std::vector<float> thresholds = {};  ///< operating points of sigmoid outputs, one per class; empty: the file has none
};

struct Architecture {
  std::string_view name;                 ///< "resnet50", "cifar_resnet20"
  std::string_view head;                 ///< parameter whose first extent is the number of classes
  std::string_view stem;                 ///< parameter whose second extent is the number of input channels
  std::int64_t classes, side, channels;  ///< defaults
  graph::Graph (*build)(const BuildOptions&);
  /// What names of tensors begin with that a file holds for training only (auxiliary heads).
  std::string_view training_only = "";
  /// Today's spelling of a name as older versions of the framework wrote it; nullptr: there is only one.
  std::string (*modern_name)(std::string_view name) = nullptr;
  bool sigmoid = false;              ///< each output answers for itself, several may be true of one image
  std::string_view thresholds = "";  ///< tensor of BuildOptions::thresholds
};

/// Every architecture, sorted by name.
[[nodiscard]] std::span<const Architecture> architectures();
/// ConfigError with the nearest name and the list.
[[nodiscard]] const Architecture& architecture(std::string_view name);

}  // namespace shiftnorm::zoo
