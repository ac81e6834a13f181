#include <catch2/catch.hpp>

#include "fixture.hpp"
#include "process.hpp"
#include "shiftnorm/container/json.hpp"
#include "shiftnorm/container/safetensors.hpp"
#include "shiftnorm/core/file.hpp"

using namespace shiftnorm;
using Catch::Matchers::Contains, Catch::Matchers::EndsWith;
using container::Json;

namespace {

using Tensors = std::map<std::string, Array>;

Tensors network(const test::Workplace& place) {
  return container::read_safetensors(read_file(place / "net.safetensors"));
}

void write(const test::Workplace& place, const std::string& name, const Tensors& tensors) {
  const std::vector<std::pair<std::string, Array>> all(tensors.begin(), tensors.end());
  write_file(place / name, container::write_safetensors(all));
}

/// The network twice, as MoCo saves it: encoder_q, and encoder_k with other statistics.
void write_two_sets(const test::Workplace& place) {
  Tensors both;
  for (const auto& [name, values] : network(place)) {
    both.emplace("module.encoder_q." + name, values);
    const bool mean = name.ends_with("running_mean");
    both.emplace("module.encoder_k." + name,
                 mean ? Array::from_floats(values.shape(),
                                           std::vector<float>(static_cast<std::size_t>(values.shape().elements()), 2))
                      : values);
  }
  write(place, "moco.safetensors", both);
}

std::vector<std::string> evaluate(const std::string& net, const std::vector<std::string>& more = {}) {
  std::vector<std::string> arguments{"evaluate", net,      "--arch",       "cifar_resnet20",
                                     "--data",   "images", "--preprocess", "cifar10"};
  arguments.insert(arguments.end(), more.begin(), more.end());
  return arguments;
}

Json document(const std::filesystem::path& file) { return container::parse_json(as_text(read_file(file))); }

const std::string kChoice =
    "moco.safetensors: holds several sets of weights; module.encoder_q is used, as MoCo's own evaluation does, not "
    "module.encoder_k (--weights selects another)";
const std::string kLeft = "strides, dilations, padding and pooling are taken from the architecture";

}  // namespace

// Oracle: decision 0038: MoCo's encoder_q; the other set stays as it is.
TEST_CASE("a choice among sets of weights is told by every command and kept in the records", "[cli]") {
  const test::Workplace place;
  write_two_sets(place);
  const test::Call call = test::shiftnorm(place.path(), evaluate("moco.safetensors"));
  CHECK(call.exit == 0);
  CHECK_THAT(call.err, Contains("warning: " + kChoice) && Contains(kLeft));

  const test::Call inspected =
      test::shiftnorm(place.path(), {"inspect", "moco.safetensors", "--arch", "cifar_resnet20"});
  CHECK_THAT(inspected.out, Contains("assumed: " + kChoice) && Contains(kLeft));
  const test::Call json =
      test::shiftnorm(place.path(), {"inspect", "moco.safetensors", "--arch", "cifar_resnet20", "--json"});
  CHECK(container::parse_json(json.out).at("assumptions").as_array().at(0).as_string() == kChoice);

  std::vector<std::string> arguments = evaluate("moco.safetensors", {"--out", "a.safetensors"});
  arguments[0] = "recalibrate";
  const test::Call adapted = test::shiftnorm(place.path(), arguments);
  CHECK_THAT(adapted.err, Contains("warning: " + kChoice));
  // Without the name of the user's file.
  CHECK(document(place / "a.safetensors.provenance.json").at("assumptions").as_array().at(0).as_string() ==
        "the file" + kChoice.substr(std::string("moco.safetensors").size()));
  // The set that was not chosen is as it was.
  const Tensors before = container::read_safetensors(read_file(place / "moco.safetensors")),
                after = container::read_safetensors(read_file(place / "a.safetensors"));
  CHECK(after.at("module.encoder_k.bn1.running_mean").to_float() ==
        before.at("module.encoder_k.bn1.running_mean").to_float());
  CHECK(after.at("module.encoder_q.bn1.running_mean").to_float() !=
        before.at("module.encoder_q.bn1.running_mean").to_float());

  place.write_yaml("x.yaml", "[source]");
  const test::Call run = test::shiftnorm(place.path(), {"run", "x.yaml", "--set", "model.checkpoint=moco.safetensors"});
  CHECK_THAT(run.err, Contains("warning: " + kChoice) && Contains(kLeft));
  CHECK(document(place / "runs/x/results.json").at("model").at("assumptions").as_array().at(0).as_string() == kChoice);
}

