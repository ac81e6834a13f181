#include "matrix_vector.hpp"

#include "vector_kernels.hpp"

namespace shiftnorm::exec {
namespace {

class MatrixVector final : public Kernel {
 public:
  MatrixVector(const Tensor& weights, bool transposed, const Tensor* bias, float alpha, float beta)
      : rows_(static_cast<std::size_t>(weights.shape[transposed ? 0 : 1])),
        columns_(static_cast<std::size_t>(weights.shape[transposed ? 1 : 0])),
        matrix_(rows_ * columns_) {
    for (std::size_t r = 0; r < rows_; ++r)
      for (std::size_t c = 0; c < columns_; ++c)
        matrix_[r * columns_ + c] = alpha * weights.values[transposed ? r * columns_ + c : c * rows_ + r];
    if (bias != nullptr)
      for (const float b : bias->values) bias_.push_back(beta * b);
  }
  void run(const KernelArguments& a) const override {
    matrix_vector(matrix_.data(), a.src[0], bias_.empty() ? nullptr : bias_.data(), rows_, columns_, a.dst);
  }

 private:
  std::size_t rows_, columns_;
  AlignedVector<float> matrix_, bias_;
};

}  // namespace

std::unique_ptr<Kernel> compile_matrix_vector(const Tensor& weights, bool transposed, const Tensor* bias, float alpha,
                                              float beta) {
  return std::make_unique<MatrixVector>(weights, transposed, bias, alpha, beta);
}

}  // namespace shiftnorm::exec
