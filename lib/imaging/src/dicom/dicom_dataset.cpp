#include "dicom/dicom_dataset.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <functional>
#include <map>
#include <mutex>
#include <set>
#include <unordered_map>

#include "contents.hpp"
#include "dicom/helper_pool.hpp"
#include "dicom/listing.hpp"
#include "dicom/pixel_chain.hpp"
#include "dicom/tag_labels.hpp"
#include "dicom/transfer_syntax.hpp"
#include "folder_dataset.hpp"
#include "limit.hpp"
#include "reasons.hpp"
#include "shiftnorm/core/content_hash.hpp"
#include "shiftnorm/core/hash.hpp"
#include "shiftnorm/core/project_key.hpp"
#include "shiftnorm/core/text.hpp"

namespace shiftnorm::imaging::dicom {
namespace {

namespace fs = std::filesystem;

/// One sample: a frame of an object.
struct FrameOf {
  std::size_t object = 0;
  std::int64_t frame = 0;
};

std::vector<std::int64_t> chosen_frames(const ObjectFacts& facts, const DicomOptions& options) {
  const std::int64_t n = facts.frames;
  Frames rule = options.frames;
  if (rule == Frames::by_kind) rule = facts.every_frame ? Frames::all : Frames::middle;
  std::vector<std::int64_t> frames;
  switch (rule) {
    case Frames::first: return {0};
    case Frames::by_kind:
    case Frames::middle: return {n / 2};
    case Frames::all:
      for (std::int64_t f = 0; f < n; ++f) frames.push_back(f);
      return frames;
    case Frames::at_most: {
      const std::int64_t count = std::min(n, options.most_frames);
      // The middles of `count` equal parts.
      for (std::int64_t i = 0; i < count; ++i) frames.push_back((2 * i + 1) * n / (2 * count));
      return frames;
    }
  }
  throw Error("a frame rule without a meaning");
}

/// Of the stored values, which another transfer syntax or UID does not change.
std::string content_of(const StoredFrame& frame) {
  const PixelModule& m = frame.module;
  if (all_alike(frame.values, static_cast<std::size_t>(m.samples * m.value_bytes()))) return {};
  return fmt::format("{} {} {} {} {}", m.rows, m.columns, m.samples, dtype_of(m), content_hash(frame.values));
}

class DicomDataset final : public Dataset {
 public:
  DicomDataset(const fs::path& where, const DatasetOptions& options) : key_(options.key_folder) {
    Listing listing = list_objects(where, options, pool_);
    for (const Listing::Left& left : listing.skipped) {
      skipped_.push_back({file_id(left.source), left.reason});
      other_places_.push_back({skipped_.back().id, left.source.shown});
    }
    for (const Listing::Left& left : listing.bad) {
      bad_.push_back({file_id(left.source), left.reason, left.kind, left.offset});
      other_places_.push_back({bad_.back().id, left.source.shown});
    }
    objects_ = std::move(listing.images);
    if (options.dicom.label.tag.empty())
      label_by_folder(options);
    else
      label_by_tag(options);
    make_samples(options);
    if (samples_.empty()) throw FormatError(why_empty());
    digests_.resize(objects_.size());
    contents_ = std::make_unique<Contents>(samples_.size());
  }

  [[nodiscard]] const std::vector<Sample>& samples() const override { return samples_; }
  [[nodiscard]] const std::vector<std::string>& classes() const override { return classes_; }
  [[nodiscard]] std::int64_t skipped() const override { return static_cast<std::int64_t>(skipped_.size()); }
  [[nodiscard]] bool images() const override { return true; }
  [[nodiscard]] Reader reader() const override { return Reader::dicom; }
  [[nodiscard]] const std::vector<Bad>& bad() const override { return bad_; }
  [[nodiscard]] const std::vector<Bad>& skipped_files() const override { return skipped_; }
  [[nodiscard]] std::vector<std::string> notes(const Pipeline& pipeline) const override;
  [[nodiscard]] std::optional<PixelAudit> audit(std::size_t index) const override;
  [[nodiscard]] std::string digest(std::size_t index) const override;
  [[nodiscard]] std::string content(std::size_t index) const override {
    return contents_->get(index, [&] { static_cast<void>(decode(index)); });
  }
  [[nodiscard]] std::string path(std::size_t index) const override {
    return objects_[places_[index].object].source.shown;
  }
  [[nodiscard]] std::vector<Place> other_places() const override { return other_places_; }
  [[nodiscard]] const LabelCounts* label_counts() const override { return counts_ ? &*counts_ : nullptr; }
  [[nodiscard]] std::string fingerprint(std::vector<std::size_t> samples) const override;

