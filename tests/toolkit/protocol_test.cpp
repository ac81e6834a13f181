#include "shiftnorm/toolkit/protocol.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <catch2/catch.hpp>
#include <random>
#include <set>

#include "shiftnorm/core/error.hpp"
#include "shiftnorm/core/file.hpp"
#include "shiftnorm/stats/statistics_file.hpp"
#include "shiftnorm/toolkit/run.hpp"
#include "support/npy_file.hpp"
#include "support/shared_data.hpp"
#include "support_network.hpp"

using namespace shiftnorm;
using namespace shiftnorm::toolkit;
using Catch::Matchers::Contains;

namespace {

constexpr std::int64_t kImages = 12, kValues = std::int64_t{3} * 32 * 32;

/// Random images of which those in `copies` are copies of image 0.
Array images_with(const std::vector<std::size_t>& copies) {
  std::mt19937 random(5);
  Array images(DType::u8, Shape{kImages, 3, 32, 32});
  for (std::byte& b : images.bytes()) b = static_cast<std::byte>(random() & 0xff);
  for (const std::size_t i : copies)
    std::ranges::copy(images.bytes().first(kValues), images.bytes().begin() + static_cast<std::ptrdiff_t>(i * kValues));
  return images;
}

/// Some images of an array, as an array.
Array some(const Array& images, const std::vector<std::size_t>& chosen) {
  Array out(DType::u8, Shape{static_cast<std::int64_t>(chosen.size()), 3, 32, 32});
  for (std::size_t i = 0; i < chosen.size(); ++i)
    std::ranges::copy(images.bytes().subspan(chosen[i] * kValues, kValues),
                      out.bytes().begin() + static_cast<std::ptrdiff_t>(i * kValues));
  return out;
}

/// x.npy, and a table that says of image i: patient `patient(i)`, site i % 2, label i % 10.
struct Place {
  test::TempDir dir;

  explicit Place(const std::string& columns = "id,label,site,patient", const std::vector<std::size_t>& copies = {}) {
    test::write_random_network(dir.path() / "net.safetensors", "cifar_resnet20");
    write_file(dir.path() / "x.npy", shiftnorm::test::write_npy(images_with(copies)));
    std::string text = columns + "\n";
    for (std::int64_t i = 0; i < kImages; ++i)
      text += fmt::format("x[{}],{},s{}{}\n", i, i % 10, i % 2,
                          columns.ends_with("patient") ? fmt::format(",p{}", i / 3) : "");
    write_file(dir.path() / "t.csv", text);
  }
  [[nodiscard]] RunOutcome run(const std::string& modes, const std::string& more) const {
    const config::Config config = config::parse_config(
        "seed: 3\nmodel: {checkpoint: net.safetensors, architecture: cifar_resnet20}\npreprocess: cifar10\n"
        "data: {target: {path: x.npy, labels: t.csv}}\nmodes: " +
            modes + "\n" + more + "\nevaluate: {metrics: [accuracy], interval: {resamples: 100}}\n",
        "p.yaml", {dir.path(), {}});
    return run_experiment(config, {}, {});
  }
  [[nodiscard]] Session session() const {
    SessionOptions options;
    options.checkpoint = dir.path() / "net.safetensors";
    options.network.architecture = "cifar_resnet20";
    options.data.path = dir.path() / "x.npy";
    options.preprocess = imaging::preset("cifar10");
    options.data.dataset.labels.file = dir.path() / "t.csv";
    options.data.dataset.key_folder = dir.path();
    options.data.dataset.keep = {"site"};
    return open_session(options, {});
  }
};

config::ProtocolConfig held_out(const std::string& by, double share = 0.5) {
  return {config::ProtocolKind::held_out, share, by, 64};
}

std::vector<double> rows(const results::ModeReport& report, std::size_t begin, std::size_t end) {
  return {report.probabilities.begin() + static_cast<std::ptrdiff_t>(begin * 10),
          report.probabilities.begin() + static_cast<std::ptrdiff_t>(end * 10)};
}

void check_close(const std::vector<double>& a, const std::vector<double>& b, double margin) {
  REQUIRE(a.size() == b.size());
  for (std::size_t i = 0; i < a.size(); ++i) CHECK(a[i] == Approx(b[i]).margin(margin));
}

stats::Statistics measured(const RunOutcome& outcome, std::size_t which) {
  return stats::read_statistics(outcome.statistics.at(which).second).layers;
}

}  // namespace

