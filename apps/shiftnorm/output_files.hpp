#pragma once

#include <cstddef>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "shiftnorm/experiment/export.hpp"
#include "shiftnorm/imaging/dataset.hpp"

namespace shiftnorm::app {

/// Files that a command is going to write: checked before the work, written after all of it.
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

/// An adapted checkpoint with its provenance and the files that belong beside it.
void set_exported(OutputFiles& files, const std::filesystem::path& path, const experiment::Exported& exported);

/// ", converted from pytorch-zip to ONNX", for people; empty where the original's format was kept.
[[nodiscard]] std::string conversion(const experiment::Exported& exported);

/// `id,path`, a line for each sample and each other file with an id: what ids stand for.
[[nodiscard]] std::string identities_csv(const imaging::Dataset& data);

/// `id,reason,offset`, a line for each bad file. DICOM reasons are the names that docs/guide.md lists.
[[nodiscard]] std::string quarantine_csv(std::span<const imaging::Bad> bad);

/// MachineError unless the nearest existing ancestor of a folder to be made can be written to.
void check_folder_can_be_made(const std::filesystem::path& folder);

}  // namespace shiftnorm::app
