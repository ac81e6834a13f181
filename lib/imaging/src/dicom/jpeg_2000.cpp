#include <openjpeg.h>

#include <cstring>

#include "dicom/codestream.hpp"
#include "dicom/fault.hpp"
#include "shiftnorm/core/c_handle.hpp"

namespace shiftnorm::imaging::dicom {
namespace {

/// A codestream in memory, as OpenJPEG reads it.
struct Codestream {
  std::span<const std::byte> bytes;
  std::size_t at = 0;
};

OPJ_SIZE_T read_some(void* buffer, OPJ_SIZE_T count, void* user) {
  auto& source = *static_cast<Codestream*>(user);
  const std::size_t n = std::min<std::size_t>(count, source.bytes.size() - source.at);
  if (n == 0) return static_cast<OPJ_SIZE_T>(-1);
  std::memcpy(buffer, source.bytes.data() + source.at, n);
  source.at += n;
  return n;
}

OPJ_OFF_T skip_some(OPJ_OFF_T count, void* user) {
  auto& source = *static_cast<Codestream*>(user);
  if (count < 0) return -1;
  const std::size_t n = std::min<std::size_t>(static_cast<std::size_t>(count), source.bytes.size() - source.at);
  source.at += n;
  return static_cast<OPJ_OFF_T>(n);
}

OPJ_BOOL seek_to(OPJ_OFF_T position, void* user) {
  auto& source = *static_cast<Codestream*>(user);
  if (position < 0 || static_cast<std::size_t>(position) > source.bytes.size()) return OPJ_FALSE;
  source.at = static_cast<std::size_t>(position);
  return OPJ_TRUE;
}

void complain(const char*, void* user) { *static_cast<bool*>(user) = true; }

[[noreturn]] void corrupt() { throw Fault(Reason::corrupt_codestream, "the JPEG 2000 decoder refuses the data"); }

}  // namespace

std::vector<std::byte> decode_jpeg_2000(std::span<const std::byte> stream, const PixelModule& module) {
  const Jpeg2000Stream found = scan_jpeg_2000(stream);
  check_geometry(found.facts, module);

  Codestream source{found.codestream};
  const CHandle<opj_stream_t, opj_stream_destroy> input(opj_stream_default_create(OPJ_TRUE));
  const CHandle<opj_codec_t, opj_destroy_codec> codec(opj_create_decompress(OPJ_CODEC_J2K));
  if (!input || !codec) throw MachineError("OpenJPEG cannot start: out of memory");
  opj_stream_set_user_data(input.get(), &source, nullptr);
  opj_stream_set_user_data_length(input.get(), source.bytes.size());
  opj_stream_set_read_function(input.get(), read_some);
  opj_stream_set_skip_function(input.get(), skip_some);
  opj_stream_set_seek_function(input.get(), seek_to);
  bool complained = false;
  opj_set_error_handler(codec.get(), complain, &complained);

  opj_dparameters_t parameters;
  opj_set_default_decoder_parameters(&parameters);
  // Strict: a truncated stream is an error, not an image with a grey end.
  if (opj_setup_decoder(codec.get(), &parameters) == OPJ_FALSE ||
      opj_decoder_set_strict_mode(codec.get(), OPJ_TRUE) == OPJ_FALSE)
    corrupt();
  opj_image_t* raw = nullptr;
  const bool read = opj_read_header(input.get(), codec.get(), &raw) != OPJ_FALSE;
  const CHandle<opj_image_t, opj_image_destroy> image(raw);
  if (!read || !image || opj_decode(codec.get(), input.get(), image.get()) == OPJ_FALSE ||
      opj_end_decompress(codec.get(), input.get()) == OPJ_FALSE || complained)
    corrupt();

  const auto n = static_cast<std::size_t>(module.rows * module.columns);
  const auto samples = static_cast<std::size_t>(module.samples), cell = static_cast<std::size_t>(module.value_bytes());
  if (image->numcomps != samples) corrupt();
  std::vector<std::byte> out(n * samples * cell);
  for (std::size_t c = 0; c < samples; ++c) {
    const opj_image_comp_t& component = image->comps[c];
    if (component.data == nullptr || std::size_t{component.w} * component.h != n) corrupt();
    const int spare = 32 - static_cast<int>(component.prec);
    const bool extend = module.is_signed && component.sgnd == 0 && spare > 0;
    for (std::size_t i = 0; i < n; ++i) {
      std::int32_t value = component.data[i];
      if (extend) value = static_cast<std::int32_t>(static_cast<std::uint32_t>(value) << spare) >> spare;
      std::memcpy(out.data() + (i * samples + c) * cell, &value, cell);
    }
  }
  return out;
}

}  // namespace shiftnorm::imaging::dicom
