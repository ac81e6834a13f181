#include "shiftnorm/stats/statistics_file.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <set>
#include <unordered_set>
#include <utility>

#include "shiftnorm/container/safetensors.hpp"
#include "shiftnorm/core/error.hpp"
#include "shiftnorm/core/library.hpp"
#include "shiftnorm/core/parse.hpp"
#include "shiftnorm/core/text.hpp"

namespace shiftnorm::stats {
namespace {

constexpr std::string_view kSchema = "1";
constexpr std::int64_t kMostCounted = std::int64_t{1} << 53;

struct Method {
  std::string_view semantics, estimator;
  Pooling pooling;
  std::string_view unmergeable;  ///< why not; empty: it merges
};
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

const Method& method_of(std::string_view semantics, std::string_view estimator) {
  for (const Method& method : kMethods)
    if (method.semantics == semantics && method.estimator == estimator) return method;
  throw FormatError(fmt::format("semantics '{}' with estimator '{}'; expected a combination that measures",
                                printable(semantics), printable(estimator)));
}

/// The texts of `__metadata__`; absent and empty are the same.
struct TextField {
  std::string_view key;
  std::string StatisticsFile::*member;
};
constexpr TextField kTexts[] = {
    {"semantics", &StatisticsFile::semantics},
    {"estimator", &StatisticsFile::estimator},
    {"shuffle", &StatisticsFile::shuffle},
    {"model_sha256", &StatisticsFile::model_sha256},
    {"architecture", &StatisticsFile::architecture},
    {"architecture", &StatisticsFile::architecture},
    {"weights", &StatisticsFile::weights},
    {"preprocess", &StatisticsFile::preprocess},
    {"preprocess_steps", &StatisticsFile::preprocess_steps},
    {"preprocess_sha256", &StatisticsFile::preprocess_sha256},
    {"drawn", &StatisticsFile::drawn},
    {"shift", &StatisticsFile::shift},
    {"job", &StatisticsFile::job},
    {"instruction_set", &StatisticsFile::instruction_set},
    {"program_version", &StatisticsFile::program_version},
    {"libraries", &StatisticsFile::libraries},
};

/// What parts must have in common to be merged.
struct Same {
  std::string_view what;
  std::string StatisticsFile::*member;
};
constexpr Same kSame[] = {
    {"semantics", &StatisticsFile::semantics}, {"estimator", &StatisticsFile::estimator},
    {"model", &StatisticsFile::model_sha256},  {"architecture", &StatisticsFile::architecture},
    {"weights", &StatisticsFile::weights},     {"preprocessing", &StatisticsFile::preprocess_sha256},
    {"shift", &StatisticsFile::shift},         {"instruction set", &StatisticsFile::instruction_set},
};

constexpr std::string_view kMean = ".mean";  ///< every layer has this array

using Named = std::vector<std::pair<std::string, Array>>;
using Arrays = std::map<std::string, Array>;

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

/// The arrays of one layer, each taken out once.
class LayerReader {
 public:
  LayerReader(std::string name, Arrays& arrays) : name_(std::move(name)), arrays_(arrays) {}

  Array take(std::string_view what, DType dtype, const Shape& shape) {
    Array array = take(what, dtype);
    if (array.shape() != shape)
      throw FormatError(
          fmt::format("'{}' has shape {}; expected {}", printable(key(what)), array.shape().text(), shape.text()));
    return array;
  }

  Array take(std::string_view what, DType dtype) {
    const auto found = arrays_.find(key(what));
    if (found == arrays_.end()) throw FormatError(fmt::format("'{}' is missing", printable(key(what))));
    Array array = std::move(found->second);
    arrays_.erase(found);
    if (array.dtype() != dtype)
      throw FormatError(fmt::format("'{}' is {}; expected {}", printable(key(what)), shiftnorm::name_of(array.dtype()),
                                    shiftnorm::name_of(dtype)));
    return array;
  }

  std::vector<double> doubles(std::string_view what, const Shape& shape) {
    std::vector<double> values = take(what, DType::f64, shape).to_double();
    if (!std::ranges::all_of(values, [](double v) { return std::isfinite(v); }))
      throw FormatError(fmt::format("'{}' holds a number that is not finite", printable(key(what))));
    return values;
  }

