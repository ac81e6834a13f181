#include <sys/resource.h>

#include <catch2/catch.hpp>
#include <chrono>
#include <fstream>

#include "formats/onnx_builder.hpp"
#include "shiftnorm/core/error.hpp"
#include "shiftnorm/core/file.hpp"
#include "support/shared_data.hpp"

using namespace shiftnorm;
using namespace shiftnorm::formats;
using Catch::Matchers::Contains;
using test::OnnxBuilder;

namespace {

std::string refusal(const std::vector<std::byte>& bytes) {
  const auto start = std::chrono::steady_clock::now();
  std::string text;
  try {
    (void)parse_checkpoint(bytes, "evil.onnx");
  } catch (const Error& error) {
    text = error.what();
  }
  CHECK(std::chrono::steady_clock::now() - start < std::chrono::seconds(5));  // sanitizers are slow
  CHECK(text.find('\n') == std::string::npos);
  return text;
}

/// Peak of the process: the tests before count in, so this bounds from above.
std::int64_t peak_kilobytes() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return usage.ru_maxrss;
}

OnnxBuilder external(const std::string& location, const std::string& offset = "0") {
  OnnxBuilder builder;
  builder.node("Add", {"x", "w"}, {"y"});
  onnx::TensorProto& tensor = builder.described("w", {2}, 2, onnx::TensorProto::FLOAT);
  tensor.set_data_location(onnx::TensorProto::EXTERNAL);
  for (const auto& [key, value] : {std::pair<std::string, std::string>{"location", location}, {"offset", offset}}) {
    onnx::StringStringEntryProto& entry = *tensor.add_external_data();
    entry.set_key(key);
    entry.set_value(value);
  }
  return builder;
}

std::string refusal_of_file(const OnnxBuilder& builder, const std::filesystem::path& folder) {
  write_file(folder / "net.onnx", builder.bytes());
  try {
    (void)read_checkpoint(folder / "net.onnx");
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

}  // namespace

// Law: no beginning of a model is one: it lacks its output.
TEST_CASE("A model cut off anywhere is refused in one line, or was complete") {
  const std::vector<std::byte> whole = OnnxBuilder().batch_norm("bn", "x", "y").bytes();
  for (std::size_t size = 3; size < whole.size(); ++size) {
    const std::string text = refusal({whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size)});
    CHECK(!text.empty());
  }
}

// Law: a damaged file is read or refused, never worse. All that a byte of the weights can change is a number; what is
// no number is mostly names, sizes and types, whose change is noticed or makes another model that holds together.
TEST_CASE("Any byte of a model may be wrong") {
  const std::vector<std::byte> whole = OnnxBuilder().batch_norm("bn", "x", "y").bytes();
  constexpr std::size_t kWeightBytes = std::size_t{4} * 2 * sizeof(float);
  std::size_t read = 0, refused = 0;
  for (std::size_t i = 0; i < whole.size(); ++i)
    for (const unsigned flip : {0x01u, 0x80u, 0xffu}) {
      std::vector<std::byte> broken = whole;
      broken[i] ^= static_cast<std::byte>(flip);
      ++(refusal(broken).empty() ? read : refused);
    }
  CAPTURE(read, refused);
  CHECK(read >= 3 * kWeightBytes);
  CHECK(refused >= whole.size());  // of three changes of a byte one
}

// Law: a name leads to a regular file of the same folder or nowhere.
TEST_CASE("External data never leave the folder") {
  const test::TempDir dir;
  std::filesystem::create_directory(dir.path() / "model");
  const auto refused = [&](const OnnxBuilder& builder) { return refusal_of_file(builder, dir.path() / "model"); };
  std::ofstream(dir.path() / "secret.bin") << "12345678";
  std::filesystem::create_symlink(dir.path() / "secret.bin", dir.path() / "model" / "link.bin");
  std::ofstream(dir.path() / "model" / "short.bin") << "1234";
  CHECK_THAT(refused(external("../../etc/passwd")),
             Contains("refers to '../../etc/passwd'; expected the name of a file in its own folder"));
  CHECK_THAT(refused(external("/etc/passwd")), Contains("expected the name of a file in its own folder"));
  CHECK_THAT(refused(external("./../secret.bin")), Contains("expected the name of a file in its own folder"));
  CHECK_THAT(refused(external("")), Contains("expected the name of a file in its own folder"));
  CHECK_THAT(refused(external("link.bin")), Contains("expected a regular file"));
  CHECK_THAT(refused(external("absent.bin")), Contains("expected a regular file"));
  CHECK_THAT(refused(external("short.bin")),
             Contains("initialiser 'w': its values are bytes 0 to 8 of 'short.bin'; that file has 4"));
  CHECK_THAT(refused(external("short.bin", "18446744073709551615")), Contains("that file has 4"));
  CHECK_THAT(refused(external("short.bin", "-1")), Contains("offset '-1'; expected a number of bytes"));
}

