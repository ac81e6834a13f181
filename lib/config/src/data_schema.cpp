#include "shiftnorm/config/config.hpp"
#include "shiftnorm/core/text.hpp"
#include "values.hpp"

namespace shiftnorm::config {
namespace {

namespace fs = std::filesystem;
using yaml::Node;

using imaging::DatasetOptions, imaging::DicomOptions, imaging::LabelTable;

constexpr Field<imaging::Limit> kLimit[] = {
    {"per_class", kWholeAt<kCount, &imaging::Limit::per_class>, "the first so many of each class"},
    {"images", kWholeAt<kCount, &imaging::Limit::images>, "so many, drawn by the seed"},
    {"seed",
     {[](const Cursor& c, imaging::Limit& l) { l.seed = c.seed(); },
      [](const imaging::Limit& l) { return l.images ? write_seed(l.seed) : Node{}; },
      [] { return whole_schema(kSeed); }},
     "with images; default: the run's"},
};

void read_limit(const Cursor& c, DataConfig& data) {
  data.dataset.limit.seed = c.context().seed;
  read_map(c, kLimit, data.dataset.limit);
  if (data.dataset.limit.per_class && data.dataset.limit.images)
    c.fail(fmt::format("{} has both per_class and images; expected one of them", c.path()));
  if (!data.dataset.limit.per_class && !data.dataset.limit.images)
    c.fail(fmt::format("{} has neither per_class nor images; expected one of them", c.path()));
  if (data.dataset.limit.per_class && c.node().find("seed") != nullptr)
    c.fail(fmt::format("{} has a seed with per_class, which draws nothing; expected seed with images", c.path()));
}

Json limit_schema() {
  return map_schema(kLimit).set("oneOf", Json::array({required_keys({"per_class"}).set("not", required_keys({"seed"})),
                                                      required_keys({"images"})}));
}

void read_layout(const Cursor& c, DataConfig& data) {
  data.dataset.layout = c.text();
  c.placed([&] { imaging::check_layout(data.dataset.layout); });
}

constexpr Whole kSeverity{1, 5};

void read_shift(const Cursor& c, DataConfig& data) {
  if (c.node().kind != Node::Kind::map) c.wrong("shifts with their severities, e.g. {gaussian_noise: 3}");
  for (const yaml::Member& member : c.node().members) {
    const Cursor one = c.child(member);
    const imaging::Shift shift{member.key, static_cast<int>(one.integer(kSeverity))};
    one.placed([&] { imaging::check_shift(shift); });
    data.shifts.push_back(shift);
  }
}

Node write_shift(const DataConfig& data) {
  if (data.shifts.empty()) return {};
  Node map = Node::map();
  for (const imaging::Shift& shift : data.shifts) map.add(shift.name, write_integer(shift.severity));
  return map;
}

Json shift_schema() {
  MapSchema map;
  for (const imaging::ShiftSpec& spec : imaging::shift_table())
    map.add(spec.name, whole_schema(kSeverity), {}, spec.definition, false);
  return map.take();
}

void read_where(const Cursor& c, DataConfig& data) {
  if (c.node().kind != Node::Kind::map || c.node().members.empty()) c.wrong("a map of columns to lists of values");
  for (const yaml::Member& member : c.node().members) data.dataset.where[member.key] = c.child(member).texts();
}

Node write_where(const DataConfig& data) {
  Node node = data.dataset.where.empty() ? Node{} : Node::map();
  for (const auto& [column, values] : data.dataset.where) node.add(column, write_texts(values));
  return node;
}

constexpr Field<DomainConfig> kDomain[] = {
    {"key", kTextAt<&DomainConfig::key>, "the column or attribute", true},
    {"min_images", kWholeAt<kCount, &DomainConfig::min_images>, "with fewer, a domain falls back to blend"},
    {"prior_images", kNumberAt<kNotNegative, &DomainConfig::prior_images>,
     "of that blend: the source counts as so many images"},
};

void read_domain(const Cursor& c, DataConfig& data) {
  DomainConfig& domain = data.domain.emplace();
  if (c.node().kind == Node::Kind::map)
    read_map(c, kDomain, domain);
  else
    domain.key = c.text();
}

constexpr Field<DataConfig> kMostFrames[] = {
    {"max", kWholeAt<kCount, &DataConfig::dataset, &DatasetOptions::dicom, &DicomOptions::most_frames>,
     "so many, evenly spread", true},
};

void read_frames(const Cursor& c, DataConfig& data) {
  imaging::Frames& frames = data.dataset.dicom.frames;
  if (c.node().kind == Node::Kind::map) {
    read_map(c, kMostFrames, data);
    frames = imaging::Frames::at_most;
    return;
  }
  const auto* named = imaging::kFrames.find(c.text());
  if (named == nullptr) c.wrong(fmt::format("{} or {{max: n}}", join(imaging::kFrames.list())));
  frames = named->value;
}
Node write_frames(const DataConfig& data) {
  const imaging::Frames frames = data.dataset.dicom.frames;
  if (const auto* named = imaging::kFrames.find(frames)) return write_text(named->name);
  return frames == imaging::Frames::at_most ? write_map(kMostFrames, data) : Node{};
}
Json frames_schema() { return one_of({words_schema(imaging::kFrames.list()), map_schema(kMostFrames)}); }

void read_label_values(const Cursor& c, DataConfig& data) {
  if (c.node().kind != Node::Kind::map || c.node().members.empty()) c.wrong("a map from values to class names");
  for (const yaml::Member& member : c.node().members) data.dataset.dicom.label.map[member.key] = c.child(member).text();
}
Node write_label_values(const DataConfig& data) {
  Node node = data.dataset.dicom.label.map.empty() ? Node{} : Node::map();
  for (const auto& [value, name] : data.dataset.dicom.label.map) node.add(value, write_text(name));
  return node;
}

template <auto Member>
constexpr auto kTable = kTextAt<&DataConfig::dataset, &DatasetOptions::labels, Member>;

constexpr Field<DataConfig> kLabel[] = {
    {"tag", kTextAt<&DataConfig::dataset, &DatasetOptions::dicom, &DicomOptions::label, &imaging::TagLabel::tag>,
     "keyword of a DICOM attribute, e.g. ViewPosition"},
    {"map",
     {read_label_values, write_label_values, [] { return dictionary_schema(scalar_schema()); }},
     "its values and their classes"},
    {"column", kTable<&LabelTable::label>, "the table's column (default: label)"},
    {"split", kTable<&LabelTable::split>, "what separates several findings in it, e.g. |"},
    {"none", kTextsAt<&DataConfig::dataset, &DatasetOptions::labels, &LabelTable::none>,
     "of these: what means no finding"},
};

/// An attribute of the objects, or a column that holds several findings at once.
void read_label_map(const Cursor& c, DataConfig& data) {
  read_map(c, kLabel, data);
  const bool tag = c.node().find("tag") != nullptr || c.node().find("map") != nullptr;
  const bool split = !data.dataset.labels.split.empty();
  if (tag && data.dataset.dicom.label.tag.empty()) c.fail(fmt::format("{}.tag is missing; expected it here", c.path()));
  if (!tag && !split) c.fail(fmt::format("{} has neither tag nor split; expected one of them", c.path()));
  for (const std::string_view key : {"column", "split", "none"})
    if (tag && c.node().find(key) != nullptr)
      c.fail(fmt::format("{} has {} beside a tag; expected a tag with its map, or a column with its split", c.path(),
                         key));
}

/// A column of the table, or a list of columns with a finding each; `folder`: the class folders of DICOM objects; a
/// map: an attribute of theirs, or how a column holds several findings.
void read_label(const Cursor& c, DataConfig& data) {
  if (c.node().kind == Node::Kind::map)
    read_label_map(c, data);
  else if (c.node().kind == Node::Kind::sequence)
    data.dataset.labels.findings = c.texts();
  else if (c.text() == "folder")
    data.dataset.dicom.label_folders = true;
  else
    data.dataset.labels.label = c.text();
}
Node write_label(const DataConfig& data) {
  if (!data.dataset.dicom.label.tag.empty() || !data.dataset.labels.split.empty()) return write_map(kLabel, data);
  if (data.dataset.dicom.label_folders) return write_text("folder");
  if (!data.dataset.labels.findings.empty()) return write_texts(data.dataset.labels.findings);
  return data.dataset.labels.label.empty() ? Node{} : write_text(data.dataset.labels.label);
}

Json label_schema() {
  Json map = map_schema(kLabel);
  map.set("oneOf", Json::array({required_keys({"tag"}).set("not", any_of_keys({"column", "split", "none"})),
                                required_keys({"split"}).set("not", any_of_keys({"tag", "map"}))}));
  return one_of({scalar_schema(), list_schema(scalar_schema()), std::move(map)});
}

/// The project's folder: the YAML's, unless that has no key and the working directory has one. An experiment that is
/// repeated from a run folder is the same project's, and no key may come to lie there.
fs::path project_of(const fs::path& base) {
  const fs::path clean = fs::absolute(fs::path(".") / base / "").lexically_normal().parent_path();
  if (clean.filename() == kKeptRuns && clean.parent_path().filename() == kProjectFolder)
    return clean.parent_path().parent_path();
  const auto has_key = [](const fs::path& folder) { return fs::exists(folder / kProjectFolder / "key"); };
  return has_key(base) || !has_key(".") ? base : fs::path();
}

void read_path(const Cursor& c, DataConfig& data) {
  data.path = c.input_path();
  data.dataset.key_folder = project_of(c.context().base);
}

constexpr Field<DataConfig> kData[] = {
    {"path",
     {read_path, kInputAt<&DataConfig::path>.write, scalar_schema},
     "folder, table (.csv), array file (FILE#key) or DICOM; relative to this file or --root",
     true},
    {"limit",
     {read_limit,
      [](const DataConfig& d) {
        return d.dataset.limit.per_class || d.dataset.limit.images ? write_map(kLimit, d.dataset.limit) : Node{};
      },
      limit_schema},
     {}},
    {"reader", kWordAt<imaging::kReaders, &DataConfig::dataset, &DatasetOptions::reader>, "what reads the images"},
    {"layout",
     {read_layout, kTextAt<&DataConfig::dataset, &DatasetOptions::layout>.write, scalar_schema},
     "the axes of an array, e.g. NHWC, NCT, NTC, NDHWC or NC (default: told from the shape)"},
    {"labels", kInputAt<&DataConfig::dataset, &DatasetOptions::labels, &LabelTable::file>, "a CSV file with labels"},
    {"key", kTextsAt<&DataConfig::dataset, &DatasetOptions::labels, &LabelTable::key>,
     "the table's columns that identify an image (default: path)"},
    {"label",
     {read_label, write_label, label_schema},
     "a column of class names, several of findings (0, 1, empty: unknown), folder, or a DICOM attribute with a map of "
     "its values"},
    {"patient", kTable<&LabelTable::patient>, "the table's column that identifies patients (default: patient)"},
    {"ids", kWordAt<imaging::kIds, &DataConfig::dataset, &DatasetOptions::ids>,
     "what outputs call the images (default: hash where patients are identified, else path)"},
    {"shift", {read_shift, write_shift, shift_schema}, "synthetic shifts with severities, applied in order"},
    {"domain",
     {read_domain, [](const DataConfig& d) { return d.domain ? write_map(kDomain, *d.domain) : Node{}; },
      [] {
        return one_of({scalar_schema(), map_schema(kDomain)});
      }},
     "statistics for each value of this column by itself"},
    {"where",
     {read_where, write_where, [] { return dictionary_schema(texts_schema()); }},
     "only images with one of these values"},
    {"frames", {read_frames, write_frames, frames_schema}, "which frames of a multi-frame object are images"},
};

}  // namespace

void read_data(const Cursor& cursor, DataConfig& data) { read_map(cursor, kData, data); }
Node write_data(const DataConfig& data) { return write_map(kData, data); }
Json data_schema() { return map_schema(kData); }

}  // namespace shiftnorm::config
