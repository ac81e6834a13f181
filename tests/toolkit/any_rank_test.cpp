// Networks that take no images. Oracle: PyTorch, any_rank_golden.py.
#include <catch2/catch.hpp>
#include <cmath>

#include "any_rank_goldens.hpp"
#include "shiftnorm/container/json.hpp"
#include "shiftnorm/container/safetensors.hpp"
#include "shiftnorm/core/error.hpp"
#include "shiftnorm/core/file.hpp"
#include "shiftnorm/graph/shapes.hpp"
#include "shiftnorm/toolkit/export.hpp"
#include "shiftnorm/toolkit/scoring.hpp"
#include "shiftnorm/toolkit/session.hpp"
#include "support/npy_file.hpp"
#include "support/shared_data.hpp"

using namespace shiftnorm;
using graph::Graph, graph::ValueId;

namespace {

constexpr std::int64_t kCount = 6;

Array wave(const Shape& shape, double step, double offset = 0, double scale = 1) {
  std::vector<float> values(static_cast<std::size_t>(shape.elements()));
  for (std::size_t i = 0; i < values.size(); ++i)
    values[i] = static_cast<float>(offset + scale * std::sin(step * static_cast<double>(i)));
  return Array::from_floats(shape, values);
}

/// A chain of layers, numbered as nn.Sequential does.
class Chain {
 public:
  explicit Chain(Shape one) { at_ = graph_.add_input("input", std::move(one)); }
  Chain& convolution(const Shape& weights, std::map<std::string, graph::Attribute> attributes) {
    return add("Conv", {parameter("weight", weights), parameter("bias", {weights[0]})}, std::move(attributes));
  }
  Chain& linear(std::int64_t in, std::int64_t out) {
    return add("Gemm", {parameter("weight", {out, in}), parameter("bias", {out})}, {{"transB", std::int64_t{1}}});
  }
  Chain& batch_norm(std::int64_t channels) {
    std::vector<ValueId> vectors;
    for (const char* name : {"weight", "bias", "running_mean", "running_var"})
      vectors.push_back(parameter(name, {channels}));
    ++number_;  // num_batches_tracked is an entry of the state_dict too
    return add("BatchNormalization", std::move(vectors));
  }
  Chain& add(const std::string& op, std::vector<ValueId> more = {},
             std::map<std::string, graph::Attribute> attributes = {}) {
    more.insert(more.begin(), at_);
    at_ = graph_.add(op, std::to_string(layer_++), std::move(more), std::move(attributes));
    return *this;
  }
  /// As if a file with these weights had held the graph; `file`: other bytes than the chain's own weights.
  [[nodiscard]] toolkit::RestoredModel restored(std::vector<std::byte> file = {}) {
    graph_.set_outputs({at_});
    graph_.value(at_).name = "scores";
    if (file.empty()) file = container::write_safetensors(arrays_);
    toolkit::RestoredModel model;
    model.checkpoint = formats::parse_checkpoint(std::move(file), "net.safetensors");
    model.graph = graph_;
    std::vector<graph::NamedSource> sources;
    for (const formats::NamedTensor& tensor : model.checkpoint.tensors)
      sources.push_back({tensor.name, tensor.values.shape(), &tensor.values});
    model.binding = graph::bind(model.graph, sources);
    return model;
  }

