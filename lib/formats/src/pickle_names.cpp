#include "pickle_names.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>

#include "shiftnorm/core/error.hpp"
#include "shiftnorm/core/text.hpp"

// Source: PyTorch's torch/_utils.py (_rebuild_*) and torch/serialization.py (persistent_id).
namespace shiftnorm::formats::pickle {
namespace {

using Arguments = std::span<const Id>;

Id call_opaque(Heap& /*heap*/, Arguments /*arguments*/) { return Heap::kOpaqueId; }

/// dict(), OrderedDict(), OrderedDict([(k, v), ...]); defaultdict(factory) counts as empty.
Id call_dict(Heap& heap, Arguments arguments) {
  Dict dict;
  if (!arguments.empty() && heap.get<Sequence>(arguments[0]) != nullptr) {
    const std::vector<Id>& pairs = heap.get<Sequence>(arguments[0])->items;
    heap.count_references(pairs.size());
    for (const Id pair : pairs) {
      const std::vector<Id>& items = heap.sequence(pair, "an item of a dict");
      if (items.size() != 2)
        throw FormatError(fmt::format("pickle: an item of a dict has {} parts; expected 2", items.size()));
      dict.items.emplace_back(items[0], items[1]);
    }
  }
  return heap.add(std::move(dict));
}

/// list(), set(items), tuple(items), torch.Size(items)
Id call_sequence(Heap& heap, Arguments arguments) {
  Sequence sequence;
  if (!arguments.empty()) {
    const std::vector<Id>& items = heap.sequence(arguments[0], "the argument of a container");
    heap.count_references(items.size());
    sequence.items = items;
  }
  sequence.growable = true;
  return heap.add(std::move(sequence));
}

/// _rebuild_tensor(storage, offset, size, stride), _rebuild_tensor_v2(..., requires_grad, hooks[, metadata])
Id call_tensor(Heap& heap, Arguments arguments) {
  if (arguments.size() < 4)
    throw FormatError(fmt::format("pickle: a tensor of {} arguments; expected 4 or more", arguments.size()));
  const auto* storage = heap.get<StorageView>(arguments[0]);
  if (storage == nullptr) throw FormatError("pickle: a tensor without a storage");
  return heap.add_tensor({*storage, heap.integer(arguments[1], "a tensor's offset"),
                          heap.integers(arguments[2], "a tensor's size"),
                          heap.integers(arguments[3], "a tensor's stride")});
}

/// _rebuild_parameter(tensor, requires_grad, hooks[, state])
Id call_parameter(Heap& heap, Arguments arguments) {
  if (arguments.empty() || heap.get<TensorRef>(arguments[0]) == nullptr)
    throw FormatError("pickle: a parameter without a tensor");
  return arguments[0];
}

/// _rebuild_from_type_v2(function, type, arguments, state): a tensor with attributes.
Id call_from_type(Heap& heap, Arguments arguments);

/// restore_type_tag(value, type)
Id call_first(Heap& /*heap*/, Arguments arguments) {
  if (arguments.empty()) throw FormatError("pickle: a type tag without a value");
  return arguments[0];
}

Id call_class(Heap& /*heap*/, Arguments /*arguments*/) {
  throw FormatError("pickle: calls a type that only names what a storage or tensor holds");
}

struct KnownName {
  std::string_view module, name;
  Id (*call)(Heap&, Arguments);
  std::optional<DType> storage = std::nullopt;
};

constexpr std::array kNames{
    KnownName{"collections", "OrderedDict", call_dict},
    KnownName{"collections", "defaultdict", call_dict},
    KnownName{"builtins", "dict", call_dict},
    KnownName{"builtins", "list", call_sequence},
    KnownName{"builtins", "tuple", call_sequence},
    KnownName{"builtins", "set", call_sequence},
    KnownName{"builtins", "frozenset", call_sequence},
    KnownName{"builtins", "int", call_opaque},
    KnownName{"builtins", "float", call_opaque},
    KnownName{"builtins", "bool", call_opaque},
    KnownName{"builtins", "str", call_opaque},
    KnownName{"builtins", "bytearray", call_opaque},
    KnownName{"builtins", "complex", call_opaque},
    KnownName{"_codecs", "encode", call_opaque},
    KnownName{"argparse", "Namespace", call_opaque},
    KnownName{"numpy", "dtype", call_opaque},
    KnownName{"numpy", "ndarray", call_opaque},
    KnownName{"numpy.core.multiarray", "scalar", call_opaque},
    KnownName{"numpy.core.multiarray", "_reconstruct", call_opaque},
    KnownName{"numpy.core.numeric", "_frombuffer", call_opaque},
    KnownName{"numpy._core.numeric", "_frombuffer", call_opaque},
    KnownName{"numpy._core.multiarray", "scalar", call_opaque},
    KnownName{"numpy._core.multiarray", "_reconstruct", call_opaque},
    KnownName{"torch", "Size", call_sequence},
    KnownName{"torch", "device", call_opaque},
    KnownName{"torch._utils", "_rebuild_tensor", call_tensor},
    KnownName{"torch._utils", "_rebuild_tensor_v2", call_tensor},
    KnownName{"torch._utils", "_rebuild_parameter", call_parameter},
    KnownName{"torch._utils", "_rebuild_parameter_with_state", call_parameter},
    KnownName{"torch._tensor", "_rebuild_from_type_v2", call_from_type},
    KnownName{"torch", "Tensor", call_class},
    // torch 0.1 to 0.3 called these with the tensor.
    KnownName{"torch.nn.parameter", "Parameter", call_parameter},
    KnownName{"torch.nn.parameter", "Buffer", call_parameter},
    KnownName{"torch.autograd.variable", "Variable", call_parameter},
    // Attributes of modules that say nothing about their weights.
    KnownName{"functools", "partial", call_opaque},
    KnownName{"torch.nn.backends.thnn", "_get_thnn_function_backend", call_opaque},
    // TorchScript's lists.
    KnownName{"torch.jit._pickle", "build_intlist", call_sequence},
    KnownName{"torch.jit._pickle", "build_doublelist", call_sequence},
    KnownName{"torch.jit._pickle", "build_boollist", call_sequence},
    KnownName{"torch.jit._pickle", "build_tensorlist", call_sequence},
    KnownName{"torch.jit._pickle", "restore_type_tag", call_first},
    KnownName{"torch", "float64", call_class},
    KnownName{"torch", "float32", call_class},
    KnownName{"torch", "float16", call_class},
    KnownName{"torch", "bfloat16", call_class},
    KnownName{"torch", "int64", call_class},
    KnownName{"torch", "int32", call_class},
    KnownName{"torch", "int16", call_class},
    KnownName{"torch", "int8", call_class},
    KnownName{"torch", "uint8", call_class},
    KnownName{"torch", "bool", call_class},
    KnownName{"torch", "DoubleStorage", call_class, DType::f64},
    KnownName{"torch", "FloatStorage", call_class, DType::f32},
    KnownName{"torch", "HalfStorage", call_class, DType::f16},
    KnownName{"torch", "BFloat16Storage", call_class, DType::bf16},
    KnownName{"torch", "LongStorage", call_class, DType::i64},
    KnownName{"torch", "IntStorage", call_class, DType::i32},
    KnownName{"torch", "ShortStorage", call_class, DType::i16},
    KnownName{"torch", "CharStorage", call_class, DType::i8},
    KnownName{"torch", "ByteStorage", call_class, DType::u8},
    KnownName{"torch", "BoolStorage", call_class, DType::boolean},
};

Id call_from_type(Heap& heap, Arguments arguments) {
  if (arguments.size() < 3) throw FormatError("pickle: a tensor with attributes of fewer than 3 arguments");
  const auto* function = heap.get<Name>(arguments[0]);
  auto* const call = function != nullptr ? kNames[function->index].call : nullptr;
  if (call != call_tensor && call != call_parameter)
    throw FormatError("pickle: a tensor with attributes is not built from a tensor");
  return call(heap, heap.sequence(arguments[2], "the arguments of a tensor"));
}

/// Python 2 knew these modules by other names.
std::string_view modern(std::string_view module) { return module == "__builtin__" ? "builtins" : module; }

void refuse_tensors(std::string_view full) {
  if (full.starts_with("torch.") && full.ends_with("Storage"))
    throw UnsupportedError(fmt::format(
        "the elements of a '{}' are not supported; supported are real, integer and bool tensors", printable(full)));
  if (full.starts_with("torch._utils._rebuild_"))
    throw UnsupportedError(
        fmt::format("tensors made by '{}' are not supported; supported are dense ones", printable(full)));
}

}  // namespace

void refuse_name(std::string_view full_name) {
  throw FormatError(
      fmt::format("the pickle names '{}'; only tensors, containers and numbers are read", printable(full_name)));
}

Value find_name(std::string_view module, std::string_view name) {
  const auto* const at = std::find_if(
      kNames.begin(), kNames.end(),
      [module = modern(module), name](const KnownName& known) { return known.module == module && known.name == name; });
  if (at != kNames.end()) return Name{static_cast<std::size_t>(at - kNames.begin())};
  std::string full = fmt::format("{}.{}", module, name);
  refuse_tensors(full);
  if (modern(module) == "builtins") refuse_name(full);  // no network's class
  return ClassName{std::move(full)};
}

Id call_name(Heap& heap, std::size_t index, Arguments arguments) { return kNames[index].call(heap, arguments); }

DType storage_dtype(const Heap& heap, Id type) {
  const auto* name = heap.get<Name>(type);
  if (name == nullptr || !kNames[name->index].storage) throw FormatError("pickle: the type of a storage is none");
  return *kNames[name->index].storage;
}

Id load_persistent(Heap& heap, Id id) {
  const std::vector<Id>& parts = heap.sequence(id, "a persistent id");
  const std::string kind = parts.empty() ? "" : heap.text(parts[0], "the kind of a persistent id");
  if (kind == "module" && parts.size() == 4) return parts[1];
  if (kind != "storage" || parts.size() < 5 || parts.size() > 6)
    throw FormatError(
        fmt::format("pickle: a persistent id '{}' of {} parts; expected a storage", printable(kind), parts.size()));
  const DType dtype = storage_dtype(heap, parts[1]);
  Storage storage{heap.text(parts[2], "the key of a storage"), dtype,
                  heap.integer(parts[4], "the element count of a storage")};
  if (parts.size() == 5 || heap.get<NoneValue>(parts[5]) != nullptr)
    return heap.add_storage_view(std::move(storage), std::nullopt);
  const std::vector<Id>& view = heap.sequence(parts[5], "the view of a storage");
  if (view.size() != 3)
    throw FormatError(fmt::format("pickle: the view of a storage has {} parts; expected 3", view.size()));
  const std::pair range{heap.integer(view[1], "the offset of a view"), heap.integer(view[2], "the size of a view")};
  return heap.add_storage_view(std::move(storage), range);
}

}  // namespace shiftnorm::formats::pickle
