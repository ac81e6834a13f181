#include <catch2/catch.hpp>
#include <cmath>

#include "formula_data.hpp"
#include "shiftnorm/core/error.hpp"
#include "shiftnorm/metrics/intervals.hpp"

using namespace shiftnorm;
using namespace shiftnorm::metrics;

namespace {

/// Is it class 3? Scores rounded to sixteenths, so that there are ties (golden.py).
Predictions is_class_three(int seed) {
  const Predictions all = test::formula_data(seed);
  Predictions two{2, {}, {}};
  for (std::size_t i = 0; i < all.images(); ++i) {
    const double score = std::nearbyint(all.probabilities[i * 5 + 3] * 16) / 16;
    two.labels.push_back(all.labels[i] == 3 ? 1 : 0);
    two.probabilities.insert(two.probabilities.end(), {1 - score, score});
  }
  return two;
}

}  // namespace

// Oracle: scikit-learn 1.2.1: golden.py. 1e-12: sums of 211 doubles in another order.
TEST_CASE("Of two classes the second is scored", "[metrics]") {
  CHECK(score(metric("auroc"), is_class_three(1)).value.value() == Approx(0.4662581008734855).epsilon(1e-12));
  CHECK(score(metric("auroc"), is_class_three(2)).value.value() == Approx(0.7924767540152156).epsilon(1e-12));
  CHECK(score(metric("average_precision"), is_class_three(1)).value.value() ==
        Approx(0.18597536288051536).epsilon(1e-12));
  CHECK(score(metric("average_precision"), is_class_three(2)).value.value() ==
        Approx(0.6323525360509141).epsilon(1e-12));
  CHECK(score(metric("sensitivity_at_90_specificity"), is_class_three(1)).value.value() == 0);
  CHECK(score(metric("sensitivity_at_90_specificity"), is_class_three(2)).value.value() == 0.5);
}

// Oracle: DeLong's definition by comparing every pair, in NumPy: golden.py. 1e-10: differences of near covariances.
TEST_CASE("DeLong's variance and test", "[metrics]") {
  const Predictions a = is_class_three(1), b = is_class_three(2);
  const std::optional<DeLong> first = delong(a, 0.95), second = delong(b, 0.95);
  REQUIRE(first);
  REQUIRE(second);
  CHECK(first->auroc == Approx(0.4662581008734855).epsilon(1e-12));
  CHECK(first->variance == Approx(0.002303687157779111).epsilon(1e-10));
  CHECK(second->variance == Approx(0.0019468881393814995).epsilon(1e-10));
  // On the logit scale: logit(auroc) +- t(0.975, Satterthwaite) sqrt(variance) / (auroc (1 - auroc)), golden.py.
  CHECK(second->interval.low == Approx(0.6900638300312124).epsilon(1e-10));
  CHECK(second->interval.high == Approx(0.8675447098494476).epsilon(1e-10));
  const std::optional<DeLongDifference> paired = delong_paired(a, b, 0.95);
  REQUIRE(paired);
  CHECK(paired->difference == Approx(0.32621865314173004).epsilon(1e-12));
  CHECK(paired->variance == Approx(0.002437773414561584).epsilon(1e-10));
  CHECK(paired->p == Approx(3.918713173397723e-11).epsilon(1e-9));
  CHECK(delong_paired(a, a, 0.95)->p == 1);
  CHECK_FALSE(delong({2, {1, 0, 0}, {0, 1, 1, 0, 1, 0}}, 0.95));
  CHECK_THROWS_WITH(delong(test::formula_data(1), 0.95), "DeLong: 5 classes; expected 2");
}

// Oracle: Holm 1979 by hand: sorted 0.01, 0.02, 0.03, 0.04 times 4, 3, 2, 1 gives 0.04, 0.06, 0.06, 0.06.
TEST_CASE("Holm's adjustment never falls", "[metrics]") {
  const std::vector<double> p{0.03, 0.01, 0.04, 0.02};
  const std::vector<double> adjusted = holm(p);
  CHECK(adjusted[1] == Approx(0.04));
  CHECK(adjusted[3] == Approx(0.06));
  CHECK(adjusted[0] == Approx(0.06));
  CHECK(adjusted[2] == Approx(0.06));
  CHECK(holm(std::vector<double>{0.9, 0.8}) == std::vector<double>{1, 1});
  CHECK(holm({}).empty());
}

// Oracle: scikit-learn on the known labels of each output, averaged: golden.py.
TEST_CASE("Findings are scored where they are known", "[metrics]") {
  const Predictions all = test::rounded(test::formula_data(2));
  MultiLabel data;
  data.outputs = 5;
  data.probabilities = all.probabilities;
  for (std::size_t i = 0; i < all.images(); ++i)
    for (std::size_t j = 0; j < 5; ++j)
      data.labels.push_back((i + j) % 4 == 0 ? -1 : (static_cast<std::size_t>(all.labels[i]) == j ? 1 : 0));
  const std::vector<std::uint32_t> once(all.images(), 1);
  CHECK(over_findings(metric("auroc"), data)(once).value.value() == Approx(0.7695521758970527).epsilon(1e-12));
  CHECK(over_findings(metric("average_precision"), data)(once).value.value() ==
        Approx(0.5777288496726237).epsilon(1e-12));
  CHECK(confidence_interval(over_findings(metric("auroc"), data), all.images(), {200, 0.9, 1}).interval->low <
        0.7695521758970527);
  std::fill(data.labels.begin(), data.labels.end(), std::int8_t{-1});
  CHECK(over_findings(metric("auroc"), data)(once).reason == "no labelled images");
  data.labels[0] = 2;
  CHECK_THROWS_WITH(finding(data, 0), "findings: image 0 has label 2; expected 0, 1 or -1 for unknown");
  CHECK_THROWS_WITH(finding(data, 5), "findings: output 5 of 5; expected one of them");
}
