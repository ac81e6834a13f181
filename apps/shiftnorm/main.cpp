// The program's front. The commands are a module beside it (program.cpp), as its libraries take some 40 ms to load,
// which nobody wants to wait for who asks for the version (decision 0055).
#include <dlfcn.h>

#include <csignal>
#include <cstdio>
#include <string_view>

#include "exit_code.hpp"
#include "shiftnorm/core/version.hpp"

#ifdef SHIFTNORM_ONE_PROGRAM
extern "C" int shiftnorm_main(int argc, char** argv);
#endif

namespace {

using shiftnorm::app::ExitCode;

int say_version() {
  std::signal(SIGPIPE, SIG_IGN);  // a reader that went away is a failed write
  const std::string_view version = shiftnorm::version();
  const bool said = std::printf("shiftnorm %.*s\n", static_cast<int>(version.size()), version.data()) > 0;
  if (said && std::fflush(stdout) == 0) return static_cast<int>(ExitCode::done);
  std::fputs("shiftnorm: standard output: cannot be written to; expected space for the result\n", stderr);
  return static_cast<int>(ExitCode::machine);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc > 1 && std::string_view(argv[1]) == "--version") return say_version();
#ifdef SHIFTNORM_ONE_PROGRAM
  return shiftnorm_main(argc, argv);
#else
  // By its name alone: it is looked for where the program was built or installed (its RPATH).
  void* const program = dlopen("shiftnorm_program.so", RTLD_LAZY | RTLD_LOCAL);
  using Main = int (*)(int, char**);
  const auto run = program == nullptr ? nullptr : reinterpret_cast<Main>(dlsym(program, "shiftnorm_main"));
  if (run != nullptr) return run(argc, argv);
  const char* const reason = dlerror();  // NOLINT(concurrency-mt-unsafe): no other thread has started
  std::fprintf(stderr, "shiftnorm: its commands cannot be loaded: %s; expected an intact installation\n", reason);
  return static_cast<int>(ExitCode::machine);
#endif
}
