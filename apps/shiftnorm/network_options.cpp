#include "network_options.hpp"

#include <fmt/format.h>

namespace shiftnorm::app {
namespace {

constexpr OptionSpec kNetwork[] = {
    {"arch", "NAME",
     "architecture, for files that hold weights only (export: by default the one that the statistics name)"},
    {"graph", "FILE", "file that describes the architecture instead: an ONNX model, or Keras' JSON"},
    {"weights", "PREFIX",
     "which of several sets of weights in the file: its name, or the prefix of its tensors' names"},
    {"allow-unused", "PATTERN",
     "tensors of the file that the network does not use and need not, e.g. 'projector.*'; may be repeated", true},
};

}  // namespace

std::span<const OptionSpec> network_options() { return kNetwork; }

toolkit::NetworkSource network_of(const Options& options, const std::string& absent, const std::string& weights) {
  if (options.has("arch") && options.has("graph"))
    throw ConfigError("--graph: describes the network, and so does --arch; expected one of them");
  toolkit::NetworkSource source;
  if (options.has("graph"))
    source.graph = options.text("graph");
  else
    source.architecture = options.text("arch", absent);
  source.weights = options.text("weights", weights);
  source.allow_unused = options.texts("allow-unused");
  return source;
}

std::string conversion(const toolkit::Exported& exported) {
  return exported.converted.empty() ? std::string() : fmt::format(", converted {}", exported.converted);
}

}  // namespace shiftnorm::app
