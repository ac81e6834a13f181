#include <fmt/format.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <span>
#include <string>
#include <vector>

#include "fixture.hpp"
#include "process.hpp"
#include "shiftnorm/container/csv.hpp"
#include "shiftnorm/container/json.hpp"
#include "shiftnorm/container/safetensors.hpp"
#include "shiftnorm/core/file.hpp"

using namespace shiftnorm;
using container::Json;
using test::Call;

namespace {

std::vector<std::string> job(const std::string& command, const std::string& data, std::vector<std::string> more) {
  std::vector<std::string> arguments{command, "net.safetensors", "--arch", "cifar_resnet20", "--data",
                                     data,    "--preprocess",    "cifar10"};
  arguments.insert(arguments.end(), more.begin(), more.end());
  return arguments;
}

/// The images of the workplace, two a class: those named 0 come from scanner "  A", those named 1 from "a " and, for
/// the last two classes, from "B b".
std::string table_of_images(const std::string& prefix) {
  std::string text = "path;finding;scanner;Hospital;patient\r\n";
  for (char c = 'a'; c <= 'j'; ++c)
    for (const char* name : {"0", "1"}) {
      const bool b = *name == '1' && c >= 'i';
      text += prefix + std::string(1, c) + "/" + name + ".bmp;" + std::string(1, c) + ";" +
              (b              ? "B  b"
               : *name == '0' ? "\"  A\""
                              : "a ") +
              ";" + (b ? "St. Elsewhere" : "Here") + ";p" + std::string(1, c) + "\r\n";
    }
  return text;
}

}  // namespace

// Oracle: the same images as a folder.
TEST_CASE("a table is a data set, and labels for a folder", "[cli]") {
  const test::Workplace place;
  write_file(place / "list.csv", table_of_images("images/"));
  write_file(place / "labels.csv", table_of_images(""));
  const Json folder = json_of(test::shiftnorm(place.path(), job("evaluate", "images", {"--json"})));
  const Json list =
      json_of(test::shiftnorm(place.path(), job("evaluate", "list.csv", {"--label", "finding", "--json"})));
  const Call joined = test::shiftnorm(
      place.path(), job("evaluate", "images", {"--labels", "labels.csv", "--label", "finding", "--json"}));
  // Here the labels of the table are the folders' names.
  const Json as_joined = json_of(joined);
  CHECK(list.at("metrics") == as_joined.at("metrics"));
  // But the table identifies patients, two images each, which are resampled together.
  for (const char* metric : {"accuracy", "nll", "ece"})
    CHECK(list.at("metrics").at(metric).at("value") == folder.at("metrics").at(metric).at("value"));
  CHECK(list.at("metrics").at("nll").at("low") != folder.at("metrics").at("nll").at("low"));
  CHECK_THAT(joined.err,
             Catch::Matchers::Contains("the table of labels: 20 images matched, 0 images without a label, 0 labels "
                                       "without an image, 0 ambiguous"));
  const Json chosen = json_of(test::shiftnorm(
      place.path(), job("evaluate", "list.csv", {"--label", "finding", "--where", "finding=a,b", "--json"})));
  CHECK(chosen.at("images").as_integer() == 4);
  const Json recalibrated = json_of(test::shiftnorm(
      place.path(),
      job("recalibrate", "list.csv", {"--where", "scanner=B  b", "--allow-small-cohort", "--out", "x", "--json"})));
  CHECK(recalibrated.at("images").as_integer() == 2);
  test::check_refused(place, job("evaluate", "list.csv", {"--label", "findng"}), 2,
                      "list.csv: no column 'findng'; nearest is 'finding'");
  test::check_refused(place, job("evaluate", "list.csv", {"--where", "finding"}), 2,
                      "--where: 'finding'; expected COLUMN=VALUE");
}

