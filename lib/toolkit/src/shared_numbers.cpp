#include "shared_numbers.hpp"

#include <fmt/format.h>

#include <map>
#include <set>
#include <string>
#include <string_view>

#include "shiftnorm/core/error.hpp"
#include "shiftnorm/core/text.hpp"

namespace shiftnorm::toolkit {
namespace {

using formats::NamedTensor, formats::Patch;

std::string_view numbers_of(const NamedTensor& tensor) {
  return tensor.same_as.empty() ? std::string_view(tensor.name) : std::string_view(tensor.same_as);
}

/// What of the network uses the tensors of the file, by their names.
std::set<std::string_view> used_names(const RestoredModel& model) {
  std::set<std::string_view> used;
  for (const auto& [id, index] : model.binding.pairs) used.insert(model.checkpoint.tensors.at(index).name);
  return used;
}

/// By their numbers, and the names that are patched.
struct Patched {
  std::map<std::string_view, const Patch*> by_numbers;
  std::set<std::string_view> names;

  Patched(const RestoredModel& model, std::span<const Patch> patches) {
    for (const Patch& patch : patches) {
      names.insert(patch.name);
      if (const NamedTensor* tensor = model.checkpoint.find(patch.name))
        by_numbers.emplace(numbers_of(*tensor), &patch);
    }
  }
};

}  // namespace

std::vector<Patch> with_other_names(const RestoredModel& model, std::vector<Patch> patches) {
  const Patched patched(model, patches);
  const std::set<std::string_view> used = used_names(model);
  std::vector<Patch> followers;
  for (const NamedTensor& tensor : model.checkpoint.tensors) {
    const auto at = patched.by_numbers.find(numbers_of(tensor));
    if (at != patched.by_numbers.end() && !patched.names.contains(tensor.name) && !used.contains(tensor.name))
      followers.push_back({tensor.name, at->second->values});
  }
  patches.insert(patches.end(), followers.begin(), followers.end());
  return patches;
}

void check_apart(const RestoredModel& model, std::span<const Patch> patches) {
  const Patched patched(model, patches);
  for (const auto& [id, index] : model.binding.pairs) {
    const NamedTensor& tensor = model.checkpoint.tensors.at(index);
    const auto at = patched.by_numbers.find(numbers_of(tensor));
    if (at != patched.by_numbers.end() && !patched.names.contains(tensor.name))
      throw UnsupportedError(
          fmt::format("{}: '{}' and '{}' share storage in the file, and only the first would change; expected an "
                      "output named .safetensors or .onnx, where each has its own",
                      model.checkpoint.file_name, printable(at->second->name), printable(tensor.name)));
  }
}

}  // namespace shiftnorm::toolkit