 private:
  ValueId parameter(const std::string& name, const Shape& shape) {
    const std::string full = std::to_string(layer_) + "." + name;
    const bool positive = name == "running_var" || (shape.rank() == 1 && name == "weight");
    arrays_.emplace_back(full, wave(shape, 0.7 + 0.1 * number_++, positive ? 1 : 0, 0.5));
    return graph_.add_parameter(full, shape);
  }
  Graph graph_;
  ValueId at_ = graph::kNone;
  int layer_ = 0, number_ = 0;
  std::vector<std::pair<std::string, Array>> arrays_;
};

using Numbers = std::vector<std::int64_t>;

Chain sequences(const Shape& one) {
  return Chain(one)
      .convolution({8, 3, 5}, {{"strides", Numbers{2}}, {"pads", Numbers{2, 2}}})
      .batch_norm(8)
      .add("Relu")
      .add("MaxPool", {}, {{"kernel_shape", Numbers{2}}, {"strides", Numbers{2}}})
      .convolution({6, 4, 3}, {{"pads", Numbers{2, 2}}, {"dilations", Numbers{2}}, {"group", std::int64_t{2}}})
      .batch_norm(6)
      .add("Relu")
      .add("GlobalAveragePool")
      .add("Flatten")
      .linear(6, 4);
}

Chain volumes(const Shape& one) {
  return Chain(one)
      .convolution({4, 2, 3, 3, 3}, {{"pads", Numbers(6, 1)}})
      .batch_norm(4)
      .add("Relu")
      .add("AveragePool", {}, {{"kernel_shape", Numbers(3, 2)}, {"strides", Numbers(3, 2)}})
      .convolution({5, 4, 2, 3, 3}, {})
      .batch_norm(5)
      .add("Relu")
      .add("GlobalAveragePool")
      .add("Flatten")
      .linear(5, 4);
}

Chain features(const Shape& one) { return Chain(one).linear(10, 8).batch_norm(8).add("Relu").linear(8, 4); }

struct Case {
  const char* name;
  Chain (*build)(const Shape& one);
  Shape sample, open;  ///< open: what the graph says of its input, 0 where the data say
  const char* layout;
  const test::AnyRankGolden* golden;
};

toolkit::SessionOptions on(const std::string& where) {
  toolkit::SessionOptions options;
  options.data.path = where;
  return options;
}

std::vector<float> outputs(toolkit::Session& session, adapt::Policy policy) {
  adapt::Mode mode;
  mode.policy = policy;
  return session.engine->run(mode, session.images, &session.images, {}).outputs->values;
}

/// The array with its axis 1 moved to the end.
Array channels_last(const Array& array) {
  const Shape& shape = array.shape();
  const std::int64_t channels = shape[1], plane = shape.elements_from(2);
  const std::vector<float> from = array.to_float();
  std::vector<float> to(from.size());
  for (std::int64_t n = 0; n < shape[0]; ++n)
    for (std::int64_t c = 0; c < channels; ++c)
      for (std::int64_t p = 0; p < plane; ++p)
        to[static_cast<std::size_t>((n * plane + p) * channels + c)] =
            from[static_cast<std::size_t>((n * channels + c) * plane + p)];
  std::vector<std::int64_t> extents = shape.extents();
  std::rotate(extents.begin() + 1, extents.begin() + 2, extents.end());
  return Array::from_floats(Shape(std::move(extents)), to);
}

}  // namespace

// Oracle: PyTorch, any_rank_golden.py.
TEST_CASE("sequences, volumes and vectors are recalibrated as PyTorch does it", "[experiment]") {
  const Case one = GENERATE(Case{"sequences", sequences, {3, 20}, {1, 3, 0}, "NTC", &test::kSequences},
                            Case{"volumes", volumes, {2, 6, 7, 8}, {1, 2, 0, 0, 0}, "NDHWC", &test::kVolumes},
                            Case{"features", features, {10}, {1, 10}, "", &test::kFeatures});
  INFO(one.name);
  std::vector<std::int64_t> extents = one.sample.extents();
  extents.insert(extents.begin(), kCount);
  const Array data = wave(Shape(std::move(extents)), 0.13);
  const test::TempDir dir;
  write_file(dir.path() / "x.npy", shiftnorm::test::write_npy(data));
  const toolkit::RestoredModel model = one.build(one.open).restored();
  toolkit::Session session = toolkit::open_session(model, on((dir.path() / "x.npy").string()), {});
  CHECK(session.store->shape() == one.sample);
  CHECK(session.classifies());
  const std::vector<float> source = outputs(session, adapt::Policy::source);
  const std::vector<float> adabn = outputs(session, adapt::Policy::adabn);
  REQUIRE(source.size() == one.golden->source.size());
  for (std::size_t i = 0; i < source.size(); ++i) {
    // 1e-4 of outputs of about 1: float32 sums of a few hundred products in another order.
    CHECK(source[i] == Approx(one.golden->source[i]).margin(1e-4));
    CHECK(adabn[i] == Approx(one.golden->adabn[i]).margin(1e-4));
  }

  if (*one.layout != '\0') {
    write_file(dir.path() / "last.npy", shiftnorm::test::write_npy(channels_last(data)));
    toolkit::SessionOptions turned = on((dir.path() / "last.npy").string());
    turned.data.dataset.layout = one.layout;
    toolkit::Session again = toolkit::open_session(model, turned, {});
    CHECK(outputs(again, adapt::Policy::adabn) == adabn);
  }

  // What is written back is the file's own: its statistics under `source` are adabn's.
  adapt::Mode mode;
  const adapt::ModeResult result = session.engine->run(mode, session.images, nullptr, {});
  const toolkit::Exported exported = toolkit::export_checkpoint(
      session.model, result.statistics, {"net.safetensors", mode, kCount, "", ""}, toolkit::data_facts(session, {}));
  toolkit::Session last =
      toolkit::open_session(one.build(one.open).restored(exported.bytes), on((dir.path() / "x.npy").string()), {});
  const std::vector<float> after = outputs(last, adapt::Policy::source);
  for (std::size_t i = 0; i < after.size(); ++i) CHECK(after[i] == Approx(adabn[i]).margin(1e-4));
}

