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

/// HDF5's signature stands at byte 0, 512, 1024, 2048 ... behind a user block.
bool is_hdf5(Bytes file) {
  constexpr std::string_view kSignature = "\x89HDF\r\n\x1a\n";
  if (text_at(file, 0, kSignature.size()) == kSignature) return true;
  for (std::size_t at = 512; at < file.size() && at <= (std::size_t{1} << 30U); at *= 2)
    if (text_at(file, at, kSignature.size()) == kSignature) return true;
  return false;
}

bool is_gzip(Bytes file) { return text_at(file, 0, 2) == "\x1f\x8b"; }

bool is_tar(Bytes file) { return text_at(file, 257, 5) == "ustar"; }

/// A protobuf ModelProto begins with ir_version (field 1, a small number) and goes on with one of its next fields.
bool is_onnx(Bytes file) {
  constexpr std::string_view kNextTags = "\x12\x1a\x22\x28\x32\x3a\x42";
  const std::string_view start = text_at(file, 0, 3);
  return !start.empty() && start[0] == '\x08' && start[1] > 0 && start[1] < 64 &&
         kNextTags.find(start[2]) != std::string_view::npos;
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

Contents refuse_gzip(Bytes /*file*/, const Neighbours&) {
  throw UnsupportedError("is compressed by gzip (a packed folder, .tar.gz?), which is not read; unpack it first");
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
    Format{"onnx", is_onnx, read_onnx, write_back_onnx, describe_onnx},
};

}  // namespace

const Format& recognise(Bytes file) {
  if (file.empty()) throw FormatError("is empty; expected a checkpoint");
  const auto* const format =
      std::find_if(kFormats.begin(), kFormats.end(), [file](const Format& f) { return f.matches(file); });
  if (format == kFormats.end())
    throw FormatError("is no checkpoint of a known format; expected PyTorch (torch.save), safetensors, ONNX or Keras");
  return *format;
}

const Format& format_named(std::string_view name) {
  const auto* const format =
      std::find_if(kFormats.begin(), kFormats.end(), [name](const Format& f) { return f.name == name; });
  if (format == kFormats.end()) throw Error(fmt::format("format '{}' is in no table", name));
  return *format;
}

}  // namespace shiftnorm::formats
