#include "sweep_view.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <map>
#include <set>

#include "shiftnorm/core/parse.hpp"
#include "shiftnorm/results/view.hpp"

namespace shiftnorm::report {
namespace {

constexpr std::string_view kConfidence = "mean_confidence", kEntropy = "mean_entropy";
// What a sweep calls a value of no keys: no shift.
constexpr std::string_view kNothing = "none";

std::optional<double> number_of(std::string_view text) {
  double value = 0;
  return parse_whole(text, value) ? std::optional(value) : std::nullopt;
}

struct NameAndNumber {
  std::string name, number;
};
/// "fog: 3"; a value of nothing has no number.
std::optional<NameAndNumber> parted(const std::string& value) {
  if (value == kNothing) return NameAndNumber{value, {}};
  const std::size_t colon = value.find(": ");
  if (colon == std::string::npos || !number_of(std::string_view(value).substr(colon + 2))) return std::nullopt;
  return NameAndNumber{value.substr(0, colon), value.substr(colon + 2)};
}

std::string last_key(const std::string& key) { return key.substr(key.rfind('.') + 1); }

std::string title_of(const std::string& key) {
  std::string title = last_key(key);
  std::ranges::replace(title, '_', ' ');
  if (!title.empty() && title[0] >= 'a' && title[0] <= 'z') title[0] = static_cast<char>(title[0] - 'a' + 'A');
  return title;
}

bool of_network(const std::string& key) { return key == "model" || key.starts_with("model."); }

std::size_t index_in(const std::vector<std::string>& values, const std::string& value) {
  return static_cast<std::size_t>(std::ranges::find(values, value) - values.begin());
}

Factor factor_of(std::string title, const std::vector<std::string>& values) {
  Factor factor{std::move(title), {}, false};
  for (const std::string& value : values)
    if (!value.empty() && std::ranges::find(factor.values, value) == factor.values.end())
      factor.values.push_back(value);
  factor.numeric = std::ranges::all_of(factor.values, [](const std::string& v) { return number_of(v).has_value(); });
  if (factor.numeric) std::ranges::stable_sort(factor.values, {}, [](const std::string& v) { return *number_of(v); });
  return factor;
}

}  // namespace

SweepView::SweepView(const SweepReport& given) : sweep(given), places_(given.cells.size()) {
  std::set<std::vector<std::string>> seen;
  for (const SweepCell& cell : sweep.cells)
    if (seen.insert(cell.values).second) cells.push_back(&cell);
  find_factors();
  choose_axes();
  part_cells();
  find_scores();
}

void SweepView::find_factors() {
  for (std::size_t k = 0; k < sweep.keys.size(); ++k) {
    std::vector<std::string> values;
    for (const SweepCell& cell : sweep.cells) values.push_back(cell.values.at(k));
    if (std::set<std::string>(values.begin(), values.end()).size() < 2) continue;
    if (sweep.keys[k] == "seed")
      averaged = true;
    else
      split(sweep.keys[k], values);
  }
}

/// One factor, or two where the values are names with numbers.
void SweepView::split(const std::string& key, const std::vector<std::string>& values) {
  const auto add = [&](Factor factor, const std::vector<std::string>& of_cells) {
    for (std::size_t i = 0; i < of_cells.size(); ++i)
      places_[i].push_back(of_cells[i].empty() ? Place() : Place(index_in(factor.values, of_cells[i])));
    factors_.push_back(std::move(factor));
  };
  std::vector<std::string> names, numbers;
  for (const std::string& value : values)
    if (auto both = parted(value)) {
      names.push_back(std::move(both->name));
      numbers.push_back(std::move(both->number));
    }
  const bool all = names.size() == values.size();
  Factor by_name = factor_of(title_of(key), names);
  std::stable_partition(by_name.values.begin(), by_name.values.end(),
                        [](const std::string& name) { return name == kNothing; });
  const Factor by_number = factor_of(last_key(key) == "shift" ? "Severity" : "Value", numbers);
  if (all && by_name.values.size() > 1 && by_number.values.size() > 1) {
    if (!rows_) rows_ = factors_.size();
    add(by_name, names);
    add(by_number, numbers);
    return;
  }
  if (of_network(key)) networks_.push_back(factors_.size());
  add(factor_of(title_of(key), values), values);
}

void SweepView::choose_axes() {
  const auto network = [&](std::size_t f) { return std::ranges::find(networks_, f) != networks_.end(); };
  std::vector<std::size_t> axes;
  if (rows_) {
    axes = {*rows_, *rows_ + 1};
  } else {
    for (std::size_t f = 0; f < factors_.size(); ++f)
      if (!network(f)) axes.push_back(f);
    if (axes.empty()) axes = networks_;
    // Of many the longest two; what is ordered runs from left to right.
    std::ranges::stable_sort(axes, std::greater<>{}, [&](std::size_t f) { return factors_[f].values.size(); });
    if (axes.size() > 2) axes.resize(2);
    if (axes.size() > 1 && factors_[axes[0]].numeric && !factors_[axes[1]].numeric) std::swap(axes[0], axes[1]);
  }
  if (!axes.empty()) rows = &factors_[axes[0]];
  if (axes.size() > 1) columns = &factors_[axes[1]];
  for (std::size_t f = 0; f < factors_.size(); ++f)
    if (std::ranges::find(axes, f) == axes.end()) parting_.push_back(f);
}

void SweepView::part_cells() {
  std::map<std::vector<Place>, std::size_t> known;
  for (const SweepCell* cell : cells) {
    const auto i = static_cast<std::size_t>(cell - sweep.cells.data());
    std::vector<Place> key;
    for (const std::size_t f : parting_) key.push_back(places_[i][f]);
    const auto [at, fresh] = known.emplace(key, parts.size());
    if (fresh) {
      SweepPart& part = parts.emplace_back();
      for (std::size_t p = 0; p < parting_.size(); ++p) {
        const Factor& factor = factors_[parting_[p]];
        part.title += fmt::format("{}{} {}", part.title.empty() ? "" : ", ", factor.title,
                                  key[p] ? factor.values.at(*key[p]) : std::string(kNothing));
      }
    }
    parts[at->second].cells.push_back(cell);
  }
  if (parts.empty()) parts.emplace_back();
  for (const std::size_t f : parting_) part_title += (part_title.empty() ? "" : ", ") + factors_[f].title;
  // Networks are better known by their architecture than by their files.
  std::set<std::string> architectures;
  for (const SweepPart& part : parts) architectures.insert(architecture_of(part));
  const bool networks_alone =
      std::ranges::all_of(parting_, [&](std::size_t f) { return std::ranges::find(networks_, f) != networks_.end(); });
  if (networks_alone) part_title = "Network";
  if (parts.size() > 1 && networks_alone && architectures.size() == parts.size() && !architectures.contains(""))
    for (SweepPart& part : parts) part.title = architecture_of(part);
}

std::string SweepView::architecture_of(const SweepPart& part) {
  for (const SweepCell* cell : part.cells)
    if (cell->record) return cell->record->architecture;
  return {};
}

void SweepView::find_scores() {
  for (const SweepCell* cell : finished(cells))
    for (const results::ScoreRecord& score : cell->record->scores) {
      if (std::ranges::find(modes, score.mode) == modes.end()) modes.push_back(score.mode);
      if (results::recommendable(score.policy) && std::ranges::find(recommendable, score.mode) == recommendable.end())
        recommendable.push_back(score.mode);
      if (source.empty() && score.policy == "source") source = score.mode;
      if (score.value && std::ranges::find(metrics, score.metric) == metrics.end()) metrics.push_back(score.metric);
    }
  const auto asks_labels = [](const std::string& name) { return name != kConfidence && name != kEntropy; };
  const auto first = std::ranges::find_if(metrics, asks_labels);
  labelled = first != metrics.end();
  if (!metrics.empty()) metric = labelled ? *first : std::string(kConfidence);
  if (std::ranges::find(metrics, "accuracy") != metrics.end()) metric = "accuracy";
  if (labelled) std::erase_if(metrics, [&](const std::string& name) { return !asks_labels(name); });
}

Place SweepView::place(const SweepCell& cell, const Factor* factor) const {
  if (factor == nullptr) return std::nullopt;
  return places_[static_cast<std::size_t>(&cell - sweep.cells.data())]
                [static_cast<std::size_t>(factor - factors_.data())];
}

bool SweepView::unshifted(const SweepCell& cell) const {
  const Place row = row_of(cell);
  return rows_ && row && !column_of(cell);
}

std::string SweepView::row_words(std::size_t row) const {
  const std::string& name = rows->values.at(row);
  return rows_ ? name : fmt::format("{} {}", rows->title, name);
}

std::string SweepView::row_name(const SweepCell& cell) const {
  const Place at = row_of(cell);
  return at ? rows->values.at(*at) : std::string();
}

std::string SweepView::column_name(const SweepCell& cell) const {
  const Place at = column_of(cell);
  return at ? columns->values.at(*at) : std::string();
}

const SweepPart& SweepView::part_of(const SweepCell& cell) const {
  const auto holds = [&](const SweepPart& part) { return std::ranges::find(part.cells, &cell) != part.cells.end(); };
  return *std::ranges::find_if(parts, holds);
}

std::string SweepView::seed_of(const SweepCell& cell) const {
  const auto at = std::ranges::find(sweep.keys, "seed");
  return averaged ? cell.values.at(static_cast<std::size_t>(at - sweep.keys.begin())) : std::string();
}

std::string SweepView::name_of(const SweepCell& cell) const {
  std::string name;
  if (const Place row = row_of(cell)) name = row_words(*row);
  if (const std::string across = column_name(cell); !across.empty())
    name += rows_ ? fmt::format(" {}", across) : fmt::format(", {} {}", columns->title, across);
  const std::string seed = seed_of(cell);
  for (const std::string& more : {part_of(cell).title, seed.empty() ? seed : fmt::format("seed {}", seed)})
    if (!more.empty()) name += fmt::format("{}{}", name.empty() ? "" : ", ", more);
  return name;
}

std::optional<double> value_of(const SweepCell& cell, const std::string& mode, const std::string& metric) {
  if (!cell.record) return std::nullopt;
  for (const results::ScoreRecord& score : cell.record->scores)
    if (score.mode == mode && score.metric == metric)
      return score.value && std::isfinite(*score.value) ? score.value : std::nullopt;
  return std::nullopt;
}

namespace {

/// Of what `of` gives for the cells; nothing where it gives nothing.
template <class Of>
std::optional<double> mean_over(const std::vector<const SweepCell*>& cells, const Of& of) {
  double sum = 0;
  std::size_t count = 0;
  for (const SweepCell* cell : cells)
    if (const std::optional<double> value = of(*cell)) {
      sum += *value;
      ++count;
    }
  if (count == 0) return std::nullopt;
  return sum / static_cast<double>(count);
}

template <class Of>
Regret regret_over(const std::vector<const SweepCell*>& cells, const Of& of) {
  constexpr double kNothingBetter = 1e-9;
  Regret out;
  for (const SweepCell* cell : cells) {
    ++out.cells;
    const std::optional<double> lost = of(*cell);
    if (!lost) continue;
    ++out.told;
    out.right += *lost < kNothingBetter ? 1 : 0;
    out.mean += *lost;
    out.worst = std::max(out.worst, *lost);
  }
  if (out.told > 0) out.mean /= static_cast<double>(out.told);
  return out;
}

}  // namespace

std::optional<double> mean_of(const std::vector<const SweepCell*>& cells, const std::string& mode,
                              const std::string& metric) {
  return mean_over(cells, [&](const SweepCell& cell) { return value_of(cell, mode, metric); });
}

std::optional<double> mean_difference(const SweepView& view, const std::vector<const SweepCell*>& cells,
                                      const std::string& mode) {
  return mean_over(cells, [&](const SweepCell& cell) -> std::optional<double> {
    const auto base = value_of(cell, view.source, view.metric), value = value_of(cell, mode, view.metric);
    return base && value ? std::optional(*value - *base) : std::nullopt;
  });
}

std::optional<std::string> best_mode(const SweepView& view, const std::vector<const SweepCell*>& cells) {
  std::optional<std::string> best;
  std::optional<double> most;
  for (const std::string& mode : view.modes) {
    const std::optional<double> value = mean_of(cells, mode, view.metric);
    if (!value || (most && !(results::higher_is_better(view.metric) ? *value > *most : *value < *most))) continue;
    best = mode;
    most = value;
  }
  return best;
}

std::vector<const SweepCell*> finished(const std::vector<const SweepCell*>& cells) {
  std::vector<const SweepCell*> out;
  for (const SweepCell* cell : cells)
    if (cell->record) out.push_back(cell);
  return out;
}

std::vector<const SweepCell*> in_row(const SweepView& view, const SweepPart& part, std::size_t row) {
  std::vector<const SweepCell*> out;
  for (const SweepCell* cell : finished(part.cells))
    if (view.row_of(*cell) == Place(row)) out.push_back(cell);
  return out;
}

std::vector<const SweepCell*> shifted(const SweepView& view, const std::vector<const SweepCell*>& cells) {
  std::vector<const SweepCell*> out;
  for (const SweepCell* cell : finished(cells))
    if (!view.unshifted(*cell)) out.push_back(cell);
  return out;
}

std::optional<double> regret_of(const SweepView& view, const SweepCell& cell, const std::string& mode) {
  const std::optional<double> ours = value_of(cell, mode, view.metric);
  if (!ours) return std::nullopt;
  const double sign = results::higher_is_better(view.metric) ? 1 : -1;
  double most = 0;
  for (const std::string& other : view.recommendable)
    if (const auto value = value_of(cell, other, view.metric)) most = std::max(most, sign * (*value - *ours));
  return most;
}

Regret regret_of(const SweepView& view, const std::vector<const SweepCell*>& cells) {
  return regret_over(cells, [&](const SweepCell& cell) -> std::optional<double> {
    if (!cell.recommendation || !cell.recommendation->mode) return std::nullopt;
    return regret_of(view, cell, *cell.recommendation->mode);
  });
}

Regret regret_of_always(const SweepView& view, const std::vector<const SweepCell*>& cells, const std::string& mode) {
  return regret_over(cells, [&](const SweepCell& cell) { return regret_of(view, cell, mode); });
}

}  // namespace shiftnorm::report
