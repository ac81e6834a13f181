#include <catch2/catch.hpp>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>

#include "dicom/fault.hpp"
#include "dicom/object.hpp"
#include "dicom/pixel_chain.hpp"
#include "shiftnorm/core/file.hpp"
#include "shiftnorm/core/hash.hpp"
#include "support/shared_data.hpp"

using namespace shiftnorm;
using namespace shiftnorm::imaging;
using namespace shiftnorm::imaging::dicom;
using shiftnorm::test::shared_data;

// Oracle: the conformance set's manifest.csv, made with pydicom 3.1-dev, pydicom 2.3.1, GDCM and OpenJPEG and
// reproduced by a second reader (its README tells).

namespace {

using Row = std::map<std::string, std::string>;

/// One line of CSV; quotes as in RFC 4180.
std::vector<std::string> cells(const std::string& line) {
  std::vector<std::string> out(1);
  bool quoted = false;
  for (const char c : line) {
    if (c == '"')
      quoted = !quoted;
    else if (c == ',' && !quoted)
      out.emplace_back();
    else if (c != '\r')
      out.back() += c;
  }
  return out;
}

// Big-endian palette words: pydicom, the manifest's oracle here, reads them as little endian and gets a black image.
// Oracle instead: dcmj2pnm --write-raw-pnm of DCMTK 3.6.7, its pixels and their SHA-256, extremes and means.
const Row kBigEndianPalette{{"sha256_rgb", "f27736ea1acb75cbd77cc44bdf061c884774d5dfaab52429152f950a19a1bde8"},
                            {"f0_min", "0"},
                            {"f0_max", "255"},
                            {"f0_mean", "12.44334375"},
                            {"f0_rgb_mean", "9.7813;12.2219;15.3268"}};

std::vector<Row> manifest(const std::filesystem::path& file) {
  std::ifstream stream(file);
  std::string line;
  std::getline(stream, line);
  const std::vector<std::string> header = cells(line);
  std::vector<Row> rows;
  while (std::getline(stream, line)) {
    const std::vector<std::string> values = cells(line);
    REQUIRE(values.size() == header.size());
    Row row;
    for (std::size_t i = 0; i < header.size(); ++i) row[header[i]] = values[i];
    if (row["file"] == "pydicom/OBXXXX1A_expb.dcm")
      for (const auto& [column, value] : kBigEndianPalette) row[column] = value;
    rows.push_back(std::move(row));
  }
  return rows;
}

Object open(const std::filesystem::path& file) {
  start_dcmtk();
  return Object(read_file(file), Limits{});
}

/// How one row came out: "ok", "skip: why", or the name of the fault.
std::string outcome(const std::filesystem::path& file) {
  try {
    const Object object = open(file);
    const ObjectFacts facts = object.facts({});
    if (!facts.skip.empty()) return "skip: " + facts.skip;
    for (std::int64_t f = 0; f < facts.frames; ++f) {
      static_cast<void>(object.rules(f));
      static_cast<void>(object.frame(f));
    }
    return "ok";
  } catch (const Fault& fault) {
    return std::string(name_of(fault.reason()));
  }
}

/// RGB of every frame as little-endian numbers of `size` bytes.
std::vector<std::byte> rgb_bytes(const Object& object, int size, std::vector<double>& mean) {
  std::vector<std::byte> out;
  for (std::int64_t f = 0; f < object.module().frames; ++f) {
    const Colours colours = colours_of({object.frame(f), object.rules(f), nullptr});
    if (f == 0) mean.assign(3, 0.0);
    for (std::size_t i = 0; i < colours.values.size(); ++i) {
      if (f == 0)
        mean[i % 3] += static_cast<double>(colours.values[i]) * 3.0 / static_cast<double>(colours.values.size());
      for (int b = 0; b < size; ++b) out.push_back(static_cast<std::byte>(colours.values[i] >> (8 * b) & 0xffU));
    }
  }
  return out;
}

void check_colours(const Object& object, const Row& row) {
  std::vector<double> mean;
  const std::vector<std::byte> bytes =
      rgb_bytes(object, row.at("rgb_dtype") == "u1" ? 1 : row.at("rgb_dtype").back() - '0', mean);
  if (row.at("rgb_tol") == "0") CHECK(sha256_hex(bytes) == row.at("sha256_rgb"));
  std::stringstream wanted(row.at("f0_rgb_mean"));
  std::string one;
  // 4 decimals are written; a tolerance of 2 grey levels on single values moves the mean by less than 0.5.
  const double tolerance = row.at("rgb_tol") == "0" ? 1e-4 : 0.5;
  for (std::size_t c = 0; std::getline(wanted, one, ';'); ++c)
    CHECK(std::abs(mean[c] - std::stod(one)) <= tolerance * std::max(1.0, std::stod(one) / 255.0));
}

void check_pixels(const std::filesystem::path& file, const Row& row) {
  const Object object = open(file);
  CHECK(object.facts({}).transfer_syntax == row.at("transfer_syntax"));
  CHECK(object.facts({}).modality == row.at("modality"));
  CHECK(dtype_of(object.module()) == row.at("dtype"));
  Sha256 hash;
  for (std::int64_t f = 0; f < object.module().frames; ++f) hash.add(object.frame(f).values);
  CHECK(hash.hex() == row.at("sha256_stored"));
  const FrameAudit found = audit({object.frame(0), object.rules(0), nullptr});
  const auto near = [&](double value, const char* column) {
    const double wanted = std::stod(row.at(column));
    INFO(column << " " << value << " " << wanted);
    CHECK(std::abs(value - wanted) <= 1e-6 * std::max(1.0, std::abs(wanted)));
  };
  near(found.min, "f0_min");
  near(found.max, "f0_max");
  near(found.mean, "f0_mean");
  CHECK(found.voi == row.at("voi"));
  if (!row.at("f0_voi_mean").empty()) CHECK(std::abs(found.voi_mean - std::stod(row.at("f0_voi_mean"))) <= 1e-5);
  if (!row.at("sha256_rgb").empty()) check_colours(object, row);
}

/// docs/reference/dicom.md#bad-objects: limit, length and geometry may trade places; in a process of its own a death or
/// timeout would do.
bool fits(const std::string& outcome, const Row& row) {
  const auto exchangeable = [](const std::string& reason) {
    return reason == "limit" || reason == "pixel-length-mismatch" || reason == "geometry-mismatch";
  };
  if (outcome == row.at("reason")) return true;
  return exchangeable(outcome) && exchangeable(row.at("reason"));
}

}  // namespace

// Oracle: manifest.csv, as above.
TEST_CASE("Every row of the DICOM conformance manifest comes out as it says", "[imaging][golden]") {
  const auto shared = shared_data("Every row of the DICOM conformance manifest comes out as it says");
  if (!shared) return;
  const std::filesystem::path root = *shared / "data" / "dicom";
  const std::vector<Row> rows = manifest(root / "manifest.csv");
  CHECK(rows.size() == 151);
  for (const Row& row : rows) {
    INFO(row.at("file"));
    const std::filesystem::path file = root / row.at("file");
    const bool may = row.at("tier") == "may";
    const std::string found = outcome(file);
    if (row.at("expected") == "ok") {
      if (may && found != "ok") {
        CHECK(found != "decoder-crashed");
        continue;
      }
      CHECK(found == "ok");
      if (found == "ok") check_pixels(file, row);
    } else if (row.at("expected") == "error") {
      INFO(found);
      CHECK((fits(found, row) || (may && found == "ok")));
    } else {
      // A file that is not DICOM is skipped by the walk, which knows its name; the reader alone says what it is not.
      INFO(found);
      CHECK((found == "skip: " + row.at("reason") || (found == "not-dicom" && row.at("reason") == "not-dicom")));
    }
  }
}
