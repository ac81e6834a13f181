#include <fmt/format.h>

#include <algorithm>
#include <string_view>
#include <unordered_map>

#include "pickle.hpp"
#include "pytorch_tensors.hpp"
#include "readers.hpp"
#include "shiftnorm/container/byte_reader.hpp"
#include "shiftnorm/core/error.hpp"
#include "shiftnorm/core/file.hpp"
#include "shiftnorm/core/text.hpp"

// Source: torch/serialization.py, _legacy_save and _legacy_load. Five pickles follow each other: magic number,
// protocol version, system's facts, the object, the storages' keys; then each storage: element count, raw numbers.
namespace shiftnorm::formats {
namespace {

constexpr std::string_view kMagic{"\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19",
                                  12};  // LONG1 0x1950a86a20f9469cfc6c
constexpr std::size_t kMagicWithin = 32;
constexpr std::int64_t kProtocol = 1001;

void check_system(const pickle::Pickled& pickled) {
  const auto* facts = pickled.heap.get<pickle::Dict>(pickled.root);
  if (facts == nullptr) throw FormatError("PyTorch file: sys_info is not a dict");
  const pickle::Value* little = pickled.heap.find(*facts, "little_endian");
  const bool* is_little = little == nullptr ? nullptr : std::get_if<bool>(little);
  if (is_little == nullptr) throw FormatError("PyTorch file: does not state its byte order");
  if (!*is_little) throw UnsupportedError("PyTorch file: numbers are big-endian; supported is little-endian");
}

using Places = std::unordered_map<std::string, StorageBytes>;

/// Walks over the storages behind the last pickle.
Places find_storages(std::span<const std::byte> file, container::ByteReader& reader, const pickle::Heap& heap,
                     const pickle::Pickled& keys) {
  std::unordered_map<std::string_view, const pickle::Storage*> known;
  for (const pickle::Storage& storage : heap.storages()) known.emplace(storage.key, &storage);
  Places places;
  for (const pickle::Id id : keys.heap.sequence(keys.root, "the list of storages")) {
    const std::string& key = keys.heap.text(id, "the key of a storage");
    const auto storage = known.find(key);
    if (storage == known.end())
      throw FormatError(fmt::format("PyTorch file: storage '{}' belongs to no tensor", printable(key)));
    const std::uint64_t count = reader.u64();
    if (count != static_cast<std::uint64_t>(storage->second->elements))
      throw FormatError(fmt::format("PyTorch file: storage '{}' has {} elements; expected {}", printable(key), count,
                                    storage->second->elements));
    const std::uint64_t offset = reader.position();
    reader.skip(byte_count(*storage->second));
    if (!places.emplace(key, StorageBytes{file.subspan(offset, reader.position() - offset), offset}).second)
      throw FormatError(fmt::format("PyTorch file: storage '{}' is given twice", printable(key)));
  }
  return places;
}

}  // namespace

bool is_pytorch_legacy(std::span<const std::byte> file) {
  const std::string_view start = as_text(file.first(std::min(file.size(), kMagicWithin)));
  return start.starts_with('\x80') && start.find(kMagic) != std::string_view::npos;
}

Contents read_pytorch_legacy(std::span<const std::byte> file, const Neighbours& told) {
  container::ByteReader reader(file);
  (void)pickle::unpickle(reader);  // the magic number, by which the file was recognised
  const pickle::Pickled version = pickle::unpickle(reader);
  if (const std::int64_t found = version.heap.integer(version.root, "the container's version"); found != kProtocol)
    throw UnsupportedError(fmt::format("PyTorch file: container version {}; supported is {}", found, kProtocol));
  check_system(pickle::unpickle(reader));
  const pickle::Pickled object = pickle::unpickle(reader);
  const pickle::Pickled keys = pickle::unpickle(reader);
  const Places places = find_storages(file, reader, object.heap, keys);
  return read_pickled(object, told.weights, file.size(), [&places](const pickle::Storage& storage) {
    const auto at = places.find(storage.key);
    if (at == places.end())
      throw FormatError(fmt::format("storage '{}' is missing from the file", printable(storage.key)));
    return at->second;
  });
}

}  // namespace shiftnorm::formats
