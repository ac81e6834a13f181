#include "shiftnorm/imaging/shift.hpp"

#include <catch2/catch.hpp>
#include <cmath>
#include <numeric>
#include <set>

#include "shiftnorm/core/error.hpp"
#include "shiftnorm/imaging/transform.hpp"

using namespace shiftnorm;
using namespace shiftnorm::imaging;

namespace {

Image constant(std::int64_t side, std::int64_t channels, int bits, std::uint16_t value) {
  Image image{side, side, channels, bits, {}};
  image.pixels.assign(static_cast<std::size_t>(side * side * channels), value);
  return image;
}

/// Smooth colours with an edge, so that every shift has something to change.
Image scene(std::int64_t side, std::int64_t channels, int bits) {
  Image image{side, side, channels, bits, {}};
  const double most = (1 << bits) - 1;
  for (std::int64_t y = 0; y < side; ++y)
    for (std::int64_t x = 0; x < side; ++x)
      for (std::int64_t c = 0; c < channels; ++c) {
        const double u = static_cast<double>(x) / static_cast<double>(side),
                     v = static_cast<double>(y) / static_cast<double>(side);
        const double wave = 0.3 + 0.2 * std::sin(9 * u + static_cast<double>(c)) * std::cos(7 * v);
        image.pixels.push_back(static_cast<std::uint16_t>(std::lround(most * (u + v > 1.1 ? wave + 0.3 : wave))));
      }
  return image;
}

double mean_change(const Image& a, const Image& b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.pixels.size(); ++i) sum += std::abs(int{a.pixels[i]} - int{b.pixels[i]});
  return sum / static_cast<double>(a.pixels.size());
}

struct Moments {
  double mean = 0, variance = 0;
};
Moments moments(const Image& image) {
  Moments m;
  const double most = (1 << image.bits) - 1, n = static_cast<double>(image.pixels.size());
  for (const std::uint16_t v : image.pixels) m.mean += v / most / n;
  for (const std::uint16_t v : image.pixels) m.variance += (v / most - m.mean) * (v / most - m.mean) / n;
  return m;
}

std::string any_key() { return "a/1.png"; }

}  // namespace

// Law: a shift keeps the image's form, is the same for one seed and key, and changes the image.
TEST_CASE("Every shift keeps size, channels and bits and repeats itself", "[imaging]") {
  for (const ShiftSpec& spec : shift_table()) {
    INFO(spec.name);
    for (const auto& [side, channels, bits] : {std::array{32, 3, 8}, std::array{120, 1, 16}, std::array{100, 3, 8}}) {
      const Image image = scene(side, channels, bits);
      for (const int severity : {1, 3, 5}) {
        const Shift shift{std::string(spec.name), severity};
        const Image out = apply_shift(shift, image, 7, any_key());
        CHECK(out.height == side);
        CHECK(out.width == side);
        CHECK(out.channels == channels);
        CHECK(out.bits == bits);
        CHECK(out.pixels.size() == image.pixels.size());
        CHECK(apply_shift(shift, image, 7, any_key()).pixels == out.pixels);
        CHECK(mean_change(image, out) > 0);
      }
    }
  }
}

// Law: noise belongs to the sample: another id or seed draws other numbers.
TEST_CASE("Noise differs between samples and seeds", "[imaging]") {
  const Image image = scene(32, 3, 8);
  for (const char* name : {"gaussian_noise", "shot_noise", "impulse_noise", "quantum_noise", "snow", "frost", "fog"}) {
    INFO(name);
    const Image one = apply_shift({name, 3}, image, 7, "a/1.png");
    CHECK(apply_shift({name, 3}, image, 7, "a/2.png").pixels != one.pixels);
    CHECK(apply_shift({name, 3}, image, 8, "a/1.png").pixels != one.pixels);
  }
}

