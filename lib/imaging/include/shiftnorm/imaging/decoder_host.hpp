#pragma once

#include <memory>

namespace shiftnorm::imaging {

/// The process from which decoding helpers are forked. Untrusted objects (DICOM) are read in helpers with limits on
/// memory and time, so that a bad file costs that file alone. A program's main() makes one of these first of all:
/// before threads, MPI and large allocations, so that every helper is forked from a small single-threaded process.
/// Without one, the first DICOM data set makes its own. There is one per process; a second is the same.
class DecoderHost {
 public:
  DecoderHost();  ///< throws MachineError if no process can be made
  ~DecoderHost();
  DecoderHost(const DecoderHost&) = delete;
  DecoderHost& operator=(const DecoderHost&) = delete;

 private:
  std::shared_ptr<void> fork_server_;
};

}  // namespace shiftnorm::imaging
