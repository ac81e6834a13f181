#include "head.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <optional>

#include "shiftnorm/core/error.hpp"
#include "shiftnorm/core/parse.hpp"
#include "shiftnorm/core/text.hpp"

namespace shiftnorm::zoo {
namespace {

using graph::ValueId;

/// What people call a head that replaces one of another name.
constexpr std::array<std::string_view, 8> kHeadNames{"fc",   "linear", "classifier", "last_linear",
                                                     "head", "heads",  "output",     "logits"};

/// One module with tensors of its own.
struct Module {
  std::string path;  ///< behind the head's name; empty: the head itself
  std::map<std::string, Shape, std::less<>> tensors;

  [[nodiscard]] const Shape* find(std::string_view leaf) const {
    const auto at = tensors.find(leaf);
    return at == tensors.end() ? nullptr : &at->second;
  }
  [[nodiscard]] bool linear() const {
    const Shape* weight = find("weight");
    return weight != nullptr && weight->rank() == 2 && tensors.size() == (find("bias") != nullptr ? 2U : 1U);
  }
  [[nodiscard]] bool norm() const {
    const Shape* mean = find("running_mean");
    const bool affine = find("weight") != nullptr && find("bias") != nullptr;
    return mean != nullptr && mean->rank() == 1 && find("running_var") != nullptr &&
           tensors.size() == (affine ? 4U : 2U);
  }
};

std::string below(const std::string& head, const std::string& path) { return path.empty() ? head : head + "." + path; }

std::optional<std::int64_t> number(std::string_view part) {
  std::int64_t value = 0;
  return parse_whole(part, value) ? std::optional(value) : std::nullopt;
}

std::vector<std::string> parts_of(std::string_view path) {
  return path.empty() ? std::vector<std::string>() : split(path, '.');
}

/// Empty unless every part of the path is a number, as a Sequential's are.
std::optional<std::vector<std::int64_t>> numbers_of(std::string_view path) {
  std::vector<std::int64_t> numbers;
  for (const std::string& part : parts_of(path)) {
    const std::optional<std::int64_t> value = number(part);
    if (!value) return std::nullopt;
    numbers.push_back(*value);
  }
  return numbers;
}

std::vector<Module> modules_in(const HeldShapes& held, const std::string& head) {
  std::vector<Module> modules;
  std::map<std::string, std::size_t> place_of;
  for (const auto& [name, shape] : held.all()) {
    if (!name.starts_with(head + ".")) continue;
    const std::size_t dot = name.rfind('.');
    const std::string leaf = name.substr(dot + 1);
    if (leaf == "num_batches_tracked" || leaf == "total_ops" || leaf == "total_params") continue;
    const std::string path = dot > head.size() ? name.substr(head.size() + 1, dot - head.size() - 1) : std::string();
    const auto [at, is_new] = place_of.try_emplace(path, modules.size());
    if (is_new) modules.push_back({path, {}});
    modules[at->second].tensors.emplace(leaf, shape);
  }
  // Files may have sorted their names as texts; words stay in the file's order.
  if (std::all_of(modules.begin(), modules.end(), [](const Module& m) { return numbers_of(m.path).has_value(); }))
    std::stable_sort(modules.begin(), modules.end(),
                     [](const Module& a, const Module& b) { return *numbers_of(a.path) < *numbers_of(b.path); });
  return modules;
}

/// What may be between two layers that have tensors.
enum class Gap { none, some, unknown };

Gap between(const Module& a, const Module& b) {
  const std::vector<std::string> of_a = parts_of(a.path), of_b = parts_of(b.path);
  std::size_t i = 0;
  while (i < std::min(of_a.size(), of_b.size()) && of_a[i] == of_b[i]) ++i;
  if (i >= of_a.size() || i >= of_b.size()) return Gap::unknown;
  const auto left = number(of_a[i]), right = number(of_b[i]);
  // A Sequential inside of another may end with modules that have no tensors.
  if (!left || !right || i + 1 < of_a.size()) return Gap::unknown;
  const bool first = std::all_of(of_b.begin() + static_cast<std::ptrdiff_t>(i) + 1, of_b.end(),
                                 [](const std::string& part) { return part == "0"; });
  return *right == *left + 1 && first ? Gap::none : Gap::some;
}

/// Builds the file's head and describes it.
class FileHead {
 public:
  FileHead(graph::Graph& graph, const OwnHead& own, std::string name, std::vector<Module> modules)
      : graph_(graph), layers_(graph), own_(own), name_(std::move(name)), modules_(std::move(modules)) {}

