#include "control/server.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <nlohmann/json.hpp>
#include <numeric>
#include <set>

#include "base/thread.h"
#include "control/bind.h"
#include "control/report.h"
#include "tls/digest.h"

namespace usher::control {
namespace {

using std::chrono_literals::operator""ms;

// A start does not wait longer than this for DNS or the store: the doors open, and who comes before
// a replica is known gets the waiting page.
constexpr auto start_limit = 1000ms;
// A connection that has just come may have a request on its way: it is closed only when there is no
// room and so many are idle that it is likely one of a flood.
constexpr auto first_request_grace = 1000ms;
constexpr size_t few_idle = 8;
// While another process still serves, nobody waits for this one.
constexpr auto takeover_limit = 10'000ms;

std::string host_name() {
  char name[256] = {};
  if (::gethostname(name, sizeof name - 1) != 0) return "usher";
  return name;
}

}  // namespace

Server::Server(conf::Loaded loaded, Reload reload, std::vector<std::string> command,
               Inheritance inherited, FileReader* reader)
    : log_(2, log_level(loaded.settings.log)),
      settings_(std::move(loaded.settings)),
      files_(std::move(loaded.files)),
      source_(std::move(loaded.source)),
      reload_(std::move(reload)),
      command_(std::move(command)),
      inherited_(std::move(inherited)),
      reader_(reader),
      line_to_first_(inherited_.take_line_to_first()),
      state_(StateDirectory::find(settings_.state)),
      node_(host_name()),
      started_(clock_.now()),
      stores_(settings_.store, clock_, log_),
      resolver_(loop_),
      discovery_(loop_, resolver_, board_, log_, [this] { on_change(); }),
      health_(
          loop_, log_, [this](const std::string& id) { discovery_.look_again(id); },
          [this] { on_versions(); }),
      secrets_(loop_, clock_, state_, log_, [this] { on_change(); }),
      drains_(loop_, clock_, state_, log_, *this),
      certificates_(loop_, clock_, state_, log_, [this] { on_tls_change(); }),
      passwords_(loop_, log_, [this] { on_change(); }),
      tickets_(loop_, clock_, [this] { on_tls_change(); }),
      stapler_(loop_, clock_, log_,
               [this](const tls::Credential& credential, const std::string& der) {
                 certificates_.staple(credential, der);
               }),
      admin_guard_(settings_.admin, node_),
      start_deadline_(loop_, *this),
      drain_look_(loop_, *this),
      log_look_(loop_, *this) {}

Server::~Server() { stop_workers(); }

Result<int> Server::run() {
  if (Outcome prepared = prepare(); !prepared) {
    inherited_.say_failed(prepared.error().detail);
    return std::move(prepared).error();
  }
  discovery_.start(settings_.upstreams);
  shared_store_ = stores_.make_shared_door(loop_);
  if (!shared_store_) own_store_ = stores_.make(loop_);
  announcements_ = stores_.make_announcements(
      loop_, resolver_, log_,
      [this](std::vector<routing::Moved> moved) { learn(std::move(moved)); },
      [this] { doubt_bindings(); });
  secrets_.start(settings_.affinity, shared_store_.get());
  drains_.start(shared_store_.get());
  if (tls_) {
    tickets_.start(settings_.tls, shared_store_.get());
    renew_tls();
  }
  start_deadline_.start(inherited_.has_predecessor() ? takeover_limit : start_limit);
  loop_.later([this] { on_start_progress(); });
  loop_.run();
  if (replaced_ && lineage_) {
    lineage_->hold_signals();
    loop_.run_ready();
  }
  stop_workers();
  return 0;
}

Outcome Server::prepare() {
  std::signal(SIGPIPE, SIG_IGN);
  descriptor_limit_ = DescriptorLimit::raise();
  auto files = log_files_.open(settings_.log);
  if (!files) return std::move(files).error();
  use(std::move(*files));
  if (!state_.problem().empty()) {
    log_.warning("state_not_kept", {{"directory", state_.path()}, {"reason", state_.problem()}});
  }
  // Where another process still serves, it has better ones.
  const auto strictness = inherited_.has_predecessor()
                              ? CertificateKeeper::Strictness::all_or_none
                              : CertificateKeeper::Strictness::whatever_there_is;
  if (Outcome loaded = load_certificates(settings_, files_, strictness); !loaded) return loaded;
  auto passwords = PasswordKeeper::load(settings_, files_);
  if (!passwords) return std::move(passwords).error();
  passwords_.use(std::move(*passwords), files_);
  auto replica_tls = load_replica_tls(settings_, files_);
  if (!replica_tls) return std::move(replica_tls).error();
  replica_tls_ = std::move(*replica_tls);
  if (Outcome prepared = stores_.prepare(files_); !prepared) return prepared;
  shared_.emplace(proxy::Shared{
      clock_, log_, connections_, connection_limit_, descriptors_, crowds_, password_failures_,
      live_sessions_, node_sids_, node_bindings_, unknown_keys_, &tls::make_hmac_sha256, throttle_,
      [this](const std::string& id) { loop_.post([this, id] { look_at(id); }); },
      [this](const std::string& client, const std::string& replica_id) {
        loop_.post([this, client, replica_id] { bring_home(client, replica_id); });
      },
      [this] { return stub_status(); }, [this](proxy::Worker& asker) { make_room(asker); },
      [this] { loop_.post([this] { allot_descriptors(); }); }});
  if (Outcome bound = bind_listeners(); !bound) return bound;
  if (Outcome bound = bind_admin(); !bound) return bound;

  for (const std::string& address : inherited_.drop_rest())
    log_.warning("listener_unused", {{"address", address}});
  watch_signals();
  return {};
}

void Server::use(LogFiles::Opened files) {
  log_.use(std::move(files.process));
  log_plan_ = std::make_shared<const proxy::LogPlan>(settings_.log, std::move(files.access), node_);
}

unsigned Server::worker_count() const {
  return settings_.workers > 0 ? settings_.workers
                               : std::max(1u, std::thread::hardware_concurrency());
}

LogLevel Server::log_level(const conf::LogSettings& settings) {
  switch (settings.level) {
    case conf::LogLevelName::debug: return LogLevel::debug;
    case conf::LogLevelName::info: return LogLevel::info;
    case conf::LogLevelName::warning: return LogLevel::warning;
    case conf::LogLevelName::error: return LogLevel::error;
  }
  return LogLevel::info;
}

void Server::watch_signals() {
  const auto watch = [this](int signal, std::function<void()> caught) {
    signals_.push_back(std::make_unique<net::SignalWatch>(loop_, signal, std::move(caught)));
  };
  watch(SIGTERM, [this] { stop_on_signal(SIGTERM); });
  watch(SIGINT, [this] { stop_on_signal(SIGINT); });
  watch(SIGHUP, [this] { reload_on_signal(); });
  watch(SIGUSR1, [this] { reopen_logs(); });
  watch(SIGUSR2, [this] { replace_on_signal(); });
}

Outcome Server::load_certificates(const conf::Settings& settings, const Files& files,
                                  CertificateKeeper::Strictness strictness) {
  if (std::ranges::none_of(settings.listen, &conf::ListenSettings::tls)) {
    certificates_.use({});
    tls_.reset();
    return {};
  }
  auto loaded = certificates_.load(settings.tls, files, strictness);
  if (!loaded) return std::move(loaded).error();
  auto context = make_tls(settings.tls, CertificateKeeper::credentials_of(*loaded), files);
  if (!context) return std::move(context).error();
  tls_ = std::move(*context);
  certificates_.use(std::move(*loaded));
  watch_staples(settings.tls);
  return {};
}

Result<std::shared_ptr<const tls::ServerContext>> Server::make_tls(
    const conf::TlsSettings& settings, tls::Credentials credentials, const Files& files) const {
  auto made = tls::ServerContext::make(settings, std::move(credentials), tickets_.secrets(), files);
  if (!made) return std::move(made).error();
  return std::shared_ptr<const tls::ServerContext>(std::move(*made));
}

void Server::renew_tls() {
  if (!tls_) return;
  auto made = make_tls(settings_.tls, certificates_.credentials(), files_);
  if (!made) return log_.error("certificate_refused", {{"reason", made.error().detail}});
  tls_ = std::move(*made);
  watch_staples(settings_.tls);
}

void Server::watch_staples(const conf::TlsSettings& settings) {
  stapler_.watch(settings.ocsp_stapling ? tls_->credentials() : tls::Credentials());
}

void Server::on_tls_change() {
  renew_tls();
  on_change();
}

Result<proxy::ReplicaTls> Server::load_replica_tls(const conf::Settings& settings,
                                                   const Files& files) {
  proxy::ReplicaTls made;
  for (const conf::UpstreamSettings& upstream : settings.upstreams) {
    if (std::ranges::none_of(upstream.replicas, &conf::ReplicaSettings::tls)) continue;
    auto context = tls::ClientContext::make(
        {.ca = upstream.ca, .chain = {}, .key = {}, .verify = upstream.tls_verify}, files);
    if (!context) return std::move(context).error();
    made.emplace(upstream.name, std::move(*context));
  }
  return made;
}

Outcome Server::bind_listeners() {
  auto set = listeners_.make(settings_.listen, worker_count(), inherited_);
  if (!set) return std::move(set).error();
  listeners_.use(std::move(*set));
  return {};
}

Outcome Server::bind_admin() {
  const std::optional<conf::Endpoint>& wanted = settings_.admin.address;
  if (!wanted) return {};
  const auto addresses = addresses_of(*wanted);
  if (!addresses) return addresses.error();
  std::vector<Fd> passed_on = inherited_.claim(*addresses, admin_name);
  auto bound = passed_on.empty() ? bind(*wanted) : Result<Fd>(std::move(passed_on.front()));
  if (!bound) return std::move(bound).error();
  admin_fd_ = std::move(*bound);
  admin_url_ = url_of("http", net::Listener::bound_address(admin_fd_));
  return {};
}

void Server::on_start_deadline() {
  if (!open_) open_doors();
}

void Server::on_start_progress() {
  if (open_ || !discovery_.complete()) return;
  drains_.watch(discovery_.upstreams(settings_.affinity));
  if (secrets_.settled() && drains_.settled() && tickets_.settled()) open_doors();
}

void Server::on_drains_settled() { on_start_progress(); }

void Server::on_drain_ends(const std::shared_ptr<routing::ReplicaStatus>& replica, Duration left) {
  for (const auto& worker : workers_)
    worker->part_from(replica, left);
}

void Server::on_change() { open_ ? publish() : on_start_progress(); }

void Server::on_versions() {
  if (!open_) return;
  publish();
  for (const routing::Upstream& upstream : snapshot_->upstreams) {
    const std::set<std::string> versions = versions_of(upstream);
    if (versions.size() < 2) continue;
    std::string text;
    for (const std::string& version : versions)
      text += (text.empty() ? "" : ", ") + version;
    log_.warning("versions_differ", {{"upstream", upstream.name}, {"versions", text}});
  }
}

void Server::look_at(const std::string& replica_id) {
  health_.look_at(replica_id);
  discovery_.look_again(replica_id);
}

void Server::open_doors() {
  open_ = true;
  start_deadline_.stop();
  snapshot_ = make_snapshot();
  health_.watch(*snapshot_);
  drains_.watch(snapshot_->upstreams);
  if (admin_fd_.valid()) {
    admin_ = std::make_unique<Admin>(
        loop_, Fd(::fcntl(admin_fd_.get(), F_DUPFD_CLOEXEC, 0)),
        [this](const AdminRequest& request, Admin::Respond respond) {
          return answer_soon(request, std::move(respond));
        },
        Admin::most_connections(descriptor_limit_.soft));
  }
  const auto make_store = [this](net::Loop& loop) { return stores_.make(loop); };
  for (unsigned i = 0; i < worker_count(); ++i) {
    workers_.push_back(std::make_unique<proxy::Worker>(*shared_, snapshot_, make_store));
  }
  listeners_.open(workers_);
  const uint64_t listening = listeners_.descriptors(worker_count());
  descriptors_at_start_ = std::max(open_descriptors(), listening) - listening;
  allot_descriptors();
  for (const auto& worker : workers_) {
    threads_.push_back(start_thread([raw = worker.get()] { raw->run(); }));
  }
  Lineage::announce(line_to_first_);
  if (inherited_.has_predecessor()) {
    inherited_.say_ready();  // and the one that goes tells the service manager
  } else {
    service_manager_.ready();
  }
  print_ready();
}

void Server::print_ready() const {
  nlohmann::ordered_json ready{{"event", "ready"}, {"listen", nlohmann::json::array()}};
  for (const Listeners::Entry& listener : listeners_.set())
    ready["listen"].push_back(listener.url);
  ready["admin"] = admin_url_;
  ready["settings"] = source_;
  std::string line = ready.dump() + "\n";
  if (::isatty(2) == 1) line += for_people();
  [[maybe_unused]] const ssize_t written = ::write(2, line.data(), line.size());
}

// Who starts it by hand wants to know what to do next.
std::string Server::for_people() const {
  const auto& set = listeners_.set();
  const auto secure = std::ranges::find_if(set, [](const auto& each) { return each.settings.tls; });
  const auto& shown = secure != set.end() ? secure : set.begin();
  std::string text = "\n";
  if (shown != set.end()) text += "  Open " + shown->url + "/ in a browser.";
  if (secure != set.end() && settings_.tls.certificates.empty())
    text += " It warns of the certificate, which usher has made itself.";
  for (const conf::UpstreamSettings& upstream : settings_.upstreams) {
    text += "\n  " + upstream.name + " is looked for at";
    for (const conf::ReplicaSettings& replica : upstream.replicas)
      text += " " + to_string(replica);
  }
  if (!settings_.upstreams.empty()) text += "; --upstream HOST:PORT names another place.";
  if (settings_.admin.address) text += "\n  `usher status` says how that goes.";
  return text + " Ctrl-C ends usher.\n\n";
}

std::shared_ptr<const proxy::Snapshot> Server::make_snapshot() const {
  std::vector<routing::Upstream> upstreams = discovery_.upstreams(settings_.affinity);
  for (size_t i = 0; i < upstreams.size(); ++i) {
    for (routing::Replica& replica : upstreams[i].replicas)
      replica.version = health_.version_of(*replica.status);
    upstreams[i].rank_versions(settings_.upstreams[i].versions == "newest");
  }
  return std::make_shared<const proxy::Snapshot>(settings_, std::move(upstreams), tls_,
                                                 replica_tls_, secrets_.secrets(), limit_zones_,
                                                 passwords_.files(), log_plan_);
}

void Server::allot_descriptors() {
  descriptor_limit_.soft = DescriptorLimit::current();
  const DescriptorNeeds needs{
      .at_start = descriptors_at_start_ + listeners_.descriptors(worker_count()),
      .admin = Admin::most_connections(descriptor_limit_.soft),
      .replicas =
          std::accumulate(snapshot_->upstreams.begin(), snapshot_->upstreams.end(), uint64_t{0},
                          [](uint64_t sum, const routing::Upstream& upstream) {
                            return sum + upstream.replicas.size();
                          }),
      .workers = worker_count(),
      .shared_store = shared_store_ != nullptr};
  descriptors_.set(descriptor_limit_.soft, needs.sum(), worker_count());
}

void Server::publish() {
  snapshot_ = make_snapshot();
  allot_descriptors();
  health_.watch(*snapshot_);
  drains_.watch(snapshot_->upstreams);
  for (const auto& worker : workers_)
    worker->use(snapshot_);
}

void Server::reopen_logs() {
  log_files_.reopen();
  pass_on(SIGUSR1);
}

// The last that writes to a log which is no longer wanted may be a websocket that stays for hours.
void Server::on_log_look() {
  if (!log_files_.close_others(settings_.log)) log_look_.start(log_look_interval);
}

void Server::learn(std::vector<routing::Moved> moved) {
  for (const routing::Moved& each : moved)
    node_bindings_.learn(each);
  const auto shared = std::make_shared<const std::vector<routing::Moved>>(std::move(moved));
  for (const auto& worker : workers_)
    worker->learn(shared);
}

void Server::bring_home(const std::string& client, const std::string& replica_id) {
  for (const auto& worker : workers_)
    worker->bring_home(client, replica_id);
}

void Server::doubt_bindings() {
  node_bindings_.doubt();
  for (const auto& worker : workers_)
    worker->doubt_bindings();
}

// On any worker's thread: they are all there before one runs, and until none does.
proxy::StubStatus Server::stub_status() const {
  proxy::StubStatus status;
  for (const auto& worker : workers_)
    status.add(worker->counters());
  return status;
}

// They may look at each other: they are all there before one runs, and until none does.
void Server::make_room(proxy::Worker& asker) const {
  const auto& from = *std::ranges::max_element(workers_, {}, &proxy::Worker::idle_count);
  const bool flooded = !descriptors_.has_room() && from->idle_count() > few_idle;
  const Duration grace = flooded ? Duration(0) : first_request_grace;
  if (from->idle_since() > clock_.now() - grace) return;
  from.get() == &asker ? asker.close_idle() : from->order_room();
}

}  // namespace usher::control
