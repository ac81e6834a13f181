#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string_view>
#include <unordered_map>

#include "pickle.hpp"
#include "pytorch_tensors.hpp"
#include "readers.hpp"
#include "shiftnorm/container/byte_reader.hpp"
#include "shiftnorm/container/tar.hpp"
#include "shiftnorm/core/error.hpp"
#include "shiftnorm/core/file.hpp"
#include "shiftnorm/core/text.hpp"

// Source: torch/serialization.py, legacy_load: what torch.save wrote before version 0.1.10. Three members hold
// `storages` (a count, then per storage a pickle (key, location, type), the element count, raw numbers; at the end a
// list of views (key, root's key, offset, size)), `tensors` (a count, then per tensor a pickle (key, storage's key,
// type), the number of axes as 8 bytes, extents, strides, offset) and `pickle`, which refers to both by key.
namespace shiftnorm::formats {
namespace {

using container::ByteReader, container::TarMember;
using pickle::Heap, pickle::Id;

constexpr std::size_t kShownMembers = 4;
constexpr std::uint32_t kMaxRank = 64;  // PyTorch's own

/// A key as the pickles spell it: a number, or its digits.
std::string key_text(const Heap& heap, Id id, const char* what) {
  const auto* number = heap.get<std::int64_t>(id);
  return number != nullptr ? fmt::format("{}", *number) : heap.text(id, what);
}

struct Root {
  pickle::Storage storage;
  StorageBytes bytes;
};
struct View {
  std::string root;
  std::int64_t offset = 0, size = 0;
};
struct TensorOfFile {
  std::string storage;
  std::int64_t offset = 0;
  std::vector<std::int64_t> sizes, strides;
};

class TarReader {
 public:
  explicit TarReader(std::span<const std::byte> file) : file_(file), members_(container::index_tar(file)) {}

  Contents read(std::string_view wanted) {
    check_byte_order();
    read_storages();
    read_tensors();
    ByteReader reader(member("pickle"));
    const pickle::Pickled object = pickle::unpickle(reader, [this](Heap& heap, Id id) { return load(heap, id); });
    return read_pickled(object, wanted, file_.size(),
                        [this](const pickle::Storage& storage) { return roots_.at(storage.key).bytes; });
  }

 private:
  [[nodiscard]] const TarMember* find(std::string_view name) const {
    const auto at =
        std::find_if(members_.begin(), members_.end(), [name](const TarMember& m) { return m.name == name; });
    return at == members_.end() ? nullptr : &*at;
  }

  [[nodiscard]] std::span<const std::byte> member(std::string_view name) const {
    const TarMember* found = find(name);
    if (found != nullptr) return file_.subspan(found->data_offset, found->size);
    std::vector<std::string> names;
    for (const TarMember& m : members_) names.push_back(printable(m.name, 60));
    throw UnsupportedError(fmt::format("is a tar archive of {}, without the '{}' of torch 0.1; unpack it first",
                                       names.empty() ? "nothing" : join(names, kShownMembers), name));
  }

  void check_byte_order() const {
    if (find("sys_info") == nullptr) return;
    ByteReader reader(member("sys_info"));
    const pickle::Pickled facts = pickle::unpickle(reader);
    const auto* dict = facts.heap.get<pickle::Dict>(facts.root);
    const pickle::Value* little = dict == nullptr ? nullptr : facts.heap.find(*dict, "little_endian");
    const bool* is_little = little == nullptr ? nullptr : std::get_if<bool>(little);
    if (is_little != nullptr && !*is_little)
      throw UnsupportedError("PyTorch file: numbers are big-endian; supported is little-endian");
  }

  static std::int64_t read_count(ByteReader& reader, const char* what) {
    const pickle::Pickled count = pickle::unpickle(reader);
    return count.heap.integer(count.root, what);
  }