// Oracle: the table, where images 3k, 3k + 1 and 3k + 2 are of patient k.
TEST_CASE("a split parts neither patients nor equal pixels", "[experiment]") {
  const Place place("id,label,site,patient", {11});
  const Session session = place.session();
  CHECK(session.patient_count() == 4);
  CHECK(session.repeated() == 1);
  std::set<std::vector<std::size_t>> drawn;
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    const Split split = split_images(session, held_out(""), seed);
    drawn.insert(split.adapt);
    CHECK(split.by == "patient");
    CHECK(split.adapt.size() == 6);
    CHECK(split.evaluate.size() == 6);
    CHECK(shared(session.patients, split.adapt, split.evaluate) == 0);
    // Image 11 has the pixels of image 0: patients 0 and 3 stay together.
    CHECK(std::ranges::count(split.adapt, 0U) == std::ranges::count(split.adapt, 11U));
    CHECK(split.adapt == split_images(session, held_out("patient"), seed).adapt);
  }
  CHECK(drawn.size() == 2);  // patients 0 and 3 are adapted on, or 1 and 2
  CHECK_THROWS_WITH(split_images(session, held_out("image"), 1),
                    Contains("patients and the pixels of 0 images lie on both sides of the split"));
  CHECK_THROWS_WITH(split_images(session, held_out("site"), 1),
                    Contains("protocol.by = site: 4 patients and the pixels of 1 images lie on both sides"));
}

// Oracle: a quarter of 12 images is 3, by hand; images 0 and 7 have equal pixels.
TEST_CASE("without patients a split goes by image", "[experiment]") {
  const Place place("id,label,site", {7});
  const Session session = place.session();
  CHECK_FALSE(session.patient_count());
  const Split split = split_images(session, held_out("", 0.25), 5);
  CHECK(split.by == "image");
  CHECK(split.adapt.size() == 3);
  CHECK(split.evaluate.size() == 9);
  CHECK(std::ranges::count(split.adapt, 0U) == std::ranges::count(split.adapt, 7U));
  CHECK_THROWS_WITH(split_images(session, held_out("patient"), 5), Contains("patients are not identified"));
  CHECK_THROWS_AS(split_images(session, held_out("site"), 5), ConfigError);  // image 7 is of the other site
  CHECK(split_images(Place("id,label,site").session(), held_out("site"), 5).adapt.size() == 6);
}

// Oracle: the two halves as data sets of their own, the one measured, the other scored by the adapted file.
TEST_CASE("held out: what is scored was not measured", "[experiment]") {
  const Place place;
  const RunOutcome outcome = place.run("[source, adabn, {policy: batch, batch: 4}]",
                                       "protocol: {kind: held_out, by: patient}\n"
                                       "export: {mode: adabn, path: a.safetensors, allow_small_cohort: true}");
  const results::RunResults& results = outcome.results;
  CHECK(results.protocol == "held_out");
  REQUIRE(results.split);
  CHECK(results.split->by == "patient");
  CHECK(results.split->adapt_images == 6);
  CHECK(results.split->adapt_patients == 2);
  CHECK(results.split->evaluate_patients == 2);
  CHECK(results.ids.size() == 6);
  CHECK(results.clusters == 2);
  CHECK(results.interval_by == "patient");
  CHECK_THAT(results.modes[2].note, Contains("takes its statistics from the images that are scored"));

  const Split split = split_images(place.session(), held_out("patient"), 3);
  const Array all = images_with({});
  write_file(place.dir.path() / "a.npy", shiftnorm::test::write_npy(some(all, split.adapt)));
  write_file(place.dir.path() / "e.npy", shiftnorm::test::write_npy(some(all, split.evaluate)));
  const auto alone = [&](const char* checkpoint, const char* data, const char* mode) {
    return run_experiment(
        config::parse_config(
            fmt::format("seed: 3\nmodel: {{checkpoint: {}, architecture: cifar_resnet20}}\npreprocess: "
                        "cifar10\ndata: {{target: {{path: {}}}}}\nmodes: [{}]\n",
                        checkpoint, data, mode),
            "p.yaml", {place.dir.path(), {}}),
        {}, {});
  };
  const stats::Statistics here = measured(outcome, 0), there = measured(alone("net.safetensors", "a.npy", "adabn"), 0);
  for (std::size_t i = 0; i < here.size(); ++i) {
    CHECK(here[i].mean == there[i].mean);
    CHECK(here[i].variance == there[i].variance);
  }
  write_file(place.dir.path() / "adapted.safetensors", outcome.exported.at(0).file.bytes);
  // 1e-4: statistics were rounded to the file's float32.
  check_close(results.modes[1].probabilities,
              alone("adapted.safetensors", "e.npy", "source").results.modes[0].probabilities, 1e-4);
  CHECK_THAT(outcome.exported[0].file.provenance, Contains("\"images\": 6") && Contains("\"patients\": \"< 11\""));
}

