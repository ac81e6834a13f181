#pragma once

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "shiftnorm/core/array.hpp"
#include "shiftnorm/core/names.hpp"
#include "shiftnorm/core/progress.hpp"
#include "shiftnorm/imaging/histogram.hpp"

namespace shiftnorm::imaging {

namespace dicom {
struct Frame;
}

/// An image as decoded: rows, columns, interleaved channels (1 grey, 3 RGB).
/// Integers of 8 or 16 bits as in the file; or real numbers, which the pixel chain of a DICOM frame gives and some
/// TIFFs hold.
struct Image {
  std::int64_t height = 0, width = 0, channels = 0;
  int bits = 8;                         ///< 8 or 16: values fill [0, 2^bits - 1]. 0: the values are `reals`
  std::vector<std::uint16_t> pixels{};  ///< height * width * channels
  std::vector<float>
      reals{};  ///< bits == 0: in [0, 1], except a TIFF's, and a chain's with `none`, which are unchanged
  /// A DICOM frame whose pixel chain has not run yet: no values so far; apply_image_steps() begins with the chain.
  std::shared_ptr<const dicom::Frame> frame{};

  [[nodiscard]] std::size_t values() const { return static_cast<std::size_t>(height * width * channels); }
};

/// One sample of a data set: what names it in outputs, its label, and how to get it.
struct Sample {
  std::string id;           ///< relative path with '/' or "name[index]" for arrays; a keyed hash where `Ids` says so
  std::int32_t label = -1;  ///< index into Dataset::classes; -1: none
  std::string patient{};    ///< keyed hash of whose it is, for counts and groups; empty: unknown. Never printed
  /// Of several findings at once, one for each of Dataset::classes: there (1), not there (0), not known (-1). Empty:
  /// the data have one label per sample, or none.
  std::vector<std::int8_t> findings{};
  /// What tables may be joined by besides the id, by the names that a table's columns have. Never printed.
  std::map<std::string, std::string> keys{};
  /// What else is known of it and was asked for (DatasetOptions::keep).
  std::map<std::string, std::string> attributes{};

