#include "shiftnorm/toolkit/run_key.hpp"

#include <catch2/catch.hpp>
#include <fstream>
#include <set>

#include "shiftnorm/config/sweep.hpp"
#include "shiftnorm/toolkit/run.hpp"
#include "support/shared_data.hpp"
#include "support_network.hpp"

using namespace shiftnorm;

namespace {

const std::string kBase =
    "name: x\nmodel: {checkpoint: net.safetensors, architecture: cifar_resnet20}\npreprocess: cifar10\n"
    "data: {target: {path: images.npy}}\nmodes: [source, {policy: blend, prior_images: 16}]\n";

}  // namespace

// Law: the address depends on what goes in, and on nothing else.
TEST_CASE("a run's address follows its inputs", "[run_key]") {
  const test::TempDir dir;
  test::write_random_network(dir.path() / "net.safetensors", "cifar_resnet20", "");
  test::write_random_arrays(dir.path() / "images.npy", 12, 32);
  const auto key = [&](const std::string& more) {
    return toolkit::run_key(config::parse_config(kBase + more, "x.yaml", {dir.path(), {}}), {});
  };
  const std::string first = key("");
  CHECK(first.size() == 64);
  CHECK(key("seed: 0\n") == first);  // the default, spelled out
  std::set<std::string> keys{first, key("seed: 1\n"), key("evaluate: {interval: {level: 0.9}}\n"),
                             key("export: {mode: blend, path: b.safetensors}\n")};
  std::filesystem::copy_file(dir.path() / "images.npy", dir.path() / "same.npy");
  const config::Config elsewhere = config::parse_config(kBase, "x.yaml", {dir.path(), {"name=other"}});
  CHECK(toolkit::run_key(elsewhere, {}) == first);  // the name is not an input

  std::fstream images(dir.path() / "images.npy", std::ios::in | std::ios::out | std::ios::binary);
  images.seekp(-1, std::ios::end);
  images.put('\x7f');
  images.close();
  keys.insert(key(""));
  test::write_random_network(dir.path() / "net.safetensors", "cifar_resnet20", "module.");
  keys.insert(key(""));
  CHECK(keys.size() == 6);
}

// Law: sharing changes no result.
TEST_CASE("runs that share network, images and engine give what each gives by itself", "[run_key]") {
  const test::TempDir dir;
  test::write_random_network(dir.path() / "net.safetensors", "cifar_resnet20", "");
  test::write_random_arrays(dir.path() / "images.npy", 12, 32);
  const config::Sweep sweep =
      config::parse_sweep(kBase + "sweep: {data.target.shift: [{contrast: 4}, {gaussian_noise: 3}], seed: [1, 2]}\n",
                          "x.yaml", {dir.path(), {}});
  const auto cache = std::make_shared<toolkit::SessionCache>();
  std::set<std::vector<double>> different;
  for (const config::SweepRun& run : sweep.runs) {
    toolkit::RunOptions shared, alone;
    shared.cache = cache;
    const toolkit::RunOutcome one = toolkit::run_experiment(run.config, shared, {});
    const toolkit::RunOutcome other = toolkit::run_experiment(run.config, alone, {});
    CHECK(one.results.id.size() == 64);
    CHECK(other.results.id == one.results.id);
    CHECK(one.results.fingerprint == other.results.fingerprint);
    for (std::size_t mode = 0; mode < 2; ++mode) {
      CHECK(one.results.modes[mode].probabilities == other.results.modes[mode].probabilities);
      different.insert(one.results.modes[mode].probabilities);
    }
    CHECK(one.statistics == other.statistics);
  }
  CHECK(different.size() == 6);  // contrast draws nothing, so that both seeds give the same
}
