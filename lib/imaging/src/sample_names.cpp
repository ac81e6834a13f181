#include "sample_names.hpp"

#include <array>

#include "image_files.hpp"

namespace shiftnorm::imaging {
namespace {

namespace fs = std::filesystem;

std::string whole(const std::string& path) { return path; }
std::string file_name(const std::string& path) { return path.substr(path.rfind('/') + 1); }

std::string without_extension(const std::string& path) {
  const std::string extension = fs::path(path).extension().string();
  return path.substr(0, path.size() - extension.size());
}

std::string stem(const std::string& path) { return without_extension(file_name(path)); }

constexpr std::array<NamedBy, kNamings> kNamedBy{{{"path", whole},
                                                  {"path without its extension", without_extension},
                                                  {"file name", file_name},
                                                  {"file name without its extension", stem}}};

}  // namespace

const NamedBy& naming(std::size_t index) { return kNamedBy.at(index); }

std::string path_in_table(std::string_view text, const fs::path& root) {
  fs::path path = fs::path(text).lexically_normal();
  if (path.is_absolute() && !root.empty()) {
    const fs::path below = path.lexically_relative(root);
    if (!below.empty() && *below.begin() != "..") path = below;
  }
  // "." is what is left of "./".
  const std::string out = path.string();
  return text.empty() || out == "." ? std::string() : id_of(out);
}

}  // namespace shiftnorm::imaging
