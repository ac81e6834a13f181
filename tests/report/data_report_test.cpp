#include "shiftnorm/report/data_report.hpp"

#include <catch2/catch.hpp>

using namespace shiftnorm;

namespace {

report::DataReport sample() {
  report::DataReport data;
  data.name = "<archive>";
  data.reader = "folder";
  data.images = data.samples = 2;
  data.tallies = {{"classes", "Class", {{"<b>cat</b>", 2}}}};
  report::Distribution one{"uint8", imaging::Histogram(0), 1.5, std::nullopt};
  for (int v = 0; v < 4; ++v) one.histogram.add(v, v == 3 ? 16 : 1);
  data.before = {one};
  data.thumbnails = {{"a", 1, 2, 1, {0, 255}}};
  return data;
}

}  // namespace

// Oracle: a bitmap by hand: 14 + 40 bytes of headers, one row of 2 pixels and 2 bytes to a multiple of 4; base64 of it.
TEST_CASE("A thumbnail is a bitmap in the page", "[report]") {
  const std::string page = report::data_html(sample());
  CHECK_THAT(page,
             Catch::Contains(
                 "data:image/bmp;base64,Qk0+AAAAAAAAADYAAAAoAAAAAgAAAAEAAAABABgAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
                 "////AAA=\" width=\"2\" height=\"1\""));
}

// Oracle: by hand: heights are square roots of shares of the largest, 1/4 and 1.
TEST_CASE("Intensities are drawn as bars of text", "[report]") {
  const std::string text = report::data_text(sample());
  CHECK_THAT(text, Catch::Contains("|▂▂▂█|"));
  CHECK_THAT(text, Catch::Contains("<archive>: 2 images, 0 bad, 0 other files skipped\n"));
}

// Law: no text of the data is markup, and nothing names another place to load from.
TEST_CASE("The page of data is escaped and fetches nothing", "[report]") {
  const std::string page = report::data_html(sample());
  CHECK(page.find("<b>cat") == std::string::npos);
  CHECK(page.find("<archive>") == std::string::npos);
  for (const char* reference : {"http:", "https:", " href=", "url(", "@import", "<link", "<iframe"})
    CHECK(page.find(reference) == std::string::npos);
}