  [[nodiscard]] Image decode(std::size_t index) const override;
  [[nodiscard]] Tensor array(std::size_t) const override {
    throw Error("a DICOM data set was asked for arrays; expected decode()");
  }

  /// The frame of a sample, from a helper. A file that is not the one that was listed is a fault.
  [[nodiscard]] Frame read(std::size_t index) const {
    const FrameOf& place = places_[index];
    return read_frame(place.object, place.frame);
  }

 private:
  class Series;

  [[nodiscard]] std::string why_empty() const;
  [[nodiscard]] std::string file_id(const Source& source) const { return key_.id("file", source.shown); }
  void label_by_folder(const DatasetOptions& options);
  void label_by_tag(const DatasetOptions& options);
  void make_samples(const DatasetOptions& options);
  [[nodiscard]] std::string patient_of(const ObjectFacts& facts) const;
  [[nodiscard]] Frame read_frame(std::size_t object, std::int64_t frame) const;
  void check_unchanged(std::size_t object, const Answer& answer) const;

  ProjectKey key_;
  mutable HelperPool pool_;
  std::vector<Found> objects_;
  std::vector<Sample> samples_;
  std::vector<FrameOf> places_;  ///< by sample
  std::vector<std::string> classes_;
  std::vector<std::int32_t> labels_;  ///< by object; -1: none
  std::optional<LabelCounts> counts_;
  std::vector<Bad> skipped_, bad_;
  std::vector<Place> other_places_;
  std::unordered_map<std::string, std::shared_ptr<Series>> series_;
  mutable std::mutex mutex_;
  mutable std::vector<std::string> digests_;  ///< by object: SHA-256 of its bytes as first read; empty until then
  std::unique_ptr<Contents> contents_;
};

/// The values of all samples of one series; lives no longer than its data set.
class DicomDataset::Series final : public SeriesValues {
 public:
  explicit Series(const DicomDataset& dataset) : dataset_(dataset) {}
  void add(std::size_t sample) { members_.push_back(sample); }
  [[nodiscard]] const ValueCounts& counts() const override {
    std::call_once(counted_, [this] {
      std::map<double, std::int64_t> all;
      for (const std::size_t sample : members_) {
        try {
          for (const auto& [value, count] : count_values(dataset_.read(sample))) all[value] += count;
        } catch (const Fault&) {
          // It is bad on its own and says so when its turn comes.
        }
      }
      counts_.assign(all.begin(), all.end());
    });
    return counts_;
  }

