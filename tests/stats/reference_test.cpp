#include "shiftnorm/stats/reference.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <random>

#include "shiftnorm/core/error.hpp"

using namespace shiftnorm;
using namespace shiftnorm::stats;

namespace {

struct Image {
  std::vector<double> q, p, sum, square;
};

constexpr std::int64_t kValues = 9;

/// Of a layer of two channels; shares as a softmax has them.
std::vector<Image> random_images(std::size_t count, unsigned seed, std::size_t groups = 3) {
  std::mt19937 random(seed);
  const auto uniform = [&random] { return static_cast<double>(random() % 100001) * 1e-5; };
  std::vector<Image> out(count);
  for (Image& image : out) {
    double all = 0;
    for (std::size_t g = 0; g < groups; ++g) all += image.q.emplace_back(uniform() + 0.01);
    for (double& q : image.q) q /= all;
    image.p = image.q;
    for (int c = 0; c < 2; ++c) {
      const double mean = 4 * uniform() - 2;
      image.sum.push_back(mean * static_cast<double>(kValues));
      image.square.push_back((mean * mean + uniform()) * static_cast<double>(kValues));
    }
  }
  return out;
}

Reference empty() {
  Reference out = empty_reference({{"bn", {0.25, -3}, {2, 0.5}}}, std::vector{1e-5}, {"a", "b", "c"}, false);
  out.model_sha256 = std::string(64, 'a');
  out.preprocess_sha256 = std::string(64, 'b');
  return out;
}

Reference reference_of(const std::vector<Image>& images, const std::string& fingerprint) {
  Reference out = empty();
  out.fingerprints = {fingerprint};
  for (const Image& image : images) {
    out.add_image(image.q, image.p);
    out.add_moments(0, image.q, image.sum, image.square, kValues);
  }
  return out;
}

bool same_sums(const Reference& a, const Reference& b) {
  return a.counts == b.counts && a.outputs == b.outputs && a.layers[0].mean == b.layers[0].mean &&
         a.layers[0].square == b.layers[0].square && a.images == b.images;
}

std::string why_refused(const Reference& reference) {
  try {
    static_cast<void>(read_reference(write_reference(reference)));
  } catch (const FormatError& e) {
    return e.what();
  }
  return "read";
}

}  // namespace

// Oracle: weighted means in long double, from the definition: m_c = sum q a / sum q, a an image's mean around zero.
TEST_CASE("Class moments are the weighted means of images' moments", "[reference]") {
  const std::vector<Image> images = random_images(50, 1);
  const Reference reference = reference_of(images, "f");
  for (std::size_t g = 0; g < 3; ++g)
    for (std::size_t c = 0; c < 2; ++c) {
      const double pivot = std::vector{0.25, -3.0}[c];
      long double q = 0, mean = 0, square = 0;
      for (const Image& image : images) {
        const long double a = image.sum[c] / static_cast<double>(kValues),
                          b = image.square[c] / static_cast<double>(kValues);
        q += image.q[g];
        mean += image.q[g] * (pivot + a);
        square += image.q[g] * (b + 2 * pivot * a + pivot * pivot);
      }
      const Moments found = reference.moments(0, g);
      // 1e-6: a share counts in units of 2^-24.
      CHECK(found.mean[c] == Approx(static_cast<double>(mean / q)).epsilon(1e-6).margin(1e-6));
      CHECK(found.square[c] == Approx(static_cast<double>(square / q)).epsilon(1e-6));
    }
}

