#pragma once

#include <dcmtk/config/osconfig.h>
#include <dcmtk/dcmdata/dcdicdir.h>
#include <dcmtk/dcmdata/dcfilefo.h>

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>

namespace shiftnorm::phantom {

/// The DICOMDIR of an archive: records of patients, studies, series and objects.
class Directory {
 public:
  Directory(const std::filesystem::path& root, std::uint64_t seed);
  /// `file_id` names the object's file from the root, parts joined by backslashes.
  void add(DcmFileFormat& object, const std::string& file_id);
  /// Errors  MachineError.
  void write();

 private:
  DcmDirectoryRecord& record(DcmDirectoryRecord& parent, E_DirRecType type, const std::string& key, DcmDataset& from);

  std::filesystem::path file_;
  DcmDicomDir directory_;
  std::map<std::string, DcmDirectoryRecord*> records_;  ///< by key; owned by directory_
};

}  // namespace shiftnorm::phantom
