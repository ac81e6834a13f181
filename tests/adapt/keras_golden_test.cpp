// Oracle: data/keras/*.golden.safetensors of the shared test data: a float64 evaluation of published Keras models and
// of models saved by Keras 1.2.2, 2.2.4 and 3.12, agreeing with TensorFlow.js and Keras itself (its README).
#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <filesystem>
#include <map>

#include "golden_network.hpp"
#include "shiftnorm/adapt/engine.hpp"
#include "shiftnorm/container/json.hpp"
#include "shiftnorm/container/safetensors.hpp"
#include "shiftnorm/core/file.hpp"
#include "shiftnorm/formats/checkpoint.hpp"
#include "shiftnorm/graph/shapes.hpp"
#include "support/near.hpp"
#include "support/shared_data.hpp"

using namespace shiftnorm;
using namespace shiftnorm::adapt;
using test::check_statistics;
namespace fs = std::filesystem;

namespace {

struct File {
  std::string stem, name, architecture;
};

std::vector<File> files(const fs::path& folder) {
  const auto bytes = read_file(folder / "catalog.json");
  std::vector<File> out;
  const container::Json rows = container::parse_json(as_text(bytes));
  for (const container::Json& row : rows.as_array()) {
    const container::Json* architecture = row.find("architecture");
    out.push_back({row.at("stem").as_string(), row.at("file").as_string(),
                   architecture != nullptr ? architecture->as_string() : ""});
  }
  return out;
}

formats::Checkpoint read(const fs::path& folder, const File& file) {
  return file.architecture.empty() ? formats::read_checkpoint(folder / file.name)
                                   : formats::read_checkpoint(folder / file.name, folder / file.architecture);
}

class Golden {
 public:
  explicit Golden(const fs::path& path)
      : bytes_(read_file(path)),
        arrays_(container::read_safetensors(bytes_)),
        metadata_(container::index_safetensors(bytes_).metadata) {}

  [[nodiscard]] std::vector<double> values(const std::string& name) const { return arrays_.at(name).to_double(); }
  [[nodiscard]] container::Json json(const std::string& key) const { return container::parse_json(metadata_.at(key)); }

  /// A set of inputs, channels first as the engine wants them.
  [[nodiscard]] std::vector<std::vector<float>> inputs(const std::string& name) const {
    const Array& array = arrays_.at(name);
    const Shape& shape = array.shape();
    const std::vector<float> all = array.to_float();
    const auto per = static_cast<std::size_t>(shape.elements_from(1));
    std::vector<std::vector<float>> out;
    for (std::int64_t n = 0; n < shape[0]; ++n) {
      const auto begin = all.begin() + n * static_cast<std::ptrdiff_t>(per);
      std::vector<float> image(begin, begin + static_cast<std::ptrdiff_t>(per));
      if (metadata_.at("input_layout") == "NHWC") {
        const auto pixels = static_cast<std::size_t>(shape[1] * shape[2]),
                   channels = static_cast<std::size_t>(shape[3]);
        for (std::size_t p = 0; p < pixels; ++p)
          for (std::size_t c = 0; c < channels; ++c)
            image[c * pixels + p] = *(begin + static_cast<std::ptrdiff_t>(p * channels + c));
      }
      out.push_back(std::move(image));
    }
    return out;
  }

