#include "shiftnorm/toolkit/restore.hpp"

#include <catch2/catch.hpp>
#include <chrono>

#include "shiftnorm/container/safetensors.hpp"
#include "shiftnorm/core/error.hpp"
#include "shiftnorm/core/file.hpp"
#include "support/shared_data.hpp"
#include "support_network.hpp"

using namespace shiftnorm;
using Catch::Matchers::Contains, Catch::Matchers::StartsWith;
using toolkit::RestoredModel, test::Tensors;

namespace {

const std::string kNet = "cifar_resnet20";

Array ones(const Shape& shape) {
  return Array::from_floats(shape, std::vector<float>(static_cast<std::size_t>(shape.elements()), 1.0f));
}

RestoredModel restored(const Tensors& tensors, const toolkit::NetworkSource& source = {.architecture = kNet}) {
  const test::TempDir dir;
  write_file(dir.path() / "net.safetensors", container::write_safetensors(tensors));
  return toolkit::restore(dir.path() / "net.safetensors", source);
}

Tensors behind(const std::string& prefix, unsigned seed = 11) {
  Tensors tensors = test::random_network(kNet, seed);
  for (auto& [name, values] : tensors) name.insert(0, prefix);
  return tensors;
}

Tensors without_head() {
  Tensors tensors = behind("");
  std::erase_if(tensors, [](const auto& tensor) { return tensor.first.starts_with("linear."); });
  return tensors;
}

Tensors operator+(Tensors a, const Tensors& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

std::string mean_of_first(const RestoredModel& model) {
  return model.name_in_file(graph::batch_norms(model.graph)[0].mean);
}

std::int64_t outputs(const RestoredModel& model) { return (*model.graph.value(model.graph.outputs()[0]).shape)[1]; }

/// The assumption that holds this text; empty: none does.
std::string assumed(const RestoredModel& model, const std::string& text) {
  for (const std::string& one : model.assumed())
    if (one.find(text) != std::string::npos) return one;
  return {};
}

}  // namespace

// Oracle: the prefix put before every name.
TEST_CASE("any prefix is undone, whatever else the file holds", "[experiment]") {
  const std::string prefix = GENERATE("", "_orig_mod.", "module._orig_mod.", "_fsdp_wrapped_module.", "resnet.",
                                      "encoder.", "model.resnet.", "module.");
  const Tensors others{{"criterion.weight", ones({10})},  {"n_averaged", Array(DType::i64, Shape{})},
                       {"val_acc.confmat", ones({3, 3})}, {"dino_loss.center", ones({1, 4})},
                       {"train_f1.tp", ones({10})},       {prefix + "total_ops", ones({1})}};
  const RestoredModel model = restored(behind(prefix) + others);
  CHECK(mean_of_first(model) == prefix + "bn1.running_mean");
  CHECK(assumed(model, "several").empty());
}

// Oracle: PyTorch's FSDP and checkpoint_wrapper, which put these into names.
TEST_CASE("wrappings in the middle of names are undone", "[experiment]") {
  Tensors tensors = behind("_fsdp_wrapped_module.");
  for (auto& [name, values] : tensors)
    if (const std::size_t at = name.find("layer1.0."); at != std::string::npos)
      name.insert(at + 9, "_checkpoint_wrapped_module._fsdp_wrapped_module.");
  const RestoredModel model = restored(tensors);
  CHECK(model.name_in_file(graph::batch_norms(model.graph)[1].mean) ==
        "_fsdp_wrapped_module.layer1.0._checkpoint_wrapped_module._fsdp_wrapped_module.bn1.running_mean");
}

// Oracle: the tensors put in beside the network's own.
TEST_CASE("what the network does not use is an error that names it", "[experiment]") {
  const Tensors attention{{"layer1.0.fc1.weight", ones({2, 16, 1, 1})}, {"layer1.0.fc1.bias", ones({2})}};
  CHECK_THROWS_AS(restored(behind("") + attention), FormatError);
  CHECK_THROWS_WITH(restored(behind("") + attention),
                    "net.safetensors as cifar_resnet20: the file does not fit the architecture: 2 tensors that it does "
                    "not use (layer1.0.fc1.weight, layer1.0.fc1.bias); expected the network of all of them, or "
                    "--allow-unused PATTERN for what changes none of its outputs");
  const toolkit::NetworkSource allowed{.architecture = kNet, .allow_unused = {"*.fc1.*"}};
  CHECK(restored(behind("") + attention, allowed).binding.left_over.size() == 2);
  // Behind another prefix a layer may be the network's real head, or a decoder.
  CHECK_THROWS_WITH(restored(behind("backbone.") + Tensors{{"decoder.weight", ones({2, 64})}}),
                    Contains("1 tensor that it does not use (decoder.weight)"));
  // A name inside of the network's layers does not make a loss of them.
  CHECK_THROWS_WITH(restored(behind("") + Tensors{{"layer1.0.loss.weight", ones({2})}}),
                    Contains("(layer1.0.loss.weight)"));
}

// Oracle: the names of docs/decisions/0039; all of the network's own tensors are used.
TEST_CASE("what cannot change the outputs is no error", "[experiment]") {
  const std::string name = GENERATE("bn1.num_batches_tracked", "layer1.0.total_params", "aux1.conv.weight",
                                    "aux_classifier.0.running_mean", "AuxLogits.fc.weight", "queue", "queue_ptr",
                                    "criterion.weight", "CrossEntropyLoss.weight", "metrics.auroc.tp");
  CHECK(restored(behind("") + Tensors{{name, ones({4})}}).binding.pairs.size() == behind("").size());
}

// Rule: docs/decisions/0038, what the authors' own evaluation loads.
// Oracle: the authors' own evaluation scripts, as decision 0038 cites them.
TEST_CASE("of several sets of weights one is chosen by a rule, which is told", "[experiment]") {
  struct Case {
    std::string chosen, other;
    const char* because;
  };
  const auto c = GENERATE(Case{"module.encoder_q.", "module.encoder_k.", "as MoCo's own evaluation does"},
                          Case{"teacher.backbone.", "student.backbone.", "as the evaluations of DINO and of mean"},
                          Case{"modelTeacher.", "modelStudent.", "as the evaluations of DINO and of mean teachers do"},
                          Case{"module.base_encoder.", "module.momentum_encoder.", "as MoCo v3's own evaluation does"},
                          Case{"online_encoder.net.", "target_encoder.net.", "as BYOL's own evaluation does"},
                          Case{"model.", "model_ema.", "the network's own before an average of it"},
                          Case{"a.", "b.", "the first"});
  const bool swapped = GENERATE(false, true);
  const Tensors tensors = swapped && std::string(c.because) != "the first" ? behind(c.other, 3) + behind(c.chosen)
                                                                           : behind(c.chosen) + behind(c.other, 3);
  const RestoredModel model = restored(tensors);
  CHECK(mean_of_first(model) == c.chosen + "bn1.running_mean");
  const auto name = [](const std::string& prefix) { return prefix.substr(0, prefix.size() - 1); };
  const std::string told = assumed(model, "several sets of weights");
  CHECK_THAT(told, StartsWith("net.safetensors: holds several sets of weights; " + name(c.chosen) + " is used, "));
  CHECK_THAT(told, Contains(c.because) && Contains("not " + name(c.other) + " (--weights selects another)"));

  const RestoredModel other = restored(tensors, {.architecture = kNet, .weights = name(c.other)});
  CHECK(mean_of_first(other) == c.other + "bn1.running_mean");
  CHECK(assumed(other, "several").empty());
  CHECK(model.parameters == 269722);  // one network's
}

// Law: each set is looked at once. When all tensors were walked through for each of them, this took minutes.
TEST_CASE("a file of a hundred thousand sets is refused at once", "[experiment]") {
  constexpr int kSets = 100'000;
  Tensors tensors;
  const Array one = ones({1});
  for (int i = 0; i < kSets; ++i) tensors.emplace_back("net" + std::to_string(i) + ".conv1.weight", one);
  const auto begin = std::chrono::steady_clock::now();
  CHECK_THROWS_AS(restored(tensors), FormatError);
  // A second or two; the bound is for runaways, on a busy machine and under sanitizers.
  CHECK(std::chrono::steady_clock::now() - begin < std::chrono::seconds(60));
}

// Oracle: what each name begins with, by hand. A prefix that begins another one, and names that sort between the two.
TEST_CASE("what belongs to another set is no left-over, whatever its prefix", "[experiment]") {
  Tensors tensors = behind("") + behind("model.", 12) + behind("model.ema.", 13) + behind("student.", 14);
  const RestoredModel model = restored(tensors);
  CHECK(mean_of_first(model) == "bn1.running_mean");
  CHECK(model.binding.left_over.size() == 3 * behind("").size());
  for (const std::string name : {"model", "modelled.weight", "student", "studenta.weight", "a.weight"})
    CHECK_THROWS_WITH(restored(tensors + Tensors{{name, ones({2})}}),
                      Contains("1 tensor that it does not use (" + name + ")"));
  for (const std::string name : {"model.a.weight", "model.ema.z", "student.head.weight"})
    CHECK(restored(tensors + Tensors{{name, ones({2})}}).binding.left_over.size() == 3 * behind("").size() + 1);
}

// Oracle: the prefixes put in.
TEST_CASE("a set of weights is named by the end of its prefix too, and a wrong name lists those there are",
          "[experiment]") {
  const Tensors tensors = behind("module.encoder_q.") + behind("module.encoder_k.", 3);
  CHECK(mean_of_first(restored(tensors, {.architecture = kNet, .weights = "encoder_k"})) ==
        "module.encoder_k.bn1.running_mean");
  CHECK_THROWS_AS(restored(tensors, {.architecture = kNet, .weights = "ema"}), ConfigError);
  CHECK_THROWS_WITH(restored(tensors, {.architecture = kNet, .weights = "ema"}),
                    "net.safetensors: has no set of weights 'ema'; expected module.encoder_q, module.encoder_k");
  CHECK_THROWS_WITH(restored(behind(""), {.architecture = kNet, .weights = "ema"}),
                    "net.safetensors: has no set of weights 'ema'; expected the one without a prefix");
}

// Oracle: nn.Conv2d has `bias` where it was built with one; BatchNorms with affine=False have neither.
TEST_CASE("convolutions take a bias where the file has one", "[experiment]") {
  const RestoredModel model = restored(behind("") + Tensors{{"conv1.bias", ones({16})}});
  CHECK(model.graph.nodes()[0].inputs.size() == 3);
  CHECK(model.binding.left_over.empty());
  CHECK_THROWS_WITH(restored(behind("") + Tensors{{"conv1.bias", ones({8})}}), Contains("not use (conv1.bias)"));
}

// Oracle: the tensors that were left out.
TEST_CASE("BatchNorms without scale and bias are built so", "[experiment]") {
  Tensors tensors = behind("");
  std::erase_if(tensors, [](const auto& t) {
    return t.first.find("bn") != std::string::npos && t.first.find("running") == std::string::npos;
  });
  const RestoredModel model = restored(tensors);
  for (const graph::BatchNorm& layer : graph::batch_norms(model.graph)) CHECK_FALSE(layer.affine);
  CHECK(graph::batch_norms(model.graph)[0].name == "bn1");
  // Of some only: damaged.
  std::erase_if(tensors, [](const auto& t) { return t.first == "bn1.running_mean"; });
  CHECK_THROWS_WITH(restored(tensors), Contains("1 missing (bn1.running_mean)"));
}

// Oracle: the shapes put in, and torch.nn's order of layers.
TEST_CASE("the head is the file's", "[experiment]") {
  SECTION("behind dropout") {
    const RestoredModel model =
        restored(without_head() + Tensors{{"linear.1.weight", ones({3, 64})}, {"linear.1.bias", ones({3})}});
    CHECK(outputs(model) == 3);
    CHECK_THAT(assumed(model, "head"),
               Contains("head 'linear' is assumed to be Linear 64 to 3 (linear.1): weights say nothing"));
  }
  SECTION("several layers, one without a bias") {
    const RestoredModel model = restored(without_head() + Tensors{{"linear.0.weight", ones({32, 64})},
                                                                  {"linear.0.bias", ones({32})},
                                                                  {"linear.3.weight", ones({5, 32})}});
    CHECK(outputs(model) == 5);
    CHECK_THAT(assumed(model, "head"),
               Contains("Linear 64 to 32 (linear.0), ReLU (assumed), Linear 32 to 5 (linear.3)"));
  }
  SECTION("BatchNorm1d between, the activation behind it") {
    const RestoredModel model = restored(without_head() + Tensors{{"linear.0.weight", ones({32, 64})},
                                                                  {"linear.1.weight", ones({32})},
                                                                  {"linear.1.bias", ones({32})},
                                                                  {"linear.1.running_mean", ones({32})},
                                                                  {"linear.1.running_var", ones({32})},
                                                                  {"linear.3.weight", ones({5, 32})}});
    CHECK(graph::batch_norms(model.graph).size() == 20);
    CHECK_THAT(assumed(model, "head"),
               Contains("Linear 64 to 32 (linear.0), BatchNorm1d (linear.1), ReLU (assumed), Linear 32 to 5"));
  }
  SECTION("no place for an activation") {
    const RestoredModel model =
        restored(without_head() + Tensors{{"linear.0.weight", ones({32, 64})}, {"linear.1.weight", ones({5, 32})}});
    CHECK_THAT(assumed(model, "head"),
               Contains("to be Linear 64 to 32 (linear.0), Linear 32 to 5 (linear.1): weights"));
  }
  SECTION("numbers in the order of numbers, as files that sort their names have not") {
    const RestoredModel model =
        restored(without_head() + Tensors{{"linear.10.weight", ones({5, 32})}, {"linear.2.weight", ones({32, 64})}});
    CHECK(outputs(model) == 5);
  }
  SECTION("under another name") {
    const RestoredModel model = restored(without_head() + Tensors{{"last_linear.weight", ones({7, 64})}});
    CHECK(outputs(model) == 7);
    CHECK_THAT(assumed(model, "head"), Contains("head 'last_linear' is assumed to be"));
  }
  SECTION("of its own, nothing is said") { CHECK(assumed(restored(behind("")), "head").empty()); }
  SECTION("that cannot be told") {
    CHECK_THROWS_WITH(restored(without_head() + Tensors{{"linear.weight_g", ones({10, 1})}}),
                      Contains("head layer 'linear' has weight_g [10, 1]; expected Linear"));
    CHECK_THROWS_WITH(restored(without_head() + Tensors{{"linear.weight", ones({10, 128})}}),
                      Contains("head layer 'linear' takes 128 values and is given 64"));
  }
}

// Oracle: by hand: ResNet-20 has 64 features and 19 BatchNorms.
TEST_CASE("a file without a head gives features, and says so", "[experiment]") {
  const RestoredModel model = restored(without_head());
  CHECK(model.features);
  CHECK(outputs(model) == 64);
  CHECK_THAT(assumed(model, "no head"), Contains("has no head 'linear': the outputs are the features before it"));
  CHECK(graph::batch_norms(model.graph).size() == 19);
}

// Law: what no tensor holds is said to be assumed.
TEST_CASE("what no weights tell of an architecture is told as assumed", "[experiment]") {
  CHECK(assumed(restored(behind("")), "strides") ==
        "net.safetensors as cifar_resnet20: strides, dilations, padding and pooling are taken from the architecture; "
        "weights do not show them");
}

// Oracle: the head of three and the bias put in.
TEST_CASE("a network is built again for another size with its own weights and head", "[experiment]") {
  RestoredModel model =
      restored(without_head() + Tensors{{"linear.1.weight", ones({3, 64})}, {"conv1.bias", ones({16})}});
  toolkit::fit_input(model, Shape{3, 48, 40});
  CHECK(outputs(model) == 3);
  CHECK(model.graph.nodes()[0].inputs.size() == 3);
}
