#include "table_dataset.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <unordered_set>

#include "image_files.hpp"
#include "label_values.hpp"
#include "sample_names.hpp"
#include "shiftnorm/core/error.hpp"
#include "shiftnorm/core/text.hpp"

namespace shiftnorm::imaging {
namespace {

namespace fs = std::filesystem;

class TableDataset final : public Dataset {
 public:
  TableDataset(std::vector<Sample> samples, std::vector<fs::path> paths)
      : samples_(std::move(samples)), files_(std::move(paths)) {}

  [[nodiscard]] const std::vector<Sample>& samples() const override { return samples_; }
  [[nodiscard]] const std::vector<std::string>& classes() const override { return classes_; }
  [[nodiscard]] std::int64_t skipped() const override { return 0; }
  [[nodiscard]] bool images() const override { return true; }
  [[nodiscard]] Reader reader() const override { return Reader::table; }
  [[nodiscard]] Image decode(std::size_t index) const override { return files_.decode(index); }
  [[nodiscard]] Tensor array(std::size_t) const override {
    throw Error("a table of images was asked for arrays; expected decode()");
  }
  [[nodiscard]] std::string digest(std::size_t index) const override { return files_.digest(index); }
  [[nodiscard]] std::string content(std::size_t index) const override { return files_.content(index); }

 private:
  std::vector<Sample> samples_;
  ImageFiles files_;
  std::vector<std::string> classes_;
};

/// Lists written on Windows part folders by backslashes.
fs::path file_named(const fs::path& folder, std::string_view path) {
  fs::path file = folder / path;
  std::error_code ignored;
  if (path.find('\\') == std::string_view::npos || fs::exists(file, ignored)) return file;
  std::string slashed(path);
  std::ranges::replace(slashed, '\\', '/');
  return fs::exists(folder / slashed, ignored) ? folder / slashed : file;
}

}  // namespace

std::unique_ptr<Dataset> open_table(const Table& table, const fs::path& folder) {
  std::vector<Sample> samples;
  std::vector<fs::path> paths;
  std::unordered_set<std::string> seen;
  for (std::size_t row = 0; row < table.csv.rows(); ++row) {
    const std::string_view path = table.csv.field(row, table.key.at(0));
    if (is_missing(path)) continue;
    std::string id = path_in_table(path, table.root);
    if (id.empty() || !seen.insert(id).second) continue;
    samples.push_back({std::move(id)});
    paths.push_back(file_named(folder, path));
  }
  if (samples.empty()) throw FormatError(fmt::format("{}: names no image; expected paths in its rows", table.name));
  return std::make_unique<TableDataset>(std::move(samples), std::move(paths));
}

bool named_like_table(const fs::path& file) {
  const std::string extension = lower_case(file.extension().string());
  return extension == ".csv" || extension == ".tsv" || extension == ".txt";
}

}  // namespace shiftnorm::imaging
