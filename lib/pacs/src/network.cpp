#include "network.hpp"

#include <arpa/inet.h>
#include <dcmtk/config/osconfig.h>
#include <dcmtk/dcmnet/assoc.h>
#include <dcmtk/dcmnet/cond.h>
#include <dcmtk/dcmnet/dcmlayer.h>
#include <dcmtk/dcmnet/dcmtrans.h>
#include <dcmtk/dcmtls/tlslayer.h>
#include <dcmtk/oflog/oflog.h>
#include <fmt/format.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <system_error>

#include "shiftnorm/core/error.hpp"

namespace shiftnorm::pacs {
namespace {

void silence_log() {
  OFLog::configure(OFLogger::OFF_LOG_LEVEL);
  dcmtk::log4cplus::Logger::getRoot().removeAllAppenders();
}

/// The first IPv4 address of a host; DCMTK 3.6.7 knows no other kind.
sockaddr_in resolve(const Peer& peer) {
  addrinfo hints{};
  hints.ai_family = AF_INET;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const int error = ::getaddrinfo(peer.host.c_str(), nullptr, &hints, &found);
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> owner(found, &::freeaddrinfo);
  if (error != 0 || found == nullptr)
    throw MachineError(
        fmt::format("peer: no such host ({}); expected a name or an IPv4 address", ::gai_strerror(error)));
  sockaddr_in address{};
  std::memcpy(&address, found->ai_addr, sizeof address);
  address.sin_port = htons(peer.port);
  return address;
}

std::string in_numbers(const sockaddr_in& address) {
  std::array<char, INET_ADDRSTRLEN> text{};
  ::inet_ntop(AF_INET, &address.sin_addr, text.data(), text.size());
  return text.data();
}

/// Closes itself.
class Socket {
 public:
  explicit Socket(int kind) : fd_(::socket(AF_INET, kind | SOCK_CLOEXEC, 0)) {
    if (fd_ < 0) throw MachineError(fmt::format("network: no socket: {}", std::generic_category().message(errno)));
  }
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;
  ~Socket() { ::close(fd_); }
  [[nodiscard]] int get() const { return fd_; }

 private:
  int fd_;
};

/// Our address as the peer sees it. Connecting a datagram socket sends nothing.
sockaddr_in facing(const Peer& peer) {
  const sockaddr_in there = resolve(peer);
  const Socket probe(SOCK_DGRAM);
  sockaddr_in ours{};
  socklen_t size = sizeof ours;
  if (::connect(probe.get(), reinterpret_cast<const sockaddr*>(&there), sizeof there) != 0 ||
      ::getsockname(probe.get(), reinterpret_cast<sockaddr*>(&ours), &size) != 0)
    throw MachineError(fmt::format("peer: its network is unreachable: {}", std::generic_category().message(errno)));
  return ours;
}

void expect_file(std::string_view what, const std::filesystem::path& file) {
  if (!std::filesystem::is_regular_file(file))
    throw FormatError(fmt::format("TLS {}: no such file; expected one in PEM format", what));
}

/// A layer whose sockets send at once: messages are several small pieces, and Nagle's algorithm would keep each back
/// until the one before was acknowledged.
template <class Layer>
class Prompt final : public Layer {
 public:
  template <class... Arguments>
  explicit Prompt(Stopper& stopper, Arguments... arguments) : Layer(arguments...), stopper_(stopper) {}
  DcmTransportConnection* createConnection(DcmNativeSocketType socket, OFBool secure) override {
    const int yes = 1;
    ::setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    stopper_.watch(socket);
    return Layer::createConnection(socket, secure);
  }

