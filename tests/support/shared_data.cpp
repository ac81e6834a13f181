#include "support/shared_data.hpp"

#include <unistd.h>

#include <iostream>

namespace shiftnorm::test {

std::optional<std::filesystem::path> shared_data(const std::string& test) {
  std::filesystem::path root = SHIFTNORM_SHARED;
  if (std::filesystem::is_directory(root / "data")) return root;
  std::cout << "SKIPPED: " << test << ": the shared test data are not at " << SHIFTNORM_SHARED << '\n';
  return std::nullopt;
}

std::filesystem::path source_root() { return SHIFTNORM_SOURCE; }

TempDir::TempDir() {
  std::string pattern = (std::filesystem::temp_directory_path() / "shiftnorm-test-XXXXXX").string();
  path_ = ::mkdtemp(pattern.data());
}

TempDir::~TempDir() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

}  // namespace shiftnorm::test
