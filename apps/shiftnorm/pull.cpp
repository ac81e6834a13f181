#include "shiftnorm/pacs/pull.hpp"

#include <fmt/format.h>

#include "commands.hpp"
#include "pull_options.hpp"

namespace shiftnorm::app {
namespace {

using container::Json;

Json counts_json(const pacs::PullCounts& counts) {
  return Json::object({{"matching", counts.matching},
                       {"received", counts.received},
                       {"already", counts.already},
                       {"failed", counts.failed}});
}

Json result_json(const pacs::PullOptions& options, const pacs::PullResult& result) {
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
                       {"seconds", result.seconds}});
}

std::string size_text(std::uint64_t bytes) {
  return bytes < 10'000'000 ? fmt::format("{:.0f} kB", static_cast<double>(bytes) / 1e3)
                            : fmt::format("{:.0f} MB", static_cast<double>(bytes) / 1e6);
}

ExitCode pull(const Options& options, Console& console) {
  const pacs::PullOptions request = pull_options_of(options);
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
  for (const std::string& note : result.notes) console.warn(note);
  if (console.json()) console.print(result_json(request, result));
  if (request.dry_run) {
    console.say(fmt::format("{} studies, {} series, {}{} objects match\n", result.studies.matching,
                            result.series.matching, result.objects_known ? "" : "at least ", result.objects.matching));
    return ExitCode::done;
  }
  console.say(fmt::format("{} studies, {} series, {} objects ({}) in {:.1f} s; {} objects were already there\n",
                          result.studies.received, result.series.received, result.objects.received,
                          size_text(result.bytes), result.seconds, result.objects.already));
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
           {pull_options()},
           {}},
          pull};
}

}  // namespace shiftnorm::app
