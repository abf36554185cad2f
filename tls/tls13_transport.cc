#include "tls/tls13_transport.h"

#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <optional>

namespace usher::tls {
namespace {

using net::IoResult;
using net::IoStatus;

constexpr size_t records_per_write = 4;
// RFC 8446 section 5.5 allows AES-GCM about 2^24.5 full records under one key.
constexpr uint64_t records_per_key = uint64_t{1} << 24;
// Records that carry nothing are legal; a stream of them, or of key updates, is an attack.
constexpr unsigned most_idle_records = 32;

// RFC 8446 section 6.
enum class Alert : uint8_t {
  close_notify = 0,
  unexpected_message = 10,
  bad_record_mac = 20,
  record_overflow = 22,
  illegal_parameter = 47,
  decode_error = 50,
  user_canceled = 90,
};
constexpr uint8_t warning = 1, fatal = 2;

constexpr uint8_t key_update = 24;
enum class UpdateRequest : uint8_t { not_requested = 0, requested = 1 };

// Sealed and not yet taken by the kernel.
struct Unsent {
  std::string records;
  size_t sent = 0;
  size_t plaintext = 0;  // what the writer will be told was written, once all of it is sent
};

class Tls13Transport final : public net::Transport {
 public:
  explicit Tls13Transport(Tls13Takeover takeover);

  IoResult handshake(int) override { return {IoStatus::done}; }
  IoResult read(int fd, std::span<char> into) override;
  // A whole record.
  size_t least_room() const override { return smallest_read; }
  IoResult write(int fd, std::span<const char> from) override;
  IoResult finish(int fd) override;
  bool has_buffered() const override { return unseen_ || ended_; }
  std::string error_text() const override { return error_.empty() ? send_error_ : error_; }
  std::string_view protocol() const override { return protocol_; }
  bool secure() const override { return true; }

 private:
  IoResult read_once(int fd, std::span<char> ciphertext, char* into);
  size_t open_all(int fd, std::span<const char>& input, char* into);
  std::optional<Alert> on_record(ContentType type, std::string_view content);
  std::optional<Alert> on_alert(std::string_view alert);
  std::optional<Alert> on_handshake(std::string_view bytes);
  IoStatus send_unsent(int fd);
  IoStatus send_or_keep(int fd, std::span<const char> records, size_t plaintext);
  void fail(int fd, Alert alert, std::string_view why);
  void append_owed_update(char*& out);
  bool may_send() const { return error_.empty() && send_error_.empty(); }

