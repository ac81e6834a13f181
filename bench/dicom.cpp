// What reading one DICOM file costs, from the file to the network's input: in this process, and as the program does it,
// through a helper process. Reads a path a line, answers each with one JSON line of seconds; bench/dicom.py asks.
// usage: bench_dicom PRESET SIDE
#include <fmt/format.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <memory>
#include <numeric>
#include <string>
#include <vector>

#include "dicom/helper_pool.hpp"
#include "dicom/object.hpp"
#include "dicom/pixel_chain.hpp"
#include "dicom/service.hpp"
#include "shiftnorm/core/error.hpp"
#include "shiftnorm/imaging/decoder_host.hpp"
#include "shiftnorm/imaging/transform.hpp"

namespace {

using namespace shiftnorm;
using namespace shiftnorm::imaging;
using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

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
  if (argc != 3) {
    std::fputs("usage: bench_dicom PRESET SIDE\n", stderr);
    return 2;
  }
  const DecoderHost host;
  try {
    dicom::start_dcmtk();
    const Pipeline pipeline = preset(argv[1]);
    const auto side = static_cast<std::size_t>(std::atoi(argv[2]));
    std::vector<float> input(3 * side * side);
    dicom::Service here({});
    dicom::HelperPool helpers;
    for (std::string path; std::getline(std::cin, path);) {
      const dicom::Request request{dicom::Task::frame, path, -1, 0, {}};
      const auto inside = Clock::now();
      dicom::Answer answer = here.answer(request);
      if (answer.fault) throw dicom::Fault(*answer.fault, answer.detail);
      const double decode = seconds_since(inside);
      const auto chaining = Clock::now();
      finish(pipeline, std::move(answer), input);
      const double chain = seconds_since(chaining);

      const auto isolated = Clock::now();
      finish(pipeline, helpers.ask(request), input);
      const double through_helper = seconds_since(isolated);
      fmt::print("{{\"decode\":{:.6f},\"chain\":{:.6f},\"isolated\":{:.6f},\"mean\":{:.6f}}}\n", decode, chain,
                 through_helper, mean_of(input));
      std::fflush(stdout);
    }
  } catch (const std::exception& e) {
    fmt::print(stderr, "bench_dicom: {}\n", e.what());
    return 1;
  }
  return 0;
}
