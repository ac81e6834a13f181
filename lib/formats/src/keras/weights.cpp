#include "weights.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>
#include <optional>
#include <set>

#include "shiftnorm/core/error.hpp"
#include "shiftnorm/core/text.hpp"

namespace shiftnorm::formats::keras {
namespace {

using container::Hdf5;
using container::Hdf5Dataset;

/// An object of the file and the path that leads to it.
struct Place {
  std::uint64_t object = 0;
  std::string path;
};

/// Follows names, reading every group once.
class Tree {
 public:
  explicit Tree(const Hdf5& hdf5) : hdf5_(hdf5) {}

  [[nodiscard]] Place root() const { return {hdf5_.root(), ""}; }

  /// `path` is relative and may hold slashes; names in the file may hold backslashes in their place, as TensorFlow on
  /// Windows wrote them.
  [[nodiscard]] std::optional<Place> find(const Place& from, std::string_view path) {
    while (path.starts_with('/')) path.remove_prefix(1);
    if (path.empty()) return from;
    const std::map<std::string, std::optional<std::uint64_t>>& links = links_of(from.object);
    std::string name;
    for (std::size_t begin = 0; begin <= path.size();) {
      const std::size_t end = std::min(path.find('/', begin), path.size());
      name += (begin > 0 ? "\\" : "") + std::string(path.substr(begin, end - begin));
      if (const auto link = links.find(name); link != links.end()) {
        if (!link->second)
          throw UnsupportedError(
              fmt::format("'{}/{}' is a link to another place; expected the weights", from.path, printable(name)));
        if (auto found = find({*link->second, from.path + "/" + name}, path.substr(end))) return found;
      }
      begin = end + 1;
    }
    return std::nullopt;
  }

 private:
  const std::map<std::string, std::optional<std::uint64_t>>& links_of(std::uint64_t group) {
    const auto [at, is_new] = links_.try_emplace(group);
    if (is_new)
      for (container::Hdf5Link& link : hdf5_.links(group)) at->second.emplace(std::move(link.name), link.target);
    return at->second;
  }

  const Hdf5& hdf5_;
  std::map<std::uint64_t, std::map<std::string, std::optional<std::uint64_t>>> links_;
};

/// A list of names that may have been split into name0, name1, ...: an attribute holds 64 KiB.
std::optional<std::vector<std::string>> names_in(const Hdf5& hdf5, std::uint64_t group, const std::string& attribute) {
  if (auto names = hdf5.texts(group, attribute)) return names;
  std::optional<std::vector<std::string>> all;
  for (std::size_t i = 0;; ++i) {
    auto names = hdf5.texts(group, attribute + std::to_string(i));
    if (!names) return all;
    if (!all) all.emplace();
    all->insert(all->end(), names->begin(), names->end());
  }
}

std::vector<std::int64_t> row_major(const Shape& shape) {
  std::vector<std::int64_t> strides;
  for (std::size_t axis = 0; axis < shape.rank(); ++axis) strides.push_back(shape.elements_from(axis + 1));
  return strides;
}

/// Layers that Keras keeps under one name: a layer, or all of a model inside the model.
struct Group {
  std::string name;
  std::vector<std::size_t> layers;
};

using Slot = std::pair<std::size_t, std::string>;  // layer, role

class Binder {
 public:
  Binder(const WeightsFile& file, const Architecture& architecture, const std::vector<Roles>& roles)
      : file_(file), tree_(*file.hdf5), architecture_(architecture), roles_(roles) {
    weights_.layers.resize(architecture.layers.size());
    order_.resize(architecture.layers.size());
    std::iota(order_.begin(), order_.end(), std::size_t{0});
    std::stable_sort(order_.begin(), order_.end(), [&](std::size_t a, std::size_t b) {
      return architecture.layers[a].position < architecture.layers[b].position;
    });
  }

