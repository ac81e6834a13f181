#include "directory.hpp"

#include <dcmtk/dcmdata/dcdeftag.h>
#include <dcmtk/dcmdata/dcmetinf.h>

#include <array>
#include <memory>
#include <vector>

#include "image_object.hpp"
#include "shiftnorm/core/error.hpp"

namespace shiftnorm::phantom {
namespace {

std::string text(DcmItem& item, const DcmTagKey& key) {
  OFString value;
  return item.findAndGetOFStringArray(key, value).good() ? value.c_str() : std::string();
}

/// What each kind of record repeats of its objects (PS3.3 F.5).
std::vector<DcmTagKey> keys_of(E_DirRecType type) {
  switch (type) {
    case ERT_Patient: return {DCM_PatientName, DCM_PatientID};
    case ERT_Study:
      return {DCM_StudyDate,        DCM_StudyTime, DCM_StudyDescription,
              DCM_StudyInstanceUID, DCM_StudyID,   DCM_AccessionNumber};
    case ERT_Series: return {DCM_Modality, DCM_SeriesInstanceUID, DCM_SeriesNumber};
    case ERT_SRDocument:
      return {DCM_InstanceNumber, DCM_CompletionFlag, DCM_VerificationFlag, DCM_ContentDate, DCM_ContentTime};
    default: return {DCM_InstanceNumber};
  }
}

void fill(DcmDirectoryRecord& record, E_DirRecType type, DcmDataset& from) {
  for (const DcmTagKey& key : keys_of(type)) record.putAndInsertString(key, text(from, key).c_str());
  DcmItem* copy = nullptr;
  if (type == ERT_SRDocument && from.findAndGetSequenceItem(DCM_ConceptNameCodeSequence, copy, 0, OFTrue).good())
    record.insertSequenceItem(DCM_ConceptNameCodeSequence, copy);
}

}  // namespace

Directory::Directory(const std::filesystem::path& root, std::uint64_t seed)
    : file_(root / "DICOMDIR"), directory_(file_.c_str(), "PHANTOM") {
  // Its own number would be another one each time.
  constexpr std::array<std::uint64_t, 1> kDirectory{0};
  directory_.getDirFileFormat().getMetaInfo()->putAndInsertString(DCM_MediaStorageSOPInstanceUID,
                                                                  uid_of(seed, kDirectory).c_str());
}

DcmDirectoryRecord& Directory::record(DcmDirectoryRecord& parent, E_DirRecType type, const std::string& key,
                                      DcmDataset& from) {
  DcmDirectoryRecord*& found = records_[key];
  if (found == nullptr) {
    found = new DcmDirectoryRecord(type, nullptr, "");
    fill(*found, type, from);
    parent.insertSub(found);
  }
  return *found;
}

void Directory::add(DcmFileFormat& object, const std::string& file_id) {
  DcmDataset& data = *object.getDataset();
  DcmDirectoryRecord& patient = record(directory_.getRootRecord(), ERT_Patient, text(data, DCM_PatientID), data);
  DcmDirectoryRecord& study = record(patient, ERT_Study, text(data, DCM_StudyInstanceUID), data);
  DcmDirectoryRecord& series = record(study, ERT_Series, text(data, DCM_SeriesInstanceUID), data);
  const E_DirRecType type = text(data, DCM_Modality) == "SR" ? ERT_SRDocument : ERT_Image;
  auto leaf = std::make_unique<DcmDirectoryRecord>(type, nullptr, "");
  leaf->putAndInsertString(DCM_ReferencedFileID, file_id.c_str());
  leaf->putAndInsertString(DCM_ReferencedSOPClassUIDInFile, text(data, DCM_SOPClassUID).c_str());
  leaf->putAndInsertString(DCM_ReferencedSOPInstanceUIDInFile, text(data, DCM_SOPInstanceUID).c_str());
  leaf->putAndInsertString(DCM_ReferencedTransferSyntaxUIDInFile,
                           text(*object.getMetaInfo(), DCM_TransferSyntaxUID).c_str());
  fill(*leaf, type, data);
  series.insertSub(leaf.release());
}

void Directory::write() {
  if (directory_.write().bad()) throw MachineError("DICOMDIR: cannot be written");
}

}  // namespace shiftnorm::phantom
