#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

namespace shiftnorm::imaging {

/// What lies below a folder.
struct WalkEntry {
  std::filesystem::path path;
  std::string relative;  ///< to the folder that is walked through, with '/'
  bool folder = false;   ///< else a file, or whatever a link that leads nowhere was meant to be
};

/// What is left out of a walk, and how often.
struct WalkCounts {
  std::vector<WalkEntry> system;  ///< entries that belong to the system, or are hidden; nothing below them is seen
  std::vector<WalkEntry> closed;  ///< folders that may not be looked into; the root is `relative` nothing
  std::vector<WalkEntry> again;   ///< links to folders that were walked through already, loops among them
  std::int64_t broken = 0;        ///< links that lead nowhere; they are visited as files
};

/// Visits all entries of `root` and below. The entries of a folder come in the order of their
/// names, what links to folders lead to behind everything else: a folder that is there is known by its own name. Each
/// folder is walked through once, so that no image counts twice and loops end.
WalkCounts walk_files(const std::filesystem::path& root, const std::function<void(const WalkEntry&)>& visit);

/// What a walk left out that might have been meant as images, one line each.
[[nodiscard]] std::vector<std::string> notes_on(const WalkCounts& counts,
                                                const std::function<bool(const WalkEntry&)>& wanted);

}  // namespace shiftnorm::imaging