  Weights by_layer_names(const std::string& path) {
    const Place weights = at(tree_.root(), path);
    std::vector<std::pair<std::string, std::vector<std::string>>> stored;
    const std::optional<std::vector<std::string>> listed = names_in(*file_.hdf5, weights.object, "layer_names");
    for (const std::string& name : listed.value_or(std::vector<std::string>{})) {
      auto names = names_in(*file_.hdf5, at(weights, name).object, "weight_names");
      if (names && !names->empty()) stored.emplace_back(name, std::move(*names));
    }
    const std::vector<Group> groups = groups_with_weights();
    if (stored.size() != groups.size())
      throw FormatError(
          fmt::format("has weights for {} layers; the architecture has {} with weights", stored.size(), groups.size()));
    // Keras itself goes by the order; names that are all the same say where a layer was moved.
    std::map<std::string_view, std::size_t> by_name;
    for (std::size_t i = 0; i < stored.size(); ++i) by_name.emplace(stored[i].first, i);
    const bool same = std::all_of(groups.begin(), groups.end(),
                                  [&by_name](const Group& group) { return by_name.contains(group.name); });
    for (std::size_t i = 0; i < groups.size(); ++i) {
      const auto& [name, weight_names] = stored[same ? by_name.at(groups[i].name) : i];
      const std::vector<Slot> slots = slots_of(groups[i], weight_names);
      if (slots.size() != weight_names.size())
        throw FormatError(fmt::format("layer '{}' has {} weights; expected {}", printable(groups[i].name),
                                      weight_names.size(), slots.size()));
      const Place group = at(weights, name);
      for (std::size_t k = 0; k < slots.size(); ++k) add(slots[k], at(group, weight_names[k]));
    }
    return std::move(weights_);
  }

  Weights by_place() {
    constexpr std::string_view kLayers = "layers/", kOldLayers = "_layer_checkpoint_dependencies/";
    for (const std::size_t layer : order_) {
      const std::string& place = architecture_.layers[layer].place;
      for (std::size_t i = 0; i < roles_[layer].names.size(); ++i) {
        const std::string path = fmt::format("{}/vars/{}", place, i);
        auto found = tree_.find(tree_.root(), path);
        if (!found) found = tree_.find(tree_.root(), std::string(kOldLayers) + path.substr(kLayers.size()));
        if (!found)
          throw FormatError(fmt::format("layer '{}' has no weights at '{}'",
                                        printable(architecture_.layers[layer].name), printable(path)));
        add({layer, roles_[layer].names[i]}, *found);
      }
    }
    return std::move(weights_);
  }

  std::vector<NamedTensor> listed(const std::string& path) {
    const Place weights = at(tree_.root(), path);
    const auto layers = names_in(*file_.hdf5, weights.object, "layer_names");
    for (const std::string& layer : layers.value_or(std::vector<std::string>{})) {
      const Place group = at(weights, layer);
      const auto names = names_in(*file_.hdf5, group.object, "weight_names");
      for (const std::string& name : names.value_or(std::vector<std::string>{})) read(at(group, name));
    }
    return std::move(weights_.tensors);
  }

 private:
  [[nodiscard]] Place at(const Place& from, const std::string& path) {
    const std::optional<Place> found = tree_.find(from, path);
    if (!found) throw FormatError(fmt::format("there is no '{}/{}'", printable(from.path), printable(path)));
    return *found;
  }

  /// Index of the tensor.
  std::size_t read(const Place& place) {
    try {
      // Many names may lead to the same values: together they must not take more than a few times the file.
      const Hdf5Dataset dataset = file_.hdf5->dataset(place.object);
      const auto [known, is_new] = read_.try_emplace(place.path, weights_.tensors.size());
      if (!is_new) return known->second;
      if (!seen_.insert(dataset.offset).second && dataset.shape.elements() > 0)
        throw FormatError("lies where another weight lies");
      std::optional<Origin> origin;
      std::optional<std::uint64_t> in_chunks;
      if (dataset.in_chunks && file_.in_place) in_chunks = dataset.object;
      if (file_.in_place && !dataset.in_chunks)
        origin = Origin{file_.offset + dataset.offset, dataset.dtype, row_major(dataset.shape)};
      weights_.tensors.push_back({place.path, file_.hdf5->values(dataset), std::move(origin), {}, in_chunks});
      return weights_.tensors.size() - 1;
    } catch (const Error&) {
      rethrow_at(fmt::format("weight '{}'", printable(place.path)));
    }
  }

