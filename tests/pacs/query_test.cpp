#include "shiftnorm/pacs/query.hpp"

#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "shiftnorm/core/error.hpp"

using namespace shiftnorm;
using namespace shiftnorm::pacs;

namespace {

Query query(std::vector<std::string> texts) { return Query(texts); }

bool matches(const std::string& condition, const std::string& answer) {
  return meets(query({condition}).conditions().front(), answer);
}

}  // namespace

// Oracle: PS3.6's keywords and numbers; PS3.4's levels.
TEST_CASE("a query is read key by key") {
  const Query q = query({"PatientID=A=B", "0008,0060=DX", "StudyDate=20200101-"});
  REQUIRE(q.conditions().size() == 3);
  CHECK(q.conditions()[0].key->keyword == "PatientID");
  CHECK(q.conditions()[0].value == "A=B");
  CHECK(q.conditions()[1].key->keyword == "Modality");
  CHECK(q.conditions()[1].key->level == Level::series);
  CHECK(q.has(Level::series));
  CHECK_FALSE(query({"PatientID=1"}).has(Level::series));
}

// Oracle: the flaw of each query. Law: no error repeats its value.
TEST_CASE("a wrong query is refused without its value") {
  struct Case {
    std::vector<std::string> texts;
    std::string says;
  };
  const std::vector<Case> cases{
      {{}, "no condition"},
      {{"Secret^Name"}, "without KEY="},
      {{"=Secret"}, "without KEY="},
      {{"PatientNames=Secret"}, "PatientNames: is not a query key (nearest is 'PatientName')"},
      {{"PatientID=Secret", "0010,0020=Secret"}, "PatientID: given twice"},
      {{"PatientID="}, "PatientID: a value that cannot be matched; expected one after the '='"},
      {{"PatientID=Secret\\Secret"}, "UIDs alone may be several"},
      {{"PatientID=Secret\n"}, "no control characters"},
      {{"StudyInstanceUID=Secret"}, "expected UIDs"},
      {{"StudyInstanceUID=1.2\\"}, "expected UIDs"},
      {{"StudyDate=2020"}, "expected YYYYMMDD"},
      {{"StudyDate=-"}, "expected YYYYMMDD"},
      {{"StudyDate=20200101-20210101-"}, "expected YYYYMMDD"},
  };
  for (const Case& one : cases) {
    INFO(one.says);
    REQUIRE_THROWS_AS(query(one.texts), ConfigError);
    CHECK_THROWS_WITH(query(one.texts), Catch::Contains(one.says) && !Catch::Contains("Secret"));
  }
}

// Oracle: PS3.4 C.2.2.2, the kinds of matching, worked by hand.
TEST_CASE("answers are held against the query") {
  CHECK(matches("PatientID=0012", "0012"));
  CHECK_FALSE(matches("PatientID=0012", "12"));
  CHECK_FALSE(matches("PatientID=0012", ""));
  CHECK(matches("PatientName=doe^j*", "DOE^JANE"));
  CHECK_FALSE(matches("PatientName=doe^j*", "DOE^ANN"));
  CHECK(matches("PatientName=*^?ane", "Doe^Jane"));
  CHECK_FALSE(matches("PatientName=*^?ane", "Doe^ane"));
  CHECK(matches("PatientName=a*b*c", "axxbyybzzc"));
  CHECK_FALSE(matches("PatientName=a*b*c", "axxbyybzz"));
  CHECK(matches("PatientName=*", ""));
  CHECK(matches("ModalitiesInStudy=DX", "SR\\DX"));
  CHECK_FALSE(matches("ModalitiesInStudy=DX", "SR\\CR"));
  CHECK(matches("StudyDate=20200101", "20200101"));
  CHECK_FALSE(matches("StudyDate=20200101", "20200102"));
  CHECK(matches("StudyDate=20200101-20200131", "20200131"));
  CHECK_FALSE(matches("StudyDate=20200101-20200131", "20200201"));
  CHECK(matches("StudyDate=-20200131", "19990101"));
  CHECK(matches("StudyDate=20200101-", "20300101"));
  CHECK_FALSE(matches("StudyDate=20200101-", ""));
  CHECK(matches("StudyInstanceUID=1.2\\1.3", "1.3"));
  CHECK_FALSE(matches("StudyInstanceUID=1.2\\1.3", "1.30"));
  // Another character set may spell the same name with other bytes.
  CHECK(matches("PatientName=M\xc3\xbcller", "M\xfcller"));
}

// Law: no text of only a matches a pattern that ends in b; trying every way to place 2000 stars would never end.
TEST_CASE("a pattern of stars is matched in bounded time") {
  std::string pattern = "PatientName=";
  for (int i = 0; i < 2000; ++i) pattern += "a*";
  CHECK_FALSE(matches(pattern + "b", std::string(20000, 'a')));
}
