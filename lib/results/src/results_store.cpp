#include "shiftnorm/results/results_store.hpp"

#include <fmt/format.h>
#include <sqlite3.h>

#include <functional>
#include <map>

#include "shiftnorm/core/error.hpp"

namespace shiftnorm::results {
namespace {

constexpr int kWaitMilliseconds = 60'000;
constexpr std::int64_t kVersion = 1;
constexpr std::int64_t kApplication = 0x53684e31;  // "ShN1": distinguishes it from other SQLite files

constexpr const char* kTables = R"(
CREATE TABLE runs(
  run INTEGER PRIMARY KEY, id TEXT NOT NULL, name TEXT NOT NULL, sweep TEXT NOT NULL, folder TEXT NOT NULL,
  finished TEXT NOT NULL, program_version TEXT, instruction_set TEXT, protocol TEXT, model_sha256 TEXT, model_file TEXT,
  architecture TEXT, preprocess TEXT, fingerprint TEXT, seed INTEGER, images INTEGER, patients INTEGER,
  UNIQUE(name, id));
CREATE TABLE settings(
  run INTEGER NOT NULL REFERENCES runs ON DELETE CASCADE, key TEXT NOT NULL, value TEXT NOT NULL,
  PRIMARY KEY(run, key)) WITHOUT ROWID;
CREATE TABLE scores(
  run INTEGER NOT NULL REFERENCES runs ON DELETE CASCADE, mode TEXT NOT NULL, policy TEXT, semantics TEXT,
  estimator TEXT, metric TEXT NOT NULL, value REAL, low REAL, high REAL, difference REAL, difference_low REAL,
  difference_high REAL, test TEXT, p REAL, reason TEXT, place INTEGER,
  PRIMARY KEY(run, mode, metric)) WITHOUT ROWID;
)";

struct Close {
  void operator()(sqlite3* database) const { sqlite3_close_v2(database); }
};
struct Finalize {
  void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
};

}  // namespace

struct ResultsStore::State {
  std::string name;
  std::unique_ptr<sqlite3, Close> database;

  [[noreturn]] void fail(int code) const {
    const std::string what = sqlite3_errmsg(database.get());
    switch (code & 0xff) {
      case SQLITE_NOTADB:
      case SQLITE_CORRUPT:
      case SQLITE_ERROR:       // what the store says of itself is right, and its tables are others
      case SQLITE_CONSTRAINT:  // or have other rules
      case SQLITE_MISMATCH:
      case SQLITE_TOOBIG: throw FormatError(fmt::format("{}: {}; expected a store of results", name, what));
      case SQLITE_BUSY:
      case SQLITE_LOCKED:
        throw MachineError(fmt::format("{}: another program keeps it locked; expected it free within {} s", name,
                                       kWaitMilliseconds / 1000));
      case SQLITE_READONLY:
        throw MachineError(fmt::format("{}: cannot be written to; expected permission, or another --store", name));
      default: throw MachineError(fmt::format("{}: {}", name, what));
    }
  }
  void execute(const char* sql) const {
    if (const int code = sqlite3_exec(database.get(), sql, nullptr, nullptr, nullptr); code != SQLITE_OK) fail(code);
  }
};

