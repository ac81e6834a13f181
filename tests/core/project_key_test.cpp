#include "shiftnorm/core/project_key.hpp"

#include <sys/stat.h>

#include <catch2/catch.hpp>
#include <string>

#include "shiftnorm/core/error.hpp"
#include "shiftnorm/core/file.hpp"
#include "support/shared_data.hpp"

using namespace shiftnorm;

// Oracle: python3 -c "import hmac; print(hmac.new(bytes(range(32)), b'study\0001.2.3', 'sha256').hexdigest()[:16])"
TEST_CASE("a project key turns identifiers into ids") {
  const test::TempDir dir;
  const std::filesystem::path file = dir.path() / ".shiftnorm" / "key";
  std::filesystem::create_directory(file.parent_path());
  std::string bytes;
  for (int i = 0; i < 32; ++i) bytes += static_cast<char>(i);
  write_file(file, bytes);

  REQUIRE(::chmod(file.c_str(), 0644) == 0);
  CHECK_THROWS_AS(ProjectKey(dir.path()), ConfigError);
  REQUIRE(::chmod(file.c_str(), 0600) == 0);
  const ProjectKey key(dir.path());
  CHECK(key.id("study", "1.2.3") == "1aae6e50e63819a4");
  CHECK(key.id("series", "1.2.3") != key.id("study", "1.2.3"));
}

// Law: one key a folder, readable by its owner alone; another key gives other ids.
TEST_CASE("a project key is made once, for its owner alone") {
  const test::TempDir dir;
  const std::string first = ProjectKey(dir.path()).id("a", "b");
  CHECK(ProjectKey(dir.path()).id("a", "b") == first);
  struct stat facts {};
  REQUIRE(::stat((dir.path() / ".shiftnorm" / "key").c_str(), &facts) == 0);
  CHECK((facts.st_mode & 0777) == 0600);
  CHECK(ProjectKey(test::TempDir().path()).id("a", "b") != first);
}
