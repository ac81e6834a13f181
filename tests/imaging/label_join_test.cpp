#include "label_join.hpp"

#include <catch2/catch.hpp>

#include "shiftnorm/core/error.hpp"
#include "shiftnorm/imaging/dataset.hpp"
#include "support.hpp"
#include "support/shared_data.hpp"

using namespace shiftnorm;
using namespace shiftnorm::imaging;
using namespace shiftnorm::imaging::test;
using Catch::Matchers::Contains;
using shiftnorm::test::TempDir;

namespace {

using Strings = std::vector<std::string>;

/// A table and samples that are known by an accession number, of one patient each.
Join joined(std::string_view text, const std::vector<Sample>& samples, const Strings& key = {}) {
  const TempDir dir;
  put(dir.path() / "t.csv", text);
  Table table = read_table(dir.path() / "t.csv", {});
  find_key(table, key, {"PatientID", "StudyDate", "AccessionNumber"});
  return join_table(table, samples, {});
}

Sample study(const char* id, const char* patient, const char* date, const char* accession) {
  Sample sample{id};
  sample.patient = patient;
  sample.keys = {{"PatientID", patient}, {"StudyDate", date}, {"AccessionNumber", accession}};
  return sample;
}

}  // namespace

// Oracle: shared/data/dicom's tree in small: accession 2 spans patients, a patient's studies have dates.
TEST_CASE("Keys besides the path, of one or several columns", "[imaging]") {
  const std::vector<Sample> samples{study("1", "0012", "20010101", "2"), study("2", "12", "20010101", "2"),
                                    study("3", "12", "19950903", "428")};
  const Join dated =
      joined("PatientID,StudyDate,label\n12,20010101,1\n12,19950903,0\n0012,20010101,1\n7,7,1\n", samples);
  CHECK(dated.rows == std::vector<std::size_t>{2, 0, 1});
  CHECK(dated.counts.labels_without_image == 1);
  CHECK(joined("AccessionNumber,label\n428,x\n", samples).counts.matched == 1);
  CHECK_THAT(error_of<FormatError>([&] { return joined("AccessionNumber,label\n2,x\n428,x\n", samples); }),
             Contains("t.csv: 1 keys are shared by images of several patients"));
  // What must never be printed is not: keys that are not paths.
  CHECK_THAT(error_of<FormatError>([&] { return joined("AccessionNumber,label\n428,x\n428,y\n", samples); }),
             !Contains("428"));
}

// Oracle: the one difference between key and path in each case.
TEST_CASE("Keys are compared as they are written, and near misses are told", "[imaging]") {
  const auto notes = [](const char* key, const char* sample) {
    return joined("path,label\n" + std::string(key) + ",x\n", {Sample{sample}}).notes;
  };
  CHECK(notes("A/1.PNG", "a/1.png") ==
        Strings{"t.csv: 1 more images would have a row if case were ignored; keys are compared as they are written"});
  CHECK_THAT(notes("12", "0012").at(0), Contains("without leading zeros"));
  CHECK_THAT(notes("a\\1.png", "a/1.png").at(0), Contains("with / in place of"));
  CHECK_THAT(notes("images/1.png", "1.png").at(0), Contains("by file name without folders"));
  CHECK(notes("x", "y").empty());
}
