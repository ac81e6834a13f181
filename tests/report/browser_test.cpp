#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <optional>
#include <sstream>

#include "results/sample_run.hpp"
#include "sample_sweep.hpp"
#include "shiftnorm/report/data_report.hpp"
#include "shiftnorm/report/report.hpp"
#include "shiftnorm/report/sweep_report.hpp"
#include "support/shared_data.hpp"

// Oracle: Chromium, headless.

using namespace shiftnorm;

namespace {

namespace fs = std::filesystem;

bool has_chromium(const char* test) {
  // NOLINTNEXTLINE(concurrency-mt-unsafe): the tests of one program run in one thread.
  if (std::system("command -v chromium > /dev/null 2>&1") == 0) return true;
  std::cout << "SKIPPED: " << test << ": no chromium\n";
  return false;
}

std::string text_of(const fs::path& file) {
  std::ostringstream text;
  text << std::ifstream(file).rdbuf();
  return text.str();
}

/// What the browser makes of a page, and what its console says.
struct Loaded {
  std::string dom, console;
};

Loaded load(const std::string& page, const std::string& more = {}) {
  const test::TempDir folder;
  std::ofstream(folder.path() / "page.html") << page;
  const std::string at = folder.path().string();
  const std::string command =
      "chromium --no-sandbox --headless=new --disable-gpu --enable-logging=stderr --v=0 "
      "--virtual-time-budget=3000 --user-data-dir=" +
      at + "/profile " + more + " --dump-dom file://" + at + "/page.html > " + at + "/dom 2> " + at + "/err";
  // NOLINTNEXTLINE(concurrency-mt-unsafe): as above.
  REQUIRE(std::system(command.c_str()) == 0);
  Loaded loaded{text_of(folder.path() / "dom"), {}};
  std::istringstream lines(text_of(folder.path() / "err"));
  for (std::string line; std::getline(lines, line);)
    if (line.find("CONSOLE") != std::string::npos) loaded.console += line + "\n";
  return loaded;
}

/// The page with a script of the test's own, which its policy would refuse.
std::string with_script(std::string page, const std::string& script) {
  const std::size_t policy = page.find("<meta http-equiv=\"Content-Security-Policy\"");
  page.erase(policy, page.find('>', policy) + 1 - policy);
  return page.insert(page.rfind("</body>"), "<script>" + script + "</script>");
}

/// What the script left in the title.
std::string title_after(const std::string& page, const std::string& script) {
  const Loaded loaded = load(with_script(page, script));
  CHECK(loaded.console.empty());
  const std::size_t begin = loaded.dom.find("<title>") + 7;
  return loaded.dom.substr(begin, loaded.dom.find("</title>") - begin);
}

report::DataReport sample_data() {
  report::DataReport data;
  data.name = "archive";
  data.reader = "dicom";
  data.images = data.samples = 3;
  data.tallies = {{"modalities", "Modality", {{"CR", 2}, {"DX", 1}}}};
  report::Distribution one{"CR", imaging::Histogram(0), 7.5, 2.0};
  for (int v = 0; v < 16; ++v) one.histogram.add(v, v + 1);
  data.before = data.after = {one};
  data.bad = {{"0123456789abcdef", "truncated: 12 of 80 bytes", "truncated", std::nullopt}};
  data.thumbnails = {{"0123", 3, 5, 1, std::vector<std::uint8_t>(15, 200)}};
  return data;
}

/// Ends a script: says by how much the page is wider than a phone's window, and hands out all that was `said`.
const std::string kWidthOnAPhone =
    "const frame = document.createElement('iframe'); frame.style.width = '400px';"
    "frame.srcdoc = document.documentElement.outerHTML.replace(/<script>[^]*?<\\/script>/g, '');"
    "frame.onload = () => { const it = frame.contentDocument.documentElement;"
    "  said.push(it.scrollWidth - it.clientWidth); document.title = said.join('; '); };"
    "document.body.append(frame);";

}  // namespace

// Oracle: Chromium's console.
TEST_CASE("A browser loads the pages without a complaint", "[report]") {
  if (!has_chromium("A browser loads the pages without a complaint")) return;
  for (const std::string& page : {report::report_html(test::sample_run(2)), report::data_html(sample_data()),
                                  report::sweep_html(test::sample_sweep())}) {
    const Loaded loaded = load(page);
    CHECK(loaded.console.empty());
    // Its policy lets our script run: the buttons are the script's.
    CHECK(loaded.dom.find("class=\"theme\"") != std::string::npos);
    CHECK(loaded.dom.find("class=\"copy\"") != std::string::npos);
  }
}

// Oracles: the accuracies that the run was made with; the two papers of the style sheet; a window of a phone's width.
TEST_CASE("In a browser tables sort, colours turn, and nothing is wider than the window", "[report]") {
  if (!has_chromium("In a browser tables sort, colours turn, and nothing is wider than the window")) return;
  const std::string page = report::report_html(test::sample_run(2));
  const std::string script =
      "const rows = document.querySelector('table.sortable');"
      "const names = () => [...rows.tBodies[0].rows].map(row => row.cells[0].firstChild.textContent).join(' ');"
      "const press = column => rows.tHead.rows[0].cells[column].querySelector('button').click();"
      "const said = [names()]; for (const column of [1, 1, 1, 0]) { press(column); said.push(names()); }"
      "const colour = () => getComputedStyle(document.body).backgroundColor;"
      "said.push(colour()); for (let i = 0; i < 2; ++i) { document.querySelector('.theme').click(); "
      "said.push(colour()); }" +
      kWidthOnAPhone;
  CHECK(title_after(page, script) ==
        "source adabn blend16 torch-update-bn disabled identity; "
        "blend16 adabn torch-update-bn source disabled identity; "
        "identity disabled source torch-update-bn adabn blend16; "
        "source adabn blend16 torch-update-bn disabled identity; "
        "adabn blend16 disabled identity source torch-update-bn; "
        "rgb(255, 255, 255); rgb(20, 23, 27); rgb(255, 255, 255); 0");
  // The page as it is refuses a script that is not ours: a console that complains is heard.
  std::string injected = page;
  injected.insert(injected.rfind("</body>"), "<script>document.title = 'in'</script>");
  const Loaded refused = load(injected);
  CHECK(refused.dom.find("<title>in</title>") == std::string::npos);
  CHECK(refused.console.find("Content Security Policy") != std::string::npos);
}

// Oracles: the accuracies that the sweep was made with, sorted by hand; a window of a phone's width.
TEST_CASE("In a browser a sweep's page sorts, links its runs, and is not wider than the window", "[report]") {
  if (!has_chromium("In a browser a sweep's page sorts, links its runs, and is not wider than the window")) return;
  const std::string page = report::sweep_html(test::sample_sweep());
  const std::string script =
      "const table = [...document.querySelectorAll('table.sortable')].find(one => one.querySelector('a'));"
      "const names = () => [...table.tBodies[0].rows].slice(0, 3).map(row => [...row.cells].slice(0, 3)"
      "  .map(cell => cell.textContent).join(' ')).join(', ');"
      "const press = column => table.tHead.rows[0].cells[column].querySelector('button').click();"
      "const said = [names()]; for (const column of [3, 3]) { press(column); said.push(names()); }"
      "said.push(table.querySelector('a').getAttribute('href'));" +
      kWidthOnAPhone;
  CHECK(title_after(page, script) ==
        "noise 2 small, noise 2 large, noise 1 small; "
        "none  small, none  large, fog 1 small; "
        "noise 2 large, noise 2 small, noise 1 large; "
        "run-1/report.html; 0");
}
