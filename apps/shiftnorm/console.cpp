#include "console.hpp"

#include <spdlog/sinks/ostream_sink.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <cstdio>
#include <sstream>

#include "progress_view.hpp"
#include "shiftnorm/core/error.hpp"
#include "shiftnorm/core/text.hpp"
#include "signals.hpp"

namespace shiftnorm::app {
namespace {

constexpr auto kLevels = names<Named<spdlog::level::level_enum>>("level", {{"trace", spdlog::level::trace},
                                                                           {"debug", spdlog::level::debug},
                                                                           {"info", spdlog::level::info},
                                                                           {"warn", spdlog::level::warn},
                                                                           {"error", spdlog::level::err},
                                                                           {"off", spdlog::level::off}});

}  // namespace

struct Console::State {
  bool json_events = false, json_document = false, quiet = false;
  std::unique_ptr<ProgressView> view = std::make_unique<ProgressView>(ProgressStyle::none);
  std::ostringstream log_text;
  spdlog::logger screen{"screen", std::make_shared<spdlog::sinks::stderr_sink_mt>()};
  spdlog::logger log{"log", std::make_shared<spdlog::sinks::ostream_sink_mt>(log_text)};

  void put(spdlog::level::level_enum level, const std::string& text, const char* prefix,
           container::Json::ObjectType more = {}) {
    log.log(level, "{}", text);
    if (!screen.should_log(level)) return;
    view->clear();
    if (!json_events) {
      screen.log(level, "shiftnorm: {}{}", prefix, text);
      return;
    }
    container::Json event = container::Json::object(
        {{"event", spdlog::level::to_string_view(level).data()}, {"message", printable(text, text.size())}});
    for (auto& [key, value] : more) event.set(key, std::move(value));
    screen.log(level, "{}", container::write_json(event));
  }
};

Console::Console() : state_(std::make_unique<State>()) {
  state_->screen.set_pattern("%v");
  state_->screen.set_level(spdlog::level::warn);
  state_->log.set_pattern("%Y-%m-%dT%H:%M:%S%z %l %v");
  state_->log.set_level(spdlog::level::debug);
}

Console::~Console() = default;

void Console::configure(const Options& options) {
  const std::string format = options.text("log-format", "text");
  if (format != "text" && format != "json")
    throw ConfigError(fmt::format("--log-format = {}; expected text or json", printable(format)));
  state_->json_events = format == "json";
  state_->json_document = options.has("json");
  state_->quiet = options.has("quiet");
  state_->screen.set_level(
      options.named("log-level", kLevels, state_->quiet ? spdlog::level::warn : spdlog::level::info));
  const bool shown = !state_->quiet && state_->screen.level() <= spdlog::level::info;
  state_->view = std::make_unique<ProgressView>(!shown                       ? ProgressStyle::none
                                                : state_->json_events        ? ProgressStyle::json
                                                : isatty(STDERR_FILENO) != 0 ? ProgressStyle::bar
                                                                             : ProgressStyle::lines);
}

void Console::debug(const std::string& text) { state_->put(spdlog::level::debug, text, ""); }
void Console::info(const std::string& text) { state_->put(spdlog::level::info, text, ""); }
void Console::warn(const std::string& text) { state_->put(spdlog::level::warn, text, "warning: "); }
void Console::fail(const Failure& failure) {
  state_->put(spdlog::level::err, failure.text, "", {{"exit", static_cast<int>(failure.code)}});
}

void Console::say(std::string_view text) const {
  if (!state_->quiet && !state_->json_document) write_stdout(text);
}
void Console::print(const container::Json& document) const { write_stdout(container::write_json(document, 2) + "\n"); }
bool Console::json() const { return state_->json_document; }

Progress Console::progress() {
  Progress progress;
  progress.report = [view = state_->view.get()](std::string_view stage, std::int64_t done, std::int64_t total) {
    view->report(stage, done, total);
  };
  progress.enter = [view = state_->view.get()](std::string_view kind, std::string_view name) {
    view->enter(kind, name);
  };
  progress.cancelled = &cancelled();
  return progress;
}

toolkit::Events Console::messages() {
  return {progress(), [this](const std::string& line) { info(line); }, [this](const std::string& line) { warn(line); }};
}

toolkit::Events Console::events() {
  toolkit::Events events = messages();
  events.progress.report = [this, report = events.progress.report, last = std::int64_t{-1}](
                               std::string_view stage, std::int64_t done, std::int64_t total) mutable {
    if (report) report(stage, done, total);
    const std::int64_t tenth = total > 0 ? done * 10 / total : 0;
    if (tenth == last) return;
    last = tenth;
    debug(fmt::format("{}: {} of {}", stage, done, total));
  };
  return events;
}

std::string Console::log() const { return state_->log_text.str(); }

void write_stdout(std::string_view text) {
  if (std::fwrite(text.data(), 1, text.size(), stdout) != text.size() || std::fflush(stdout) != 0)
    throw MachineError("standard output: cannot be written to; expected space for the result");
}

}  // namespace shiftnorm::app
