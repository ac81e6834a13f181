#pragma once

#include <cstdint>
#include <memory>

#include "shiftnorm/imaging/dataset.hpp"

namespace shiftnorm::imaging {

/// A data set whose images are decoded once, however many views of it are read, as long as they fit into `bytes`.
/// Objects whose pixel chain depends on the preprocessing (DICOM) are decoded each time.
class KeptImages {
 public:
  KeptImages(std::unique_ptr<Dataset> dataset, std::uint64_t bytes);
  /// The data set itself, as one's own. It may outlive this object.
  [[nodiscard]] std::unique_ptr<Dataset> view() const;

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace shiftnorm::imaging