// Law: sizes are compared with what is there before memory is taken.
TEST_CASE("Lengths and dimensions that lie are refused before memory is taken") {
  OnnxBuilder huge;
  huge.node("Add", {"x", "w"}, {"y"})
      .described("w", {std::int64_t{1} << 40, 1 << 20}, 0, onnx::TensorProto::FLOAT)
      .set_raw_data("1234");
  CHECK_THAT(refusal(huge.bytes()), Contains("initialiser 'w'"));
  OnnxBuilder listed;
  listed.node("Add", {"x", "w"}, {"y"})
      .described("w", {std::int64_t{1} << 40}, 0, onnx::TensorProto::FLOAT)
      .add_float_data(1);
  CHECK_THAT(refusal(listed.bytes()), Contains("holds 1 values; expected 1099511627776"));
  OnnxBuilder negative;
  negative.node("Add", {"x", "w"}, {"y"}).described("w", {-2}, 0, onnx::TensorProto::FLOAT);
  CHECK_THAT(refusal(negative.bytes()), Contains("initialiser 'w'"));
  const OnnxBuilder filled = OnnxBuilder()
                                 .integers("s", {1 << 20, 1 << 20})
                                 .node("ConstantOfShape", {"s"}, {"c"})
                                 .node("Add", {"x", "c"}, {"y"});
  CHECK_THAT(refusal(filled.bytes()),
             Contains("node 'c' (ConstantOfShape): ConstantOfShape makes a constant of 1099511627774 more elements"));
  const OnnxBuilder tiled = OnnxBuilder()
                                .integers("n", {std::int64_t{1} << 62})
                                .raw("w", {1})
                                .node("Tile", {"w", "n"}, {"c"})
                                .node("Add", {"x", "c"}, {"y"});
  CHECK_THAT(refusal(tiled.bytes()), Contains("node 'c' (Tile)"));
  CHECK(peak_kilobytes() < 1'500'000);  // sanitizers multiply what is taken; a plain run stays below 200 MB
}