 private:
  std::vector<std::byte> bytes_;
  std::map<std::string, Array> arrays_;
  std::map<std::string, std::string> metadata_;
};

Images images_of(const std::vector<std::vector<float>>& inputs) {
  return {inputs.size(), [&inputs](std::size_t i, std::span<float> dst) { std::ranges::copy(inputs[i], dst.begin()); }};
}

/// The network up to the input of its last softmax.
graph::Graph without_softmax(graph::Graph graph) {
  for (const graph::Node& node : graph.nodes())
    if (node.op == "Softmax" && node.outputs.front() == graph.outputs().at(0)) {
      graph.set_outputs({node.inputs.front()});
      break;
    }
  return graph;
}

double largest(const std::vector<double>& values) {
  double most = 0;
  for (const double v : values) most = std::max(most, std::abs(v));
  return most;
}

void check_near(const Outputs& outputs, const std::vector<double>& golden, double tolerance) {
  const std::vector<double> values(outputs.values.begin(), outputs.values.end());
  CHECK_THAT(values, test::EachNear(golden, tolerance));
}

/// What training would have stored: the README's two averages, and what lies between the lines for the Keras that
/// corrects once more.
std::vector<double> expected_ema(const Golden& golden, const graph::BatchNorm& layer, const std::vector<double>& stored,
                                 std::size_t images, std::size_t batch) {
  std::vector<double> biased = golden.values("ema/" + layer.name + "/var_biased"),
                      unbiased = golden.values("ema/" + layer.name + "/var_unbiased");
  if (layer.stored_variance == graph::StoredVariance::population) return biased;
  if (layer.stored_variance == graph::StoredVariance::sample) return unbiased;
  const bool twice = layer.stored_variance == graph::StoredVariance::keras_twice;
  const auto sample = [](double n) { return n / (n - 1.0); };
  const auto factor = [&](double n) { return n / (n - 1.0 - layer.epsilon) * (twice ? sample(n) : 1.0); };
  const double per_image = golden.json("bn_count").at(layer.name).as_number() / static_cast<double>(images);
  const double whole = per_image * static_cast<double>(batch), ragged = per_image * static_cast<double>(images % batch);
  const double batches = std::ceil(static_cast<double>(images) / static_cast<double>(batch));
  std::vector<double> out(biased.size());
  for (std::size_t c = 0; c < out.size(); ++c) {
    const double old = stored[c] * std::pow(1.0 - layer.momentum, batches);
    // Both averages hold the part of the whole batches and that of the ragged one, each with a factor of its own.
    const double rest =
        ragged == 0 ? 0.0
                    : ((unbiased[c] - old) - sample(whole) * (biased[c] - old)) / (sample(ragged) - sample(whole));
    out[c] = old + (biased[c] - old - rest) * factor(whole) + (ragged == 0 ? 0.0 : rest * factor(ragged));
  }
  return out;
}

stats::Statistics golden_statistics(const Golden& golden, const std::vector<graph::BatchNorm>& layers,
                                    const std::string& variance) {
  stats::Statistics out;
  for (const graph::BatchNorm& layer : layers)
    out.push_back({layer.name, golden.values("ema/" + layer.name + "/mean"),
                   golden.values("ema/" + layer.name + "/" + variance)});
  return out;
}

/// One model with its golden values.
struct Bench {
  const Golden& golden;
  Engine engine;  ///< up to the logits
  std::vector<std::vector<float>> probe = golden.inputs("probe.x"), adapt = golden.inputs("adapt.x");

  void check_logits(const stats::Statistics& statistics, const std::string& name) {
    CAPTURE(name);
    const std::vector<double> logits = golden.values(name + ".probe.logits");
    check_near(engine.infer(statistics, images_of(probe), {}), logits, 1e-4 * largest(logits));
  }

  [[nodiscard]] stats::Statistics run(const Mode& mode) {
    return engine.run(mode, images_of(adapt), nullptr, {}).statistics;
  }

  void check_measured(const Semantics semantics, const std::string& key) {
    CAPTURE(key);
    for (const stats::LayerStatistics& layer : run({.semantics = semantics}))
      check_statistics(layer, golden.values(key + "/" + layer.name + "/mean"),
                       golden.values(key + "/" + layer.name + "/var"));
  }

  void check_ema() {
    const auto batch = static_cast<std::size_t>(golden.json("batch_size").as_integer());
    const stats::Statistics after =
        run({.semantics = Semantics::batch, .estimator = Estimator::ema, .batch = static_cast<std::int64_t>(batch)});
    const std::vector<graph::BatchNorm>& layers = engine.batch_norms();
    for (std::size_t i = 0; i < layers.size(); ++i)
      check_statistics(after[i], golden.values("ema/" + layers[i].name + "/mean"),
                       expected_ema(golden, layers[i], engine.source()[i].variance, adapt.size(), batch));
    check_logits(golden_statistics(golden, layers, "var_biased"), "ema_biased");
    check_logits(golden_statistics(golden, layers, "var_unbiased"), "ema_unbiased");
  }
};

std::vector<std::string> names_of(const std::vector<graph::BatchNorm>& layers) {
  std::vector<std::string> out;
  out.reserve(layers.size());
  for (const graph::BatchNorm& layer : layers) out.push_back(layer.name);
  return out;
}

std::vector<std::string> texts_of(const container::Json& list) {
  std::vector<std::string> out;
  for (const container::Json& item : list.as_array()) out.push_back(item.as_string());
  return out;
}

}  // namespace

// Oracle: the float64 evaluation, as above.
TEST_CASE("golden: every Keras model gives its outputs, statistics and averages", "[golden]") {
  const auto shared = test::shared_data("golden: every Keras model gives its outputs, statistics and averages");
  if (!shared) return;
  const fs::path folder = *shared / "data/keras";
  for (const File& file : files(folder)) {
    CAPTURE(file.name);
    formats::Checkpoint checkpoint = read(folder, file);
    REQUIRE(checkpoint.graph);
    graph::infer_shapes(*checkpoint.graph);
    const Golden golden(folder / (file.stem + ".golden.safetensors"));
    Engine whole(*checkpoint.graph, {.threads = 1});
    Bench bench{golden, Engine(without_softmax(*checkpoint.graph), {.threads = 1})};
    // Order in the file's configuration and in the graph may differ between branches.
    std::vector<std::string> found = names_of(bench.engine.batch_norms()), named = texts_of(golden.json("bn_order"));
    std::ranges::sort(found);
    std::ranges::sort(named);
    CHECK(found == named);

    check_near(whole.infer(whole.source(), images_of(bench.probe), {}), golden.values("stored.probe.out"), 1e-4);
    bench.check_logits(bench.engine.source(), "stored");
    if (found.empty()) continue;
    bench.check_measured(Semantics::source, "stored.in");
    bench.check_measured(Semantics::layerwise, "adabn");
    bench.check_logits(bench.run({}), "adabn");
    bench.check_logits(bench.run({.policy = Policy::disabled}), "affine");
    bench.check_ema();
  }
}

