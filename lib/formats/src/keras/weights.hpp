#pragma once

#include <map>
#include <string>
#include <vector>

#include "../readers.hpp"
#include "architecture.hpp"
#include "shiftnorm/container/hdf5.hpp"

namespace shiftnorm::formats::keras {

/// The tensors of one layer by their role: index into the file's tensors.
using LayerWeights = std::map<std::string, std::size_t>;

/// Every weight that a file holds for an architecture.
struct Weights {
  std::vector<NamedTensor> tensors;  ///< named by their path in the HDF5 file
  std::vector<LayerWeights> layers;  ///< as Architecture::layers
};

/// What roles (kernel, bias, gamma ...) a layer has weights for, in the order in which Keras stores them, and how many
/// of them train.
struct Roles {
  std::vector<std::string> names;
  std::size_t trainable = 0;
};

/// HDF5 in memory and where it begins in the user's file.
struct WeightsFile {
  const container::Hdf5* hdf5 = nullptr;
  std::uint64_t offset = 0;  ///< of the HDF5 file inside the user's
  bool in_place = true;      ///< false: it is compressed there
};

/// Whether an object has a list of layers, as Keras 1 and 2 write one.
[[nodiscard]] bool has_layer_names(const container::Hdf5& hdf5, std::uint64_t group);

/// Weights under `layer_names` of the group at `path`, or of Keras 3's `layers/.../vars`.
/// Errors  FormatError naming the layer whose weights are missing or too many.
[[nodiscard]] Weights bind_by_layer_names(const WeightsFile& file, const std::string& path,
                                          const Architecture& architecture, const std::vector<Roles>& roles);
[[nodiscard]] Weights bind_by_place(const WeightsFile& file, const Architecture& architecture,
                                    const std::vector<Roles>& roles);

/// The weights that a group's `layer_names` list, for a file that comes without its architecture.
[[nodiscard]] std::vector<NamedTensor> listed_weights(const WeightsFile& file, const std::string& path);

}  // namespace shiftnorm::formats::keras
