#include "dicom/source_walk.hpp"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <set>
#include <utility>

#include "shiftnorm/core/error.hpp"

namespace shiftnorm::imaging::dicom {
namespace {

namespace fs = std::filesystem;

class Walker {
 public:
  explicit Walker(const fs::path& root) : prefix_((root / "").native().size()) {
    is_new(root);
    pending_.push_back(root);
  }

  SourceWalk walk() {
    // Folders that are there come before those that are only linked to, so that links change no name.
    while (true) {
      while (!pending_.empty()) {
        const fs::path folder = std::move(pending_.back());
        pending_.pop_back();
        list(folder);
      }
      if (links_.empty()) break;
      const fs::path link = *links_.begin();
      links_.erase(links_.begin());
      if (is_new(link))
        enter(link);
      else
        pass(link, "linked-again");
    }
    std::ranges::sort(out_.sources, {}, &Source::shown);
    return std::move(out_);
  }

 private:
  [[nodiscard]] Source source(const fs::path& path) const {
    const std::string shown = path.native().substr(prefix_);
    const std::size_t slash = shown.find('/');
    return {path.string(), -1, shown, slash == std::string::npos ? "" : shown.substr(0, slash)};
  }
  void pass(const fs::path& path, const char* reason) { out_.passed.push_back({source(path), reason}); }

  bool is_new(const fs::path& folder) {
    struct stat facts {};
    return ::stat(folder.c_str(), &facts) == 0 && seen_.emplace(facts.st_dev, facts.st_ino).second;
  }

  void enter(const fs::path& folder) {
    if (::access(folder.c_str(), R_OK | X_OK) == 0)
      pending_.push_back(folder);
    else
      out_.closed.push_back(source(folder));
  }

  void list(const fs::path& folder) {
    std::error_code error;
    fs::directory_iterator it(folder, fs::directory_options::skip_permission_denied, error), end;
    for (; !error && it != end; it.increment(error)) take(*it);
    if (error) throw MachineError(fmt::format("the folder cannot be listed: {}", error.message()));
  }

  void take(const fs::directory_entry& entry) {
    std::error_code ignored;
    const bool link = entry.is_symlink(ignored);
    if (entry.is_directory(ignored)) {
      // Our own folder, where data and project share one.
      if (entry.path().filename() == ".shiftnorm") return;
      if (link)
        links_.insert(entry.path());
      else if (is_new(entry.path()))
        enter(entry.path());
    } else if (entry.is_regular_file(ignored)) {
      out_.sources.push_back(source(entry.path()));
    } else {
      pass(entry.path(), link ? "broken-link" : "no-file");
    }
  }

  std::size_t prefix_;
  std::vector<fs::path> pending_;
  std::set<fs::path> links_;
  std::set<std::pair<dev_t, ino_t>> seen_;
  SourceWalk out_;
};

}  // namespace

SourceWalk walk_sources(const fs::path& where) {
  if (fs::is_directory(where)) return Walker(where).walk();
  SourceWalk out;
  out.sources.push_back({where.string(), -1, where.filename().string(), {}});
  return out;
}

}  // namespace shiftnorm::imaging::dicom
