#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "dicom/fault.hpp"
#include "dicom/header.hpp"
#include "dicom/limits.hpp"
#include "dicom/object.hpp"

namespace shiftnorm::imaging::dicom {

/// What a helper is asked for.
enum class Task : std::uint8_t {
  facts,    ///< of one object
  frame,    ///< one frame and its rules
  stored,   ///< SHA-256 over the stored values of all frames
  members,  ///< of a zip archive
};

struct Request {
  Task task = Task::facts;
  std::string path;
  std::int64_t member = -1;  ///< of the zip archive `path`; -1: the file itself
  std::int64_t frame = 0;
  std::vector<std::string> tags;
};

/// What distinguishes a file from another that took its name.
struct FileStamp {
  std::uint64_t size = 0, inode = 0;
  std::int64_t modified_ns = 0;
  friend bool operator==(const FileStamp&, const FileStamp&) = default;
};

struct ArchiveMember {
  std::string name;
  std::uint64_t size = 0;
  std::string refusal;  ///< why it may not be unpacked; empty: it may
};

/// The answer to any task; a fault leaves the rest empty.
struct Answer {
  std::optional<Reason> fault;
  std::string detail;
  std::optional<std::uint64_t> offset;
  FileStamp stamp;
  std::string file_sha256;    ///< frame, stored: of the object's bytes
  std::string stored_sha256;  ///< stored
  ObjectFacts facts;
  StoredFrame frame;
  FrameRules rules;
  std::vector<ArchiveMember> members;
};

/// Carries tasks out, in the process it is called in. Keeps the last object, so that the frames of one object cost one
/// parse. Faults come back inside the answer; std::bad_alloc is the fault `limit`.
class Service {
 public:
  explicit Service(const Limits& limits);
  ~Service();
  [[nodiscard]] Answer answer(const Request& request);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

template <class Wire>
void fields(Wire& w, Request& r) {
  w(r.task), w(r.path), w(r.member), w(r.frame), w(r.tags);
}
template <class Wire>
void fields(Wire& w, FileStamp& s) {
  w(s.size), w(s.inode), w(s.modified_ns);
}
template <class Wire>
void fields(Wire& w, ArchiveMember& m) {
  w(m.name), w(m.size), w(m.refusal);
}
template <class Wire>
void fields(Wire& w, PixelModule& m) {
  w(m.rows), w(m.columns), w(m.samples), w(m.frames), w(m.bits_allocated), w(m.bits_stored), w(m.high_bit);
  w(m.is_signed), w(m.planar), w(m.photometric);
}
template <class Wire>
void fields(Wire& w, StoredFrame& f) {
  w(f.module);  // the values lie behind all fields, so that they are copied once
}
template <class Wire>
void fields(Wire& w, LookupTable& t) {
  w(t.first), w(t.bits), w(t.entries);
}
template <class Wire>
void fields(Wire& w, FrameRules& r) {
  w(r.modality), w(r.slope), w(r.intercept), w(r.modality_table), w(r.windows), w(r.voi_tables);
  w(r.padding_low), w(r.padding_high), w(r.palette), w(r.aspect), w(r.remarks);
}
template <class Wire>
void fields(Wire& w, ObjectFacts& f) {
  w(f.sop_class), w(f.transfer_syntax), w(f.modality), w(f.photometric), w(f.sop_instance), w(f.series), w(f.study);
  w(f.accession), w(f.patient), w(f.issuer), w(f.study_date), w(f.birth_date), w(f.sex), w(f.rows), w(f.columns);
  w(f.frames), w(f.every_frame), w(f.skip), w(f.remarks), w(f.tags);
}
template <class Wire>
void fields(Wire& w, Answer& a) {
  w(a.fault), w(a.detail), w(a.offset), w(a.stamp), w(a.file_sha256), w(a.stored_sha256), w(a.facts), w(a.frame);
  w(a.rules), w(a.members);
}

}  // namespace shiftnorm::imaging::dicom

namespace shiftnorm::imaging {
template <class Wire>
void fields(Wire& w, VoiWindow& v) {
  w(v.centre), w(v.width), w(v.function);
}
}  // namespace shiftnorm::imaging
