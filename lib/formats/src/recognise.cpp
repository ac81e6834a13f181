#include "recognise.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string>

#include "pickle.hpp"
#include "shiftnorm/container/byte_reader.hpp"
#include "shiftnorm/core/error.hpp"
#include "shiftnorm/core/file.hpp"

namespace shiftnorm::formats {
namespace {

using Bytes = std::span<const std::byte>;

std::string_view text_at(Bytes file, std::size_t at, std::size_t size) {
  return at + size <= file.size() ? as_text(file.subspan(at, size)) : std::string_view();
}

bool is_zip(Bytes file) {
  const std::string_view magic = text_at(file, 0, 4);
  return magic == "PK\x03\x04" || magic == "PK\x05\x06";
}

/// The eight bytes of a length, of which one at least is zero in any file that fits a disk, then a JSON object.
bool is_safetensors(Bytes file) {
  return text_at(file, 8, 1) == "{" && text_at(file, 0, 8).find('\0') != std::string_view::npos;
}

/// HDF5's signature is at byte 0, 512, 1024, 2048 ... behind a user block.
bool is_hdf5(Bytes file) {
  constexpr std::string_view kSignature = "\x89HDF\r\n\x1a\n";
  if (text_at(file, 0, kSignature.size()) == kSignature) return true;
  for (std::size_t at = 512; at < file.size() && at <= (std::size_t{1} << 30U); at *= 2)
    if (text_at(file, at, kSignature.size()) == kSignature) return true;
  return false;
}

bool is_gzip(Bytes file) { return text_at(file, 0, 2) == "\x1f\x8b"; }

bool is_tar(Bytes file) { return text_at(file, 257, 5) == "ustar"; }

/// A protobuf ModelProto begins with ir_version (field 1, a small number), followed by one of its next fields.
bool is_onnx(Bytes file) {
  constexpr std::string_view kNextTags = "\x12\x1a\x22\x28\x32\x3a\x42";
  const std::string_view start = text_at(file, 0, 3);
  return !start.empty() && start[0] == '\x08' && start[1] > 0 && start[1] < 64 &&
         kNextTags.find(start[2]) != std::string_view::npos;
}

bool is_tflite(Bytes file) { return text_at(file, 4, 4) == "TFL3"; }

/// The length of a protobuf field at `at`, which moves behind it.
std::size_t length_at(Bytes file, std::size_t& at) {
  std::size_t length = 0;
  for (unsigned shift = 0; at < file.size() && shift < 35; shift += 7) {
    const auto byte = std::to_integer<std::size_t>(file[at++]);
    length |= (byte & 0x7fU) << shift;
    if ((byte & 0x80U) == 0) return length;
  }
  return 0;
}

/// TensorFlow's SavedModel: a version of 1, then a graph (field 2) that begins with facts about itself, where ONNX has
/// the producer's name.
bool is_saved_model(Bytes file) {
  std::size_t at = 3;
  if (text_at(file, 0, 3) != "\x08\x01\x12" || length_at(file, at) == 0) return false;
  return text_at(file, at, 1) == "\x0a";
}

/// TensorFlow's GraphDef: nodes (field 1) that begin with their name and the name of their operator.
bool is_graph_def(Bytes file) {
  std::size_t at = 1;
  if (text_at(file, 0, 1) != "\x0a") return false;
  const std::size_t node = length_at(file, at), end = at + node;
  if (node < 4 || end > file.size() || text_at(file, at++, 1) != "\x0a") return false;
  const std::size_t name = length_at(file, at);
  at += name;
  return name > 0 && at + 3 < end && text_at(file, at, 1) == "\x12" &&
         (end == file.size() || text_at(file, end, 1).find_first_of("\x0a\x12\x1a\x22") == 0);
}

/// The index of a TensorFlow checkpoint is a table of LevelDB, which ends with this number.
bool is_tensorflow_index(Bytes file) {
  return file.size() >= 48 && text_at(file, file.size() - 8, 8) == "\x57\xfb\x80\x8b\x24\x75\x47\xdb";
}

/// Protocol 2 or later, or a text pickle that begins with a name.
bool is_pickle(Bytes file) {
  const std::string_view start = text_at(file, 0, 2);
  if (start.empty()) return false;
  if (start[0] == '\x80') return start[1] >= 2 && start[1] <= 5;
  const std::string_view line = as_text(file.first(std::min<std::size_t>(file.size(), 128)));
  const std::size_t end = line.find_first_not_of("abcdefghijklmnopqrstuvwxyz._0123456789");
  return start[0] == 'c' && end > 1 && end != std::string_view::npos && line[end] == '\n';
}

constexpr std::string_view kTensorFlowSays =
    "; expected a Keras model as one file (model.save('model.keras') or 'model.h5'), or ONNX (tf2onnx)";

Contents refuse_tflite(Bytes, const Neighbours&) {
  throw UnsupportedError(
      fmt::format("is a TensorFlow Lite model, whose BatchNorms are folded away{}", kTensorFlowSays));
}
Contents refuse_saved_model(Bytes, const Neighbours&) {
  throw UnsupportedError(fmt::format("is the saved_model.pb of a TensorFlow SavedModel{}", kTensorFlowSays));
}
Contents refuse_graph_def(Bytes, const Neighbours&) {
  throw UnsupportedError(fmt::format("is a frozen TensorFlow graph (GraphDef){}", kTensorFlowSays));
}
Contents refuse_tensorflow_index(Bytes, const Neighbours&) {
  throw UnsupportedError(fmt::format("is the index of a TensorFlow checkpoint{}", kTensorFlowSays));
}
Contents refuse_gzip(Bytes /*file*/, const Neighbours&) {
  throw UnsupportedError("is compressed by gzip (a packed folder, .tar.gz?), which is not supported; unpack it first");
}
/// Walked through first: a name that has no business there says more than the container does.
Contents refuse_pickle(Bytes file, const Neighbours&) {
  container::ByteReader reader(file);
  const pickle::Pickled pickled = pickle::unpickle(reader);
  if (const std::string_view name = pickled.heap.first_unknown_class(); !name.empty()) pickle::refuse_name(name);
  throw UnsupportedError("is a bare pickle; expected what torch.save writes");
}

// The first that matches counts.
constexpr std::array kFormats{
    Format{"keras", is_keras_archive, read_keras_archive, write_keras},
    Format{"pytorch-zip", is_zip, read_zip, write_in_place, describes_nothing, true},
    Format{"pytorch-legacy", is_pytorch_legacy, read_pytorch_legacy, write_in_place, describes_nothing, true},
    Format{"keras-h5", is_hdf5, read_keras_h5, write_keras},
    Format{"safetensors", is_safetensors, read_safetensors_checkpoint},
    Format{"pytorch-tar", is_tar, read_pytorch_tar, write_in_place, describes_nothing, true},
    Format{"gzip", is_gzip, refuse_gzip},
    Format{"pickle", is_pickle, refuse_pickle},
    Format{"sharded", is_sharded_index, read_sharded, write_sharded},
    Format{"tflite", is_tflite, refuse_tflite},
    Format{"saved-model", is_saved_model, refuse_saved_model},
    Format{"graph-def", is_graph_def, refuse_graph_def},
    Format{"tensorflow-index", is_tensorflow_index, refuse_tensorflow_index},
    Format{"onnx", is_onnx, read_onnx, write_back_onnx, describe_onnx},
};

}  // namespace

void refuse_folder(const std::filesystem::path& folder) {
  namespace fs = std::filesystem;
  std::error_code ignored;
  if (!fs::is_directory(folder, ignored)) return;
  if (fs::exists(folder / "saved_model.pb", ignored) || fs::exists(folder / "saved_model.pbtxt", ignored))
    throw UnsupportedError(fmt::format("is a folder of TensorFlow's SavedModel{}", kTensorFlowSays));
  for (const fs::directory_entry& entry : fs::directory_iterator(folder, ignored)) {
    const std::string name = entry.path().filename().string();
    if (name == "checkpoint" || name.find(".data-00000-of-") != std::string::npos)
      throw UnsupportedError(fmt::format("is a folder of TensorFlow checkpoints{}", kTensorFlowSays));
    if (name == "config.json" || name == "model.weights.h5")
      throw UnsupportedError(
          "is the unpacked folder of a Keras archive, or of Hugging Face; expected the .keras file, or "
          "the file of weights inside");
  }
  throw UnsupportedError("is a folder; expected the checkpoint's file");
}

const Format& recognise(Bytes file) {
  if (file.empty()) throw FormatError("is empty; expected a checkpoint");
  const auto* const format =
      std::find_if(kFormats.begin(), kFormats.end(), [file](const Format& f) { return f.matches(file); });
  if (format == kFormats.end())
    throw FormatError(
        "is not a checkpoint of a known format; expected PyTorch (torch.save), safetensors, ONNX or Keras");
  return *format;
}

const Format& format_named(std::string_view name) {
  const auto* const format =
      std::find_if(kFormats.begin(), kFormats.end(), [name](const Format& f) { return f.name == name; });
  if (format == kFormats.end()) throw Error(fmt::format("format '{}' is not in the table", name));
  return *format;
}

}  // namespace shiftnorm::formats