namespace {

/// A prepared statement: values are bound in turn, never part of the text.
class Statement {
 public:
  template <class Store>
  Statement(const Store& store, const char* sql)
      : database_(store.database.get()), fail_([&store](int code) { store.fail(code); }) {
    sqlite3_stmt* made = nullptr;
    check(sqlite3_prepare_v2(database_, sql, -1, &made, nullptr));
    statement_.reset(made);
  }
  Statement& bind(const std::string& text) {
    check(sqlite3_bind_text(statement_.get(), ++bound_, text.data(), static_cast<int>(text.size()), SQLITE_TRANSIENT));
    return *this;
  }
  Statement& bind(std::int64_t value) {
    check(sqlite3_bind_int64(statement_.get(), ++bound_, value));
    return *this;
  }
  Statement& bind(const std::optional<double>& value) {
    check(value ? sqlite3_bind_double(statement_.get(), ++bound_, *value)
                : sqlite3_bind_null(statement_.get(), ++bound_));
    return *this;
  }
  Statement& bind(const std::optional<std::int64_t>& value) {
    if (value) return bind(*value);
    check(sqlite3_bind_null(statement_.get(), ++bound_));
    return *this;
  }
  /// Whether there is a row.
  bool step() {
    const int code = sqlite3_step(statement_.get());
    if (code != SQLITE_ROW && code != SQLITE_DONE) fail_(code);
    column_ = 0;
    return code == SQLITE_ROW;
  }
  /// To the end, ready for other values.
  void run() {
    while (step()) {
    }
    sqlite3_reset(statement_.get());
    bound_ = 0;
  }
  std::string text() {
    const auto* bytes = reinterpret_cast<const char*>(sqlite3_column_text(statement_.get(), column_));
    const int size = sqlite3_column_bytes(statement_.get(), column_++);
    return bytes == nullptr ? std::string() : std::string(bytes, static_cast<std::size_t>(size));
  }
  std::int64_t integer() { return sqlite3_column_int64(statement_.get(), column_++); }
  std::optional<double> number() {
    const int at = column_++;
    if (sqlite3_column_type(statement_.get(), at) == SQLITE_NULL) return std::nullopt;
    return sqlite3_column_double(statement_.get(), at);
  }
  std::optional<std::int64_t> maybe_integer() {
    const int at = column_++;
    if (sqlite3_column_type(statement_.get(), at) == SQLITE_NULL) return std::nullopt;
    return sqlite3_column_int64(statement_.get(), at);
  }

 private:
  void check(int code) const {
    if (code != SQLITE_OK) fail_(code);
  }
  sqlite3* database_;
  std::function<void(int)> fail_;
  std::unique_ptr<sqlite3_stmt, Finalize> statement_;
  int bound_ = 0, column_ = 0;
};

/// Everything or nothing. IMMEDIATE: the lock is taken at once, so that two writers cannot wait for each other.
template <class Store>
class Transaction {
 public:
  explicit Transaction(const Store& store) : store_(store) { store_.execute("BEGIN IMMEDIATE"); }
  ~Transaction() {
    if (!committed_) sqlite3_exec(store_.database.get(), "ROLLBACK", nullptr, nullptr, nullptr);
  }
  Transaction(const Transaction&) = delete;
  Transaction& operator=(const Transaction&) = delete;
  void commit() {
    store_.execute("COMMIT");
    committed_ = true;
  }

 private:
  const Store& store_;
  bool committed_ = false;
};

template <class Store>
std::int64_t pragma(const Store& store, const char* sql) {
  Statement statement(store, sql);
  return statement.step() ? statement.integer() : 0;
}

template <class Store>
void make_tables(const Store& store) {
  Transaction transaction(store);
  // Another process may have made them meanwhile.
  if (pragma(store, "PRAGMA application_id") == 0) {
    store.execute(kTables);
    store.execute(fmt::format("PRAGMA application_id = {}", kApplication).c_str());
    store.execute(fmt::format("PRAGMA user_version = {}", kVersion).c_str());
  }
  transaction.commit();
}

}  // namespace

ResultsStore::ResultsStore(const std::filesystem::path& file, Access access) : state_(std::make_unique<State>()) {
  State& s = *state_;
  s.name = file.filename().string();
  const bool there = std::filesystem::exists(file);
  if (access == Access::read && !there)
    throw FormatError(fmt::format("{}: does not exist; expected a store that a run has written", s.name));
  sqlite3* opened = nullptr;
  const int flags = access == Access::read ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE;
  const int code = sqlite3_open_v2(file.c_str(), &opened, flags, nullptr);
  s.database.reset(opened);
  if (code != SQLITE_OK) s.fail(code);
  sqlite3_busy_timeout(opened, kWaitMilliseconds);
  s.execute("PRAGMA foreign_keys = ON");
  if (access == Access::write && pragma(s, "PRAGMA application_id") == 0 &&
      pragma(s, "SELECT count(*) FROM sqlite_master") == 0)
    make_tables(s);
  if (pragma(s, "PRAGMA application_id") != kApplication)
    throw FormatError(fmt::format("{}: is some other database; expected a store of results", s.name));
  if (const std::int64_t version = pragma(s, "PRAGMA user_version"); version != kVersion)
    throw UnsupportedError(
        fmt::format("{}: version {} of the store; this program knows version {}", s.name, version, kVersion));
}

ResultsStore::~ResultsStore() = default;

