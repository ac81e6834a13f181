// Oracle: files laid out by h5py as Keras lays them out (make_keras_files.py); what is in them is what that script puts
// in.
#include <catch2/catch.hpp>
#include <limits>

#include "container/hdf5_files.hpp"
#include "container/zip_builder.hpp"
#include "formats/keras_files.hpp"
#include "shiftnorm/container/zip.hpp"
#include "shiftnorm/core/file.hpp"
#include "shiftnorm/formats/checkpoint.hpp"
#include "shiftnorm/graph/batch_norms.hpp"
#include "support/shared_data.hpp"

using namespace shiftnorm;
using namespace shiftnorm::formats;
using Catch::Matchers::Contains;

namespace {

std::vector<std::byte> archive(std::string_view config, bool deflated = false) {
  test::ZipBuilder zip;
  zip.members.push_back({"metadata.json", test::bytes_of(R"({"keras_version": "3.10.0"})")});
  zip.members.push_back({"config.json", test::bytes_of(config)});
  zip.members.push_back({"model.weights.h5", test::unpacked(test::kKeras3Weights)});
  if (deflated) {
    zip.members[2].content = test::from_hex(test::kKeras3Weights.hex);
    zip.members[2].method = 8;
    zip.members[2].unpacked = test::unpacked(test::kKeras3Weights);
  }
  return zip.build();
}

std::string replaced(std::string text, const std::string& from, const std::string& by) {
  const std::size_t at = text.find(from);
  REQUIRE(at != std::string::npos);
  return text.replace(at, from.size(), by);
}

std::string config() { return std::string(test::kKerasConfig); }

Checkpoint parse_keras(std::vector<std::byte> bytes) { return parse_checkpoint(std::move(bytes), "f"); }

void check_tiny(const Checkpoint& checkpoint, const std::string& gamma, const std::string& mean,
                const std::string& variance) {
  REQUIRE(checkpoint.graph);
  const std::vector<graph::BatchNorm> layers = graph::batch_norms(*checkpoint.graph);
  REQUIRE(layers.size() == 1);
  const graph::BatchNorm& bn = layers[0];
  CHECK(bn.name == "bn");
  CHECK(bn.channels == 2);
  CHECK(bn.epsilon == 0.001);
  CHECK(bn.momentum == Approx(0.1));
  CHECK(checkpoint.graph->value(bn.scale).name == gamma);
  CHECK(checkpoint.graph->value(bn.mean).name == mean);
  CHECK(checkpoint.graph->value(bn.variance).name == variance);
  CHECK(checkpoint.graph->value(bn.bias).name.empty());  // center is false
  CHECK(checkpoint.find(variance)->values.to_float() == std::vector<float>{3, 4});
  CHECK(checkpoint.tensors.size() == 6);
}

}  // namespace

// Oracle: what make_keras_files.py put in; check_tiny() lists it.
TEST_CASE("Keras: HDF5 of Keras 2 and an archive of Keras 3 give the same network") {
  const Checkpoint old = parse_keras(test::unpacked(test::kKeras2));
  CHECK(old.format == "keras-h5");
  check_tiny(old, "/model_weights/bn/bn/gamma:0", "/model_weights/bn/bn/moving_mean:0",
             "/model_weights/bn/bn/moving_variance:0");
  // Keras 2.15 with TensorFlow's fused kernel, and Keras 3, which stores population variances.
  CHECK(graph::batch_norms(*old.graph)[0].stored_variance == graph::StoredVariance::sample);
  const Checkpoint recent = parse_keras(archive(test::kKerasConfig));
  CHECK(recent.format == "keras");
  const std::string vars = "/layers/batch_normalization/vars/";
  check_tiny(recent, vars + "0", vars + "1", vars + "2");  // without beta the numbers move up
  CHECK(graph::batch_norms(*recent.graph)[0].stored_variance == graph::StoredVariance::population);

  REQUIRE(old.graph->nodes().size() == recent.graph->nodes().size());
  const graph::Node& conv = old.graph->nodes().front();
  REQUIRE(conv.op == "Conv");
  // (h, w, in, out) to [out, in, h, w]: the second kernel holds every second number.
  const Tensor& kernel = *old.graph->value(conv.inputs[1]).tensor;
  CHECK(kernel.shape == Shape{2, 1, 3, 3});
  CHECK(kernel.values[0] == 0.0f);
  CHECK(kernel.values[1] == 0.25f);
  CHECK(kernel.values[9] == 0.125f);
  CHECK(conv.integers("pads", {}) == std::vector<std::int64_t>{1, 1, 1, 1});
}

