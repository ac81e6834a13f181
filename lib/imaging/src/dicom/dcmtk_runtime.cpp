#include "dicom/dcmtk_runtime.hpp"

#include <dcmtk/config/osconfig.h>
#include <dcmtk/dcmdata/dcdict.h>
#include <dcmtk/dcmdata/dcobject.h>
#include <dcmtk/dcmdata/dcvr.h>
#include <dcmtk/dcmjpeg/djdecode.h>
#include <dcmtk/dcmjpls/djdecode.h>
#include <dcmtk/oflog/oflog.h>
#include <dcmtk/oflog/spi/logevent.h>

#include <array>
#include <atomic>
#include <string_view>

#include "dicom/object.hpp"
#include "shiftnorm/core/error.hpp"

namespace shiftnorm::imaging::dicom {
namespace {

namespace log = dcmtk::log4cplus;

std::atomic<std::int64_t> complaints{0};

/// Swallows DCMTK's messages, which name files and values; counts those that mean damaged pictures.
class Listener final : public log::Appender {
 public:
  ~Listener() override { destructorImpl(); }
  void close() override { closed = true; }

 protected:
  void append(const log::spi::InternalLoggingEvent& event) override {
    if (event.getLogLevel() < log::WARN_LOG_LEVEL) return;
    if (!std::string_view(event.getLoggerName().c_str()).starts_with("dcmtk.dcmjp")) return;
    // libjpeg's warnings (jerror.h, JWRN_*).
    constexpr std::array<std::string_view, 4> kDamage{"Corrupt JPEG data", "Premature end of JPEG", "Inconsistent",
                                                      "Invalid"};
    const std::string_view text(event.getMessage().c_str());
    for (const std::string_view damage : kDamage)
      if (text.find(damage) != std::string_view::npos) {
        ++complaints;
        return;
      }
  }
};

void silence() {
  OFLog::configure(OFLogger::WARN_LOG_LEVEL);
  log::Logger root = log::Logger::getRoot();
  root.removeAllAppenders();
  root.addAppender(log::SharedAppenderPtr(new Listener));
}

}  // namespace

std::int64_t decoder_complaints() { return complaints; }

void start_dcmtk() {
  static const bool started = [] {
    silence();
    if (!dcmDataDict.isDictionaryLoaded())
      throw MachineError("DCMTK finds no data dictionary; expected dicom.dic where its package puts it");
    // Objects that passed through an archive that did not know an element carry it as UN.
    dcmEnableUnknownVRConversion.set(OFTrue);
    // As decoded: colour is converted by our own arithmetic, the same for every transfer syntax.
    DJDecoderRegistration::registerCodecs(EDC_never);
    DJLSDecoderRegistration::registerCodecs();
    return true;
  }();
  static_cast<void>(started);
}

}  // namespace shiftnorm::imaging::dicom
