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
#include <charconv>
#include <optional>
#include <string_view>

#include "dicom/object.hpp"
#include "shiftnorm/core/error.hpp"

namespace shiftnorm::imaging::dicom {
namespace {

namespace log = dcmtk::log4cplus;

std::atomic<std::int64_t> lost{0}, left_over{0};

/// "Corrupt JPEG data: 6 extraneous bytes before marker 0xd9": how many, unless the marker is a restart. There the
/// decoder was out of step.
std::optional<std::int64_t> extraneous_bytes(std::string_view text) {
  constexpr std::string_view kBefore = "Corrupt JPEG data: ", kBetween = " extraneous bytes before marker 0x";
  const std::size_t begin = text.find(kBefore), middle = text.find(kBetween);
  if (begin == std::string_view::npos || middle == std::string_view::npos) return std::nullopt;
  const std::string_view count = text.substr(begin + kBefore.size(), middle - begin - kBefore.size());
  const std::string_view marker = text.substr(middle + kBetween.size(), 2);
  std::int64_t n = 0;
  unsigned code = 0;
  const bool read = std::from_chars(count.data(), count.data() + count.size(), n).ec == std::errc{} &&
                    std::from_chars(marker.data(), marker.data() + marker.size(), code, 16).ec == std::errc{};
  if (!read || (code >= 0xd0 && code <= 0xd7)) return std::nullopt;
  return n;
}

/// Swallows DCMTK's messages, which name files and values; counts those that mean damaged pictures.
class Listener final : public log::Appender {
 public:
  ~Listener() override { destructorImpl(); }
  void close() override { closed = true; }

 protected:
  void append(const log::spi::InternalLoggingEvent& event) override {
    if (event.getLogLevel() < log::WARN_LOG_LEVEL) return;
    if (!std::string_view(event.getLoggerName().c_str()).starts_with("dcmtk.dcmjp")) return;
    const std::string_view text(event.getMessage().c_str());
    if (const auto bytes = extraneous_bytes(text)) {
      left_over += *bytes;
      return;
    }
    // libjpeg's warnings (jerror.h, JWRN_*) of data that are missing or were misread. Its others (a scan header that
    // says Se = 0, an unknown JFIF revision) change no pixel.
    constexpr std::array<std::string_view, 3> kDamage{"Corrupt JPEG data", "Premature end of JPEG",
                                                      "Inconsistent progression"};
    for (const std::string_view damage : kDamage)
      if (text.find(damage) != std::string_view::npos) {
        ++lost;
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

DecoderWarnings decoder_warnings() { return {lost, left_over}; }

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
