#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <utility>
#include <variant>
#include <vector>

#include "shiftnorm/core/array.hpp"

namespace shiftnorm::formats::pickle {

/// Names one value of a heap. Values refer to each other by id: no depth of nesting costs stack, no cycle leaks.
using Id = std::uint32_t;

struct NoneValue {};
/// Something harmless whose content nobody needs: a NumPy scalar, a torch.device, an integer above 64 bits.
struct Opaque {};
struct Sequence {
  std::vector<Id> items;
  bool growable = false;  ///< lists and sets; tuples never change
};
/// Keys and values in the file's order; of a key given twice Python keeps the last value.
struct Dict {
  std::vector<std::pair<Id, Id>> items;
  Id state = 0;  ///< the attributes that an OrderedDict was given beside them: a dict, or None
};
/// A name that pickle_names.cpp knows, by its place there.
struct Name {
  std::size_t index = 0;
};
/// A class or function that no table knows. It stands for nothing but its name.
struct ClassName {
  std::string name;  ///< "torch.nn.modules.conv.Conv2d"
};
/// What such a class or function would make: inert, what it was given is looked at and none of its code exists here.
struct Object {
  Id type = 0;       ///< a ClassName, or an Object that was called in its turn
  Id arguments = 0;  ///< a sequence, or None
  Id state = 0;      ///< its attributes: a dict, or None before it is built
  // The classes' values are None's: a dict's subclass has items, a list's subclass elements.
  Id items = 0;         ///< a dict, or None
  Id elements = 0;      ///< a sequence, or None
  bool module = false;  ///< has what every torch.nn.Module or TorchScript object has (module_tree.hpp)
  bool tensor = false;  ///< of a class that derives from torch.Tensor, or made of a tensor or a storage
};
/// All or part of a storage, in elements.
struct StorageView {
  std::uint32_t storage = 0;  ///< place in Heap::storages
  std::int64_t offset = 0, size = 0;
};
struct TensorRef {
  std::uint32_t tensor = 0;  ///< place in Heap::tensors
};
using Value = std::variant<NoneValue, Opaque, bool, std::int64_t, double, std::string, Sequence, Dict, Name, ClassName,
                           Object, StorageView, TensorRef>;

/// What a storage's elements are. Those without a DType are counted and never read.
struct ElementType {
  std::string name;  ///< "torch.ComplexFloatStorage"
  std::optional<DType> dtype;
  std::size_t bytes = 0;  ///< of one; 0: nobody knows

  friend bool operator==(const ElementType&, const ElementType&) = default;
};

/// A block of numbers that lies outside the pickle.
struct Storage {
  std::string key;
  ElementType type;
  std::int64_t elements = 0;
};

/// A strided view of a storage, as the file claims it: not checked yet.
struct Tensor {
  StorageView storage;
  std::int64_t offset = 0;
  std::vector<std::int64_t> sizes, strides;
};

/// The values that one pickle builds: plain data, never more than 2^20 of them with 2^22 references between them.
/// References to a value stay good while others are added.
class Heap {
 public:
  static constexpr Id kNoneId = 0, kTrueId = 1, kFalseId = 2, kEmptyTupleId = 3, kOpaqueId = 4;
  static constexpr Id kFirstIntegerId = 5;  ///< of 0; those of 1 to 255 follow

  Heap();
  Id add(Value value);  ///< throws FormatError when the heap is full
  /// References are what an opcode of one byte can multiply; throws FormatError when there are too many.
  void count_references(std::size_t count);
  /// What calling an unknown class or function gives. Many may be made of the same arguments: these are counted too.
  Id add_object(Id type, Id arguments);
  Id add_tensor(Tensor tensor);
  Id add_storage_view(Storage storage, std::optional<std::pair<std::int64_t, std::int64_t>> view);

  [[nodiscard]] std::size_t size() const { return values_.size(); }
  [[nodiscard]] const Value& at(Id id) const { return values_[id]; }
  [[nodiscard]] Value& at(Id id) { return values_[id]; }
  [[nodiscard]] const std::vector<Storage>& storages() const { return storages_; }
  [[nodiscard]] const Tensor& tensor(TensorRef ref) const { return tensors_[ref.tensor]; }
  [[nodiscard]] const ElementType& element_type(TensorRef ref) const {
    return storages_[tensor(ref).storage.storage].type;
  }

  template <class T>
  [[nodiscard]] const T* get(Id id) const {
    return std::get_if<T>(&values_[id]);
  }
  /// Typed access; each throws FormatError naming `what` and the type found.
  [[nodiscard]] std::int64_t integer(Id id, const char* what) const;
  [[nodiscard]] const std::string& text(Id id, const char* what) const;
  [[nodiscard]] const std::vector<Id>& sequence(Id id, const char* what) const;
  [[nodiscard]] std::vector<std::int64_t> integers(Id id, const char* what) const;
  /// The value under a text key, or nullptr.
  [[nodiscard]] const Value* find(const Dict& dict, std::string_view key) const;
  [[nodiscard]] std::optional<Id> find_id(const Dict& dict, std::string_view key) const;
  /// The items of a dict or of an object whose class derives from one, or nullptr.
  [[nodiscard]] const Dict* dict(Id id) const;
  /// The attributes of an object, or nullptr if it is none or has none.
  [[nodiscard]] const Dict* attributes(Id id) const;
  /// How many values lie directly in a dict or a sequence; 0 for what is neither.
  [[nodiscard]] std::size_t extent(Id id) const;
  /// The first class that was named and that no table knows; empty: none.
  [[nodiscard]] std::string_view first_unknown_class() const;

 private:
  std::deque<Value> values_;
  std::vector<Storage> storages_;
  std::unordered_map<std::string, std::uint32_t> storage_of_key_;
  std::vector<Tensor> tensors_;
  std::size_t references_ = 0;
};

}  // namespace shiftnorm::formats::pickle
