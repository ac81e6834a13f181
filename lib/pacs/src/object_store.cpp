#include "object_store.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>

#include "elements.hpp"
#include "shiftnorm/core/error.hpp"
#include "shiftnorm/core/file.hpp"

namespace shiftnorm::pacs {
namespace {

namespace fs = std::filesystem;

// Made from a random UUID (PS3.5, B.2).
constexpr std::string_view kImplementation = "2.25.7087546712097858774638900160426257124";
constexpr std::string_view kIncoming = ".incoming";

[[noreturn]] void fail(std::string_view what, int error) {
  throw MachineError(fmt::format("--out: an object {}: {}", what, std::generic_category().message(error)));
}

/// An element in Explicit VR Little Endian with a length of two bytes.
std::string explicit_element(std::uint16_t element, std::string_view vr, std::string_view value) {
  std::string out = number(0x0002) + number(element);
  out += vr;
  out += number(static_cast<std::uint16_t>(value.size()));
  out += value;
  return out;
}

}  // namespace

std::string file_head(const ObjectFacts& facts) {
  std::string meta = number(0x0002) + number(0x0001);
  meta += "OB";
  meta += number(0);               // reserved
  meta += number(2) + number(0);   // a length of four bytes
  meta += std::string("\0\1", 2);  // version of the meta information
  meta += explicit_element(0x0002, "UI", padded_uid(facts.sop_class));
  meta += explicit_element(0x0003, "UI", padded_uid(facts.sop_instance));
  meta += explicit_element(0x0010, "UI", padded_uid(facts.transfer_syntax));
  meta += explicit_element(0x0012, "UI", padded_uid(kImplementation));
  meta += explicit_element(0x0013, "SH", padded_text("SHIFTNORM"));
  std::string head(128, '\0');
  head += "DICM";
  head += explicit_element(0x0000, "UL", number(static_cast<std::uint16_t>(meta.size())) + number(0));
  head += meta;
  return head;
}

ObjectStore::ObjectStore(fs::path folder, const ProjectKey& key, std::uint64_t most_bytes)
    : folder_(std::move(folder)), key_(key), most_bytes_(most_bytes) {
  std::error_code error;
  fs::remove_all(folder_ / kIncoming, error);
  for (const auto& entry : fs::recursive_directory_iterator(folder_))
    if (entry.is_regular_file() && entry.path().extension() == ".dcm") used_ += entry.file_size();
}

std::string ObjectStore::series_id(std::string_view study, std::string_view series) const {
  return key_.id("study", study) + "/" + key_.id("series", series);
}

fs::path ObjectStore::place_of(const std::string& series, std::string_view object) const {
  return folder_ / series / (key_.id("instance", object) + ".dcm");
}

bool ObjectStore::has(const std::string& series, std::string_view object) const {
  return fs::is_regular_file(place_of(series, object));
}

std::int64_t ObjectStore::count(const std::string& series) const {
  std::error_code none;
  std::int64_t objects = 0;
  for (const auto& entry : fs::directory_iterator(folder_ / series, none))
    objects += entry.path().extension() == ".dcm" ? 1 : 0;
  return objects;
}

void ObjectStore::spend(std::uint64_t bytes) {
  if (most_bytes_ != 0 && bytes > most_bytes_ - std::min(used_, most_bytes_))
    throw MachineError(fmt::format(
        "--max-disk: the next object does not fit into {} bytes; expected more (the same command then continues)",
        most_bytes_));
  used_ += bytes;
}

std::unique_ptr<ObjectStore::Incoming> ObjectStore::begin(const std::string& series, const ObjectFacts& facts) {
  std::unique_ptr<Incoming> object(new Incoming(*this, place_of(series, facts.sop_instance), facts.transfer_syntax));
  object->add(as_bytes(file_head(facts)));
  return object;
}

ObjectStore::Incoming::Incoming(ObjectStore& store, fs::path place, std::string transfer_syntax)
    : store_(store),
      place_(std::move(place)),
      beside_(store.folder_ / kIncoming / std::to_string(store.begun_++)),
      transfer_syntax_(std::move(transfer_syntax)) {
  std::error_code error;
  fs::create_directories(beside_.parent_path(), error);
  if (!error) fs::create_directories(place_.parent_path(), error);
  if (error) fail("has no folder", error.value());
  fd_ = ::open(beside_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  if (fd_ < 0) fail("cannot be created", errno);
}

ObjectStore::Incoming::~Incoming() {
  if (fd_ < 0) return;
  ::close(fd_);
  ::unlink(beside_.c_str());
  store_.used_ -= bytes_;
}

void ObjectStore::Incoming::add(std::span<const std::byte> bytes) {
  store_.spend(bytes.size());
  bytes_ += bytes.size();
  while (!bytes.empty()) {
    const ssize_t n = ::write(fd_, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) fail("cannot be written", errno);
    bytes = bytes.subspan(static_cast<std::size_t>(n));
  }
}

void ObjectStore::Incoming::keep() {
  std::error_code none;
  const std::uint64_t replaced = fs::is_regular_file(place_) ? fs::file_size(place_, none) : 0;
  if (::fsync(fd_) != 0) fail("cannot be flushed", errno);
  if (::rename(beside_.c_str(), place_.c_str()) != 0) fail("cannot be renamed into place", errno);
  ::close(fd_);
  fd_ = -1;
  store_.used_ -= replaced;
  store_.received_ += bytes_;
  ++store_.syntaxes_[transfer_syntax_];
}

}  // namespace shiftnorm::pacs
