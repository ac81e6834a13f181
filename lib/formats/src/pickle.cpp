#include "pickle.hpp"

#include <fmt/format.h>

#include <array>
#include <bit>
#include <span>
#include <string_view>
#include <unordered_map>

#include "module_tree.hpp"
#include "pickle_names.hpp"
#include "shiftnorm/core/error.hpp"

// Source: CPython's Lib/pickletools.py, which describes every opcode, its argument and its effect on the stack.
namespace shiftnorm::formats::pickle {
namespace {

constexpr std::uint64_t kMaxText = std::uint64_t{1} << 24U;

class Machine {
 public:
  Machine(container::ByteReader& reader, const LoadPersistent& load) : reader_(reader), load_(load) {}
  Pickled run();

  // One function per kind of effect; the table below says which opcode has which.
  void proto() {
    if (const unsigned version = reader_.u8(); version > 5)
      throw UnsupportedError(fmt::format("pickle protocol {}; supported are 2 to 5", version));
  }
  void frame() {
    if (const std::uint64_t size = reader_.u64(); size > reader_.left())
      throw FormatError(
          fmt::format("pickle: frame of {} bytes; {} are left: the file is truncated", size, reader_.left()));
  }
  void stop() { done_ = true; }
  void mark();
  void pop() { at_mark() ? static_cast<void>(take_mark()) : static_cast<void>(take()); }
  void pop_mark() { stack_.resize(take_mark()); }
  void dup() { push(top()); }

  void none() { push(Heap::kNoneId); }
  void new_true() { push(Heap::kTrueId); }
  void new_false() { push(Heap::kFalseId); }
  void binint() { push_new(std::int64_t{std::bit_cast<std::int32_t>(reader_.u32())}); }
  void binint1() { push(Heap::kFirstIntegerId + reader_.u8()); }
  void binint2() { push_new(std::int64_t{reader_.u16()}); }
  void long1() { push_long(reader_.u8()); }
  void long4() { push_long(reader_.u32()); }
  void binfloat();
  void text1() { push_text(reader_.u8()); }
  void text4() { push_text(reader_.u32()); }
  void text8() { push_text(reader_.u64()); }
  void bytes1() { skip_bytes(reader_.u8()); }
  void bytes4() { skip_bytes(reader_.u32()); }
  void bytes8() { skip_bytes(reader_.u64()); }

  void empty_tuple() { push(Heap::kEmptyTupleId); }
  void tuple() { push_tuple(stack_.size() - take_mark()); }
  void tuple1() { push_tuple(1); }
  void tuple2() { push_tuple(2); }
  void tuple3() { push_tuple(3); }
  void empty_list() { push_new(Sequence{{}, true}); }
  void empty_dict() { push_new(Dict{}); }
  void append() { extend(1); }
  void appends() { extend(stack_.size() - take_mark()); }
  void setitem() { set_items(2); }
  void setitems() { set_items(stack_.size() - take_mark()); }
  void frozenset();

  void put1() { put(reader_.u8()); }
  void put4() { put(reader_.u32()); }
  void memoize() { put(static_cast<std::uint32_t>(memo_.size())); }
  void get1() { push_memo(reader_.u8()); }
  void get4() { push_memo(reader_.u32()); }

  void global();
  void stack_global();
  void reduce();
  void newobj_ex();
  void build();
  void persistent() { push(load_(result_.heap, take())); }

 private:
  struct Opcode {
    std::uint8_t code;
    std::string_view name;  // pickletools'
    void (Machine::*run)();
  };
  static const Opcode* find(std::uint8_t code);