// Oracle: the table: half of each site's images, by hand; each domain's images alone.
TEST_CASE("held out in domains: each is measured on its own part", "[experiment]") {
  const Place place("id,label,site");
  const config::Config config = config::parse_config(
      "seed: 3\nmodel: {checkpoint: net.safetensors, architecture: cifar_resnet20}\npreprocess: cifar10\n"
      "data: {target: {path: x.npy, labels: t.csv, domain: {key: site, min_images: 1}}}\n"
      "modes: [source, adabn, {policy: batch, batch: 3}]\nprotocol: {kind: held_out}\n",
      "p.yaml", {place.dir.path(), {}});
  RunOptions options;
  options.show_domains = true;
  const RunOutcome outcome = run_experiment(config, options, {});
  REQUIRE(outcome.results.modes.size() == 3);
  const std::vector<results::DomainReport>& domains = outcome.results.modes[1].domains;
  REQUIRE(domains.size() == 2);
  CHECK(domains[0].images + domains[1].images == 6);
  const Split split = split_images(place.session(), held_out(""), 3);
  // The statistics of domain s0 are those of its images that are adapted on.
  std::vector<std::size_t> first;
  for (const std::size_t i : split.adapt)
    if (i % 2 == 0) first.push_back(i);
  const Session session = place.session();
  adapt::Mode adabn;
  const stats::Statistics expected = session.engine->measure(adabn, subset(session.images, first), {});
  CHECK(measured(outcome, 0)[5].mean == expected[5].mean);
}

// Oracles: one estimate over all images in the same batches, and plain inference with fixed statistics.
// Oracle: the split itself, counted here.
TEST_CASE("held out in domains: what is counted is what was measured", "[experiment]") {
  const Place place("id,label,site");
  const auto run = [&](int min_images) {
    return run_experiment(
        config::parse_config(
            fmt::format("seed: 3\nmodel: {{checkpoint: net.safetensors, architecture: cifar_resnet20}}\n"
                        "preprocess: cifar10\ndata: {{target: {{path: x.npy, labels: t.csv, domain: {{key: site, "
                        "min_images: {}}}}}}}\nmodes: [source, adabn]\n"
                        "protocol: {{kind: held_out, adapt: 0.75}}\n",
                        min_images),
            "p.yaml", {place.dir.path(), {}}),
        {}, {});
  };
  const Split split = split_images(place.session(), held_out("", 0.75), 3);
  std::array<std::int64_t, 2> adapted{}, scored{};
  for (const std::size_t i : split.adapt) ++adapted[i % 2];
  for (const std::size_t i : split.evaluate) ++scored[i % 2];
  REQUIRE(adapted[0] > scored[0]);
  const RunOutcome enough = run(static_cast<int>(std::min(adapted[0], adapted[1])));
  for (std::size_t d = 0; d < 2; ++d) {
    const results::DomainReport& domain = enough.results.modes[1].domains.at(d);
    CHECK(domain.images == scored[d]);
    CHECK(domain.measured == adapted[d]);
    CHECK(domain.settling.images == adapted[d]);
    CHECK_FALSE(domain.fell_back);
    CHECK(enough.results.modes[0].domains.at(d).measured == 0);
  }
  CHECK(enough.results.labelled == enough.results.images);  // scored or not
  CHECK(enough.results.labels.size() == split.evaluate.size());
  const RunOutcome few = run(static_cast<int>(adapted[0]) + 1);
  CHECK(few.results.modes[1].domains[0].fell_back);
  CHECK_THAT(few.results.modes[1].note, Contains(fmt::format("has {} images to measure: blend", adapted[0])));
}

