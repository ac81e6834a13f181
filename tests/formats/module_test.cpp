#include <catch2/catch.hpp>
#include <functional>

#include "formats/torch_file.hpp"
#include "shiftnorm/core/error.hpp"
#include "shiftnorm/formats/checkpoint.hpp"
#include "shiftnorm/graph/batch_norms.hpp"
#include "shiftnorm/graph/shapes.hpp"
#include "support/shared_data.hpp"

using namespace shiftnorm;
using namespace shiftnorm::formats;
using Catch::Matchers::Contains;
using test::PickleBuilder, test::TorchFile;

namespace {

/// Pickles modules as torch.save(model) does: NEWOBJ of the class, then BUILD with the attributes' dict.
class ModuleFile {
 public:
  using Fill = std::function<void()>;

  void module(const std::string& path, const std::string& name, const Fill& attributes, const Fill& tensors = {},
              const Fill& modules = {}) {
    pickle_.global(path, name).op(')').byte(0x81).op('}').mark();
    pickle_.text("training").boolean(false);
    attributes();
    for (const auto& [part, fill] : {std::pair{"_parameters", tensors}, {"_buffers", {}}, {"_modules", modules}}) {
      pickle_.text(part).empty_ordered_dict().mark();
      if (fill) fill();
      pickle_.op('u');
    }
    pickle_.op('u').op('b');
  }
  void integer(const std::string& key, std::int64_t value) { pickle_.text(key).integer(value); }
  void child(const std::string& name) { pickle_.text(name); }
  void tensor(const std::string& name, const std::vector<std::int64_t>& sizes) {
    std::int64_t count = 1;
    std::vector<std::int64_t> strides(sizes.size());
    for (std::size_t i = sizes.size(); i-- > 0; count *= sizes[i]) strides[i] = count;
    const std::size_t s =
        file_.add_floats(std::to_string(file_.storages.size()), std::vector<float>(static_cast<std::size_t>(count), 1));
    pickle_.text(name);
    file_.tensor(pickle_, {name, s, 0, sizes, strides}, false);
  }
  void linear(std::int64_t in, std::int64_t out) {
    module(
        "torch.nn.modules.linear", "Linear", [&] { integer("in_features", in); },
        [&] {
          tensor("weight", {out, in});
        });
  }
  void norm(std::int64_t channels) {
    module(
        "torch.nn.modules.batchnorm", "BatchNorm1d", [&] { integer("num_features", channels); },
        [&] {
          for (const char* part : {"weight", "bias", "running_mean", "running_var"}) tensor(part, {channels});
        });
  }
  [[nodiscard]] std::vector<std::byte> finish() const { return file_.zip_around(pickle_.finish()); }
  PickleBuilder& pickle() { return pickle_; }

 private:
  TorchFile file_;
  PickleBuilder pickle_;
};

Checkpoint parse(const ModuleFile& file) { return parse_checkpoint(file.finish(), "net.pth"); }

void sequential(ModuleFile& file, const ModuleFile::Fill& layers) {
  file.module(
      "torch.nn.modules.container", "Sequential", [] {}, {}, layers);
}

}  // namespace

// Oracle: torch.nn.Sequential's own names and shapes, by hand.
TEST_CASE("A pickled chain of stock layers brings its graph", "[formats]") {
  ModuleFile file;
  sequential(file, [&] {
    file.child("0");
    file.linear(4, 3);
    file.child("body");
    sequential(file, [&] {
      file.child("bn");
      file.norm(3);
      file.child("drop");
      file.module("torch.nn.modules.dropout", "Dropout", [] {});
    });
  });
  const Checkpoint checkpoint = parse(file);
  REQUIRE(checkpoint.graph);
  CHECK(*checkpoint.graph->value(checkpoint.graph->input()).shape == Shape{1, 4});
  const auto norms = graph::batch_norms(*checkpoint.graph);
  REQUIRE(norms.size() == 1);
  CHECK(norms[0].name == "body.bn");
  CHECK(checkpoint.find("body.bn.running_mean") != nullptr);
  graph::Graph graph = *checkpoint.graph;
  graph::infer_shapes(graph);
  CHECK(*graph.value(graph.outputs().front()).shape == Shape{1, 3});
}

// Oracle: the attributes as they are written here.
TEST_CASE("A pickled module tells epsilon and momentum of its BatchNorms, whatever its own class", "[formats]") {
  ModuleFile file;
  const auto norm = [&](const std::string& name, double epsilon, const std::function<void()>& momentum,
                        const std::vector<const char*>& tensors) {
    file.child(name);
    file.module(
        "torch.nn.modules.batchnorm", "BatchNorm2d",
        [&] {
          file.pickle().text("eps").real(epsilon).text("momentum");
          momentum();
        },
        [&] {
          for (const char* part : tensors) file.tensor(part, {3});
        });
  };
  file.module(
      "mynet.models", "Net", [] {}, {},
      [&] {
        norm("bn1", 1e-3, [&] { file.pickle().real(0.3); }, {"weight", "bias", "running_mean", "running_var"});
        norm("bn2", 0.5, [&] { file.pickle().op('N'); }, {"weight", "bias"});
        norm("bn3", 0.0, [&] { file.pickle().integer(1); }, {"running_mean", "running_var"});
        file.child("fc");
        file.linear(4, 3);
      });
  const Checkpoint checkpoint = parse(file);
  REQUIRE(checkpoint.norms.size() == 3);
  CHECK(checkpoint.norms[0].layer == "bn1");
  CHECK(checkpoint.norms[0].epsilon == 1e-3);
  CHECK(checkpoint.norms[0].momentum == 0.3);
  CHECK(checkpoint.norms[1].epsilon == 0.5);
  CHECK_FALSE(checkpoint.norms[1].momentum);  // momentum=None, a cumulative average
  CHECK(checkpoint.norms[2].momentum == 1.0);
  ModuleFile bad;
  bad.module(
      "torch.nn.modules.batchnorm", "BatchNorm2d", [&] { bad.pickle().text("eps").real(-1); },
      [&] { bad.tensor("running_var", {3}); });
  CHECK_THROWS_WITH(parse(bad), Contains("eps -1 and momentum 0; expected numbers in [0, 1]"));
}

