#pragma once

#include <cstddef>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "shiftnorm/imaging/dataset.hpp"
#include "shiftnorm/toolkit/export.hpp"

namespace shiftnorm::toolkit {

/// Files that a job is going to write: checked before the work, written after all of it.
class OutputFiles {
 public:
  /// `name`: the option or key that gave the path.
  /// Errors  ConfigError if the path is a folder, a device, or its folder is missing; MachineError if it cannot be
  /// written to.
  void expect(std::string_view name, const std::filesystem::path& path);
  void set(const std::filesystem::path& path, std::vector<std::byte> bytes) {
    files_.push_back({path, std::move(bytes), false});
  }
  void set(const std::filesystem::path& path, std::string_view text);
  void set_private(const std::filesystem::path& path, std::string_view text);  ///< mode 0600
  /// An adapted checkpoint with its provenance and the files that belong beside it.
  void set_exported(const std::filesystem::path& path, const Exported& exported);
  /// Each is whole or not there. Errors  MachineError; files that were new with this call are taken away again.
  void write() const;

 private:
  struct File {
    std::filesystem::path path;
    std::vector<std::byte> bytes;
    bool secret;
  };
  std::vector<File> files_;
};

/// `id,path`, a line for each sample and each other file with an id: what ids stand for.
[[nodiscard]] std::string identities_csv(const imaging::Dataset& data);

/// MachineError unless the nearest existing ancestor of a folder to be made can be written to.
void check_folder_can_be_made(const std::filesystem::path& folder);

}  // namespace shiftnorm::toolkit
