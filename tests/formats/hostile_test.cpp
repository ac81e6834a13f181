#include <sys/resource.h>

#include <catch2/catch.hpp>
#include <chrono>

#include "formats/torch_file.hpp"
#include "shiftnorm/container/safetensors.hpp"
#include "shiftnorm/formats/checkpoint.hpp"

using namespace shiftnorm;
using namespace shiftnorm::formats;
using Catch::Matchers::Contains;
using test::PickleBuilder;
using test::TorchFile;

namespace {

Checkpoint parse_hostile(const std::vector<std::byte>& bytes) { return parse_checkpoint(bytes, "evil.pth"); }

void check_refused(const PickleBuilder& pickle, const std::string& message) {
  const TorchFile file;
  for (const auto& bytes : {file.zip_around(pickle.finish()), file.legacy_around(pickle.finish()), pickle.finish()}) {
    CHECK_THROWS_AS(parse_hostile(bytes), FormatError);
    CHECK_THROWS_WITH(parse_hostile(bytes), Contains(message));
  }
}

std::string repeat(const std::string& text, std::size_t count) {
  std::string out;
  out.reserve(text.size() * count);
  for (std::size_t i = 0; i < count; ++i) out += text;
  return out;
}

}  // namespace

// Law: only names of the table mean anything; no other is ever called.
TEST_CASE("A pickle that names anything but data is refused by that name") {
  const auto [module, name] = GENERATE(table<std::string, std::string>({{"os", "system"},
                                                                        {"posix", "system"},
                                                                        {"builtins", "eval"},
                                                                        {"__builtin__", "eval"},
                                                                        {"builtins", "getattr"},
                                                                        {"subprocess", "Popen"},
                                                                        {"torch", "load"},
                                                                        {"torch.hub", "load"},
                                                                        {"collections", "OrderedDict.fromkeys"},
                                                                        {"numpy", "load"},
                                                                        {"__main__", "Net"}}));
  const std::string message =
      "evil.pth: the pickle names '" + (module + "." + name) + "'; only tensors, containers and numbers are read";
  check_refused(PickleBuilder().global(module, name).mark().text("echo pwned").op('t').op('R'), message);
  check_refused(PickleBuilder().text(module).text(name).byte(0x93).text("echo pwned").byte(0x85).op('R'), message);
}

// Law: nothing of a file reaches a terminal as it is.
TEST_CASE("Names are made printable") {
  check_refused(PickleBuilder().global("os\x1b[31m", "sys\xfftem"), "the pickle names 'os?[31m.sys?tem'");
}

// Law: as above, for protocol 0.
TEST_CASE("A text pickle that names os.system is refused by that name") {
  CHECK_THROWS_WITH(parse_hostile(test::bytes_of("cos\nsystem\n(S'echo pwned'\ntR.")),
                    Contains("evil.pth: the pickle names 'os.system'"));
}

// Oracle: CPython's Lib/pickletools.py: what these opcodes do is to make objects, or nothing.
TEST_CASE("Opcodes outside data are refused") {
  const auto [code, shown] = GENERATE(
      table<char, std::string>({{'i', "0x69"}, {'o', "0x6f"}, {'\x82', "0x82"}, {'P', "0x50"}, {'\xff', "0xff"}}));
  check_refused(PickleBuilder().op(code), "pickle: opcode " + shown + " at byte");
}

// Oracle: the stack of CPython's Lib/pickle.py, on which each of these raises.
TEST_CASE("Pickles that make no sense are refused") {
  const auto [code, message] = GENERATE(table<std::string, std::string>({
      {"", "pops more values than there are"},
      {"R", "pops more values than there are"},
      {"t", "pops more marks than there are"},
      {"}(K\x01"
       "u",
       "a key without a value"},
      {"K\x01(K\x02"
       "e",
       "appends to something that is not a list"},
      {")K\x02"
       "a",
       "appends to something that is not a list"},
      {"]K\x01K\x02s", "sets items of something that is not a dict"},
      {"h\x07", "memo 7 was never written"},
      {"K\x01)R", "calls something that is not a known name"},
      {"ctorch\nFloatStorage\n)R", "calls a type"},
      {"ctorch._utils\n_rebuild_tensor_v2\n)R", "a tensor of 0 arguments"},
      {"ctorch._utils\n_rebuild_tensor_v2\n(K\x01K\x01K\x01K\x01tR", "a tensor without a storage"},
      {"ctorch._utils\n_rebuild_parameter\nK\x01\x85R", "a parameter without a tensor"},
      {")Q", "a persistent id '' of 0 parts"},
      {"K\x01Q", "a persistent id is an integer; expected a sequence"},
      {"(U\x07storageK\x01K\x01K\x01K\x01tQ", "the type of a storage is none"},
      {"ctorch._tensor\n_rebuild_from_type_v2\n(ctorch._tensor\n_rebuild_from_type_v2\nNNtR",
       "is not built from a tensor"},
      {"(", "pops more values than there are"},
  }));
  CAPTURE(code);
  check_refused(PickleBuilder().raw(code), message);
}