// Oracle: by hand: 12 images in batches of 5, 5 and 2; the last predictions after measuring are those of all.
TEST_CASE("a stream predicts each batch, measures it and predicts again", "[experiment]") {
  const Place place;
  const std::string modes =
      "[source, adabn, {name: pooled, policy: adabn, semantics: source}, {name: ema, policy: adabn, semantics: batch, "
      "estimator: ema}, {policy: batch, batch: 3}, {policy: blend, prior_images: 4}]";
  const RunOutcome outcome = place.run(modes, "protocol: {kind: streaming, batch: 5}");
  const results::RunResults& results = outcome.results;
  CHECK(results.protocol == "streaming");
  CHECK(results.stream_batch == 5);
  const std::vector<results::ModeReport>& reports = results.modes;
  REQUIRE(reports.size() == 6);
  const results::ModeReport& source = reports[0];
  CHECK(source.probabilities == source.after.at(0).probabilities);
  for (const std::size_t m : {1U, 2U, 3U, 5U}) {
    INFO(reports[m].mode.name);
    CHECK(rows(reports[m], 0, 5) == rows(source, 0, 5));  // nothing was measured yet
    CHECK(rows(reports[m], 5, 12) != rows(source, 5, 12));
    CHECK(rows(reports[m].after.at(0), 0, 5) != rows(source, 0, 5));
    REQUIRE(reports[m].stream.size() == 3);
    CHECK(reports[m].stream[2].images == 2);
  }
  CHECK(reports[1].mode.semantics == "batch");
  CHECK_THAT(reports[1].note, Contains("semantics layerwise needs all images at once"));
  CHECK(reports[1].mode.batch == 5);
  CHECK(reports[4].mode.batch == 5);
  CHECK(reports[4].probabilities == reports[4].after.at(0).probabilities);

  const RunOutcome whole = place.run(
      "[{name: adabn, policy: adabn, semantics: batch, batch: 5, shuffle: off}, {name: pooled, policy: adabn, "
      "semantics: source}, {name: ema, policy: adabn, semantics: batch, estimator: ema, batch: 5, shuffle: off}]",
      "");
  for (std::size_t m = 0; m < 3; ++m) {
    INFO(outcome.statistics.at(m).first);
    CHECK(outcome.statistics[m].first == whole.statistics.at(m).first);
    const stats::Statistics a = measured(outcome, m), b = measured(whole, m);
    for (std::size_t i = 0; i < a.size(); ++i) {
      CHECK(a[i].mean == b[i].mean);
      CHECK(a[i].variance == b[i].variance);
      CHECK(a[i].images == b[i].images);
    }
    // Behind the last batch the stream's network is the one that saw all images.
    CHECK(rows(reports[m + 1].after.at(0), 10, 12) == rows(whole.results.modes[m], 10, 12));
  }
}

// Oracle: docs/guide.md#protocols-which-images-are-measured-which-are-scored.
TEST_CASE("what a protocol cannot do is refused in one line", "[experiment]") {
  const Place place("id,label,site");
  const auto refusal = [&](const std::string& protocol, const std::string& domain = "") -> std::string {
    try {
      static_cast<void>(config::parse_config(
          fmt::format("model: {{checkpoint: n.pth}}\ndata: {{target: {{path: x{}}}}}\nprotocol: {}\nmodes: [adabn]\n",
                      domain, protocol),
          "p.yaml", {}));
    } catch (const ConfigError& e) {
      return e.what();
    }
    return {};
  };
  CHECK(refusal("{kind: held_out, by: site, adapt: 0.3}").empty());
  CHECK(refusal("{kind: streaming, batch: 7}").empty());
  CHECK_THAT(refusal("{kind: held-out}"), Contains("p.yaml:3:18: protocol.kind = held-out; expected transductive, "));
  CHECK_THAT(refusal("{kind: held_out, batch: 7}"),
             Contains("has batch with kind held_out; expected it with streaming"));
  CHECK_THAT(refusal("{kind: streaming, by: patient}"), Contains("has by with kind streaming"));
  CHECK_THAT(refusal("{kind: held_out, adapt: 1}"), Contains("protocol.adapt = 1; expected a number in (0, 1)"));
  CHECK_THAT(refusal("{kind: streaming}", ", domain: s"), Contains("keeps one set of statistics"));
}
