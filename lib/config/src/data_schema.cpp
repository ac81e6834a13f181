
#include "schema.hpp"
#include "shiftnorm/config/config.hpp"
#include "shiftnorm/core/text.hpp"

namespace shiftnorm::config {
namespace {

namespace fs = std::filesystem;
using yaml::Node;

struct ReaderName {
  std::string_view name;
  imaging::Reader reader;
};
constexpr ReaderName kReaders[] = {{"auto", imaging::Reader::automatic},
                                   {"folder", imaging::Reader::folder},
                                   {"array", imaging::Reader::array},
                                   {"table", imaging::Reader::table},
                                   {"dicom", imaging::Reader::dicom}};

constexpr Field<imaging::Limit> kLimit[] = {
    {"per_class", [](const Cursor& c, imaging::Limit& l) { l.per_class = c.integer(1); },
     [](const imaging::Limit& l) { return l.per_class ? write_integer(*l.per_class) : Node{}; }},
    {"images", [](const Cursor& c, imaging::Limit& l) { l.images = c.integer(1); },
     [](const imaging::Limit& l) { return l.images ? write_integer(*l.images) : Node{}; }},
    {"seed", [](const Cursor& c, imaging::Limit& l) { l.seed = c.seed(); },
     [](const imaging::Limit& l) { return l.images ? write_seed(l.seed) : Node{}; }},
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

void read_layout(const Cursor& c, DataConfig& data) {
  data.dataset.layout = c.text();
  c.placed([&] { imaging::check_layout(data.dataset.layout); });
}

void read_shift(const Cursor& c, DataConfig& data) {
  if (c.node().kind != Node::Kind::map) c.wrong("shifts with their severities, e.g. {gaussian_noise: 3}");
  for (const yaml::Member& member : c.node().members) {
    const Cursor one = c.child(member);
    const imaging::Shift shift{member.key, static_cast<int>(one.integer(1, 5))};
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
    {"key", [](const Cursor& c, DomainConfig& d) { d.key = c.text(); },
     [](const DomainConfig& d) { return write_text(d.key); }, true},
    {"min_images", [](const Cursor& c, DomainConfig& d) { d.min_images = c.integer(1); },
     [](const DomainConfig& d) { return write_integer(d.min_images); }},
    {"prior_images", [](const Cursor& c, DomainConfig& d) { d.prior_images = c.number(0); },
     [](const DomainConfig& d) { return write_number(d.prior_images); }},
};

void read_domain(const Cursor& c, DataConfig& data) {
  DomainConfig& domain = data.domain.emplace();
  if (c.node().kind == Node::Kind::map)
    read_map(c, kDomain, domain);
  else
    domain.key = c.text();
}

struct FramesName {
  std::string_view name;
  imaging::Frames frames;
};
constexpr FramesName kFrames[] = {
    {"first", imaging::Frames::first}, {"middle", imaging::Frames::middle}, {"all", imaging::Frames::all}};

constexpr Field<DataConfig> kMostFrames[] = {
    {"max", [](const Cursor& c, DataConfig& d) { d.dataset.dicom.most_frames = c.integer(1); },
     [](const DataConfig& d) { return write_integer(d.dataset.dicom.most_frames); }, true},
};

void read_frames(const Cursor& c, DataConfig& data) {
  if (c.node().kind == Node::Kind::map) {
    read_map(c, kMostFrames, data);
    data.dataset.dicom.frames = imaging::Frames::at_most;
    return;
  }
  const std::string name = c.text();
  for (const FramesName& known : kFrames)
    if (known.name == name) {
      data.dataset.dicom.frames = known.frames;
      return;
    }
  c.wrong("first, middle, all or {max: n}");
}
Node write_frames(const DataConfig& data) {
  for (const FramesName& known : kFrames)
    if (known.frames == data.dataset.dicom.frames) return write_text(known.name);
  return data.dataset.dicom.frames == imaging::Frames::at_most ? write_map(kMostFrames, data) : Node{};
}

constexpr Field<DataConfig> kLabel[] = {
    {"tag", [](const Cursor& c, DataConfig& d) { d.dataset.dicom.label.tag = c.text(); },
     [](const DataConfig& d) {
       return d.dataset.dicom.label.tag.empty() ? Node{} : write_text(d.dataset.dicom.label.tag);
     }},
    {"map",
     [](const Cursor& c, DataConfig& d) {
       if (c.node().kind != Node::Kind::map || c.node().members.empty()) c.wrong("a map from values to class names");
       for (const yaml::Member& member : c.node().members)
         d.dataset.dicom.label.map[member.key] = c.child(member).text();
     },
     [](const DataConfig& d) {
       Node node = d.dataset.dicom.label.map.empty() ? Node{} : Node::map();
       for (const auto& [value, name] : d.dataset.dicom.label.map) node.add(value, write_text(name));
       return node;
     }},
    {"column", [](const Cursor& c, DataConfig& d) { d.dataset.labels.label = c.text(); },
     [](const DataConfig& d) { return d.dataset.labels.label.empty() ? Node{} : write_text(d.dataset.labels.label); }},
    {"split", [](const Cursor& c, DataConfig& d) { d.dataset.labels.split = c.text(); },
     [](const DataConfig& d) { return d.dataset.labels.split.empty() ? Node{} : write_text(d.dataset.labels.split); }},
    {"none", [](const Cursor& c, DataConfig& d) { d.dataset.labels.none = c.texts(); },
     [](const DataConfig& d) { return write_texts(d.dataset.labels.none); }},
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

struct IdsName {
  std::string_view name;
  imaging::Ids ids;
};
constexpr IdsName kIds[] = {{"path", imaging::Ids::path}, {"hash", imaging::Ids::hash}};

void read_ids(const Cursor& c, DataConfig& data) {
  data.dataset.ids = c.placed([&] { return parse_ids(c.text()); });
}
Node write_ids(const DataConfig& data) {
  for (const IdsName& known : kIds)
    if (known.ids == data.dataset.ids) return write_text(known.name);
  return {};
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

constexpr Field<DataConfig> kData[] = {
    {"path",
     [](const Cursor& c, DataConfig& d) {
       d.path = c.input_path();
       d.dataset.key_folder = project_of(c.context().base);
     },
     [](const DataConfig& d) { return write_text(d.path.string()); }, true},
    {"limit", read_limit,
     [](const DataConfig& d) {
       return d.dataset.limit.per_class || d.dataset.limit.images ? write_map(kLimit, d.dataset.limit) : Node{};
     }},
    {"reader",
     [](const Cursor& c, DataConfig& d) { d.dataset.reader = c.placed([&] { return parse_reader(c.text()); }); },
     [](const DataConfig& d) { return write_text(name_of(d.dataset.reader)); }},
    {"layout", read_layout,
     [](const DataConfig& d) { return d.dataset.layout.empty() ? Node{} : write_text(d.dataset.layout); }},
    {"labels", [](const Cursor& c, DataConfig& d) { d.dataset.labels.file = c.input_path(); },
     [](const DataConfig& d) {
       return d.dataset.labels.file.empty() ? Node{} : write_text(d.dataset.labels.file.string());
     }},
    {"key", [](const Cursor& c, DataConfig& d) { d.dataset.labels.key = c.texts(); },
     [](const DataConfig& d) { return write_texts(d.dataset.labels.key); }},
    {"label", read_label, write_label},
    {"patient", [](const Cursor& c, DataConfig& d) { d.dataset.labels.patient = c.text(); },
     [](const DataConfig& d) {
       return d.dataset.labels.patient.empty() ? Node{} : write_text(d.dataset.labels.patient);
     }},
    {"ids", read_ids, write_ids},
    {"shift", read_shift, write_shift},
    {"domain", read_domain, [](const DataConfig& d) { return d.domain ? write_map(kDomain, *d.domain) : Node{}; }},
    {"where", read_where, write_where},
    {"frames", read_frames, write_frames},
};

}  // namespace

void read_data(const Cursor& cursor, DataConfig& data) { read_map(cursor, kData, data); }
Node write_data(const DataConfig& data) { return write_map(kData, data); }

imaging::Reader parse_reader(std::string_view name) {
  std::vector<std::string> names;
  for (const ReaderName& known : kReaders) {
    if (known.name == name) return known.reader;
    names.emplace_back(known.name);
  }
  const std::string near = nearest(name, names);
  throw ConfigError(fmt::format("no reader '{}'; {}", printable(name),
                                near.empty() ? "expected one of " + join(names) : "nearest is '" + near + "'"));
}

imaging::Ids parse_ids(std::string_view name) {
  for (const IdsName& known : kIds)
    if (known.name == name) return known.ids;
  throw ConfigError(fmt::format("'{}'; expected path or hash", printable(name)));
}

std::string_view name_of(imaging::Reader reader) {
  for (const ReaderName& known : kReaders)
    if (known.reader == reader) return known.name;
  return "auto";
}

}  // namespace shiftnorm::config