  void add(const Slot& slot, const Place& place) { weights_.layers[slot.first][slot.second] = read(place); }

  [[nodiscard]] std::vector<Group> groups_with_weights() const {
    std::vector<Group> groups;
    for (const std::size_t layer : order_) {
      if (roles_[layer].names.empty()) continue;
      const std::string& name = architecture_.layers[layer].name;
      // A name may hold slashes of its own, so only a layer inside a model is cut.
      const bool inside = architecture_.layers[layer].position.size() > 1;
      std::string own = inside ? name.substr(0, name.find('/')) : name;
      if (groups.empty() || groups.back().name != own) groups.push_back({std::move(own), {}});
      groups.back().layers.push_back(layer);
    }
    return groups;
  }

  /// Which weight of which layer each name is.
  [[nodiscard]] std::vector<Slot> slots_of(const Group& group, const std::vector<std::string>& names) const {
    std::vector<Slot> slots;
    const bool inner = architecture_.layers[group.layers[0]].position.size() > 1;
    if (inner && match_by_name(group, names, slots)) return slots;
    // What trains comes first, then what does not: of a frozen layer everything.
    slots.clear();
    for (const bool training : {true, false})
      for (const std::size_t layer : group.layers) {
        const Roles& roles = roles_[layer];
        const std::size_t first = architecture_.layers[layer].trainable || !inner ? roles.trainable : 0;
        for (std::size_t i = training ? 0 : first; i < (training ? first : roles.names.size()); ++i)
          slots.emplace_back(layer, roles.names[i]);
      }
    return slots;
  }

  /// By the last two parts of `conv_pw_1_bn/gamma:0`. False if a name is unknown, or stands for two.
  [[nodiscard]] bool match_by_name(const Group& group, const std::vector<std::string>& names,
                                   std::vector<Slot>& slots) const {
    std::map<std::string, Slot> by_name;
    for (const std::size_t layer : group.layers) {
      const std::string& full = architecture_.layers[layer].name;
      const std::string own = full.substr(full.rfind('/') + 1);
      for (const std::string& role : roles_[layer].names) {
        if (!by_name.emplace(fmt::format("{}/{}", own, role), Slot{layer, role}).second) return false;
        if (role == "depthwise_kernel") by_name.emplace(own + "/kernel", Slot{layer, role});  // in Keras 3
      }
    }
    std::map<Slot, bool> taken;
    for (const std::string& name : names) {
      const std::string plain = name.substr(0, name.find(':'));
      const std::size_t role = plain.rfind('/');
      if (role == std::string::npos || role == 0) return false;
      const std::size_t layer = plain.rfind('/', role - 1);
      const auto at = by_name.find(layer == std::string::npos ? plain : plain.substr(layer + 1));
      if (at == by_name.end() || !taken.emplace(at->second, true).second) return false;
      slots.push_back(at->second);
    }
    return true;
  }

  const WeightsFile& file_;
  Tree tree_;
  const Architecture& architecture_;
  const std::vector<Roles>& roles_;
  std::vector<std::size_t> order_;
  std::map<std::string, std::size_t> read_;
  std::set<std::uint64_t> seen_;
  Weights weights_;
};

}  // namespace

bool has_layer_names(const Hdf5& hdf5, std::uint64_t group) { return names_in(hdf5, group, "layer_names").has_value(); }

Weights bind_by_layer_names(const WeightsFile& file, const std::string& path, const Architecture& architecture,
                            const std::vector<Roles>& roles) {
  return Binder(file, architecture, roles).by_layer_names(path);
}

Weights bind_by_place(const WeightsFile& file, const Architecture& architecture, const std::vector<Roles>& roles) {
  return Binder(file, architecture, roles).by_place();
}

std::vector<NamedTensor> listed_weights(const WeightsFile& file, const std::string& path) {
  return Binder(file, {}, {}).listed(path);
}

}  // namespace shiftnorm::formats::keras
