// Law: a mode among others has the bits of the same mode in a run of its own; only seconds and notes differ.
#include <fmt/format.h>

#include <atomic>
#include <bit>
#include <catch2/catch.hpp>
#include <map>

#include "shiftnorm/core/file.hpp"
#include "shiftnorm/toolkit/run.hpp"
#include "shiftnorm/toolkit/session_cache.hpp"
#include "support/shared_data.hpp"
#include "support_network.hpp"

using namespace shiftnorm;
using namespace shiftnorm::toolkit;

namespace {

constexpr std::int64_t kCachedImages = 24;

struct CachePlace {
  test::TempDir dir;
  CachePlace() {
    test::write_random_network(dir.path() / "net.safetensors", "cifar_resnet20");
    test::write_random_arrays(dir.path() / "x.npy", kCachedImages, 32);
    std::string text = "id,label,site\n";
    for (std::int64_t i = 0; i < kCachedImages; ++i)
      text += fmt::format("x[{}],{},s{}\n", i, i % 10, i % 5 == 0 ? 1 : 2);
    write_file(dir.path() / "t.csv", text);
  }
  [[nodiscard]] config::Config config(const std::string& modes, const std::string& data = "",
                                      const std::string& more = "", int seed = 3) const {
    return config::parse_config(
        fmt::format("seed: {}\nmodel: {{checkpoint: net.safetensors, architecture: cifar_resnet20}}\npreprocess: "
                    "cifar10\ndata: {{target: {{path: x.npy, labels: t.csv{}}}}}\nmodes: [{}]\n{}\n"
                    "evaluate: {{metrics: [accuracy], interval: {{resamples: 100}}, label_free: false}}\n",
                    seed, data, modes, more),
        "s.yaml", {dir.path(), {}});
  }
};

/// Images carried through the network, by stage.
struct Carried {
  std::map<std::string, std::int64_t> images;
  Progress progress;
  Carried() {
    progress.report = [this](std::string_view stage, std::int64_t done, std::int64_t total) {
      if (done == total) images[std::string(stage)] += total;
    };
  }
};

}  // namespace

// Oracle: each mode in a run of its own.
TEST_CASE("modes that share work have the bits of modes that do not", "[experiment]") {
  const CachePlace place;
  const std::vector<std::string> modes{
      "{name: b1, policy: blend, prior_images: 8}",
      "{name: s, policy: source}",
      "{name: a, policy: adabn}",
      "{name: m, policy: mixture, source_weight: 0.3}",
      "{name: h, policy: hybrid}",
      "{name: sb, policy: adabn, semantics: batch, estimator: batch-mean, batch: 5}",
      "{name: se, policy: blend, source_weight: 0.5, semantics: batch, estimator: batch-mean, batch: 5}",
      "{name: sp, policy: adabn, semantics: batch, batch: 5}",
      "{name: f3, policy: blend, prior_images: 8, layers: {first: 3}}",
      "{name: d, policy: disabled}",
      "{name: i, policy: instance}",
      "{name: j, policy: instance}",
      "{name: z, policy: blend, source_weight: 1}"};
  const auto [data, more] =
      GENERATE(std::pair<std::string, std::string>{"", ""}, std::pair{"", "protocol: {kind: held_out, adapt: 0.5}"},
               std::pair{", domain: {key: site, min_images: 8, prior_images: 4}", ""},
               std::pair{", domain: {key: site, min_images: 2}", "protocol: {kind: held_out, adapt: 0.5, by: image}"},
               std::pair{"", "protocol: {kind: streaming, batch: 7}"});
  INFO(data << " " << more);
  std::string list;
  for (const std::string& mode : modes) list += fmt::format("{}{}", list.empty() ? "" : ", ", mode);
  const RunOutcome together = run_experiment(place.config(list, data, more), {}, {});
  REQUIRE(together.results.modes.size() == modes.size());
  std::map<std::string, std::vector<std::byte>> statistics(together.statistics.begin(), together.statistics.end());
  std::size_t reused = 0;
  for (std::size_t i = 0; i < modes.size(); ++i) {
    INFO(modes[i]);
    const RunOutcome alone = run_experiment(place.config(modes[i], data, more), {}, {});
    const results::ModeReport &a = alone.results.modes[0], &b = together.results.modes[i];
    CHECK(a.probabilities == b.probabilities);
    CHECK(a.metrics[0].score.value == b.metrics[0].score.value);
    CHECK(a.mean_entropy == b.mean_entropy);
    CHECK(a.drift.size() == b.drift.size());
    REQUIRE(a.settling.layers.size() == b.settling.layers.size());
    CHECK(a.settling.images == b.settling.images);
    REQUIRE(a.domains.size() == b.domains.size());
    for (std::size_t d = 0; d < a.domains.size(); ++d) {
      CHECK(a.domains[d].metrics[0].score.value == b.domains[d].metrics[0].score.value);
      CHECK(a.domains[d].fell_back == b.domains[d].fell_back);
    }
    for (const auto& [stem, bytes] : alone.statistics) CHECK(bytes == statistics.at(stem));
    CHECK(a.reused.adapt.empty());
    CHECK(a.reused.evaluate.empty());
    if (!b.reused.adapt.empty()) CHECK(b.adapt_seconds == 0);
    if (!b.reused.evaluate.empty()) CHECK(b.evaluate_seconds == 0);
    reused += b.reused.adapt.empty() && b.reused.evaluate.empty() ? 0 : 1;
  }
  if (more.find("streaming") == std::string::npos) CHECK(reused >= 5);  // m, h, se, j, and a or z
}

