#include "shiftnorm/stats/statistics_file.hpp"

#include <catch2/catch.hpp>
#include <cmath>
#include <optional>
#include <random>

#include "shiftnorm/container/safetensors.hpp"
#include "shiftnorm/core/error.hpp"

using namespace shiftnorm;
using namespace shiftnorm::stats;
using Catch::Matchers::Contains;

namespace {

/// What one image gives: sums of two channels over ten values.
struct Image {
  double sum[2], square[2];
};

std::vector<Image> images(std::size_t count) {
  std::mt19937 random(9);
  std::normal_distribution<double> normal(0.3, 1.7);
  std::vector<Image> out(count);
  for (Image& image : out)
    for (int c = 0; c < 2; ++c)
      for (int v = 0; v < 10; ++v) {
        const double x = normal(random);
        image.sum[c] += x;
        image.square[c] += x * x;
      }
  return out;
}

StatisticsFile file_of(std::span<const Image> part, const std::string& fingerprint) {
  StatisticsFile file;
  file.semantics = "source";
  file.estimator = "population";
  file.model_sha256 = std::string(64, 'a');
  file.preprocess_sha256 = std::string(64, 'b');
  file.preprocess_steps = "- {to_float: {scale: 255}}\n";
  file.fingerprints = {fingerprint};
  file.images = static_cast<std::int64_t>(part.size());
  file.instruction_set = "avx2";
  LayerStatistics layer{"layer1.0.bn1", {0, 0}, {0, 0}};
  layer.sums = ChannelMoments({0.25f, -1.0f});
  layer.spread = Spread(2);
  for (const Image& image : part) {
    layer.sums.add_image(image.sum, image.square, 10);
    layer.spread.add(image.sum, image.square, 10);
  }
  layer.values = layer.sums.values();
  layer.images = file.images;
  layer.batches = 1;
  estimate(Pooling::values, layer);
  file.layers = {layer, {"head.bn", {0.5}, {2.0}}};  // the second was not measured
  return file;
}

/// The same images through batches of four: the pool of each batch's mean and sample variance.
StatisticsFile batch_file(std::span<const Image> part, const std::string& fingerprint) {
  StatisticsFile file = file_of(part, fingerprint);
  file.semantics = "batch";
  file.estimator = "batch-mean";
  file.batch = 4;
  file.shuffle = "off";
  LayerStatistics& layer = file.layers[0];
  layer.sums = ChannelMoments({0.0f, 0.0f});
  layer.spread = Spread(2);
  layer.batches = 0;
  for (std::size_t at = 0; at < part.size(); at += 4) {
    ChannelMoments batch({0.25f, -1.0f});
    for (const Image& image : part.subspan(at, std::min<std::size_t>(4, part.size() - at)))
      batch.add_image(image.sum, image.square, 10);
    layer.sums.add_image(batch.mean(), batch.variance(Divisor::sample), batch.values());
    layer.spread.add(batch.mean(), batch.variance(Divisor::sample), 1);
    ++layer.batches;
  }
  estimate(Pooling::batches, layer);
  return file;
}

StatisticsFile of_patients(std::span<const Image> part, const char* fingerprint, std::optional<std::int64_t> patients) {
  StatisticsFile file = file_of(part, fingerprint);
  file.patients = patients;
  return file;
}

/// The file with one array replaced, or left out when none is given.
std::vector<std::byte> with(const std::string& name, const std::optional<Array>& array) {
  const std::vector<Image> all = images(3);
  const std::vector<std::byte> bytes = write_statistics(file_of(all, "f"));
  const container::SafetensorsIndex index = container::index_safetensors(bytes);
  std::vector<std::pair<std::string, Array>> arrays;
  for (const container::SafetensorsEntry& entry : index.entries)
    if (entry.name != name) arrays.emplace_back(entry.name, container::read_entry(bytes, entry));
  if (array) arrays.emplace_back(name, *array);
  return container::write_safetensors(arrays, index.metadata);
}

Array integers(const Shape& shape, std::int64_t value) {
  return Array::from_int64(shape, std::vector<std::int64_t>(static_cast<std::size_t>(shape.elements()), value));
}

}  // namespace

