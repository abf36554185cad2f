// One request and its response: finds the route and the session's home, borrows a replica
// connection, moves both bodies under backpressure, and ends in one access-log line.
//
// exchange.cc reads in the order in which things happen, until a replica answers;
// exchange_response.cc goes on from there. Every failure goes through fail().
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/error.h"
#include "base/pending.h"
#include "base/result.h"
#include "net/loop.h"
#include "net/timer.h"
#include "protocol/conditions.h"
#include "protocol/content_coding.h"
#include "protocol/engine_io.h"
#include "protocol/message.h"
#include "proxy/compressed_body.h"
#include "proxy/connection_zone.h"
#include "proxy/counters.h"
#include "proxy/diagnosis.h"
#include "proxy/own_response.h"
#include "proxy/password_checker.h"
#include "proxy/replica_connection.h"
#include "proxy/retry.h"
#include "proxy/snapshot.h"
#include "proxy/static_file.h"
#include "proxy/variables.h"
#include "proxy/websocket.h"
#include "routing/session_directory.h"

namespace usher::proxy {

class Requester;
class Worker;

// nginx's number for: close the connection, say nothing.
inline constexpr uint16_t no_answer = 444;

class Exchange final : public net::Mortal, private ReplicaConnectionUser {
 public:
  Exchange(Worker& worker, Requester& client, std::shared_ptr<const Snapshot> snapshot);
  ~Exchange() override;

  // From the client's connection.
  void on_request_head(protocol::RequestHead head);
  // The request could not be read.
  void on_request_error(Error error);
  // May the body's next piece come?
  bool takes_body() const {
    return !finished_ && (awaits_body_ || (replica_ && replica_->ready()));
  }
  // So much of the body has come before its replica takes any.
  void on_request_ahead(uint64_t bytes);
  void on_request_data(std::span<const char> data);
  void on_request_end(protocol::Headers trailers);
  // The client takes more of the response again.
  void on_client_writable();
  void on_client_gone(Error error);
  // The time to finish is over.
  void on_drained();
  // The request's body has stopped moving.
  void on_body_stalled();
  // The client takes nothing of the response any more.
  void on_client_stalled();

 private:
  // In the order in which they happen.
  Outcome serve();
  void read_challenge();
  bool answers_challenges() const;
  Outcome find_route();
  std::string asked_host() const;
  Outcome find_challenge_route();
  Outcome ask_for_challenge();
  Outcome follow_route();
  const protocol::Forwarding& forwarding() const;
  void drop_odd_headers();
  Outcome pass_limits();
  void on_turn();
  bool allows_body(uint64_t bytes) const;
  Outcome enter_zones();
  void refuse(Error error, uint16_t status, std::chrono::seconds again_after);
  Outcome enter_route();
  Outcome serve_route();
  std::string client_network() const;
  bool answer_by_route();
  bool answer_as_last();
  void close_without_answer();
  enum class Admission : uint8_t { granted, refused, unsaid };
  Outcome pass_access();
  Admission admission_by_address() const;
  Outcome forbid();
  bool asks_for_password() const;
  Outcome check_password();
  void on_verdict(PasswordChecker::Verdict verdict, const std::string& name);
  void ask_for_password();
  void respond_with_stub_status();
  void respond_with_file();
  void go_on_with(const std::string& path, std::string_view query);
  void go_on_at(const routing::Route* route, std::string_view name);
  void respond_with(StaticFile file, std::string_view path);
  bool describe_body(protocol::ResponseHead& head, StaticFile& file,
                     const protocol::Validators& validators, std::string_view path) const;
  void send_file();
  Progress progress() const;
  VariableSource variables(const protocol::ResponseHead* response) const;
  std::optional<VariableSource> log_variables(const protocol::ResponseHead* response) const;
  void keep_asked_fields();
  void keep_response(protocol::ResponseHead& head);
  Error undecided() const;
  bool fail_undecided();
  Outcome apply_request_rules();
  void forward_headers();
  void filter_request_trailers(protocol::Headers& trailers) const;
  void filter_response_trailers(protocol::Headers& trailers) const;
  void name_request();
  void apply_response_rules(protocol::ResponseHead& head) const;
  void rewrite(protocol::ResponseHead& head) const;
  void respond(OwnResponse response);
  bool begin_response(protocol::ResponseHead& head);
  void compress(protocol::ResponseHead& head);
  void send_body(std::span<const char> data);
  void read_session();
  bool body_comes_first() const;
  void await_body();
  void find_home();
  void settle(routing::Home home);
  void fail_homeless();
  bool may_wait() const;
  void wait_for_replica();
  void bring_home() const;
  void enter();
  void lease();
  bool repeatable() const;
  void on_replica_ready() override;
  void on_replica_head(protocol::ResponseHead head) override;
  void on_replica_data(std::span<const char> data) override;
  void on_replica_end(protocol::Headers trailers) override;
  void on_replica_writable() override;
  size_t wanted() const override;
  void on_replica_error(Error error) override;

