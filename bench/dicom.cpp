// What reading one DICOM file costs, from the file to the network's input: in this process, or as the program does it,
// through a helper process. Reads a path a line, answers each with one JSON line of processor seconds, its own;
// bench/dicom.py asks. usage: bench_dicom PRESET SIDE here|helper
#include <fmt/format.h>
#include <time.h>

#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <memory>
#include <numeric>
#include <string>
#include <string_view>
#include <vector>

#include "dicom/helper_pool.hpp"
#include "dicom/object.hpp"
#include "dicom/pixel_chain.hpp"
#include "dicom/service.hpp"
#include "shiftnorm/core/error.hpp"
#include "shiftnorm/core/heap.hpp"
#include "shiftnorm/imaging/decoder_host.hpp"
#include "shiftnorm/imaging/transform.hpp"

namespace {

using namespace shiftnorm;
using namespace shiftnorm::imaging;
/// Processor seconds of this process so far: other work on the machine does not count.
double processor_seconds() {
  timespec used{};
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
  return static_cast<double>(used.tv_sec) + 1e-9 * static_cast<double>(used.tv_nsec);
}

/// The chain and the steps of the preset, into the network's input.
void finish(const Pipeline& pipeline, dicom::Answer answer, std::vector<float>& input) {
  auto frame = std::make_shared<dicom::Frame>(dicom::Frame{std::move(answer.frame), std::move(answer.rules), nullptr});
  const dicom::PixelModule& m = frame->stored.module;
  Image image{.height = m.rows, .width = m.columns, .channels = m.samples, .bits = 0, .frame = frame};
  apply_float_steps(pipeline, apply_image_steps(pipeline, std::move(image), 3), input);
}

double mean_of(const std::vector<float>& values) {
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

}  // namespace

int main(int argc, char** argv) {
  const bool isolated = argc == 4 && std::string_view(argv[3]) == "helper";
  if (argc != 4 || (!isolated && std::string_view(argv[3]) != "here")) {
    std::fputs("usage: bench_dicom PRESET SIDE here|helper\n", stderr);
    return 2;
  }
  const DecoderHost host;
  keep_freed_memory();  // as the program does
  try {
    dicom::start_dcmtk();
    const Pipeline pipeline = preset(argv[1]);
    const auto side = static_cast<std::size_t>(std::atoi(argv[2]));
    std::vector<float> input(3 * side * side);
    dicom::Service service({});
    dicom::HelperPool helpers;
    for (std::string path; std::getline(std::cin, path);) {
      const dicom::Request request{dicom::Task::frame, path, -1, 0, {}};
      const double start = processor_seconds();
      dicom::Answer answer = isolated ? helpers.ask(request) : service.answer(request);
      if (answer.fault) throw dicom::Fault(*answer.fault, answer.detail);
      const double decode = processor_seconds() - start;
      finish(pipeline, std::move(answer), input);
      fmt::print("{{\"decode\":{:.6f},\"mean\":{:.6f}}}\n", decode, mean_of(input));
      std::fflush(stdout);
    }
  } catch (const std::exception& e) {
    fmt::print(stderr, "bench_dicom: {}\n", e.what());
    return 1;
  }
  return 0;
}
