#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace shiftnorm::exec {

/// What kernels run on here, e.g. "avx512_core": part of the provenance, since the last bits differ between sets.
[[nodiscard]] std::string instruction_set();

/// Channels per block of blocked activations on this instruction set: 16 with AVX-512, else 8.
[[nodiscard]] std::int64_t channel_block();

/// Limits kernels to "sse41", "avx2" or "avx512_core". Call before anything is compiled.
/// Errors  ConfigError for another name, or when kernels exist already.
void limit_instruction_set(std::string_view name);

}  // namespace shiftnorm::exec
