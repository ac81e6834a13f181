#include "association.hpp"

#include <dcmtk/config/osconfig.h>
#include <dcmtk/dcmnet/assoc.h>
#include <dcmtk/dcmnet/cond.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <chrono>

#include "network.hpp"

namespace shiftnorm::pacs {

void Association::Breaker::operator()(T_ASC_Association* association) const {
  ASC_abortAssociation(association);
  ASC_destroyAssociation(&association);
}

Association::Association(T_ASC_Association* association, const Link& link, int socket)
    : association_(association), link_(&link), socket_(socket) {
  for (int i = 0; i < ASC_countPresentationContexts(association->params); ++i) {
    T_ASC_PresentationContext context{};
    if (ASC_getPresentationContext(association->params, i, &context).good() && context.resultReason == ASC_P_ACCEPTANCE)
      agreed_[context.presentationContextID] = {context.abstractSyntax, context.acceptedTransferSyntax};
  }
}

std::optional<std::uint8_t> Association::context_of(std::string_view abstract_syntax) const {
  for (const auto& [id, agreed] : agreed_)
    if (agreed.abstract_syntax == abstract_syntax) return id;
  return std::nullopt;
}

bool Association::ready() const { return ASC_dataWaiting(association_.get(), 0); }

void Association::wait() const {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(link_->timeout_seconds);
  // In steps of a second, so that Ctrl-C is seen.
  while (!ASC_dataWaiting(association_.get(), 1)) {
    link_->progress.check();
    if (std::chrono::steady_clock::now() > deadline)
      throw PeerError(
          fmt::format("peer: silent for {} s; expected an answer (--timeout S waits longer)", link_->timeout_seconds));
  }
  link_->progress.check();
  // Senders write the head of a message alone and the rest when it is acknowledged, which the kernel would do 40 ms
  // later (measured with Orthanc: 6 objects a second without this). It holds for a while only, so it is said each time.
  const int yes = 1;
  ::setsockopt(socket_, IPPROTO_TCP, TCP_QUICKACK, &yes, sizeof yes);
}

std::optional<Piece> Association::next() {
  DUL_PDV pdv{};
  DUL_ASSOCIATIONKEY** dul = &association_->DULassociation;
  if (DUL_NextPDV(dul, &pdv).bad()) {
    wait();
    const OFCondition read = DUL_ReadPDVs(dul, nullptr, DUL_NOBLOCK, link_->timeout_seconds);
    if (read == DUL_PEERREQUESTEDRELEASE) {
      ASC_acknowledgeRelease(association_.get());
      T_ASC_Association* done = association_.release();
      ASC_destroyAssociation(&done);
      return std::nullopt;
    }
    link_->progress.check();  // it may be us who closed the connection
    if (read == DUL_PEERABORTEDASSOCIATION || read == DUL_NETWORKCLOSED)
      throw PeerError("peer: aborted the association; expected it to last until the end");
    if (!(read == DUL_PDATAPDUARRIVED) || DUL_NextPDV(dul, &pdv).bad())
      throw PeerError("peer: sent what cannot be read, or stopped in the middle; expected DICOM messages");
  }
  return Piece{pdv.presentationContextID,
               pdv.pdvType == DUL_COMMANDPDV,
               pdv.lastPDV == OFTrue,
               {static_cast<const std::byte*>(pdv.data), pdv.fragmentLength}};
}

void Association::send(std::uint8_t context, bool command, std::string bytes) {
  const std::size_t most = association_->sendPDVLength & ~std::size_t{1};
  std::size_t at = 0;
  do {
    DUL_PDV pdv{};
    pdv.fragmentLength = std::min(most, bytes.size() - at);
    pdv.presentationContextID = context;
    pdv.pdvType = command ? DUL_COMMANDPDV : DUL_DATASETPDV;
    pdv.lastPDV = at + pdv.fragmentLength == bytes.size();
    pdv.data = bytes.data() + at;
    at += pdv.fragmentLength;
    DUL_PDVLIST list{};
    list.count = 1;
    list.pdv = &pdv;
    if (DUL_WritePDVs(&association_->DULassociation, &list).bad()) {
      link_->progress.check();
      throw PeerError("peer: takes no more messages; expected the association to last");
    }
  } while (at < bytes.size());
}

void Association::release() {
  T_ASC_Association* done = association_.release();
  ASC_releaseAssociation(done);
  ASC_destroyAssociation(&done);
}

}  // namespace shiftnorm::pacs
