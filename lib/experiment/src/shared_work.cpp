#include "shared_work.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <numeric>

#include "shiftnorm/core/error.hpp"
#include "shiftnorm/core/hash.hpp"
#include "shiftnorm/stats/exact_sum.hpp"

namespace shiftnorm::experiment {
namespace {

using adapt::Mode, adapt::Policy, adapt::Semantics;
using List = SharedWork::List;

/// Beyond this the oldest pieces are forgotten, and would be computed again.
constexpr std::uint64_t kMostBytes = std::uint64_t{256} << 20;

class Stopwatch {
 public:
  [[nodiscard]] double seconds() const {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
  }

 private:
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

template <class T>
void add(Sha256& hash, std::span<const T> values) {
  hash.add(std::as_bytes(values));
}

/// Equal for modes with the same outputs, whatever they are called.
std::string text_of(const Mode& mode) {
  const auto number = [](const auto& value) { return value ? fmt::format("{}", *value) : std::string("-"); };
  const adapt::LayerRule& rule = mode.layers;
  std::string text =
      fmt::format("{} {} {} {} {} {} {} {} {} {} {} {}", adapt::name_of(mode.policy), adapt::name_of(mode.semantics),
                  adapt::name_of(mode.estimator), mode.batch, number(mode.momentum), number(mode.shuffle),
                  number(mode.source_weight), number(mode.prior_images), number(rule.first), number(rule.last),
                  number(rule.min_level), number(rule.max_level));
  for (const auto* patterns : {&rule.include, &rule.exclude}) {
    text += fmt::format(" {}", patterns->size());
    for (const std::string& pattern : *patterns) text += fmt::format(" {}:{}", pattern.size(), pattern);
  }
  return text;
}

/// The part of a mode that says how it measures: `adabn` uses just what was measured.
Mode measuring_part(const Mode& mode) {
  Mode part = mode;
  part.policy = Policy::adabn;
  part.source_weight.reset();
  part.prior_images.reset();
  return part;
}

std::string key_of(std::string_view what, const Mode& mode, const List& first, const List& second) {
  Sha256 hash;
  hash.add(fmt::format("{} {} {} {}\n", what, text_of(mode), first.size(), second.size()));
  add(hash, std::span(first));
  add(hash, std::span(second));
  return hash.hex();
}

/// Of what is applied: two modes may come to the same statistics on different ways.
std::string key_of(const stats::Statistics& statistics, const List& evaluate) {
  Sha256 hash;
  hash.add("evaluate\n");
  for (const stats::LayerStatistics& layer : statistics) {
    hash.add(layer.plain_affine ? "plain" : "own");
    add(hash, std::span(layer.mean));
    add(hash, std::span(layer.variance));
  }
  add(hash, std::span(evaluate));
  return hash.hex();
}

std::uint64_t bytes_of(const stats::Statistics& measured, const std::optional<adapt::Outputs>& outputs) {
  std::uint64_t bytes = outputs ? outputs->values.size() * sizeof(float) : 0;
  for (const stats::LayerStatistics& layer : measured)
    bytes += 2 * layer.mean.size() * sizeof(double) +
             (2 * layer.sums.channels() + 3 * layer.spread.channels()) * sizeof(stats::ExactSum);
  return bytes;
}

adapt::Outputs rows_of(const adapt::Outputs& all, const List& images) {
  const auto width = static_cast<std::size_t>(all.width);
  adapt::Outputs part{all.width, std::vector<float>(images.size() * width)};
  for (std::size_t i = 0; i < images.size(); ++i)
    std::copy_n(all.values.begin() + static_cast<std::ptrdiff_t>(images[i] * width), width,
                part.values.begin() + static_cast<std::ptrdiff_t>(i * width));
  return part;
}

void put_rows(const adapt::Outputs& part, const List& images, adapt::Outputs& all) {
  const auto width = static_cast<std::size_t>(part.width);
  all.width = part.width;
  for (std::size_t i = 0; i < images.size(); ++i)
    std::copy_n(part.values.begin() + static_cast<std::ptrdiff_t>(i * width), width,
                all.values.begin() + static_cast<std::ptrdiff_t>(images[i] * width));
}

}  // namespace

SharedWork::SharedWork(std::shared_ptr<adapt::Engine> engine, std::shared_ptr<imaging::SampleStore> store)
    : engine_(std::move(engine)), store_(std::move(store)) {}

void SharedWork::begin_run(std::string id, std::vector<Mode> modes) {
  run_ = std::move(id);
  modes_ = std::move(modes);
}

SharedWork::Found SharedWork::find(const std::string& key) const {
  const auto found = std::ranges::find_if(pieces_, [&](const Found& piece) { return piece->key == key; });
  return found == pieces_.end() ? nullptr : *found;
}

SharedWork::Found SharedWork::put(Piece piece) {
  const auto size = [](const Piece& p) { return bytes_of(p.measured, p.outputs); };
  bytes_ += size(piece);
  pieces_.push_back(std::make_shared<const Piece>(std::move(piece)));
  const Found made = pieces_.back();
  while (bytes_ > kMostBytes && pieces_.size() > 1) {
    bytes_ -= size(*pieces_.front());
    pieces_.pop_front();
  }
  return made;
}

SharedWork::Piece SharedWork::piece_by(const Mode& mode, std::string key) const {
  Piece piece;
  piece.key = std::move(key);
  piece.run = run_;
  piece.mode = mode.name;
  return piece;
}

adapt::Images SharedWork::images(const List& list) const {
  return {list.size(), [this, &list](std::size_t i, std::span<float> dst) { store_->load(list.at(i), dst); }};
}

bool SharedWork::used_as_measured(const Mode& measuring) const {
  return std::ranges::any_of(
      modes_, [&](const Mode& mode) { return mode.policy == Policy::adabn && text_of(mode) == text_of(measuring); });
}

/// What the engine refuses for want of source statistics is asked of it as it is.
bool SharedWork::shareable(const Mode& mode) const {
  if (!adapt::exportable(mode.policy)) return false;
  return engine_->source_known() || (adapt::measures(mode.policy) && !adapt::needs_source(mode));
}

void SharedWork::account(const Piece& piece, const Mode& mode, double& seconds, std::string& taken) const {
  if (piece.run != run_)
    taken = fmt::format("{} of run {}", piece.mode, piece.run.substr(0, 12));
  else if (piece.mode != mode.name)
    taken = piece.mode;
  else
    seconds += piece.seconds;
}

SharedWork::Found SharedWork::measured(const Mode& mode, const List& adapt, const List& evaluate,
                                       const Progress& progress) {
  const Mode measuring = measuring_part(mode);
  Piece piece = piece_by(mode, key_of("measure", measuring, adapt, {}));
  if (const Found found = find(piece.key)) return found;
  const adapt::Images images_of = images(adapt);
  // A layerwise sweep ends with the outputs under what it measured.
  const bool outputs = adapt == evaluate && measuring.semantics == Semantics::layerwise && used_as_measured(measuring);
  adapt::ModeResult result = engine_->run(measuring, images_of, outputs ? &images_of : nullptr, progress);
  piece.seconds = result.seconds.adapt;
  piece.images = result.adapted_images;
  for (adapt::LeftOut& one : result.left_out) piece.left_out.push_back({adapt[one.image], std::move(one.reason)});
  if (result.outputs) {
    Piece evaluation = piece_by(mode, key_of(result.statistics, evaluate));
    evaluation.seconds = result.seconds.evaluate;
    evaluation.outputs = std::move(result.outputs);
    put(std::move(evaluation));
  }
  piece.measured = std::move(result.measured);
  return put(std::move(piece));
}

SharedWork::Found SharedWork::evaluated(const Mode& mode, const stats::Statistics& statistics, const List& evaluate,
                                        const Progress& progress) {
  Piece piece = piece_by(mode, key_of(statistics, evaluate));
  if (const Found found = find(piece.key)) return found;
  const Stopwatch watch;
  piece.outputs = engine_->infer(statistics, images(evaluate), progress);
  piece.seconds = watch.seconds();
  return put(std::move(piece));
}

SharedWork::Done SharedWork::direct(const Mode& mode, const List& adapt, const List& evaluate,
                                    const Progress& progress) {
  Done done;
  const adapt::Images adapted = images(adapt), scored = images(evaluate);
  if (adapt::exportable(mode.policy)) {
    done.result = engine_->run(mode, adapted, adapt == evaluate ? &adapted : &scored, progress);
    return done;
  }
  const std::string key = key_of("in groups", mode, {}, evaluate);
  Found piece = find(key);
  if (!piece) {
    Piece made = piece_by(mode, key);
    adapt::ModeResult result = engine_->run(mode, adapted, &scored, progress);
    made.seconds = result.seconds.evaluate;
    for (adapt::LeftOut& one : result.left_out) made.left_out.push_back({evaluate[one.image], std::move(one.reason)});
    made.outputs = std::move(result.outputs);
    piece = put(std::move(made));
  }
  done.result.outputs = piece->outputs;
  for (const adapt::LeftOut& one : piece->left_out)
    done.result.left_out.push_back(
        {static_cast<std::size_t>(std::ranges::lower_bound(evaluate, one.image) - evaluate.begin()), one.reason});
  account(*piece, mode, done.result.seconds.evaluate, done.taken.evaluate);
  return done;
}

SharedWork::Done SharedWork::run(const Mode& mode, const List& adapt, const List& evaluate, const Progress& progress) {
  if (!shareable(mode)) return direct(mode, adapt, evaluate, progress);
  Done done;
  adapt::ModeResult& result = done.result;
  if (adapt::measures(mode.policy)) {
    const Found piece = measured(mode, adapt, evaluate, progress);
    result.measured = piece->measured;
    result.adapted_images = piece->images;
    for (const adapt::LeftOut& one : piece->left_out)
      result.left_out.push_back(
          {static_cast<std::size_t>(std::ranges::lower_bound(adapt, one.image) - adapt.begin()), one.reason});
    account(*piece, mode, result.seconds.adapt, done.taken.adapt);
  }
  result.statistics =
      adapt::apply_policy(mode, engine_->batch_norms(), engine_->source(),
                          result.measured.empty() ? engine_->source() : result.measured, result.adapted_images);
  const Found piece = evaluated(mode, result.statistics, evaluate, progress);
  result.outputs = piece->outputs;
  account(*piece, mode, result.seconds.evaluate, done.taken.evaluate);
  return done;
}

/// All domains are measured in one sweep.
std::vector<SharedWork::Found> SharedWork::measured(std::span<const adapt::Domain> domains, const Mode& asked,
                                                    const Progress& progress) {
  const Mode measuring = measuring_part(domains.front().mode);
  std::vector<Found> pieces;
  std::vector<adapt::Domain> as_measured;
  for (const adapt::Domain& domain : domains) {
    pieces.push_back(find(key_of("measure", measuring, domain.images, {})));
    as_measured.push_back({domain.images, measuring});
  }
  if (std::ranges::find(pieces, nullptr) == pieces.end()) return pieces;
  List all(store_->size());
  std::iota(all.begin(), all.end(), std::size_t{0});
  const bool outputs = measuring.semantics == Semantics::layerwise && used_as_measured(measuring);
  adapt::DomainResults results = engine_->run_domains(as_measured, images(all), outputs, progress);
  for (std::size_t d = 0; d < domains.size(); ++d) {
    adapt::ModeResult& result = results.domains[d];
    if (results.outputs) {
      Piece evaluation = piece_by(asked, key_of(result.statistics, domains[d].images));
      evaluation.outputs = rows_of(*results.outputs, domains[d].images);
      if (d == 0) evaluation.seconds = results.seconds.evaluate;
      put(std::move(evaluation));
    }
    Piece piece = piece_by(asked, key_of("measure", measuring, domains[d].images, {}));
    if (d == 0) piece.seconds = results.seconds.adapt;
    piece.images = result.adapted_images;
    piece.left_out = std::move(result.left_out);
    piece.measured = std::move(result.measured);
    pieces[d] = put(std::move(piece));
  }
  return pieces;
}

SharedWork::DomainsDone SharedWork::run_domains(std::span<const adapt::Domain> domains, const Mode& asked,
                                                const Progress& progress) {
  DomainsDone done;
  adapt::DomainResults& results = done.results;
  if (!std::ranges::all_of(domains, [&](const adapt::Domain& domain) { return shareable(domain.mode); })) {
    List all(store_->size());
    std::iota(all.begin(), all.end(), std::size_t{0});
    results = engine_->run_domains(domains, images(all), true, progress);
    return done;
  }
  std::vector<Found> pieces(domains.size());
  if (adapt::measures(domains.front().mode.policy)) pieces = measured(domains, asked, progress);
  results.outputs.emplace(adapt::Outputs{
      engine_->outputs(), std::vector<float>(store_->size() * static_cast<std::size_t>(engine_->outputs()))});
  std::size_t taken_over = 0;
  for (std::size_t d = 0; d < domains.size(); ++d) {
    adapt::ModeResult& result = results.domains.emplace_back();
    if (pieces[d]) {
      result.measured = pieces[d]->measured;
      result.adapted_images = pieces[d]->images;
      result.left_out = pieces[d]->left_out;
      account(*pieces[d], asked, results.seconds.adapt, done.taken.adapt);
    }
    result.statistics = adapt::apply_policy(domains[d].mode, engine_->batch_norms(), engine_->source(),
                                            pieces[d] ? pieces[d]->measured : engine_->source(), result.adapted_images);
    const Found piece = evaluated(asked, result.statistics, domains[d].images, progress);
    put_rows(*piece->outputs, domains[d].images, *results.outputs);
    std::string by;
    account(*piece, asked, results.seconds.evaluate, by);
    if (by.empty()) continue;
    ++taken_over;
    done.taken.evaluate = std::move(by);
  }
  // Partly computed counts as computed: its seconds say how much.
  if (taken_over < domains.size()) done.taken.evaluate.clear();
  return done;
}

}  // namespace shiftnorm::experiment