// Oracle: arithmetic. Two groups with means 0 and 2 and no spread: half and half has mean 1, variance 1.
TEST_CASE("A mixture has the variance between its classes", "[reference]") {
  Reference reference = empty_reference({{"bn", {0}, {1}}}, std::vector{1e-5}, {"a", "b"}, false);
  reference.add_image(std::vector{1.0, 0.0}, std::vector{1.0, 0.0});
  reference.add_moments(0, std::vector{1.0, 0.0}, std::vector{0.0}, std::vector{0.0}, 4);
  reference.add_image(std::vector{0.0, 1.0}, std::vector{0.25, 0.75});
  reference.add_moments(0, std::vector{0.0, 1.0}, std::vector{8.0}, std::vector{16.0}, 4);
  const std::vector<std::pair<std::size_t, double>> half{{0, 0.5}, {1, 0.5}}, first{{0, 1.0}, {1, 0.0}};
  CHECK(reference.mixture(0, half).mean == std::vector<double>{1});
  CHECK(reference.mixture(0, half).variance == std::vector<double>{1});
  CHECK(reference.mixture(0, first).variance == std::vector<double>{0});
  CHECK(reference.shares() == std::vector<double>{0.5, 0.5});
  CHECK(reference.outputs[3] == static_cast<std::int64_t>(0.75 * Reference::kUnit));
}

// Law: sums are whole numbers, so that order and grouping do not matter.
TEST_CASE("References of parts add up to the whole, bit for bit", "[reference]") {
  const std::vector<Image> all = random_images(30, 2);
  std::vector<Image> backwards(all.rbegin(), all.rend());
  const Reference whole = reference_of(all, "f");
  CHECK(same_sums(reference_of(backwards, "f"), whole));
  const auto part = [&](std::size_t begin, std::size_t end, const std::string& name) {
    return NamedReference{name, reference_of({all.begin() + static_cast<std::ptrdiff_t>(begin),
                                              all.begin() + static_cast<std::ptrdiff_t>(end)},
                                             name)};
  };
  const NamedReference a = part(0, 7, "a"), b = part(7, 19, "b"), c = part(19, 30, "c");
  const std::vector<NamedReference> one_way{a, b, c}, other_way{c, a, b};
  CHECK(same_sums(merged(one_way), whole));
  CHECK(same_sums(merged(other_way), whole));
  CHECK(merged(one_way).fingerprints == std::vector<std::string>{"a", "b", "c"});
}

// Oracle: the texts; each names the part, what was found and what was expected.
TEST_CASE("Parts that do not belong together are not merged", "[reference]") {
  const Reference one = reference_of(random_images(5, 3), "a"), two = reference_of(random_images(5, 4), "b");
  const auto refused = [&](void (*change)(Reference&), const std::string& text) {
    Reference other = two;
    change(other);
    const std::vector<NamedReference> parts{{"one", one}, {"other", other}};
    CHECK_THROWS_WITH(merged(parts), Catch::Contains(text));
  };
  refused([](Reference& r) { r.model_sha256[0] = 'c'; }, "other: model ca");
  refused([](Reference& r) { r.classes[0] = "z"; }, "other: classes z, b, c; expected a, b, c, as one has");
  refused([](Reference& r) { r.labelled = true; }, "counted by labels; expected the network's probabilities");
  refused([](Reference& r) { r.layers[0].exponent[0] += 1; }, "layers that differ");
  refused([](Reference& r) { r.fingerprints = {"a"}; }, "contains images that one contains too");
  const std::vector<NamedReference> same{{"one", one}, {"again", [&] {
                                                          Reference again = one;
                                                          again.fingerprints = {"c"};
                                                          return again;
                                                        }()}};
  CHECK_THROWS_WITH(merged(same), Catch::Contains("exactly the sums of one"));
  CHECK_THROWS_AS(merged(std::span(same).first(1)), ConfigError);
}

// Law: what is written is read back.
TEST_CASE("A reference is read as it was written", "[reference]") {
  Reference reference = reference_of(random_images(5, 5), "f");
  reference.patients = 4;
  reference.classes = {"a \"quoted\" name", "b,c", "ü"};
  const std::vector<std::byte> bytes = write_reference(reference);
  CHECK(is_reference(bytes));
  const Reference again = read_reference(bytes);
  CHECK(same_sums(again, reference));
  CHECK(again.classes == reference.classes);
  CHECK(again.patients == 4);
  CHECK(again.layers[0].exponent == reference.layers[0].exponent);
  CHECK(again.layers[0].pivot == reference.layers[0].pivot);
  CHECK_FALSE(is_reference(std::span(bytes).first(20)));
}

