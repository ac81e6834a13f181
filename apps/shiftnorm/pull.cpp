#include "shiftnorm/pacs/pull.hpp"

#include <fmt/format.h>

#include <chrono>
#include <filesystem>

#include "commands.hpp"
#include "shiftnorm/core/text.hpp"
#include "shiftnorm/toolkit/output_files.hpp"

namespace shiftnorm::app {
namespace {

namespace fs = std::filesystem;
using container::Json;

constexpr OptionSpec kPull[] = {
    {"peer", "AET@HOST:PORT", "the archive"},
    {"aet", "AET", "our AE title, by which the archive knows us (default: SHIFTNORM)"},
    {"query", "KEY=VALUE",
     "a condition on studies or series, such as Modality=DX or StudyDate=20200101-20201231; "
     "may be repeated, all must hold",
     true},
    {"out", "DIR", "where the objects go; complete ones are not downloaded again"},
    {"method", "get|move", "C-GET, or C-MOVE to a port of this machine (default: get; move if --move-port is given)"},
    {"move-port", "N", "the port that the archive sends to with C-MOVE, as configured there"},
    {"tls", "", "encrypt, and check the archive's certificate"},
    {"tls-key", "FILE", "our private key (PEM, without a password)"},
    {"tls-cert", "FILE", "our certificate (PEM)"},
    {"tls-ca", "FILE", "the authorities that must have signed the archive's certificate (PEM)"},
    {"max-disk", "SIZE", "the most that the objects in --out may take, such as 50G"},
    {"timeout", "S", "seconds to wait for a connection or an answer (default: 60)"},
    {"key", "DIR", "the folder with the .shiftnorm/key that names are made with (default: the working directory)"},
    {"dry-run", "", "count what matches, download nothing"},
};

std::string required(const Options& options, std::string_view name, std::string_view expected) {
  if (!options.has(name)) throw ConfigError(fmt::format("pull: no --{}; expected {}", name, expected));
  return options.text(name);
}

pacs::Method method_of(const Options& options) {
  const pacs::Method method =
      options.named("method", pacs::kMethods, options.has("move-port") ? pacs::Method::move : pacs::Method::get);
  const bool move = method == pacs::Method::move;
  if (move != options.has("move-port"))
    throw ConfigError(move ? "--method = move: no --move-port; expected the port that the archive sends to"
                           : "--move-port: is not for --method get; expected --method move, or neither");
  return method;
}

std::optional<pacs::Tls> tls_of(const Options& options, pacs::Method method) {
  if (!options.has("tls")) {
    for (const char* part : {"tls-key", "tls-cert", "tls-ca"})
      if (options.has(part))
        throw ConfigError(fmt::format("--{}: the connection is not encrypted; expected --tls with it", part));
    return std::nullopt;
  }
  if (!options.has("tls-ca"))
    throw ConfigError("--tls: no --tls-ca; expected the authority that signed the archive's certificate");
  if (options.has("tls-key") != options.has("tls-cert"))
    throw ConfigError("--tls: a key without its certificate or the reverse; expected both or none");
  if (method == pacs::Method::move && !options.has("tls-key"))
    throw ConfigError("--tls: no --tls-key and --tls-cert; expected both, as the archive connects to us with C-MOVE");
  return pacs::Tls{options.text("tls-key"), options.text("tls-cert"), options.text("tls-ca")};
}

pacs::PullOptions options_of(const Options& options) {
  const pacs::Method method = method_of(options);
  const std::string peer = required(options, "peer", "AET@HOST:PORT");
  pacs::PullOptions pull{
      from_option("peer", [&] { return pacs::parse_peer(peer); }),
      from_option("aet", [&] { return pacs::parse_title(options.text("aet", "SHIFTNORM")); }),
      from_option("query", [&] { return pacs::Query(options.texts("query")); }),
      options.has("dry-run") ? options.text("out") : required(options, "out", "a folder for the objects"),
      options.text("key", "."),
      method,
      static_cast<std::uint16_t>(options.integer("move-port", 0, 1, 65535)),
      tls_of(options, method),
      options.bytes("max-disk"),
      static_cast<int>(options.integer("timeout", 60, 1, 86400)),
      options.has("dry-run")};
  if (!pull.out.empty()) toolkit::check_folder_can_be_made(pull.out);
  return pull;
}

Json counts_json(const pacs::PullCounts& counts) {
  return Json::object({{"matching", counts.matching},
                       {"received", counts.received},
                       {"already", counts.already},
                       {"failed", counts.failed}});
}

Json result_json(const pacs::PullOptions& options, const pacs::PullResult& result, double seconds) {
  Json syntaxes = Json::object({});
  for (const auto& [uid, objects] : result.transfer_syntaxes) syntaxes.set(uid, objects);
  return Json::object({{"schema", 1},
                       {"method", pacs::kMethods.name_of(options.method)},
                       {"dry_run", options.dry_run},
                       {"studies", counts_json(result.studies)},
                       {"series", counts_json(result.series)},
                       {"objects", counts_json(result.objects)},
                       {"objects_known", result.objects_known},
                       {"bytes", static_cast<std::int64_t>(result.bytes)},
                       {"transfer_syntaxes", std::move(syntaxes)},
                       {"seconds", seconds}});
}

std::string size_text(std::uint64_t bytes) {
  return bytes < 10'000'000 ? fmt::format("{:.0f} kB", static_cast<double>(bytes) / 1e3)
                            : fmt::format("{:.0f} MB", static_cast<double>(bytes) / 1e6);
}

ExitCode pull(const Options& options, Console& console) {
  const pacs::PullOptions request = options_of(options);
  const auto start = std::chrono::steady_clock::now();
  pacs::PullResult result;
  try {
    result = pacs::pull(request, console.progress());
  } catch (const Interrupted&) {
    console.fail({ExitCode::interrupted,
                  request.dry_run
                      ? "interrupted"
                      : "interrupted; what has arrived is kept, and the same command continues from there"});
    return ExitCode::interrupted;
  }
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  for (const std::string& note : result.notes) console.warn(note);
  if (console.json()) console.print(result_json(request, result, seconds));
  if (request.dry_run) {
    console.say(fmt::format("{} studies, {} series, {}{} objects match\n", result.studies.matching,
                            result.series.matching, result.objects_known ? "" : "at least ", result.objects.matching));
    return ExitCode::done;
  }
  console.say(fmt::format("{} studies, {} series, {} objects ({}) in {:.1f} s; {} objects were already there\n",
                          result.studies.received, result.series.received, result.objects.received,
                          size_text(result.bytes), seconds, result.objects.already));
  if (result.series.failed == 0) return ExitCode::done;
  console.fail({ExitCode::too_many_bad,
                fmt::format("pull: {} of {} objects did not arrive, in {} series (the archive's last status is {}); "
                            "expected all; the same command requests them again",
                            result.objects.failed, result.objects.matching, result.series.failed,
                            pacs::describe_status(result.last_failure))});
  return ExitCode::too_many_bad;
}

}  // namespace

Command pull_command() {
  return {{"pull",
           "shiftnorm pull --peer AET@HOST:PORT --query KEY=VALUE.. --out DIR [--method move --move-port N] [--tls ..]",
           "Downloads a cohort from a PACS (DICOM C-FIND, then C-GET or C-MOVE).",
           "",
           false,
           {kPull},
           {}},
          pull};
}

}  // namespace shiftnorm::app