// Oracle: the two shapes of each case.
TEST_CASE("arrays that do not fit the network say both shapes", "[experiment]") {
  const test::TempDir dir;
  const std::string where = (dir.path() / "x.npy").string();
  const auto text = [&](const Array& array, const Shape& open, toolkit::SessionOptions options) -> std::string {
    write_file(where, shiftnorm::test::write_npy(array));
    try {
      (void)toolkit::open_session(sequences(open).restored(), options, {});
    } catch (const Error& e) {
      return e.what();
    }
    return {};
  };
  using Catch::Matchers::Contains;
  CHECK_THAT(text(wave({4, 20, 3}, 1), {1, 3, 0}, on(where)),
             Contains("samples have shape [20, 3]; the network takes [3, 0]"));
  CHECK_THAT(text(wave({4, 3, 21}, 1), {1, 3, 20}, on(where)),
             Contains("has shape [3, 21]; the network takes [3, 20]"));
  // Bytes of rank 3 are grey images unless a layout says otherwise, and then they need a scale.
  const Array bytes(DType::u8, {4, 3, 20});
  toolkit::SessionOptions options = on(where);
  options.preprocess = imaging::preset("cifar10");
  CHECK_THAT(text(bytes, {1, 3, 0}, options), Contains("the network takes [3, 0]; expected [C, H, W]"));
  options.data.dataset.layout = "NCT";
  CHECK_THAT(text(bytes, {1, 3, 0}, options), Contains("whole numbers, not images"));
  options.preprocess.reset();
  CHECK_THAT(text(bytes, {1, 3, 0}, options), Contains("x.npy: whole numbers without a preprocessing"));
  options.preprocess = imaging::Pipeline{"custom", {imaging::ToFloat{255.0}, imaging::Normalize{{0.5}, {0.25}}}};
  CHECK(text(bytes, {1, 3, 0}, options).empty());
}

// Oracle: by hand: 8 channels of 20 values per sample.
TEST_CASE("a network without class scores is adapted and not scored", "[experiment]") {
  const test::TempDir dir;
  const std::string where = (dir.path() / "x.npy").string();
  write_file(where, shiftnorm::test::write_npy(wave({kCount, 3, 20}, 0.13)));
  toolkit::RestoredModel model = Chain({1, 3, 0}).convolution({8, 3, 1}, {}).batch_norm(8).add("Relu").restored();
  toolkit::Session session = toolkit::open_session(std::move(model), on(where), {});
  CHECK_FALSE(session.classifies());
  adapt::Mode mode;
  const adapt::ModeResult result = session.engine->run(mode, session.images, &session.images, {});
  CHECK(result.outputs->values.size() == kCount * 8 * 20);
  toolkit::Scorer scorer;
  scorer.labels = session.labels();
  scorer.classifies = session.classifies();
  const results::ModeReport report = scorer.report(mode, result);
  CHECK(report.probabilities.empty());
  CHECK_THAT(report.note, Catch::Matchers::Contains("not a vector of class scores"));
}
