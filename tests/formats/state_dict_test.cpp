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

Checkpoint parse(const TorchFile& file, const PickleBuilder& pickle, const std::string& wanted = {}) {
  return parse_checkpoint(file.legacy_around(pickle.finish()), "net.pth", {.weights = wanted});
}

}  // namespace

// Oracle: the tensors put under that name; others lie where trainers keep optimizers and schedules.
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

// Oracle: what the authors' own evaluation loads: YOLOv5's attempt_load() takes `ema` before `model`; timm's
// validate.py without --use-ema and torchvision's train.py --test-only without --model-ema take what is not an average;
// DINO's eval_*.py take the teacher; Real-ESRGAN's inference takes params_ema.
TEST_CASE("Of several sets of weights the one that its authors evaluate is chosen, whatever their order") {
  const auto [chosen, other] = GENERATE(table<std::string, std::string>({{"ema", "model"},
                                                                         {"state_dict", "state_dict_ema"},
                                                                         {"model", "model_ema"},
                                                                         {"teacher", "student"},
                                                                         {"params_ema", "params"},
                                                                         {"encoder_q", "encoder_k"},
                                                                         {"state_dict", "ema"},
                                                                         {"net", "zzz"}}));
  const bool first = GENERATE(true, false);
  TorchFile file;
  PickleBuilder pickle;
  pickle.op('}').mark().text(first ? chosen : other);
  add_dict(pickle, file, "x", first ? 1 : 2);
  pickle.text(first ? other : chosen);
  add_dict(pickle, file, "x", first ? 2 : 1);
  pickle.op('u');
  const auto value = [&](const std::string& wanted) {
    return parse(file, pickle, wanted).tensors.at(0).values.to_float().at(0);
  };
  CHECK(value("") == 1);
  CHECK(value(chosen) == 1);
  CHECK(value(other) == 2);
  const Checkpoint checkpoint = parse(file, pickle);
  CHECK(checkpoint.sets.chosen == chosen);
  CHECK(checkpoint.sets.others == std::vector<std::string>{other});
  CHECK(checkpoint.sets.told);
  REQUIRE(checkpoint.assumptions.size() == 1);
  CHECK(checkpoint.assumptions[0] == "of several sets of weights in the file, '" + chosen + "' is used, not '" + other +
                                         "' (--weights selects another)");
}

// Oracle: the path by hand: the longest part of it that the file has.
TEST_CASE("Of the wanted name, what is no path in the file is left for the tensors' names") {
  TorchFile file;
  PickleBuilder pickle;
  pickle.op('}').mark().text("a").op('}').mark().text("b");
  add_dict(pickle, file, "module.encoder_q.x", 1);
  pickle.op('u').text("model");
  add_dict(pickle, file, "y", 2);
  pickle.op('u');
  const auto [wanted, chosen, rest] =
      GENERATE(table<std::string, std::string, std::string>({{"", "model", ""},
                                                             {"a", "a.b", ""},
                                                             {"a.b", "a.b", ""},
                                                             {"a.b.module.encoder_q", "a.b", "module.encoder_q"},
                                                             {"a.b.c", "a.b", "c"},
                                                             {"encoder_q", "model", "encoder_q"},
                                                             {"mode", "model", "mode"},
                                                             {"model.", "model", ""}}));
  CAPTURE(wanted);
  const Checkpoint checkpoint = parse(file, pickle, wanted);
  CHECK(checkpoint.sets.chosen == chosen);
  CHECK(checkpoint.weights == rest);
}

// Oracle: a list of two sets alike; the second holds 2.
TEST_CASE("Sets that nothing tells apart are told so, unless one is asked for") {
  TorchFile file;
  PickleBuilder pickle;
  pickle.op(']').mark();
  add_dict(pickle, file, "x", 1);
  add_dict(pickle, file, "x", 2);
  pickle.op('e');
  CHECK_FALSE(parse(file, pickle).sets.told);
  CHECK(parse(file, pickle, "1").sets.told);
  CHECK(parse(file, pickle, "1").tensors[0].values.to_float() == std::vector<float>{2});
}

// The forms of __reduce_ex__ by CPython's copyreg and pickle: what they make is never built, what lies in it is seen.
// Oracle: the tensor put in, under the path that its section names.
TEST_CASE("Weights are found in objects of unknown classes, and these are listed") {
  TorchFile file;
  PickleBuilder pickle;
  std::string at;
  const auto weights = [&] { add_dict(pickle, file, "w", 5); };
  SECTION("items of a dict's subclass") {
    pickle.global("easydict", "EasyDict").op(')').byte(0x81).mark().text("model");
    weights();
    pickle.op('u');
    at = "model";
  }
  SECTION("items of an OrderedDict's subclass, which is called") {
    pickle.global("easydict", "EasyDict").op(')').op('R').mark().text("model");
    weights();
    pickle.op('u').op('}').op('b');
    at = "model";
  }
  SECTION("elements of a list's subclass") {
    pickle.global("easydict", "EasyDict").op(')').byte(0x81).mark().integer(1);
    weights();
    pickle.op('e');
    at = "1";
  }
  SECTION("attributes") {
    pickle.global("easydict", "EasyDict").op(')').byte(0x81).op('}').text("net");
    weights();
    pickle.op('s').op('b');
    at = "net";
  }
  SECTION("attributes in slots") {
    pickle.global("easydict", "EasyDict").op(')').byte(0x81).none().op('}').text("net");
    weights();
    pickle.op('s').byte(0x86).op('b');
    at = "1.net";
  }
  SECTION("the only argument") {
    pickle.op('}').text("model").global("easydict", "EasyDict");
    weights();
    pickle.byte(0x85).op('R').op('s');
    at = "model";
  }
  SECTION("one of several arguments, and keywords") {
    pickle.global("easydict", "EasyDict").integer(1).byte(0x85).op('}').text("model");
    weights();
    pickle.op('s').byte(0x92);
    at = "1.model";
  }
  SECTION("copyreg._reconstructor") {
    pickle.global("copy_reg", "_reconstructor").mark().global("easydict", "EasyDict").global("__builtin__", "dict");
    weights();
    pickle.op('t').op('R');
  }
  SECTION("what the result of a call gives when it is called") {
    pickle.global("easydict", "EasyDict").op(')').op('R').op(')').op('R').mark().text("model");
    weights();
    pickle.op('u');
    at = "model";
  }
  for (const auto& bytes : {file.legacy_around(pickle.finish()), file.zip_around(pickle.finish())}) {
    const Checkpoint checkpoint = parse_checkpoint(bytes, "net.pth");
    REQUIRE(checkpoint.tensors.size() == 1);
    CHECK(checkpoint.tensors[0].values.to_float() == std::vector<float>{5});
    CHECK(checkpoint.sets.chosen == at);
    REQUIRE(checkpoint.opaque.size() == 1);
    CHECK(checkpoint.opaque[0].name == "easydict.EasyDict");
  }
}

