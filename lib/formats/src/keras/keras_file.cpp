#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <optional>

#include "../readers.hpp"
#include "lowering.hpp"
#include "shiftnorm/container/zip.hpp"
#include "shiftnorm/core/error.hpp"
#include "shiftnorm/core/file.hpp"
#include "shiftnorm/core/text.hpp"

// Source: keras/engine/saving.py and topology.py of Keras 1 and 2; keras/src/saving/saving_lib.py of Keras 3.
namespace shiftnorm::formats {
namespace {

using namespace keras;
using container::Hdf5;
using container::Json;
using container::ZipMember;

constexpr std::string_view kConfig = "config.json", kMetadata = "metadata.json", kWeights = "model.weights.h5";
constexpr std::uint64_t kMaxJson = std::uint64_t{1} << 26U;
// Weights hardly shrink when they are compressed; what HDF5 leaves empty between them does.
constexpr std::uint64_t kMaxInflation = 4, kMaxInflationExtra = std::uint64_t{16} << 20U;

std::optional<std::string> text_of(const Hdf5& hdf5, std::uint64_t object, std::string_view attribute) {
  const auto texts = hdf5.texts(object, attribute);
  return texts && !texts->empty() ? std::optional(texts->front()) : std::nullopt;
}

std::optional<std::uint64_t> child(const Hdf5& hdf5, std::string_view name) {
  for (const container::Hdf5Link& link : hdf5.links(hdf5.root()))
    if (link.name == name) return link.target;
  return std::nullopt;
}

std::vector<Roles> roles_of(const keras::Architecture& architecture) {
  std::vector<Roles> roles;
  for (const Layer& layer : architecture.layers) {
    try {
      roles.push_back(layer.class_name == "InputLayer" ? Roles{}
                                                       : layer_class(layer.class_name).roles(layer.settings()));
    } catch (const Error&) {
      rethrow_at(fmt::format("layer '{}' ({})", printable(layer.name), printable(layer.class_name)));
    }
  }
  return roles;
}

/// What to_json() or a file says of itself.
struct Source {
  Json json;
  std::string version, backend;
};

/// Everything a graph is made from, kept for inputs of other sizes.
struct Model {
  explicit Model(Source source)
      : from(std::move(source)),
        architecture(keras::read_architecture(from.json)),
        version(Version::parse(from.version)) {}
  Model(const Model&) = delete;  // the architecture points into the JSON
  Model& operator=(const Model&) = delete;

  [[nodiscard]] Lowering lowering() const { return {architecture, weights, version, from.backend}; }

