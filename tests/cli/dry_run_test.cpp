#include <catch2/catch.hpp>

#include "fixture.hpp"
#include "process.hpp"
#include "shiftnorm/container/json.hpp"
#include "shiftnorm/core/file.hpp"

using namespace shiftnorm;
using Catch::Matchers::Contains;
using container::Json;
using test::Call;

namespace {

Json text_at(const Json& object, const char* key) {
  const Json* found = object.find("taken_over");
  return found == nullptr ? Json() : found->at(key);
}

}  // namespace

// Law: what the plan says a mode reuses, and computes itself, is what the run's results say of it.
TEST_CASE("a dry run tells what the run then does, and writes nothing", "[cli]") {
  const test::Workplace place(3);
  place.write_yaml("r.yaml",
                   "[{name: b, policy: blend, prior_images: 4}, source, adabn, hybrid, {name: e, policy: adabn, "
                   "semantics: batch, estimator: ema, batch: 5}, {name: t, policy: adabn}, instance]",
                   "export: {mode: adabn, path: adapted.safetensors}\n");
  const auto [protocol, kind] =
      GENERATE(std::pair<std::string, std::string>{"protocol.kind=transductive", "transductive"},
               std::pair<std::string, std::string>{"protocol.kind=held_out", "held_out"});
  const std::vector<std::string> before = test::files_below(place.path());
  const Call dry = test::shiftnorm(
      place.path(), {"run", "r.yaml", "--dry-run", "--json", "--set", protocol, "--set", "data.target.ids=hash"});
  INFO(dry.err);
  REQUIRE(dry.exit == 0);
  CHECK(test::files_below(place.path()) == before);  // no key either
  CHECK(test::shiftnorm(place.path(), {"run", "r.yaml", "--dry-run", "--quiet", "--set", "sweep.seed=[1, 2]", "--set",
                                       "data.target.ids=hash"})
            .exit == 0);
  CHECK(test::files_below(place.path()) == before);
  const Json plan = container::parse_json(dry.out).at("plan");
  const Json& target = plan.at("data").at("target");
  CHECK(target.at("images").as_integer() == 30);
  CHECK(target.at("labelled").as_integer() == 30);
  REQUIRE(target.at("classes").as_array().size() == 10);
  CHECK(target.at("classes").as_array()[9].at("name").as_string() == "j");
  CHECK(target.at("classes").as_array()[9].at("images").as_integer() == 3);
  CHECK(plan.at("model").at("batchnorms").as_integer() == 19);
  CHECK(plan.at("seconds").at("network").as_number() > 0);
  const std::int64_t measured = plan.at("adapt_images").as_integer();
  CHECK(measured == (kind == "held_out" ? 15 : 30));

  const Call real = test::shiftnorm(place.path(), {"run", "r.yaml", "--out", "real", "--json", "--set", protocol});
  REQUIRE(real.exit == 0);
  const Json results = container::parse_json(real.out);
  for (std::size_t m = 0; m < 7; ++m) {
    const Json &planned = plan.at("modes").as_array()[m], &done = results.at("modes").as_array()[m];
    INFO(planned.at("name").as_string());
    CHECK(text_at(planned, "adapt") == text_at(done, "adapt"));
    CHECK(text_at(planned, "evaluate") == text_at(done, "evaluate"));
    CHECK((planned.at("measured_images").as_integer() == measured) == (done.at("seconds").at("adapt").as_number() > 0));
    CHECK((planned.at("evaluated_images").as_integer() > 0) == (done.at("seconds").at("evaluate").as_number() > 0));
  }
  for (const Json& file : plan.at("files").as_array())
    CHECK(std::filesystem::exists(place / "real" / file.as_string()));
}

// Oracle: the 20 images of the workplace; the YAML that is printed runs again to the same text.
TEST_CASE("a dry run is the YAML with the plan as its comments", "[cli]") {
  const test::Workplace place;
  place.write_yaml("r.yaml", "[source, adabn]");
  const Call dry = test::shiftnorm(place.path(), {"run", "r.yaml", "--dry-run", "--out", "o"});
  CHECK_THAT(dry.out,
             Contains("\n# target    20 images, 20 labelled, 0 skipped, patients not identified; 10 classes: a 2") &&
                 Contains("\n# mode      adabn: measures 20 images (layerwise, population)") &&
                 Contains("\n# memory    ") && Contains("no scratch file") && Contains("from a probe of 16 images") &&
                 Contains("\n# writes    o: config.yaml"));
  write_file(place / "again.yaml", dry.out);
  // Paths of the resolved YAML hold from the run folder.
  CHECK(test::shiftnorm(place.path(), {"run", "again.yaml", "--root", "o", "--dry-run", "--out", "o"}).exit == 0);
  const Call few = test::shiftnorm(
      place.path(), {"run", "r.yaml", "--dry-run", "--out", "o", "--set", "data.target.limit.per_class=1"});
  CHECK_THAT(few.out, Contains("10 images, 10 labelled") && Contains("measures 10 images"));
  test::check_refused(place, {"run", "r.yaml", "--dry-run", "--set", "data.classes=[x, y]"}, 2, "expected");
}

// What is carried for 20 images is larger than what is left of 1 MB. Oracle: the same command without a limit.
TEST_CASE("a scratch file is told before the work, and changes no bit", "[cli]") {
  const test::Workplace place;
  place.write_yaml("r.yaml", "[source, adabn]");
  const Call dry = test::shiftnorm(place.path(), {"run", "r.yaml", "--dry-run", "--memory", "1M"});
  CHECK_THAT(dry.out, Contains("between the layers in a scratch file in the temporary folder"));
  const Call small = test::shiftnorm(place.path(), {"run", "r.yaml", "--memory", "1M", "--out", "small"});
  REQUIRE(small.exit == 0);
  CHECK_THAT(small.err, Contains("mode 'adabn': measuring 20 images holds") && Contains("written and read, about 0:"));
  REQUIRE(test::shiftnorm(place.path(), {"run", "r.yaml", "--out", "large", "--quiet"}).exit == 0);
  CHECK(read_file(place / "small" / "predictions.csv") == read_file(place / "large" / "predictions.csv"));
  const Call adapted =
      test::shiftnorm(place.path(), {"recalibrate", "net.safetensors", "--arch", "cifar_resnet20", "--preprocess",
                                     "cifar10", "--data", "images", "--memory", "1M", "--out", "adapted.safetensors"});
  CHECK(adapted.exit == 0);
  CHECK_THAT(adapted.err, Contains("measuring 20 images holds"));
}