// Law: a higher severity changes the image more.
TEST_CASE("Severities are ordered", "[imaging]") {
  const Image image = scene(128, 3, 8);
  for (const char* name :
       {"gaussian_noise", "shot_noise", "impulse_noise", "defocus_blur", "zoom_blur", "brightness", "contrast",
        "pixelate", "jpeg_compression", "gamma", "bit_depth", "quantum_noise", "scatter_haze", "resampling"}) {
    INFO(name);
    double before = 0;
    for (int severity = 1; severity <= 5; ++severity) {
      const double change = mean_change(image, apply_shift({name, severity}, image, 7, any_key()));
      CHECK(change > before);
      before = change;
    }
  }
}

// Oracle: the definitions by hand; grey 100 of 255 and a pixel (51, 102, 204).
TEST_CASE("Shifts of single values, worked by hand", "[imaging]") {
  const auto value = [](const char* name, int severity) {
    return apply_shift({name, severity}, constant(4, 1, 8, 100), 0, any_key()).pixels[5];
  };
  CHECK(value("monochrome_inversion", 2) == 155);
  CHECK(value("gain_offset", 1) == 103);  // 0.9 * 100 + 0.05 * 255 = 102.75
  CHECK(value("bit_depth", 5) == 85);     // 100/255*3 = 1.18 -> 1/3 -> 85
  CHECK(value("gamma", 4) == 33);         // 255 (100/255)^2.2 = 32.5 (32.51)
  CHECK(value("brightness", 1) == 113);   // small image: 100 + 0.05 * 255 = 112.75
  CHECK(value("contrast", 3) == 100);     // the mean stays
  Image pixel{1, 1, 3, 8, {51, 102, 204}};
  // The value rises from 204/255 = 0.8 to 0.9: every channel times 1.125.
  CHECK(apply_shift({"brightness", 2}, pixel, 0, any_key()).pixels == std::vector<std::uint16_t>{57, 115, 230});
  const Image two{1, 2, 1, 8, {40, 140}};
  // Severity 2 of a small image: half way to the mean of 90.
  CHECK(apply_shift({"contrast", 2}, two, 0, any_key()).pixels == std::vector<std::uint16_t>{65, 115});
}

// Oracle: the moments of the distributions: sigma = 0.08 (ImageNet-C, severity 1), Poisson of 60 photons at 1, 3 % of
// values replaced. 3 standard errors of 120 * 120 draws: 1.8 % of a standard deviation, 3.5 % of a variance.
TEST_CASE("Noise has the published strength", "[imaging]") {
  const Image grey = constant(120, 1, 16, 32768);
  const Moments gaussian = moments(apply_shift({"gaussian_noise", 1}, grey, 1, any_key()));
  CHECK(gaussian.mean == Approx(0.5).margin(3 * 0.08 / 120));
  CHECK(gaussian.variance == Approx(0.08 * 0.08).epsilon(0.036));
  const Moments shot = moments(apply_shift({"shot_noise", 1}, grey, 1, any_key()));
  CHECK(shot.mean == Approx(0.5).margin(3 * std::sqrt(0.5 / 60) / 120));
  CHECK(shot.variance == Approx(0.5 / 60).epsilon(0.036));
  const Image impulse = apply_shift({"impulse_noise", 1}, grey, 1, any_key());
  const auto changed = std::ranges::count_if(impulse.pixels, [](std::uint16_t v) { return v == 0 || v == 65535; });
  CHECK(static_cast<double>(changed) / 14400 == Approx(0.03).margin(3 * std::sqrt(0.03 * 0.97) / 120));
}

// Oracle: the definition of the disk: 29 cells of radius 3 around one bright pixel, 65535 / 29 each.
TEST_CASE("Defocus spreads a point over a disk", "[imaging]") {
  Image point = constant(101, 1, 16, 0);
  point.pixels[50 * 101 + 50] = 65535;
  const Image out = apply_shift({"defocus_blur", 1}, point, 0, any_key());
  int inside = 0;
  for (std::int64_t y = 0; y < 101; ++y) {
    for (std::int64_t x = 0; x < 101; ++x) {
      const bool disk = (x - 50) * (x - 50) + (y - 50) * (y - 50) <= 9;
      inside += disk ? 1 : 0;
      CHECK(out.pixels[static_cast<std::size_t>(y * 101 + x)] == (disk ? 2260 : 0));
    }
  }
  CHECK(inside == 29);
}