// Oracle: the objects put in, counted by hand.
TEST_CASE("What is opaque is listed by its name, with a place and a number") {
  TorchFile file;
  PickleBuilder pickle;
  pickle.op('}').mark().text("state_dict");
  add_dict(pickle, file, "w", 5);
  pickle.text("when").op(']').mark();
  for (int i = 0; i < 3; ++i) pickle.global("datetime", "datetime").raw("C\x01x").byte(0x85).op('R');
  pickle.op('e').text("net").global("mylib.models", "Net").text("run").global("os", "system").text("rm").byte(0x85);
  pickle.op('R').op('u');
  const Checkpoint checkpoint = parse(file, pickle);
  REQUIRE(checkpoint.opaque.size() == 3);
  std::vector<std::string> rows;
  for (const OpaqueValues& one : checkpoint.opaque)
    rows.push_back(one.name + " " + one.first + " " + std::to_string(one.count));
  CHECK(rows == std::vector<std::string>{"mylib.models.Net net 1", "os.system run 1", "datetime.datetime when.0 3"});
}

// Oracle: the tensors put in: one of floats, one each of three kinds that are not read.
TEST_CASE("A tensor of a kind that is not read is kept apart from those that are") {
  TorchFile file;
  file.storages.push_back({"7", "ComplexFloatStorage", 1, std::vector<std::byte>(8)});
  PickleBuilder pickle;
  pickle.op('}').mark().text("a");
  file.tensor(pickle, {"", 0, 0, {1}, {1}}, true);
  pickle.text("b");
  add_tensor(pickle, file, 2);
  pickle.text("c").global("torch._utils", "_rebuild_qtensor").integer(1).byte(0x85).op('R');
  pickle.text("d").global("torch._tensor", "_rebuild_from_type_v2").mark().global("torch._utils", "_rebuild_tensor_v2");
  pickle.global("mylib", "Scaled").op(')').op('}').op('t').op('R').op('u');
  const Checkpoint checkpoint = parse(file, pickle);
  REQUIRE(checkpoint.tensors.size() == 1);
  CHECK(checkpoint.tensors[0].values.to_float() == std::vector<float>{2});
  REQUIRE(checkpoint.unread.size() == 3);
  CHECK(checkpoint.unread[0].name == "a");
  CHECK_THAT(checkpoint.unread[0].why, Contains("the elements of a 'torch.ComplexFloatStorage' are not supported"));
  CHECK_THAT(checkpoint.unread[1].why, Contains("tensors made by 'torch._utils._rebuild_qtensor' are not supported"));
  CHECK(checkpoint.unread[2].why == "is made by 'mylib.Scaled', which is not supported; expected a tensor");
}

// Oracle: by hand: same storage, offset, shape and strides as an earlier name.
TEST_CASE("Names of the same numbers are told") {
  TorchFile file;
  const std::size_t s = file.add_floats("0", {1, 2, 3, 4});
  file.views = {{"a", s, 0, {2}, {1}},
                {"b", s, 2, {2}, {1}},
                {"c", s, 0, {2}, {1}},
                {"d", s, 0, {2}, {2}},
                {"e", s, 0, {2}, {1}}};
  const Checkpoint checkpoint = parse_checkpoint(file.zip(), "net.pth");
  std::vector<std::string> same;
  for (const NamedTensor& tensor : checkpoint.tensors) same.push_back(tensor.same_as);
  CHECK(same == std::vector<std::string>{"", "", "a", "", "a"});
}

// Oracle: the one tensor put into the state_dict.
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

// Oracle: Python's dict: the last value of a key holds.
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

// Oracle: the keys put in.
TEST_CASE("A file without weights is refused, its keys listed") {
  const TorchFile file;
  CHECK_THROWS_AS(parse(file, PickleBuilder().op('}').mark().text("epoch").integer(1).op('u')), FormatError);
  CHECK_THROWS_WITH(
      parse(file, PickleBuilder().op('}').mark().text("epoch").integer(1).text("arch").none().op('u')),
      "net.pth: holds a dict of epoch, arch; expected a state_dict: a dict, nested or not, whose values are tensors");
  CHECK_THROWS_WITH(parse(file, PickleBuilder().integer(1)), Contains("net.pth: holds no dict"));
}

// The opcodes in which trainers' checkpoints keep their settings, by CPython's pickletools.
// Oracle: the one tensor put in.
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
