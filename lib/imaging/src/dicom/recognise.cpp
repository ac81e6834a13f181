#include <algorithm>
#include <array>

#include "dicom/listing.hpp"
#include "dicom/sniff.hpp"
#include "folder_dataset.hpp"
#include "mapped_file.hpp"
#include "shiftnorm/container/zip.hpp"
#include "shiftnorm/core/file.hpp"
#include "shiftnorm/core/text.hpp"
#include "shiftnorm/imaging/dataset.hpp"

namespace shiftnorm::imaging {
namespace {

namespace fs = std::filesystem;

std::string type_of(const fs::path& path) { return lower_case(path.extension().string()); }

bool named_like_picture(const fs::path& path) {
  const std::string type = type_of(path);
  return is_image_extension(type) || type == ".npy";
}

bool is_named_zip(const fs::path& file) {
  return type_of(file) == ".zip" && dicom::has_zip_magic(dicom::head_of(file));
}

/// What torch.save writes and Keras saves are zip archives too.
bool holds_weights(const fs::path& zip) {
  constexpr std::array<std::string_view, 2> kMembers{"data.pkl", "model.weights.h5"};
  try {
    const MappedFile file(zip);
    const auto members = container::index_zip(file.bytes());
    return std::ranges::any_of(members, [&](const container::ZipMember& member) {
      return std::ranges::any_of(kMembers, [&](std::string_view name) { return member.name.ends_with(name); });
    });
  } catch (const Error&) {
    // Damaged: they begin with that member.
    return as_text(dicom::head_of(zip)).find(kMembers[0]) != std::string_view::npos;
  }
}

/// Goes through a folder until `found` is settled.
class FolderSniffer {
 public:
  explicit FolderSniffer(const fs::path& root) {
    std::error_code error;
    fs::recursive_directory_iterator it(root, fs::directory_options::skip_permission_denied, error), end;
    for (; !error && it != end && !objects_; it.increment(error)) {
      std::error_code ignored;
      if (it->is_regular_file(ignored))
        look_at(it->path());
      else
        links_ = links_ || (it->is_symlink(ignored) && it->is_directory(ignored));
    }
    if (objects_ || !links_) return;
    for (const dicom::Source& source : dicom::walk_sources(root).sources)
      if (!objects_) look_at(source.path);
  }
  /// Archives alone are taken for archives of objects.
  [[nodiscard]] bool holds_dicom() const { return objects_ || (archives_ && !pictures_); }

 private:
  void look_at(const fs::path& file) {
    if (named_like_picture(file)) {
      pictures_ = true;
      return;
    }
    const std::vector<std::byte> head = dicom::head_of(file);
    objects_ = dicom::is_surely_dicom(head);
    archives_ = archives_ || (dicom::has_zip_magic(head) && type_of(file) == ".zip");
  }

  bool objects_ = false, archives_ = false, pictures_ = false, links_ = false;
};

}  // namespace

bool holds_dicom(const fs::path& root) { return FolderSniffer(root).holds_dicom(); }

bool is_dicom_source(const fs::path& file) {
  if (is_named_zip(file)) return !holds_weights(file);
  return dicom::is_surely_dicom(dicom::head_of(file));
}

}  // namespace shiftnorm::imaging
