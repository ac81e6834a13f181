#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "shiftnorm/core/progress.hpp"
#include "shiftnorm/imaging/dataset.hpp"
#include "shiftnorm/imaging/transform.hpp"

namespace shiftnorm::imaging {

struct StoreOptions {
  int threads = 1;
  std::uint64_t memory = std::uint64_t{4}
                         << 30;  ///< bytes of decoded images kept; the rest is decoded again when asked for
};

/// The usable samples of a data set, decoded once by several threads ahead of the engine and kept as integers
/// (8 or 16 bits) after the image steps; every mode of an experiment reads them from here.
/// A bad image never ends the run: it is listed in bad() and left out of the samples.
class SampleStore {
 public:
  /// Decodes and checks every sample. `input` is the network's input without N: [C, H, W] or any rank for arrays.
  /// An extent of 0 in `input` means: taken from the first sample.
  /// The pipeline of whole numbers is ToFloat with a scale and Normalize alone; floating-point arrays have none.
  /// Errors  FormatError if no sample is usable; ShapeError if samples do not fit the network; ConfigError for a
  ///         pipeline that does not fit the samples.
  SampleStore(std::shared_ptr<const Dataset> dataset, Pipeline pipeline, Shape input, const StoreOptions& options,
              const Progress& progress);
  ~SampleStore();

  [[nodiscard]] std::size_t size() const noexcept;  ///< usable samples, in data set order
  [[nodiscard]] const Sample& sample(std::size_t index) const;
  [[nodiscard]] std::size_t listed(std::size_t index) const;  ///< its index in the data set
  [[nodiscard]] const std::vector<Bad>& bad() const noexcept;
  [[nodiscard]] const Shape& shape() const noexcept;  ///< of one sample, without N
  /// Writes sample `index` as the network's float input, planar; dst.size() == shape().elements(). Thread-safe.
  void load(std::size_t index, std::span<float> dst) const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace shiftnorm::imaging