// Oracle: table_of_images(), by hand: 20 images of 10 patients, and one row more.
TEST_CASE("inspect counts what a table says", "[cli]") {
  const test::Workplace place;
  write_file(place / "labels.csv", table_of_images("") + "k/0.bmp;a;x;x;pz\r\n");
  const Json json = json_of(
      test::shiftnorm(place.path(), {"inspect", "images", "--labels", "labels.csv", "--label", "finding", "--json"}));
  CHECK(json.at("labels").at("matched").as_integer() == 20);
  CHECK(json.at("labels").at("labels_without_image").as_integer() == 1);
  CHECK(json.at("counts").at("patients").as_integer() == 10);
  CHECK(json.at("counts").at("classes").at("a").as_integer() == 2);
  write_file(place / "list.csv", table_of_images("images/"));
  const Json list = json_of(test::shiftnorm(place.path(), {"inspect", "list.csv", "--json"}));
  CHECK(list.at("counts").at("formats").at("bmp").as_integer() == 20);
}

// Oracle: the recalibration of each domain's images alone.
TEST_CASE("recalibrate writes a file for each domain, each that of the domain alone", "[cli]") {
  const test::Workplace place;
  write_file(place / "list.csv", table_of_images("images/"));
  std::vector<std::string> arguments = job("recalibrate", "list.csv",
                                           {"--domain", "scanner", "--domain-min-images", "3", "--out", "o.safetensors",
                                            "--stats-out", "s.bnstats", "--allow-small-cohort"});
  const Call call = test::shiftnorm(place.path(), arguments);
  INFO(call.err);
  REQUIRE(call.exit == 0);
  CHECK(call.out == "o.a.safetensors: adabn from 18 images\no.b_b.safetensors: blend from 2 images\n");
  CHECK_THAT(call.err,
             Catch::Matchers::Contains("domain 'b b' has 2 images: blend with a prior of 16 images in place"));
  CHECK_FALSE(std::filesystem::exists(place / "o.safetensors"));
  const Json index = container::parse_json(as_text(read_file(place / "o.safetensors.domains.json")));
  CHECK(index.at("key").as_string() == "scanner");
  REQUIRE(index.at("files").as_array().size() == 2);
  CHECK(index.at("files").as_array()[1].at("adapted").as_string() == "o.b_b.safetensors");
  CHECK(index.at("files").as_array()[1].at("policy").as_string() == "blend");

  const auto alone = [&](const std::string& value, const std::string& out, std::vector<std::string> more) {
    std::vector<std::string> one = job("recalibrate", "list.csv",
                                       {"--where", "scanner=" + value, "--allow-small-cohort", "--out", out,
                                        "--stats-out", out + ".bnstats", "--quiet"});
    one.insert(one.end(), more.begin(), more.end());
    CHECK(test::shiftnorm(place.path(), one).exit == 0);
  };
  alone("A,a", "a.safetensors", {});
  alone("B  b", "b.safetensors", {"--policy", "blend", "--prior-images", "16"});
  CHECK(read_file(place / "o.a.safetensors") == read_file(place / "a.safetensors"));
  CHECK(read_file(place / "o.b_b.safetensors") == read_file(place / "b.safetensors"));
  for (const auto& [domain, by_itself] :
       {std::pair{"s.a.bnstats", "a.safetensors.bnstats"}, std::pair{"s.b_b.bnstats", "b.safetensors.bnstats"}}) {
    const std::vector<std::byte> part = read_file(place / domain), one = read_file(place / by_itself);
    container::SafetensorsIndex of_part = container::index_safetensors(part),
                                of_one = container::index_safetensors(one);
    CHECK(std::ranges::equal(std::span(part).subspan(of_part.entries.front().begin),
                             std::span(one).subspan(of_one.entries.front().begin)));
    // How the images were chosen is all that differs.
    CHECK(of_one.metadata.at("drawn") == "chosen by scanner");
    of_one.metadata.erase("drawn");
    of_part.metadata.erase("drawn");
    CHECK(of_part.metadata == of_one.metadata);
  }
  const Json provenance = container::parse_json(as_text(read_file(place / "o.b_b.safetensors.provenance.json")));
  CHECK(provenance.at("domain").as_string() == "b b");
  CHECK(provenance.at("images").as_integer() == 2);
}

