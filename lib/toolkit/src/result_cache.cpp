#include "result_cache.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "shiftnorm/core/error.hpp"
#include "shiftnorm/core/hash.hpp"
#include "shiftnorm/core/stopwatch.hpp"
#include "shiftnorm/stats/exact_sum.hpp"

namespace shiftnorm::toolkit {
namespace {

using adapt::Mode, adapt::Policy, adapt::Semantics;
using List = ResultCache::List;

/// Beyond this the oldest pieces are forgotten, and would be computed again.
constexpr std::uint64_t kMostBytes = std::uint64_t{256} << 20;

template <class T>
void add(Sha256& hash, std::span<const T> values) {
  hash.add(std::as_bytes(values));
}

/// Whether one of the modes uses just what is measured so.
bool any_uses(const std::vector<Mode>& modes, const Mode& measuring) {
  return std::ranges::any_of(modes, [&](const Mode& mode) {
    return mode.policy == Policy::adabn && adapt::canonical(mode) == adapt::canonical(measuring);
  });
}

std::string key_of(std::string_view what, const Mode& mode, const List& first, const List& second) {
  Sha256 hash;
  hash.add(fmt::format("{} {} {} {}\n", what, adapt::canonical(mode), first.size(), second.size()));
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

std::uint64_t bytes_of(const ResultPiece& piece) {
  std::uint64_t bytes = 0;
  for (const auto* outputs : {&piece.outputs, &piece.after})
    if (*outputs) bytes += (*outputs)->values.size() * sizeof(float);
  for (const stats::LayerStatistics& layer : piece.measured)
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

ResultCache::ResultCache(std::shared_ptr<adapt::Engine> engine, std::shared_ptr<imaging::SampleStore> store,
                         std::string samples)
    : engine_(std::move(engine)), store_(std::move(store)), samples_(std::move(samples)) {}

void ResultCache::begin_run(std::string id, std::vector<Mode> modes, const ResumeStore* kept) {
  run_ = std::move(id);
  modes_ = std::move(modes);
  kept_ = kept;
}

ResultCache::Found ResultCache::find(const std::string& key) {
  const auto found = std::ranges::find_if(pieces_, [&](const Found& piece) { return piece->key == key; });
  if (found != pieces_.end()) return *found;
  std::optional<ResultPiece> piece = kept(key);
  return piece ? hold(std::move(*piece)) : nullptr;
}

std::string ResultCache::kept_name(std::string_view key) const {
  return sha256_hex(fmt::format("{}\n{}\n{}", run_, samples_, key));
}

/// A name promises the content; what does not fit all the same is no reason to fail.
bool ResultCache::fits(const ResultPiece& piece) const {
  const stats::Statistics& source = engine_->source();
  const auto same = [](const stats::LayerStatistics& a, const stats::LayerStatistics& b) {
    return a.name == b.name && a.mean.size() == b.mean.size();
  };
  const auto wide = [&](const std::optional<adapt::Outputs>& o) { return !o || o->width == engine_->outputs(); };
  return (piece.measured.empty() || std::ranges::equal(piece.measured, source, same)) && wide(piece.outputs) &&
         wide(piece.after) &&
         std::ranges::all_of(piece.left_out, [&](const adapt::LeftOut& one) { return one.image < store_->size(); });
}

std::optional<ResultPiece> ResultCache::kept(const std::string& key) const {
  if (kept_ == nullptr) return std::nullopt;
  const std::optional<std::vector<std::byte>> bytes = kept_->find(kept_name(key));
  if (!bytes) return std::nullopt;
  try {
    ResultPiece piece = read_piece(*bytes);
    if (!fits(piece)) return std::nullopt;
    piece.key = key;
    piece.run = run_;
    return piece;
  } catch (const FormatError&) {  // it is computed again, then
    return std::nullopt;
  }
}

void ResultCache::keep(const ResultPiece& piece) const {
  if (kept_ == nullptr) return;
  if (const auto bytes = write_piece(piece)) kept_->keep(kept_name(piece.key), *bytes);
}

ResultCache::Found ResultCache::put(ResultPiece piece) {
  keep(piece);
  return hold(std::move(piece));
}

ResultCache::Found ResultCache::hold(ResultPiece piece) {
  bytes_ += bytes_of(piece);
  pieces_.push_back(std::make_shared<const ResultPiece>(std::move(piece)));
  Found made = pieces_.back();
  while (bytes_ > kMostBytes && pieces_.size() > 1) {
    bytes_ -= bytes_of(*pieces_.front());
    pieces_.pop_front();
  }
  return made;
}

ResultPiece ResultCache::piece_by(const Mode& mode, std::string key) const {
  ResultPiece piece;
  piece.key = std::move(key);
  piece.run = run_;
  piece.mode = mode;
  return piece;
}

adapt::Images ResultCache::images(const List& list) const {
  return {list.size(), [this, &list](std::size_t i, std::span<float> dst) { store_->load(list.at(i), dst); }};
}

/// A layerwise sweep ends with the outputs under what it measured; of `matched`, the mode itself uses just that.
bool ResultCache::gives_outputs(const Mode& measuring) const {
  return measuring.semantics == Semantics::layerwise &&
         (measuring.policy == Policy::matched || any_uses(modes_, measuring));
}

/// What the engine refuses for lack of source statistics is asked of it as it is.
bool ResultCache::shareable(const Mode& mode) const {
  if (!engine_->fixed(mode)) return false;
  return engine_->source_known() || (adapt::measures(mode.policy) && !adapt::needs_source(mode));
}

bool ResultCache::own(const ResultPiece& piece, const Mode& mode, std::string& taken) const {
  if (piece.run == run_ && piece.mode.name == mode.name) return true;
  taken = piece.run == run_ ? piece.mode.name : fmt::format("{} of run {}", piece.mode.name, piece.run.substr(0, 12));
  return false;
}

/// Goes on behind what an interrupted call left; what this one reaches is kept if it is interrupted too.
adapt::ModeResult ResultCache::measure(const Mode& measuring, const std::string& key, const adapt::Images& images_of,
                                       bool outputs, const Progress& progress) {
  const auto run = [&](stats::Statistics* reached) {
    return outputs ? engine_->run(measuring, images_of, adapt::kSameImages, progress, reached)
                   : engine_->run(measuring, images_of, nullptr, progress, reached);
  };
  if (kept_ == nullptr) return run(nullptr);
  ResultPiece part = piece_by(measuring, fmt::format("{} in part", key));
  if (std::optional<ResultPiece> before = kept(part.key)) part.measured = std::move(before->measured);
  try {
    return run(&part.measured);
  } catch (...) {
    if (std::ranges::any_of(part.measured, [](const stats::LayerStatistics& layer) { return layer.values > 0; })) {
      try {
        keep(part);
      } catch (const Error&) {  // what ended the work matters more
      }
    }
    throw;
  }
}

ResultCache::Found ResultCache::measured(const Mode& mode, const List& adapt, const List& evaluate,
                                         const Progress& progress) {
  const Mode measuring = adapt::measuring_of(mode);
  ResultPiece piece = piece_by(mode, key_of("measure", measuring, adapt, {}));
  if (Found found = find(piece.key)) return found;
  const adapt::Images images_of = images(adapt);
  const bool outputs = adapt == evaluate && gives_outputs(measuring);
  adapt::ModeResult result = measure(measuring, piece.key, images_of, outputs, progress);
  piece.seconds.adapt = result.seconds.adapt;
  piece.images = result.adapted_images;
  for (adapt::LeftOut& one : result.left_out) piece.left_out.push_back({adapt[one.image], std::move(one.reason)});
  if (result.outputs) {
    ResultPiece evaluation = piece_by(mode, key_of(result.statistics, evaluate));
    evaluation.seconds.evaluate = result.seconds.evaluate;
    evaluation.outputs = std::move(result.outputs);
    put(std::move(evaluation));
  }
  piece.measured = std::move(result.measured);
  return put(std::move(piece));
}

ResultCache::Found ResultCache::evaluated(const Mode& mode, const stats::Statistics& statistics, const List& evaluate,
                                          const Progress& progress) {
  ResultPiece piece = piece_by(mode, key_of(statistics, evaluate));
  if (Found found = find(piece.key)) return found;
  const Stopwatch watch;
  piece.outputs = engine_->infer(statistics, images(evaluate), progress);
  piece.seconds.evaluate = watch.seconds();
  return put(std::move(piece));
}

ResultCache::Done ResultCache::direct(const Mode& mode, const List& adapt, const List& evaluate,
                                      const Progress& progress) {
  Done done;
  const adapt::Images adapted = images(adapt), scored = images(evaluate);
  if (adapt::exportable(mode.policy)) {
    done.result = adapt == evaluate ? engine_->run(mode, adapted, adapt::kSameImages, progress)
                                    : engine_->run(mode, adapted, &scored, progress);
    return done;
  }
  const std::string key = key_of("in groups", mode, {}, evaluate);
  Found piece = find(key);
  if (!piece) {
    ResultPiece made = piece_by(mode, key);
    adapt::ModeResult result = engine_->run(mode, adapted, &scored, progress);
    made.seconds.evaluate = result.seconds.evaluate;
    for (adapt::LeftOut& one : result.left_out) made.left_out.push_back({evaluate[one.image], std::move(one.reason)});
    made.outputs = std::move(result.outputs);
    piece = put(std::move(made));
  }
  done.result.outputs = piece->outputs;
  for (const adapt::LeftOut& one : piece->left_out)
    done.result.left_out.push_back(
        {static_cast<std::size_t>(std::ranges::lower_bound(evaluate, one.image) - evaluate.begin()), one.reason});
  if (own(*piece, mode, done.reused.evaluate)) done.result.seconds.evaluate += piece->seconds.evaluate;
  return done;
}

ResultCache::Done ResultCache::run(const Mode& mode, const List& adapt, const List& evaluate,
                                   const Progress& progress) {
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
    if (own(*piece, mode, done.reused.adapt)) result.seconds.adapt += piece->seconds.adapt;
  }
  result.statistics =
      adapt::apply_policy(mode, engine_->batch_norms(), engine_->source(),
                          result.measured.empty() ? engine_->source() : result.measured, result.adapted_images);
  const Found piece = evaluated(mode, result.statistics, evaluate, progress);
  result.outputs = piece->outputs;
  if (own(*piece, mode, done.reused.evaluate)) result.seconds.evaluate += piece->seconds.evaluate;
  return done;
}

ResultCache::StreamDone ResultCache::run_stream(const Mode& mode, std::int64_t batch, const Progress& progress) {
  const List all = every_image(store_->size());
  const std::string key = key_of(fmt::format("stream {}", batch), mode, all, {});
  StreamDone done;
  adapt::ModeResult& result = done.streamed.result;
  if (const Found piece = find(key)) {
    result.measured = piece->measured;
    result.adapted_images = piece->images;
    result.left_out = piece->left_out;
    result.outputs = piece->outputs;
    done.streamed.after = *piece->after;
    if (adapt::exportable(mode.policy))
      result.statistics =
          adapt::apply_policy(mode, engine_->batch_norms(), engine_->source(),
                              result.measured.empty() ? engine_->source() : result.measured, result.adapted_images);
    if (own(*piece, mode, done.reused.adapt)) result.seconds = piece->seconds;
    done.reused.evaluate = done.reused.adapt;
    return done;
  }
  done.streamed = stream(*engine_, mode, batch, images(all), progress);
  ResultPiece piece = piece_by(mode, key);
  piece.seconds = result.seconds;
  piece.measured = result.measured;
  piece.images = result.adapted_images;
  piece.left_out = result.left_out;
  piece.outputs = result.outputs;
  piece.after = done.streamed.after;
  put(std::move(piece));
  return done;
}

/// All domains are measured in one sweep.
std::vector<ResultCache::Found> ResultCache::measured(std::span<const adapt::Domain> domains, const Mode& asked,
                                                      const Progress& progress) {
  std::vector<Found> pieces;
  std::vector<adapt::Domain> as_measured;
  for (const adapt::Domain& domain : domains) {
    as_measured.push_back({domain.images, adapt::measuring_of(domain.mode)});
    pieces.push_back(find(key_of("measure", as_measured.back().mode, domain.images, {})));
  }
  if (std::ranges::find(pieces, nullptr) == pieces.end()) return pieces;
  const List all = every_image(store_->size());
  const bool outputs = gives_outputs(as_measured.front().mode);
  adapt::DomainResults results = engine_->run_domains(as_measured, images(all), outputs, progress);
  for (std::size_t d = 0; d < domains.size(); ++d) {
    adapt::ModeResult& result = results.domains[d];
    if (results.outputs) {
      ResultPiece evaluation = piece_by(asked, key_of(result.statistics, domains[d].images));
      evaluation.outputs = rows_of(*results.outputs, domains[d].images);
      if (d == 0) evaluation.seconds.evaluate = results.seconds.evaluate;
      put(std::move(evaluation));
    }
    ResultPiece piece = piece_by(asked, key_of("measure", as_measured[d].mode, domains[d].images, {}));
    if (d == 0) piece.seconds.adapt = results.seconds.adapt;
    piece.images = result.adapted_images;
    piece.left_out = std::move(result.left_out);
    piece.measured = std::move(result.measured);
    pieces[d] = put(std::move(piece));
  }
  return pieces;
}

/// Policies whose groups are batches of a domain, and what the engine refuses.
ResultCache::DomainsDone ResultCache::direct(std::span<const adapt::Domain> domains, const Mode& asked,
                                             const Progress& progress) {
  DomainsDone done;
  const List all = every_image(store_->size());
  if (adapt::exportable(asked.policy)) {
    done.results = engine_->run_domains(domains, images(all), true, progress);
    return done;
  }
  std::string key;
  for (const adapt::Domain& domain : domains) key += key_of("in groups", domain.mode, {}, domain.images);
  Found piece = find(key);
  if (!piece) {
    adapt::DomainResults results = engine_->run_domains(domains, images(all), true, progress);
    ResultPiece made = piece_by(asked, key);
    made.seconds = results.seconds;
    made.outputs = std::move(results.outputs);
    for (adapt::ModeResult& result : results.domains)
      for (adapt::LeftOut& one : result.left_out) made.left_out.push_back(std::move(one));
    piece = put(std::move(made));
  }
  done.results.outputs = piece->outputs;
  for (const adapt::Domain& domain : domains) {
    adapt::ModeResult& result = done.results.domains.emplace_back();
    for (const adapt::LeftOut& one : piece->left_out)
      if (std::ranges::find(domain.images, one.image) != domain.images.end()) result.left_out.push_back(one);
  }
  if (own(*piece, asked, done.reused.evaluate)) done.results.seconds = piece->seconds;
  return done;
}

ResultCache::DomainsDone ResultCache::run_domains(std::span<const adapt::Domain> domains, const Mode& asked,
                                                  const Progress& progress) {
  if (!std::ranges::all_of(domains, [&](const adapt::Domain& domain) { return shareable(domain.mode); }))
    return direct(domains, asked, progress);
  DomainsDone done;
  adapt::DomainResults& results = done.results;
  std::vector<Found> pieces(domains.size());
  if (adapt::measures(domains.front().mode.policy)) pieces = measured(domains, asked, progress);
  results.outputs.emplace(adapt::Outputs{
      engine_->outputs(), std::vector<float>(store_->size() * static_cast<std::size_t>(engine_->outputs()))});
  std::size_t reused = 0;
  for (std::size_t d = 0; d < domains.size(); ++d) {
    adapt::ModeResult& result = results.domains.emplace_back();
    if (pieces[d]) {
      result.measured = pieces[d]->measured;
      result.adapted_images = pieces[d]->images;
      result.left_out = pieces[d]->left_out;
      if (own(*pieces[d], asked, done.reused.adapt)) results.seconds.adapt += pieces[d]->seconds.adapt;
    }
    result.statistics = adapt::apply_policy(domains[d].mode, engine_->batch_norms(), engine_->source(),
                                            pieces[d] ? pieces[d]->measured : engine_->source(), result.adapted_images);
    const Found piece = evaluated(asked, result.statistics, domains[d].images, progress);
    put_rows(*piece->outputs, domains[d].images, *results.outputs);
    std::string by;
    if (own(*piece, asked, by)) results.seconds.evaluate += piece->seconds.evaluate;
    if (by.empty()) continue;
    ++reused;
    done.reused.evaluate = std::move(by);
  }
  // Partly computed counts as computed: its seconds say how much.
  if (reused < domains.size()) done.reused.evaluate.clear();
  return done;
}

std::vector<ExpectedWork> expected_work(const std::vector<Mode>& modes, bool same_images) {
  std::vector<ExpectedWork> all;
  std::map<std::string, std::string> measured, outputs;  // by what, by whom
  for (const Mode& mode : modes) {
    ExpectedWork& work = all.emplace_back();
    if (adapt::measures(mode.policy)) {
      const Mode measuring = adapt::measuring_of(mode);
      const auto [by, fresh] = measured.emplace(adapt::canonical(measuring), mode.name);
      work.measures = fresh;
      if (!fresh) work.reused.adapt = by->second;
      work.gives_outputs = fresh && same_images && measuring.semantics == Semantics::layerwise &&
                           (measuring.policy == Policy::matched || any_uses(modes, measuring));
      if (work.gives_outputs) outputs.emplace(adapt::canonical(measuring), mode.name);
    }
    const auto [by, fresh] = outputs.emplace(adapt::canonical(mode), mode.name);
    work.evaluates = fresh;
    if (!fresh && by->second != mode.name) work.reused.evaluate = by->second;
  }
  return all;
}

}  // namespace shiftnorm::toolkit
