#include "image_folder.hpp"

#include <fmt/format.h>
#include <png.h>

#include <algorithm>
#include <cmath>
#include <fstream>
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
  png_image header{};
  header.version = PNG_IMAGE_VERSION;
  header.width = header.height = static_cast<png_uint_32>(side);
  header.format = PNG_FORMAT_GRAY;
  std::vector<std::uint8_t> png(PNG_IMAGE_PNG_SIZE_MAX(header));
  png_alloc_size_t size = png.size();
  if (png_image_write_to_memory(&header, png.data(), &size, 0, grey.data(), 0, nullptr) == 0)
    throw Error(path.filename().string() + ": cannot be encoded as PNG");
  png.resize(size);
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