// Law: a round trip, to the bit.
TEST_CASE("A statistics file is read as it was written, to the bit", "[stats]") {
  const std::vector<Image> all = images(7);
  const StatisticsFile file = file_of(all, "f");
  const std::vector<std::byte> bytes = write_statistics(file);
  const StatisticsFile again = read_statistics(bytes);
  CHECK(write_statistics(again) == bytes);
  CHECK(again.layers[0].sums == file.layers[0].sums);
  CHECK(again.layers[0].spread == file.layers[0].spread);
  CHECK(again.layers[0].mean == file.layers[0].mean);
  CHECK(again.layers[1].values == 0);
  CHECK(again.layers[1].variance == std::vector<double>{2.0});
  CHECK(again.preprocess_steps == file.preprocess_steps);
  CHECK(again.images == 7);
}

// Law: an older file keeps its meaning; what it lacks is not made up.
TEST_CASE("A statistics file from before the spread was kept is read, and merges without it", "[stats]") {
  const std::vector<std::byte> bytes = with("layer1.0.bn1.spread", {});
  CHECK_THROWS_WITH(read_statistics(bytes), Contains("array 'layer1.0.bn1.units' belongs to no layer"));
  const std::vector<Image> all = images(6);
  StatisticsFile old = file_of(std::span(all).subspan(0, 3), "a");
  old.layers[0].spread = {};
  const StatisticsFile again = read_statistics(write_statistics(old));
  CHECK(again.layers[0].spread.channels() == 0);
  const std::vector<NamedStatistics> parts{{"old", again}, {"new", file_of(std::span(all).subspan(3), "b")}};
  const StatisticsFile both = merged(parts);
  CHECK(both.layers[0].spread.channels() == 0);
  CHECK(both.layers[0].sums == file_of(all, "c").layers[0].sums);
}

// Law: any split merges to one run.
TEST_CASE("Three shards merge to one run, bit for bit, in any order", "[stats]") {
  const std::vector<Image> all = images(17);
  const std::span<const Image> span(all);
  const NamedStatistics a{"a", file_of(span.subspan(0, 5), "1")}, b{"b", file_of(span.subspan(5, 1), "2")},
      c{"c", file_of(span.subspan(6), "3")};
  StatisticsFile whole = file_of(span, "");
  whole.fingerprints = {"1", "2", "3"};
  const std::vector<std::byte> expected = write_statistics(whole);
  CHECK(write_statistics(merged(std::vector{a, b, c})) == expected);
  CHECK(write_statistics(merged(std::vector{c, b, a})) == expected);
  const NamedStatistics first{"ab", merged(std::vector{a, b})};
  CHECK(write_statistics(merged(std::vector{first, c})) == expected);
}

// Law: merging parts of whole batches equals one run, to the byte.
TEST_CASE("Whole batches merge to one run; one ragged part may end it", "[stats]") {
  const std::vector<Image> all = images(18);
  const std::span<const Image> span(all);
  const NamedStatistics a{"a", batch_file(span.subspan(0, 8), "1")}, b{"b", batch_file(span.subspan(8, 4), "2")},
      c{"c", batch_file(span.subspan(12), "3")};  // six images: a ragged batch of two
  StatisticsFile whole = batch_file(span, "");
  whole.fingerprints = {"1", "2", "3"};
  CHECK(write_statistics(merged(std::vector{a, b, c})) == write_statistics(whole));
  CHECK(whole.layers[0].batches == 5);
  CHECK_THROWS_WITH(merged(std::vector{a, c, c}), Contains("6 images in batches of 4; expected whole batches"));
}

// Law: only what one run could have measured merges.
TEST_CASE("What does not merge is refused with the reason", "[stats]") {
  const std::vector<Image> all = images(4);
  const NamedStatistics a{"a", file_of(all, "1")};
  const auto refused = [&](auto change, const std::string& text) {
    NamedStatistics other{"b.bnstats", a.file};
    change(other.file);
    CHECK_THROWS_AS(merged(std::vector{a, other}), ConfigError);
    CHECK_THROWS_WITH(merged(std::vector{a, other}), Contains("b.bnstats: ") && Contains(text));
  };
  refused([](StatisticsFile& f) { f.semantics = "layerwise"; }, "semantics layerwise");
  refused(
      [](StatisticsFile& f) {
        f.semantics = "batch";
        f.estimator = "ema";
      },
      "estimator ema cannot be merged: its result depends on the order");
  refused([](StatisticsFile& f) { f.semantics = "batch"; }, "semantics batch; expected source, as a has");
  refused([](StatisticsFile& f) { f.model_sha256[0] = 'c'; }, "model ca");
  refused([](StatisticsFile& f) { f.preprocess_sha256[0] = 'c'; }, "preprocessing cb");
  refused([](StatisticsFile& f) { f.architecture = "other"; }, "architecture other; expected ");
  refused([](StatisticsFile& f) { f.instruction_set = "avx512"; }, "instruction set avx512; expected avx2");
  refused([](StatisticsFile& f) { f.layers[0].name = "x"; }, "layer 'x' differs");
  refused([](StatisticsFile& f) { f.layers[0].sums = ChannelMoments(std::vector<float>{0, 0}); }, "pivot");
  refused([](StatisticsFile& f) { f.layers.pop_back(); }, "1 layers; expected 2");
  CHECK_THROWS_WITH(merged(std::vector{a}), Contains("1 files to merge; expected two or more"));
}

