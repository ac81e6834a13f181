#include "folder_dataset.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <fstream>
#include <set>
#include <unordered_map>

#include "image_files.hpp"
#include "image_header.hpp"
#include "shiftnorm/core/error.hpp"
#include "shiftnorm/core/text.hpp"

namespace shiftnorm::imaging {
namespace {

namespace fs = std::filesystem;

constexpr std::array<std::string_view, 6> kExtensions{".jpg", ".jpeg", ".png", ".tif", ".tiff", ".bmp"};

bool named_like_image(const fs::path& path) {
  std::string extension = path.extension().string();
  // ".jpg" alone is a hidden file without an extension to the library, and a JPEG to everybody else.
  if (extension.empty()) extension = path.filename().string();
  std::ranges::transform(extension, extension.begin(),
                         [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return std::ranges::find(kExtensions, extension) != kExtensions.end();
}

bool begins_like_image(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::array<char, kMagicBytes> head{};
  file.read(head.data(), head.size());
  return codec_of(std::as_bytes(std::span(head).first(static_cast<std::size_t>(file.gcount())))).has_value();
}

/// What a walk through the folder finds.
struct Listing {
  struct File {
    std::string id, folder;  ///< folder: first component of the path below the root, empty for a file in the root
    fs::path path;
  };
  std::vector<File> files;        ///< images, in id order
  std::set<std::string> folders;  ///< every folder directly below the root, with images or without
  std::int64_t skipped = 0;
};

Listing list(const fs::path& root) {
  Listing listing;
  const std::size_t prefix = (root / "").native().size();
  std::error_code error;
  for (fs::recursive_directory_iterator it(root, error), end; !error && it != end; it.increment(error)) {
    const fs::directory_entry& entry = *it;
    std::error_code ignored;
    const std::string relative = entry.path().native().substr(prefix);
    if (entry.is_directory(ignored)) {
      if (!entry.is_symlink(ignored) && it.depth() == 0) listing.folders.insert(id_of(relative));
      continue;
    }
    if (!named_like_image(entry.path()) && !(entry.is_regular_file(ignored) && begins_like_image(entry.path()))) {
      ++listing.skipped;
      continue;
    }
    const std::string id = id_of(relative);
    const std::size_t slash = id.find('/');
    listing.files.push_back({id, slash == std::string::npos ? std::string() : id.substr(0, slash), entry.path()});
  }
  if (error) throw MachineError(fmt::format("{}: cannot be listed: {}", root.filename().string(), error.message()));
  std::ranges::sort(listing.files, {}, &Listing::File::id);
  return listing;
}

/// Names of the classes in order of their indices.
std::vector<std::string> class_names(const Listing& listing, const std::vector<std::string>& given) {
  std::set<std::string> used;
  for (const Listing::File& file : listing.files)
    if (!file.folder.empty()) used.insert(file.folder);
  if (given.empty() || used.empty()) return {used.begin(), used.end()};

  const std::set<std::string> names(given.begin(), given.end());
  if (names.size() != given.size()) throw ConfigError(fmt::format("classes: {} names a class twice", join(given)));
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
  FolderDataset(const fs::path& root, const DatasetOptions& options) {
    Listing listing = list(root);
    skipped_ = listing.skipped;
    classes_ = class_names(listing, options.classes);
    std::unordered_map<std::string, std::int32_t> index;
    for (const std::string& name : classes_) index.emplace(name, static_cast<std::int32_t>(index.size()));
    std::vector<Sample> all;
    std::vector<fs::path> paths;
    for (Listing::File& file : listing.files) {
      if (!classes_.empty() && file.folder.empty()) {
        ++skipped_;
        continue;
      }
      all.push_back({std::move(file.id), classes_.empty() ? -1 : index.at(file.folder)});
      paths.push_back(std::move(file.path));
    }
    if (all.empty())
      throw FormatError(
          fmt::format("holds no image; expected JPEG, PNG, TIFF or BMP files ({} other files)", skipped_));
    samples_ = std::move(all);
    files_ = std::make_unique<ImageFiles>(std::move(paths));
  }

  [[nodiscard]] const std::vector<Sample>& samples() const override { return samples_; }
  [[nodiscard]] const std::vector<std::string>& classes() const override { return classes_; }
  [[nodiscard]] std::int64_t skipped() const override { return skipped_; }
  [[nodiscard]] Reader reader() const override { return Reader::folder; }
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
  std::vector<std::string> classes_;
  std::int64_t skipped_ = 0;
};

}  // namespace

std::unique_ptr<Dataset> open_folder(const fs::path& root, const DatasetOptions& options) {
  return std::make_unique<FolderDataset>(root, options);
}

}  // namespace shiftnorm::imaging
