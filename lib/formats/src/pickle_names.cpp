#include "pickle_names.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>

#include "module_tree.hpp"
#include "shiftnorm/core/error.hpp"
#include "shiftnorm/core/text.hpp"

// Source: PyTorch's torch/_utils.py (_rebuild_*) and torch/serialization.py (persistent_id).
namespace shiftnorm::formats::pickle {
namespace {

using Arguments = std::span<const Id>;

Id call_opaque(Heap& /*heap*/, Arguments /*arguments*/) { return Heap::kOpaqueId; }

/// dict(), dict(other), OrderedDict(), OrderedDict([(k, v), ...]); defaultdict(factory) counts as empty.
Id call_dict(Heap& heap, Arguments arguments) {
  Dict dict;
  if (const Dict* other = arguments.empty() ? nullptr : heap.dict(arguments[0])) {
    heap.count_references(2 * other->items.size());
    dict = *other;
  } else if (!arguments.empty() && heap.get<Sequence>(arguments[0]) != nullptr) {
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

/// copyreg.__newobj__(class, *arguments): what the opcode NEWOBJ says.
Id call_newobj(Heap& heap, Arguments arguments) {
  if (arguments.empty()) throw FormatError("pickle: makes an object without a class");
  if (const auto* known = heap.get<Name>(arguments[0])) return call_name(heap, known->index, arguments.subspan(1));
  const Id given = heap.add(Sequence{{arguments.begin() + 1, arguments.end()}, false});
  return heap.add_object(arguments[0], given);
}

/// copyreg._reconstructor(class, base, state): an object whose base is a dict has its items in the state.
Id call_reconstructor(Heap& heap, Arguments arguments) {
  if (arguments.size() != 3)
    throw FormatError(fmt::format("pickle: makes an object of {} arguments; expected 3", arguments.size()));
  if (heap.get<Name>(arguments[0]) != nullptr) return arguments[2];
  heap.count_references(heap.extent(arguments[2]));
  const bool items = heap.get<Dict>(arguments[2]) != nullptr, elements = heap.get<Sequence>(arguments[2]) != nullptr;
  return heap.add(Object{.type = arguments[0],
                         .items = items ? arguments[2] : Heap::kNoneId,
                         .elements = elements ? arguments[2] : Heap::kNoneId});
}

/// torch.fx's reduce_graph_module(attributes, code): a module whose forward() is text.
Id call_graph_module(Heap& heap, Arguments arguments) {
  if (arguments.empty()) throw FormatError("pickle: a GraphModule without attributes");
  const Id type = heap.add(ClassName{"torch.fx.graph_module.GraphModule"});
  const Id id = heap.add(Object{.type = type, .state = arguments[0]});
  const Dict* attributes = heap.attributes(id);
  heap.count_references(1 + (attributes == nullptr ? heap.extent(arguments[0]) : attributes->items.size()));
  std::get<Object>(heap.at(id)).module = has_module_state(heap, id);
  return id;
}

/// Of the type of a storage: the size of an element, and its DType where we read such.
struct Stored {
  std::size_t bytes = 0;
  std::optional<DType> dtype = std::nullopt;
};

struct KnownName {
  std::string_view module, name;
  Id (*call)(Heap&, Arguments);
  std::optional<Stored> storage = std::nullopt;
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
    KnownName{"builtins", "long", call_opaque},  // Python 2's, by which Python 3 still writes int
    KnownName{"builtins", "float", call_opaque},
    KnownName{"builtins", "bool", call_opaque},
    KnownName{"builtins", "str", call_opaque},
    KnownName{"builtins", "bytearray", call_opaque},
    KnownName{"builtins", "complex", call_opaque},
    KnownName{"_codecs", "encode", call_opaque},
    KnownName{"copyreg", "__newobj__", call_newobj},
    KnownName{"copyreg", "__newobj_ex__", call_newobj},
    KnownName{"copyreg", "_reconstructor", call_reconstructor},
    KnownName{"numpy", "dtype", call_opaque},
    KnownName{"numpy.core.multiarray", "scalar", call_opaque},
    KnownName{"numpy._core.multiarray", "scalar", call_opaque},
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
    KnownName{"torch._utils", "_rebuild_device_tensor_from_cpu_tensor", call_parameter},
    KnownName{"torch.fx.graph_module", "reduce_graph_module", call_graph_module},
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
    KnownName{"torch", "DoubleStorage", call_class, Stored{8, DType::f64}},
    KnownName{"torch", "FloatStorage", call_class, Stored{4, DType::f32}},
    KnownName{"torch", "HalfStorage", call_class, Stored{2, DType::f16}},
    KnownName{"torch", "BFloat16Storage", call_class, Stored{2, DType::bf16}},
    KnownName{"torch", "LongStorage", call_class, Stored{8, DType::i64}},
    KnownName{"torch", "IntStorage", call_class, Stored{4, DType::i32}},
    KnownName{"torch", "ShortStorage", call_class, Stored{2, DType::i16}},
    KnownName{"torch", "CharStorage", call_class, Stored{1, DType::i8}},
    KnownName{"torch", "ByteStorage", call_class, Stored{1, DType::u8}},
    KnownName{"torch", "BoolStorage", call_class, Stored{1, DType::boolean}},
    // Walked over where they lie between others, never read.
    KnownName{"torch", "ComplexDoubleStorage", call_class, Stored{16}},
    KnownName{"torch", "ComplexFloatStorage", call_class, Stored{8}},
    KnownName{"torch", "QInt32Storage", call_class, Stored{4}},
    KnownName{"torch", "QInt8Storage", call_class, Stored{1}},
    KnownName{"torch", "QUInt8Storage", call_class, Stored{1}},
    KnownName{"torch", "QUInt4x2Storage", call_class, Stored{1}},
    KnownName{"torch", "QUInt2x4Storage", call_class, Stored{1}},
    KnownName{"torch", "UntypedStorage", call_class, Stored{1}},
    KnownName{"torch.storage", "UntypedStorage", call_class, Stored{1}},
    KnownName{"torch.storage", "_UntypedStorage", call_class, Stored{1}},
};

std::string full_name(const KnownName& known) { return fmt::format("{}.{}", known.module, known.name); }

// What a class of its own makes of the numbers nobody knows: they might be packed or scaled.
Id call_from_type(Heap& heap, Arguments arguments) {
  if (arguments.size() < 3) throw FormatError("pickle: a tensor with attributes of fewer than 3 arguments");
  for (const Id id : {arguments[1], arguments[0]}) {
    if (heap.get<ClassName>(id) == nullptr) continue;
    heap.count_references(heap.extent(arguments[2]));
    return heap.add(Object{.type = id, .arguments = arguments[2], .tensor = true});
  }
  const auto* function = heap.get<Name>(arguments[0]);
  auto* const call = function != nullptr ? kNames[function->index].call : nullptr;
  if (call != call_tensor && call != call_parameter)
    throw FormatError("pickle: a tensor with attributes is not built from a tensor");
  return call(heap, heap.sequence(arguments[2], "the arguments of a tensor"));
}

/// Python 2 knew these modules by other names.
std::string_view modern(std::string_view module) {
  if (module == "__builtin__") return "builtins";
  return module == "copy_reg" ? "copyreg" : module;
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
  return ClassName{fmt::format("{}.{}", module, name)};
}

Id call_name(Heap& heap, std::size_t index, Arguments arguments) { return kNames[index].call(heap, arguments); }

ElementType element_type(const Heap& heap, Id type) {
  if (const auto* unknown = heap.get<ClassName>(type); unknown != nullptr && unknown->name.ends_with("Storage"))
    return {unknown->name, std::nullopt, 0};
  const auto* name = heap.get<Name>(type);
  if (name == nullptr || !kNames[name->index].storage) throw FormatError("pickle: the type of a storage is none");
  const KnownName& known = kNames[name->index];
  return {full_name(known), known.storage->dtype, known.storage->bytes};
}

Id load_persistent(Heap& heap, Id id) {
  const std::vector<Id>& parts = heap.sequence(id, "a persistent id");
  const std::string kind = parts.empty() ? "" : heap.text(parts[0], "the kind of a persistent id");
  if (kind == "module" && parts.size() == 4) return parts[1];
  if (kind != "storage" || parts.size() < 5 || parts.size() > 6)
    throw FormatError(
        fmt::format("pickle: a persistent id '{}' of {} parts; expected a storage", printable(kind), parts.size()));
  ElementType type = element_type(heap, parts[1]);
  Storage storage{heap.text(parts[2], "the key of a storage"), std::move(type),
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
