#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "dicom/header.hpp"
#include "dicom/limits.hpp"

namespace shiftnorm::imaging::dicom {

/// One object of which all bytes are at hand. Reading goes from the outside in: layout(), then the header through
/// DCMTK, then frames. Not thread-safe; meant for a helper process.
/// Errors  Fault, from every member; std::bad_alloc.
class Object {
 public:
  /// Checks the outer form and parses the header (everything before the pixel data).
  Object(std::vector<std::byte> file, const Limits& limits);
  Object(Object&&) noexcept;
  Object& operator=(Object&&) noexcept;
  ~Object();

  /// `tags`: keywords (`KVP`) or `gggg,eeee`, whose values are wanted.
  [[nodiscard]] ObjectFacts facts(std::span<const std::string> tags) const;
  [[nodiscard]] const PixelModule& module() const;  ///< checked at the first call
  [[nodiscard]] FrameRules rules(std::int64_t frame) const;
  [[nodiscard]] StoredFrame frame(std::int64_t index) const;
  [[nodiscard]] std::vector<std::string> remarks() const;  ///< as ObjectFacts::remarks, of an image

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// Prepares DCMTK for this process: its dictionary, its decoders, silence. Errors  MachineError without a dictionary.
void start_dcmtk();

}  // namespace shiftnorm::imaging::dicom