  ValueId add(ValueId x, std::int64_t in) {
    for (std::size_t i = 0; i < modules_.size(); ++i) {
      const Module& module = modules_[i];
      if (i > 0) x = activated(x, modules_[i - 1], module);
      if (module.linear())
        x = linear(x, module, in);
      else if (module.norm())
        x = norm(x, module, in);
      else
        refuse(module);
    }
    return x;
  }

  /// Whether it is the architecture's own but for the number of classes.
  [[nodiscard]] bool own() const {
    if (name_ != own_.name || modules_.size() != own_.layers.size()) return false;
    for (std::size_t i = 0; i < modules_.size(); ++i) {
      const OwnHead::Linear& layer = own_.layers[i];
      if (modules_[i].path != layer.path || !modules_[i].linear()) return false;
      if (layer.outputs != 0 && (*modules_[i].find("weight"))[0] != layer.outputs) return false;
    }
    return true;
  }

  [[nodiscard]] std::string assumption() const {
    return fmt::format(
        "head '{}' is assumed to be {}: weights say nothing about activations, and dropout does nothing here",
        printable(name_), join(told_, 20));
  }

  /// What the file names behind the last layer with tensors, in one line; empty: nothing.
  [[nodiscard]] std::string untold(const std::vector<std::string>& modules) const {
    std::vector<std::string> rest;
    for (const std::string& module : modules) {
      if (module.starts_with(name_ + ".")) rest.push_back("'" + printable(module) + "'");
      if (!modules_.empty() && module == below(name_, modules_.back().path)) rest.clear();
    }
    if (rest.empty()) return {};
    return fmt::format(
        "head '{}': the file names {} after its last layer but not what it does (dropout, Sigmoid, Softmax ..): "
        "outputs are taken before it; the whole module, or --graph with the network as ONNX, would show what it is",
        printable(name_), join(rest, 4));
  }

  /// The layers as the file's own module describes them.
  ValueId add_told(const HeldChain& chain, ValueId x, std::int64_t in) {
    if (!modules_.empty() && modules_.front().linear())
      check(modules_.front(), (*modules_.front().find("weight"))[1], in);
    if (!modules_.empty() && modules_.front().norm())
      check(modules_.front(), (*modules_.front().find("running_mean"))[0], in);
    return chain.add(graph_, x);
  }

  /// In one line where it is not the architecture's own or ends in an activation; empty otherwise.
  [[nodiscard]] std::string told(const HeldChain& chain) const {
    std::vector<std::string> layers;
    bool activation = false;  // the last one
    for (const auto& [path, type] : chain.layers) {
      if (type == "Identity" || type == "Flatten" || type.ends_with("Dropout")) continue;
      activation =
          std::none_of(modules_.begin(), modules_.end(), [&, at = path](const Module& m) { return m.path == at; });
      layers.push_back(fmt::format("{} ({})", type, printable(below(name_, path))));
    }
    if (own() && !activation) return {};
    return fmt::format("head '{}' is {}, as the file's own module says", printable(name_), join(layers, 20));
  }

 private:
  [[noreturn]] void refuse(const Module& module) const {
    std::vector<std::string> leaves;
    for (const auto& [leaf, shape] : module.tensors)
      leaves.push_back(fmt::format("{} {}", printable(leaf), shape.text()));
    throw FormatError(fmt::format("head layer '{}' has {}; expected Linear (weight of two axes, bias) or BatchNorm1d",
                                  printable(below(name_, module.path)), join(leaves, 6)));
  }

  void check(const Module& module, std::int64_t takes, std::int64_t in) const {
    if (takes == in) return;
    throw FormatError(
        fmt::format("the file does not fit the architecture: head layer '{}' takes {} values and is given {}; expected "
                    "the architecture's features",
                    printable(below(name_, module.path)), takes, in));
  }

  ValueId linear(ValueId x, const Module& module, std::int64_t& in) {
    const Shape& weight = *module.find("weight");
    check(module, weight[1], in);
    const std::string name = below(name_, module.path);
    x = layers_.linear(name, x, in, weight[0], module.find("bias") != nullptr);
    told_.push_back(fmt::format("Linear {} to {} ({})", in, weight[0], printable(name)));
    in = weight[0];
    open_ = true;
    return x;
  }

