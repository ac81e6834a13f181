#include "archive.hpp"

#include <dcmtk/config/osconfig.h>
#include <dcmtk/dcmdata/dcdeftag.h>
#include <dcmtk/dcmdata/dcdicdir.h>
#include <fmt/format.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <map>
#include <set>

#include "exposure.hpp"
#include "scanner.hpp"
#include "shiftnorm/core/file.hpp"
#include "shiftnorm/imaging/dataset.hpp"
#include "shiftnorm/imaging/transform.hpp"
#include "support/shared_data.hpp"

using namespace shiftnorm;
using shiftnorm::test::TempDir;

namespace {

namespace fs = std::filesystem;

constexpr std::size_t kSide = 32;
constexpr std::uint64_t kSeed = 5;

phantom::ArchiveOptions small() { return {.patients = 8, .side = kSide, .seed = kSeed}; }

std::string path_of(const phantom::Exposure& e) {
  return fmt::format("{}/P{:05}/ST{}/SE{}/IM1", phantom::kScanners[e.scanner].name, e.patient, e.study, e.series);
}

std::unique_ptr<imaging::Dataset> open(const fs::path& root, const TempDir& key) {
  imaging::DatasetOptions options;
  options.key_folder = key.path();
  options.labels.file = root / "labels.csv";
  return imaging::open_dataset(root.string(), options);
}

std::map<std::string, std::vector<std::byte>> contents(const fs::path& root) {
  std::map<std::string, std::vector<std::byte>> files;
  for (const auto& entry : fs::recursive_directory_iterator(root))
    if (entry.is_regular_file()) files[entry.path().lexically_relative(root).string()] = read_file(entry.path());
  return files;
}

}  // namespace

// Oracle: the levels that went in; the schedule of exposures.
TEST_CASE("The reader shows of every scanner and transfer syntax the levels that the archive was made from",
          "[phantom]") {
  const TempDir dir, key;
  phantom::write_archive(dir.path(), small());
  const auto data = open(dir.path(), key);
  CHECK(data->reader() == imaging::Reader::dicom);
  CHECK(data->classes() == std::vector<std::string>{"cardiomegaly", "effusion", "nodule", "normal"});

  std::map<std::string, std::size_t> by_path;
  for (std::size_t i = 0; i < data->samples().size(); ++i) by_path[data->samples()[i].keys.at("path")] = i;
  const imaging::Pipeline shown{"shown", {imaging::Voi{.rule = imaging::VoiRule::file}}};
  imaging::Voi eight{.rule = imaging::VoiRule::file};
  eight.quantize8 = true;
  std::set<std::string> patients, syntaxes;
  for (const std::size_t scanner : {0, 1})
    for (const phantom::Exposure& e : phantom::exposures(scanner, 8)) {
      const std::size_t i = by_path.at(path_of(e));
      const imaging::Sample& sample = data->samples()[i];
      CHECK(sample.label == static_cast<std::int32_t>(e.finding));
      patients.insert(sample.patient);
      syntaxes.insert(data->audit(i)->transfer_syntax);
      const std::vector<double> levels = phantom::expose(e, kSide, kSeed);
      const imaging::Image real = imaging::apply_image_steps(shown, data->decode(i), 1);
      const imaging::Image grey = imaging::apply_image_steps({"grey", {eight}}, data->decode(i), 1);
      REQUIRE(real.reals.size() == levels.size());
      double worst = 0;
      int other_grey = 0;
      for (std::size_t p = 0; p < levels.size(); ++p) {
        worst = std::max(worst, std::abs(real.reals[p] - levels[p]));
        const auto png = static_cast<std::uint16_t>(std::lround(255 * levels[p]));
        other_grey += grey.pixels[p] != png ? 1 : 0;
        CHECK(std::abs(grey.pixels[p] - png) <= 1);
      }
      // Half a step of 12 bits, and float's rounding.
      CHECK(worst < 0.5 / 4095 + 1e-6);
      // A level within half a step of 12 bits from where 8 bits round up may fall on the other side: 1 in 16.
      CHECK(other_grey < static_cast<int>(levels.size() / 8));
    }
  CHECK(patients.size() == 16);
  CHECK(syntaxes.size() == phantom::kSyntaxes.size());
}

// Oracle: what write_archive() says it leaves out of the schedule.
TEST_CASE("An archive has a report, an index, labels and two damaged files", "[phantom]") {
  const TempDir dir, key;
  phantom::write_archive(dir.path(), small());
  const auto data = open(dir.path(), key);
  REQUIRE(data->bad().size() == 1);
  CHECK(data->bad()[0].kind == "truncated");
  std::multiset<std::string> skipped;
  for (const imaging::Bad& one : data->skipped_files()) skipped.insert(one.reason);
  CHECK(skipped == std::multiset<std::string>{"directory", "not-dicom", "sop-class"});
  REQUIRE(data->samples().size() == 33);  // one more is damaged where only decoding shows it
  int bad = 0;
  for (std::size_t i = 0; i < data->samples().size(); ++i) try {
      static_cast<void>(data->decode(i));
    } catch (const FormatError& e) {
      ++bad;
      CHECK_THAT(e.what(), Catch::Matchers::Contains("corrupt-codestream"));
    }
  CHECK(bad == 1);
  CHECK(data->label_counts()->matched == 33);
  CHECK(data->label_counts()->images_without_label == 0);
  CHECK(data->label_counts()->labels_without_image == 1);

  // Oracle: DCMTK's own reader of DICOMDIRs.
  DcmDicomDir directory((dir.path() / "DICOMDIR").c_str());
  std::set<std::string> listed;
  DcmDirectoryRecord& root = directory.getRootRecord();
  for (unsigned long p = 0; p < root.cardSub(); ++p)
    for (unsigned long t = 0; t < root.getSub(p)->cardSub(); ++t)
      for (unsigned long s = 0; s < root.getSub(p)->getSub(t)->cardSub(); ++s) {
        DcmDirectoryRecord* series = root.getSub(p)->getSub(t)->getSub(s);
        for (unsigned long o = 0; o < series->cardSub(); ++o) {
          OFString file;
          REQUIRE(series->getSub(o)->findAndGetOFStringArray(DCM_ReferencedFileID, file).good());
          std::string path = file.c_str();
          std::ranges::replace(path, '\\', '/');
          CHECK(fs::exists(dir.path() / path));
          listed.insert(path);
        }
      }
  CHECK(listed.size() == 32 + 2 + 1);
}

// Law: the archive is a function of its options.
TEST_CASE("The same options give the same archive, another seed other pictures", "[phantom]") {
  const TempDir a, b, c;
  phantom::ArchiveOptions options = small();
  options.patients = 3;
  phantom::write_archive(a.path(), options);
  phantom::write_archive(b.path(), options);
  CHECK(contents(a.path()) == contents(b.path()));
  ++options.seed;
  options.images_only = true;
  phantom::write_archive(c.path(), options);
  const auto images = contents(c.path());
  CHECK(images.size() == 2 * 5);
  for (const auto& [path, bytes] : images) CHECK(read_file(a.path() / path) != bytes);
}