// Law: code is never looked for; what is missing is named.
TEST_CASE("A module of other classes gives its tensors and says what it is", "[formats]") {
  ModuleFile file;
  file.module(
      "mynet.models", "Net", [] {}, {},
      [&] {
        file.child("fc");
        file.linear(4, 3);
      });
  const Checkpoint checkpoint = parse(file);
  CHECK_FALSE(checkpoint.graph);
  CHECK(checkpoint.no_graph == "a pickled module of class 'mynet.models.Net', whose code is not in the file");
  CHECK(checkpoint.find("fc.weight") != nullptr);

  ModuleFile mixed;
  sequential(mixed, [&] {
    mixed.child("0");
    mixed.module("mynet.models", "Block", [] {});
  });
  CHECK(parse(mixed).no_graph ==
        "a pickled module whose part '0' is of class 'mynet.models.Block', which is not a stock layer");
}

// Law: what a layer cannot be built without is named.
TEST_CASE("A stock layer that asks for what is not there is told", "[formats]") {
  ModuleFile file;
  sequential(file, [&] {
    file.child("0");
    file.linear(4, 3);
    file.child("1");
    file.module("torch.nn.modules.batchnorm", "BatchNorm1d", [&] { file.integer("num_features", 3); });
  });
  CHECK_THAT(parse(file).no_graph,
             Contains("layer '1' (torch.nn.modules.batchnorm.BatchNorm1d): a BatchNorm that keeps no running"));
}

// Laws: trees that hold themselves end, and calling a class is calling.
TEST_CASE("Hostile modules are refused", "[formats]") {
  const TorchFile file;
  SECTION("a module inside itself") {
    PickleBuilder pickle;
    pickle.global("a", "B").op(')').byte(0x81).raw("q\x01}(");
    for (const char* part : {"_parameters", "_buffers"}) pickle.text(part).op('}');
    pickle.text("_modules").op('}').text("me").raw("h\x01s").op('u').op('b');
    CHECK_THROWS_WITH(parse_checkpoint(file.zip_around(pickle.finish()), "net.pth"),
                      Contains("lies more than 64 modules deep"));
  }
  SECTION("thirty levels that hold the next one twice") {
    PickleBuilder pickle;
    pickle.none().raw(std::string("r\x00\x00\x00\x00", 5));
    for (char level = 0; level < 30; ++level) {
      pickle.global("a", "B").op(')').byte(0x81).op('}').mark();
      for (const char* part : {"_parameters", "_buffers"}) pickle.text(part).op('}');
      pickle.text("_modules").op('}').mark();
      for (const char* name : {"l", "r"}) pickle.text(name).op('h').byte(static_cast<unsigned>(level));
      pickle.op('u').op('u').op('b').op('q').byte(static_cast<unsigned>(level) + 1);
    }
    CHECK_THROWS_WITH(parse_checkpoint(file.zip_around(pickle.finish()), "net.pth"),
                      Contains("names more than any network has"));
  }
  SECTION("a class that is called") {
    PickleBuilder pickle;
    pickle.global("torch.nn.modules.linear", "Linear").op(')').op('R');
    CHECK_THROWS_WITH(parse_checkpoint(file.zip_around(pickle.finish()), "net.pth"),
                      Contains("the pickle names 'torch.nn.modules.linear.Linear'"));
  }
  SECTION("names joined again and again") {
    PickleBuilder pickle;
    pickle.text(std::string(100000, 'a')).raw("q\x01").text("b").raw("q\x02");
    for (int i = 0; i < 100; ++i) pickle.raw("h\x01h\x02").byte(0x93).op('0');
    CHECK_THROWS_WITH(parse_checkpoint(file.zip_around(pickle.finish()), "net.pth"),
                      Contains("more than 4194304 references"));
  }
}

// Oracle: PyTorch's logits of the same file are compared in tests/parity; here the numbers of its own layers.
TEST_CASE("The stock module of the shared data takes any size of image", "[formats]") {
  const auto shared = test::shared_data("The stock module of the shared data takes any size of image");
  if (!shared) return;
  const Checkpoint checkpoint = read_checkpoint(*shared / "data/variants/sequential_module.pth");
  REQUIRE(checkpoint.graph);
  CHECK(*checkpoint.graph->value(checkpoint.graph->input()).shape == Shape{1, 3, 0, 0});
  const auto norms = graph::batch_norms(*checkpoint.graph);
  REQUIRE(norms.size() == 2);
  CHECK(norms[1].epsilon == Approx(1e-3));
  graph::Graph graph = graph_for(checkpoint, Shape{1, 3, 20, 24});
  graph::infer_shapes(graph);
  CHECK(*graph.value(graph.outputs().front()).shape == Shape{1, 10});
  CHECK_THROWS_WITH(
      [&] {
        graph::Graph small = graph_for(checkpoint, Shape{1, 3, 1, 1});
        graph::infer_shapes(small);
      }(),
      Contains("pool1"));
}