// Law: the set that was not chosen keeps its values.
TEST_CASE("the option --weights takes another set, and its statistics belong to it", "[cli]") {
  const test::Workplace place;
  write_two_sets(place);
  std::vector<std::string> arguments =
      evaluate("moco.safetensors", {"--weights", "encoder_k", "--stats-out", "k.bnstats", "--out", "k.safetensors"});
  arguments[0] = "recalibrate";
  const test::Call call = test::shiftnorm(place.path(), arguments);
  CHECK(call.exit == 0);
  CHECK_THAT(call.err, !Contains("several sets"));
  const Tensors before = container::read_safetensors(read_file(place / "moco.safetensors")),
                after = container::read_safetensors(read_file(place / "k.safetensors"));
  for (const auto& [name, values] : before)
    if (name.starts_with("module.encoder_q.")) CHECK(after.at(name).to_float() == values.to_float());
  // The statistics name the set that they are of, as they name the architecture.
  CHECK(test::shiftnorm(place.path(), {"export", "moco.safetensors", "--stats", "k.bnstats", "--out", "e.safetensors"})
            .exit == 0);
  CHECK(read_file(place / "e.safetensors") == read_file(place / "k.safetensors"));
  test::check_refused(
      place, {"export", "moco.safetensors", "--stats", "k.bnstats", "--weights", "encoder_q", "--out", "q.pth"}, 2,
      "--stats: statistics of the weights 'encoder_k'; expected those of 'encoder_q'");
  test::check_refused(place, {"inspect", "moco.safetensors", "--weights", "encoder_k"}, 2,
                      "--weights = encoder_k: is a prefix of a network's tensor names; expected the network too");
  test::check_refused(place, evaluate("moco.safetensors", {"--weights", "teacher"}), 2,
                      "moco.safetensors: has no set of weights 'teacher'; expected module.encoder_k, module.encoder_q");
}

// Oracle: the tensor put in.
TEST_CASE("left-over tensors are refused by name unless they are allowed", "[cli]") {
  const test::Workplace place;
  Tensors tensors = network(place);
  tensors.emplace("layer1.0.fc1.weight", Array::from_floats(Shape{2}, std::vector<float>{1, 2}));
  write(place, "se.safetensors", tensors);
  test::check_refused(place, evaluate("se.safetensors"), 3,
                      "se.safetensors as cifar_resnet20: the file does not fit the architecture: 1 tensor that it does "
                      "not use (layer1.0.fc1.weight); expected");
  CHECK(
      test::shiftnorm(place.path(), evaluate("se.safetensors", {"--allow-unused", "x.*", "--allow-unused", "*.fc1.*"}))
          .exit == 0);
  place.write_yaml("x.yaml", "[source]");
  CHECK(test::shiftnorm(place.path(), {"run", "x.yaml", "--set", "model.checkpoint=se.safetensors", "--set",
                                       "model.allow_unused=['*.fc1.*']"})
            .exit == 0);
}

// Oracle: ResNet-20 has 64 features; 20 images.
TEST_CASE("without a head features come and labels are refused", "[cli]") {
  const test::Workplace place;
  Tensors tensors = network(place);
  std::erase_if(tensors, [](const auto& tensor) { return tensor.first.starts_with("linear."); });
  write(place, "body.safetensors", tensors);
  test::check_refused(
      place, evaluate("body.safetensors"), 2,
      "body.safetensors: has no head, so that its outputs are features, which no labels can be compared "
      "with; expected a file with its head, --outputs for the features, or data without labels");
  const test::Call call = test::shiftnorm(place.path(), evaluate("body.safetensors", {"--outputs", "f.safetensors"}));
  CHECK(call.exit == 0);
  CHECK_THAT(call.err, Contains("the file has no head 'linear': the outputs are the features before it"));
  CHECK_THAT(call.out, !Contains("accuracy"));
  CHECK(container::read_safetensors(read_file(place / "f.safetensors")).at("features").shape() == Shape{20, 64});
  std::vector<std::string> arguments = evaluate("body.safetensors", {"--out", "a.safetensors"});
  arguments[0] = "recalibrate";
  CHECK(test::shiftnorm(place.path(), arguments).exit == 0);
}
