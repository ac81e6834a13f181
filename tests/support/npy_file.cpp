#include "support/npy_file.hpp"

#include <map>
#include <string>

#include "shiftnorm/core/file.hpp"

namespace shiftnorm::test {

std::vector<std::byte> write_npy(const Array& array) {
  static const std::map<DType, std::string> codes{{DType::f64, "<f8"}, {DType::f32, "<f4"}, {DType::f16, "<f2"},
                                                  {DType::i64, "<i8"}, {DType::i32, "<i4"}, {DType::i16, "<i2"},
                                                  {DType::i8, "|i1"},  {DType::u64, "<u8"}, {DType::u32, "<u4"},
                                                  {DType::u16, "<u2"}, {DType::u8, "|u1"},  {DType::boolean, "|b1"}};
  constexpr std::size_t kAlignment = 64, kBeforeHeader = 10;
  std::string shape;
  for (const std::int64_t extent : array.shape().extents()) shape += std::to_string(extent) + ", ";
  std::string header =
      "{'descr': '" + codes.at(array.dtype()) + "', 'fortran_order': False, 'shape': (" + shape + "), }";
  const std::size_t total = (kBeforeHeader + header.size() + 1 + kAlignment - 1) / kAlignment * kAlignment;
  header.resize(total - kBeforeHeader - 1, ' ');
  header += '\n';
  const char sizes[] = {1, 0, static_cast<char>(header.size() & 0xffU), static_cast<char>(header.size() >> 8U)};
  const std::string text = "\x93NUMPY" + std::string(sizes, sizeof sizes) + header;
  std::vector<std::byte> file(as_bytes(text).begin(), as_bytes(text).end());
  file.insert(file.end(), array.bytes().begin(), array.bytes().end());
  return file;
}

}  // namespace shiftnorm::test