// Oracle: the settings in each golden file; docs/reference/estimators.md#stored-variance.
TEST_CASE("golden: epsilon, momentum and stored variance of every Keras BatchNorm are the file's", "[golden]") {
  const auto shared =
      test::shared_data("golden: epsilon, momentum and stored variance of every Keras BatchNorm are the file's");
  if (!shared) return;
  const fs::path folder = *shared / "data/keras";
  // docs/reference/estimators.md#stored-variance: by what wrote the file; BatchNorms on two axes are never fused.
  using graph::StoredVariance;
  const std::map<std::string, StoredVariance> fused{{"tiny_resnet8_cifar10", StoredVariance::sample},
                                                    {"EEGNet-8-2", StoredVariance::sample},
                                                    {"syn_k224_channels_first", StoredVariance::keras_twice},
                                                    {"syn_k224_nested", StoredVariance::keras_twice},
                                                    {"syn_k224_chunked_attributes", StoredVariance::keras_twice}};
  for (const File& file : files(folder)) {
    CAPTURE(file.name);
    const formats::Checkpoint checkpoint = read(folder, file);
    const Golden golden(folder / (file.stem + ".golden.safetensors"));
    const container::Json settings = golden.json("bn_settings"), shapes = golden.json("trace_shapes");
    for (const graph::BatchNorm& layer : graph::batch_norms(*checkpoint.graph)) {
      CAPTURE(layer.name);
      const container::Json& expected = settings.at(layer.name);
      // Attributes of a node are float32.
      CHECK(layer.epsilon == Approx(expected.at("epsilon").as_number()).epsilon(1e-6));
      CHECK(1.0 - layer.momentum == Approx(expected.at("momentum").as_number()).epsilon(1e-6));
      const auto known = fused.find(file.stem);
      StoredVariance kind = known == fused.end() ? StoredVariance::population : known->second;
      if (shapes.at(layer.name).as_array().size() == 1)
        kind = kind == StoredVariance::keras_twice ? StoredVariance::keras_once : StoredVariance::population;
      CHECK(layer.stored_variance == kind);
    }
  }
}

TEST_CASE("golden: an adapted Keras file differs in its moving statistics alone", "[golden]") {
  const auto shared = test::shared_data("golden: an adapted Keras file differs in its moving statistics alone");
  if (!shared) return;
  const fs::path folder = *shared / "data/keras";
  for (const File& file : files(folder)) {
    CAPTURE(file.name);
    const formats::Checkpoint before = read(folder, file);
    const Golden golden(folder / (file.stem + ".golden.safetensors"));
    const container::Json datasets = golden.json("bn_datasets");
    std::vector<formats::Patch> patches;
    for (const graph::BatchNorm& layer : graph::batch_norms(*before.graph)) {
      CAPTURE(layer.name);
      // Oracle: the golden file's HDF5 paths.
      CHECK(before.graph->value(layer.mean).name == datasets.at(layer.name).at("moving_mean").as_string());
      CHECK(before.graph->value(layer.variance).name == datasets.at(layer.name).at("moving_variance").as_string());
      patches.push_back({before.graph->value(layer.mean).name, golden.values("adabn/" + layer.name + "/mean")});
      patches.push_back({before.graph->value(layer.variance).name, golden.values("adabn/" + layer.name + "/var")});
    }
    const auto written = formats::write_checkpoint(before, patches, "adapted");
    REQUIRE(written.size() == 1);
    CHECK(written[0].bytes.size() == before.bytes.size());
    const test::TempDir temporary;
    write_file(temporary.path() / "adapted", written[0].bytes);
    File moved = file;
    moved.name = (temporary.path() / "adapted").string();
    const formats::Checkpoint after = read(folder, moved);
    REQUIRE(after.tensors.size() == before.tensors.size());
    for (std::size_t i = 0; i < after.tensors.size(); ++i) {
      const formats::NamedTensor& tensor = after.tensors[i];
      const auto patch = std::ranges::find_if(patches, [&](const formats::Patch& p) { return p.name == tensor.name; });
      if (patch == patches.end())
        CHECK(std::ranges::equal(tensor.values.bytes(), before.tensors[i].values.bytes()));
      else
        CHECK(tensor.values.to_float() == std::vector<float>(patch->values.begin(), patch->values.end()));
    }
  }
}
