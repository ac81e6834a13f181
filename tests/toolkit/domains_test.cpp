#include "shiftnorm/toolkit/domains.hpp"

#include <catch2/catch.hpp>

#include "shiftnorm/container/json.hpp"
#include "shiftnorm/core/error.hpp"
#include "shiftnorm/core/file.hpp"
#include "shiftnorm/imaging/attributes.hpp"
#include "shiftnorm/results/domain_index.hpp"
#include "support/shared_data.hpp"
#include "support_network.hpp"

using namespace shiftnorm;
using namespace shiftnorm::toolkit;

namespace {

/// Six arrays whose ids a table gives a column of values.
Session session_with(const test::TempDir& dir, const std::vector<std::string>& values) {
  test::write_random_network(dir.path() / "net.safetensors", "cifar_resnet20");
  test::write_random_arrays(dir.path() / "x.npy", static_cast<std::int64_t>(values.size()), 32);
  std::string text = "id,site\n";
  for (std::size_t i = 0; i < values.size(); ++i) text += "x[" + std::to_string(i) + "],\"" + values[i] + "\"\n";
  write_file(dir.path() / "t.csv", text);
  SessionOptions options;
  options.checkpoint = dir.path() / "net.safetensors";
  options.network.architecture = "cifar_resnet20";
  options.data.path = dir.path() / "x.npy";
  options.preprocess = imaging::preset("cifar10");
  options.data.dataset.labels.file = dir.path() / "t.csv";
  options.data.dataset.keep = {"site"};
  return open_session(options, {});
}

using Strings = std::vector<std::string>;

}  // namespace

// Oracle: docs/reference/dicom.md#labels-and-domains: trimmed, blanks collapsed, case folded; missing is `unknown`.
TEST_CASE("values of one domain are told without regard to case and blanks", "[experiment]") {
  const test::TempDir dir;
  const Session session = session_with(dir, {"North  Wing", " north wing ", "", "South", "NORTH\tWING", "unknown"});
  const Domains shown = find_domains(session, {.key = "site", .shown = true});
  CHECK(shown.names == Strings{"north wing", "south", "unknown"});
  CHECK(shown.stems == Strings{"north_wing", "south", "unknown"});
  CHECK(shown.images == std::vector<std::vector<std::size_t>>{{0, 1, 4}, {3}, {2, 5}});
  const Domains masked = find_domains(session, {.key = "site"});
  CHECK(masked.names == Strings{"domain-1", "domain-2", "unknown"});
  CHECK(masked.images == shown.images);
  // One domain's data are what a run on them alone would record.
  CHECK(data_facts(session, shown, 1, {}).fingerprint != session.dataset->fingerprint());
  CHECK(data_facts(session, shown, 1, {}).fingerprint == session.dataset->fingerprint({3}));
}

// Oracle: docs/reference/dicom.md#privacy.
TEST_CASE("columns that name places, people or devices are told from kinds", "[experiment]") {
  for (const char* column : {"InstitutionName", "station", "Hospital", "site_id", "DeviceSerialNumber", "patient",
                             "StudyDate", "StudyDescription", "StudyID", "ImageComments", "0008,1010"})
    CHECK(imaging::names_site(column));
  for (const char* column : {"scanner", "Manufacturer", "ManufacturerModelName", "Modality", "ViewPosition", "KVP",
                             "PatientSex", "TransferSyntaxUID", "BodyPartExamined"})
    CHECK_FALSE(imaging::names_site(column));
}

// Oracle: docs/reference/dicom.md#labels-and-domains: KVP is rounded to a whole number.
TEST_CASE("tube voltages are rounded before they part images", "[experiment]") {
  CHECK(imaging::comparable_value("KVP", " 119.7 ") == "120");
  CHECK(imaging::comparable_value("KVP", "120") == "120");
  CHECK(imaging::comparable_value("KVP", "") == "unknown");
  CHECK(imaging::comparable_value("KVP", "high") == "high");
  CHECK(imaging::comparable_value("dose", "119.7") == "119.7");
}

// Oracle: docs/reference/estimators.md: fewer than min_images, and which policies.
TEST_CASE("few images fall back to a blend where the policy would trust them alone", "[experiment]") {
  Domains domains;
  domains.images = {{0, 1, 2}, {3}};
  const config::DomainConfig config{.key = "k", .min_images = 3, .prior_images = 8};
  const auto policies = [&](adapt::Mode mode) {
    std::vector<adapt::Policy> out;
    for (const adapt::Domain& domain : treatments(mode, domains, config)) out.push_back(domain.mode.policy);
    return out;
  };
  using adapt::Policy;
  CHECK(policies({}) == std::vector{Policy::adabn, Policy::blend});
  CHECK(policies({.policy = Policy::hybrid_decay}) == std::vector{Policy::hybrid_decay, Policy::blend});
  CHECK(policies({.policy = Policy::mixture, .prior_images = 2.0}) == std::vector{Policy::mixture, Policy::mixture});
  CHECK(policies({.policy = Policy::source}) == std::vector{Policy::source, Policy::source});
  CHECK(policies({.policy = Policy::batch}) == std::vector{Policy::batch, Policy::batch});
  CHECK(treatments({}, domains, config)[1].mode.prior_images == 8.0);
}

// Law: names are distinct and stay in their folder.
TEST_CASE("files of domains have names of their own", "[experiment]") {
  FileStems stems;
  CHECK(stems.take("a b/c") == "a_b_c");
  CHECK(stems.take("a_b c") == "a_b_c-2");
  CHECK(stems.take("../x") == "_._x");  // no way out of the folder
  CHECK(domain_path("out/adapted.pth", "b") == std::filesystem::path("out/adapted.b.pth"));
  CHECK(domain_path("adapted", "b") == std::filesystem::path("adapted.b"));
  const container::Json index =
      container::parse_json(results::domain_index("k", {{"adabn", "a", "blend", 3, "", "x.a.pth"}}));
  CHECK(index.at("files").as_array()[0].at("statistics").is_null());
  CHECK(index.at("files").as_array()[0].at("images").as_integer() == 3);
}

// Law: a round trip through the resolved YAML.
TEST_CASE("a domain in YAML is a column, or a column with its limits", "[experiment]") {
  const auto domain = [](const std::string& text) {
    const config::Config config = config::parse_config(
        "model: {checkpoint: a}\n"
        "data: {target: {path: a, labels: t.csv, key: [p, q], label: l, where: {k: [1, b]}, domain: " +
            text + "}}\nmodes: [source]\n",
        "x.yaml", {"/root", {}});
    // What is resolved is read again to the same.
    const config::Config again = config::parse_config(config::resolved_yaml(config, "/root"), "x.yaml", {"/root", {}});
    CHECK(again.target.domain->min_images == config.target.domain->min_images);
    CHECK(again.target.dataset.labels.file == std::filesystem::path("/root/t.csv"));
    CHECK(again.target.dataset.labels.key == Strings{"p", "q"});
    CHECK(again.target.dataset.where == std::map<std::string, Strings>{{"k", {"1", "b"}}});
    return *config.target.domain;
  };
  CHECK(domain("scanner").key == "scanner");
  CHECK(domain("scanner").min_images == 32);
  CHECK(domain("scanner").prior_images == 16);
  CHECK(domain("{key: s, min_images: 5, prior_images: 2.5}").prior_images == 2.5);
}
