#include "archive.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <optional>

#include "directory.hpp"
#include "exposure.hpp"
#include "image_object.hpp"
#include "scanner.hpp"
#include "shiftnorm/core/error.hpp"

namespace shiftnorm::phantom {
namespace {

namespace fs = std::filesystem;

std::string folder_of(const Exposure& e) {
  return fmt::format("{}/P{:05}/ST{}", kScanners[e.scanner].name, e.patient, e.study);
}
std::string file_of(const Exposure& e) { return fmt::format("{}/SE{}/IM1", folder_of(e), e.series); }

void save(const fs::path& file, DcmFileFormat& object, E_TransferSyntax code) {
  fs::create_directories(file.parent_path());
  if (object.saveFile(file.c_str(), code).bad()) throw MachineError(file.filename().string() + ": cannot be written");
}

std::vector<char> read(const fs::path& file) {
  std::ifstream stream(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(stream), {}};
}

void write(const fs::path& file, const std::vector<char>& bytes) {
  std::ofstream stream(file, std::ios::binary);
  stream.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  stream.close();
  if (!stream) throw MachineError(file.filename().string() + ": cannot be written");
}

/// A copy that was interrupted.
void cut(const fs::path& file) {
  std::vector<char> bytes = read(file);
  bytes.resize(bytes.size() * 2 / 3);
  write(file, bytes);
}

/// A block of the disk that reads as zeros, from the start of a JPEG codestream on.
void blot(const fs::path& file) {
  constexpr std::string_view kStart = "\xff\xd8\xff";
  constexpr std::ptrdiff_t kBlock = 512;
  std::vector<char> bytes = read(file);
  const auto begin = std::search(bytes.begin(), bytes.end(), kStart.begin(), kStart.end());
  std::fill(begin, begin + std::min(kBlock, bytes.end() - begin), '\0');
  write(file, bytes);
}

struct Damage {
  std::string_view syntax;
  void (*apply)(const fs::path& file);
};
constexpr std::array kDamages{Damage{"explicit", cut}, Damage{"jpeg-lossless", blot}};

const Syntax& syntax_named(std::string_view name) { return *std::ranges::find(kSyntaxes, name, &Syntax::name); }

class Archive {
 public:
  Archive(const fs::path& out, const ArchiveOptions& options) : out_(out), options_(options) {
    fs::create_directories(out);
    if (options.images_only) return;
    fs::remove(out / "DICOMDIR");  // DCMTK would add to it
    directory_.emplace(out, options.seed);
  }

  void add_image(const Exposure& e, const Syntax& syntax) {
    const auto object = image_object(e, expose(e, options_.side, options_.seed), options_.seed, syntax);
    add(*object, file_of(e), syntax.code);
    if (e.series == 1)
      labels_ += fmt::format("{},{}\n", accession_number(e), kFindings[static_cast<std::size_t>(e.finding)]);
  }

  /// The patient after the last one, whose only image is damaged.
  void add_damaged(std::size_t scanner, const Damage& damage, std::int64_t patient) {
    const Exposure e{.scanner = scanner, .patient = patient};
    add_image(e, syntax_named(damage.syntax));
    damage.apply(out_ / file_of(e));
  }

  void add_report(std::size_t scanner) {
    const auto object = report_object(scanner, options_.seed);
    add(*object, folder_of({.scanner = scanner}) + "/SR1", EXS_LittleEndianExplicit);
  }

  void finish() {
    std::ofstream labels(out_ / "labels.csv");
    labels << "AccessionNumber,label\n" << labels_;
    labels.close();
    if (!labels) throw MachineError("labels.csv: cannot be written");
    directory_->write();
  }

 private:
  void add(DcmFileFormat& object, std::string file, E_TransferSyntax code) {
    save(out_ / file, object, code);
    if (!directory_) return;
    std::ranges::replace(file, '/', '\\');
    directory_->add(object, file);
  }

  fs::path out_;
  const ArchiveOptions& options_;
  std::optional<Directory> directory_;
  std::string labels_;
};

}  // namespace

void write_archive(const fs::path& out, const ArchiveOptions& options) {
  const Encoders encoders;
  Archive archive(out, options);
  std::size_t turn = 0;
  for (const std::size_t scanner : options.scanners)
    for (const Exposure& e : exposures(scanner, options.patients))
      archive.add_image(e, options.syntaxes[turn++ % options.syntaxes.size()]);
  if (options.images_only) return;
  std::int64_t patient = options.patients;
  for (std::size_t i = 0; i < kDamages.size(); ++i)
    archive.add_damaged(options.scanners[i % options.scanners.size()], kDamages[i], ++patient);
  archive.add_report(options.scanners.front());
  archive.finish();
}

}  // namespace shiftnorm::phantom
