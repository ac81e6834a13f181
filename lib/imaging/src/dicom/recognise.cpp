#include <algorithm>
#include <array>
#include <cctype>

#include "dicom/listing.hpp"
#include "shiftnorm/imaging/dataset.hpp"

namespace shiftnorm::imaging {
namespace {

namespace fs = std::filesystem;

bool named_like_picture(const fs::path& path) {
  std::string extension = path.extension().string();
  std::ranges::transform(extension, extension.begin(),
                         [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  constexpr std::array<std::string_view, 7> kPictures{".jpg", ".jpeg", ".png", ".tif", ".tiff", ".bmp", ".npy"};
  return std::ranges::find(kPictures, extension) != kPictures.end();
}

}  // namespace

bool holds_dicom(const fs::path& root) {
  std::error_code error;
  fs::recursive_directory_iterator it(root, fs::directory_options::skip_permission_denied, error), end;
  for (; !error && it != end; it.increment(error)) {
    std::error_code ignored;
    if (!it->is_regular_file(ignored) || named_like_picture(it->path())) continue;
    if (dicom::has_dicom_magic(dicom::head_of(it->path()))) return true;
  }
  return false;
}

bool is_dicom_source(const fs::path& file) {
  const std::vector<std::byte> head = dicom::head_of(file);
  return dicom::has_dicom_magic(head) || (dicom::has_zip_magic(head) && file.extension() == ".zip");
}

}  // namespace shiftnorm::imaging