// Law: a blur's weights sum to 1.
TEST_CASE("Blurs leave a constant image alone", "[imaging]") {
  const Image grey = constant(100, 3, 8, 77);
  for (const char* name : {"defocus_blur", "glass_blur", "motion_blur", "zoom_blur", "elastic_transform", "pixelate",
                           "scatter_haze", "resampling"})
    for (const int severity : {1, 5}) {
      INFO(name);
      CHECK(apply_shift({name, severity}, grey, 3, any_key()).pixels == grey.pixels);
    }
}

// Law: what a shift does not change is asked of the data themselves. The audit of a file was lost here once.
TEST_CASE("Shifted data are asked for everything that is not shifted", "[imaging]") {
  class Told final : public Dataset {
   public:
    const std::vector<Sample>& samples() const override { return samples_; }
    const std::vector<std::string>& classes() const override { return classes_; }
    std::int64_t skipped() const override { return 7; }
    bool images() const override { return true; }
    bool integers() const override { return true; }
    Image decode(std::size_t) const override { return {}; }
    Tensor array(std::size_t) const override { return {}; }
    Reader reader() const override { return Reader::folder; }
    const std::vector<Bad>& bad() const override { return bad_; }
    const std::vector<Bad>& skipped_files() const override { return bad_; }
    std::vector<std::string> notes(const Pipeline&) const override { return {"a note"}; }
    std::optional<PixelAudit> audit(std::size_t index) const override {
      return PixelAudit{.stored_sha256 = std::to_string(index)};
    }
    std::string digest(std::size_t index) const override { return "digest " + std::to_string(index); }
    std::string content(std::size_t index) const override { return "content " + std::to_string(index); }
    std::string path(std::size_t index) const override { return "path " + std::to_string(index); }
    std::vector<Place> other_places() const override { return {{"id", "path"}}; }
    const LabelCounts* label_counts() const override { return &counts_; }
    std::vector<std::string> selection_notes() const override { return {"chosen"}; }

   private:
    std::vector<Sample> samples_{Sample{.id = "a"}, Sample{.id = "b"}};
    std::vector<std::string> classes_{"x", "y"};
    std::vector<Bad> bad_{{"c", "is bad"}};
    LabelCounts counts_{};
  };
  const Told told;
  const auto data = shifted(std::make_unique<Told>(), {{"gaussian_noise", 1}}, 3);
  CHECK(data->samples().size() == 2);
  CHECK(data->classes() == told.classes());
  CHECK(data->skipped() == 7);
  CHECK(data->images());
  CHECK(data->integers());
  CHECK(data->reader() == Reader::folder);
  CHECK(data->bad().size() == 1);
  CHECK(data->skipped_files().size() == 1);
  CHECK(data->notes({}) == told.notes({}));
  REQUIRE(data->audit(1));
  CHECK(data->audit(1)->stored_sha256 == "1");
  CHECK(data->digest(1) == "digest 1");
  CHECK(data->content(1) == "content 1");
  CHECK(data->path(1) == "path 1");
  CHECK(data->other_places().size() == 1);
  CHECK(data->label_counts() != nullptr);
  CHECK(data->selection_notes() == told.selection_notes());
}

// Oracle: the names of shift_table(); severities are 1 to 5.
TEST_CASE("Unknown shifts and severities are refused", "[imaging]") {
  CHECK_THROWS_WITH(check_shift({"gausian_noise", 1}),
                    Catch::Matchers::StartsWith("shift 'gausian_noise' is unknown") &&
                        Catch::Matchers::EndsWith("nearest: gaussian_noise"));
  CHECK_THROWS_WITH(check_shift({"fog", 6}), "shift fog has severity 6; expected 1 to 5");
  std::set<std::string_view> names;
  for (const ShiftSpec& spec : shift_table()) CHECK(names.insert(spec.name).second);
}
