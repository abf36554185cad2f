// The process: settings into a snapshot, listeners, workers, signals, health, discovery, admin.
// Lives on the control thread; run() returns when the process may exit.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "base/log.h"
#include "base/log_throttle.h"
#include "base/result.h"
#include "conf/load.h"
#include "control/admin.h"
#include "control/admin_guard.h"
#include "control/certificate_keeper.h"
#include "control/descriptors.h"
#include "control/discovery.h"
#include "control/drain_keeper.h"
#include "control/file_reader.h"
#include "control/health_checker.h"
#include "control/inheritance.h"
#include "control/lineage.h"
#include "control/listeners.h"
#include "control/log_files.h"
#include "control/ocsp_stapler.h"
#include "control/password_keeper.h"
#include "control/secret_keeper.h"
#include "control/service_manager.h"
#include "control/state_directory.h"
#include "control/stores.h"
#include "control/successor.h"
#include "control/ticket_keeper.h"
#include "net/loop.h"
#include "net/signals.h"
#include "net/system_resolver.h"
#include "net/timer.h"
#include "proxy/limit_zones.h"
#include "proxy/worker.h"
#include "routing/replica_board.h"
#include "tls/server_context.h"

namespace usher::control {

class Server final : private DrainKeeper::Listener {
 public:
  using Reload = std::function<Result<conf::Loaded>()>;

  // `reload` reads the configuration again; `command` is what a successor is started with; `reader`
  // reads for this process, is given to the successor too, and outlives it; nullptr: there is none.
  Server(conf::Loaded loaded, Reload reload, std::vector<std::string> command,
         Inheritance inherited, FileReader* reader = nullptr);
  ~Server();

  // Whom to trust as https replicas. An error names the upstream and the file.
  static Result<proxy::ReplicaTls> load_replica_tls(const conf::Settings& settings,
                                                    const Files& files);

  // The process's exit code. An error: it could not start, and why.
  Result<int> run();
  // After run(): those that have replaced this process, if it has to stay for them.
  std::unique_ptr<Lineage> take_lineage() { return replaced_ ? std::move(lineage_) : nullptr; }

 private:
  Outcome prepare();
  Outcome load_certificates(const conf::Settings& settings, const Files& files,
                            CertificateKeeper::Strictness strictness);
  Result<std::shared_ptr<const tls::ServerContext>> make_tls(const conf::TlsSettings& settings,
                                                             tls::Credentials credentials,
                                                             const Files& files) const;
  Outcome bind_listeners();
  Outcome bind_admin();
  void watch_signals();
  unsigned worker_count() const;
  // What the limit of open files leaves for clients.
  void allot_descriptors();
  static LogLevel log_level(const conf::LogSettings& settings);
  // When names are resolved and the nodes agree on the secret, or when that takes too long.
  void on_start_progress();
  void on_start_deadline();
  void open_doors();
  void print_ready() const;
  std::string for_people() const;

  std::shared_ptr<const proxy::Snapshot> make_snapshot() const;
  void publish();
  void on_change();
  void renew_tls();
  void watch_staples(const conf::TlsSettings& settings);
  // Another certificate, or other keys for tickets.
  void on_tls_change();
  void on_versions();
  // A worker has reason to doubt a replica.
  void look_at(const std::string& replica_id);

  proxy::StubStatus stub_status() const;
  // On any worker's thread.
  void make_room(proxy::Worker& asker) const;
  void learn(std::vector<routing::Moved> moved);
  void doubt_bindings();
  void bring_home(const std::string& client, const std::string& replica_id);

  Outcome reload();
  void reload_on_signal();
  // Of settings_.
  void use(LogFiles::Opened files);
  void reopen_logs();
  void stop_on_signal(int signal);
  void leave(proxy::Departure departure, conf::Millis limit);
  // Not, with a reason, if it is time to close the doors.
  const char* why_to_close_doors() const;
  void close_doors();
  void on_drain_look();
  void on_log_look();
  // SIGUSR2 (server_replace.cc).
  void replace_on_signal();
  Outcome start_successor();
  void on_successor(const Outcome& ready);
  // Whoever started this process takes its end for the end of the service.
  bool must_stay() const;
  // True: this process has been replaced, and a signal to it is for those that serve.
  bool pass_on(int signal);
  void stop_workers();

