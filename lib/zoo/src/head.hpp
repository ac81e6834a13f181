#pragma once

#include <string>
#include <vector>

#include "layers.hpp"
#include "shiftnorm/zoo/zoo.hpp"

namespace shiftnorm::zoo {

/// The head that an architecture was published with: Linear layers, an activation between them.
struct OwnHead {
  struct Linear {
    std::string path;          ///< behind the head's name: "1"; empty: the head is the layer
    std::int64_t outputs = 0;  ///< 0: the number of classes
  };
  std::string name;  ///< "fc"
  std::int64_t classes = 1000;
  std::vector<Linear> layers = {{}};
  Activation between = Activation::relu;
};

/// One Linear layer, which is the head or is at `path` in it, after dropout.
[[nodiscard]] OwnHead one_layer(std::string name, std::int64_t classes = 1000, std::string path = {});

/// Appends what follows the features x, [N, in]: the file's Linear and BatchNorm1d layers by their names and shapes,
/// where options.held is given, else the architecture's own. No tensor says what is between two layers: it is the own
/// head's where that fits, nothing where their numbers in one Sequential leave no place, else ReLU, which the report
/// says. A file without a head gets x itself back. Errors  FormatError naming the layer that cannot be determined.
[[nodiscard]] graph::ValueId add_head(graph::Graph& graph, const OwnHead& own, graph::ValueId x, std::int64_t in,
                                      const BuildOptions& options);

}  // namespace shiftnorm::zoo