  [[nodiscard]] bool at_mark() const { return !marks_.empty() && marks_.back() == stack_.size(); }
  void need(std::size_t count) const {
    const std::size_t floor = marks_.empty() ? 0 : marks_.back();
    if (stack_.size() - floor < count) throw FormatError("pickle: pops more values than there are");
  }
  Id top() const {
    need(1);
    return stack_.back();
  }
  Id take() {
    const Id id = top();
    stack_.pop_back();
    return id;
  }
  std::size_t take_mark() {
    if (marks_.empty()) throw FormatError("pickle: pops more marks than there are");
    const std::size_t at = marks_.back();
    marks_.pop_back();
    return at;
  }
  std::span<const Id> last(std::size_t count) const {
    need(count);
    return std::span(stack_).last(count);
  }
  void drop(std::size_t count) { stack_.resize(stack_.size() - count); }

  void push(Id id) {
    result_.heap.count_references(1);
    stack_.push_back(id);
  }
  void put(std::uint32_t key) {
    const Id id = top();
    result_.heap.count_references(1);
    memo_[key] = id;
  }
  void push_new(Value value) { push(result_.heap.add(std::move(value))); }
  void push_memo(std::uint32_t key) {
    const auto at = memo_.find(key);
    if (at == memo_.end()) throw FormatError(fmt::format("pickle: memo {} was never written", key));
    push(at->second);
  }
  void push_name(std::string_view module, std::string_view name);
  void push_long(std::uint64_t size);
  void push_text(std::uint64_t size) {
    if (size > kMaxText)
      throw FormatError(fmt::format("pickle: text of {} bytes; expected at most {}", size, kMaxText));
    push_new(std::string(reader_.take_text(size)));
  }
  // No reader needs the content of a byte string.
  void skip_bytes(std::uint64_t size) {
    reader_.skip(size);
    push(Heap::kOpaqueId);
  }
  void push_tuple(std::size_t count);
  /// The list or dict below the last `count` values, or that of the object there; nullptr: it is neither.
  template <class Container>
  Container* container_below(std::size_t count, Id Object::*of_object);
  void extend(std::size_t count);
  void set_items(std::size_t count);

