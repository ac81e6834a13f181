#include "shiftnorm/stats/statistics_file.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <utility>

#include "facts.hpp"
#include "layer_arrays.hpp"
#include "shiftnorm/container/safetensors.hpp"
#include "shiftnorm/core/error.hpp"
#include "shiftnorm/core/text.hpp"
#include "statistics_method.hpp"

namespace shiftnorm::stats {
namespace {

constexpr std::string_view kSchema = "1";

constexpr std::string_view kOrder = "its result depends on the order of all batches";
constexpr Method kMethods[] = {
    {"layerwise", "population", Pooling::values,
     "each layer was measured behind statistics of these images alone; measure all images in one run"},
    {"source", "population", Pooling::values, {}},
    {"batch", "population", Pooling::values, {}},
    {"batch", "batch-mean", Pooling::batches, {}},
    {"batch", "ema", Pooling::none, kOrder},
    {"batch", "ema-reset", Pooling::none, kOrder},
    {"batch", "dua", Pooling::none, kOrder},
};

/// The texts of `__metadata__`; absent and empty are the same.
struct TextField {
  std::string_view key;
  std::string StatisticsFile::*member;
};
constexpr TextField kTexts[] = {
    {"semantics", &StatisticsFile::semantics},
    {"estimator", &StatisticsFile::estimator},
    {"shuffle", &StatisticsFile::shuffle},
    {"job", &StatisticsFile::job},
};

constexpr std::string_view kMean = ".mean";  ///< every layer has this array

using Named = std::vector<std::pair<std::string, Array>>;

Array digits_array(const std::vector<ExactSum>& sums) {
  std::vector<std::int64_t> digits;
  for (const ExactSum& sum : sums) {
    const auto own = sum.digits();
    digits.insert(digits.end(), own.begin(), own.end());
  }
  return Array::from_int64(Shape{static_cast<std::int64_t>(sums.size()), ExactSum::kDigits}, digits);
}

Array products_array(const Spread& spread) {
  std::vector<std::int64_t> digits;
  for (const auto& channel : spread.products())
    for (const ExactSum& sum : channel) {
      const auto own = sum.digits();
      digits.insert(digits.end(), own.begin(), own.end());
    }
  return Array::from_int64(Shape{static_cast<std::int64_t>(spread.channels()), 3, ExactSum::kDigits}, digits);
}

Array one(std::int64_t value) { return Array::from_int64(Shape{1}, std::span<const std::int64_t>(&value, 1)); }

/// Squares of squares may leave the range of a sum where the squares do not.
bool usable(const Spread& spread) {
  return spread.channels() > 0 && std::ranges::all_of(spread.products(), [](const auto& channel) {
           return std::ranges::all_of(channel, [](const ExactSum& sum) { return sum.valid(); });
         });
}

void write_layer(const LayerStatistics& layer, Named& out) {
  const auto finite = [](double v) { return std::isfinite(v); };
  if (!std::ranges::all_of(layer.mean, finite) || !std::ranges::all_of(layer.variance, finite) ||
      layer.sums.invalid_channel() >= 0)
    throw FormatError(fmt::format("layer '{}': its statistics are not finite numbers", layer.name));
  const Shape shape{static_cast<std::int64_t>(layer.mean.size())};
  if (layer.sums.channels() > 0) {
    out.emplace_back(layer.name + ".sum", digits_array(layer.sums.sums()));
    out.emplace_back(layer.name + ".square", digits_array(layer.sums.squares()));
    out.emplace_back(layer.name + ".pivot", Array::from_floats(shape, layer.sums.pivot()));
    if (usable(layer.spread)) {
      out.emplace_back(layer.name + ".spread", products_array(layer.spread));
      out.emplace_back(layer.name + ".units", one(layer.spread.units()));
    }
  }
  out.emplace_back(layer.name + ".mean", Array::from_doubles(shape, layer.mean));
  out.emplace_back(layer.name + ".variance", Array::from_doubles(shape, layer.variance));
  out.emplace_back(layer.name + ".values", one(layer.values));
  out.emplace_back(layer.name + ".images", one(layer.images));
  out.emplace_back(layer.name + ".batches", one(layer.batches));
}

/// Mean and variance are in the file for people; a file where they contradict the sums was tampered with.
void check_agreement(const LayerStatistics& written, const LayerStatistics& summed) {
  for (std::size_t c = 0; c < written.mean.size(); ++c) {
    // 1e-9: both were rounded once from the same sums; another machine's long double may be a double.
    const double spread = std::sqrt(summed.variance[c]) + std::abs(summed.mean[c]);
    if (!(std::abs(written.mean[c] - summed.mean[c]) <= 1e-9 * spread) ||
        !(std::abs(written.variance[c] - summed.variance[c]) <= 1e-9 * spread * spread))
      throw FormatError(
          fmt::format("layer '{}': mean and variance of channel {} contradict the sums", printable(written.name), c));
  }
}

LayerStatistics read_layer(const std::string& name, Pooling pooling, Arrays& arrays) {
  LayerReader reader(name, arrays);
  LayerStatistics layer;
  layer.name = name;
  const auto found = arrays.find(name + ".mean");
  if (found->second.shape().rank() != 1 || found->second.shape()[0] < 1)
    throw FormatError(
        fmt::format("'{}.mean' has shape {}; expected [channels]", printable(name), found->second.shape().text()));
  const Shape shape = found->second.shape();
  layer.mean = reader.doubles("mean", shape);
  layer.variance = reader.doubles("variance", shape);
  if (std::ranges::any_of(layer.variance, [](double v) { return v < 0; }))
    throw FormatError(fmt::format("'{}.variance' holds a negative number", printable(name)));
  layer.values = reader.count("values");
  layer.images = reader.count("images");
  layer.batches = reader.count("batches");
  const bool measured = layer.values > 0;
  if (measured ? layer.images < 1 || layer.batches < 1 || layer.batches > layer.images || layer.images > layer.values
               : layer.images > 0 || layer.batches > 0)
    throw FormatError(
        fmt::format("layer '{}': {} values of {} images in {} batches; expected batches <= images <= values, or zeros",
                    printable(name), layer.values, layer.images, layer.batches));
  if (!measured || pooling == Pooling::none) return layer;

  std::vector<ExactSum> sum = reader.sums("sum", shape[0]), square = reader.sums("square", shape[0]);
  std::vector<float> pivot = reader.floats("pivot", shape);
  if (reader.has("spread")) {
    const std::vector<ExactSum> flat = reader.sums("spread", Shape{shape[0], 3, ExactSum::kDigits});
    std::vector<std::array<ExactSum, 3>> products(flat.size() / 3);
    for (std::size_t i = 0; i < flat.size(); ++i) products[i / 3][i % 3] = flat[i];
    layer.spread = {std::move(products), reader.count("units")};
  }
  const LayerStatistics written = layer;
  layer.sums = {std::move(pivot), std::move(sum), std::move(square), layer.values, layer.images};
  estimate(pooling, layer);
  check_agreement(written, layer);
  return layer;
}

void read_metadata(const std::map<std::string, std::string>& metadata, StatisticsFile& file) {
  const auto schema = metadata.find("schema");
  if (schema == metadata.end()) throw FormatError("no schema in its metadata; expected a statistics file");
  if (schema->second != kSchema)
    throw FormatError(fmt::format("schema '{}'; expected {}", printable(schema->second), kSchema));
  for (const TextField& field : kTexts)
    if (const auto found = metadata.find(std::string(field.key)); found != metadata.end())
      file.*field.member = found->second;
  read_facts(metadata, file);
  file.batch = metadata.contains("batch") ? parse_count(metadata, "batch") : 0;
  if ((file.semantics == "batch") != (file.batch > 0))
    throw FormatError(fmt::format("semantics '{}' with batches of {} images", printable(file.semantics), file.batch));
}

}  // namespace

const Method& method_of(std::string_view semantics, std::string_view estimator) {
  for (const Method& method : kMethods)
    if (method.semantics == semantics && method.estimator == estimator) return method;
  throw FormatError(fmt::format("semantics '{}' with estimator '{}'; expected a combination that measures",
                                printable(semantics), printable(estimator)));
}

Pooling pooling_of(std::string_view semantics, std::string_view estimator) {
  return method_of(semantics, estimator).pooling;
}

std::vector<std::byte> write_statistics(const StatisticsFile& file) {
  std::map<std::string, std::string> metadata{{"schema", std::string(kSchema)}};
  write_facts(file, metadata);
  for (const TextField& field : kTexts)
    if (!(file.*field.member).empty()) metadata.emplace(field.key, file.*field.member);
  if (file.batch > 0) metadata.emplace("batch", std::to_string(file.batch));
  Named arrays;
  for (const LayerStatistics& layer : file.layers) write_layer(layer, arrays);
  return container::write_safetensors(arrays, metadata);
}

StatisticsFile read_statistics(std::span<const std::byte> bytes) {
  const container::SafetensorsIndex index = container::index_safetensors(bytes);
  StatisticsFile file;
  read_metadata(index.metadata, file);
  const Pooling pooling = pooling_of(file.semantics, file.estimator);
  Arrays arrays;
  std::vector<std::string> names;
  for (const container::SafetensorsEntry& entry : index.entries) {
    arrays.emplace(entry.name, container::read_entry(bytes, entry));
    if (entry.name.ends_with(kMean) && entry.name.size() > kMean.size())
      names.push_back(entry.name.substr(0, entry.name.size() - kMean.size()));
  }
  if (names.empty()) throw FormatError("no layer; expected arrays such as 'bn1.mean'");
  for (const std::string& name : names) {
    file.layers.push_back(read_layer(name, pooling, arrays));
    const LayerStatistics& layer = file.layers.back();
    if (layer.images != 0 && layer.images != file.images)
      throw FormatError(fmt::format("layer '{}' was measured on {} images; expected {}, as the file was",
                                    printable(name), layer.images, file.images));
  }
  if (!arrays.empty())
    throw FormatError(fmt::format("array '{}' belongs to no layer", printable(arrays.begin()->first)));
  return file;
}

}  // namespace shiftnorm::stats