// Law: a length is compared with what is left before memory is taken.
TEST_CASE("Lying lengths in a pickle are refused before memory is taken") {
  using namespace std::string_literals;
  const auto [code, message] = GENERATE(table<std::string, std::string>({
      {"X\xff\xff\xff\x7f"s, "text of 2147483647 bytes; expected at most"},
      {"X\x00\x00\x10\x00"s, "expected 1048576: the file is truncated"},
      {"\x8d\xff\xff\xff\xff\xff\xff\xff\xff"s, "text of 18446744073709551615 bytes"},
      {"\x8e\xff\xff\xff\xff\xff\xff\xff\xff"s, "expected 18446744073709551615"},
      {"\x8b\xff\xff\xff\xff"s, "expected 4294967295"},
      {"\x95\xff\xff\xff\xff\xff\xff\xff\x7f"s, "frame of 9223372036854775807 bytes"},
      {"cos"s, "the line has no end"},
  }));
  CHECK_THROWS_WITH(parse_hostile(TorchFile().zip_around(PickleBuilder().raw(code).finish())), Contains(message));
}

// Laws: neither depth nor cycles cost stack; values and references are counted, so that memory stays below 200 MB.
TEST_CASE("Bombs go off within their bounds") {
  const auto begin = std::chrono::steady_clock::now();
  const TorchFile file;
  SECTION("lists 100000 deep") {
    const auto pickle = PickleBuilder().raw(repeat("]", 100000)).raw(repeat("a", 99999)).finish();
    CHECK_THROWS_WITH(parse_hostile(file.zip_around(pickle)), Contains("evil.pth: holds no dict"));
  }
  SECTION("dicts 10000 deep") {
    PickleBuilder pickle;
    for (int i = 0; i < 10000; ++i) pickle.op('}').text("k");
    pickle.none().raw(repeat("s", 10000));
    CHECK_THROWS_WITH(parse_hostile(file.legacy_around(pickle.finish())), Contains("evil.pth: holds a dict of k"));
  }
  SECTION("a dict that holds itself") {
    CHECK_THROWS_WITH(parse_hostile(file.zip_around(PickleBuilder().raw("}q\x01").text("k").raw("h\x01s").finish())),
                      Contains("holds a dict of k"));
  }
  SECTION("marks without end") {
    CHECK_THROWS_WITH(parse_hostile(file.zip_around(PickleBuilder().raw(repeat("(", 5000000)).finish())),
                      Contains("more than 4194304 references"));
  }
  SECTION("values without end") {
    CHECK_THROWS_WITH(parse_hostile(file.zip_around(PickleBuilder().raw(repeat("]", 1100000)).finish())),
                      Contains("more than 1048576 values"));
  }
  SECTION("a list copied again and again") {
    PickleBuilder pickle;
    pickle.global("builtins", "list").raw("q\x01]q\x02(").raw(repeat("N", 100000)).raw("eK\x01");
    pickle.raw(repeat("0h\x01h\x02\x85R", 10000));
    CHECK_THROWS_WITH(parse_hostile(file.zip_around(pickle.finish())), Contains("more than 4194304 references"));
  }
  SECTION("a call of a call of a call") {
    PickleBuilder pickle;
    pickle.global("a", "b").raw(repeat(")R", 100000));
    CHECK_THROWS_WITH(parse_hostile(file.zip_around(pickle.finish())), Contains("the pickle names 'a.b'"));
  }
  SECTION("objects that hold themselves") {
    PickleBuilder pickle;
    pickle.global("a", "b")
        .raw(")\x81q\x01}")
        .text("me")
        .raw(
            "h\x01sb(h\x01h\x01uh\x01"
            "ah\x01\x85")
        .op('0');
    CHECK_THROWS_AS(parse_hostile(file.zip_around(pickle.finish())), FormatError);
  }
  SECTION("one large dict under a thousand names, of an object and of dicts that hold it") {
    TorchFile many;
    const std::size_t s = many.add_floats("0", {1});
    PickleBuilder pickle;
    pickle.op('}').raw("q\x01").mark();
    for (int i = 0; i < 20000; ++i) {
      pickle.text(std::to_string(i));
      if (i == 0)
        many.tensor(pickle, {"", s, 0, {1}, {1}}, false), pickle.raw("q\x02");
      else
        pickle.raw("h\x02");
    }
    pickle.op('u').global("a", "b").raw(")\x81(");
    for (int i = 0; i < 300000; ++i) pickle.raw("\x8c\x06").raw(std::to_string(100000 + i)).raw("h\x01");
    pickle.op('u');
    CHECK(parse_hostile(many.zip_around(pickle.finish())).tensors.size() == 20000);
  }
  SECTION("a long name above many dicts") {
    TorchFile many;
    const std::size_t s = many.add_floats("0", {1});
    PickleBuilder pickle;
    pickle.op('}').text(std::string(1000000, 'n')).op('}').mark();
    for (int i = 0; i < 5000; ++i) {
      pickle.text(std::to_string(i)).op('}').text("w");
      many.tensor(pickle, {"", s, 0, {1}, {1}}, false);
      pickle.op('s');
    }
    pickle.op('u').op('s');
    CHECK(parse_hostile(many.zip_around(pickle.finish())).sets.chosen.size() < 10000);
  }
  SECTION("one storage unfolded by many views") {
    TorchFile many;
    const std::size_t s = many.add_floats("0", std::vector<float>(100000));
    for (int i = 0; i < 1000; ++i) many.views.push_back({"t" + std::to_string(i), s, 0, {100000}, {1}});
    CHECK_THROWS_WITH(parse_hostile(many.zip()), Contains("unfold to more than 4 times the file"));
  }
  // Each takes well under a second; the bound is for runaways, on a busy machine and under sanitizers.
  CHECK(std::chrono::steady_clock::now() - begin < std::chrono::seconds(20));
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
#ifndef __SANITIZE_ADDRESS__
  CHECK(usage.ru_maxrss < 200 * 1024);  // kilobytes
#endif
}

