#include "pickle_heap.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "shiftnorm/core/error.hpp"
#include "shiftnorm/core/text.hpp"

namespace shiftnorm::formats::pickle {
namespace {

constexpr std::size_t kMaxValues = std::size_t{1} << 20U;
constexpr std::size_t kMaxReferences = std::size_t{1} << 22U;
constexpr std::size_t kMaxKey = 4096;

// In the order of Value.
constexpr std::array<std::string_view, 13> kTypeNames{
    "None",   "an opaque object", "a boolean", "an integer", "a number",  "text",    "a sequence",
    "a dict", "a name",           "a class",   "an object",  "a storage", "a tensor"};
static_assert(std::variant_size_v<Value> == kTypeNames.size());

template <class T>
const T& expect(const Heap& heap, Id id, const char* what, std::string_view expected) {
  const T* value = heap.get<T>(id);
  if (value == nullptr)
    throw FormatError(fmt::format("pickle: {} is {}; expected {}", what, kTypeNames[heap.at(id).index()], expected));
  return *value;
}

std::string element_text(const ElementType& type) {
  return type.dtype ? std::string(name_of(*type.dtype)) : printable(type.name);
}

}  // namespace

Heap::Heap() : values_{NoneValue{}, true, false, Sequence{}, Opaque{}} {
  for (std::int64_t i = 0; i < 256; ++i) values_.emplace_back(i);
}

void Heap::count_references(std::size_t count) {
  if (count > kMaxReferences - references_)
    throw FormatError(fmt::format("pickle: makes more than {} references", kMaxReferences));
  references_ += count;
}

Id Heap::add(Value value) {
  if (values_.size() >= kMaxValues) throw FormatError(fmt::format("pickle: builds more than {} values", kMaxValues));
  values_.push_back(std::move(value));
  return static_cast<Id>(values_.size() - 1);
}

Id Heap::add_object(Id type, Id arguments) {
  const std::vector<Id>& given = sequence(arguments, "the argument list");
  count_references(given.size());
  const bool numbers = std::any_of(given.begin(), given.end(), [this](Id id) {
    return get<TensorRef>(id) != nullptr || get<StorageView>(id) != nullptr;
  });
  return add(Object{.type = type, .arguments = arguments, .tensor = numbers});
}

Id Heap::add_tensor(Tensor tensor) {
  count_references(tensor.sizes.size() + tensor.strides.size());
  tensors_.push_back(std::move(tensor));
  return add(TensorRef{static_cast<std::uint32_t>(tensors_.size() - 1)});
}

Id Heap::add_storage_view(Storage storage, std::optional<std::pair<std::int64_t, std::int64_t>> view) {
  if (storage.key.size() > kMaxKey)
    throw FormatError(fmt::format("pickle: the key of a storage has {} bytes", storage.key.size()));
  if (storage.elements < 0)
    throw FormatError(fmt::format("pickle: storage '{}' has {} elements", printable(storage.key), storage.elements));
  const auto [offset, size] = view.value_or(std::pair{std::int64_t{0}, storage.elements});
  if (offset < 0 || size < 0 || offset > storage.elements || size > storage.elements - offset)
    throw FormatError(fmt::format("pickle: a view of {} elements at {} leaves storage '{}' of {}", size, offset,
                                  printable(storage.key), storage.elements));
  const auto [at, is_new] = storage_of_key_.try_emplace(storage.key, static_cast<std::uint32_t>(storages_.size()));
  if (is_new) {
    storages_.push_back(std::move(storage));
  } else {
    const Storage& known = storages_[at->second];
    if (known.type != storage.type || known.elements != storage.elements)
      throw FormatError(fmt::format("pickle: storage '{}' is {} {} and {} {}; expected one of them",
                                    printable(storage.key), known.elements, element_text(known.type), storage.elements,
                                    element_text(storage.type)));
  }
  return add(StorageView{at->second, offset, size});
}

std::int64_t Heap::integer(Id id, const char* what) const {
  return expect<std::int64_t>(*this, id, what, "an integer");
}
const std::string& Heap::text(Id id, const char* what) const { return expect<std::string>(*this, id, what, "text"); }
const std::vector<Id>& Heap::sequence(Id id, const char* what) const {
  return expect<Sequence>(*this, id, what, "a sequence").items;
}

std::vector<std::int64_t> Heap::integers(Id id, const char* what) const {
  constexpr std::size_t kMaxRank = 64;  // PyTorch's own
  const std::vector<Id>& items = sequence(id, what);
  if (items.size() > kMaxRank)
    throw FormatError(fmt::format("pickle: {} has {} numbers; expected at most {}", what, items.size(), kMaxRank));
  std::vector<std::int64_t> numbers;
  numbers.reserve(items.size());
  for (const Id item : items) numbers.push_back(integer(item, what));
  return numbers;
}

std::optional<Id> Heap::find_id(const Dict& dict, std::string_view key) const {
  for (auto item = dict.items.rbegin(); item != dict.items.rend(); ++item) {
    const auto* name = get<std::string>(item->first);
    if (name != nullptr && *name == key) return item->second;
  }
  return std::nullopt;
}

const Value* Heap::find(const Dict& dict, std::string_view key) const {
  const std::optional<Id> id = find_id(dict, key);
  return id ? &at(*id) : nullptr;
}

const Dict* Heap::dict(Id id) const {
  const auto* object = get<Object>(id);
  return get<Dict>(object == nullptr ? id : object->items);
}

// Classes with __slots__ have a pair: the attributes as usual, and those in slots.
const Dict* Heap::attributes(Id id) const {
  const auto* object = get<Object>(id);
  if (object == nullptr) return nullptr;
  const auto* pair = get<Sequence>(object->state);
  return get<Dict>(pair != nullptr && pair->items.size() == 2 ? pair->items[0] : object->state);
}

std::size_t Heap::extent(Id id) const {
  if (const auto* dict = get<Dict>(id)) return dict->items.size();
  const auto* sequence = get<Sequence>(id);
  return sequence == nullptr ? 0 : sequence->items.size();
}

std::string_view Heap::first_unknown_class() const {
  for (const Value& value : values_)
    if (const auto* type = std::get_if<ClassName>(&value)) return type->name;
  return {};
}

}  // namespace shiftnorm::formats::pickle
