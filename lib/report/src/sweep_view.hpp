#pragma once

#include <optional>
#include <string>
#include <vector>

#include "shiftnorm/report/sweep_report.hpp"

namespace shiftnorm::report {

/// Something that varies over a sweep.
struct Factor {
  std::string title;                ///< "Shift"
  std::vector<std::string> values;  ///< in order of appearance; numbers in theirs
  bool numeric = false;
};

/// One of the values of a factor; nothing: all of them (a clean image has no severity).
using Place = std::optional<std::size_t>;

/// Runs that belong together, such as those of one network.
struct SweepPart {
  std::string title;  ///< empty where there is one part
  std::vector<const SweepCell*> cells;
};

/// What the pieces of a sweep's page ask of it.
class SweepView {
 public:
  explicit SweepView(const SweepReport& sweep);
  SweepView(const SweepView&) = delete;  // its parts point into each other
  SweepView& operator=(const SweepView&) = delete;

  const SweepReport& sweep;
  std::vector<const SweepCell*> cells;     ///< each combination of values once
  std::vector<SweepPart> parts;            ///< one or more
  std::string part_title;                  ///< what parts differ in
  std::vector<std::string> modes;          ///< in order of appearance
  std::vector<std::string> metrics;        ///< every one that has a value
  std::string metric;                      ///< the one that modes are compared by; empty: no run is finished
  std::vector<std::string> recommendable;  ///< modes that the recommendation may name
  std::string source;                      ///< name of the mode; empty: none
  const Factor* rows = nullptr;            ///< of tables and maps
  const Factor* columns = nullptr;         ///< of maps; absent: modes
  bool averaged = false;                   ///< over seeds
  bool labelled = false;                   ///< whether `metric` asks labels

  [[nodiscard]] Place row_of(const SweepCell& cell) const { return place(cell, rows); }
  [[nodiscard]] Place column_of(const SweepCell& cell) const { return place(cell, columns); }
  /// "fog", "Prior images 16": a value of the rows in a sentence.
  [[nodiscard]] std::string row_words(std::size_t row) const;
  [[nodiscard]] std::string row_name(const SweepCell& cell) const;
  [[nodiscard]] std::string column_name(const SweepCell& cell) const;  ///< empty where it covers all
  [[nodiscard]] const SweepPart& part_of(const SweepCell& cell) const;
  [[nodiscard]] std::string seed_of(const SweepCell& cell) const;  ///< empty unless seeds vary
  /// "fog 3, cifar_resnet20": what distinguishes it from the others.
  [[nodiscard]] std::string name_of(const SweepCell& cell) const;
  /// No shift: such a run is shown beside the means, not in them.
  [[nodiscard]] bool unshifted(const SweepCell& cell) const;

 private:
  [[nodiscard]] Place place(const SweepCell& cell, const Factor* factor) const;
  void find_factors();
  void split(const std::string& key, const std::vector<std::string>& values);
  void choose_axes();
  void part_cells();
  void find_scores();

  [[nodiscard]] static std::string architecture_of(const SweepPart& part);

  std::vector<Factor> factors_;
  std::vector<std::vector<Place>> places_;  ///< [cells of the sweep, factors]
  std::optional<std::size_t> rows_;         ///< the factor of names, where its numbers are the next one
  std::vector<std::size_t> networks_;       ///< factors
  std::vector<std::size_t> parting_;        ///< factors whose values part the page
};

[[nodiscard]] std::optional<double> value_of(const SweepCell& cell, const std::string& mode, const std::string& metric);
/// Over cells that have it.
[[nodiscard]] std::optional<double> mean_of(const std::vector<const SweepCell*>& cells, const std::string& mode,
                                            const std::string& metric);
/// The same of what a mode is above source.
[[nodiscard]] std::optional<double> mean_difference(const SweepView& view, const std::vector<const SweepCell*>& cells,
                                                    const std::string& mode);
/// The mode with the best value; absent without values.
[[nodiscard]] std::optional<std::string> best_mode(const SweepView& view, const std::vector<const SweepCell*>& cells);
[[nodiscard]] std::vector<const SweepCell*> finished(const std::vector<const SweepCell*>& cells);
/// Those of a part that are in row `row` (and in its means: no unshifted ones, unless the row is theirs).
[[nodiscard]] std::vector<const SweepCell*> in_row(const SweepView& view, const SweepPart& part, std::size_t row);
[[nodiscard]] std::vector<const SweepCell*> shifted(const SweepView& view, const std::vector<const SweepCell*>& cells);

/// How the recommendation fared on some cells, in units of the metric. Only modes that it may name are compared.
struct Regret {
  std::size_t cells = 0, told = 0, right = 0;  ///< right: no mode was better
  double mean = 0, worst = 0;                  ///< over `told`
};
[[nodiscard]] Regret regret_of(const SweepView& view, const std::vector<const SweepCell*>& cells);
/// Of always taking one mode, over cells that have it.
[[nodiscard]] Regret regret_of_always(const SweepView& view, const std::vector<const SweepCell*>& cells,
                                      const std::string& mode);
/// What the best recommendable mode is above this one; absent without values or recommendation.
[[nodiscard]] std::optional<double> regret_of(const SweepView& view, const SweepCell& cell, const std::string& mode);

}  // namespace shiftnorm::report
