#include "dicom/service.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <new>
#include <system_error>
#include <utility>

#include "mapped_file.hpp"
#include "shiftnorm/container/zip.hpp"
#include "shiftnorm/core/hash.hpp"

namespace shiftnorm::imaging::dicom {
namespace {

FileStamp stamp_of(const struct stat& facts) {
  return {static_cast<std::uint64_t>(facts.st_size), facts.st_ino,
          std::int64_t{facts.st_mtim.tv_sec} * 1'000'000'000 + facts.st_mtim.tv_nsec};
}

/// A file opened for reading; its descriptor closes with it.
class OpenFile {
 public:
  explicit OpenFile(const std::string& path) : fd_(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)) {
    struct stat facts {};
    if (fd_ < 0 || ::fstat(fd_, &facts) != 0 || !S_ISREG(facts.st_mode)) {
      const int error = errno;
      if (fd_ >= 0) ::close(fd_);
      throw Fault(Reason::changed_while_read,
                  fmt::format("the file cannot be opened: {}", std::generic_category().message(error)));
    }
    stamp = stamp_of(facts);
  }
  OpenFile(const OpenFile&) = delete;
  OpenFile& operator=(const OpenFile&) = delete;
  ~OpenFile() { ::close(fd_); }
  [[nodiscard]] std::vector<std::byte> read_all() const {
    std::vector<std::byte> bytes(stamp.size);
    std::size_t done = 0;
    while (done < bytes.size()) {
      const ssize_t n = ::read(fd_, bytes.data() + done, bytes.size() - done);
      if (n < 0 && errno == EINTR) continue;
      if (n < 0)
        throw Fault(Reason::changed_while_read,
                    fmt::format("the file cannot be read: {}", std::generic_category().message(errno)));
      if (n == 0) throw Fault(Reason::changed_while_read, "the file shrank while it was read");
      done += static_cast<std::size_t>(n);
    }
    return bytes;
  }
  FileStamp stamp;

 private:
  int fd_;
};

}  // namespace

struct Service::State {
  explicit State(const Limits& l) : limits(l) {}

  /// The object of the request: the one at hand, or read now.
  Object& object(const Request& request);
  std::vector<std::byte> bytes_of(const Request& request, const OpenFile& file);
  void list_members(const Request& request, Answer& answer);

  Limits limits;
  // What is at hand.
  std::string path;
  std::int64_t member = -1;
  FileStamp stamp;
  std::optional<Object> last;
  std::string sha256;
};

std::vector<std::byte> Service::State::bytes_of(const Request& request, const OpenFile& file) {
  if (request.member < 0) {
    if (file.stamp.size > limits.file_bytes)
      throw Fault(Reason::limit, fmt::format("{} bytes; expected at most {}", file.stamp.size, limits.file_bytes));
    return file.read_all();
  }
  const MappedFile archive(request.path);
  const auto members = container::index_zip(archive.bytes());
  return container::read_member(archive.bytes(), members.at(static_cast<std::size_t>(request.member)),
                                limits.file_bytes);
}

Object& Service::State::object(const Request& request) {
  const OpenFile file(request.path);
  if (last && path == request.path && member == request.member && stamp == file.stamp) return *last;
  last.reset();
  path = request.path;
  member = request.member;
  stamp = file.stamp;
  std::vector<std::byte> bytes = bytes_of(request, file);
  sha256 = request.task == Task::facts ? std::string() : sha256_hex(bytes);
  last.emplace(std::move(bytes), limits);
  return *last;
}

void Service::State::list_members(const Request& request, Answer& answer) {
  const OpenFile file(request.path);
  answer.stamp = file.stamp;
  const MappedFile archive(request.path);
  std::uint64_t total = 0;
  for (const container::ZipMember& member_of : container::index_zip(archive.bytes())) {
    if (std::cmp_greater_equal(answer.members.size(), limits.archive_members))
      throw Fault(Reason::limit, fmt::format("more than {} members", limits.archive_members));
    ArchiveMember found{member_of.name, member_of.size, {}};
    total += member_of.size;
    if (member_of.size > limits.file_bytes || total > limits.archive_bytes)
      found.refusal = "the archive's members are too large in total";
    else if (member_of.size / limits.archive_ratio > member_of.compressed_size &&
             member_of.size > limits.inflated_floor)
      found.refusal = "a member's compression ratio is too high for an object";
    answer.members.push_back(std::move(found));
  }
}

Service::Service(const Limits& limits) : state_(std::make_unique<State>(limits)) {}
Service::~Service() = default;

Answer Service::answer(const Request& request) {
  State& s = *state_;
  Answer answer;
  const auto failed = [&](Reason reason, const std::string& detail, std::optional<std::uint64_t> offset) {
    s.last.reset();
    answer = {};
    answer.stamp = s.stamp;
    answer.fault = reason;
    answer.detail = detail;
    answer.offset = offset;
  };
  try {
    if (request.task == Task::members) {
      s.list_members(request, answer);
      return answer;
    }
    // A file that has not been hashed yet is read again for its first frame.
    if (request.task != Task::facts && s.sha256.empty()) s.last.reset();
    Object& object = s.object(request);
    answer.stamp = s.stamp;
    answer.file_sha256 = s.sha256;
    if (request.task == Task::facts) {
      answer.facts = object.facts(request.tags);
    } else if (request.task == Task::frame) {
      answer.frame = object.frame(request.frame);
      answer.rules = object.rules(request.frame);
    } else {
      Sha256 hash;
      for (std::int64_t f = 0; f < object.module().frames; ++f) hash.add(object.frame(f).values);
      answer.stored_sha256 = hash.hex();
    }
  } catch (const Fault& fault) {
    failed(fault.reason(), fault.detail(), fault.offset());
  } catch (const ConfigError&) {
    throw;
  } catch (const std::bad_alloc&) {
    failed(Reason::limit, "reading it takes more memory than a helper has", std::nullopt);
  } catch (const std::exception&) {
    // A library's own exception may quote the object.
    failed(Reason::parse, "the object cannot be read", std::nullopt);
  }
  return answer;
}

}  // namespace shiftnorm::imaging::dicom
