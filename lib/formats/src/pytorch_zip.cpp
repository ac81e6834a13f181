#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <string_view>
#include <unordered_map>

#include "pickle.hpp"
#include "pytorch_tensors.hpp"
#include "readers.hpp"
#include "shiftnorm/container/byte_reader.hpp"
#include "shiftnorm/container/zip.hpp"
#include "shiftnorm/core/error.hpp"
#include "shiftnorm/core/file.hpp"
#include "shiftnorm/core/text.hpp"

// Source: torch/serialization.py, _save and _load: `<name>/data.pkl`, `<name>/data/<key>` per storage,
// `<name>/byteorder`. TorchScript's archives are the same with code, of which nothing is read, beside them.
namespace shiftnorm::formats {
namespace {

using container::ZipMember;

constexpr std::string_view kPickle = "data.pkl";
constexpr std::uint64_t kMaxPickle = std::uint64_t{1} << 26U;
// Storages compressed by other tools; deflate shrinks weights by a tenth, never by much.
constexpr std::uint64_t kMaxInflation = 4, kMaxInflationExtra = std::uint64_t{16} << 20U;

/// Archives that torch.save did not write, recognised by a member.
struct OtherArchive {
  bool (*has)(std::string_view member);
  std::string_view what;
};
constexpr std::array kOthers{
    OtherArchive{[](std::string_view m) { return m == "model.weights.h5"; },
                 "a Keras archive (.keras) without its config.json and metadata.json"},
    OtherArchive{[](std::string_view m) { return m.ends_with(".npy"); },
                 "a NumPy archive (.npz); expected a checkpoint"},
};

void refuse_others(const std::vector<ZipMember>& members) {
  for (const OtherArchive& other : kOthers)
    if (std::any_of(members.begin(), members.end(), [&other](const ZipMember& m) { return other.has(m.name); }))
      throw UnsupportedError(fmt::format("is {}", other.what));
}

/// The members of one torch.save, by their names without the archive's prefix.
class Archive {
 public:
  explicit Archive(std::span<const std::byte> file)
      : file_(file),
        members_(container::index_zip(file)),
        inflation_left_(kMaxInflation * file.size() + kMaxInflationExtra) {
    refuse_others(members_);
    const std::string prefix = find_prefix();
    for (const ZipMember& member : members_)
      if (member.name.starts_with(prefix))
        by_name_.emplace(std::string_view(member.name).substr(prefix.size()), &member);
  }

  [[nodiscard]] const ZipMember* find(std::string_view name) const {
    const auto at = by_name_.find(name);
    return at == by_name_.end() ? nullptr : at->second;
  }

  [[nodiscard]] std::vector<std::byte> read(const ZipMember& member, std::uint64_t limit) const {
    return container::read_member(file_, member, limit);
  }

  /// Stored members are looked at in place, with their CRC checked once.
  StorageBytes storage(const pickle::Storage& storage) {
    const ZipMember* member = find("data/" + storage.key);
    if (member == nullptr)
      throw FormatError(fmt::format("the archive has no member for storage '{}'", printable(storage.key)));
    if (const std::uint64_t needed = byte_count(storage); member->size < needed)
      throw FormatError(
          fmt::format("storage '{}' has {} bytes; expected {}", printable(storage.key), member->size, needed));
    const auto known = contents_.find(member);
    return known != contents_.end() ? known->second : contents_.emplace(member, load(*member)).first->second;
  }

 private:
  [[nodiscard]] std::string find_prefix() const {
    const ZipMember* pickle = nullptr;
    for (const ZipMember& member : members_) {
      const std::string_view name = member.name;
      if (name != kPickle && !name.ends_with("/data.pkl")) continue;
      if (pickle != nullptr)
        throw FormatError(fmt::format("the archive has '{}' and '{}'; expected one data.pkl", printable(pickle->name),
                                      printable(name)));
      pickle = &member;
    }
    if (pickle == nullptr) throw FormatError("is a zip archive without data.pkl; expected what torch.save writes");
    return pickle->name.substr(0, pickle->name.size() - kPickle.size());
  }

  StorageBytes load(const ZipMember& member) {
    if (!member.stored) {
      const std::vector<std::byte>& content = inflated_[&member] = read(member, inflation_left_);
      inflation_left_ -= content.size();
      return {content, std::nullopt};
    }
    const std::span<const std::byte> content = file_.subspan(member.data_offset, member.size);
    if (const std::uint32_t found = container::crc32(content); found != member.crc)
      throw FormatError(fmt::format("member '{}' has CRC {:08x}; expected {:08x}: the file is damaged",
                                    printable(member.name), found, member.crc));
    return {content, member.data_offset};
  }

  std::span<const std::byte> file_;
  std::vector<ZipMember> members_;
  std::map<std::string_view, const ZipMember*> by_name_;
  std::unordered_map<const ZipMember*, StorageBytes> contents_;
  std::unordered_map<const ZipMember*, std::vector<std::byte>> inflated_;
  std::uint64_t inflation_left_;
};

void check_byte_order(const Archive& archive) {
  const ZipMember* member = archive.find("byteorder");
  if (member == nullptr) return;  // before PyTorch 2.1 always little-endian
  const std::vector<std::byte> order = archive.read(*member, 16);
  if (as_text(order) != "little")
    throw UnsupportedError(fmt::format("numbers are {}-endian; supported is little-endian", printable(as_text(order))));
}

}  // namespace

Contents read_zip(std::span<const std::byte> file, const Neighbours& told) {
  Archive archive(file);
  check_byte_order(archive);
  const std::vector<std::byte> text = archive.read(*archive.find(kPickle), kMaxPickle);
  container::ByteReader reader(text);
  const pickle::Pickled object = pickle::unpickle(reader);
  return read_pickled(object, told.weights, file.size(),
                      [&archive](const pickle::Storage& storage) { return archive.storage(storage); });
}

}  // namespace shiftnorm::formats