// Law: what one opcode of one byte makes refers to all that it was given, so that n of them may ask for n^2 steps.
TEST_CASE("Objects that share what they are made of are refused") {
  const std::string many = "(" + repeat("N", 100000);
  const TorchFile file;
  SECTION("and are counted as they are built") {
    // q1: what is shared, q2: the class, q3: a state that names nothing
    const auto [shared, object] = GENERATE_COPY(table<std::string, std::string>({
        {many + "t", "h\x02h\x01R"},      // REDUCE
        {many + "t", "h\x02h\x01\x81"},   // NEWOBJ
        {many + "t", "h\x02h\x01}\x92"},  // NEWOBJ_EX
        {"(h\x02" + many.substr(1) + "t", "ccopyreg\n__newobj__\nh\x01R"},
        {many + "t", "ccopyreg\n_reconstructor\nh\x02Nh\x01\x87R"},
        {"](" + repeat("NN", 50000) + "e", "ccopyreg\n_reconstructor\nh\x02Nh\x01\x87R"},
        {"}(" + repeat("NN", 100000) + "u", "ccopyreg\n_reconstructor\nh\x02Nh\x01\x87R"},
        {"](" + repeat("NN", 50000) + "e",
         "h\x02)\x81h\x01"
         "b"},  // BUILD
        {many + "t", "ctorch._tensor\n_rebuild_from_type_v2\n(Nh\x02h\x01NtR"},
        {"](" + repeat("NN", 50000) + "e", "ctorch.fx.graph_module\nreduce_graph_module\nh\x01N\x86R"},
    }));
    CAPTURE(object);
    PickleBuilder pickle;
    pickle.global("a", "b").raw("q\x02").raw(shared).raw("q\x01](").raw(repeat(object, 1000)).op('e');
    CHECK_THROWS_WITH(parse_hostile(file.zip_around(pickle.finish())), Contains("more than 4194304 references"));
  }
  SECTION("and are counted as they are looked through, where it grew afterwards") {
    const auto [shared, object, grow] = GENERATE_COPY(table<std::string, std::string, std::string>({
        {"]", "h\x02h\x01R", many + "e"},
        {"]", "ccopyreg\n_reconstructor\nh\x02Nh\x01\x87R", many + "e"},
        {"}", "ccopyreg\n_reconstructor\nh\x02Nh\x01\x87R", many + "u"},
        {"}",
         "h\x02)\x81h\x01"
         "b",
         many + "u"},
        {"}",
         "h\x02)\x81h\x01N\x86"
         "b",
         many + "u"},
    }));
    CAPTURE(object);
    PickleBuilder pickle;
    pickle.global("a", "b").raw("q\x02").raw(shared).raw("q\x01](").raw(repeat(object, 1000)).raw("eh\x01");
    pickle.raw(grow).byte(0x86);
    CHECK_THROWS_WITH(parse_hostile(file.zip_around(pickle.finish())),
                      Contains("objects share more values than those of any"));
  }
}

