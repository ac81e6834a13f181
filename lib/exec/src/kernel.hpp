#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>

#include "index.hpp"
#include "shiftnorm/exec/affine.hpp"
#include "vector_elementwise.hpp"

namespace shiftnorm::exec {

/// What a worker will read from memory first for its next image. A kernel that is bound by computation, not by memory,
/// may have it prefetched.
struct Prefetch {
  std::span<const float> read;  ///< empty: nothing, or not known
  bool is_source = false;       ///< it is source 0 of the next image, and that of this one comes from memory too
};

/// What one execution of a kernel gets. Pointers have kAlignment.
struct KernelArguments {
  std::span<const float* const> src;
  float* dst = nullptr;
  std::span<const Affine> affines;  ///< of every BatchNorm set of the plan
  std::byte* scratch = nullptr;     ///< Kernel::scratch_bytes() bytes
  void* worker_state = nullptr;     ///< what make_worker_state() gave for this worker
  Prefetch prefetch = {};
};

/// What may follow a convolution while its results are still in registers: y = min(max(scale x + shift [+ residual],
/// low), high), or another function. Every product and every sum is rounded, so that the bits are those of a
/// separate normalisation.
struct Epilogue {
  SetIndex set;                          ///< BatchNorm set that gives scale and shift; none: x as it is
  bool residual = false;                 ///< the last source, laid out as the result, is added
  std::optional<float> low, high;        ///< absent: unbounded. The larger of NaN and `low` is `low`
  std::optional<Activation> activation;  ///< what bounds are not, instead of them
};

/// What may be done to a convolution's source as it is read: y = act(scale x + shift), with the bits of a normalisation
/// by itself.
struct Prologue {
  SetIndex set;  ///< BatchNorm set that gives scale and shift
  bool relu = false;
  std::optional<Activation> activation;  ///< any other than ReLU; not with `relu`
};

/// One compiled operation on one image. Immutable: shared by all threads.
class Kernel {
 public:
  virtual ~Kernel() = default;
  virtual void run(const KernelArguments& arguments) const = 0;
  [[nodiscard]] virtual std::size_t scratch_bytes() const { return 0; }
  /// The same for several images, and whether they then cost less each than alone.
  virtual void run_several(std::span<const KernelArguments> images) const {
    for (const KernelArguments& image : images) run(image);
  }
  [[nodiscard]] virtual bool gains_by_several() const { return false; }
  /// Whether dst may be src[index] itself.
  [[nodiscard]] virtual bool in_place(std::size_t /*index*/) const { return false; }
  /// Where source `index` would lie in dst, in floats, if it were written there in the first place; run() then leaves
  /// it alone. -1: it must be elsewhere.
  [[nodiscard]] virtual std::int64_t part_offset(std::size_t /*index*/) const { return -1; }
  /// Multiplications and additions of one execution, where they outweigh reading and writing; else 0.
  [[nodiscard]] virtual double operations() const { return 0; }
  /// Whether result_moments() is to be had and costs less than to write the result and read it again.
  [[nodiscard]] virtual bool knows_moments() const { return false; }
  /// For each channel of the result the sums over pixels of (x - pivot) and of its square, from source 0 alone.
  virtual void result_moments(const float* /*src*/, std::span<const float> /*pivot*/, std::byte* /*scratch*/,
                              std::span<double> /*sum*/, std::span<double> /*square*/) const {}
  /// This operation with an epilogue, or null where that is not to be had with the same bits.
  [[nodiscard]] virtual std::unique_ptr<Kernel> with_epilogue(const Epilogue& /*epilogue*/) const { return nullptr; }
  /// This operation on a source that is normalised as it is read, or null where that does not pay.
  [[nodiscard]] virtual std::unique_ptr<Kernel> with_prologue(const Prologue& /*prologue*/) const { return nullptr; }
  /// This operation on the products of source 0 and one value for each of its channels, which becomes source 1; null
  /// where that is not to be had.
  [[nodiscard]] virtual std::unique_ptr<Kernel> with_gate() const { return nullptr; }
  /// Handles that cannot be shared between threads (oneDNN memory objects).
  [[nodiscard]] virtual std::shared_ptr<void> make_worker_state() const { return nullptr; }
};

}  // namespace shiftnorm::exec