// Counted by hand: 24 images; a layerwise sweep of 19 levels carries each 20 times (the last gives the outputs).
TEST_CASE("what is equal between modes and runs is carried through the network once", "[experiment]") {
  const CachePlace place;
  const auto cache = std::make_shared<SessionCache>();
  RunOptions options;
  options.cache = cache;
  const std::string modes =
      "source, {name: b, policy: blend, prior_images: 8}, adabn, {name: twin, policy: adabn}, hybrid";
  const auto carried = [&](const std::string& list, int seed, const std::string& more = "") {
    Carried counted;
    const RunOutcome outcome = run_experiment(place.config(list, "", more, seed), options, counted.progress);
    counted.images.erase("load");
    return std::pair{counted.images, outcome.results};
  };
  const auto [first, results] = carried(modes, 3);
  CHECK(first == std::map<std::string, std::int64_t>{{"adapt", 24 * 20}, {"evaluate", 24 * 3}});
  CHECK(results.modes[1].reused.adapt.empty());
  CHECK(results.modes[2].reused.adapt == "b");
  CHECK(results.modes[2].reused.evaluate == "b");
  CHECK(results.modes[3].note == "statistics and outputs were computed with mode 'b'");
  CHECK(results.modes[4].reused.adapt == "b");
  CHECK(results.modes[4].reused.evaluate.empty());
  // The seed changes resamples, not what the network does: the next run of a sweep has all of it.
  const auto [second, again] = carried(modes, 4);
  CHECK(second.empty());
  CHECK(again.modes[0].reused.evaluate == fmt::format("source of run {}", results.id.substr(0, 12)));
  for (std::size_t m = 0; m < 5; ++m) CHECK(again.modes[m].probabilities == results.modes[m].probabilities);
  // Another split is other work.
  CHECK(carried("source, adabn", 4, "protocol: {kind: held_out, adapt: 0.5}").first ==
        std::map<std::string, std::int64_t>{{"adapt", 12 * 19}, {"evaluate", 12 * 2}});
}

namespace {

/// Keeps in memory; counts what was found.
struct Memory {
  std::map<std::string, std::vector<std::byte>> kept;
  std::size_t found = 0;
  ResumeStore callbacks;
  Memory() {
    callbacks.find = [this](const std::string& key) -> std::optional<std::vector<std::byte>> {
      const auto at = kept.find(key);
      if (at == kept.end()) return std::nullopt;
      ++found;
      return at->second;
    };
    callbacks.keep = [this](const std::string& key, std::span<const std::byte> bytes) {
      kept[key] = {bytes.begin(), bytes.end()};
    };
  }
};

RunOutcome run_with(const config::Config& config, const ResumeStore* kept, const Progress& progress) {
  const auto cache = std::make_shared<SessionCache>();
  RunOptions options;
  options.cache = cache;
  options.kept = kept;
  return run_experiment(config, options, progress);
}

}  // namespace

