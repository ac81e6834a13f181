#include "folder_dataset.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>
#include <set>
#include <unordered_map>

#include "file_walk.hpp"
#include "image_files.hpp"
#include "image_header.hpp"
#include "shiftnorm/core/error.hpp"
#include "shiftnorm/core/text.hpp"

namespace shiftnorm::imaging {
namespace {

namespace fs = std::filesystem;

/// What a walk through the folder finds.
struct Listing {
  struct File {
    std::string id, folder;  ///< folder: first component of the path below the root, empty for a file in the root
    fs::path path;
  };
  std::vector<File> files;        ///< images, in id order
  std::set<std::string> folders;  ///< every folder directly below the root, with images or without
  std::int64_t skipped = 0;
  std::vector<std::string> notes;
};

Listing list(const fs::path& root) {
  Listing listing;
  const WalkCounts counts = walk_files(root, [&](const WalkEntry& entry) {
    const std::string id = id_of(entry.relative);
    const std::size_t slash = id.find('/');
    std::error_code ignored;
    if (entry.folder) {
      if (slash == std::string::npos) listing.folders.insert(id);
    } else if (!named_like_image(entry.path) &&
               !(fs::is_regular_file(entry.path, ignored) && codec_of(head_of(entry.path)).has_value())) {
      ++listing.skipped;
    } else {
      listing.files.push_back({id, slash == std::string::npos ? std::string() : id.substr(0, slash), entry.path});
    }
  });
  if (!counts.closed.empty())
    throw MachineError(fmt::format("{}: cannot be listed; expected permission to read it and its contents",
                                   counts.closed.front().path.filename().string()));
  listing.skipped += static_cast<std::int64_t>(counts.system.size());
  listing.notes = notes_on(counts, [](const WalkEntry& entry) { return named_like_image(entry.path); });
  std::ranges::sort(listing.files, {}, &Listing::File::id);
  return listing;
}

/// Where text and number order them differently, networks trained by either exist.
std::optional<std::string> note_on_order(const std::vector<std::string>& classes) {
  if (std::ranges::is_sorted(classes)) return std::nullopt;
  std::vector<std::string> by_text = classes;
  std::ranges::sort(by_text);
  return fmt::format(
      "class folders are numbers and taken in numerical order: outputs 0 to {} are {}; a network trained with "
      "torchvision's or Keras' text order ({}) needs the classes in that order",
      classes.size() - 1, join(classes, 4), join(by_text, 4));
}

/// Names of the classes in order of their indices.
std::vector<std::string> classes_of(const Listing& listing, const std::vector<std::string>& given) {
  std::set<std::string> used;
  for (const Listing::File& file : listing.files)
    if (!file.folder.empty()) used.insert(file.folder);
  if (given.empty() || used.empty()) return folder_order(used);

  const std::set<std::string> names(given.begin(), given.end());
  std::vector<std::string> unknown, missing;
  std::ranges::set_difference(used, names, std::back_inserter(unknown));
  std::ranges::set_difference(names, listing.folders, std::back_inserter(missing));
  std::string problem;
  if (!unknown.empty()) problem += fmt::format("class folders not among the given classes: {}", join(unknown));
  if (!missing.empty())
    problem += fmt::format("{}classes without a folder: {}", problem.empty() ? "" : "; ", join(missing));
  if (!problem.empty()) throw ConfigError(fmt::format("{}; expected the folder names, one class each", problem));
  return given;
}

class FolderDataset final : public Dataset {
 public:
  FolderDataset(const fs::path& root, const DatasetOptions& options, bool classes) {
    Listing listing = list(root);
    skipped_ = listing.skipped;
    notes_ = std::move(listing.notes);
    if (classes) classes_ = classes_of(listing, options.classes);
    if (options.classes.empty())
      if (auto note = note_on_order(classes_)) notes_.push_back(std::move(*note));
    std::unordered_map<std::string, std::int32_t> index;
    for (const std::string& name : classes_) index.emplace(name, static_cast<std::int32_t>(index.size()));
    std::vector<Sample> all;
    std::vector<fs::path> paths;
    std::int64_t beside = 0;
    for (Listing::File& file : listing.files) {
      if (!classes_.empty() && file.folder.empty()) {
        ++skipped_;
        ++beside;
        continue;
      }
      all.push_back({std::move(file.id), classes_.empty() ? -1 : index.at(file.folder)});
      paths.push_back(std::move(file.path));
    }
    if (beside > 0)
      notes_.push_back(
          fmt::format("{} images lie beside the class folders and belong to no class; they are left out", beside));
    if (all.empty())
      throw FormatError(
          fmt::format("contains no image; expected {} files ({} other files)", alternatives(kCodecs.list()), skipped_));
    samples_ = std::move(all);
    files_ = std::make_unique<ImageFiles>(std::move(paths));
  }

  [[nodiscard]] const std::vector<Sample>& samples() const override { return samples_; }
  [[nodiscard]] const std::vector<std::string>& classes() const override { return classes_; }
  [[nodiscard]] std::int64_t skipped() const override { return skipped_; }
  [[nodiscard]] Reader reader() const override { return Reader::folder; }
  [[nodiscard]] std::vector<std::string> selection_notes() const override { return notes_; }
  [[nodiscard]] bool images() const override { return true; }
  [[nodiscard]] Image decode(std::size_t index) const override { return files_->decode(index); }
  [[nodiscard]] Tensor array(std::size_t) const override {
    throw Error("an image folder was asked for arrays; expected decode()");
  }
  [[nodiscard]] std::string digest(std::size_t index) const override { return files_->digest(index); }
  [[nodiscard]] std::string content(std::size_t index) const override { return files_->content(index); }

 private:
  std::vector<Sample> samples_;
  std::unique_ptr<ImageFiles> files_;
  std::vector<std::string> classes_, notes_;
  std::int64_t skipped_ = 0;
};

}  // namespace

bool is_image_extension(std::string_view lower) {
  constexpr std::array<std::string_view, 11> kExtensions{".jpg",  ".jpeg", ".png", ".tif", ".tiff", ".bmp",
                                                         ".webp", ".ppm",  ".pgm", ".pbm", ".pnm"};
  return std::ranges::find(kExtensions, lower) != kExtensions.end();
}

bool named_like_image(const fs::path& path) {
  std::string extension = path.extension().string();
  // ".jpg" alone is a hidden file without an extension to the library, and a JPEG to everybody else.
  if (extension.empty()) extension = path.filename().string();
  return is_image_extension(lower_case(std::move(extension)));
}

std::vector<std::string> folder_order(const std::set<std::string>& names) {
  std::vector<std::string> order(names.begin(), names.end());
  const auto digits = [](const std::string& name) {
    return std::ranges::all_of(name, [](char c) { return c >= '0' && c <= '9'; });
  };
  if (!std::ranges::all_of(order, digits)) return order;
  // Of numbers without zeros in front the longer is the larger; "07" and "7" stay in the order of text.
  const auto number = [](const std::string& name) {
    const std::string value = name.substr(std::min(name.find_first_not_of('0'), name.size()));
    return std::pair(value.size(), value);
  };
  std::ranges::stable_sort(order, {}, number);
  return order;
}

std::unique_ptr<Dataset> open_folder(const fs::path& root, const DatasetOptions& options, bool classes) {
  return std::make_unique<FolderDataset>(root, options, classes);
}

}  // namespace shiftnorm::imaging
