#include "jpeg_2000.hpp"

#include <openjpeg.h>

#include <algorithm>
#include <bit>

#include "shiftnorm/core/c_handle.hpp"
#include "shiftnorm/core/error.hpp"

namespace shiftnorm::phantom {
namespace {

/// A file in memory, as OpenJPEG writes it: it goes back to fill in lengths.
struct Target {
  std::vector<std::uint8_t> bytes;
  std::size_t at = 0;
};

OPJ_SIZE_T write_some(void* buffer, OPJ_SIZE_T count, void* user) {
  auto& target = *static_cast<Target*>(user);
  target.bytes.resize(std::max(target.bytes.size(), target.at + count));
  std::copy_n(static_cast<const std::uint8_t*>(buffer), count,
              target.bytes.begin() + static_cast<std::ptrdiff_t>(target.at));
  target.at += count;
  return count;
}

OPJ_BOOL seek_to(OPJ_OFF_T position, void* user) {
  static_cast<Target*>(user)->at = static_cast<std::size_t>(position);
  return OPJ_TRUE;
}

OPJ_OFF_T skip_some(OPJ_OFF_T count, void* user) {
  static_cast<Target*>(user)->at += static_cast<std::size_t>(count);
  return count;
}

}  // namespace

std::vector<std::uint8_t> encode_jpeg_2000(std::span<const std::uint16_t> values, std::size_t side, int bits) {
  opj_image_cmptparm_t component{};
  component.dx = component.dy = 1;
  component.w = component.h = static_cast<OPJ_UINT32>(side);
  component.prec = static_cast<OPJ_UINT32>(bits);
  const CHandle<opj_image_t, opj_image_destroy> image(opj_image_create(1, &component, OPJ_CLRSPC_GRAY));
  const CHandle<opj_codec_t, opj_destroy_codec> codec(opj_create_compress(OPJ_CODEC_J2K));
  const CHandle<opj_stream_t, opj_stream_destroy> stream(opj_stream_default_create(OPJ_FALSE));
  if (!image || !codec || !stream) throw MachineError("OpenJPEG cannot start: out of memory");
  image->x1 = image->y1 = static_cast<OPJ_UINT32>(side);
  std::copy(values.begin(), values.end(), image->comps[0].data);

  Target target;
  opj_stream_set_user_data(stream.get(), &target, nullptr);
  opj_stream_set_write_function(stream.get(), write_some);
  opj_stream_set_seek_function(stream.get(), seek_to);
  opj_stream_set_skip_function(stream.get(), skip_some);
  opj_cparameters_t parameters;
  opj_set_default_encoder_parameters(&parameters);
  parameters.tcp_numlayers = 1;
  parameters.cp_disto_alloc = 1;  // with rate 0: nothing is thrown away
  // OpenJPEG refuses more halvings than the picture has pixels for.
  parameters.numresolution = std::min(parameters.numresolution, static_cast<int>(std::bit_width(side)));
  if (opj_setup_encoder(codec.get(), &parameters, image.get()) == OPJ_FALSE ||
      opj_start_compress(codec.get(), image.get(), stream.get()) == OPJ_FALSE ||
      opj_encode(codec.get(), stream.get()) == OPJ_FALSE || opj_end_compress(codec.get(), stream.get()) == OPJ_FALSE)
    throw Error("OpenJPEG cannot encode a picture");
  return std::move(target.bytes);
}

}  // namespace shiftnorm::phantom