  std::int64_t count(std::string_view what) {
    const std::int64_t value = take(what, DType::i64, Shape{1}).to_int64()[0];
    if (value < 0 || value > kMostCounted)
      throw FormatError(fmt::format("'{}' is {}; expected a count from 0 to 2^53", printable(key(what)), value));
    return value;
  }

  std::vector<ExactSum> sums(std::string_view what, std::int64_t channels) {
    return sums(what, Shape{channels, ExactSum::kDigits});
  }

  [[nodiscard]] bool has(std::string_view what) const { return arrays_.contains(key(what)); }

  std::vector<ExactSum> sums(std::string_view what, const Shape& shape) {
    const std::vector<std::int64_t> digits = take(what, DType::i64, shape).to_int64();
    std::vector<ExactSum> out;
    for (std::size_t at = 0; at < digits.size(); at += ExactSum::kDigits) {
      std::array<std::int64_t, ExactSum::kDigits> own{};
      std::copy_n(digits.begin() + static_cast<std::ptrdiff_t>(at), own.size(), own.begin());
      try {
        out.push_back(ExactSum::from_digits(own));
      } catch (const Error&) {
        rethrow_at(fmt::format("'{}'", printable(key(what))));
      }
    }
    return out;
  }

 private:
  [[nodiscard]] std::string key(std::string_view what) const { return name_ + "." + std::string(what); }
  std::string name_;
  Arrays& arrays_;
};

/// Mean and variance stand in the file for people; a file where they contradict the sums was tampered with.
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
  std::vector<float> pivot = reader.take("pivot", DType::f32, shape).to_float();
  if (!std::ranges::all_of(pivot, [](float v) { return std::isfinite(v); }))
    throw FormatError(fmt::format("'{}.pivot' holds a number that is not finite", printable(name)));
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

std::int64_t parse_count(const std::map<std::string, std::string>& metadata, const std::string& key) {
  const auto found = metadata.find(key);
  const std::string text = found == metadata.end() ? std::string() : found->second;
  std::int64_t value = 0;
  if (!parse_whole(text, value) || value < 0 || value > kMostCounted)
    throw FormatError(fmt::format("{} = '{}'; expected a count", key, printable(text)));
  return value;
}

void read_metadata(const std::map<std::string, std::string>& metadata, StatisticsFile& file) {
  const auto schema = metadata.find("schema");
  if (schema == metadata.end()) throw FormatError("no schema in its metadata; expected a statistics file");
  if (schema->second != kSchema)
    throw FormatError(fmt::format("schema '{}'; expected {}", printable(schema->second), kSchema));
  for (const TextField& field : kTexts)
    if (const auto found = metadata.find(std::string(field.key)); found != metadata.end())
      file.*field.member = found->second;
  file.images = parse_count(metadata, "images");
  if (metadata.contains("patients")) file.patients = parse_count(metadata, "patients");
  file.batch = metadata.contains("batch") ? parse_count(metadata, "batch") : 0;
  if (const auto found = metadata.find("data_fingerprint"); found != metadata.end())
    for (std::string& one : split(found->second, ',')) file.fingerprints.push_back(std::move(one));
  if (file.model_sha256.size() != 64) throw FormatError("model_sha256 is missing; expected 64 hexadecimal digits");
  if ((file.semantics == "batch") != (file.batch > 0))
    throw FormatError(fmt::format("semantics '{}' with batches of {} images", printable(file.semantics), file.batch));
}

[[noreturn]] void refuse(const NamedStatistics& part, const std::string& found, const std::string& expected) {
  throw ConfigError(fmt::format("{}: {}; expected {}", part.name, printable(found), printable(expected)));
}

std::string or_none(const std::string& text) { return text.empty() ? "none" : text; }

void check_same(const NamedStatistics& first, const NamedStatistics& part) {
  for (const Same& same : kSame)
    if (first.file.*same.member != part.file.*same.member)
      refuse(part, fmt::format("{} {}", same.what, or_none(part.file.*same.member)),
             fmt::format("{}, as {} has", or_none(first.file.*same.member), first.name));
  if (first.file.batch != part.file.batch)
    refuse(part, fmt::format("batches of {} images", part.file.batch),
           fmt::format("{}, as {} has", first.file.batch, first.name));
  if (first.file.layers.size() != part.file.layers.size())
    refuse(part, fmt::format("{} layers", part.file.layers.size()), fmt::format("{}", first.file.layers.size()));
  for (std::size_t i = 0; i < part.file.layers.size(); ++i) {
    const LayerStatistics &a = first.file.layers[i], &b = part.file.layers[i];
    if (a.name != b.name || a.mean.size() != b.mean.size() || a.sums.pivot() != b.sums.pivot())
      refuse(part,
             fmt::format("layer '{}' differs from '{}' of {} in name, channels, pivot or being measured", b.name,
                         a.name, first.name),
             "the same layers measured in every part");
  }
}

void check_whole_batches(std::span<const NamedStatistics> parts) {
  const NamedStatistics* ragged = nullptr;
  for (const NamedStatistics& part : parts) {
    if (part.file.batch == 0 || part.file.images % part.file.batch == 0) continue;
    if (ragged != nullptr)
      refuse(part, fmt::format("{} images in batches of {}", part.file.images, part.file.batch),
             fmt::format("whole batches, as {} ends with a ragged one already", ragged->name));
    ragged = &part;
  }
}

void add_layer(const LayerStatistics& part, bool in_batches, LayerStatistics& total) {
  if (total.values + part.values > kMostCounted) throw ConfigError("more than 2^53 values; expected fewer parts");
  total.values += part.values;
  total.images += part.images;
  if (in_batches) total.batches += part.batches;  // without batches the whole set is one group
  ChannelMoments sums = total.sums;
  sums.merge(part.sums);
  // A sum that grew beyond what a file may hold must not go on growing.
  for (const std::vector<ExactSum>* each : {&sums.sums(), &sums.squares()})
    for (const ExactSum& sum : *each) static_cast<void>(ExactSum::from_digits(sum.digits()));
  for (const auto& channel : total.spread.products())
    for (const ExactSum& sum : channel) static_cast<void>(ExactSum::from_digits(sum.digits()));
  total.sums = std::move(sums);
  if (total.spread.channels() > 0 && part.spread.channels() > 0)
    total.spread.merge(part.spread);
  else
    total.spread = {};
}

std::optional<std::int64_t> patients_of(std::span<const NamedStatistics> parts) {
  std::optional<std::int64_t> sum;
  for (const NamedStatistics& part : parts)
    if (part.file.patients) sum = std::min(kMostCounted, sum.value_or(0) + *part.file.patients);
  return sum;
}

/// What the parts say of themselves, each text once; `absent` stands for a part that says nothing beside others that
/// do.
std::string all_of(std::span<const NamedStatistics> parts, std::string StatisticsFile::*text, std::string_view absent) {
  std::set<std::string> said;
  for (const NamedStatistics& part : parts) said.insert(part.file.*text);
  if (said.size() == 1) return *said.begin();
  std::string all;
  for (const std::string& one : said) all += (all.empty() ? "" : "; ") + (one.empty() ? std::string(absent) : one);
  return all;
}

/// Each library once, with the versions that the parts name: "oneDNN 2.6.3|3.1.0".
std::string libraries_of(std::span<const NamedStatistics> parts) {
  std::map<std::string, std::set<std::string>> versions;
  for (const NamedStatistics& part : parts)
    for (Library& one : parse_libraries(part.file.libraries)) versions[one.name].insert(std::move(one.version));
  std::vector<Library> all;
  for (const auto& [name, known] : versions) {
    Library& one = all.emplace_back(Library{name, {}});
    for (const std::string& version : known) one.version += (one.version.empty() ? "" : "|") + version;
    const bool by_all = std::ranges::all_of(parts, [&](const NamedStatistics& part) {
      const std::vector<Library> own = parse_libraries(part.file.libraries);
      return std::ranges::find(own, name, &Library::name) != own.end();
    });
    if (!by_all) one.version += "|unknown";
  }
  return libraries_text(all);
}

/// The same numbers in every layer: the same images, whatever they were called.
bool same_sums(const StatisticsFile& a, const StatisticsFile& b) {
  const auto measured = [](const LayerStatistics& layer) { return layer.values > 0; };
  return std::ranges::any_of(a.layers, measured) &&
         std::ranges::equal(a.layers, b.layers, [](const LayerStatistics& x, const LayerStatistics& y) {
           return x.values == y.values && x.images == y.images && x.sums == y.sums;
         });
}

/// Of images that lie in two parts only what was measured as a whole is known: a part that was merged carries the
/// fingerprints of all that went into it.
void check_images_differ(std::span<const NamedStatistics> parts) {
  const std::string expected = "parts of different images, as these would count twice";
  std::map<std::string, const NamedStatistics*> seen;
  for (const NamedStatistics& part : parts)
    for (const std::string& fingerprint : part.file.fingerprints) {
      const auto [known, fresh] = seen.try_emplace(fingerprint, &part);
      if (fresh) continue;
      const bool itself = known->second == &part;
      refuse(part,
             itself ? fmt::format("counts the images with fingerprint {} twice", printable(fingerprint, 12))
                    : fmt::format("holds images that {} holds too (fingerprint {})", known->second->name,
                                  printable(fingerprint, 12)),
             expected);
    }
  for (std::size_t i = 0; i < parts.size(); ++i)
    for (std::size_t k = 0; k < i; ++k)
      if (same_sums(parts[k].file, parts[i].file))
        refuse(parts[i], fmt::format("has the very sums of {}: the same images under other names", parts[k].name),
               expected);
}

}  // namespace

Pooling pooling_of(std::string_view semantics, std::string_view estimator) {
  return method_of(semantics, estimator).pooling;
}

std::vector<std::byte> write_statistics(const StatisticsFile& file) {
  std::map<std::string, std::string> metadata{{"schema", std::string(kSchema)},
                                              {"images", std::to_string(file.images)}};
  for (const TextField& field : kTexts)
    if (!(file.*field.member).empty()) metadata.emplace(field.key, file.*field.member);
  if (file.batch > 0) metadata.emplace("batch", std::to_string(file.batch));
  if (file.patients) metadata.emplace("patients", std::to_string(*file.patients));
  std::string fingerprints;
  for (const std::string& one_of : file.fingerprints) fingerprints += (fingerprints.empty() ? "" : ",") + one_of;
  if (!fingerprints.empty()) metadata.emplace("data_fingerprint", fingerprints);
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

StatisticsFile merged(std::span<const NamedStatistics> parts) {
  if (parts.size() < 2) throw ConfigError(fmt::format("{} files to merge; expected two or more", parts.size()));
  for (const NamedStatistics& part : parts)
    if (const Method& method = method_of(part.file.semantics, part.file.estimator); !method.unmergeable.empty())
      throw ConfigError(fmt::format("{}: semantics {} with estimator {} cannot be merged: {}", part.name,
                                    method.semantics, method.estimator, method.unmergeable));
  for (const NamedStatistics& part : parts.subspan(1)) check_same(parts[0], part);
  check_whole_batches(parts);
  check_images_differ(parts);

  StatisticsFile total = parts[0].file;
  total.drawn = all_of(parts, &StatisticsFile::drawn, "all of one part");
  total.libraries = libraries_of(parts);
  total.program_version = all_of(parts, &StatisticsFile::program_version, "unknown");
  total.patients = patients_of(parts);
  for (const NamedStatistics& part : parts.subspan(1)) {
    total.images += part.file.images;
    total.fingerprints.insert(total.fingerprints.end(), part.file.fingerprints.begin(), part.file.fingerprints.end());
    if (part.file.shuffle != total.shuffle) total.shuffle = "mixed";
    for (std::size_t i = 0; i < total.layers.size(); ++i)
      if (total.layers[i].values > 0) add_layer(part.file.layers[i], total.batch > 0, total.layers[i]);
  }
  std::ranges::sort(total.fingerprints);
  const Pooling pooling = pooling_of(total.semantics, total.estimator);
  for (LayerStatistics& layer : total.layers)
    if (layer.values > 0) estimate(pooling, layer);
  return total;
}

}  // namespace shiftnorm::stats
