#include "linear_algebra.hpp"

#include <Eigen/Dense>
#include <algorithm>
#include <cmath>
#include <limits>

namespace shiftnorm::metrics {
namespace {

using Matrix = Eigen::MatrixXd;
using RowMajor = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

constexpr std::size_t kRowsAtOnce = 4096;  // 32 MiB of 1000 classes
constexpr double kLeastPivot = 1e-9;
constexpr double kRelativeError = 1e-10;

/// Calls f(block) with blocks of usable rows.
template <class F>
void for_each_block(const Rows& rows, F f) {
  const auto width = static_cast<Eigen::Index>(rows.classes());
  RowMajor block(static_cast<Eigen::Index>(std::min(kRowsAtOnce, rows.images())), width);
  Eigen::Index filled = 0;
  for (std::size_t i = 0; i < rows.images(); ++i) {
    if (!rows.finite(i)) continue;
    block.row(filled++) = Eigen::Map<const Eigen::RowVectorXd>(rows.row(i).data(), width);
    if (filled < block.rows()) continue;
    f(block);
    filled = 0;
  }
  if (filled > 0) f(RowMajor(block.topRows(filled)));
}

/// From the eigenvalues of rows' * rows. An eigenvalue is off by up to e = n eps |largest|, and so its root by
/// e / (2 root), at most sqrt(e): good where no root is small beside the largest. Nothing where that is not good
/// enough.
std::optional<double> by_gram(const Rows& rows) {
  const auto n = static_cast<Eigen::Index>(rows.classes());
  Matrix gram = Matrix::Zero(n, n);
  for_each_block(rows,
                 [&](const RowMajor& block) { gram.selfadjointView<Eigen::Lower>().rankUpdate(block.transpose()); });
  const Eigen::SelfAdjointEigenSolver<Matrix> solver(gram, Eigen::EigenvaluesOnly);
  if (solver.info() != Eigen::Success) return std::nullopt;
  const double off = static_cast<double>(n) * std::numeric_limits<double>::epsilon() * solver.eigenvalues()(n - 1);
  double sum = 0, error = 0;
  for (const double value : solver.eigenvalues()) {
    const double root = std::sqrt(std::max(value, 0.0));
    sum += root;
    error += root > 0 ? std::min(off / (2 * root), std::sqrt(off)) : std::sqrt(off);
  }
  if (!(error <= kRelativeError * sum)) return std::nullopt;
  return sum;
}

/// Of a matrix of no more rows than columns. What its rank does not need is left out first: Eigen 3.4's divide and
/// conquer gives NaN for some singular matrices, such as one of rows that are all alike.
double sum_of(const Matrix& triangle) {
  const Eigen::ColPivHouseholderQR<Matrix> revealed(triangle);  // rank by Eigen's threshold, eps times the size
  const Eigen::Index rank = revealed.rank();
  if (rank == 0) return 0;
  const Matrix kept = revealed.matrixR().topRows(rank).triangularView<Eigen::Upper>();
  const Eigen::HouseholderQR<Matrix> square(kept.transpose());
  const Matrix core = square.matrixQR().topRows(rank).triangularView<Eigen::Upper>();
  const double sum = Eigen::BDCSVD<Matrix>(core).singularValues().sum();
  return std::isfinite(sum) ? sum : Eigen::JacobiSVD<Matrix>(core).singularValues().sum();
}

/// The triangular factor of all rows, block after block below the factor so far (Golub & Van Loan, 4th ed., 5.2 and
/// 6.5): orthogonal steps lose no digits, and leave a small matrix to decompose.
double by_triangle(const Rows& rows) {
  Matrix triangle(0, static_cast<Eigen::Index>(rows.classes()));
  for_each_block(rows, [&](const RowMajor& block) {
    Matrix stacked(triangle.rows() + block.rows(), block.cols());
    stacked << triangle, block;
    const Eigen::HouseholderQR<Eigen::Ref<Matrix>> factored(stacked);
    triangle = stacked.topRows(std::min(stacked.rows(), stacked.cols())).triangularView<Eigen::Upper>();
  });
  return sum_of(triangle);
}

}  // namespace

double sum_of_singular_values(const Rows& rows) {
  // Few images have a small factor at once, and a Gram matrix that is singular.
  if (rows.usable() > rows.classes())
    if (const std::optional<double> sum = by_gram(rows)) return *sum;
  return by_triangle(rows);
}

std::optional<std::vector<double>> solved(std::span<const double> a, std::span<const double> b) {
  const auto n = static_cast<Eigen::Index>(b.size());
  const Eigen::PartialPivLU<Matrix> factored(Eigen::Map<const RowMajor>(a.data(), n, n));
  if (!(factored.matrixLU().diagonal().cwiseAbs().minCoeff() >= kLeastPivot)) return std::nullopt;
  const Eigen::VectorXd x = factored.solve(Eigen::Map<const Eigen::VectorXd>(b.data(), n));
  return std::vector<double>(x.begin(), x.end());
}

}  // namespace shiftnorm::metrics
