#include "sample_sweep.hpp"

#include <fmt/format.h>

namespace shiftnorm::test {

report::SweepCell sample_cell(std::vector<std::string> values, std::vector<double> accuracies) {
  constexpr const char* kModes[][2] = {{"source", "source"}, {"adabn", "adabn"}, {"off", "disabled"}};
  report::SweepCell cell;
  cell.values = std::move(values);
  results::RunRecord& record = cell.record.emplace();
  record.images = 100;
  record.seed = 7;
  for (std::size_t m = 0; m < accuracies.size(); ++m) {
    results::ScoreRecord score;
    score.mode = kModes[m][0];
    score.policy = kModes[m][1];
    score.metric = "accuracy";
    score.value = accuracies[m];
    if (m > 0) {
      score.difference = accuracies[m] - accuracies[0];
      score.difference_low = *score.difference - 0.05;
      score.difference_high = *score.difference + 0.05;
    }
    record.scores.push_back(score);
  }
  return cell;
}

report::SweepReport sample_sweep() {
  struct Given {
    const char *shift, *network;
    double source, adabn;
  };
  constexpr Given kGiven[] = {{"noise: 2", "small", 0.20, 0.60}, {"noise: 2", "large", 0.18, 0.62},
                              {"noise: 1", "small", 0.40, 0.70}, {"noise: 1", "large", 0.38, 0.72},
                              {"fog: 1", "small", 0.80, 0.82},   {"fog: 1", "large", 0.78, 0.84},
                              {"fog: 2", "small", 0.60, 0.70},   {"fog: 2", "large", 0.58, 0.72},
                              {"none", "small", 0.90, 0.86},     {"none", "large", 0.88, 0.88}};
  report::SweepReport sweep;
  sweep.name = "sample";
  sweep.program_version = "0.1.0";
  sweep.keys = {"data.target.shift", "model.checkpoint"};
  sweep.command = "shiftnorm run sample.yaml";
  for (const Given& one : kGiven) {
    report::SweepCell cell = sample_cell({one.shift, fmt::format("{}.th", one.network)}, {one.source, one.adabn, 0.10});
    cell.record->architecture = one.network;
    cell.folder = fmt::format("run-{}", sweep.cells.size());
    results::Recommendation& told = cell.recommendation.emplace();
    told.mode = "adabn";
    told.confidence = "high";
    if (sweep.cells.empty()) told = {std::nullopt, {}, "cannot tell"};
    if (sweep.cells.size() == 7) told.mode = "source";
    sweep.cells.push_back(std::move(cell));
  }
  return sweep;
}

}  // namespace shiftnorm::test
