#include "shiftnorm/container/csv.hpp"

#include <catch2/catch.hpp>

#include "shiftnorm/core/error.hpp"

using namespace shiftnorm;
using Catch::Matchers::Contains;
using container::CsvTable, container::parse_csv;

namespace {

std::vector<std::vector<std::string>> all(const CsvTable& table) {
  std::vector<std::vector<std::string>> rows;
  for (std::size_t r = 0; r < table.rows(); ++r) {
    rows.emplace_back();
    for (std::size_t c = 0; c < table.columns().size(); ++c) rows.back().emplace_back(table.field(r, c));
  }
  return rows;
}

using Rows = std::vector<std::vector<std::string>>;

}  // namespace

// Oracle: RFC 4180, section 2, rules 1 to 7.
TEST_CASE("CSV in the forms that programs write", "[container]") {
  const std::vector<std::string> columns{"path", "label", "site"};
  const Rows rows{{"a/1.png", "0012", "x"}, {"b, c.png", "say \"no\"", "two\nlines"}};
  const std::string text = GENERATE(
      std::string("path,label,site\na/1.png,0012,x\n\"b, c.png\",\"say \"\"no\"\"\",\"two\nlines\"\n"),
      std::string("\xef\xbb\xbfpath;label;site\r\na/1.png;0012;x\r\n\"b, c.png\";\"say \"\"no\"\"\";\"two\nlines\""),
      std::string("path\tlabel\tsite\n a/1.png \t0012\tx\n\nb, c.png\t\"say \"\"no\"\"\"\t \"two\nlines\" \n\n"),
      std::string("path,label,site\ra/1.png,0012,x\r\"b, c.png\",\"say \"\"no\"\"\",\"two\nlines\"\r"));
  const CsvTable table = parse_csv(text);
  CHECK(table.columns() == columns);
  CHECK(all(table) == rows);
  CHECK(*table.find("site") == 2);
  CHECK_FALSE(table.find("Site"));
}

TEST_CASE("CSV: empty fields, one column, lines counted", "[container]") {
  CHECK(all(parse_csv("a,b\n,\n1,\n")) == Rows{{"", ""}, {"1", ""}});
  const CsvTable one = parse_csv("\n\nname\n\nx\n\"\"\ny");
  CHECK(all(one) == Rows{{"x"}, {""}, {"y"}});
  CHECK(one.line(0) == 5);
  CHECK(one.line(2) == 7);
  CHECK(parse_csv("a,b").rows() == 0);
  CHECK(parse_csv("a,b\n\"1\n2\",3\n4,5\n").line(1) == 4);
}

TEST_CASE("Bad CSV is refused with its line", "[container]") {
  CHECK_THROWS_WITH(parse_csv(""), Contains("is empty; expected a first line"));
  CHECK_THROWS_WITH(parse_csv("a,b\n1,2\n3\n"), "line 3: 1 fields; expected 2, as the first line has");
  CHECK_THROWS_WITH(parse_csv("a,b\n1,2,3\n"), "line 2: 3 fields; expected 2, as the first line has");
  CHECK_THROWS_WITH(parse_csv("a,b\n1,\"2\n3\n"), Contains("line 2: a quote is opened and not closed"));
  CHECK_THROWS_WITH(parse_csv("a,b\n\"1\"x,2\n"), Contains("line 2: 'x,2"));
  CHECK_THROWS_WITH(parse_csv("a,b,a\n"), Contains("two columns are named 'a'"));
  CHECK_THROWS_WITH(parse_csv("a,,b\n"), Contains("column 2 has no name"));
  CHECK_THROWS_WITH(parse_csv(std::string_view("a,b\n1,\0\n", 8)), Contains("zero byte"));
  CHECK_THROWS_AS(parse_csv("\xff\xfe"
                            "a"),
                  UnsupportedError);
  CHECK_THROWS_WITH(parse_csv(std::string(5000, ',')), Contains("5001 columns; expected at most 4096"));
}