// Law: counts and depths are bounded before anything is built of them.
TEST_CASE("Chains and nests beyond any network are refused at once") {
  OnnxBuilder chain;
  const auto value = [](int i) { return std::string("v").append(std::to_string(i)); };
  for (int i = 0; i < 100'000; ++i) chain.node("Relu", {i == 0 ? "x" : value(i - 1)}, {value(i)});
  CHECK_THAT(refusal(chain.bytes()), Contains("has more than 50000 nodes"));

  // A Loop in the body of a Loop in the body of a Loop ...
  std::string graph;
  const auto field = [](unsigned number, const std::string& payload) {
    std::string out(1, static_cast<char>(number << 3U | 2U));
    for (std::size_t n = payload.size();; n >>= 7U) {
      out += static_cast<char>(n >= 0x80 ? (n & 0x7fU) | 0x80U : n);
      if (n < 0x80) break;
    }
    return out + payload;
  };
  for (int depth = 0; depth < 3'000; ++depth) graph = field(1, field(5, field(6, graph)));
  const std::string model = std::string("\x08\x08", 2) + field(7, graph);
  std::vector<std::byte> bytes(model.size());
  std::memcpy(bytes.data(), model.data(), model.size());
  CHECK_THAT(refusal(bytes), Contains("nested more than 40 deep"));

  // Two bytes for each message of some hundred.
  std::string empty;
  for (int i = 0; i < 2'000'000; ++i) empty += std::string("\x2a\x00", 2);
  const std::string many = std::string("\x08\x08", 2) + field(7, empty);
  bytes.resize(many.size());
  std::memcpy(bytes.data(), many.data(), many.size());
  CHECK_THAT(refusal(bytes), Contains("has more than 1000000 parts"));
}

// Law: as many names as nodes take steps in proportion to them. When every wish for a name began to count at two again,
// and every attribute was looked for from the first, these grew with the square: the first took minutes.
TEST_CASE("Names that are wished for again and again are found at once") {
  const auto begin = std::chrono::steady_clock::now();
  const auto value = [](int i) { return std::string("v").append(std::to_string(i)); };
  SECTION("vectors that all BatchNorms share") {
    constexpr int kNodes = 20'000;
    OnnxBuilder shared;
    shared.raw("v", {1, 1});
    for (int i = 0; i < kNodes; ++i)
      shared.node("BatchNormalization", {i == 0 ? "x" : value(i - 1), "v", "v", "v", "v"},
                  {i + 1 == kNodes ? "y" : value(i)});
    CHECK(parse_checkpoint(shared.bytes(), "evil.onnx").graph->nodes().size() == kNodes);
  }
  SECTION("values of a function that is called under one name") {
    constexpr int kCalls = 15'000;
    OnnxBuilder calls;
    onnx::OperatorSetIdProto& own = *calls.model().add_opset_import();
    own.set_domain("own");
    own.set_version(1);
    onnx::FunctionProto& function = *calls.model().add_functions();
    function.set_domain("own");
    function.set_name("f");
    function.add_input("a");
    function.add_opset_import()->set_version(13);
    onnx::NodeProto& inside = *function.add_node();
    inside.set_op_type("Relu");
    inside.add_input("a");
    inside.add_output("b");
    for (int i = 0; i < kCalls; ++i) {
      calls.node("f", {"x"}, {}).last().set_domain("own");
      calls.last().set_name("call");
    }
    calls.node("Relu", {"x"}, {"y"});
    CHECK(parse_checkpoint(calls.bytes(), "evil.onnx").graph->nodes().size() == 1);  // the calls lead nowhere
  }
  SECTION("attributes of a call with many of them") {
    constexpr int kMany = 20'000;
    OnnxBuilder call;
    onnx::OperatorSetIdProto& own = *call.model().add_opset_import();
    own.set_domain("own");
    own.set_version(1);
    onnx::FunctionProto& function = *call.model().add_functions();
    function.set_domain("own");
    function.set_name("f");
    function.add_input("a");
    function.add_output("b");
    function.add_opset_import()->set_version(13);
    for (int i = 0; i < kMany; ++i) {
      onnx::NodeProto& node = *function.add_node();
      node.set_op_type("LeakyRelu");
      node.add_input(i == 0 ? "a" : value(i - 1));
      node.add_output(i + 1 == kMany ? "b" : value(i));
      onnx::AttributeProto& alpha = *node.add_attribute();
      alpha.set_name("alpha");
      alpha.set_type(onnx::AttributeProto::FLOAT);
      alpha.set_ref_attr_name(value(i));
    }
    call.node("f", {"x"}, {"y"}).last().set_domain("own");
    for (int i = 0; i < kMany; ++i) {
      onnx::AttributeProto& given = *call.last().add_attribute();
      given.set_name(value(i));
      given.set_type(onnx::AttributeProto::FLOAT);
      given.set_f(0.5F);
    }
    CHECK(parse_checkpoint(call.bytes(), "evil.onnx").graph->nodes().size() == kMany);
  }
  // Seconds at most; the bound is for runaways, on a busy machine and under sanitizers.
  CHECK(std::chrono::steady_clock::now() - begin < std::chrono::seconds(60));
}

// Oracle: the ONNX IR specification: single assignment, topological order.
TEST_CASE("Graphs that do not hold together are refused") {
  CHECK_THAT(refusal(OnnxBuilder().node("Relu", {"later"}, {"y"}).bytes()),
             Contains("node 'y' (Relu): 'later' is not produced by any earlier node"));
  CHECK_THAT(refusal(OnnxBuilder().node("Relu", {"x"}, {"y"}).node("Relu", {"x"}, {"y"}).bytes()),
             Contains("'y' is given twice"));
  CHECK_THAT(refusal(OnnxBuilder().node("Relu", {"x"}, {"z"}).bytes()),
             Contains("'y' is not produced by any earlier node"));
  CHECK_THAT(refusal(OnnxBuilder().node("Relu", {}, {"y"}).bytes()), Contains("node 'y'"));
  CHECK_THAT(refusal(OnnxBuilder().node("Relu", {"x"}, {}).bytes()), Contains("has no output"));
  CHECK_THAT(refusal(OnnxBuilder().node("BatchNormalization", {"x", "x", "x", "x", "x"}, {"y"}).bytes()),
             Contains("its input 1 is computed at run time"));
  OnnxBuilder sparse;
  sparse.node("Relu", {"x"}, {"y"}).graph().add_sparse_initializer()->mutable_values()->set_name("w");
  CHECK_THAT(refusal(sparse.bytes()), Contains("initialiser 'w' is sparse"));
}
