#include "shiftnorm/core/content_hash.hpp"

#include <fmt/format.h>

#include <array>
#include <bit>
#include <cstdint>
#include <cstring>

namespace shiftnorm {
namespace {

constexpr std::uint64_t kMultiplier = 0x9e3779b97f4a7c15U;  // 2^64 / golden ratio, odd
constexpr std::size_t kLanes = 4, kBlock = kLanes * sizeof(std::uint64_t);

/// The finaliser of SplitMix64: every bit of the result depends on every bit of x.
std::uint64_t mixed(std::uint64_t x) {
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9U;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebU;
  return x ^ (x >> 31);
}

using Lanes = std::array<std::uint64_t, kLanes>;

/// Each step can be undone, so that different words never become the same state at once.
void absorb(Lanes& lanes, const std::byte* block) {
  for (std::size_t i = 0; i < kLanes; ++i) {
    std::uint64_t word = 0;
    std::memcpy(&word, block + i * sizeof word, sizeof word);
    lanes[i] = std::rotl((lanes[i] ^ word) * kMultiplier, 29);
  }
}

}  // namespace

std::string content_hash(std::span<const std::byte> bytes) {
  Lanes lanes{1, 2, 3, 4};
  std::size_t at = 0;
  for (; at + kBlock <= bytes.size(); at += kBlock) absorb(lanes, bytes.data() + at);
  std::array<std::byte, kBlock> rest{};
  if (at < bytes.size()) std::memcpy(rest.data(), bytes.data() + at, bytes.size() - at);
  absorb(lanes, rest.data());
  std::uint64_t low = mixed(bytes.size()), high = mixed(~std::uint64_t{bytes.size()});
  for (const std::uint64_t lane : lanes) {
    low = mixed(low ^ lane);
    high = mixed(std::rotl(high, 23) + lane);
  }
  return fmt::format("{:016x}{:016x}", high, low);
}

bool all_alike(std::span<const std::byte> bytes, std::size_t size) {
  return bytes.size() <= size || std::memcmp(bytes.data(), bytes.data() + size, bytes.size() - size) == 0;
}

}  // namespace shiftnorm
