#include <fmt/format.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <map>
#include <string>

#include "../imaging/dicom_support.hpp"
#include "fixture.hpp"
#include "process.hpp"
#include "shiftnorm/container/csv.hpp"
#include "shiftnorm/container/json.hpp"
#include "shiftnorm/core/file.hpp"
#include "support/shared_data.hpp"

using namespace shiftnorm;
using imaging::test::TinyObject;

namespace {

namespace fs = std::filesystem;

constexpr int kGood = 500;

/// 12-bit images of 60 patients, each another.
void put_good(const fs::path& folder) {
  fs::create_directories(folder);
  for (int i = 0; i < kGood; ++i) {
    std::vector<std::uint16_t> values;
    for (int p = 0; p < 256; ++p) values.push_back(static_cast<std::uint16_t>((p * (i % 17 + 1) + i * 37) % 4096));
    TinyObject tiny(16, 16, values);
    tiny.text(0x00080018, "UI", fmt::format("1.2.826.1.{}", i)).text(0x0020000d, "UI", fmt::format("1.2.826.2.{}", i));
    tiny.text(0x00100020, "LO", fmt::format("p{}", i % 60));
    write_file(folder / fmt::format("image{}", i), tiny.bytes());
  }
}

/// Column `value` of a table by its column `key`.
std::map<std::string, std::string> columns(const std::string& text, const std::string& key, const std::string& value) {
  const container::CsvTable csv = container::parse_csv(text);
  std::map<std::string, std::string> out;
  for (std::size_t row = 0; row < csv.rows(); ++row)
    out[std::string(csv.field(row, csv.find(key).value()))] = csv.field(row, csv.find(value).value());
  return out;
}

/// Processes that run in this folder, as helpers of a program that was started there do.
int processes_in(const fs::path& folder) {
  int count = 0;
  for (const auto& entry : fs::directory_iterator("/proc")) {
    std::error_code error;
    const fs::path cwd = fs::read_symlink(entry.path() / "cwd", error);
    if (!error && cwd == folder) ++count;
  }
  return count;
}

/// docs/reference/dicom.md#bad-objects: limit, length and geometry may trade places; isolation may report that the
/// decoder died.
bool fits(const std::string& found, const std::string& wanted) {
  const auto exchangeable = [](const std::string& reason) {
    return reason == "limit" || reason == "pixel-length-mismatch" || reason == "geometry-mismatch";
  };
  return found == wanted || (exchangeable(found) && exchangeable(wanted)) || found == "decoder-crashed" ||
         found == "decoder-timeout";
}

}  // namespace

// Oracle: manifest.csv of the conformance set, by another DICOM implementation.
TEST_CASE("faults among 500 good files cost themselves alone", "[cli][golden]") {
  const auto shared = test::shared_data("faults among 500 good files cost themselves alone");
  if (!shared) return;
  const test::Workplace place(0);
  put_good(place / "archive/good");
  const fs::path faults = *shared / "data" / "dicom" / "faults";
  fs::copy(faults, place / "archive/faults", fs::copy_options::recursive);
  write_file(place / "steps.yaml", "- {voi: bits}\n- {resize: [32, 32]}\n- {convert: RGB}\n- {to_float: {}}\n");
  const test::Call call =
      test::shiftnorm(place.path(), {"recalibrate", "net.safetensors", "--arch", "cifar_resnet20", "--data", "archive",
                                     "--preprocess", "steps.yaml", "--max-bad", "100", "--quarantine", "bad.csv",
                                     "--identify", "who.csv", "--out", "adapted.safetensors", "--json"});
  INFO(call.err);
  CHECK(call.exit == 0);
  CHECK(processes_in(place.path()) == 0);
  // 2 GiB is what one helper may take above its start; the program itself holds 500 images of 32 x 32.
  CHECK(call.peak_kilobytes < (std::int64_t{3} << 20));

  std::map<std::string, std::string> reason_of;
  const auto reasons = columns(std::string(as_text(read_file(place / "bad.csv"))), "id", "reason");
  for (const auto& [id, path] : columns(std::string(as_text(read_file(place / "who.csv"))), "id", "path"))
    if (const auto found = reasons.find(id); found != reasons.end()) reason_of[path] = found->second;

  const std::string manifest(as_text(read_file(*shared / "data" / "dicom" / "manifest.csv")));
  const auto wanted = columns(manifest, "file", "reason"), tier = columns(manifest, "file", "tier");
  std::int64_t listed = 0, used = kGood;
  for (const auto& [file, reason] : wanted) {
    if (!file.starts_with("faults/")) continue;
    INFO(file << ": " << reason);
    const auto found = reason_of.find(file);
    if (found == reason_of.end()) {
      CHECK(tier.at(file) == "may");
      ++used;
      continue;
    }
    ++listed;
    INFO(found->second);
    CHECK(fits(found->second, reason));
  }
  CHECK(listed >= 57);
  CHECK(static_cast<std::int64_t>(reasons.size()) == listed);
  CHECK(container::parse_json(call.out).at("images").as_integer() == used);
}
