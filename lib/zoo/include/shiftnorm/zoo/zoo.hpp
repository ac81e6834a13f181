#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "shiftnorm/graph/graph.hpp"

namespace shiftnorm::zoo {

/// Layers that the file itself describes, activations too.
struct HeldChain {
  std::vector<std::pair<std::string, std::string>> layers;  ///< path behind the chain's own, and class: "1", "Sigmoid"
  std::function<graph::ValueId(graph::Graph&, graph::ValueId x)> add;  ///< behind x, [N, features]
};

/// What a file offers an architecture: shapes by the architecture's own names, in the file's order.
class HeldShapes {
 public:
  void add(std::string name, Shape shape);  ///< of a name given twice the first counts
  [[nodiscard]] const Shape* find(std::string_view name) const;
  [[nodiscard]] const std::vector<std::pair<std::string, Shape>>& all() const { return all_; }

  HeldChain& add_chain(std::string path) { return chains_[std::move(path)]; }
  [[nodiscard]] const HeldChain* chain(std::string_view path) const;
  void add_module(std::string path) { modules_.push_back(std::move(path)); }
  /// Names that the file has for modules, in its order, also for those without tensors.
  [[nodiscard]] const std::vector<std::string>& modules() const { return modules_; }

 private:
  std::map<std::string, HeldChain, std::less<>> chains_;
  std::vector<std::string> modules_;
  std::vector<std::pair<std::string, Shape>> all_;
  std::map<std::string, std::size_t, std::less<>> place_of_;
};

/// What building for a file's tensors came to.
struct BuildReport {
  bool features = false;                 ///< the file has no head: the outputs are what would go into it
  bool own_head = true;                  ///< the head is the architecture's, but for the number of classes
  std::vector<std::string> assumptions;  ///< what the tensors do not say about the head, one line each
};

/// What an architecture needs to know that only the file or the data can say.
struct BuildOptions {
  std::int64_t classes = 0;            ///< outputs of the architecture's own head; 0: its default
  std::int64_t height = 0, width = 0;  ///< of the input; 0: the architecture's default
  std::int64_t channels = 0;           ///< of the input; 0: the architecture's default
  std::vector<float> thresholds = {};  ///< operating points of sigmoid outputs, one per class; empty: the file has none
  /// The head and the biases of convolutions are the file's; null: the architecture's own.
  const HeldShapes* held = nullptr;
  BuildReport* report = nullptr;  ///< filled where given
};

struct Architecture {
  std::string_view name;                 ///< "resnet50", "cifar_resnet20"
  std::string_view head;                 ///< the module behind the features, which people replace
  std::string_view stem;                 ///< parameter whose second extent is the number of input channels
  std::int64_t classes, side, channels;  ///< defaults
  graph::Graph (*build)(const BuildOptions&);
  /// Today's spelling of a name as older versions of the framework wrote it; nullptr: there is only one.
  std::string (*modern_name)(std::string_view name) = nullptr;
  bool sigmoid = false;              ///< each output answers for itself, several may be true of one image
  std::string_view thresholds = "";  ///< tensor of BuildOptions::thresholds
};

/// Every architecture, sorted by name.
[[nodiscard]] std::span<const Architecture> architectures();
/// The architecture with what a file holds: convolutions have a bias where it has one, and none where no convolution of
/// the file has; BatchNorms are without scale and bias where all of the file's are; the head is the file's.
/// Errors  FormatError for a head that cannot be determined from its tensors.
[[nodiscard]] graph::Graph build(const Architecture& architecture, const BuildOptions& options);
/// ConfigError with the nearest name and the list.
[[nodiscard]] const Architecture& architecture(std::string_view name);

}  // namespace shiftnorm::zoo
