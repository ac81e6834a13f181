#include "file_walk.hpp"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <set>
#include <utility>

#include "shiftnorm/core/text.hpp"

namespace shiftnorm::imaging {
namespace {

namespace fs = std::filesystem;

/// In lower case: Windows, macOS, Synology's and QNAP's storages, file systems, Python.
constexpr std::array<std::string_view, 15> kSystemNames{
    "thumbs.db", "ehthumbs.db", "desktop.ini", "$recycle.bin",       "recycler", "system volume information",
    "__macosx",  "@eadir",      "@recycle",    "@recently-snapshot", "@tmp",     "#recycle",
    "#snapshot", "lost+found",  "__pycache__"};

/// What systems and programs put beside the files of users, or hide ("._1.png" is what macOS keeps of 1.png): no class
/// and no image.
bool of_system(std::string_view name) {
  if (name.starts_with('.')) return true;
  return std::ranges::find(kSystemNames, lower_case(std::string(name))) != kSystemNames.end();
}

class Walk {
 public:
  Walk(const fs::path& root, const std::function<void(const WalkEntry&)>& visit)
      : prefix_((root / "").native().size()), visit_(visit) {}

  WalkCounts through(const fs::path& root) {
    enter({root, "", true});
    // Links found on the way are followed in turn.
    for (std::size_t i = 0; i < links_.size(); ++i) enter(WalkEntry(links_[i]));
    return std::move(counts_);
  }

 private:
  void enter(const WalkEntry& folder) {
    struct stat place {};
    if (::stat(folder.path.c_str(), &place) != 0) return;
    if (!walked_.emplace(place.st_dev, place.st_ino).second) {
      counts_.again.push_back(folder);
      return;
    }
    std::error_code error;
    std::vector<fs::directory_entry> entries;
    fs::directory_iterator it(folder.path, error);
    for (const fs::directory_iterator end; !error && it != end; it.increment(error)) entries.push_back(*it);
    // A folder may be listed and yet not be entered.
    if (error || ::access(folder.path.c_str(), R_OK | X_OK) != 0) {
      counts_.closed.push_back(folder);
      return;
    }
    std::ranges::sort(entries, {}, [](const fs::directory_entry& entry) { return entry.path().native(); });
    for (const fs::directory_entry& entry : entries) see(entry);
  }

  void see(const fs::directory_entry& found) {
    std::error_code error;
    const std::string name = found.path().filename().string();
    WalkEntry entry{found.path(), found.path().native().substr(prefix_), found.is_directory(error)};
    if (of_system(name)) {
      counts_.system.push_back(std::move(entry));
      return;
    }
    const bool link = found.is_symlink(error);
    if (link && !found.exists(error)) ++counts_.broken;
    visit_(entry);
    if (!entry.folder) return;
    if (link)
      links_.push_back(std::move(entry));
    else
      enter(entry);
  }

  std::size_t prefix_;
  const std::function<void(const WalkEntry&)>& visit_;
  std::set<std::pair<dev_t, ino_t>> walked_;
  std::vector<WalkEntry> links_;
  WalkCounts counts_;
};

}  // namespace

WalkCounts walk_files(const fs::path& root, const std::function<void(const WalkEntry&)>& visit) {
  return Walk(root, visit).through(root);
}

std::vector<std::string> notes_on(const WalkCounts& counts, const std::function<bool(const WalkEntry&)>& wanted) {
  std::vector<std::string> notes;
  std::set<std::string> names;
  std::int64_t left_out = 0;
  for (const WalkEntry& entry : counts.system) {
    if (!entry.folder && !wanted(entry)) continue;
    ++left_out;
    if (entry.folder) names.insert(printable(entry.path.filename().string()));
  }
  if (left_out > 0) {
    const std::vector<std::string> folders(names.begin(), names.end());
    notes.push_back(fmt::format("{} hidden or system files and folders are left out{}", left_out,
                                folders.empty() ? "" : fmt::format(" ({})", join(folders, 4))));
  }
  if (!counts.again.empty())
    notes.push_back(
        fmt::format("{} links to folders already seen, or to one above them, are left out", counts.again.size()));
  if (counts.broken > 0)
    notes.push_back(fmt::format("{} broken links; expected existing files or folders", counts.broken));
  return notes;
}

}  // namespace shiftnorm::imaging
