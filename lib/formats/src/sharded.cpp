#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <string_view>
#include <unordered_map>

#include "recognise.hpp"
#include "shiftnorm/container/json.hpp"
#include "shiftnorm/core/error.hpp"
#include "shiftnorm/core/file.hpp"
#include "shiftnorm/core/text.hpp"

// Source: huggingface/transformers, save_pretrained: `model.safetensors.index.json` or `pytorch_model.bin.index.json`,
// whose weight_map says which of the files beside it holds which tensor.
namespace shiftnorm::formats {
namespace {

using container::Json;

constexpr std::string_view kMap = "weight_map";
constexpr std::size_t kMaxShards = 4096;

/// Tensors of every shard by the shard's name, in the index's order.
struct Shards {
  std::vector<std::string> names;
  std::unordered_map<std::string, std::string> shard_of;
};

Shards read_index(std::span<const std::byte> file) {
  Shards shards;
  const Json index = container::parse_json(as_text(file));
  for (const auto& [tensor, shard] : index.at(kMap).as_object()) {
    const std::string& name = shard.as_string();
    shards.shard_of.emplace(tensor, name);
    if (std::find(shards.names.begin(), shards.names.end(), name) != shards.names.end()) continue;
    shards.names.push_back(name);
    if (shards.names.size() > kMaxShards) throw FormatError(fmt::format("index: names more than {} files", kMaxShards));
  }
  return shards;
}

/// "model" of "model.safetensors.index.json".
std::string stem_of(std::string_view index) {
  constexpr std::array<std::string_view, 4> kEndings{".safetensors.index.json", ".bin.index.json", ".index.json",
                                                     ".json"};
  for (const std::string_view ending : kEndings)
    if (index.ends_with(ending)) return std::string(index.substr(0, index.size() - ending.size()));
  return std::string(index);
}

/// What the shards are called beside an index of another name; none is called as one of those that were read.
std::map<std::string, std::string> new_names(const Checkpoint& checkpoint, const std::string& file_name) {
  std::map<std::string, std::string> names;
  const std::string before = stem_of(checkpoint.file_name);
  std::string after = stem_of(file_name);
  const auto taken = [&checkpoint](const std::string& name) {
    return std::any_of(checkpoint.companions.begin(), checkpoint.companions.end(),
                       [&name](const OutputFile& shard) { return shard.name == name; });
  };
  for (const OutputFile& shard : checkpoint.companions) {
    const bool same = file_name == checkpoint.file_name;  // in another folder
    const std::string tail = shard.name.starts_with(before) ? shard.name.substr(before.size()) : "-" + shard.name;
    std::string name = same ? shard.name : after + tail;
    while (!same && taken(name)) name.insert(0, "adapted-");
    names.emplace(shard.name, std::move(name));
  }
  return names;
}

/// One string of a JSON text, with its quotes.
struct Token {
  std::size_t begin = 0, end = 0;
  bool key = false;
};

std::vector<Token> strings_of(std::string_view json) {
  std::vector<Token> tokens;
  for (std::size_t at = json.find('"'); at != std::string_view::npos; at = json.find('"', at)) {
    Token token{at, at + 1, false};
    while (token.end < json.size() && json[token.end] != '"') token.end += json[token.end] == '\\' ? 2 : 1;
    token.end = std::min(token.end + 1, json.size());
    const std::size_t next = json.find_first_not_of(" \t\r\n", token.end);
    token.key = next != std::string_view::npos && json[next] == ':';
    tokens.push_back(token);
    at = token.end;
  }
  return tokens;
}

/// The index with the names of its files exchanged and every other byte as it was.
std::vector<std::byte> renamed(std::span<const std::byte> index, const std::map<std::string, std::string>& names) {
  const std::string_view text = as_text(index);
  std::string out;
  std::size_t copied = 0;
  bool inside = false;
  std::size_t map_end = 0;
  for (const Token& token : strings_of(text)) {
    const std::string value = container::parse_json(text.substr(token.begin, token.end - token.begin)).as_string();
    if (inside && text.substr(map_end, token.begin - map_end).find('}') != std::string_view::npos) inside = false;
    const auto fresh = inside && !token.key ? names.find(value) : names.end();
    if (fresh != names.end()) {
      out += text.substr(copied, token.begin - copied);
      out += container::write_json(Json(fresh->second));
      copied = token.end;
    }
    if (token.key && value == kMap) inside = true;
    map_end = token.end;
  }
  out += text.substr(copied);
  const std::span<const std::byte> bytes = as_bytes(out);
  return {bytes.begin(), bytes.end()};
}

}  // namespace

bool is_sharded_index(std::span<const std::byte> file) {
  const std::string_view text = as_text(file);
  const std::size_t start = text.find_first_not_of(" \t\r\n");
  return start != std::string_view::npos && text[start] == '{' &&
         text.find(fmt::format("\"{}\"", kMap)) != std::string_view::npos;
}

Contents read_sharded(std::span<const std::byte> file, const Neighbours& neighbours) {
  const Shards shards = read_index(file);
  Contents contents;
  std::size_t mapped = 0;
  for (const std::string& name : shards.names) {
    std::vector<std::byte> bytes = neighbours.read(name);
    try {
      const Format& format = recognise(bytes);
      if (format.read == read_sharded) throw FormatError("is an index; expected the tensors that it names");
      for (NamedTensor& tensor : format.read(bytes, {}).tensors) {
        const auto at = shards.shard_of.find(tensor.name);
        if (at == shards.shard_of.end() || at->second != name)
          throw FormatError(fmt::format("holds tensor '{}', which the index {}", printable(tensor.name),
                                        at == shards.shard_of.end() ? "does not name" : "looks for elsewhere"));
        tensor.origin.reset();  // of the shard; write_sharded() finds it there
        contents.tensors.push_back(std::move(tensor));
        ++mapped;
      }
    } catch (const Error&) {
      rethrow_at(printable(name));
    }
    contents.companions.push_back({name, std::move(bytes)});
  }
  if (mapped != shards.shard_of.size())
    throw FormatError(
        fmt::format("index: names {} tensors; the files beside it hold {}", shards.shard_of.size(), mapped));
  return contents;
}

std::vector<OutputFile> write_sharded(const Checkpoint& checkpoint, std::span<const Patch> patches,
                                      const std::string& file_name) {
  const Shards shards = read_index(checkpoint.bytes);
  const std::map<std::string, std::string> names = new_names(checkpoint, file_name);
  std::vector<OutputFile> files{{file_name, renamed(checkpoint.bytes, names)}};
  for (const Patch& patch : patches)
    if (!shards.shard_of.contains(patch.name))
      throw Error(fmt::format("tensor '{}' is not in the file", printable(patch.name)));
  for (const OutputFile& companion : checkpoint.companions) {
    const Checkpoint shard = parse_checkpoint(companion.bytes, companion.name);
    std::vector<Patch> own;
    std::copy_if(patches.begin(), patches.end(), std::back_inserter(own),
                 [&](const Patch& patch) { return shards.shard_of.at(patch.name) == companion.name; });
    files.push_back(std::move(write_checkpoint(shard, own, names.at(companion.name)).front()));
  }
  return files;
}

}  // namespace shiftnorm::formats
