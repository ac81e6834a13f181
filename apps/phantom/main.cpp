// phantom: writes synthetic chest pictures of two scanners as image folders. No patient is behind any of them.
#include <fmt/format.h>

#include <boost/program_options.hpp>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <opencv2/imgcodecs.hpp>
#include <string>
#include <vector>

#include "anatomy.hpp"
#include "random.hpp"
#include "scanner.hpp"
#include "shiftnorm/core/error.hpp"

namespace shiftnorm::phantom {
namespace {

struct Options {
  std::filesystem::path out;
  std::string scanner;
  std::int64_t per_class = 0;
  std::uint64_t seed = 0;
  std::int64_t side = 0;
};

void write_png(const std::filesystem::path& path, std::vector<std::uint8_t>& grey, std::size_t side) {
  const cv::Mat view(static_cast<int>(side), static_cast<int>(side), CV_8UC1, grey.data());
  std::vector<std::uint8_t> png;
  if (!cv::imencode(".png", view, png)) throw Error(path.filename().string() + ": cannot be encoded as PNG");
  // Straight to its place, not as write_file does: many small files that can be made again need no flush to disk each.
  std::ofstream file(path, std::ios::binary);
  file.write(reinterpret_cast<const char*>(png.data()), static_cast<std::streamsize>(png.size()));
  file.close();
  if (!file) throw MachineError(path.filename().string() + ": cannot be written");
}

void write_scanner(const Options& options, std::size_t which) {
  const Scanner& scanner = kScanners[which];
  const auto side = static_cast<std::size_t>(options.side);
  for (std::size_t finding = 0; finding < kFindings.size(); ++finding) {
    const auto folder = options.out / fmt::format("scanner-{}", scanner.name) / kFindings[finding];
    std::filesystem::create_directories(folder);
    for (std::int64_t i = 0; i < options.per_class; ++i) {
      // Every image has a stream of its own: how many others are made, and of what, does not change it.
      Random random(mixed(mixed(mixed(options.seed, which), finding), static_cast<std::uint64_t>(i)));
      const Picture picture = chest(static_cast<Finding>(finding), side, random);
      std::vector<std::uint8_t> grey = acquire(picture, scanner, random);
      write_png(folder / fmt::format("{:04}.png", i), grey, side);
    }
  }
}

/// Every picture with its finding and scanner, as `shiftnorm` reads tables.
void write_table(const Options& options, const std::vector<std::size_t>& scanners) {
  std::ofstream file(options.out / "images.csv");
  file << "path,label,scanner\n";
  for (const std::size_t which : scanners)
    for (const std::string_view finding : kFindings)
      for (std::int64_t i = 0; i < options.per_class; ++i)
        file << fmt::format("scanner-{0}/{1}/{2:04}.png,{1},{0}\n", kScanners[which].name, finding, i);
  file.close();
  if (!file) throw MachineError("images.csv: cannot be written");
}

/// False: help was asked for and printed.
bool parse(int argc, char** argv, Options& options) {
  namespace po = boost::program_options;
  po::options_description named(
      "phantom OUT [options]: synthetic chest pictures, OUT/scanner-A/<class>/NNNN.png, OUT/images.csv");
  named.add_options()("help", "this text")                                                                 //
      ("scanner", po::value(&options.scanner)->default_value("both"), "A, B or both")                      //
      ("per-class", po::value(&options.per_class)->default_value(50), "images of each class, 1 to 10000")  //
      ("seed", po::value(&options.seed)->default_value(1), "another seed, other patients")                 //
      ("size", po::value(&options.side)->default_value(64), "rows and columns in pixels, 16 to 1024");
  po::options_description all;
  all.add(named).add_options()("out", po::value<std::string>());
  po::positional_options_description position;
  position.add("out", 1);
  po::variables_map given;
  po::store(po::command_line_parser(argc, argv).options(all).positional(position).run(), given);
  if (given.count("help") != 0) {
    std::cout << named;
    return false;
  }
  po::notify(given);
  if (given.count("out") == 0) throw ConfigError("OUT is missing; expected a folder to write to");
  options.out = given["out"].as<std::string>();
  if (options.scanner != "A" && options.scanner != "B" && options.scanner != "both")
    throw ConfigError(fmt::format("--scanner {}; expected A, B or both", options.scanner));
  if (options.per_class < 1 || options.per_class > 10000)
    throw ConfigError(fmt::format("--per-class {}; expected 1 to 10000", options.per_class));
  if (options.side < 16 || options.side > 1024)
    throw ConfigError(fmt::format("--size {}; expected 16 to 1024", options.side));
  return true;
}

int run(int argc, char** argv) {
  try {
    Options options;
    if (!parse(argc, argv, options)) return 0;
    std::vector<std::size_t> scanners;
    for (std::size_t i = 0; i < kScanners.size(); ++i)
      if (options.scanner == "both" || options.scanner == kScanners[i].name) scanners.push_back(i);
    for (const std::size_t which : scanners) write_scanner(options, which);
    write_table(options, scanners);
    return 0;
  } catch (const ConfigError& e) {
    std::cerr << "phantom: " << e.what() << '\n';
    return 2;
  } catch (const boost::program_options::error& e) {
    std::cerr << "phantom: " << e.what() << '\n';
    return 2;
  } catch (const MachineError& e) {
    std::cerr << "phantom: " << e.what() << '\n';
    return 5;
  } catch (const std::filesystem::filesystem_error& e) {
    std::cerr << "phantom: " << e.path1().filename().string() << ": " << e.code().message() << '\n';
    return 5;
  } catch (const std::exception& e) {
    std::cerr << "phantom: " << e.what() << '\n';
    return 1;
  }
}

}  // namespace
}  // namespace shiftnorm::phantom

int main(int argc, char** argv) { return shiftnorm::phantom::run(argc, argv); }
