#include "shiftnorm/formats/checkpoint.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>

#include "recognise.hpp"
#include "shiftnorm/core/error.hpp"
#include "shiftnorm/core/file.hpp"
#include "shiftnorm/core/hash.hpp"
#include "shiftnorm/core/text.hpp"

namespace shiftnorm::formats {

const NamedTensor* Checkpoint::find(std::string_view name) const {
  const auto at = std::find_if(tensors.begin(), tensors.end(), [name](const NamedTensor& t) { return t.name == name; });
  return at == tensors.end() ? nullptr : &*at;
}

std::vector<std::byte> Neighbours::read(std::string_view name) const {
  const std::filesystem::path file(name);
  if (name.empty() || name.find('\0') != std::string_view::npos || file.has_root_path() || file.has_parent_path() ||
      name == "." || name == "..")
    throw UnsupportedError(
        fmt::format("refers to '{}'; expected the name of a file in its own folder", printable(name)));
  if (!folder) throw FormatError(fmt::format("refers to '{}' beside it, and its folder is not known", printable(name)));
  // A link could lead anywhere; a device could be read for ever.
  if (!std::filesystem::is_regular_file(std::filesystem::symlink_status(*folder / file)))
    throw FormatError(fmt::format("refers to '{}'; expected a regular file of that name beside it", printable(name)));
  return read_file(*folder / file);
}

namespace {

using Bytes = std::span<const std::byte>;

std::vector<std::byte> read_checkpoint_file(const std::filesystem::path& path) {
  try {
    refuse_folder(path);
  } catch (const Error&) {
    rethrow_at(printable((path.has_filename() ? path : path.parent_path()).filename().string()));
  }
  return read_file(path);
}

constexpr std::uint64_t kMaxArchitecture = std::uint64_t{1} << 26U;
constexpr std::size_t kShownSets = 8;

container::Json read_json(const std::filesystem::path& path) {
  const std::vector<std::byte> bytes = read_file(path, kMaxArchitecture);
  try {
    return container::parse_json(as_text(bytes));
  } catch (const Error&) {
    rethrow_at(printable(path.filename().string()));
  }
}

std::string quoted(const std::string& path) { return path.empty() ? "the top" : "'" + printable(path) + "'"; }

/// What was chosen of several sets.
std::string text_of(const WeightSets& sets) {
  std::vector<std::string> others;
  for (const std::string& path : sets.others) others.push_back(quoted(path));
  return fmt::format("of several sets of weights in the file, {} is used, not {} (--weights selects another)",
                     quoted(sets.chosen), join(others, kShownSets));
}

template <class Read>
Checkpoint parse(std::vector<std::byte> bytes, std::string file_name, const Read& read) {
  try {
    const Format& format = recognise(bytes);
    Contents contents = read(format, bytes);
    Checkpoint checkpoint;
    checkpoint.format = format.name;
    checkpoint.sha256 = sha256_hex(bytes);
    checkpoint.tensors = std::move(contents.tensors);
    checkpoint.graph = std::move(contents.graph);
    checkpoint.dynamic_shape = std::move(contents.dynamic_shape);
    checkpoint.companions = std::move(contents.companions);
    checkpoint.build = std::move(contents.build);
    checkpoint.no_graph = std::move(contents.no_graph);
    checkpoint.norms = std::move(contents.norms);
    checkpoint.modules = std::move(contents.modules);
    checkpoint.chains = std::move(contents.chains);
    checkpoint.sets = std::move(contents.sets);
    checkpoint.weights = std::move(contents.weights);
    checkpoint.unread = std::move(contents.unread);
    checkpoint.opaque = std::move(contents.opaque);
    if (!checkpoint.sets.others.empty()) checkpoint.assumptions.push_back(text_of(checkpoint.sets));
    checkpoint.layout = std::move(contents.layout);
    checkpoint.open_input = std::move(contents.open_input);
    checkpoint.in_training = std::move(contents.in_training);
    if (checkpoint.build) checkpoint.graph = graph_for(checkpoint, contents.input);
    checkpoint.bytes = std::move(bytes);
    checkpoint.file_name = std::move(file_name);
    return checkpoint;
  } catch (const Error&) {
    rethrow_at(printable(file_name));
  }
}

Contents read(const Format& format, Bytes bytes, std::optional<std::filesystem::path> folder,
              const ReadOptions& options) {
  Contents contents = format.read(bytes, {std::move(folder), options.weights});
  if (!format.several_sets) contents.weights = options.weights;
  return contents;
}

}  // namespace

Description describes_nothing(std::span<const std::byte> /*file*/, const Neighbours&) {
  throw UnsupportedError(
      "does not describe a network; expected an ONNX model, or for Keras' weights the JSON of model.to_json()");
}

Architecture read_architecture(const std::filesystem::path& path) {
  const std::filesystem::path folder = path.has_parent_path() ? path.parent_path() : std::filesystem::path(".");
  const std::vector<std::byte> bytes = read_checkpoint_file(path);
  try {
    const Format& format = recognise(bytes);
    Description description = format.describe(bytes, {folder});
    return {std::string(format.name), path.filename().string(), std::move(description.network),
            std::move(description.values)};
  } catch (const Error&) {
    rethrow_at(printable(path.filename().string()));
  }
}

graph::Graph graph_for(const Checkpoint& checkpoint, const Shape& input) {
  graph::Graph graph = checkpoint.build(input);
  for (const graph::ValueId id : graph.parameters()) {
    graph::Value& value = graph.value(id);
    if (value.tensor) continue;
    const NamedTensor* tensor = checkpoint.find(value.name);
    if (tensor == nullptr || tensor->values.shape().elements() != value.shape->elements())
      throw FormatError(fmt::format("tensor '{}' {}; expected {} values", printable(value.name),
                                    tensor == nullptr ? "is missing" : "has shape " + tensor->values.shape().text(),
                                    value.shape->elements()));
    if (!is_floating(tensor->values.dtype()))
      throw FormatError(fmt::format("tensor '{}' holds {}; expected floating-point numbers", printable(value.name),
                                    name_of(tensor->values.dtype())));
    // A slope per channel is [C] in the file and [C, 1, 1] in the graph.
    value.tensor = Tensor(*value.shape, tensor->values.to_float());
  }
  return graph;
}

Checkpoint read_checkpoint(const std::filesystem::path& path) { return read_checkpoint(path, ReadOptions{}); }

Checkpoint read_checkpoint(const std::filesystem::path& path, const ReadOptions& options) {
  const std::filesystem::path folder = path.has_parent_path() ? path.parent_path() : std::filesystem::path(".");
  return parse(read_checkpoint_file(path), path.filename().string(),
               [&](const Format& format, Bytes bytes) { return read(format, bytes, folder, options); });
}

Checkpoint read_checkpoint(const std::filesystem::path& path, const std::filesystem::path& architecture) {
  const container::Json json = read_json(architecture);
  return parse(read_checkpoint_file(path), path.filename().string(), [&](const Format& format, Bytes bytes) {
    if (format.read != read_keras_h5)
      throw UnsupportedError(fmt::format(
          "is of format {}, which takes no Keras architecture; expected Keras' weights as HDF5", format.name));
    try {
      return read_keras_weights(bytes, json);
    } catch (const Error&) {
      rethrow_at(fmt::format("as {}", printable(architecture.filename().string())));
    }
  });
}

bool is_keras_architecture(const std::filesystem::path& path) {
  std::ifstream file(path);
  char first = 0;
  return file >> std::ws >> first && first == '{';
}

Checkpoint parse_checkpoint(std::vector<std::byte> bytes, std::string file_name, const ReadOptions& options) {
  return parse(std::move(bytes), std::move(file_name),
               [&options](const Format& format, Bytes file) { return read(format, file, std::nullopt, options); });
}

}  // namespace shiftnorm::formats