  void read_storages() {
    const std::span<const std::byte> content = member("storages");
    const std::uint64_t begin = find("storages")->data_offset;
    ByteReader reader(content);
    for (std::int64_t left = read_count(reader, "the number of storages"); left > 0; --left) {
      const pickle::Pickled facts = pickle::unpickle(reader);
      const std::vector<Id>& parts = facts.heap.sequence(facts.root, "a storage's description");
      if (parts.size() != 3)
        throw FormatError(fmt::format("a storage is described by {} parts; expected 3", parts.size()));
      pickle::Storage storage{key_text(facts.heap, parts[0], "a storage's key"),
                              pickle::element_type(facts.heap, parts[2]), 0};
      const std::uint64_t elements = reader.u64();
      if (elements > reader.left())
        throw FormatError(fmt::format("storage '{}' has {} elements; {} bytes are left: the file is truncated",
                                      printable(storage.key), elements, reader.left()));
      storage.elements = static_cast<std::int64_t>(elements);
      const std::uint64_t at = begin + reader.position();
      const std::span<const std::byte> bytes = reader.take(byte_count(storage));
      std::string key = storage.key;
      roots_.insert_or_assign(std::move(key), Root{std::move(storage), {bytes, at}});
    }
    const pickle::Pickled views = pickle::unpickle(reader);
    if (views.heap.get<pickle::NoneValue>(views.root) != nullptr) return;
    for (const Id id : views.heap.sequence(views.root, "the views of storages")) {
      const std::vector<Id>& parts = views.heap.sequence(id, "a view of a storage");
      if (parts.size() != 4)
        throw FormatError(fmt::format("a view of a storage has {} parts; expected 4", parts.size()));
      views_.insert_or_assign(
          key_text(views.heap, parts[0], "a view's key"),
          View{key_text(views.heap, parts[1], "a view's storage"), views.heap.integer(parts[2], "a view's offset"),
               views.heap.integer(parts[3], "a view's size")});
    }
  }

  void read_tensors() {
    ByteReader reader(member("tensors"));
    for (std::int64_t left = read_count(reader, "the number of tensors"); left > 0; --left) {
      const pickle::Pickled facts = pickle::unpickle(reader);
      const std::vector<Id>& parts = facts.heap.sequence(facts.root, "a tensor's description");
      if (parts.size() != 3)
        throw FormatError(fmt::format("a tensor is described by {} parts; expected 3", parts.size()));
      TensorOfFile tensor{key_text(facts.heap, parts[1], "a tensor's storage"), 0, {}, {}};
      const std::uint32_t rank = reader.u32();
      reader.skip(4);
      if (rank > kMaxRank) throw FormatError(fmt::format("a tensor has {} axes; expected at most {}", rank, kMaxRank));
      for (auto* const list : {&tensor.sizes, &tensor.strides})
        for (std::uint32_t i = 0; i < rank; ++i) list->push_back(static_cast<std::int64_t>(reader.u64()));
      tensor.offset = static_cast<std::int64_t>(reader.u64());
      tensors_.insert_or_assign(key_text(facts.heap, parts[0], "a tensor's key"), std::move(tensor));
    }
  }

  [[nodiscard]] Id add_storage(Heap& heap, const std::string& key) const {
    const auto view = views_.find(key);
    const auto root = roots_.find(view == views_.end() ? key : view->second.root);
    if (root == roots_.end()) throw FormatError(fmt::format("storage '{}' is not in the file", printable(key)));
    if (view == views_.end()) return heap.add_storage_view(root->second.storage, std::nullopt);
    return heap.add_storage_view(root->second.storage, std::pair{view->second.offset, view->second.size});
  }

  /// A tensor's or a storage's key, or (class, file, source), which stands for the class.
  [[nodiscard]] Id load(Heap& heap, Id id) const {
    if (const auto* parts = heap.get<pickle::Sequence>(id)) {
      if (parts->items.size() != 3)
        throw FormatError(fmt::format("pickle: a persistent id of {} parts; expected 3", parts->items.size()));
      return parts->items[0];
    }
    const std::string key = key_text(heap, id, "a persistent id");
    const auto tensor = tensors_.find(key);
    if (tensor == tensors_.end()) return add_storage(heap, key);
    const TensorOfFile& found = tensor->second;
    const Id storage = add_storage(heap, found.storage);
    return heap.add_tensor({*heap.get<pickle::StorageView>(storage), found.offset, found.sizes, found.strides});
  }

  std::span<const std::byte> file_;
  std::vector<TarMember> members_;
  std::unordered_map<std::string, Root> roots_;
  std::unordered_map<std::string, View> views_;
  std::unordered_map<std::string, TensorOfFile> tensors_;
};

}  // namespace

Contents read_pytorch_tar(std::span<const std::byte> file, const Neighbours& told) {
  return TarReader(file).read(told.weights);
}

}  // namespace shiftnorm::formats