  void upgrade(protocol::ResponseHead head);
  bool migrates() const;
  void add_cookie(protocol::Headers& headers) const;
  void pass_on(std::span<const char> data);
  void slow_down();
  void learn_sid();
  void let_go();
  void finish_response(const protocol::Headers& trailers);

  void fail(Error error);
  Attempt attempt(bool wants_another) const;
  bool has_another() const;
  bool turns_down(uint16_t status);
  bool within_budget(Errc failure);
  void try_again(Errc failure);
  void look_again();
  void note_replica_failure();
  void drop_replica();
  bool is_last_on_connection() const;
  void finish(bool reuse);
  void count_answer();
  void log();
  void log_trouble();
  TunnelRecord make_tunnel_record(const protocol::ResponseHead& response);

  Worker& worker_;
  Requester& client_;
  CountedIn under_way_;
  std::shared_ptr<const Snapshot> snapshot_;
  std::shared_ptr<const Snapshot> before_retry_;  // of the attempt before this one
  protocol::RequestHead request_;
  // As the client asked; what goes to the replica stands in request_.
  std::string_view asked_authority_;
  std::string_view asked_target_;
  std::string_view served_target_;             // the same, or where a route with files has led
  std::vector<protocol::Field> asked_fields_;  // where they are wanted later
  protocol::CodingWish coding_wish_;           // where the route compresses
  std::string_view challenge_;                 // a token that may have an answer: the store knows
  const routing::Route* route_ = nullptr;
  const routing::Upstream* upstream_ = nullptr;

  routing::SessionClaim claim_;
  routing::Home home_;
  // Of a challenge, of a password, of the home, for any or for a place there, or of a sid being
  // kept.
  Pending lookup_;
  routing::Place place_;
  std::optional<routing::OpenRequest> open_request_;
  std::unique_ptr<ReplicaConnection> replica_;

  std::string early_body_;  // came before the request had its place
  // The body of a polling handshake is held until the store has its sid.
  std::optional<protocol::OpenPacketReader> open_packet_;
  std::string held_;
  std::optional<protocol::Headers> held_end_;

  // Of a request that waits until the rate allows it, or has.
  struct Turn {
    Turn(Counter& delayed, net::Loop& loop, Exchange& exchange)
        : waits(std::in_place, delayed), timer(loop, exchange) {}
    void stop() {
      waits.reset();
      timer.stop();
    }
    std::optional<CountedIn> waits;
    net::Timer<&Exchange::on_turn> timer;
  };
  std::unique_ptr<Turn> turn_;
  std::vector<ZonePlace> zone_places_;

  // Of a file: what is left of it is the response.
  struct FileBody {
    FileBody(StaticFile opened, net::Loop& loop, Exchange& exchange)
        : file(std::move(opened)), next_turn(loop, exchange) {}
    StaticFile file;
    net::Timer<&Exchange::send_file> next_turn;
  };
  std::unique_ptr<FileBody> file_;
  std::unique_ptr<CompressedBody> compressed_;  // what the response's body goes through
  std::optional<Diagnosis> diagnosis_;
  mutable std::string undecided_;  // VariableSource::undecided, or what else gave up

  MonotonicTime started_;
  WallTime started_wall_;
  std::optional<MonotonicTime> first_byte_;
  MonotonicTime leased_;
  uint64_t request_number_;  // on its connection
  std::string client_address_;
  std::string replica_id_;
  Error error_;
  Error earlier_;                                           // of the attempt before
  std::unique_ptr<const protocol::ResponseHead> response_;  // as it was sent, where a log wants it
  size_t request_size_ = 0;                                 // of the heads, likewise
  size_t response_size_ = 0;
  uint64_t bytes_in_ = 0;
  uint64_t bytes_out_ = 0;
  unsigned attempts_ = 0;
  unsigned stale_attempts_ = 0;  // of them, those on a kept connection that was over: at most one
  unsigned detours_ = 0;         // of a request that goes on with another path
  uint16_t status_ = 0;
  bool fresh_connection_ = false;  // the next lease must not be a reused one
  const routing::Replica* avoid_ = nullptr;
  bool socketio_ = false;
  bool awaits_body_ = false;
  bool body_begun_ = false;
  bool limited_ = false;      // the limits of a route have let it in
  bool waited_ = false;       // because no replica was up
  bool sent_before_ = false;  // an attempt that failed may have reached a replica
  bool response_started_ = false;
  bool client_must_close_ = false;  // said so in the response's head
  bool finished_ = false;
};

}  // namespace usher::proxy
