#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "shiftnorm/formats/checkpoint.hpp"
#include "shiftnorm/graph/bind.hpp"
#include "shiftnorm/zoo/zoo.hpp"
#include "weight_choice.hpp"

namespace shiftnorm::toolkit {

/// An architecture with a file's weights.
struct BoundNetwork {
  graph::Graph graph;
  graph::Binding binding;
  WeightChoice choice;
  zoo::BuildReport report;
  bool statistics = true;  ///< false: the file holds no running statistics; the graph's are NaN
};

/// One of zoo as the file's tensors want it; `side`: height and width of the images, absent: its own.
/// Errors  FormatError if the file does not fit, or holds tensors that are left over; as choose_weights.
[[nodiscard]] BoundNetwork bind_zoo(const formats::Checkpoint& checkpoint, const zoo::Architecture& known,
                                    std::span<const std::string> allow_unused,
                                    const std::optional<Shape>& image = std::nullopt);

/// A network that a file describes, whose own values `otherwise` are. Fills `graph`. Errors  the same.
[[nodiscard]] graph::Binding bind_description(graph::Graph& graph, const formats::Checkpoint& checkpoint,
                                              const std::vector<formats::NamedTensor>& otherwise,
                                              std::span<const std::string> allow_unused, WeightChoice& choice);

[[nodiscard]] bool batch_norm_tensor(std::string_view name);

}  // namespace shiftnorm::toolkit
