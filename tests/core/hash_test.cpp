#include "shiftnorm/core/hash.hpp"

#include <catch2/catch.hpp>
#include <string>

using shiftnorm::Sha256;
using shiftnorm::sha256_hex;

// Oracle: FIPS 180-4's published examples (NIST CSRC "Examples with Intermediate Values", SHA-256).
TEST_CASE("Sha256 gives the standard's own examples") {
  CHECK(sha256_hex("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  CHECK(sha256_hex("") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  CHECK(sha256_hex("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq") ==
        "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  CHECK(sha256_hex(std::string(1000000, 'a')) == "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

// Oracle: a law, pieces hash as their concatenation; 200 bytes cross the 64-byte blocks at every offset.
TEST_CASE("Sha256 does not care how the bytes are divided") {
  std::string text;
  for (int i = 0; i < 200; ++i) text += static_cast<char>(i);
  const std::string whole = sha256_hex(text);
  for (std::size_t cut = 0; cut <= text.size(); ++cut) {
    Sha256 hash;
    hash.add(text.substr(0, cut)).add(text.substr(cut));
    CHECK(hash.hex() == whole);
  }
}