 private:
  Stopper& stopper_;
};

std::unique_ptr<DcmTransportLayer> secure_layer(const Tls& tls, Stopper& stopper) {
  auto layer = std::make_unique<Prompt<DcmTLSTransportLayer>>(stopper, NET_ACCEPTORREQUESTOR,
                                                              static_cast<const char*>(nullptr), OFTrue);
  if (layer->setTLSProfile(TSP_Profile_BCP195).bad() || layer->activateCipherSuites().bad())
    throw MachineError("TLS: this OpenSSL lacks the ciphers of BCP 195");
  if (!tls.key.empty()) {
    expect_file("key", tls.key);
    expect_file("certificate", tls.certificate);
    layer->setPrivateKeyPasswd("");  // or OpenSSL would ask for one on the terminal
    if (layer->setPrivateKeyFile(tls.key.c_str(), DCF_Filetype_PEM).bad())
      throw FormatError("TLS key: cannot be read; expected a private key in PEM format without a password");
    if (layer->setCertificateFile(tls.certificate.c_str(), DCF_Filetype_PEM).bad())
      throw FormatError("TLS certificate: cannot be read; expected one in PEM format");
    if (!layer->checkPrivateKeyMatchesCertificate())
      throw FormatError("TLS certificate: is not the key's; expected the certificate of this key");
  }
  expect_file("authority", tls.authority);
  if (layer->addTrustedCertificateFile(tls.authority.c_str(), DCF_Filetype_PEM).bad())
    throw FormatError("TLS authority: cannot be read; expected certificates in PEM format");
  layer->setCertificateVerification(DCV_requireCertificate);
  return layer;
}

std::string rejection(T_ASC_Parameters* params) {
  T_ASC_RejectParameters why{};
  if (ASC_getRejectParameters(params, &why).bad()) return "without giving a reason";
  switch (why.reason) {
    case ASC_REASON_SU_CALLINGAETITLENOTRECOGNIZED: return "our AE title is not one that it serves";
    case ASC_REASON_SU_CALLEDAETITLENOTRECOGNIZED: return "it has another AE title";
    case ASC_REASON_SP_PRES_TEMPORARYCONGESTION:
    case ASC_REASON_SP_PRES_LOCALLIMITEXCEEDED: return "it is busy";
    case ASC_REASON_SU_NOREASON:
    case ASC_REASON_SU_APPCONTEXTNAMENOTSUPPORTED:
    case ASC_REASON_SP_ACSE_NOREASON:
    case ASC_REASON_SP_ACSE_PROTOCOLVERSIONNOTSUPPORTED: break;
  }
  return "without giving a reason";
}

[[noreturn]] void no_association(const OFCondition& condition, T_ASC_Parameters* params, const Link& link) {
  link.progress.check();
  if (condition == DUL_ASSOCIATIONREJECTED)
    throw MachineError(
        fmt::format("peer: rejects the association, {}; expected it to know us by --aet", rejection(params)));
  // Texts of sockets and of OpenSSL hold no names; others might.
  std::string_view text = condition.text();
  if (const std::size_t tcp = text.find("TCP Initialization Error: "); tcp != std::string_view::npos)
    throw MachineError(fmt::format("peer: no connection: {}; expected an archive at --peer", text.substr(tcp + 26)));
  if (condition.module() == OFM_dcmtls || text.find("TLS") != std::string_view::npos ||
      text.find("certificate") != std::string_view::npos)
    throw MachineError(
        fmt::format("peer: no secure connection: {}; expected certificates that both sides trust", text));
  if (link.tls && (condition == DUL_PEERABORTEDASSOCIATION || condition == DUL_NETWORKCLOSED))
    throw MachineError("peer: closed the connection; expected TLS there, and that it trusts our certificate");
  if (condition == DUL_PEERABORTEDASSOCIATION || condition == DUL_NETWORKCLOSED)
    throw MachineError("peer: closed the connection; expected it to know us by --aet (and no TLS there)");
  throw MachineError("peer: no association; expected a DICOM archive at --peer");
}

/// An archive that offers a choice has the object compressed and could unpack it; we want it as it is.
const char* preferred_syntax(const T_ASC_PresentationContext& context) {
  constexpr std::string_view kUncompressed[] = {"1.2.840.10008.1.2.2", "1.2.840.10008.1.2", "1.2.840.10008.1.2.1"};
  const auto rank = [&](std::string_view syntax) {
    const auto* const found = std::find(std::begin(kUncompressed), std::end(kUncompressed), syntax);
    return found - std::begin(kUncompressed);
  };
  const char* best = context.proposedTransferSyntaxes[0];
  for (int i = 1; i < context.transferSyntaxCount; ++i)
    if (rank(context.proposedTransferSyntaxes[i]) > rank(best)) best = context.proposedTransferSyntaxes[i];
  return best;
}

}  // namespace

void Network::Closer::operator()(T_ASC_Network* network) const { ASC_dropNetwork(&network); }

Network::Network(const Link& link) : link_(link), stopper_(link.progress) {
  silence_log();
  dcmConnectionTimeout.set(link.timeout_seconds);
  dcmSocketSendTimeout.set(link.timeout_seconds);
  dcmSocketReceiveTimeout.set(link.timeout_seconds);
  dcmDisableGethostbyaddr.set(OFTrue);
  if (link.tls)
    layer_ = secure_layer(*link.tls, stopper_);
  else
    layer_ = std::make_unique<Prompt<DcmTransportLayer>>(stopper_);
  address_ = fmt::format("{}:{}", in_numbers(resolve(link.peer)), link.peer.port);
  open(false);
}

Network::~Network() = default;

void Network::open(bool acceptor) {
  T_ASC_Network* network = nullptr;
  const OFCondition made =
      ASC_initializeNetwork(acceptor ? NET_ACCEPTORREQUESTOR : NET_REQUESTOR, 0, link_.timeout_seconds, &network);
  if (made.bad()) throw MachineError("network: DCMTK cannot start; expected free sockets");
  network_.reset(network);
  if (ASC_setTransportLayer(network, layer_.get(), 0).bad())
    throw MachineError("network: DCMTK does not take our sockets");
}

void Network::listen(std::uint16_t port) {
  sockaddr_in ours = facing(link_.peer);
  ours.sin_port = htons(port);
  const Socket door(SOCK_STREAM);
  const int yes = 1;
  ::setsockopt(door.get(), SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  if (::bind(door.get(), reinterpret_cast<const sockaddr*>(&ours), sizeof ours) != 0 || ::listen(door.get(), 16) != 0)
    throw MachineError(
        fmt::format("--move-port: {}: cannot be listened on: {}", port, std::generic_category().message(errno)));
  // DCMTK listens on every interface and has no switch for that: our socket takes the place of its own.
  open(true);
  if (::dup3(door.get(), DUL_networkSocket(network_->network), O_CLOEXEC) < 0)
    throw MachineError(fmt::format("network: {}", std::generic_category().message(errno)));
}

Association Network::request(std::span<const Context> contexts) const {
  T_ASC_Parameters* params = nullptr;
  if (ASC_createAssociationParameters(&params, ASC_MAXIMUMPDUSIZE).bad()) throw std::bad_alloc();
  ASC_setAPTitles(params, link_.title.c_str(), link_.peer.title.c_str(), nullptr);
  ASC_setTransportLayerType(params, link_.tls.has_value());
  ASC_setPresentationAddresses(params, "localhost", address_.c_str());
  int id = 1;
  bool good = true;
  for (const Context& context : contexts) {
    std::vector<const char*> syntaxes;
    for (const std::string& syntax : context.transfer_syntaxes) syntaxes.push_back(syntax.c_str());
    good = good && ASC_addPresentationContext(params, static_cast<T_ASC_PresentationContextID>(id),
                                              context.abstract_syntax.c_str(), syntaxes.data(),
                                              static_cast<int>(syntaxes.size()),
                                              context.we_provide ? ASC_SC_ROLE_SCP : ASC_SC_ROLE_DEFAULT)
                       .good();
    id += 2;
  }
  if (!good) {
    ASC_destroyAssociationParameters(&params);
    throw std::logic_error("presentation contexts that DCMTK does not take");
  }
  T_ASC_Association* association = nullptr;
  const OFCondition made = ASC_requestAssociation(network_.get(), params, &association, nullptr, nullptr, DUL_NOBLOCK,
                                                  link_.timeout_seconds);
  if (made.good()) return {association, link_, stopper_.newest()};
  struct Cleanup {
    T_ASC_Association*& association;
    T_ASC_Parameters*& params;
    ~Cleanup() {
      if (association != nullptr)
        ASC_destroyAssociation(&association);
      else
        ASC_destroyAssociationParameters(&params);
    }
  } const cleanup{association, params};
  no_association(made, params, link_);
}

std::optional<Association> Network::accept(int milliseconds) const {
  pollfd door{DUL_networkSocket(network_->network), POLLIN, 0};
  if (::poll(&door, 1, milliseconds) <= 0) return std::nullopt;
  constexpr int kMostSeconds = 10;  // whoever has something to send says so at once; others keep it waiting
  T_ASC_Association* raw = nullptr;
  const OFCondition come =
      ASC_receiveAssociation(network_.get(), &raw, ASC_MAXIMUMPDUSIZE, nullptr, nullptr, link_.tls.has_value(),
                             DUL_NOBLOCK, std::min(link_.timeout_seconds, kMostSeconds));
  struct Destroyer {
    void operator()(T_ASC_Association* association) const { ASC_destroyAssociation(&association); }
  };
  std::unique_ptr<T_ASC_Association, Destroyer> association(raw);
  if (come.bad() || !association) return std::nullopt;
  T_ASC_Parameters* params = association->params;
  std::array<char, 65> calling{}, called{}, responding{};
  ASC_getAPTitles(params, calling.data(), calling.size(), called.data(), called.size(), responding.data(),
                  responding.size());
  if (link_.title != called.data()) {
    const T_ASC_RejectParameters why{ASC_RESULT_REJECTEDPERMANENT, ASC_SOURCE_SERVICEUSER,
                                     ASC_REASON_SU_CALLEDAETITLENOTRECOGNIZED};
    ASC_rejectAssociation(association.get(), &why);
    return std::nullopt;
  }
  for (int i = 0; i < ASC_countPresentationContexts(params); ++i) {
    T_ASC_PresentationContext context{};
    if (ASC_getPresentationContext(params, i, &context).good() && context.transferSyntaxCount > 0)
      ASC_acceptPresentationContext(params, context.presentationContextID, preferred_syntax(context));
  }
  if (ASC_acknowledgeAssociation(association.get()).bad()) return std::nullopt;
  return Association(association.release(), link_, stopper_.newest());
}

}  // namespace shiftnorm::pacs
