#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "dicom/pixel_chain.hpp"

namespace shiftnorm::imaging::dicom {

/// Stored values, whatever their cells are.
class Stored {
 public:
  explicit Stored(const StoredFrame& frame)
      : bytes_(frame.values.data()),
        cell_(static_cast<std::size_t>(frame.module.value_bytes())),
        signed_(frame.module.is_signed) {}
  [[nodiscard]] std::int64_t operator[](std::size_t i) const {
    switch (cell_) {
      case 1: return signed_ ? std::int64_t{read<std::int8_t>(i)} : std::int64_t{read<std::uint8_t>(i)};
      case 2: return signed_ ? std::int64_t{read<std::int16_t>(i)} : std::int64_t{read<std::uint16_t>(i)};
      default: return signed_ ? std::int64_t{read<std::int32_t>(i)} : std::int64_t{read<std::uint32_t>(i)};
    }
  }

 private:
  template <class T>
  [[nodiscard]] T read(std::size_t i) const {
    T value;
    std::memcpy(&value, bytes_ + i * cell_, sizeof(T));
    return value;
  }
  const std::byte* bytes_;
  std::size_t cell_;
  bool signed_;
};

/// After the modality step: by a table, or slope and intercept.
[[nodiscard]] inline double modality_value(const FrameRules& rules, std::int64_t stored) {
  if (!rules.modality_table) return rules.slope * static_cast<double>(stored) + rules.intercept;
  const LookupTable& table = *rules.modality_table;
  const auto last = static_cast<std::int64_t>(table.entries.size()) - 1;
  return table.entries[static_cast<std::size_t>(std::clamp<std::int64_t>(stored - table.first, 0, last))];
}

[[nodiscard]] inline bool is_padding(const FrameRules& rules, std::int64_t stored) {
  return rules.padding_low && stored >= *rules.padding_low && stored <= *rules.padding_high;
}

}  // namespace shiftnorm::imaging::dicom