// Law: a patch changes its own bytes and the checksums over them; round trip.
TEST_CASE("Keras: new statistics change their own bytes, and the checksums of an archive") {
  const bool zipped = GENERATE(false, true);
  const Checkpoint before = parse_keras(zipped ? archive(test::kKerasConfig) : test::unpacked(test::kKeras2));
  const graph::BatchNorm bn = graph::batch_norms(*before.graph)[0];
  const std::string mean = before.graph->value(bn.mean).name, variance = before.graph->value(bn.variance).name;
  const std::vector<Patch> patches{{mean, {-1, 0.1}}, {variance, {0, 7}}};
  const auto files = write_checkpoint(before, patches, "adapted");
  REQUIRE(files.size() == 1);
  REQUIRE(files[0].bytes.size() == before.bytes.size());
  std::size_t changed = 0;
  for (std::size_t i = 0; i < before.bytes.size(); ++i) changed += files[0].bytes[i] != before.bytes[i] ? 1 : 0;
  CHECK(changed > 0);
  CHECK(changed <= 16 + (zipped ? 8 : 0));  // four floats; CRC-32 in the local header and in the directory
  const Checkpoint after = parse_keras(files[0].bytes);
  CHECK(after.find(mean)->values.to_float() == std::vector<float>{-1, 0.1f});
  CHECK(after.find(variance)->values.to_float() == std::vector<float>{0, 7});
}

// Law: a variance is not negative, statistics are finite and fit float32 (largest 3.4e38).
TEST_CASE("Keras: values that no network can use are not written") {
  const Checkpoint checkpoint = parse_keras(test::unpacked(test::kKeras2));
  const graph::BatchNorm bn = graph::batch_norms(*checkpoint.graph)[0];
  const std::string mean = checkpoint.graph->value(bn.mean).name, variance = checkpoint.graph->value(bn.variance).name;
  const auto write = [&](const Patch& patch) { return write_checkpoint(checkpoint, std::vector<Patch>{patch}, "x"); };
  CHECK_THROWS_WITH(write({variance, {1, -1}}), Contains("given a negative variance; expected finite numbers of 0"));
  CHECK_THROWS_WITH(write({mean, {1, std::numeric_limits<double>::quiet_NaN()}}),
                    Contains("given a value that is not finite"));
  CHECK_THROWS_WITH(write({mean, {1, std::numeric_limits<double>::infinity()}}),
                    Contains("given a value that is not finite"));
  CHECK_THROWS_AS(write({variance, {1, -1}}), FormatError);
  CHECK_THROWS_AS(write({variance, {1, 1e39}}), UnsupportedError);  // the largest float is 3.4e38
  CHECK_THROWS_WITH(write({variance, {1, 1e39}}),
                    Contains("tensor '" + variance + "': value 1e+39 at index 1 is too large for float32"));
  CHECK_THROWS_AS(write({mean, {1}}), ShapeError);
  CHECK_NOTHROW(write({mean, {1, -1}}));
}

// Oracle: what make_keras_files.py put in.
TEST_CASE("Keras: weights compressed inside an archive are read but not written back") {
  const Checkpoint checkpoint = parse_keras(archive(test::kKerasConfig, true));
  check_tiny(checkpoint, "/layers/batch_normalization/vars/0", "/layers/batch_normalization/vars/1",
             "/layers/batch_normalization/vars/2");
  CHECK_THROWS_AS(write_checkpoint(checkpoint, std::vector<Patch>{{"/layers/batch_normalization/vars/1", {1, 2}}}, "x"),
                  UnsupportedError);
}