// Oracle: table_of_images(), by hand: 18 images and 2.
TEST_CASE("evaluate and run score each domain under its own statistics", "[cli]") {
  const test::Workplace place;
  write_file(place / "labels.csv", table_of_images(""));
  const Json json =
      json_of(test::shiftnorm(place.path(), job("evaluate", "images",
                                                {"--labels", "labels.csv", "--label", "finding", "--mode", "adabn",
                                                 "--domain", "scanner", "--outputs", "o.safetensors", "--json"})));
  REQUIRE(json.at("domains").as_array().size() == 2);
  CHECK(json.at("domains").as_array()[0].at("name").as_string() == "a");
  CHECK(json.at("domains").as_array()[0].at("images").as_integer() == 18);
  CHECK(json.at("domains").as_array()[1].at("fell_back").as_bool());

  write_file(place / "d.yaml",
             "seed: 3\nmodel: {checkpoint: net.safetensors, architecture: cifar_resnet20}\npreprocess: cifar10\n"
             "data: {target: {path: images, labels: labels.csv, label: finding,\n"
             "                domain: {key: Hospital, min_images: 2}}}\n"
             "modes: [source, adabn]\nevaluate: {interval: {resamples: 100}}\nexport: {mode: adabn, path: "
             "x.safetensors, allow_small_cohort: true}\n");
  const Call call = test::shiftnorm(place.path(), {"run", "d.yaml"});
  INFO(call.err);
  REQUIRE(call.exit == 0);
  CHECK_THAT(call.out, Catch::Matchers::Contains("adabn   domain-1  18"));
  // The name of the hospital is nowhere.
  for (const std::string& file : test::files_below(place / "runs")) {
    if (!std::filesystem::is_regular_file(place / "runs" / file)) continue;
    const std::vector<std::byte> bytes = read_file(place / "runs" / file);
    CHECK(as_text(bytes).find("lsewhere") == std::string_view::npos);
  }
  const Json results = container::parse_json(as_text(read_file(place / "runs" / "d" / "results.json")));
  CHECK(results.at("data").at("target").at("patients").as_integer() == 10);
  CHECK(results.at("data").at("target").at("labels").at("matched").as_integer() == 20);
  CHECK(results.at("data").at("target").at("domain").at("key").as_string() == "Hospital");
  const Json& domains = results.at("modes").as_array()[1].at("domains");
  REQUIRE(domains.as_array().size() == 2);
  CHECK(domains.as_array()[1].at("metrics").at("accuracy").find("value") != nullptr);
  CHECK(std::filesystem::exists(place / "runs/d/x.domain-2.safetensors"));
  CHECK(std::filesystem::exists(place / "runs/d/stats/adabn.domain-1.bnstats"));
  CHECK(std::filesystem::exists(place / "runs/d/domains.json"));
  const std::string page(as_text(read_file(place / "runs/d/report.html")));
  CHECK(page.find("Scores of each domain") != std::string::npos);
  // The table identifies patients: the project keeps the resolved configuration, which runs again.
  const std::string id = results.at("id").as_string().substr(0, 16);
  CHECK(test::shiftnorm(place.path(),
                        {"run", ".shiftnorm/runs/" + id + ".yaml", "--out", "again", "--show-domains", "--quiet"})
            .exit == 0);
  CHECK(std::filesystem::exists(place / "again/x.st._elsewhere.safetensors"));
  test::check_refused(place, job("evaluate", "images", {"--domain", "scanner"}), 2,
                      "the samples have no 'scanner'; expected a table of labels with such a column");
  test::check_refused(place, job("evaluate", "images", {"--domain-min-images", "3"}), 2,
                      "--domain-min-images: expected --domain KEY with it");
}

