#include <catch2/catch.hpp>

#include "formats/torch_file.hpp"
#include "shiftnorm/formats/checkpoint.hpp"

using namespace shiftnorm;
using namespace shiftnorm::formats;
using Catch::Matchers::Contains;
using test::PickleBuilder;
using test::TorchFile;

namespace {

/// A dict of one tensor named `name` that holds `value`, in a storage of its own.
void add_dict(PickleBuilder& pickle, TorchFile& file, const std::string& name, float value) {
  const std::size_t s = file.add_floats(std::to_string(file.storages.size()), {value});
  pickle.op('}').mark().text(name);
  file.tensor(pickle, {name, s, 0, {1}, {1}}, true);
  pickle.op('u');
}

void add_tensor(PickleBuilder& pickle, TorchFile& file, float value) {
  const std::size_t s = file.add_floats(std::to_string(file.storages.size()), {value});
  file.tensor(pickle, {"", s, 0, {1}, {1}}, true);
}

Checkpoint parse(const TorchFile& file, const PickleBuilder& pickle) {
  return parse_checkpoint(file.legacy_around(pickle.finish()), "net.pth");
}

}  // namespace

TEST_CASE("The weights are found under the name that trainers give them, never the optimizer's") {
  const auto chosen =
      GENERATE(as<std::string>(), "state_dict", "model_state_dict", "model", "net", "whatever_it_is", "ema");
  TorchFile file;
  PickleBuilder pickle;
  pickle.op('}').mark();
  pickle.text("optimizer").op('}').mark().text("state").op('}').mark().integer(0);
  add_dict(pickle, file, "exp_avg", 1);
  pickle.op('u').text("param_groups").op(']').op('u');
  pickle.text("opt_state").op('}').mark().text("state");
  add_dict(pickle, file, "momentum", 2);
  pickle.text("param_groups").op(']').op('u');
  pickle.text("lr_scheduler");
  add_dict(pickle, file, "base", 3);
  pickle.text(chosen);
  add_dict(pickle, file, "bn.running_mean", 4);
  pickle.text("epoch").integer(3).text("best").op('G').raw(std::string(8, '\0')).text("none").none().op('u');
  const Checkpoint checkpoint = parse(file, pickle);
  REQUIRE(checkpoint.tensors.size() == 1);
  CHECK(checkpoint.tensors[0].name == "bn.running_mean");
  CHECK(checkpoint.tensors[0].values.to_float() == std::vector<float>{4});
}

TEST_CASE("Of several dicts the likelier name wins, whatever their order") {
  TorchFile file;
  PickleBuilder pickle;
  pickle.op('}').mark().text("ema");
  add_dict(pickle, file, "x", 1);
  pickle.text("model");
  add_dict(pickle, file, "x", 2);
  pickle.text("zzz");
  add_dict(pickle, file, "x", 3);
  pickle.op('u');
  CHECK(parse(file, pickle).tensors[0].values.to_float() == std::vector<float>{2});
}

TEST_CASE("Tensors beside the state dict do not hide it") {
  TorchFile file;
  PickleBuilder pickle;
  pickle.op('}').mark().text("best_acc");
  add_tensor(pickle, file, 1);
  pickle.text("loss");
  add_tensor(pickle, file, 2);
  pickle.text("checkpoint").op('}').mark().text("state_dict");
  add_dict(pickle, file, "w", 3);
  pickle.op('u').op('u');
  const Checkpoint checkpoint = parse(file, pickle);
  REQUIRE(checkpoint.tensors.size() == 1);
  CHECK(checkpoint.tensors[0].name == "w");
}

TEST_CASE("Values that are no tensors are left out, a key given twice counts last") {
  TorchFile file;
  PickleBuilder pickle;
  pickle.op('}').mark().text("a");
  add_tensor(pickle, file, 1);
  pickle.text("a");
  add_tensor(pickle, file, 2);
  pickle.text("b");
  add_tensor(pickle, file, 3);
  pickle.text("version").integer(1).op('u');
  const Checkpoint checkpoint = parse(file, pickle);
  REQUIRE(checkpoint.tensors.size() == 2);
  CHECK(checkpoint.tensors[0].values.to_float() == std::vector<float>{2});
  CHECK(checkpoint.tensors[1].name == "b");
}

TEST_CASE("A file without weights is refused, its keys listed") {
  const TorchFile file;
  CHECK_THROWS_AS(parse(file, PickleBuilder().op('}').mark().text("epoch").integer(1).op('u')), FormatError);
  CHECK_THROWS_WITH(
      parse(file, PickleBuilder().op('}').mark().text("epoch").integer(1).text("arch").none().op('u')),
      "net.pth: holds a dict of epoch, arch; expected a state_dict: a dict, nested or not, whose values are tensors");
  CHECK_THROWS_WITH(parse(file, PickleBuilder().integer(1)), Contains("net.pth: holds no dict"));
}

// The opcodes in which trainers' checkpoints keep their settings, by CPython's pickletools.
TEST_CASE("Settings of every kind are passed over") {
  TorchFile file;
  PickleBuilder pickle;
  pickle.op('}').mark();
  pickle.text("args")
      .global("argparse", "Namespace")
      .op(')')
      .byte(0x81)
      .op('}')
      .mark()
      .text("lr")
      .integer(1)
      .op('u')
      .op('b');
  pickle.text("numpy")
      .global("numpy.core.multiarray", "scalar")
      .global("numpy", "dtype")
      .text("f8")
      .boolean(false)
      .boolean(true)
      .byte(0x87)
      .op('R');
  pickle.global("_codecs", "encode").text("abc").text("latin1").byte(0x86).op('R').byte(0x86).op('R');
  pickle.text("set").global("__builtin__", "set").op(']').mark().integer(1).op('e').byte(0x85).op('R');
  pickle.text("defaultdict").global("collections", "defaultdict").global("__builtin__", "list").byte(0x85).op('R');
  pickle.text("long")
      .raw(std::string("\x8a\x09\0\0\0\0\0\0\0\0\x01", 11))
      .text("short and a pair of integers")
      .raw("K\x07M\x01\x02")
      .raw(std::string("J\xff\xff\xff\xff", 5));
  pickle.text("device")
      .global("torch", "device")
      .text("cuda")
      .byte(0x85)
      .op('R')
      .text("dtype")
      .global("torch", "float16");
  pickle.text("string")
      .raw(
          "U\x03"
          "abc")
      .raw(
          "q\x01h\x01"
          "0")
      .text("bytes")
      .raw("C\x02xy");
  pickle.raw("X")
      .raw(std::string("\x02\0\0\0"
                       "id",
                       6))
      .raw("\x8c\x02ok");
  pickle.text("state_dict");
  add_dict(pickle, file, "w", 5);
  pickle.op('u');
  CHECK(parse(file, pickle).tensors[0].values.to_float() == std::vector<float>{5});
}
