#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace shiftnorm {

/// SHA-256 (FIPS 180-4) of bytes given piece by piece.
class Sha256 {
 public:
  Sha256();
  ~Sha256();
  Sha256(Sha256&&) noexcept;
  Sha256& operator=(Sha256&&) noexcept;
  Sha256& add(std::span<const std::byte> bytes);
  Sha256& add(std::string_view text);
  [[nodiscard]] std::string hex();  ///< 64 lower-case digits; the object is spent afterwards

 private:
  struct State;
  std::unique_ptr<State> state_;
};

[[nodiscard]] std::string sha256_hex(std::span<const std::byte> bytes);
[[nodiscard]] std::string sha256_hex(std::string_view text);

/// HMAC-SHA-256 (RFC 2104): a hash that nobody without the key can find again by trying. 64 lower-case digits.
[[nodiscard]] std::string hmac_sha256_hex(std::span<const std::byte> key, std::string_view text);
/// `count` bytes of the kernel's random source. Errors  MachineError.
[[nodiscard]] std::vector<std::byte> random_bytes(std::size_t count);

}  // namespace shiftnorm
