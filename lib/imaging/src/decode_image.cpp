#include "decode_image.hpp"

#include "decode_bmp.hpp"
#include "decode_jpeg.hpp"
#include "decode_png.hpp"
#include "decode_pnm.hpp"
#include "decode_tiff.hpp"
#include "decode_webp.hpp"
#include "image_header.hpp"
#include "shiftnorm/core/error.hpp"

namespace shiftnorm::imaging {

Image decode_image(std::span<const std::byte> file) {
  switch (expect_codec(file)) {
    case Codec::jpeg: return decode_jpeg(file);
    case Codec::png: return decode_png(file);
    case Codec::tiff: return decode_tiff(file);
    case Codec::bmp: return decode_bmp(file);
    case Codec::webp: return decode_webp(file);
    case Codec::pnm: return decode_pnm(file);
  }
  throw Error("image format without a decoder");
}

}  // namespace shiftnorm::imaging
