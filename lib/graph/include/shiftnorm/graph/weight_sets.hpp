#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "shiftnorm/graph/graph.hpp"

namespace shiftnorm::graph {

/// What wrappers of modules put into names without being layers, such as `_orig_mod` (torch.compile),
/// `_fsdp_wrapped_module`, `_checkpoint_wrapped_module` and `module` (DataParallel, also around a part of a network).
class Wrappings {
 public:
  /// A part that a parameter's own name has is a layer of this network and no wrapping.
  explicit Wrappings(std::span<const std::string> parameters);
  [[nodiscard]] bool wraps(std::string_view part) const;
  /// The name without them.
  [[nodiscard]] std::string undone(std::string_view name) const;
  /// The same for what follows a prefix; nothing for a name that does not begin with it, or continues with a
  /// wrapping and so has a longer one.
  [[nodiscard]] std::optional<std::string> behind(std::string_view prefix, std::string_view name) const;

 private:
  std::vector<std::string_view> parts_;
};

/// The tensors of a file whose names are those of a network's parameters behind one prefix.
struct WeightSet {
  std::string prefix;          ///< "module.encoder_q."; empty where names begin with the parameters'
  std::size_t parameters = 0;  ///< how many of the wanted ones it has
  std::size_t first = 0;       ///< place in the file of its first tensor
};

/// Every prefix behind which tensors have names of wanted parameters, in the file's order. Wrappings before a name
/// belong to its prefix; behind its first own part they are undone. Linear in the number of tensors; of names that have
/// more than 64 parts the last 64 are looked at.
[[nodiscard]] std::vector<WeightSet> weight_sets(std::span<const std::string> wanted,
                                                 std::span<const std::string> tensors, const Wrappings& wrappings);

/// Names of the float parameters that have no values yet.
[[nodiscard]] std::vector<std::string> unbound_names(const Graph& graph);

}  // namespace shiftnorm::graph
