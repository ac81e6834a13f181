#include "pytorch_tensors.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <tuple>

#include "module_chains.hpp"
#include "module_graph.hpp"
#include "module_tree.hpp"
#include "opaque_values.hpp"
#include "shiftnorm/core/error.hpp"
#include "shiftnorm/core/text.hpp"
#include "state_dict.hpp"

namespace shiftnorm::formats {
namespace {

// Expanded (stride 0) and shared tensors take more room dense than in the file; no network's weights do so by much.
constexpr std::uint64_t kMaxUnfold = 4, kMaxUnfoldExtra = std::uint64_t{16} << 20U;

/// Throws unless every element lies inside the view of the storage.
void check_bounds(const pickle::Tensor& tensor, const Shape& shape) {
  const auto negative = [](std::int64_t stride) { return stride < 0; };
  if (tensor.strides.size() != shape.rank() || std::any_of(tensor.strides.begin(), tensor.strides.end(), negative))
    throw FormatError(fmt::format("strides [{}] for shape {}; expected one per axis, none negative",
                                  fmt::join(tensor.strides, ", "), shape.text()));
  if (tensor.offset < 0) throw FormatError(fmt::format("begins at element {} of its storage", tensor.offset));
  std::int64_t last = tensor.offset;
  bool overflow = false;
  for (std::size_t axis = 0; axis < shape.rank(); ++axis) {
    std::int64_t step = 0;
    if (shape.elements() == 0) continue;
    overflow = overflow || __builtin_mul_overflow(shape[axis] - 1, tensor.strides[axis], &step) ||
               __builtin_add_overflow(last, step, &last);
  }
  // `last` is an element that must exist, or where an empty view begins.
  const bool outside = shape.elements() == 0 ? last > tensor.storage.size : last >= tensor.storage.size;
  if (overflow || outside)
    throw FormatError(fmt::format("shape {} with strides [{}] from element {} leaves its storage of {} elements",
                                  shape.text(), fmt::join(tensor.strides, ", "), tensor.offset, tensor.storage.size));
}

bool is_row_major(const pickle::Tensor& tensor, const Shape& shape) {
  std::int64_t stride = 1;
  for (std::size_t axis = shape.rank(); axis-- > 0;) {
    if (shape[axis] != 1 && tensor.strides[axis] != stride) return false;
    stride *= shape[axis];
  }
  return true;
}

/// Copies the elements of a checked view in row-major order.
void gather(const pickle::Tensor& tensor, const Shape& shape, std::size_t width, const std::byte* first,
            std::span<std::byte> dst) {
  std::vector<std::int64_t> index(shape.rank(), 0);
  std::int64_t from = 0;
  for (std::size_t to = 0; to < dst.size(); to += width) {
    std::memcpy(dst.data() + to, first + from * static_cast<std::int64_t>(width), width);
    for (std::size_t axis = shape.rank(); axis-- > 0;) {
      if (shape[axis] == 1) continue;  // its stride is never walked and may be anything
      from += tensor.strides[axis];
      if (++index[axis] < shape[axis]) break;
      from -= tensor.strides[axis] * shape[axis];
      index[axis] = 0;
    }
  }
}

class TensorReader {
 public:
  TensorReader(const pickle::Heap& heap, std::uint64_t file_size, const FindStorage& find_storage)
      : heap_(heap),
        file_size_(file_size),
        budget_(kMaxUnfold * file_size + kMaxUnfoldExtra),
        find_storage_(find_storage) {}

