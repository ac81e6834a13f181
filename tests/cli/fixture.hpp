#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "process.hpp"
#include "shiftnorm/container/json.hpp"
#include "support/shared_data.hpp"

namespace shiftnorm::test {

/// A folder with a small network and small labelled images, all made here:
///   net.safetensors   cifar_resnet20, seeded random weights, names as a state_dict has them
///   images/a..j       ten class folders of `per_class` 32 x 32 BMP files
class Workplace {
 public:
  explicit Workplace(int per_class = 2);
  [[nodiscard]] const std::filesystem::path& path() const { return dir_.path(); }
  [[nodiscard]] std::filesystem::path operator/(const std::string& name) const { return path() / name; }
  /// Writes an experiment YAML on them; `more` is appended.
  void write_yaml(const std::string& name, const std::string& modes = "[source, adabn]",
                  const std::string& more = "") const;

 private:
  TempDir dir_;
};

/// The call, which ends with exit code 0.
Call done(const Workplace& place, std::vector<std::string> arguments);
/// What such a call with --json printed.
[[nodiscard]] container::Json json_of(const Call& call);
/// The document in a file.
[[nodiscard]] container::Json json_at(const std::filesystem::path& file);

/// The call fails with this exit code and says so in one line that holds `line`; no file appears or goes.
void check_refused(const Workplace& place, const std::vector<std::string>& arguments, int exit,
                   const std::string& line);

/// An uncompressed 24-bit BMP of noise.
void write_bmp(const std::filesystem::path& file, int width, int height, unsigned seed);

}  // namespace shiftnorm::test
