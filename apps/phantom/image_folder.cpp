#include "image_folder.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <opencv2/imgcodecs.hpp>
#include <vector>

#include "anatomy.hpp"
#include "random.hpp"
#include "scanner.hpp"
#include "shiftnorm/core/error.hpp"

namespace shiftnorm::phantom {
namespace {

void write_png(const std::filesystem::path& path, const std::vector<double>& levels, std::size_t side) {
  std::vector<std::uint8_t> grey;
  for (const double level : levels) grey.push_back(static_cast<std::uint8_t>(std::lround(255 * level)));
  const cv::Mat view(static_cast<int>(side), static_cast<int>(side), CV_8UC1, grey.data());
  std::vector<std::uint8_t> png;
  if (!cv::imencode(".png", view, png)) throw Error(path.filename().string() + ": cannot be encoded as PNG");
  // Straight to its place, not as write_file does: many small files that can be made again need no flush to disk each.
  std::ofstream file(path, std::ios::binary);
  file.write(reinterpret_cast<const char*>(png.data()), static_cast<std::streamsize>(png.size()));
  file.close();
  if (!file) throw MachineError(path.filename().string() + ": cannot be written");
}

}  // namespace

void write_image_folder(const std::filesystem::path& out, std::size_t scanner, std::int64_t per_class, std::size_t side,
                        std::uint64_t seed) {
  for (std::size_t finding = 0; finding < kFindings.size(); ++finding) {
    const auto folder = out / fmt::format("scanner-{}", kScanners[scanner].name) / kFindings[finding];
    std::filesystem::create_directories(folder);
    for (std::int64_t i = 0; i < per_class; ++i) {
      // Every image has a stream of its own: how many others are made, and of what, does not change it.
      Random random(mixed(mixed(mixed(seed, scanner), finding), static_cast<std::uint64_t>(i)));
      const Picture picture = chest(static_cast<Finding>(finding), std::min(side, kFinestDrawing), random, random);
      write_png(folder / fmt::format("{:04}.png", i), acquire(picture, kScanners[scanner], side, random), side);
    }
  }
}

}  // namespace shiftnorm::phantom
