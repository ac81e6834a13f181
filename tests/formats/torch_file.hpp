#pragma once

#include <bit>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "container/zip_builder.hpp"
#include "formats/pickle_builder.hpp"

namespace shiftnorm::test {

/// A file as torch.save writes it, in both containers, with the lies that a test asks for.
struct TorchFile {
  struct Storage {
    std::string key;
    std::string type;  ///< "FloatStorage"
    std::int64_t count = 0;
    std::vector<std::byte> bytes;
  };
  struct View {
    std::string name;
    std::size_t storage = 0;
    std::int64_t offset = 0;
    std::vector<std::int64_t> sizes, strides;
  };
  std::vector<Storage> storages;
  std::vector<View> views;
  std::function<void(PickleBuilder&)> before = [](PickleBuilder&) {};  ///< around the state dict, given its opcodes
  std::function<void(PickleBuilder&)> after = [](PickleBuilder&) {};
  bool little_endian = true;
  std::optional<std::string> byteorder = std::nullopt;
  std::vector<std::string> extra_members;

  std::size_t add_floats(std::string key, const std::vector<float>& values) {
    ByteWriter out;
    for (const float v : values) out.u32(std::bit_cast<std::uint32_t>(v));
    storages.push_back({std::move(key), "FloatStorage", static_cast<std::int64_t>(values.size()), out.bytes()});
    return storages.size() - 1;
  }

  [[nodiscard]] std::vector<std::byte> object(bool legacy) const {
    PickleBuilder pickle;
    before(pickle);
    pickle.empty_ordered_dict().mark();
    for (const View& view : views) {
      pickle.text(view.name);
      tensor(pickle, view, legacy);
    }
    pickle.op('u');
    after(pickle);
    return pickle.finish();
  }

  void tensor(PickleBuilder& pickle, const View& view, bool legacy) const {
    const Storage& s = storages[view.storage];
    pickle.global("torch._utils", "_rebuild_tensor_v2")
        .mark()
        .storage(s.type, s.key, s.count, legacy)
        .integer(view.offset);
    pickle.integers(view.sizes).integers(view.strides).boolean(false).empty_ordered_dict().op('t').op('R');
  }

  [[nodiscard]] std::vector<std::byte> legacy() const { return legacy_around(object(true)); }
  [[nodiscard]] std::vector<std::byte> legacy_around(const std::vector<std::byte>& pickle) const {
    ByteWriter out;
    out.raw(from_hex("80028a0a6cfc9c46f9206aa850192e")).raw(PickleBuilder().integer(1001).finish());
    PickleBuilder facts;
    facts.op('}').mark().text("protocol_version").integer(1001).text("little_endian").boolean(little_endian).op('u');
    out.raw(facts.finish()).raw(pickle);
    PickleBuilder keys;
    keys.op(']').mark();
    for (const Storage& s : storages) keys.text(s.key);
    out.raw(keys.op('e').finish());
    for (const Storage& s : storages) out.u64(static_cast<std::uint64_t>(s.count)).raw(s.bytes);
    return out.bytes();
  }

  [[nodiscard]] std::vector<std::byte> zip() const { return zip_around(object(false)); }
  [[nodiscard]] std::vector<std::byte> zip_around(const std::vector<std::byte>& pickle) const {
    ZipBuilder zip;
    zip.zip64_end = true;
    const auto add = [&zip](const std::string& name, const std::vector<std::byte>& content) {
      zip.members.push_back({"archive/" + name, content, true});
      zip.members.back().padding = 5;
    };
    add("data.pkl", pickle);
    if (byteorder) add("byteorder", bytes_of(*byteorder));
    for (const Storage& s : storages) add("data/" + s.key, s.bytes);
    for (const std::string& name : extra_members) add(name, {});
    add("version", bytes_of("3\n"));
    return zip.build();
  }

  [[nodiscard]] std::vector<std::byte> build(bool as_zip) const { return as_zip ? zip() : legacy(); }
};

/// A contiguous tensor of one axis over a whole storage.
inline TorchFile one_vector(const std::string& name, const std::vector<float>& values) {
  TorchFile file;
  file.views.push_back({name, file.add_floats("0", values), 0, {static_cast<std::int64_t>(values.size())}, {1}});
  return file;
}

}  // namespace shiftnorm::test