void ResultsStore::put(const RunRecord& run) {
  const State& s = *state_;
  Transaction transaction(s);
  Statement(s, "DELETE FROM runs WHERE name = ? AND id = ?").bind(run.name).bind(run.id).run();
  Statement(s,
            "INSERT INTO runs(id, name, sweep, folder, finished, program_version, instruction_set, protocol, "
            "model_sha256, model_file, architecture, preprocess, fingerprint, seed, images, patients) "
            "VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)")
      .bind(run.id)
      .bind(run.name)
      .bind(run.sweep)
      .bind(run.folder)
      .bind(run.finished)
      .bind(run.program_version)
      .bind(run.instruction_set)
      .bind(run.protocol)
      .bind(run.model_sha256)
      .bind(run.model_file)
      .bind(run.architecture)
      .bind(run.preprocess)
      .bind(run.fingerprint)
      .bind(run.seed)
      .bind(run.images)
      .bind(run.patients)
      .run();
  const std::int64_t row = sqlite3_last_insert_rowid(s.database.get());
  Statement setting(s, "INSERT OR REPLACE INTO settings(run, key, value) VALUES(?,?,?)");
  for (const auto& [key, value] : run.settings) setting.bind(row).bind(key).bind(value).run();
  Statement score(s,
                  "INSERT OR REPLACE INTO scores(run, mode, policy, semantics, estimator, metric, value, low, high, "
                  "difference, difference_low, difference_high, test, p, reason, place) "
                  "VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)");
  std::int64_t place = 0;
  for (const ScoreRecord& one : run.scores)
    score.bind(row)
        .bind(one.mode)
        .bind(one.policy)
        .bind(one.semantics)
        .bind(one.estimator)
        .bind(one.metric)
        .bind(one.value)
        .bind(one.low)
        .bind(one.high)
        .bind(one.difference)
        .bind(one.difference_low)
        .bind(one.difference_high)
        .bind(one.test)
        .bind(one.p)
        .bind(one.reason)
        .bind(place++)
        .run();
  transaction.commit();
}

std::vector<RunRecord> ResultsStore::all() const {
  const State& s = *state_;
  // One read transaction: the three tables belong together.
  s.execute("BEGIN");
  std::vector<RunRecord> runs;
  std::map<std::int64_t, std::size_t> index;
  Statement rows(s,
                 "SELECT run, id, name, sweep, folder, finished, program_version, instruction_set, protocol, "
                 "model_sha256, model_file, architecture, preprocess, fingerprint, seed, images, patients "
                 "FROM runs ORDER BY run");
  while (rows.step()) {
    index.emplace(rows.integer(), runs.size());
    RunRecord& run = runs.emplace_back();
    for (std::string* field :
         {&run.id, &run.name, &run.sweep, &run.folder, &run.finished, &run.program_version, &run.instruction_set,
          &run.protocol, &run.model_sha256, &run.model_file, &run.architecture, &run.preprocess, &run.fingerprint})
      *field = rows.text();
    run.seed = rows.integer();
    run.images = rows.integer();
    run.patients = rows.maybe_integer();
  }
  const auto run_of = [&](std::int64_t row) {
    const auto found = index.find(row);
    if (found == index.end())
      throw FormatError(
          fmt::format("{}: holds settings or scores of run {}, which is missing; expected a store that this program "
                      "wrote (the runs' folders still have all of it)",
                      s.name, row));
    return found->second;
  };
  Statement settings(s, "SELECT run, key, value FROM settings ORDER BY run, key");
  while (settings.step()) {
    auto& into = runs[run_of(settings.integer())].settings;
    std::string key = settings.text();
    into.emplace_back(std::move(key), settings.text());
  }
  Statement scores(s,
                   "SELECT run, mode, policy, semantics, estimator, metric, value, low, high, difference, "
                   "difference_low, difference_high, test, p, reason FROM scores ORDER BY run, place");
  while (scores.step()) {
    ScoreRecord& score = runs[run_of(scores.integer())].scores.emplace_back();
    for (std::string* field : {&score.mode, &score.policy, &score.semantics, &score.estimator, &score.metric})
      *field = scores.text();
    for (std::optional<double>* field :
         {&score.value, &score.low, &score.high, &score.difference, &score.difference_low, &score.difference_high})
      *field = scores.number();
    score.test = scores.text();
    score.p = scores.number();
    score.reason = scores.text();
  }
  s.execute("COMMIT");
  return runs;
}

}  // namespace shiftnorm::results