// Law: however often a run is stopped, the call that ends it finds out what an undisturbed one does.
TEST_CASE("a run goes on from what stopped calls kept", "[experiment]") {
  const CachePlace place;
  const auto [data, more] =
      GENERATE(std::pair<std::string, std::string>{"", ""}, std::pair{"", "protocol: {kind: held_out, adapt: 0.5}"},
               std::pair{", domain: {key: site, min_images: 8, prior_images: 4}", ""},
               std::pair{"", "protocol: {kind: streaming, batch: 7}"});
  INFO(data << " " << more);
  const config::Config config = place.config(
      "source, adabn, {name: b, policy: blend, prior_images: 8}, {name: e, policy: adabn, semantics: batch, "
      "estimator: ema, batch: 6}, {name: i, policy: instance}, disabled",
      data, more);
  const RunOutcome whole = run_with(config, nullptr, {});
  Memory memory;
  RunOutcome last;
  int stops = 0;
  for (bool ended = false; !ended; ++stops) {
    REQUIRE(stops < 60);
    std::atomic<bool> stop = false;
    std::atomic<int> told = 0;
    Progress progress;
    progress.cancelled = &stop;
    // One thread's work, stopped a little later each time, so that every stage is cut somewhere.
    progress.report = [&](std::string_view stage, std::int64_t, std::int64_t) {
      if (stage != "load" && ++told > 40 + 35 * stops) stop = true;
    };
    try {
      last = run_with(config, &memory.callbacks, progress);
      ended = true;
    } catch (const Interrupted&) {
    }
  }
  CHECK(stops > 1);
  CHECK(memory.found > 0);
  REQUIRE(last.results.modes.size() == whole.results.modes.size());
  for (std::size_t m = 0; m < whole.results.modes.size(); ++m) {
    const results::ModeReport &a = whole.results.modes[m], &b = last.results.modes[m];
    INFO(a.mode.name);
    CHECK(a.probabilities == b.probabilities);
    CHECK(a.note == b.note);
    CHECK(a.reused.adapt == b.reused.adapt);
    CHECK(a.reused.evaluate == b.reused.evaluate);
    CHECK(a.metrics[0].score.value == b.metrics[0].score.value);
    CHECK(a.settling.images == b.settling.images);
    REQUIRE(a.settling.layers.size() == b.settling.layers.size());
    for (std::size_t l = 0; l < a.settling.layers.size(); ++l)
      // Not a number where an estimator does not tell.
      CHECK(std::bit_cast<std::uint64_t>(a.settling.layers[l].error) ==
            std::bit_cast<std::uint64_t>(b.settling.layers[l].error));
    CHECK(a.after.size() == b.after.size());
    if (!a.after.empty()) CHECK(a.after[0].probabilities == b.after[0].probabilities);
  }
  CHECK(last.statistics == whole.statistics);
  CHECK(last.notes == whole.notes);

  // Everything is there now, and nothing of it serves another configuration.
  Carried counted;
  static_cast<void>(run_with(config, &memory.callbacks, counted.progress));
  counted.images.erase("load");
  CHECK(counted.images.empty());
  memory.found = 0;
  config::Config other = config;
  other.seed = 4;
  static_cast<void>(run_with(other, &memory.callbacks, {}));
  CHECK(memory.found == 0);
  // A piece that was damaged is computed again.
  for (auto& [key, bytes] : memory.kept) bytes.resize(bytes.size() / 2);
  CHECK(run_with(config, &memory.callbacks, {}).statistics == whole.statistics);
}

// Oracle: the runs alone; images loaded are counted.
TEST_CASE("labelled source images are carried through the network once for all runs of a sweep", "[experiment]") {
  const CachePlace place;
  test::write_random_arrays(place.dir.path() / "s.npy", 10, 32);
  std::string text = "id,label\n";
  for (int i = 0; i < 10; ++i) text += fmt::format("s[{}],{}\n", i, i);
  write_file(place.dir.path() / "s.csv", text);
  const auto config = [&](int severity) {
    return config::parse_config(
        fmt::format("model: {{checkpoint: net.safetensors, architecture: cifar_resnet20}}\npreprocess: cifar10\n"
                    "data: {{source: {{path: s.npy, labels: s.csv}}, target: {{path: x.npy, labels: t.csv, shift: "
                    "{{contrast: {}}}}}}}\nmodes: [source, adabn]\n"
                    "evaluate: {{metrics: [accuracy], interval: {{resamples: 100}}}}\n",
                    severity),
        "s.yaml", {place.dir.path(), {}});
  };
  const auto cache = std::make_shared<SessionCache>();
  Memory memory;
  RunOptions options;
  options.cache = cache;
  options.kept = &memory.callbacks;
  const auto carried = [&](int severity, RunOutcome& outcome) {
    Carried counted;
    outcome = run_experiment(config(severity), options, counted.progress);
    return counted.images["labelled source images"];
  };
  RunOutcome first, second, alone, resumed;
  CHECK(carried(2, first) == 10);
  CHECK(carried(5, second) == 0);
  options.cache = std::make_shared<SessionCache>();
  options.kept = nullptr;
  CHECK(carried(5, alone) == 10);
  const auto fresh = std::make_shared<SessionCache>();
  options.cache = fresh;
  options.kept = &memory.callbacks;
  CHECK(carried(2, resumed) == 0);  // what the first run kept
  for (std::size_t m = 0; m < 2; ++m) {
    CHECK(second.results.modes[m].probabilities == alone.results.modes[m].probabilities);
    CHECK(second.results.modes[m].label_free->atc == alone.results.modes[m].label_free->atc);
    CHECK(resumed.results.modes[m].label_free->atc == first.results.modes[m].label_free->atc);
    REQUIRE(alone.results.modes[m].label_free->atc);
  }
}