  NamedTensor read(const std::string& name, const pickle::Tensor& tensor) {
    const pickle::Storage& storage = heap_.storages()[tensor.storage.storage];
    const Shape shape(tensor.sizes);
    check_bounds(tensor, shape);
    const DType dtype = storage.type.dtype.value();
    const std::size_t width = size_of(dtype);
    const auto elements = static_cast<std::uint64_t>(shape.elements());
    if (elements > budget_ / width)
      throw FormatError(fmt::format("shape {}: the tensors unfold to more than {} times the file of {} bytes",
                                    shape.text(), kMaxUnfold, file_size_));
    budget_ -= elements * width;

    const StorageBytes source = find_storage_(storage);
    const std::uint64_t begin = static_cast<std::uint64_t>(tensor.storage.offset + tensor.offset) * width;
    std::vector<std::byte> bytes(elements * width);
    if (elements > 0 && is_row_major(tensor, shape))
      std::memcpy(bytes.data(), source.bytes.data() + begin, bytes.size());
    else if (elements > 0)
      gather(tensor, shape, width, source.bytes.data() + begin, bytes);
    NamedTensor result{name, Array(dtype, shape, std::move(bytes)), std::nullopt};
    if (source.file_offset) result.origin = Origin{*source.file_offset + begin, dtype, tensor.strides};
    return result;
  }

 private:
  const pickle::Heap& heap_;
  std::uint64_t file_size_, budget_;
  const FindStorage& find_storage_;
};

/// The same elements of the same storage.
using Numbers = std::tuple<std::uint32_t, std::int64_t, std::vector<std::int64_t>, std::vector<std::int64_t>>;

Numbers numbers_of(const pickle::Tensor& tensor) {
  return {tensor.storage.storage, tensor.storage.offset + tensor.offset, tensor.sizes, tensor.strides};
}

}  // namespace

Contents read_pickled(const pickle::Pickled& object, std::string_view wanted, std::uint64_t file_size,
                      const FindStorage& find_storage) {
  const pickle::Heap& heap = object.heap;
  TensorReader reader(heap, file_size, find_storage);
  Contents contents;
  StateDict state = find_state_dict(heap, object.root, wanted);
  std::map<Numbers, std::string> first_name;
  for (const auto& [name, id] : state.tensors) {
    const pickle::TensorRef* ref = dense_tensor(heap, id);
    if (ref == nullptr) {
      contents.unread.push_back({name, why_unread(heap, id)});
      continue;
    }
    try {
      contents.tensors.push_back(reader.read(name, heap.tensor(*ref)));
      const auto [first, is_new] = first_name.try_emplace(numbers_of(heap.tensor(*ref)), name);
      if (!is_new) contents.tensors.back().same_as = first->second;
    } catch (const ShapeError& e) {
      throw FormatError(fmt::format("tensor '{}': {}", printable(name), e.what()));
    } catch (const Error&) {
      rethrow_at(fmt::format("tensor '{}'", printable(name)));
    }
  }
  if (contents.tensors.empty() && !contents.unread.empty())
    throw UnsupportedError(
        fmt::format("tensor '{}': {}", printable(contents.unread.front().name), contents.unread.front().why));
  contents.sets = std::move(state.sets);
  contents.weights = std::move(state.rest);
  contents.opaque = opaque_values(heap, object.root);
  if (!state.module) {
    contents.modules = std::move(state.modules);
    return contents;
  }
  contents.modules = module_names(heap, *state.module);
  contents.norms = norm_settings(heap, *state.module);
  ModuleNetwork network = read_module_network(heap, *state.module);
  contents.build = std::move(network.build);
  contents.input = std::move(network.input);
  contents.no_graph = std::move(network.missing);
  if (!contents.build) contents.chains = module_chains(heap, *state.module);
  return contents;
}

std::uint64_t byte_count(const pickle::Storage& storage) {
  std::uint64_t bytes = 0;
  if (storage.type.bytes == 0)
    throw UnsupportedError(fmt::format("storage '{}': the element size of a '{}' is unknown", printable(storage.key),
                                       printable(storage.type.name)));
  if (__builtin_mul_overflow(static_cast<std::uint64_t>(storage.elements), storage.type.bytes, &bytes))
    throw FormatError(fmt::format("storage '{}' claims {} elements of {} bytes", printable(storage.key),
                                  storage.elements, storage.type.bytes));
  return bytes;
}

}  // namespace shiftnorm::formats