// Oracle: the texts. A file of strangers may say anything; no number of it leads outside an array or overflows.
TEST_CASE("Files that contradict themselves are refused", "[reference]") {
  const Reference good = reference_of(random_images(5, 6), "f");
  CHECK(why_refused(good) == "read");
  const auto with = [&](auto change) {
    Reference bad = good;
    change(bad);
    return why_refused(bad);
  };
  CHECK_THAT(with([](Reference& r) { r.counts[0] = -1; }), Catch::Contains("'counts' holds a number out of range"));
  CHECK_THAT(with([](Reference& r) { r.counts[0] *= 3; }), Catch::Contains("counts of"));
  CHECK_THAT(with([](Reference& r) { r.classes[1] = "a"; }), Catch::Contains("two classes of one name"));
  CHECK_THAT(with([](Reference& r) { r.layers[0].exponent[0] = 4000; }), Catch::Contains("out of range"));
  CHECK_THAT(with([](Reference& r) { r.layers[0].mean[0] = std::numeric_limits<std::int64_t>::min(); }),
             Catch::Contains("out of range"));
  CHECK_THAT(with([](Reference& r) { r.layers[0].square[0] = -5; }), Catch::Contains("negative"));
  CHECK_THAT(with([](Reference& r) { r.layers[0].pivot[0] = NAN; }), Catch::Contains("not finite"));
  CHECK_THAT(with([](Reference& r) { r.layers.clear(); }), Catch::Contains("no layer"));
  CHECK_THAT(with([](Reference& r) { r.model_sha256 = "x"; }), Catch::Contains("model_sha256 is missing"));
  CHECK_THAT(with([](Reference& r) { r.images = 0; }), Catch::Contains("in a reference of 0"));
}

// Law: every prefix and every byte changed either reads or is refused with a FormatError; nothing else happens.
TEST_CASE("Damaged references are refused or read, never followed", "[reference]") {
  const std::vector<std::byte> bytes = write_reference(reference_of(random_images(4, 7), "f"));
  std::size_t refused = 0, read = 0;
  const auto attempt = [&](std::span<const std::byte> file) {
    try {
      const Reference reference = read_reference(file);
      for (std::size_t g = 0; g < reference.groups(); ++g)
        if (reference.counts[g] > 0) static_cast<void>(reference.moments(0, g));
      ++read;
    } catch (const Error&) {
      ++refused;
    }
  };
  for (std::size_t length = 0; length < bytes.size(); length += 3) attempt(std::span(bytes).first(length));
  CHECK(read == 0);
  std::mt19937 random(8);
  for (int round = 0; round < 3000; ++round) {
    std::vector<std::byte> changed = bytes;
    changed[random() % changed.size()] = static_cast<std::byte>(random());
    attempt(changed);
  }
  CHECK(refused > 500);
  CHECK(read > 100);
}

// Oracle: arithmetic. A constant channel without an epsilon has a unit all the same.
TEST_CASE("A channel without variance is summed", "[reference]") {
  Reference reference = empty_reference({{"bn", {0}, {0}}}, std::vector{0.0}, {"a"}, false);
  reference.add_image(std::vector{1.0}, std::vector{1.0});
  reference.add_moments(0, std::vector{1.0}, std::vector{0x1p-40}, std::vector{0x1p-80}, 1);
  CHECK(reference.moments(0, 0).mean[0] == 0x1p-40);
}

// Oracle: the text. An activation a million deviations off is no image of the kind.
TEST_CASE("Moments far off the source are refused", "[reference]") {
  Reference reference = empty();
  const std::vector<double> q{1, 0, 0}, far{1e9, 0}, square{1e18, 1};
  CHECK_THROWS_WITH(reference.add_moments(0, q, far, square, 1), Catch::Contains("layer 'bn'"));
}