  RecordProtection sealing_;
  RecordProtection opening_;
  std::string_view protocol_;
  std::string received_;   // a part of a record
  std::string handshake_;  // a part of a handshake message
  std::string error_;
  std::string send_error_;  // what came before it can still be read
  std::unique_ptr<Unsent> unsent_;
  unsigned idle_records_ = 0;
  bool unseen_;  // received_ may hold whole records: it came with the handshake
  bool update_owed_ = false;
  bool ended_ = false;
  bool end_sealed_ = false;
};

Tls13Transport::Tls13Transport(Tls13Takeover takeover)
    : sealing_(std::move(takeover.sealing)),
      opening_(std::move(takeover.opening)),
      protocol_(takeover.protocol),
      received_(std::move(takeover.received)),
      unseen_(!received_.empty()) {}

IoResult Tls13Transport::read(int fd, std::span<char> into) {
  // What is opened is shorter than what it was sealed in: it fits.
  std::array<char, 64 * 1024> buffer;
  const std::span<char> ciphertext(buffer.data(), std::min(buffer.size(), into.size()));
  while (true) {
    const IoResult result = read_once(fd, ciphertext, into.data());
    // A buffer full of records that held nothing: there may be more.
    if (result.status != IoStatus::done || result.bytes > 0) return result;
  }
}

// As read(); done without bytes if there may be more.
IoResult Tls13Transport::read_once(int fd, std::span<char> ciphertext, char* into) {
  if (!error_.empty()) return {IoStatus::error};
  if (ended_) return {IoStatus::end};

  std::copy(received_.begin(), received_.end(), ciphertext.begin());
  size_t have = received_.size();
  const ssize_t got = ::recv(fd, ciphertext.data() + have, ciphertext.size() - have, 0);
  const bool blocked = got < 0 && (errno == EAGAIN || errno == EINTR);
  if (got < 0 && !blocked) {
    error_ = std::strerror(errno);
    return {IoStatus::error};
  }
  if (blocked && !unseen_) return {IoStatus::again};
  unseen_ = false;
  const bool drained = blocked || (got > 0 && have + static_cast<size_t>(got) < ciphertext.size());
  if (got > 0) have += static_cast<size_t>(got);

  std::span<const char> input = ciphertext.first(have);
  const size_t opened = open_all(fd, input, into);
  received_.assign(input.begin(), input.end());
  // What was opened before an end or an error is delivered first; the next read meets it again.
  if (opened > 0) return {IoStatus::done, opened, drained && !ended_ && error_.empty()};
  if (!error_.empty()) return {IoStatus::error};
  if (ended_) return {IoStatus::end};
  if (got == 0) {
    error_ = "the connection was closed without close_notify";
    return {IoStatus::error};
  }
  return {drained ? IoStatus::again : IoStatus::done};
}

// Opens the whole records at the front of input, until one of them ends the connection. Returns how
// much application data they held.
size_t Tls13Transport::open_all(int fd, std::span<const char>& input, char* into) {
  size_t total = 0;
  while (input.size() >= record_header_size && !ended_ && error_.empty()) {
    const auto type = static_cast<ContentType>(input[0]);
    const size_t size =
        static_cast<size_t>(static_cast<uint8_t>(input[3])) << 8 | static_cast<uint8_t>(input[4]);
    if (size > most_ciphertext) {
      fail(fd, Alert::record_overflow, "a record is too long");
      break;
    }
    if (type != ContentType::application_data) {
      fail(fd, Alert::unexpected_message, "a record is not protected");
      break;
    }
    if (input.size() < record_header_size + size) break;
    const auto record = input.first(record_header_size + size);
    const auto opened = opening_.open(record, into + total);
    if (!opened) {
      fail(fd, Alert::bad_record_mac, "a record is not genuine");
      break;
    }
    input = input.subspan(record.size());
    if (opened->inner_size > most_inner_plaintext) {
      fail(fd, Alert::record_overflow, "a record holds too much");
      break;
    }
    const std::string_view content(into + total, opened->size);
    if (const auto alert = on_record(opened->type, content)) {
      fail(fd, *alert, "a record that makes no sense here");
      break;
    }
    if (opened->type == ContentType::application_data) total += content.size();
  }
  return total;
}

// What is to be said against it; nothing: it is in order.
std::optional<Alert> Tls13Transport::on_record(ContentType type, std::string_view content) {
  const bool idle = type != ContentType::application_data || content.empty();
  idle_records_ = idle ? idle_records_ + 1 : 0;
  if (idle_records_ > most_idle_records) return Alert::unexpected_message;
  switch (type) {
    case ContentType::application_data:
      return handshake_.empty() ? std::nullopt : std::optional(Alert::unexpected_message);
    case ContentType::alert: return on_alert(content);
    case ContentType::handshake: return on_handshake(content);
    default: return Alert::unexpected_message;
  }
}

std::optional<Alert> Tls13Transport::on_alert(std::string_view alert) {
  if (alert.size() != 2 || !handshake_.empty()) return Alert::unexpected_message;
  const auto description = static_cast<Alert>(alert[1]);
  if (description == Alert::close_notify) {
    ended_ = true;
  } else if (description != Alert::user_canceled) {
    error_ = "the peer sent TLS alert " + std::to_string(static_cast<uint8_t>(alert[1]));
  }
  return std::nullopt;
}

// KeyUpdate (RFC 8446 section 4.6.3) is all that a client may say after its handshake here, and it
// is the last thing in its record.
std::optional<Alert> Tls13Transport::on_handshake(std::string_view bytes) {
  constexpr std::string_view begins{"\x18\0\0\1", 4};
  static_assert(key_update == 0x18);
  handshake_.append(bytes.substr(0, begins.size() + 2));
  const size_t known = std::min(handshake_.size(), begins.size());
  if (bytes.empty() || handshake_.front() != key_update) return Alert::unexpected_message;
  if (handshake_.compare(0, known, begins.substr(0, known)) != 0) return Alert::decode_error;
  if (handshake_.size() <= begins.size()) return std::nullopt;
  const auto request = static_cast<UpdateRequest>(handshake_[begins.size()]);
  const bool whole = handshake_.size() == begins.size() + 1;
  handshake_.clear();
  if (!whole) return Alert::unexpected_message;
  if (request > UpdateRequest::requested) return Alert::illegal_parameter;
  opening_.update();
  update_owed_ = update_owed_ || request == UpdateRequest::requested;
  return std::nullopt;
}

IoResult Tls13Transport::write(int fd, std::span<const char> from) {
  if (!may_send()) return {IoStatus::error};
  if (unsent_) {
    const size_t plaintext = unsent_->plaintext;
    const IoStatus status = send_unsent(fd);
    return status == IoStatus::done ? IoResult{status, plaintext} : IoResult{status};
  }
  std::array<char, records_per_write*(most_plaintext + record_overhead) + 64> buffer;
  char* end = buffer.data();
  size_t plaintext = 0;
  for (size_t i = 0; i < records_per_write && plaintext < from.size(); ++i) {
    append_owed_update(end);
    const auto piece = from.subspan(plaintext, std::min(most_plaintext, from.size() - plaintext));
    end = sealing_.seal(ContentType::application_data, piece, end);
    plaintext += piece.size();
  }
  const IoStatus status = send_or_keep(fd, std::span<const char>(buffer.data(), end), plaintext);
  return status == IoStatus::done ? IoResult{status, plaintext} : IoResult{status};
}

// RFC 8446 section 4.6.3: the answer to a requested update goes before the next application data.
void Tls13Transport::append_owed_update(char*& out) {
  if (!update_owed_ && sealing_.sequence() < records_per_key) return;
  update_owed_ = false;
  constexpr char message[] = {key_update, 0, 0, 1, static_cast<char>(UpdateRequest::not_requested)};
  out = sealing_.seal(ContentType::handshake, message, out);
  sealing_.update();
}

IoStatus Tls13Transport::send_or_keep(int fd, std::span<const char> records, size_t plaintext) {
  const ssize_t sent = ::send(fd, records.data(), records.size(), MSG_NOSIGNAL);
  if (sent == static_cast<ssize_t>(records.size())) return IoStatus::done;
  if (sent < 0 && errno != EAGAIN && errno != EINTR) {
    send_error_ = std::strerror(errno);
    return IoStatus::error;
  }
  const auto rest = records.subspan(sent > 0 ? static_cast<size_t>(sent) : 0);
  unsent_ = std::make_unique<Unsent>(Unsent{{rest.data(), rest.size()}, 0, plaintext});
  return IoStatus::again;
}

IoStatus Tls13Transport::send_unsent(int fd) {
  const std::string_view rest = std::string_view(unsent_->records).substr(unsent_->sent);
  const ssize_t sent = ::send(fd, rest.data(), rest.size(), MSG_NOSIGNAL);
  if (sent < 0 && errno != EAGAIN && errno != EINTR) {
    send_error_ = std::strerror(errno);
    return IoStatus::error;
  }
  if (sent > 0) unsent_->sent += static_cast<size_t>(sent);
  if (unsent_->sent < unsent_->records.size()) return IoStatus::again;
  unsent_.reset();
  return IoStatus::done;
}

IoResult Tls13Transport::finish(int fd) {
  if (!may_send()) return {IoStatus::done};
  if (unsent_) {
    if (const IoStatus status = send_unsent(fd); status != IoStatus::done)
      return {status == IoStatus::again ? status : IoStatus::done};
  }
  if (end_sealed_) return {IoStatus::done};
  end_sealed_ = true;
  constexpr char alert[] = {warning, static_cast<char>(Alert::close_notify)};
  std::array<char, sizeof alert + record_overhead> record;
  const char* const end = sealing_.seal(ContentType::alert, alert, record.data());
  const IoStatus status = send_or_keep(fd, std::span<const char>(record.data(), end), 0);
  return {status == IoStatus::again ? status : IoStatus::done};
}

// Tells the peer, if it can be told at once, and remembers why.
void Tls13Transport::fail(int fd, Alert alert, std::string_view why) {
  error_ = why;
  if (unsent_ || end_sealed_) return;
  const char message[] = {fatal, static_cast<char>(alert)};
  std::array<char, sizeof message + record_overhead> record;
  const char* const end = sealing_.seal(ContentType::alert, message, record.data());
  // Who does not take it learns of the end by the end.
  (void)::send(fd, record.data(), static_cast<size_t>(end - record.data()), MSG_NOSIGNAL);
}

}  // namespace

std::unique_ptr<net::Transport> make_tls13_transport(Tls13Takeover takeover) {
  return std::make_unique<Tls13Transport>(std::move(takeover));
}

}  // namespace usher::tls
