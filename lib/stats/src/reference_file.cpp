#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "facts.hpp"
#include "layer_arrays.hpp"
#include "reference_sums.hpp"
#include "shiftnorm/container/json.hpp"
#include "shiftnorm/container/safetensors.hpp"
#include "shiftnorm/core/error.hpp"
#include "shiftnorm/core/text.hpp"
#include "shiftnorm/stats/reference.hpp"

namespace shiftnorm::stats {
namespace {

constexpr std::string_view kKey = "reference_schema", kSchema = "1", kOutputs = "outputs", kCounts = "counts",
                           kPivot = ".pivot";
/// 2^exponent is a deviation of floats.
constexpr std::int64_t kMostExponent = 200;

using Named = std::vector<std::pair<std::string, Array>>;

void require(bool holds, const std::string& message) {
  if (!holds) throw FormatError(message);
}

std::vector<std::string> read_classes(const Metadata& metadata) {
  const auto found = metadata.find("classes");
  require(found != metadata.end(), "classes are missing; expected their names");
  const container::Json json = container::parse_json(found->second);
  std::vector<std::string> classes;
  for (const container::Json& name : json.as_array()) classes.push_back(name.as_string());
  require(!classes.empty(), "no class; expected their names");
  std::vector<std::string> sorted = classes;
  std::ranges::sort(sorted);
  require(std::ranges::adjacent_find(sorted) == sorted.end(), "two classes of one name");
  return classes;
}

bool truth_of(const Metadata& metadata, const std::string& key) {
  const auto found = metadata.find(key);
  require(found != metadata.end() && (found->second == "true" || found->second == "false"),
          fmt::format("{} is missing; expected true or false", key));
  return found->second == "true";
}

ReferenceLayer read_layer(const std::string& name, std::int64_t groups, Arrays& arrays) {
  LayerReader reader(name, arrays);
  const Shape shape = reader.shape("pivot");
  require(shape.rank() == 1 && shape[0] >= 1,
          fmt::format("'{}.pivot' has shape {}; expected [channels]", printable(name), shape.text()));
  ReferenceLayer layer;
  layer.name = name;
  layer.pivot = reader.floats("pivot", shape);
  for (const std::int64_t exponent : reader.integers("exponent", shape, kMostExponent))
    layer.exponent.push_back(static_cast<std::int32_t>(exponent));
  layer.mean = reader.integers("mean", Shape{groups, shape[0]}, kMostSummed);
  layer.square = reader.integers("square", Shape{groups, shape[0]}, kMostSummed);
  require(std::ranges::all_of(layer.square, [](std::int64_t v) { return v >= 0; }),
          fmt::format("'{}.square' holds a negative number", printable(name)));
  return layer;
}

}  // namespace

std::vector<std::byte> write_reference(const Reference& reference) {
  Metadata metadata{{std::string(kKey), std::string(kSchema)},
                    {"classes", container::write_json(container::texts_json(reference.classes))},
                    {"findings", reference.findings ? "true" : "false"},
                    {"labelled", reference.labelled ? "true" : "false"}};
  write_facts(reference, metadata);
  Named arrays;
  const auto groups = static_cast<std::int64_t>(reference.groups()),
             classes = static_cast<std::int64_t>(reference.classes.size());
  arrays.emplace_back(kCounts, Array::from_int64(Shape{groups}, reference.counts));
  arrays.emplace_back(kOutputs, Array::from_int64(Shape{groups, classes}, reference.outputs));
  for (const ReferenceLayer& layer : reference.layers) {
    const auto channels = static_cast<std::int64_t>(layer.channels());
    const std::vector<std::int64_t> exponents(layer.exponent.begin(), layer.exponent.end());
    arrays.emplace_back(layer.name + std::string(kPivot), Array::from_floats(Shape{channels}, layer.pivot));
    arrays.emplace_back(layer.name + ".exponent", Array::from_int64(Shape{channels}, exponents));
    arrays.emplace_back(layer.name + ".mean", Array::from_int64(Shape{groups, channels}, layer.mean));
    arrays.emplace_back(layer.name + ".square", Array::from_int64(Shape{groups, channels}, layer.square));
  }
  return container::write_safetensors(arrays, metadata);
}

bool is_reference(std::span<const std::byte> bytes) {
  try {
    return container::index_safetensors(bytes).metadata.contains(std::string(kKey));
  } catch (const Error&) {
    return false;
  }
}

Reference read_reference(std::span<const std::byte> bytes) {
  const container::SafetensorsIndex index = container::index_safetensors(bytes);
  const auto schema = index.metadata.find(std::string(kKey));
  require(schema != index.metadata.end(), "no reference_schema in its metadata; expected a reference (.bnref)");
  require(schema->second == kSchema,
          fmt::format("reference_schema '{}'; expected {}", printable(schema->second), kSchema));
  Reference out;
  read_facts(index.metadata, out);
  out.findings = truth_of(index.metadata, "findings");
  out.labelled = truth_of(index.metadata, "labelled");
  out.classes = read_classes(index.metadata);
  const auto classes = static_cast<std::int64_t>(out.classes.size()), groups = classes * (out.findings ? 2 : 1);
  Arrays arrays;
  std::vector<std::string> names;
  for (const container::SafetensorsEntry& entry : index.entries) {
    arrays.emplace(entry.name, container::read_entry(bytes, entry));
    if (entry.name.ends_with(kPivot) && entry.name.size() > kPivot.size())
      names.push_back(entry.name.substr(0, entry.name.size() - kPivot.size()));
  }
  const auto counted = [&](std::string_view name, const Shape& shape) {
    const auto found = arrays.find(std::string(name));
    require(found != arrays.end() && found->second.dtype() == DType::i64 && found->second.shape() == shape,
            fmt::format("'{}' is missing or of another shape; expected {} of whole numbers", name, shape.text()));
    std::vector<std::int64_t> values = found->second.to_int64();
    arrays.erase(found);
    require(std::ranges::all_of(values, [](std::int64_t v) { return v >= 0 && v <= kMostSummed; }),
            fmt::format("'{}' holds a number out of range", name));
    return values;
  };
  out.counts = counted(kCounts, Shape{groups});
  out.outputs = counted(kOutputs, Shape{groups, classes});
  // In thousandths of an image: each share was rounded.
  double count = 0;
  for (std::size_t g = 0; g < out.groups(); ++g) count += out.images_of(g);
  const double expected = static_cast<double>(out.images) * (out.findings ? static_cast<double>(classes) : 1.0);
  require(out.images > 0 && count > 0 && count <= expected * 1.001,
          fmt::format("counts of {:.1f} images in a reference of {}", count, out.images));
  require(!names.empty(), "no layer; expected arrays such as 'bn1.mean'");
  for (const std::string& name : names) out.layers.push_back(read_layer(name, groups, arrays));
  require(arrays.empty(), arrays.empty()
                              ? std::string()
                              : fmt::format("array '{}' belongs to no layer", printable(arrays.begin()->first)));
  return out;
}

}  // namespace shiftnorm::stats