// Oracle: the model by hand: one channel, a global pool, two classes, whatever the height and width.
TEST_CASE("Keras: extents that the input leaves open are those of the images") {
  const Checkpoint checkpoint = parse_keras(archive(replaced(config(), "[null, 2, 2, 1]", "[null, null, null, 1]")));
  REQUIRE(checkpoint.build);
  CHECK(*checkpoint.graph->value(checkpoint.graph->input()).shape == Shape{1, 1, 224, 224});
  const graph::Graph graph = graph_for(checkpoint, Shape{1, 1, 5, 7});
  CHECK(*graph.value(graph.input()).shape == Shape{1, 1, 5, 7});
  CHECK(*graph.value(graph.outputs().at(0)).shape == Shape{1, 2});
  CHECK(graph::batch_norms(graph).size() == 1);
  CHECK_THROWS_WITH(graph_for(checkpoint, Shape{1, 3, 5, 7}), Contains("is given [1, 3, 5, 7]; expected [1, 1, 0, 0]"));
  // One extent is fixed.
  const Checkpoint half = parse_keras(archive(replaced(config(), "[null, 2, 2, 1]", "[null, null, 2, 1]")));
  CHECK(*half.graph->value(half.graph->input()).shape == Shape{1, 1, 224, 2});
}

// Oracle: the layer whose configuration was changed.
TEST_CASE("Keras: what a model asks for and cannot have is named with its layer") {
  const auto [from, by, message] = GENERATE(table<std::string, std::string, std::string>({
      {"GlobalAveragePooling2D", "Lambda", "layer 'pool' (Lambda): contains code, which is never run"},
      {"GlobalAveragePooling2D", "LSTM", "layer 'pool' (LSTM): layers of class 'LSTM' are not supported"},
      {"\"softmax\"", "\"sparkle\"", "layer 'dense' (Dense): activation 'sparkle'; supported are elu,"},
      {"\"same\"", "\"full\"", "layer 'conv' (Conv2D): padding 'full'"},
      {"\"axis\": -1", "\"axis\": 2", "layer 'bn' (BatchNormalization): axis 2 of 4; supported are"},
      {"\"axis\": -1", "\"axis\": [1, 2]", "'axis': has 2 axes"},
      {"\"axis\": -1", "\"axis\": 9", "axis 9 of 4"},
      {"\"axis\": -1", "\"renorm\": true", "'renorm' is not supported"},
      {"\"axis\": -1", "\"mode\": 2", "mode 2 of Keras 1; supported is 0"},
      {"0.001", "-1", "epsilon -1"},
      {"[null, 2, 2, 1]", "[null, 2, 2, 3]", "expected"},
      {"[null, 2, 2, 1]", "[null, 4611686018427387904, 4611686018427387904, 1]", "f: model.weights.h5: "},
      {"\"center\": false", "\"center\": true", "layer 'bn' has no weights at 'layers/batch_normalization/vars/3'"},
      {"\"Sequential\"", "\"Graph\"", "the model is a 'Graph'; supported are Sequential and Functional"},
      {"\"scale\": true", "\"scale\": \"yes\"", "layer 'bn' (BatchNormalization): 'scale': is a string"},
      {"\"channels_last\"", "\"sideways\"", "'data_format' is 'sideways'"},
  }));
  CAPTURE(by);
  CHECK_THROWS_AS(parse_keras(archive(replaced(config(), from, by))), Error);
  CHECK_THROWS_WITH(parse_keras(archive(replaced(config(), from, by))), Contains(message));
}

