#include "dicom/dcmtk_jpeg.hpp"

#include <dcmtk/config/osconfig.h>
#include <dcmtk/dcmdata/dcdatset.h>
#include <dcmtk/dcmdata/dcdeftag.h>
#include <dcmtk/dcmdata/dcpixel.h>
#include <dcmtk/dcmdata/dcpixseq.h>
#include <dcmtk/dcmdata/dcpxitem.h>
#include <dcmtk/dcmdata/dcxfer.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <memory>

#include "dicom/attributes.hpp"
#include "dicom/dcmtk_runtime.hpp"
#include "dicom/fault.hpp"

namespace shiftnorm::imaging::dicom {
namespace {

[[noreturn]] void corrupt() { throw Fault(Reason::corrupt_codestream, "the decoder refuses the data"); }

void require(const OFCondition& status) {
  if (status.bad()) corrupt();
}

void put(DcmItem& item, const DcmTagKey& key, std::int64_t value) {
  require(item.putAndInsertUint16(key, static_cast<Uint16>(value)));
}

/// An object of this one frame: what the decoder may look at is exactly what has been checked.
void describe(DcmItem& item, const PixelModule& m) {
  put(item, DCM_SamplesPerPixel, m.samples);
  require(item.putAndInsertString(DCM_PhotometricInterpretation,
                                  std::string(kPhotometrics.name_of(m.photometric)).c_str()));
  if (m.samples > 1) put(item, DCM_PlanarConfiguration, m.planar ? 1 : 0);
  require(item.putAndInsertString(DCM_NumberOfFrames, "1"));
  put(item, DCM_Rows, m.rows);
  put(item, DCM_Columns, m.columns);
  put(item, DCM_BitsAllocated, m.bits_allocated);
  put(item, DCM_BitsStored, m.bits_stored);
  put(item, DCM_HighBit, m.high_bit);
  put(item, DCM_PixelRepresentation, m.is_signed ? 1 : 0);
}

void put_codestream(DcmItem& item, std::span<const std::byte> stream, E_TransferSyntax syntax) {
  auto sequence = std::make_unique<DcmPixelSequence>(DcmTag(DCM_PixelData, EVR_OB));
  require(sequence->insert(new DcmPixelItem(DcmTag(DCM_PixelItemTag, EVR_OB))));
  auto fragment = std::make_unique<DcmPixelItem>(DcmTag(DCM_PixelItemTag, EVR_OB));
  std::vector<std::byte> even(stream.begin(), stream.end());
  if (even.size() % 2 != 0) even.push_back(std::byte{0});
  require(
      fragment->putUint8Array(reinterpret_cast<const Uint8*>(even.data()), static_cast<unsigned long>(even.size())));
  require(sequence->insert(fragment.release()));
  auto pixels = std::make_unique<DcmPixelData>(DCM_PixelData);
  pixels->putOriginalRepresentation(syntax, nullptr, sequence.release());
  require(item.insert(pixels.release()));
}

/// Scanners and archives fill up before the end marker, and some leave a few bytes of their own. More than that are
/// pixels that a decoder out of step came past.
bool may_be_left_over(std::span<const std::byte> stream, std::int64_t count) {
  constexpr std::int64_t kFew = 64;
  if (count <= kFew) return true;
  constexpr std::array kEndOfImage{std::byte{0xff}, std::byte{0xd9}};
  const auto end = std::find_end(stream.begin(), stream.end(), kEndOfImage.begin(), kEndOfImage.end());
  const auto n = static_cast<std::size_t>(end - stream.begin());
  // What its bit buffer held counts too, so that some of them may be in use.
  const std::span<const std::byte> last =
      stream.first(n).last(std::min<std::size_t>(n, static_cast<std::size_t>(count)));
  const auto used = std::min<std::size_t>(last.size(), 8);
  return std::ranges::all_of(last.subspan(used), [&](std::byte b) { return b == last.back(); });
}

}  // namespace

std::vector<std::byte> decode_with_dcmtk(std::span<const std::byte> stream, const PixelModule& module,
                                         const std::string& transfer_syntax) {
  DcmDataset frame;
  const E_TransferSyntax syntax = DcmXfer(transfer_syntax.c_str()).getXfer();
  describe(frame, module);
  put_codestream(frame, stream, syntax);
  const DecoderWarnings before = decoder_warnings();
  require(frame.chooseRepresentation(EXS_LittleEndianExplicit, nullptr));
  const DecoderWarnings after = decoder_warnings();
  if (after.lost != before.lost) throw Fault(Reason::corrupt_codestream, "the decoder patched damaged data");
  if (after.left_over > before.left_over && !may_be_left_over(stream, after.left_over - before.left_over))
    throw Fault(Reason::corrupt_codestream,
                fmt::format("the decoder used all but {} bytes", after.left_over - before.left_over));

  DcmElement* pixels = nullptr;
  require(frame.findAndGetElement(DCM_PixelData, pixels));
  const auto bytes = static_cast<std::size_t>(module.frame_values() * module.value_bytes());
  if (pixels->getLengthField() < bytes) corrupt();
  const std::byte* from = nullptr;
  Uint8* narrow = nullptr;
  Uint16* wide = nullptr;
  if (pixels->getUint16Array(wide).good() && wide != nullptr)
    from = reinterpret_cast<const std::byte*>(wide);
  else if (pixels->getUint8Array(narrow).good() && narrow != nullptr)
    from = reinterpret_cast<const std::byte*>(narrow);
  else
    corrupt();
  if (module.samples > 1 && unsigned_number(frame, DCM_PlanarConfiguration).value_or(0) == 1)
    return interleaved(from, module);
  return {from, from + bytes};
}

}  // namespace shiftnorm::imaging::dicom