  ValueId norm(ValueId x, const Module& module, std::int64_t in) {
    check(module, (*module.find("running_mean"))[0], in);
    const std::string name = below(name_, module.path);
    told_.push_back(fmt::format("BatchNorm1d ({})", printable(name)));
    return layers_.batch_norm(name, x, in);
  }

  /// An activation belongs behind each Linear, before or behind its BatchNorm.
  ValueId activated(ValueId x, const Module& last, const Module& next) {
    const Gap gap = between(last, next);
    const bool of_norm = gap == Gap::unknown && next.norm();  // Linear, BatchNorm, activation is the usual order
    if (!open_ || gap == Gap::none || of_norm) return x;
    open_ = false;
    const Activation activation = between_own(last, next) ? own_.between : Activation::relu;
    told_.push_back(activation == Activation::relu ? "ReLU (assumed)" : "the architecture's activation (assumed)");
    return layers_.activate(below(name_, last.path) + ".activation", x, activation);
  }

  /// Whether the two are where the architecture's own have its activation between them.
  [[nodiscard]] bool between_own(const Module& last, const Module& next) const {
    for (std::size_t i = 0; i + 1 < own_.layers.size(); ++i) {
      const OwnHead::Linear &a = own_.layers[i], &b = own_.layers[i + 1];
      const bool behind = next.path == b.path || next.path.starts_with(b.path + ".");
      if (name_ == own_.name && last.path == a.path && behind && last.linear() &&
          (*last.find("weight"))[0] == a.outputs)
        return true;
    }
    return false;
  }

  graph::Graph& graph_;
  Layers layers_;
  const OwnHead& own_;
  std::string name_;
  std::vector<Module> modules_;
  std::vector<std::string> told_;
  bool open_ = false;  ///< a Linear came, and no activation since
};

ValueId add_own(graph::Graph& graph, const OwnHead& own, ValueId x, std::int64_t in, const BuildOptions& options) {
  Layers layers(graph);
  for (std::size_t i = 0; i < own.layers.size(); ++i) {
    const OwnHead::Linear& layer = own.layers[i];
    const std::int64_t out = layer.outputs != 0 ? layer.outputs : given(options.classes, own.classes);
    if (i > 0) x = layers.activate(below(own.name, own.layers[i - 1].path) + ".activation", x, own.between);
    x = layers.linear(below(own.name, layer.path), x, in, out);
    in = out;
  }
  return x;
}

/// The own name where the file has something there, else another usual one; empty: the file has no head.
std::string head_in(const HeldShapes& held, const std::string& own) {
  const auto has = [&held](const std::string& head) {
    return std::any_of(held.all().begin(), held.all().end(),
                       [&head](const auto& tensor) { return tensor.first.starts_with(head + "."); });
  };
  if (has(own)) return own;
  std::vector<std::string> found;
  for (const std::string_view name : kHeadNames)
    if (has(std::string(name))) found.emplace_back(name);
  return found.size() == 1 ? found.front() : std::string();
}

}  // namespace

OwnHead one_layer(std::string name, std::int64_t classes, std::string path) {
  OwnHead head;
  head.name = std::move(name);
  head.classes = classes;
  head.layers = {{std::move(path), 0}};
  return head;
}

ValueId add_head(graph::Graph& graph, const OwnHead& own, ValueId x, std::int64_t in, const BuildOptions& options) {
  if (options.held == nullptr) return add_own(graph, own, x, in, options);
  BuildReport unread;
  BuildReport& report = options.report != nullptr ? *options.report : unread;
  const std::string name = head_in(*options.held, own.name);
  if (name.empty()) {
    report.features = true;
    report.own_head = false;
    graph.value(x).name = "features";
    return x;
  }
  FileHead head(graph, own, name, modules_in(*options.held, name));
  report.own_head = head.own();
  const HeldChain* chain = options.held->chain(name);
  x = chain != nullptr ? head.add_told(*chain, x, in) : head.add(x, in);
  const auto tell = [&report](std::string line) {
    if (!line.empty()) report.assumptions.push_back(std::move(line));
  };
  if (chain != nullptr) {
    tell(head.told(*chain));
    return x;
  }
  if (!report.own_head) tell(head.assumption());
  tell(head.untold(options.held->modules()));
  return x;
}

}  // namespace shiftnorm::zoo
