// phantom: writes synthetic chest pictures of two scanners, as a hospital's DICOM archive or as image folders. No
// patient is behind any of them.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <boost/program_options.hpp>
#include <cstdint>
#include <filesystem>
#include <iostream>
#include <string>
#include <vector>

#include "archive.hpp"
#include "image_folder.hpp"
#include "scanner.hpp"
#include "shiftnorm/core/error.hpp"

namespace shiftnorm::phantom {
namespace {

struct Options {
  std::filesystem::path out;
  std::string format, scanner, syntaxes;
  std::int64_t patients = 0, per_class = 0, side = 0;
  std::uint64_t seed = 0;
  bool images_only = false;
};

std::string syntax_names() {
  std::vector<std::string_view> names;
  for (const Syntax& syntax : kSyntaxes) names.push_back(syntax.name);
  return fmt::format("{}", fmt::join(names, ","));
}

std::vector<Syntax> syntaxes_of(const std::string& list) {
  std::vector<Syntax> chosen;
  for (std::size_t at = 0; at <= list.size();) {
    const std::size_t end = std::min(list.find(',', at), list.size());
    const std::string name = list.substr(at, end - at);
    const auto* found = std::ranges::find(kSyntaxes, name, &Syntax::name);
    if (found == kSyntaxes.end())
      throw ConfigError(fmt::format("--syntaxes: '{}' is unknown; expected some of {}", name, syntax_names()));
    chosen.push_back(*found);
    at = end + 1;
  }
  return chosen;
}

void check_range(std::string_view option, std::int64_t value, std::int64_t low, std::int64_t high) {
  if (value < low || value > high)
    throw ConfigError(fmt::format("--{} {}; expected {} to {}", option, value, low, high));
}

/// False: help was asked for and printed.
bool parse(int argc, char** argv, Options& options) {
  namespace po = boost::program_options;
  po::options_description named(
      "phantom OUT [options]: synthetic chest pictures of two scanners, as DICOM objects or as image folders");
  named.add_options()("help", "this text")  //
      ("format", po::value(&options.format)->default_value("dicom"),
       "dicom: an archive, OUT/labels.csv, OUT/DICOMDIR; png: folders, OUT/scanner-A/<class>/NNNN.png")  //
      ("scanner", po::value(&options.scanner)->default_value("both"), "A, B or both")                    //
      ("patients", po::value(&options.patients)->default_value(100),
       "dicom: patients of each scanner, two images each on average, 1 to 99000")  //
      ("syntaxes", po::value(&options.syntaxes)->default_value(syntax_names()),
       "dicom: transfer syntaxes that images take in turns")  //
      ("images-only", po::bool_switch(&options.images_only),
       "dicom: neither labels, report and DICOMDIR nor damaged files")                                          //
      ("per-class", po::value(&options.per_class)->default_value(50), "png: images of each class, 1 to 10000")  //
      ("seed", po::value(&options.seed)->default_value(1), "another seed, other patients")                      //
      ("size", po::value(&options.side)->default_value(64), "rows and columns in pixels, 16 to 4096");
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
  if (options.format != "dicom" && options.format != "png")
    throw ConfigError(fmt::format("--format {}; expected dicom or png", options.format));
  if (options.scanner != "A" && options.scanner != "B" && options.scanner != "both")
    throw ConfigError(fmt::format("--scanner {}; expected A, B or both", options.scanner));
  check_range("patients", options.patients, 1, 99000);
  check_range("per-class", options.per_class, 1, 10000);
  check_range("size", options.side, 16, 4096);
  return true;
}

void write_all(const Options& options) {
  std::vector<std::size_t> scanners;
  for (std::size_t i = 0; i < kScanners.size(); ++i)
    if (options.scanner == "both" || options.scanner == kScanners[i].name) scanners.push_back(i);
  const auto side = static_cast<std::size_t>(options.side);
  if (options.format == "dicom")
    return write_archive(options.out, {.scanners = scanners,
                                       .patients = options.patients,
                                       .side = side,
                                       .seed = options.seed,
                                       .syntaxes = syntaxes_of(options.syntaxes),
                                       .images_only = options.images_only});
  for (const std::size_t scanner : scanners)
    write_image_folder(options.out, scanner, options.per_class, side, options.seed);
}

int run(int argc, char** argv) {
  try {
    Options options;
    if (parse(argc, argv, options)) write_all(options);
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