// Oracle: issue 16: the same images may not count twice. A merged file carries the fingerprints of its parts.
TEST_CASE("The same images do not merge twice", "[stats]") {
  const std::vector<Image> all = images(9);
  const std::span<const Image> span(all);
  const NamedStatistics a{"a", file_of(span.subspan(0, 3), "1")}, b{"b", file_of(span.subspan(3, 3), "2")},
      c{"c", file_of(span.subspan(6), "3")};
  const NamedStatistics ab{"ab", read_statistics(write_statistics(merged(std::vector{a, b})))};
  CHECK_THROWS_AS(merged(std::vector{a, a}), ConfigError);
  CHECK_THROWS_WITH(merged(std::vector{a, b, a}),
                    "a: contains images that a contains too (fingerprint 1); expected parts of "
                    "different images, as these would count twice");
  CHECK_THROWS_WITH(merged(std::vector{ab, a}), Contains("a: contains images that ab contains too (fingerprint 1)"));
  CHECK_THROWS_WITH(merged(std::vector{b, c, ab}), Contains("ab: contains images that b contains too (fingerprint 2)"));
  CHECK(merged(std::vector{ab, c}).images == 9);
  // An earlier version merged them.
  NamedStatistics twice = ab;
  twice.file.fingerprints = {"1", "1"};
  CHECK_THROWS_WITH(merged(std::vector{twice, c}), Contains("ab: counts the images with fingerprint 1 twice"));
  // A fingerprint holds the images' names; their sums do not.
  NamedStatistics renamed = a;
  renamed.name = "renamed";
  renamed.file.fingerprints = {"9"};
  CHECK_THROWS_WITH(merged(std::vector{a, renamed}),
                    Contains("renamed: has exactly the sums of a: the same images under other names"));
  // Files without a fingerprint: only equal sums show it.
  NamedStatistics nameless = b;
  nameless.file.fingerprints.clear();
  CHECK(merged(std::vector{a, nameless}).images == 6);
  CHECK_THROWS_WITH(merged(std::vector{b, nameless}), Contains("exactly the sums of b"));
}

// Law: what the parts agree on is said once, and what they differ in is said of both.
TEST_CASE("A merged file says what each of its parts said", "[stats]") {
  const std::vector<Image> all = images(6);
  StatisticsFile a = file_of(std::span(all).first(3), "1"), b = file_of(std::span(all).last(3), "2");
  const auto total = [&] {
    return read_statistics(write_statistics(merged(std::vector<NamedStatistics>{{"a", a}, {"b", b}})));
  };
  a.program_version = b.program_version = "1.0";
  a.libraries = b.libraries = "Highway 1.0.3, oneDNN 2.6.3";
  CHECK(total().program_version == "1.0");
  CHECK(total().libraries == "Highway 1.0.3, oneDNN 2.6.3");
  b.program_version = "1.1";
  b.libraries = "oneDNN 3.1.0";
  b.drawn = "32 images, seed 1";
  CHECK(total().program_version == "1.0; 1.1");
  CHECK(total().libraries == "Highway 1.0.3|unknown, oneDNN 2.6.3|3.1.0");
  CHECK(total().drawn == "all of one part; 32 images, seed 1");
  b.shift = "gaussian_noise: 3; seed 0";
  CHECK_THROWS_WITH(total(), Contains("b: shift gaussian_noise: 3; seed 0; expected none, as a has"));
}

// Law: no beginning of a file is a file.
TEST_CASE("Every truncation of a statistics file is refused", "[stats]") {
  const std::vector<Image> all = images(2);
  const std::vector<std::byte> bytes = write_statistics(file_of(all, "f"));
  for (std::size_t length = 0; length < bytes.size(); ++length) {
    bool refused = false;
    try {
      static_cast<void>(read_statistics(std::span(bytes).first(length)));
    } catch (const FormatError&) {
      refused = true;
    }
    if (!refused) FAIL("truncated to " << length << " bytes");
  }
}