// Law: one budget for all sets of weights, however many there are. A fresh one for each took a second a set.
TEST_CASE("Sets of modules that hold each other twice are refused together") {
  const auto begin = std::chrono::steady_clock::now();
  TorchFile file;
  const std::size_t s = file.add_floats("0", {1});
  PickleBuilder pickle;
  const auto module = [&pickle](const auto& parameters, const auto& modules) {
    pickle.global("torch.nn.modules.module", "Module").op(')').byte(0x81).op('}').mark();
    pickle.text("_parameters").op('}').mark();
    parameters();
    pickle.op('u').text("_buffers").op('}').text("_modules").op('}').mark();
    modules();
    pickle.op('u').op('u').op('b');
  };
  const auto nothing = [] {};
  pickle.op(']').mark();
  module([&] { pickle.text("w"), file.tensor(pickle, {"", s, 0, {1}, {1}}, false); }, nothing);
  pickle.raw("q\x01");  // 16 levels that hold the one before twice: 2^16 tensors in each set
  for (int level = 0; level < 16; ++level) {
    module(nothing, [&] { pickle.text("a").raw("h\x01").text("b").raw("h\x01"); });
    pickle.raw("q\x01");
  }
  pickle.op('e').op('0').op(']').mark();
  for (int i = 0; i < 1000; ++i) module(nothing, [&] { pickle.text("net" + std::to_string(i)).raw("h\x01"); });
  pickle.op('e');
  CHECK_THROWS_WITH(parse_hostile(file.zip_around(pickle.finish())),
                    Contains("sets of weights name more tensors than any real network"));
  CHECK(std::chrono::steady_clock::now() - begin < std::chrono::seconds(60));
}

// Law: a damaged file is read or refused, and one that was cut is refused.
TEST_CASE("Damaged PyTorch files never crash the reader") {
  TorchFile file;
  const std::size_t s = file.add_floats("0", {1, 2, 3, 4});
  file.views = {{"w", s, 0, {2, 2}, {2, 1}}, {"b", s, 1, {2}, {2}}};
  const auto read = [](const std::vector<std::byte>& bytes) { (void)parse_hostile(bytes); };
  CHECK(test::accepted_when_damaged(file.legacy(), read) == 0);
  CHECK(test::accepted_when_damaged(file.zip(), read) == 0);
}

// Law: a damaged file is read or refused, and one that was cut is refused.
TEST_CASE("Damaged safetensors files never crash the reader") {
  const std::vector<std::pair<std::string, Array>> arrays{{"w", Array(DType::f32, {2, 2})}};
  const auto file = container::write_safetensors(arrays);
  CHECK(test::accepted_when_damaged(file, [](const std::vector<std::byte>& bytes) { (void)parse_hostile(bytes); }) ==
        0);
  const auto lying = test::ByteWriter().u64(std::uint64_t{1} << 60U).text("{}").bytes();
  CHECK_THROWS_WITH(parse_hostile(lying), Contains("evil.pth: safetensors: header of 1152921504606846976 bytes"));
}

// Law: sizes are compared with the file; an archive holds one checkpoint.
TEST_CASE("Archives that lie are refused") {
  test::ZipBuilder zip;
  zip.members.push_back({"a/data.pkl", PickleBuilder().none().finish(), true});
  zip.members.push_back({"a/data/0", test::bytes_of("0123"), true});
  zip.members[1].claimed_size = std::uint64_t{1} << 31U;
  CHECK_THROWS_WITH(parse_hostile(zip.build()), Contains("evil.pth: ") && Contains("the file is truncated"));
  zip.members[1].claimed_size.reset();
  zip.members[1].name = "b/data.pkl";
  CHECK_THROWS_WITH(parse_hostile(zip.build()),
                    "evil.pth: the archive has 'a/data.pkl' and 'b/data.pkl'; expected one data.pkl");
}
