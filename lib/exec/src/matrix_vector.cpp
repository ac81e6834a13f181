#include "matrix_vector.hpp"

#include <algorithm>
#include <array>

#include "vector_products.hpp"

namespace shiftnorm::exec {
namespace {

/// Images whose vectors are listed at once, on the stack: many kernels run for each image.
constexpr std::size_t kTogether = 8;

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
    std::array<const float*, kTogether> x;
    std::array<float*, kTogether> dst;
    for (std::size_t v = 0; v < vectors_; ++v) {
      for (std::size_t first = 0; first < images.size(); first += kTogether) {
        const std::size_t count = std::min(kTogether, images.size() - first);
        for (std::size_t i = 0; i < count; ++i) {
          x[i] = images[first + i].src[0] + v * columns_;
          dst[i] = images[first + i].dst + v * rows_;
        }
        matrix_vectors(matrix_.data(), std::span(x).first(count), bias_.empty() ? nullptr : bias_.data(), rows_,
                       columns_, std::span(dst).first(count));
      }
    }
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