  /// Whether its class, or one of its findings, is known.
  [[nodiscard]] bool labelled() const {
    return label >= 0 || std::any_of(findings.begin(), findings.end(), [](std::int8_t one) { return one >= 0; });
  }
};

struct Limit {
  std::optional<std::int64_t> per_class{};  ///< the first N of each class in sorted order; unlabelled ones not
  std::optional<std::int64_t> images{};     ///< N drawn with `seed`, kept in order
  std::uint64_t seed = 0;
};

enum class Reader { automatic, folder, array, table, dicom };
inline constexpr auto kReaders = names<Named<Reader>>("reader", {{"auto", Reader::automatic},
                                                                 {"folder", Reader::folder},
                                                                 {"array", Reader::array},
                                                                 {"table", Reader::table},
                                                                 {"dicom", Reader::dicom}});

/// A file that could not be used, and why in one line (no folder names).
struct Bad {
  std::string id, reason;
  std::string kind{};                     ///< DICOM: the reason's name, such as "truncated"
  std::optional<std::uint64_t> offset{};  ///< DICOM: where in the object, in bytes
};

/// What an id stands for. Only for lists that are asked for: paths may name patients.
struct Place {
  std::string id, path;  ///< path: relative to the data set, `archive!member` for what lies in one
};

/// What became of a table of labels, or of an attribute's values (counts of samples, and of rows without one).
struct LabelCounts {
  std::string file;  ///< without folders; the attribute's keyword
  std::string by{};  ///< which column names the images, and how; empty: as its name says
  std::int64_t matched = 0, images_without_label = 0, labels_without_image = 0, ambiguous = 0;
};

/// What `inspect --pixels` says of one file beside its decoded values.
struct PixelAudit {
  std::string transfer_syntax, transfer_syntax_name, dtype, stored_sha256;
  std::vector<std::int64_t> shape;     ///< frames, rows, columns, samples; the first only if there are several
  double min = 0, max = 0, mean = 0;   ///< of frame 0 after the modality step
  std::string voi;                     ///< "lut", "window:LINEAR", ..., "none"; empty for colours
  std::optional<double> voi_mean{};    ///< of frame 0, in [0, 1]
  Histogram values{};                  ///< of frame 0 after the modality step, padding left out; colours: R, G and B
  std::vector<std::string> remarks{};  ///< what in the file is wrong or contradicts itself, and what was taken instead
};

struct Pipeline;

/// A listed, not yet decoded data set. decode() and array() are safe from several threads at once; their errors say
/// what is wrong with the sample without naming it, and a file whose bytes changed since it was first read is one.
class Dataset {
 public:
  virtual ~Dataset() = default;
  [[nodiscard]] virtual const std::vector<Sample>& samples() const = 0;
  [[nodiscard]] virtual const std::vector<std::string>& classes() const = 0;  ///< empty: unlabelled
  [[nodiscard]] virtual std::int64_t skipped() const = 0;                     ///< files that are not images
  /// True: samples are images for the transforms. False: arrays of numbers.
  [[nodiscard]] virtual bool images() const = 0;
  /// Whether the arrays hold whole numbers, which need ToFloat; floating-point numbers enter the network as they are.
  [[nodiscard]] virtual bool integers() const { return false; }
  [[nodiscard]] virtual Image decode(std::size_t index) const = 0;  ///< throws FormatError / UnsupportedError
  [[nodiscard]] virtual Tensor array(std::size_t index) const = 0;  ///< one sample without N, channels first
  [[nodiscard]] virtual Reader reader() const = 0;                  ///< what reads it; never `automatic`
  /// Files that turned out bad while the data set was listed; no samples, but they count.
  [[nodiscard]] virtual const std::vector<Bad>& bad() const;
  /// Files that are skipped on purpose, with their reasons, where the reader lists them one by one.
  [[nodiscard]] virtual const std::vector<Bad>& skipped_files() const;
  /// What the user should know about these data under that preprocessing, one line each.
  [[nodiscard]] virtual std::vector<std::string> notes(const Pipeline& pipeline) const;
  /// Of the file of sample `index`; nothing where decode() reports all there is, and for all but the first sample of a
  /// file. Thread-safe.
  [[nodiscard]] virtual std::optional<PixelAudit> audit(std::size_t index) const;
  [[nodiscard]] virtual std::string digest(std::size_t index) const = 0;  ///< SHA-256 of the stored bytes
  /// The same text for samples of the same values, whatever file they came in; empty where all values of a sample are
  /// one, which says nothing. Cheap once the sample was decoded; thread-safe. Errors  as decode().
  [[nodiscard]] virtual std::string content(std::size_t index) const = 0;
  [[nodiscard]] virtual std::string path(std::size_t index) const { return samples().at(index).id; }  ///< as in Place
  /// Of bad and skipped files that have an id.
  [[nodiscard]] virtual std::vector<Place> other_places() const { return {}; }
  /// Of the table or attribute that labels came from; null without one.
  [[nodiscard]] virtual const LabelCounts* label_counts() const { return nullptr; }
  /// What became of tables and filters, for the user, one line each.
  [[nodiscard]] virtual std::vector<std::string> selection_notes() const { return {}; }
  /// SHA-256 over one line per sample, `id NUL digest LF`, in id order: what provenance records. DICOM, whose ids
  /// depend on a key: over digests and frames.
  [[nodiscard]] std::string fingerprint() const;
  [[nodiscard]] virtual std::string fingerprint(std::vector<std::size_t> samples) const;  ///< of some of them
};

/// A CSV file with a row for each sample, or for each key that samples share, and the names of its columns.
struct LabelTable {
  std::filesystem::path file{};  ///< empty: none; WHERE itself may be a table
  /// Columns that together identify the sample; empty: path, id, or the samples' keys. Columns of other names hold
  /// paths, file names or what is before their extension.
  std::vector<std::string> key{};
  std::string label{};                  ///< column of class names; empty: `label`, if there is one
  std::vector<std::string> findings{};  ///< instead: columns of 0 and 1; what is missing or -1 is not known
  /// What parts the findings that `label` holds ("A|B"; lists as Python writes them are taken apart whatever it is).
  std::string split{};
  std::vector<std::string> none{};  ///< of these findings: what stands for none ("No Finding")
  std::string patient{};            ///< column that identifies the patient; empty: `patient`, if there is one

