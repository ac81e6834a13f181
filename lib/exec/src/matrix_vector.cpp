#include "matrix_vector.hpp"

#include "vector_kernels.hpp"

namespace shiftnorm::exec {
namespace {

class MatrixVector final : public Kernel {
 public:
  MatrixVector(const Tensor& weights, bool transposed, const Tensor* bias, float alpha, float beta,
               std::int64_t vectors)
      : rows_(static_cast<std::size_t>(weights.shape[transposed ? 0 : 1])),
        columns_(static_cast<std::size_t>(weights.shape[transposed ? 1 : 0])),
        vectors_(static_cast<std::size_t>(vectors)),
        matrix_(rows_ * columns_) {
    for (std::size_t r = 0; r < rows_; ++r)
      for (std::size_t c = 0; c < columns_; ++c)
        matrix_[r * columns_ + c] = alpha * weights.values[transposed ? r * columns_ + c : c * rows_ + r];
    if (bias != nullptr)
      for (const float b : bias->values) bias_.push_back(beta * b);
  }
  void run(const KernelArguments& a) const override { run_several({&a, 1}); }

  void run_several(std::span<const KernelArguments> images) const override {
    std::vector<const float*> x;
    std::vector<float*> dst;
    for (const KernelArguments& a : images) {
      for (std::size_t v = 0; v < vectors_; ++v) {
        x.push_back(a.src[0] + v * columns_);
        dst.push_back(a.dst + v * rows_);
      }
    }
    matrix_vectors(matrix_.data(), x, bias_.empty() ? nullptr : bias_.data(), rows_, columns_, dst);
  }
  bool gains_by_several() const override { return true; }

 private:
  std::size_t rows_, columns_, vectors_;
  AlignedVector<float> matrix_, bias_;
};

}  // namespace

std::unique_ptr<Kernel> compile_matrix_vector(const Tensor& weights, bool transposed, const Tensor* bias, float alpha,
                                              float beta, std::int64_t vectors) {
  return std::make_unique<MatrixVector>(weights, transposed, bias, alpha, beta, vectors);
}

}  // namespace shiftnorm::exec
