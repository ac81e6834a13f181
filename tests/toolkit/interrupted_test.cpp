#include <catch2/catch.hpp>

#include "shiftnorm/core/error.hpp"
#include "shiftnorm/core/file.hpp"
#include "shiftnorm/toolkit/session.hpp"
#include "shiftnorm/toolkit/statistics.hpp"
#include "support/shared_data.hpp"
#include "support_network.hpp"

using namespace shiftnorm;
using namespace shiftnorm::toolkit;

// Law: what was reached is taken up by the same measurement alone: by no other network, data or method, and whatever
// policy is to use it.
TEST_CASE("an interrupted estimate belongs to one measurement", "[toolkit]") {
  const test::TempDir dir;
  test::write_random_network(dir.path() / "net.safetensors", "cifar_resnet20");
  test::write_random_arrays(dir.path() / "x.npy", 6, 32);
  SessionOptions options;
  options.checkpoint = dir.path() / "net.safetensors";
  options.network.architecture = "cifar_resnet20";
  options.data.path = dir.path() / "x.npy";
  options.preprocess = imaging::preset("cifar10");
  Session session = open_session(options, {});
  adapt::Mode mode;
  mode.layers.include = {"a", "b"};
  const std::filesystem::path kept = dir.path() / "kept";
  write_file(kept, write_interrupted(session, session.engine->source(), mode));
  const auto takes = [&](const adapt::Mode& other) {
    try {
      return read_interrupted(kept, session, other).size() == session.engine->source().size();
    } catch (const ConfigError&) {
      return false;
    }
  };
  CHECK(takes(mode));
  adapt::Mode blend = mode;
  blend.policy = adapt::Policy::blend;
  blend.prior_images = 4;
  CHECK(takes(blend));

  using Change = void (*)(adapt::Mode&);
  for (const Change change : {+[](adapt::Mode& m) { m.semantics = adapt::Semantics::batch; },
                              +[](adapt::Mode& m) { m.layers.include = {"ain:b"}; },
                              +[](adapt::Mode& m) { m.layers.include = {"a"}, m.layers.exclude = {"b"}; },
                              +[](adapt::Mode& m) { m.layers.first = 3; }}) {
    adapt::Mode other = mode;
    change(other);
    CHECK_FALSE(takes(other));
  }
  const std::string architecture = session.model.architecture;
  session.model.architecture = "graph 0123456789abcdef";
  CHECK_FALSE(takes(mode));
  session.model.architecture = architecture;
  session.source_fingerprint = "of another source sample";
  CHECK_FALSE(takes(mode));
  session.source_fingerprint.clear();
  CHECK(takes(mode));
}