  container::ByteReader& reader_;
  const LoadPersistent& load_;
  Pickled result_;
  std::vector<Id> stack_;
  std::vector<std::size_t> marks_;
  std::unordered_map<std::uint32_t, Id> memo_;
  bool done_ = false;
};

const Machine::Opcode* Machine::find(std::uint8_t code) {
  static constexpr std::array kOpcodes{
      Opcode{0x80, "PROTO", &Machine::proto},
      Opcode{0x95, "FRAME", &Machine::frame},
      Opcode{'.', "STOP", &Machine::stop},
      Opcode{'(', "MARK", &Machine::mark},
      Opcode{'0', "POP", &Machine::pop},
      Opcode{'1', "POP_MARK", &Machine::pop_mark},
      Opcode{'2', "DUP", &Machine::dup},
      Opcode{'N', "NONE", &Machine::none},
      Opcode{0x88, "NEWTRUE", &Machine::new_true},
      Opcode{0x89, "NEWFALSE", &Machine::new_false},
      Opcode{'J', "BININT", &Machine::binint},
      Opcode{'K', "BININT1", &Machine::binint1},
      Opcode{'M', "BININT2", &Machine::binint2},
      Opcode{0x8a, "LONG1", &Machine::long1},
      Opcode{0x8b, "LONG4", &Machine::long4},
      Opcode{'G', "BINFLOAT", &Machine::binfloat},
      Opcode{'U', "SHORT_BINSTRING", &Machine::text1},
      Opcode{'T', "BINSTRING", &Machine::text4},
      Opcode{0x8c, "SHORT_BINUNICODE", &Machine::text1},
      Opcode{'X', "BINUNICODE", &Machine::text4},
      Opcode{0x8d, "BINUNICODE8", &Machine::text8},
      Opcode{'C', "SHORT_BINBYTES", &Machine::bytes1},
      Opcode{'B', "BINBYTES", &Machine::bytes4},
      Opcode{0x8e, "BINBYTES8", &Machine::bytes8},
      Opcode{0x96, "BYTEARRAY8", &Machine::bytes8},
      Opcode{')', "EMPTY_TUPLE", &Machine::empty_tuple},
      Opcode{'t', "TUPLE", &Machine::tuple},
      Opcode{0x85, "TUPLE1", &Machine::tuple1},
      Opcode{0x86, "TUPLE2", &Machine::tuple2},
      Opcode{0x87, "TUPLE3", &Machine::tuple3},
      Opcode{']', "EMPTY_LIST", &Machine::empty_list},
      Opcode{'}', "EMPTY_DICT", &Machine::empty_dict},
      Opcode{0x8f, "EMPTY_SET", &Machine::empty_list},
      Opcode{'a', "APPEND", &Machine::append},
      Opcode{'e', "APPENDS", &Machine::appends},
      Opcode{0x90, "ADDITEMS", &Machine::appends},
      Opcode{'s', "SETITEM", &Machine::setitem},
      Opcode{'u', "SETITEMS", &Machine::setitems},
      Opcode{0x91, "FROZENSET", &Machine::frozenset},
      Opcode{'q', "BINPUT", &Machine::put1},
      Opcode{'r', "LONG_BINPUT", &Machine::put4},
      Opcode{0x94, "MEMOIZE", &Machine::memoize},
      Opcode{'h', "BINGET", &Machine::get1},
      Opcode{'j', "LONG_BINGET", &Machine::get4},
      Opcode{'c', "GLOBAL", &Machine::global},
      Opcode{0x93, "STACK_GLOBAL", &Machine::stack_global},
      Opcode{'R', "REDUCE", &Machine::reduce},
      Opcode{0x81, "NEWOBJ", &Machine::reduce},
      Opcode{0x92, "NEWOBJ_EX", &Machine::newobj_ex},
      Opcode{'b', "BUILD", &Machine::build},
      Opcode{'Q', "BINPERSID", &Machine::persistent},
  };
  static const std::array kByCode = [] {
    std::array<const Opcode*, 256> by_code{};
    for (const Opcode& opcode : kOpcodes) by_code[opcode.code] = &opcode;
    return by_code;
  }();
  return kByCode[code];
}

Pickled Machine::run() {
  while (!done_) {
    const std::uint64_t at = reader_.position();
    const std::uint8_t code = reader_.u8();
    const Opcode* opcode = find(code);
    if (opcode == nullptr) {
      if (const std::string_view name = result_.heap.first_unknown_class(); !name.empty()) refuse_name(name);
      throw FormatError(fmt::format("pickle: opcode {:#04x} at byte {} is not one of those that are read", code, at));
    }
    (this->*opcode->run)();
  }
  result_.root = take();
  return std::move(result_);
}

void Machine::mark() {
  result_.heap.count_references(1);
  marks_.push_back(stack_.size());
}

void Machine::binfloat() {
  std::uint64_t bits = 0;
  for (int i = 0; i < 8; ++i) bits = bits << 8U | reader_.u8();  // the one big-endian number of the format
  push_new(std::bit_cast<double>(bits));
}

void Machine::push_long(std::uint64_t size) {
  const std::span<const std::byte> raw = reader_.take(size);
  if (size > 8) return push(Heap::kOpaqueId);
  std::uint64_t bits = size > 0 && (raw.back() & std::byte{0x80}) != std::byte{0} ? ~std::uint64_t{0} : 0;
  for (std::size_t i = raw.size(); i-- > 0;) bits = bits << 8U | std::to_integer<std::uint64_t>(raw[i]);
  push_new(std::bit_cast<std::int64_t>(bits));
}

void Machine::push_tuple(std::size_t count) {
  const std::span<const Id> items = last(count);
  const Id id = count == 0 ? Heap::kEmptyTupleId : result_.heap.add(Sequence{{items.begin(), items.end()}, false});
  drop(count);
  push(id);
}

void Machine::frozenset() { tuple(); }

template <class Container>
Container* Machine::container_below(std::size_t count, Id Object::*of_object) {
  need(count + 1);
  Value& target = result_.heap.at(stack_[stack_.size() - count - 1]);
  auto* object = std::get_if<Object>(&target);
  if (object == nullptr) return std::get_if<Container>(&target);
  Id& id = object->*of_object;
  if (id == Heap::kNoneId) id = result_.heap.add(Container{});
  return std::get_if<Container>(&result_.heap.at(id));
}

void Machine::extend(std::size_t count) {
  const std::span<const Id> items = last(count);
  auto* list = container_below<Sequence>(count, &Object::elements);
  const bool object = result_.heap.get<Object>(stack_[stack_.size() - count - 1]) != nullptr;
  if (list == nullptr || !(list->growable || object))
    throw FormatError("pickle: appends to something that is not a list");
  list->items.insert(list->items.end(), items.begin(), items.end());
  drop(count);
}

void Machine::set_items(std::size_t count) {
  const std::span<const Id> items = last(count);
  auto* dict = container_below<Dict>(count, &Object::items);
  if (dict == nullptr) throw FormatError("pickle: sets items of something that is not a dict");
  if (count % 2 != 0) throw FormatError("pickle: a key without a value");
  for (std::size_t i = 0; i < count; i += 2) dict->items.emplace_back(items[i], items[i + 1]);
  drop(count);
}

void Machine::global() {
  const std::string_view module = reader_.take_line();
  push_name(module, reader_.take_line());
}

// Two texts written once can be joined without end: classes' names are counted as what they take.
void Machine::push_name(std::string_view module, std::string_view name) {
  Value value = find_name(module, name);
  if (const auto* type = std::get_if<ClassName>(&value)) result_.heap.count_references(type->name.size());
  push_new(std::move(value));
}

void Machine::stack_global() {
  const Id name = take(), module = take();
  const Heap& heap = result_.heap;
  push_name(heap.text(module, "a module's name"), heap.text(name, "a name"));
}

// What a keyword is for nobody knows: where it holds numbers, they are found behind the arguments.
void Machine::newobj_ex() {
  const Id keywords = take(), arguments = take();
  const auto* dict = result_.heap.get<Dict>(keywords);
  if (dict == nullptr || dict->items.empty())
    push(arguments);
  else
    push_new(Sequence{{arguments, keywords}, false});
  reduce();
}

void Machine::reduce() {
  const Id arguments = take(), function = take();
  const std::vector<Id>& given = result_.heap.sequence(arguments, "the argument list");
  if (const auto* name = result_.heap.get<Name>(function)) return push(call_name(result_.heap, name->index, given));
  const Value& called = result_.heap.at(function);
  const bool inert = std::holds_alternative<ClassName>(called) || std::holds_alternative<Object>(called) ||
                     std::holds_alternative<Opaque>(called);
  if (!inert) throw FormatError("pickle: calls something that is not a known name");
  push(result_.heap.add_object(function, arguments));
}

// The state of what is not an object (an OrderedDict's _metadata, a NumPy scalar's) holds no weights; a dict's is kept
// for the names in it.
void Machine::build() {
  const Id state = take(), id = top();
  if (auto* dict = std::get_if<Dict>(&result_.heap.at(id))) dict->state = state;
  auto* object = std::get_if<Object>(&result_.heap.at(id));
  if (object == nullptr) return;
  object->state = state;
  // Looking at the attributes takes time that an opcode of one byte can ask for again; a pair of them may be shared
  // too.
  const Dict* attributes = result_.heap.attributes(id);
  result_.heap.count_references(1 + (attributes == nullptr ? result_.heap.extent(state) : attributes->items.size()));
  object->module = has_module_state(result_.heap, id);
}

}  // namespace

Pickled unpickle(container::ByteReader& reader, const LoadPersistent& load) { return Machine(reader, load).run(); }

}  // namespace shiftnorm::formats::pickle