  /// Whether an image may have several findings.
  [[nodiscard]] bool several() const { return !findings.empty() || !split.empty(); }
};

/// Which frames of a multi-frame object are samples. `by_kind`: all of enhanced CT, MR and PET, else the middle one.
enum class Frames { by_kind, first, middle, all, at_most };
/// Of those that users name; `by_kind` is said by silence, `at_most` by a number.
inline constexpr auto kFrames =
    names<Named<Frames>>("frames", {{"first", Frames::first}, {"middle", Frames::middle}, {"all", Frames::all}});

/// Classes by an attribute of the objects.
struct TagLabel {
  std::string tag{};                         ///< keyword; empty: none
  std::map<std::string, std::string> map{};  ///< value -> class; empty: the values of a technical attribute themselves
};

/// What DICOM data sets need to know.
struct DicomOptions {
  Frames frames = Frames::by_kind;
  std::int64_t most_frames = 1;                             ///< at_most: so many, evenly spread
  std::map<std::string, std::vector<std::string>> where{};  ///< attribute keyword -> values that are kept
  std::vector<std::string> keep{};                          ///< attributes that Sample::attributes is to hold
  bool label_folders = false;                               ///< the first folder below the root is the class
  TagLabel label{};                                         ///< instead: the value of an attribute is
};

/// What samples are called in outputs: their path (arrays: the array's name and index), or a keyed hash of it.
enum class Ids { by_data, path, hash };  ///< by_data: hash where the data name patients
/// Of those that users name; `by_data` is said by silence.
inline constexpr auto kIds = names<Named<Ids>>("ids", {{"path", Ids::path}, {"hash", Ids::hash}});

struct DatasetOptions {
  Limit limit{};
  Ids ids = Ids::by_data;
  std::filesystem::path key_folder{};  ///< holds `.shiftnorm/key`; empty: the working directory
  Reader reader = Reader::automatic;
  std::string layout{};  ///< arrays: the axes by their letters (check_layout); empty: inferred from the shape
  std::vector<std::string> classes{};  ///< given order of class names; empty: sorted folder names
  bool labelled = true;                ///< false: labels do not matter, so that none of an array file are read
  LabelTable labels{};
  /// Only samples that have one of these values in each of these columns or attributes.
  std::map<std::string, std::vector<std::string>> where{};
  std::vector<std::string> keep{};  ///< columns or attributes that Sample::attributes is to hold
  DicomOptions dicom{};
  int threads = 1;  ///< for looking into many files
};

/// ConfigError if a class is named twice: whose output it is would be the order's accident.
void check_classes(std::span<const std::string> names);

/// ConfigError unless the text names the axes of an array: N, then each of C, T, L, D, H, W at most once ("NTC"). The
/// network takes them in that order.
void check_layout(const std::string& letters);

/// Whether no value of this DICOM attribute can identify a person, a place, a date or a number of theirs: those with
/// defined terms, and makes of scanners.
[[nodiscard]] bool names_nobody(std::string_view attribute);

/// Objects always do; else whether a sample's patient is known.
[[nodiscard]] bool tells_patients(const Dataset& data);
/// What messages and pages call a data set: the last part of WHERE, unless it identifies patients, whose names it may
/// be.
[[nodiscard]] std::string shown_name(const Dataset& data, const std::string& where);

/// Whether a folder, or one that it links to, holds DICOM objects among the files not named like pictures: with DICM at
/// byte 128, or without a preamble what cannot be anything else. Or zip archives and no picture.
[[nodiscard]] bool holds_dicom(const std::filesystem::path& folder);
/// Whether one file is such an object, a DICOMDIR, or a zip archive by content and name, unless it holds weights.
[[nodiscard]] bool is_dicom_source(const std::filesystem::path& file);

/// Opens WHERE: a folder that holds DICOM objects (or the DICOMDIR in it), an image folder (class folders, or none:
/// unlabelled), `.npy`, `.npz`, `.safetensors`, each with `#key`, or a table (`.csv`, `.tsv`, `.txt`) with a column of
/// image files (`path`, or the key), relative to its folder. DICOM is recognised by content. Then joins labels, keeps
/// what `where` and `limit` say. Errors  FormatError if nothing is there, or a table is bad or gives one key two
/// labels;
///         ConfigError for options that do not fit, and for a table that names none of the images.
[[nodiscard]] std::unique_ptr<Dataset> open_dataset(const std::string& where, const DatasetOptions& options);

/// What an image file is by its first bytes, as the decoder sees it: "jpeg", "png", "tiff", "bmp", "webp", "pbm", "pgm" or
/// "ppm"; "unknown": none of them.
[[nodiscard]] std::string image_format(const std::filesystem::path& file);

}  // namespace shiftnorm::imaging
