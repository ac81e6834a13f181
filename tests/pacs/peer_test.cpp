#include "shiftnorm/pacs/peer.hpp"

#include <catch2/catch.hpp>
#include <string>

#include "shiftnorm/core/error.hpp"

using namespace shiftnorm;
using namespace shiftnorm::pacs;

// Oracle: the three parts of the text.
TEST_CASE("a peer is read from AET@HOST:PORT") {
  const Peer peer = parse_peer(" MY PACS@pacs.example:4242");
  CHECK(peer.title == "MY PACS");
  CHECK(peer.host == "pacs.example");
  CHECK(peer.port == 4242);
  CHECK(parse_peer("A@B@127.0.0.1:1").title == "A@B");
}

// Oracle: PS3.5 6.2 (AE: 16 characters, no backslash), ports of 16 bits. Law: no error repeats it.
TEST_CASE("what is no peer is refused without being repeated") {
  for (const std::string text : {"", "secret", "secret@host", "secret:104", "@host:104", "secret@:104",
                                 "secret@host:", "secret@host:0", "secret@host:65536", "secret@host:+1",
                                 "secret@host:104x", "secretsecretsecret@host:104", "sec\\ret@host:104"}) {
    INFO(text);
    REQUIRE_THROWS_AS(parse_peer(text), ConfigError);
    CHECK_THROWS_WITH(parse_peer(text), !Catch::Contains("secret"));
  }
}
