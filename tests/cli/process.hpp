#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace shiftnorm::test {

/// What a call of the program did.
struct Call {
  int exit = -1;
  std::string out, err;
  long peak_kilobytes = 0;
  double processor_seconds = 0;
};

/// Runs the built program in `folder`, stdin closed, no shell between.
[[nodiscard]] Call shiftnorm(const std::filesystem::path& folder, std::vector<std::string> arguments);
/// The same, with `signal` sent once the program has written `awaited` to stderr.
[[nodiscard]] Call shiftnorm_signalled(const std::filesystem::path& folder, std::vector<std::string> arguments,
                                       int signal, const std::string& awaited);

/// Every file below a folder, relative, sorted: to see that nothing was left behind.
[[nodiscard]] std::vector<std::string> files_below(const std::filesystem::path& folder);

}  // namespace shiftnorm::test