// Law: what a file says twice must agree.
TEST_CASE("Damaged arrays are refused by name", "[stats]") {
  const std::string name = "layer1.0.bn1";
  const auto refused = [&](const std::string& what, const std::optional<Array>& array, const std::string& text) {
    INFO(what);
    CHECK_THROWS_AS(read_statistics(with(name + what, array)), FormatError);
    CHECK_THROWS_WITH(read_statistics(with(name + what, array)), Contains(text));
  };
  refused(".sum", {}, "'layer1.0.bn1.sum' is missing");
  refused(".sum", integers({2, 17}, 0), "shape [2, 17]; expected [2, 18]");
  refused(".sum", Array(DType::f64, Shape{2, 18}), "is float64; expected int64");
  refused(".sum", integers({2, 18}, -1), "digit 0 is -1; expected 0 to 2^32 - 1");
  refused(".square", integers({2, 18}, 0xffffffff), "contradict the sums");
  refused(".square", integers({2, 18}, std::int64_t{1} << 40), "digit 0 is");
  refused(".pivot", Array::from_floats({2}, std::vector<float>{1, NAN}), "not finite");
  refused(".mean", Array::from_doubles({2}, std::vector<double>{1, 2}), "contradict the sums");
  refused(".mean", Array::from_doubles({2}, std::vector<double>{1, INFINITY}), "not finite");
  refused(".mean", Array(DType::f64, Shape{2, 1}), "expected [channels]");
  refused(".mean", {}, "belongs to no layer");
  refused(".variance", Array::from_doubles({2}, std::vector<double>{1, -2}), "negative number");
  refused(".variance", Array::from_doubles({3}, std::vector<double>{1, 2, 3}), "shape [3]; expected [2]");
  refused(".values", integers({1}, -5), "expected a count");
  refused(".values", integers({1}, 0), "expected batches <= images <= values");
  refused(".values", integers({1}, 31), "contradict the sums");
  refused(".images", integers({1}, 2), "was measured on 2 images; expected 3");
  refused(".batches", integers({1}, 4), "expected batches <= images <= values");
  refused(".batches", integers({}, 1), "shape []; expected [1]");
  refused(".more", integers({1}, 1), "'layer1.0.bn1.more' belongs to no layer");
}

// Law: what is missing or unknown is an error, never a default.
TEST_CASE("Damaged metadata is refused", "[stats]") {
  const std::vector<Image> all = images(2);
  const auto refused = [&](auto change, const std::string& text) {
    StatisticsFile file = file_of(all, "f");
    change(file);
    CHECK_THROWS_AS(read_statistics(write_statistics(file)), FormatError);
    CHECK_THROWS_WITH(read_statistics(write_statistics(file)), Contains(text));
  };
  refused([](StatisticsFile& f) { f.semantics = "sideways"; }, "semantics 'sideways' with estimator 'population'");
  refused([](StatisticsFile& f) { f.batch = 4; }, "semantics 'source' with batches of 4 images");
  refused([](StatisticsFile& f) { f.model_sha256.clear(); }, "model_sha256 is missing");
  refused([](StatisticsFile& f) { f.layers.clear(); }, "no layer");
  CHECK_THROWS_WITH(read_statistics(container::write_safetensors({}, {{"a", "b"}})), Contains("no schema"));
  CHECK_THROWS_WITH(read_statistics(container::write_safetensors({}, {{"schema", "2"}})), Contains("schema '2'"));
}

// Law: nothing is written that would be refused when it is read.
TEST_CASE("Statistics that are not finite are not written", "[stats]") {
  const std::vector<Image> all = images(2);
  StatisticsFile file = file_of(all, "f");
  file.layers[1].mean[0] = NAN;
  CHECK_THROWS_WITH(write_statistics(file), Contains("layer 'head.bn': its statistics are not finite"));
}

// Oracle: worked by hand; what one part does not know adds nothing.
TEST_CASE("Patients add up", "[stats]") {
  const std::vector<Image> all = images(6);
  const std::span<const Image> first(all.data(), 3), second(all.data() + 3, 3);
  const auto patients = [&](std::optional<std::int64_t> a, std::optional<std::int64_t> b) {
    const StatisticsFile total =
        merged(std::vector<NamedStatistics>{{"a", of_patients(first, "f", a)}, {"b", of_patients(second, "g", b)}});
    return read_statistics(write_statistics(total)).patients;
  };
  CHECK(patients(5, 8) == 13);
  CHECK(patients(5, std::nullopt) == 5);
  CHECK(patients(std::nullopt, std::nullopt) == std::nullopt);
}
