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
using container::csv_field, container::CsvQuotes;

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

// Oracle: RFC 4180 worked by hand; Python's csv module gives the same rows.
TEST_CASE("CSV: empty fields, one column, lines counted", "[container]") {
  CHECK(all(parse_csv("a,b\n,\n1,\n")) == Rows{{"", ""}, {"1", ""}});
  const CsvTable one = parse_csv("\n\nname\n\nx\n\"\"\ny");
  CHECK(all(one) == Rows{{"x"}, {""}, {"y"}});
  CHECK(one.line(0) == 5);
  CHECK(one.line(2) == 7);
  CHECK(parse_csv("a,b").rows() == 0);
  CHECK(parse_csv("a,b\n\"1\n2\",3\n4,5\n").line(1) == 4);
}

// Oracle: the line that a person would look at, counted by hand.
TEST_CASE("Bad CSV is refused with its line", "[container]") {
  CHECK_THROWS_WITH(parse_csv(""), Contains("is empty; expected a first line"));
  CHECK_THROWS_WITH(parse_csv("a,b\n1,2\n3\n"), "line 3: 1 fields; expected 2, as the first line has");
  CHECK_THROWS_WITH(parse_csv("a,b\n1,2,3\n"), "line 2: 3 fields; expected 2, as the first line has");
  CHECK_THROWS_WITH(parse_csv("a,b\n1,\"2\n3\n"), Contains("line 2: an opening quote is never closed"));
  CHECK_THROWS_WITH(parse_csv("a,b\n\"1\"x,2\n"), Contains("line 2: 'x,2"));
  CHECK_THROWS_WITH(parse_csv("a,b,a\n"), Contains("two columns are named 'a'"));
  CHECK_THROWS_WITH(parse_csv(std::string_view("a,b\n1,\0\n", 8)), Contains("zero byte"));
  CHECK_THROWS_WITH(parse_csv("\xff\xfe"
                              "a"),
                    Contains("UTF-16 text of an odd number of bytes"));
  CHECK_THROWS_WITH(parse_csv(std::string(5000, ',')), Contains("more than 4096 columns"));
  CHECK_THROWS_WITH(parse_csv(",,\n"), Contains("is empty"));
  CHECK_THROWS_WITH(parse_csv("a,b,\n1\n"), "line 2: 1 fields; expected 3, as the first line has");
}

// Oracle: what pandas.read_csv names "Unnamed: 0" and "Unnamed: 3" holds nothing: DataFrame.to_csv() writes its index
// under no name, NIH's Data_Entry_2017.csv ends every line in a comma.
TEST_CASE("CSV: columns without a name, and commas at the ends of lines", "[container]") {
  const CsvTable index = parse_csv(",path,label\n0,a.png,x\n1,b.png,y\n");
  CHECK(index.columns() == std::vector<std::string>{"path", "label"});
  CHECK(all(index) == Rows{{"a.png", "x"}, {"b.png", "y"}});
  CHECK_FALSE(index.find(""));
  CHECK(all(parse_csv("path,w,,label,\na.png,1,?,x,\nb.png,2,,y\n")) == Rows{{"a.png", "1", "x"}, {"b.png", "2", "y"}});
  // A spreadsheet that once had more columns.
  CHECK(all(parse_csv("a,b\n1,2,,\n3,4\n")) == Rows{{"1", "2"}, {"3", "4"}});
  CHECK_THROWS_WITH(parse_csv("a,b\n1,2,,5\n"), "line 2: 4 fields; expected 2, as the first line has");
}

// Oracle: how Excel reads such a file: the line is its own and names the separator.
TEST_CASE("CSV: a line that names the separator", "[container]") {
  const std::string text = GENERATE(std::string("sep=;\npath;la,bel\na.png;x\n"),
                                    std::string("\xef\xbb\xbfsep=;\r\npath;la,bel\r\na.png;x\r\n"),
                                    std::string("\"sep=;\"\npath;la,bel\na.png;x"));
  const CsvTable table = parse_csv(text);
  CHECK(table.columns() == std::vector<std::string>{"path", "la,bel"});
  CHECK(all(table) == Rows{{"a.png", "x"}});
  CHECK(table.line(0) == 3);
  CHECK(parse_csv("sep=1,b\n1,2\n").columns() == std::vector<std::string>{"sep=1", "b"});
}

// Oracle: Python's "path\tlabel\nä.png\tx\U0001F600\n".encode("utf-16-le") and "utf-16-be", with a byte order mark.
TEST_CASE("CSV: UTF-16 as spreadsheets write it", "[container]") {
  const std::u16string text = u"path\tlabel\n\u00e4.png\tx\U0001F600\n";
  for (const bool big : {false, true}) {
    std::string bytes;
    for (const char16_t unit : u"\ufeff" + text) {
      const char low = static_cast<char>(unit & 0xff), high = static_cast<char>(unit >> 8);
      bytes += big ? std::string{high, low} : std::string{low, high};
    }
    CHECK(all(parse_csv(bytes)) == Rows{{"\xc3\xa4.png", "x\xf0\x9f\x98\x80"}});
    CHECK_THROWS_WITH(parse_csv(bytes.substr(0, bytes.size() - 4)), Contains("half a character"));
  }
}

// Oracle: ImageNet's val.txt as its devkit reads it: the last blank parts name and label.
TEST_CASE("Lines of a name and a value, without names of columns", "[container]") {
  const container::CsvForm form{{"path", "label"}, true};
  CHECK(all(parse_csv("val_1.JPEG 65\r\nmy picture.png\t 970\n\n\"q.png 3", form)) ==
        Rows{{"val_1.JPEG", "65"}, {"my picture.png", "970"}, {"\"q.png", "3"}});
  CHECK_THROWS_WITH(parse_csv("a.png 1\nb.png\n", form), Contains("line 2: 1 fields; expected 2"));
  CHECK(all(parse_csv("a.png,1\n", {{"path", "label"}, false})) == Rows{{"a.png", "1"}});
}

// Oracle: RFC 4180, section 2, and OWASP's page on CSV injection. Law: what is written is read back, the guard aside.
TEST_CASE("CSV: fields are written so that no spreadsheet takes one for a formula", "[container]") {
  CHECK(csv_field("plain") == "plain");
  CHECK(csv_field("").empty());
  CHECK(csv_field("a,b") == "\"a,b\"");
  CHECK(csv_field("say \"no\"") == "\"say \"\"no\"\"\"");
  CHECK(csv_field("two\nlines") == "\"two\nlines\"");
  CHECK(csv_field("plain", CsvQuotes::always) == "\"plain\"");
  for (const std::string text : {"=1+1", "+1", "-a", "@SUM(A1)", "\tx", "\rx", "=HYPERLINK(\"http://x\",\"y\")"})
    CHECK(csv_field(text).starts_with("\"'" + text.substr(0, 1)));
  for (const std::string number : {"-0.5", "-1e-40", "12", "-inf"}) CHECK(csv_field(number) == number);
  for (const std::string text : {"plain", "a,b", "a;b", "\"", "x\r\ny", "=1", ""}) {
    const CsvTable table = parse_csv("a,b\n" + csv_field(text) + "," + csv_field("z") + "\n");
    CHECK(table.field(0, 0) == (text == "=1" ? "'=1" : text));
    CHECK(table.field(0, 1) == "z");
  }
}