 private:
  const DicomDataset& dataset_;
  std::vector<std::size_t> members_;
  mutable std::once_flag counted_;
  mutable ValueCounts counts_;
};

std::string DicomDataset::why_empty() const {
  std::string text = "contains no readable DICOM image: ";
  if (skipped_.empty() && bad_.empty()) return text + "it is empty";
  if (!skipped_.empty()) text += fmt::format("{} skipped ({})", skipped_.size(), counted_reasons(skipped_));
  if (!skipped_.empty() && !bad_.empty()) text += ", ";
  if (!bad_.empty())
    text += fmt::format("{} bad ({}; the first is {})", bad_.size(), counted_reasons(bad_), bad_.front().reason);
  return text;
}

Image DicomDataset::decode(std::size_t index) const {
  auto frame = std::make_shared<Frame>(read(index));
  const auto series = series_.find(objects_[places_[index].object].facts.series);
  if (series != series_.end()) frame->series = series->second;
  const PixelModule& m = frame->stored.module;
  contents_->set(index, content_of(frame->stored));
  return {.height = m.rows, .width = m.columns, .channels = m.samples, .bits = 0, .frame = std::move(frame)};
}

void DicomDataset::label_by_folder(const DatasetOptions& options) {
  labels_.assign(objects_.size(), -1);
  if (!options.dicom.label_folders) return;
  std::set<std::string> used;
  for (const Found& found : objects_)
    if (!found.source.folder.empty()) used.insert(found.source.folder);
  classes_ = options.classes.empty() ? folder_order(used) : options.classes;
  for (const std::string& folder : used)
    if (std::ranges::find(classes_, folder) == classes_.end())
      throw ConfigError("a class folder is not among the given classes; expected the folder names, one class each");
  for (std::size_t o = 0; o < objects_.size(); ++o) {
    const auto found = std::ranges::find(classes_, objects_[o].source.folder);
    if (found != classes_.end()) labels_[o] = static_cast<std::int32_t>(found - classes_.begin());
  }
}

void DicomDataset::label_by_tag(const DatasetOptions& options) {
  TagLabels told = tag_labels(options.dicom.label, options.classes, objects_);
  classes_ = std::move(told.classes);
  labels_ = std::move(told.labels);
  counts_.emplace();
  counts_->file = options.dicom.label.tag;
  counts_->labels_without_image = told.unused;
}

/// What a table of labels may name an object by.
std::map<std::string, std::string> keys_of(const Found& found) {
  const ObjectFacts& facts = found.facts;
  return {{"path", found.source.shown},         {"SOPInstanceUID", facts.sop_instance},
          {"SeriesInstanceUID", facts.series},  {"StudyInstanceUID", facts.study},
          {"AccessionNumber", facts.accession}, {"PatientID", facts.patient},
          {"StudyDate", facts.study_date}};
}

void DicomDataset::make_samples(const DatasetOptions& options) {
  std::vector<Sample> all;
  std::vector<FrameOf> places;
  for (std::size_t o = 0; o < objects_.size(); ++o) {
    const Found& found = objects_[o];
    const ObjectFacts& facts = found.facts;
    const std::string object =
        facts.sop_instance.empty() ? file_id(found.source) : key_.id("instance", facts.sop_instance);
    for (const std::int64_t frame : chosen_frames(facts, options.dicom)) {
      Sample& sample = all.emplace_back();
      sample.id = facts.frames > 1 ? fmt::format("{}:{}", object, frame) : object;
      sample.label = labels_[o];
      if (counts_) ++(sample.label < 0 ? counts_->images_without_label : counts_->matched);
      sample.patient = patient_of(facts);
      sample.keys = keys_of(found);
      for (std::size_t i = 0; i < options.keep.size(); ++i)
        sample.attributes[options.keep[i]] = facts.tags.at(options.dicom.where.size() + i);
      places.push_back({o, frame});
    }
  }
  for (const std::size_t i : select(options.limit, all)) {
    const std::string& series = objects_[places[i].object].facts.series;
    if (!series.empty()) {
      auto& values = series_[series];
      if (!values) values = std::make_shared<Series>(*this);
      values->add(samples_.size());
    }
    samples_.push_back(std::move(all[i]));
    places_.push_back(places[i]);
  }
}

std::string DicomDataset::patient_of(const ObjectFacts& facts) const {
  if (!facts.patient.empty()) return key_.id("patient", facts.issuer + '\0' + facts.patient);
  return key_.id("study", facts.study);  // objects without either are one group
}

void DicomDataset::check_unchanged(std::size_t object, const Answer& answer) const {
  const std::lock_guard lock(mutex_);
  std::string& first = digests_[object];
  if (first.empty()) first = answer.file_sha256;
  if (answer.stamp != objects_[object].stamp || first != answer.file_sha256)
    throw Fault(Reason::changed_while_read, "the file is not the one that was listed");
}

Frame DicomDataset::read_frame(std::size_t object, std::int64_t frame) const {
  const Source& source = objects_[object].source;
  Answer answer = pool_.ask({Task::frame, source.path, source.member, frame, {}});
  check_unchanged(object, answer);
  return {std::move(answer.frame), std::move(answer.rules), nullptr};
}

std::vector<std::string> DicomDataset::notes(const Pipeline& pipeline) const {
  std::vector<std::string> notes;
  if (!skipped_.empty())
    notes.push_back(fmt::format("{} files skipped: {}", skipped_.size(), counted_reasons(skipped_)));
  std::map<std::string, std::int64_t> remarks;
  for (const Found& found : objects_)
    for (const std::string& remark : found.facts.remarks) ++remarks[remark];
  for (const auto& [remark, n] : remarks) notes.push_back(fmt::format("{} object{}: {}", n, n == 1 ? "" : "s", remark));

  std::int64_t unnamed_ct = 0, without_patient = 0;
  std::map<std::string, std::set<std::string>> persons, studies;
  std::set<std::string> all_studies;
  for (const Found& found : objects_) {
    const ObjectFacts& facts = found.facts;
    if (!resolve_voi(voi_of(pipeline), facts.modality).named) ++unnamed_ct;
    all_studies.insert(facts.study);
    if (facts.patient.empty()) {
      ++without_patient;
      continue;
    }
    const std::string who = facts.issuer + '\0' + facts.patient;
    persons[who].insert(facts.birth_date + '\0' + facts.sex);
    studies[who].insert(facts.study);
  }
  if (unnamed_ct > 0)
    notes.push_back(fmt::format(
        "{} CT images and no window in the preprocessing; 40/400 HU is used, which few networks were trained with "
        "(voi: {{window: [centre, width]}})",
        unnamed_ct));
  if (without_patient > 0)
    notes.push_back(fmt::format("{} objects without a PatientID; their study counts as the patient", without_patient));
  const auto several = std::ranges::count_if(persons, [](const auto& one) { return one.second.size() > 1; });
  if (several > 0)
    notes.push_back(
        fmt::format("{} PatientIDs have several birth dates or sexes: each may be several people", several));
  const bool shared_id = all_studies.size() > 3 && std::ranges::any_of(studies, [&](const auto& one) {
                           return one.second.size() * 2 > all_studies.size();
                         });
  if (shared_id) notes.emplace_back("one PatientID has most of the studies: it may be a placeholder");
  return notes;
}

std::optional<PixelAudit> DicomDataset::audit(std::size_t index) const {
  const FrameOf& place = places_[index];
  if (index > 0 && places_[index - 1].object == place.object) return std::nullopt;
  const Found& found = objects_[place.object];
  PixelAudit audit;
  audit.transfer_syntax = found.facts.transfer_syntax;
  if (const TransferSyntax* known = transfer_syntax(audit.transfer_syntax)) audit.transfer_syntax_name = known->name;
  Sha256 hash;
  for (std::int64_t f = 0; f < found.facts.frames; ++f) {
    const Frame frame = read_frame(place.object, f);
    hash.add(frame.stored.values);
    if (f > 0) continue;
    const FrameAudit first = dicom::audit(frame);
    const PixelModule& m = frame.stored.module;
    audit.dtype = dtype_of(m);
    audit.shape = {m.rows, m.columns, m.samples};
    if (m.frames > 1) audit.shape.insert(audit.shape.begin(), m.frames);
    audit.min = first.min;
    audit.max = first.max;
    audit.mean = first.mean;
    audit.voi = first.voi;
    audit.values = first.values;
    if (!first.voi.empty() && first.voi != "none") audit.voi_mean = first.voi_mean;
  }
  audit.stored_sha256 = hash.hex();
  audit.remarks = found.facts.remarks;
  return audit;
}

std::string DicomDataset::digest(std::size_t index) const {
  const FrameOf& place = places_[index];
  const auto known = [&] {
    const std::lock_guard lock(mutex_);
    return digests_[place.object];
  };
  std::string digest = known();
  if (!digest.empty()) return digest;
  try {
    static_cast<void>(read_frame(place.object, place.frame));
    return known();
  } catch (const Fault&) {
    return "unreadable";
  }
}

/// Over bytes and frames alone: ids depend on the project's key, the data do not.
std::string DicomDataset::fingerprint(std::vector<std::size_t> samples) const {
  std::vector<std::string> lines;
  lines.reserve(samples.size());
  for (const std::size_t i : samples) lines.push_back(fmt::format("{}:{}\n", digest(i), places_[i].frame));
  std::ranges::sort(lines);
  Sha256 all;
  for (const std::string& line : lines) all.add(std::string_view(line));
  return all.hex();
}

}  // namespace

std::unique_ptr<Dataset> open_dicom(const fs::path& where, const DatasetOptions& options) {
  // A DICOMDIR says where to look, not what is there: damaged ones list a part of their folder.
  const bool directory = !fs::is_directory(where) && where.filename().string().starts_with("DICOMDIR");
  const fs::path folder = where.has_parent_path() ? where.parent_path() : fs::path(".");
  return std::make_unique<DicomDataset>(directory ? folder : where, options);
}

}  // namespace shiftnorm::imaging::dicom