  void note_refusal(const AdminRequest& request, const Refusal& refusal);
  Pending answer_soon(const AdminRequest& request, Admin::Respond respond);
  AdminResponse answer(const AdminRequest& request);
  Pending order_challenge(const AdminRequest& request, Admin::Respond respond);
  AdminResponse order_drain(const AdminRequest& request);
  void on_drains_settled() override;
  void on_drain_ends(const std::shared_ptr<routing::ReplicaStatus>& replica,
                     Duration left) override;
  bool any_replica_up() const;

  static constexpr std::chrono::milliseconds log_look_interval{500};
  static constexpr const char* admin_name = "admin";  // of its socket, for a successor

  SystemClock clock_;
  Log log_;
  LogThrottle throttle_;
  conf::Settings settings_;
  Files files_;  // reads what settings_ names
  const std::string source_;
  Reload reload_;
  const std::vector<std::string> command_;
  Inheritance inherited_;
  FileReader* const reader_;
  Fd line_to_first_;  // not valid: this process is the first
  const ServiceManager service_manager_;
  StateDirectory state_;
  std::string node_;
  MonotonicTime started_;

  net::Loop loop_;
  routing::ReplicaBoard board_{clock_};
  proxy::ConnectionLimit connection_limit_;
  DescriptorLimit descriptor_limit_;
  uint64_t descriptors_at_start_ = 0;  // but for the listeners'
  proxy::DescriptorBudget descriptors_;
  proxy::Crowds crowds_;
  proxy::PasswordFailures password_failures_;
  proxy::LimitZones limit_zones_{settings_, {}};
  routing::LiveSessions live_sessions_;
  routing::NodeSids node_sids_{clock_, settings_.limits.sids};
  routing::NodeBindings node_bindings_{clock_};
  routing::UnknownKeys unknown_keys_{clock_};
  Stores stores_;
  net::SystemResolver resolver_;
  std::unique_ptr<RedisDoor> shared_store_;
  std::unique_ptr<routing::Store> own_store_;  // where there is no shared one
  std::unique_ptr<routing::redis::Announcements> announcements_;
  Discovery discovery_;
  HealthChecker health_;
  SecretKeeper secrets_;
  DrainKeeper drains_;
  CertificateKeeper certificates_;
  PasswordKeeper passwords_;
  TicketKeeper tickets_;
  OcspStapler stapler_;
  std::shared_ptr<const tls::ServerContext> tls_;
  proxy::ReplicaTls replica_tls_;
  LogFiles log_files_;
  std::shared_ptr<const proxy::LogPlan> log_plan_;
  std::atomic<uint64_t> connections_{0};
  std::optional<proxy::Shared> shared_;
  std::shared_ptr<const proxy::Snapshot> snapshot_;

  Listeners listeners_;
  AdminGuard admin_guard_;
  std::string admin_url_;
  Fd admin_fd_;
  std::unique_ptr<Admin> admin_;
  std::vector<std::unique_ptr<proxy::Worker>> workers_;
  std::vector<std::thread> threads_;
  std::vector<std::unique_ptr<net::SignalWatch>> signals_;
  net::Timer<&Server::on_start_deadline> start_deadline_;
  net::Timer<&Server::on_drain_look> drain_look_;
  net::Timer<&Server::on_log_look> log_look_;
  std::optional<proxy::DrainSchedule> drain_;
  std::unique_ptr<Successor> successor_;  // until it is ready
  std::unique_ptr<Lineage> lineage_;      // of those that replace this process, if it is the first
  bool open_ = false;
  bool draining_ = false;
  bool stopping_ = false;  // by a signal
  bool replaced_ = false;  // another process serves
};

}  // namespace usher::control
