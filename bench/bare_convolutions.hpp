#pragma once

#include "shiftnorm/graph/graph.hpp"

namespace shiftnorm::bench {

/// The convolutions of a graph and nothing else, as oneDNN's own primitives in the layouts that oneDNN chooses itself
/// (format_tag::any), one image per thread: the rate that this library allows on this machine.
class BareConvolutions {
 public:
  BareConvolutions(const graph::Graph& graph, int threads);
  ~BareConvolutions();
  /// Runs `images` images over the threads and returns images per second.
  [[nodiscard]] double rate(std::size_t images);
  [[nodiscard]] double flops_per_image() const;

 private:
  struct State;
  State* state_;
};

}  // namespace shiftnorm::bench