  Source from;
  keras::Architecture architecture;
  Version version;
  Weights weights;
};

Contents restore(const WeightsFile& file, const std::string& group, Source from) {
  const auto model = std::make_shared<Model>(std::move(from));
  const std::vector<Roles> roles = roles_of(model->architecture);
  const std::optional<std::uint64_t> weights = group.empty() ? file.hdf5->root() : child(*file.hdf5, group);
  if (!weights) throw FormatError(fmt::format("there is no '{}'", group));
  model->weights = has_layer_names(*file.hdf5, *weights) ? bind_by_layer_names(file, group, model->architecture, roles)
                                                         : bind_by_place(file, model->architecture, roles);
  Contents contents;
  const Ints input = model->lowering().open_input();
  contents.layout = model->lowering().own_layout();
  contents.open_input.assign(input.begin(), input.end());
  if (std::find(input.begin(), input.end(), 0) == input.end()) {
    contents.graph = model->lowering().run();
    contents.tensors = std::move(model->weights.tensors);
    return contents;
  }
  contents.build = [model](const Shape& image) { return model->lowering().run(image); };
  with_common_sizes({{}, input, 1}, [&contents](const Shape& image) {
    static_cast<void>(contents.build(image));
    contents.input = image;
  });
  contents.tensors = model->weights.tensors;
  return contents;
}

constexpr std::string_view kModelWeights = "model_weights";

std::string attribute_of(const Hdf5& hdf5, std::string_view name) {
  if (auto text = text_of(hdf5, hdf5.root(), name)) return *text;
  const std::optional<std::uint64_t> weights = child(hdf5, kModelWeights);
  return weights ? text_of(hdf5, *weights, name).value_or("") : "";
}

std::string or_else(std::string text, std::string_view other) {
  if (text.empty()) return std::string(other);
  return text;
}

const ZipMember* member_named(const std::vector<ZipMember>& members, std::string_view name) {
  const auto at =
      std::find_if(members.begin(), members.end(), [name](const ZipMember& member) { return member.name == name; });
  return at == members.end() ? nullptr : &*at;
}

Json json_member(std::span<const std::byte> file, const std::vector<ZipMember>& members, std::string_view name) {
  const ZipMember* member = member_named(members, name);
  if (member == nullptr) throw FormatError(fmt::format("a Keras archive without '{}'", name));
  const std::vector<std::byte> bytes = container::read_member(file, *member, kMaxJson);
  try {
    return container::parse_json(as_text(bytes));
  } catch (const Error&) {
    rethrow_at(name);
  }
}

std::string text_in(const Json& json, std::string_view key) {
  const Json* value = json.find(key);
  return value != nullptr && value->is_string() ? value->as_string() : std::string();
}

void check_values(const Checkpoint& checkpoint, const Patch& patch) {
  const bool finite = std::all_of(patch.values.begin(), patch.values.end(), [](double v) { return std::isfinite(v); });
  const auto is_variance = [&](const graph::Node& node) {
    return node.op == "BatchNormalization" && checkpoint.graph->value(node.inputs.at(4)).name == patch.name;
  };
  const bool variance =
      checkpoint.graph && std::any_of(checkpoint.graph->nodes().begin(), checkpoint.graph->nodes().end(), is_variance);
  const bool negative =
      variance && std::any_of(patch.values.begin(), patch.values.end(), [](double v) { return v < 0; });
  if (!finite || negative)
    throw FormatError(fmt::format("{}: '{}': given {}; expected finite numbers{}", printable(checkpoint.file_name),
                                  printable(patch.name), finite ? "a negative variance" : "a value that is not finite",
                                  variance ? " of 0 or more" : ""));
}

/// Rounded to the type of the dataset.
Array new_values(const NamedTensor& tensor, const Patch& patch) {
  const Shape& shape = tensor.values.shape();
  if (static_cast<std::int64_t>(patch.values.size()) != shape.elements())
    throw ShapeError(fmt::format("tensor '{}': given {} values; expected {} of shape {}", printable(patch.name),
                                 patch.values.size(), shape.elements(), shape.text()));
  std::vector<std::byte> bytes(patch.values.size() * size_of(tensor.values.dtype()));
  encode_floats(patch.values, tensor.values.dtype(), bytes);
  return {tensor.values.dtype(), shape, std::move(bytes)};
}

/// The member keeps its length, so that nothing else of the archive moves.
std::vector<std::byte> with_changes_in_archive(std::vector<std::byte> archive,
                                               std::span<const container::Hdf5Change> changes) {
  const std::vector<ZipMember> members = container::index_zip(archive);
  const ZipMember& member = *member_named(members, kWeights);
  const auto begin = archive.begin() + static_cast<std::ptrdiff_t>(member.data_offset);
  const std::vector<std::byte> changed =
      container::with_changes({begin, begin + static_cast<std::ptrdiff_t>(member.size)}, changes, false);
  std::copy(changed.begin(), changed.end(), begin);
  write_member_crc(archive, member, container::crc32(changed));
  return archive;
}

}  // namespace

bool is_keras_archive(std::span<const std::byte> file) {
  try {
    const std::vector<ZipMember> members = container::index_zip(file);
    return member_named(members, kConfig) != nullptr && member_named(members, kMetadata) != nullptr;
  } catch (const Error&) {
    return false;  // for the reader of archives to report
  }
}

Contents read_keras_h5(std::span<const std::byte> file, const Neighbours& /*neighbours*/) {
  const Hdf5 hdf5(file);
  const WeightsFile weights{&hdf5};
  const bool nested = child(hdf5, kModelWeights).has_value();
  const std::optional<std::string> config = text_of(hdf5, hdf5.root(), "model_config");
  if (config) {
    Source from;
    try {
      from.json = container::parse_json(*config);
    } catch (const Error&) {
      rethrow_at("model_config");
    }
    from.version = attribute_of(hdf5, "keras_version");
    from.backend = or_else(attribute_of(hdf5, "backend"), "tensorflow");
    return restore(weights, nested ? std::string(kModelWeights) : "", std::move(from));
  }
  Contents contents;
  if (has_layer_names(hdf5, hdf5.root()))
    contents.tensors = listed_weights(weights, "");
  else if (!child(hdf5, "layers") && !child(hdf5, "_layer_checkpoint_dependencies"))
    throw FormatError("is an HDF5 file without a Keras model; expected what model.save() or save_weights() writes");
  return contents;
}

Contents read_keras_weights(std::span<const std::byte> file, const Json& architecture) {
  const Hdf5 hdf5(file);
  const bool nested = child(hdf5, kModelWeights).has_value();
  Source from;
  from.json = architecture;
  from.version = or_else(attribute_of(hdf5, "keras_version"), text_in(architecture, "keras_version"));
  // Keras 3 writes no version into to_json(), but names the module of every class.
  if (from.version.empty()) from.version = architecture.find("module") != nullptr ? "3" : "1";
  from.backend = or_else(or_else(attribute_of(hdf5, "backend"), text_in(architecture, "backend")), "tensorflow");
  return restore({&hdf5}, nested ? std::string(kModelWeights) : "", std::move(from));
}

Contents read_keras_archive(std::span<const std::byte> file, const Neighbours& /*neighbours*/) {
  const std::vector<ZipMember> members = container::index_zip(file);
  const ZipMember* stored = member_named(members, kWeights);
  if (stored == nullptr)
    throw UnsupportedError(
        fmt::format("a Keras archive without '{}' (weights as .npz or in parts?); save it as one "
                    "file with HDF5 weights",
                    kWeights));
  Source from;
  from.json = json_member(file, members, kConfig);
  from.version = text_in(json_member(file, members, kMetadata), "keras_version");
  from.backend = "tensorflow";
  std::vector<std::byte> inflated;
  std::span<const std::byte> bytes;
  if (stored->stored) {
    bytes = file.subspan(stored->data_offset, stored->size);
    if (const std::uint32_t found = container::crc32(bytes); found != stored->crc)
      throw FormatError(
          fmt::format("'{}' has CRC {:08x}; expected {:08x}: the file is damaged", kWeights, found, stored->crc));
  } else {
    inflated = container::read_member(file, *stored, kMaxInflation * file.size() + kMaxInflationExtra);
    bytes = inflated;
  }
  try {
    const Hdf5 hdf5(bytes);
    return restore({&hdf5, stored->data_offset, stored->stored}, "", std::move(from));
  } catch (const Error&) {
    rethrow_at(kWeights);
  }
}

std::vector<OutputFile> write_keras(const Checkpoint& checkpoint, std::span<const Patch> patches,
                                    const std::string& file_name) {
  std::vector<Patch> in_place;
  std::vector<container::Hdf5Change> in_chunks;
  for (const Patch& patch : patches) {
    check_values(checkpoint, patch);
    const NamedTensor* tensor = checkpoint.find(patch.name);
    if (tensor != nullptr && tensor->in_chunks)
      in_chunks.push_back({*tensor->in_chunks, new_values(*tensor, patch)});
    else
      in_place.push_back(patch);
  }
  std::vector<std::byte> bytes = patched(checkpoint, in_place);
  if (!in_chunks.empty()) {
    try {
      bytes = checkpoint.format == "keras" ? with_changes_in_archive(std::move(bytes), in_chunks)
                                           : container::with_changes(std::move(bytes), in_chunks, true);
    } catch (const Error&) {
      rethrow_at(printable(checkpoint.file_name));
    }
  }
  return {{file_name, std::move(bytes)}};
}

}  // namespace shiftnorm::formats
