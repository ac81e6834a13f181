#include "shiftnorm/toolkit/made_folder.hpp"

#include <fmt/format.h>

#include "shiftnorm/core/error.hpp"

namespace shiftnorm::toolkit {

namespace fs = std::filesystem;

fs::path named_folder(const fs::path& path) {
  const fs::path clean = fs::absolute(path).lexically_normal();
  return clean.has_filename() ? clean : clean.parent_path();
}

fs::path hidden_beside(const fs::path& folder, std::string_view ending) {
  const fs::path named = named_folder(folder);
  return named.parent_path() / fmt::format(".{}{}", named.filename().string(), ending);
}

void MadeFolder::make() {
  if (fs::is_directory(path_)) return;
  for (fs::path p = path_.parent_path(); !fs::exists(p); p = p.parent_path()) parents_.push_back(p);
  std::error_code error;
  fs::create_directories(path_, error);
  if (error) throw MachineError(fmt::format("{}: cannot be made: {}", path_.filename().string(), error.message()));
}

void MadeFolder::remove() {
  std::error_code ignored;
  fs::remove_all(path_, ignored);
  for (const fs::path& parent : parents_) fs::remove(parent, ignored);  // only while empty: another run may use it
  parents_.clear();
}

}  // namespace shiftnorm::toolkit
