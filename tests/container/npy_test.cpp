#include "shiftnorm/container/npy.hpp"

#include <catch2/catch.hpp>

#include "container/bytes.hpp"
#include "support/npy_file.hpp"

using namespace shiftnorm;
using namespace shiftnorm::container;
using Catch::Matchers::Contains;

namespace {

const std::string kMagic = "\x93NUMPY";

std::vector<std::byte> npy(const std::string& header, const std::string& data, unsigned major = 1) {
  test::ByteWriter out;
  out.text(kMagic).u8(major).u8(0).number(header.size(), major == 1 ? 2 : 4).text(header).text(data);
  return out.bytes();
}

/// NumPy pads short headers to 118 bytes, so that the data begin at byte 128.
std::string padded(const std::string& header) { return header + std::string(117 - header.size(), ' ') + '\n'; }

}  // namespace

// Oracle: numpy.save(b, numpy.asfortranarray(numpy.array([[1,2,3],[4,5,6]], '>i2'))), NumPy 1.24.
TEST_CASE("A big-endian Fortran-order file of NumPy's is read in row-major order") {
  const std::string data("\0\x01\0\x04\0\x02\0\x05\0\x03\0\x06", 12);
  const Array array = read_npy(npy(padded("{'descr': '>i2', 'fortran_order': True, 'shape': (2, 3), }"), data));
  CHECK(array.dtype() == DType::i16);
  CHECK(array.shape() == Shape{2, 3});
  CHECK(array.to_int64() == std::vector<std::int64_t>{1, 2, 3, 4, 5, 6});
}

// Oracle: numpy.save(b, numpy.array([1.5, -2.0], '<f4')), NumPy 1.24.
TEST_CASE("NumPy's own file is read") {
  const std::string data("\0\0\xc0\x3f\0\0\0\xc0", 8);
  const auto file = npy(padded("{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }"), data);
  CHECK(read_npy(file).to_float() == std::vector<float>{1.5f, -2.0f});
}

// Law: a round trip changes no bit.
TEST_CASE("Every dtype and rank survives a round trip through npy") {
  const auto dtype = GENERATE(DType::f64, DType::f32, DType::f16, DType::i64, DType::i32, DType::i16, DType::i8,
                              DType::u64, DType::u32, DType::u16, DType::u8, DType::boolean);
  for (const Shape& shape : {Shape{}, Shape{3}, Shape{2, 0, 4}, Shape{2, 3, 4}}) {
    Array array(dtype, shape);
    std::size_t i = 0;
    for (std::byte& b : array.bytes()) b = static_cast<std::byte>(dtype == DType::boolean ? i++ % 2 : i++);
    const auto file = test::write_npy(array);
    CHECK((file.size() - array.bytes().size()) % 64 == 0);
    const Array read = read_npy(file);
    CHECK(read.dtype() == dtype);
    CHECK(read.shape() == shape);
    CHECK(std::equal(read.bytes().begin(), read.bytes().end(), array.bytes().begin(), array.bytes().end()));
  }
}

// Oracle: NumPy's numpy/lib/format.py: the length has four bytes, and Python 2 wrote 2L.
TEST_CASE("npy versions 2 and 3 and Python 2's long integers are read") {
  for (const unsigned major : {2U, 3U})
    CHECK(read_npy(npy("{'descr': '|u1', 'fortran_order': False, 'shape': (2L,)}", "\x05\x06", major)).to_int64() ==
          std::vector<std::int64_t>{5, 6});
}

// Oracle: dtypes that numpy.save writes and no tensor here can hold.
TEST_CASE("What npy holds and we lack is unsupported, named") {
  const auto [descr, message] = GENERATE(table<std::string, std::string>({
      {"'|O'", "npy: dtype '|O' (pickled objects are never read)"},
      {"[('a', '<f4')]", "npy: the dtype is structured"},
      {"'<c8'", "npy: dtype '<c8'; supported are plain numbers and bool"},
      {"'<U5'", "npy: dtype '<U5'"},
  }));
  const auto file = npy("{'descr': " + descr + ", 'fortran_order': False, 'shape': (1,), }", "12345678");
  CHECK_THROWS_AS(read_npy(file), UnsupportedError);
  CHECK_THROWS_WITH(read_npy(file), Contains(message));
}

// Law: header and data must agree before memory is taken.
TEST_CASE("Bad npy files are refused") {
  const auto [header, message] = GENERATE(table<std::string, std::string>({
      {"{'descr': '<f4', 'fortran_order': False, 'shape': (3,), }",
       "8 bytes follow the header; expected those of float32 [3]"},
      {"{'descr': '<f4', 'fortran_order': False, 'shape': (1,), }", "8 bytes follow the header"},
      {"{'descr': '<f4', 'fortran_order': False, 'shape': (-2,), }", "axis 0 has extent -2"},
      {"{'descr': '<f4', 'fortran_order': False, 'shape': (4294967296, 4294967296), }",
       "more elements than 64 bits can count"},
      {"{'descr': '<f8', 'fortran_order': False, 'shape': (2305843009213693952,), }", "8 bytes follow the header"},
      {"{'descr': '<f4', 'fortran_order': False, }", "lacks one of"},
      {"{'descr': '<f4', 'descr': '<f4', 'fortran_order': False, 'shape': (2,)}", "header key 'descr'"},
      {"{'descr': '<f4', 'fortran_order': 0, 'shape': (2,)}", "expected True or False"},
      {"{'descr': '<f4', 'fortran_order': False, 'shape': (__import__('os'),)}", "expected an extent"},
      {"[]", "expected '{'"},
  }));
  CHECK_THROWS_AS(read_npy(npy(header, "12345678")), FormatError);
  CHECK_THROWS_WITH(read_npy(npy(header, "12345678")), Contains(message));
}

// Law: a damaged file is read or refused, and one that was cut is refused.
TEST_CASE("A damaged npy file never crashes the reader") {
  const float values[] = {1, 2};
  CHECK(test::accepted_when_damaged(test::write_npy(Array::from_floats({2}, values)),
                                    [](const auto& f) { (void)read_npy(f); }) == 0);
}
