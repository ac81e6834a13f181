#include "dicom/dcmtk_jpeg.hpp"

#include <dcmtk/config/osconfig.h>
#include <dcmtk/dcmdata/dcdatset.h>
#include <dcmtk/dcmdata/dcdeftag.h>
#include <dcmtk/dcmdata/dcpixel.h>
#include <dcmtk/dcmdata/dcpixseq.h>
#include <dcmtk/dcmdata/dcpxitem.h>
#include <dcmtk/dcmdata/dcxfer.h>

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

const char* photometric_text(Photometric photometric) {
  switch (photometric) {
    case Photometric::monochrome1: return "MONOCHROME1";
    case Photometric::monochrome2: return "MONOCHROME2";
    case Photometric::palette: return "PALETTE COLOR";
    case Photometric::rgb: return "RGB";
    case Photometric::ybr_full: return "YBR_FULL";
    case Photometric::ybr_full_422: return "YBR_FULL_422";
    case Photometric::ybr_rct: return "YBR_RCT";
    case Photometric::ybr_ict: return "YBR_ICT";
  }
  corrupt();
}

void put(DcmItem& item, const DcmTagKey& key, std::int64_t value) {
  require(item.putAndInsertUint16(key, static_cast<Uint16>(value)));
}

/// An object of this one frame: what the decoder may look at is exactly what has been checked.
void describe(DcmItem& item, const PixelModule& m) {
  put(item, DCM_SamplesPerPixel, m.samples);
  require(item.putAndInsertString(DCM_PhotometricInterpretation, photometric_text(m.photometric)));
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

}  // namespace

std::vector<std::byte> decode_with_dcmtk(std::span<const std::byte> stream, const PixelModule& module,
                                         const std::string& transfer_syntax) {
  DcmDataset frame;
  const E_TransferSyntax syntax = DcmXfer(transfer_syntax.c_str()).getXfer();
  describe(frame, module);
  put_codestream(frame, stream, syntax);
  const std::int64_t before = decoder_complaints();
  require(frame.chooseRepresentation(EXS_LittleEndianExplicit, nullptr));
  if (decoder_complaints() != before) throw Fault(Reason::corrupt_codestream, "the decoder patched damaged data");

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