// Oracle: the flaw put in: a circle, a name that is not there, an output that is not there, a name given twice.
TEST_CASE("Keras: functional models that make no sense are refused") {
  const std::string head = R"({"class_name": "Functional", "config": {"name": "f", "layers": [
      {"class_name": "InputLayer", "name": "in", "config": {"name": "in", "batch_shape": [null, 4]}, "inbound_nodes": []},
      {"class_name": "ReLU", "name": "a", "config": {"name": "a"}, "inbound_nodes": [[["b", 0, 0]]]},
      {"class_name": "ReLU", "name": "b", "config": {"name": "b"}, "inbound_nodes": [[["a", 0, 0]]]}],
      "input_layers": [["in", 0, 0]], "output_layers": [["b", 0, 0]]}})";
  CHECK_THROWS_WITH(parse_keras(archive(head)), Contains("depends on a value that is never computed"));
  CHECK_THROWS_WITH(parse_keras(archive(replaced(head, "[\"b\", 0, 0]", "[\"c\", 0, 0]"))),
                    Contains("there is no layer 'c'"));
  CHECK_THROWS_WITH(parse_keras(archive(replaced(head, "[\"b\", 0, 0]", "[\"in\", 0, 5]"))),
                    Contains("layer 'in' has no output 5"));
  CHECK_THROWS_WITH(parse_keras(archive(replaced(head, "\"name\": \"b\", \"config\": {\"name\": \"b\"}",
                                                 "\"name\": \"a\", \"config\": {\"name\": \"a\"}"))),
                    Contains("two layers have the name 'a'"));
}

// Oracle: what the files are: one without weights as HDF5, one without a model, and JSON that never closes.
TEST_CASE("Keras: archives and HDF5 files that are something else") {
  test::ZipBuilder zip;
  zip.members.push_back({"metadata.json", test::bytes_of("{}")});
  zip.members.push_back({"config.json", test::bytes_of("{}")});
  zip.members.push_back({"model.weights.npz", test::bytes_of("x")});
  CHECK_THROWS_AS(parse_keras(zip.build()), UnsupportedError);
  CHECK_THROWS_WITH(parse_keras(zip.build()), Contains("f: a Keras archive without 'model.weights.h5'"));
  CHECK_THROWS_AS(parse_keras(test::unpacked(test::kHdf5Odd)), FormatError);
  CHECK_THROWS_WITH(parse_keras(test::unpacked(test::kHdf5Odd)), Contains("f: is an HDF5 file without a Keras model"));
  CHECK_THROWS_WITH(parse_keras(archive(std::string(100000, '['))), Contains("config.json: JSON"));
}

// Oracle: what make_keras_files.py put in; check_tiny() lists it.
TEST_CASE("Keras: weights by themselves wait for their architecture") {
  const test::TempDir folder;
  const auto path = [&folder](const char* name) { return folder.path() / name; };
  write_file(path("m.json"), config());
  write_file(path("m.pt"), test::bytes_of("\x89HDF"));
  write_file(path("w.h5"), test::unpacked(test::kKeras3Weights));
  CHECK_FALSE(read_checkpoint(path("w.h5")).graph);
  // Keras 3 names the module of every class, Keras 2 its version; this names neither.
  check_tiny(read_checkpoint(path("w.h5"), path("m.json")), "/layers/batch_normalization/vars/0",
             "/layers/batch_normalization/vars/1", "/layers/batch_normalization/vars/2");
  write_file(path("bad.json"), test::bytes_of("{"));
  CHECK_THROWS_WITH(read_checkpoint(path("w.h5"), path("bad.json")), Contains("bad.json: JSON"));
  write_file(path("a.keras"), archive(config()));
  CHECK_THROWS_WITH(read_checkpoint(path("a.keras"), path("m.json")), Contains("a.keras: is of format keras"));
}

// Law: any damage ends in an error or in other values. Every byte would take long.
TEST_CASE("Keras: damaged files never crash the reader") {
  const bool zipped = GENERATE(false, true);
  const std::vector<std::byte> whole = zipped ? archive(test::kKerasConfig) : test::unpacked(test::kKeras2);
  std::size_t refused = 0, tried = 0;
  for (std::size_t i = 0; i < whole.size(); i += 7, ++tried) {
    std::vector<std::byte> damaged = whole;
    damaged[i] ^= std::byte{0xff};
    try {
      (void)parse_keras(damaged);
    } catch (const Error&) {
      ++refused;
    }
  }
  CHECK(refused > 0);
  if (zipped) CHECK(refused > tried / 2);  // the CRC covers what the structures leave open
}