// Oracle: the AUROC by its definition, over all pairs of the outputs that the program wrote.
TEST_CASE("several findings are scored each by itself, over the images that tell it", "[cli]") {
  const test::Workplace place;
  std::string text = "path,f0,f1,f2,f3,f4,f5,f6,f7,f8,f9\n";
  int image = 0;
  for (char c = 'a'; c <= 'j'; ++c)
    for (int i = 0; i < 2; ++i, ++image) {
      text += fmt::format("{}/{}.bmp", c, i);
      for (int f = 0; f < 10; ++f) {
        const int known = (image * 7 + f * 3) % 5;
        text += known == 0 ? "," : known == 1 ? ",-1" : known == 2 ? ",1.0" : ",0";
      }
      text += "\n";
    }
  write_file(place / "findings.csv", text);
  const std::string names = "f0,f1,f2,f3,f4,f5,f6,f7,f8,f9";
  const Json json =
      json_of(test::shiftnorm(place.path(), job("evaluate", "images",
                                                {"--labels", "findings.csv", "--label", names, "--predictions", "p.csv",
                                                 "--outputs", "o.safetensors", "--json"})));
  const std::string predictions(as_text(read_file(place / "p.csv")));
  const container::CsvTable csv = container::parse_csv(predictions);
  REQUIRE(csv.rows() == 20);
  // Not the probabilities: those written with nine digits are tied where the outputs are not.
  const std::vector<std::byte> bytes = read_file(place / "o.safetensors");
  const container::SafetensorsIndex index = container::index_safetensors(bytes);
  const std::vector<double> outputs = container::read_entry(bytes, index.entries.at(0)).to_double();
  double sum = 0;
  for (int f = 0; f < 10; ++f) {
    double wins = 0, pairs = 0;
    std::vector<double> positive, negative;
    for (std::size_t row = 0; row < csv.rows(); ++row) {
      std::string label(csv.field(row, csv.find("label").value()));
      for (int skip = 0; skip < f; ++skip) label.erase(0, label.find(';') + 1);
      const double p = outputs.at(row * 10 + static_cast<std::size_t>(f));
      if (label.starts_with('1')) positive.push_back(p);
      if (label.starts_with('0')) negative.push_back(p);
    }
    for (const double p : positive)
      for (const double n : negative) {
        ++pairs;
        wins += p > n ? 1 : p == n ? 0.5 : 0;
      }
    const Json& finding = json.at("findings").as_array()[static_cast<std::size_t>(f)];
    CHECK(finding.at("known").as_integer() == static_cast<std::int64_t>(positive.size() + negative.size()));
    CHECK(finding.at("positive").as_integer() == static_cast<std::int64_t>(positive.size()));
    // 1e-12: a quotient of small integers.
    CHECK(finding.at("metrics").at("auroc").at("value").as_number() == Approx(wins / pairs).margin(1e-12));
    sum += wins / pairs;
  }
  CHECK(json.at("metrics").at("auroc").at("value").as_number() == Approx(sum / 10).margin(1e-12));

  write_file(place / "x.yaml",
             fmt::format("model: {{checkpoint: net.safetensors, architecture: cifar_resnet20}}\npreprocess: cifar10\n"
                         "data: {{target: {{path: images, labels: findings.csv, label: [{}]}}}}\nmodes: [source, "
                         "adabn]\nevaluate: {{interval: {{resamples: 100}}}}\n",
                         names));
  const Call run = test::shiftnorm(place.path(), {"run", "x.yaml", "--out", "out"});
  INFO(run.err);
  REQUIRE(run.exit == 0);
  CHECK_THAT(run.out, Catch::Matchers::Contains("auroc") && Catch::Matchers::Contains("average_precision"));
  const Json results = container::parse_json(as_text(read_file(place / "out/results.json")));
  const Json& source = results.at("modes").as_array()[0];
  CHECK(source.at("metrics").at("auroc").at("value") == json.at("metrics").at("auroc").at("value"));
  CHECK(source.at("findings").as_array().size() == 10);
  CHECK(results.at("data").at("target").at("labelled").as_integer() == 20);
  test::check_refused(place, job("evaluate", "images", {"--labels", "findings.csv", "--label", "f0,f1", "--quiet"}), 2,
                      "2 classes (f0, f1); expected 10");
}
