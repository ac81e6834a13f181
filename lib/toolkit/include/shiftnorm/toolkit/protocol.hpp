#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "shiftnorm/adapt/engine.hpp"
#include "shiftnorm/config/config.hpp"
#include "shiftnorm/toolkit/session.hpp"

namespace shiftnorm::toolkit {

/// Which images are measured and which are scored, both of the store and ascending.
struct Split {
  std::string by;  ///< "patient", "image" or a column
  std::vector<std::size_t> adapt, evaluate;
};

/// Parts the images into two sets, groups whole, drawn with the seed: about the share `protocol.adapt` of them is
/// adapted on. By patient and by image, images of equal pixels stay together. Nothing of a patient, and no pixels, lie
/// on both sides.
/// Errors  ConfigError: patients that are not known, fewer than two groups; with counts if the groups asked for leave
///         patients or equal pixels on both sides.
[[nodiscard]] Split split_images(const Session& session, const config::ProtocolConfig& protocol, std::uint64_t seed);

/// Some of the images. `images` outlives the result.
[[nodiscard]] adapt::Images subset(const adapt::Images& images, const std::vector<std::size_t>& chosen);

/// A mode as a stream of such batches has it: in order of arrival; `layerwise`, which needs all images at once, becomes
/// `batch`.
[[nodiscard]] adapt::Mode in_stream(adapt::Mode mode, std::int64_t batch);

/// What a stream gives.
struct Streamed {
  adapt::ModeResult result;  ///< outputs: of each batch before it was measured; statistics: after the last one
  adapt::Outputs after;      ///< of each batch once it was measured too
};

/// Batch by batch in order of arrival: each is predicted with what was measured so far, measured, and predicted again.
/// `batch` and `instance` keep nothing from batch to batch: both predictions are theirs. For a mode of in_stream().
/// Errors  ConfigError if the file has no source statistics to begin with; as adapt::Engine::run().
[[nodiscard]] Streamed stream(adapt::Engine& engine, const adapt::Mode& mode, std::int64_t batch,
                              const adapt::Images& images, const Progress& progress);

}  // namespace shiftnorm::toolkit
