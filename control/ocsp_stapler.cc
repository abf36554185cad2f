#include "control/ocsp_stapler.h"

#include <algorithm>
#include <utility>

#include "base/pending.h"
#include "base/strings.h"
#include "control/probe.h"
#include "net/system_resolver.h"
#include "net/timer.h"
#include "tls/ocsp.h"

namespace usher::control {
namespace {

using namespace std::chrono_literals;

constexpr Duration answer_limit = 10s;
constexpr size_t most_answer = 64 * 1024;
// An answer is replaced when half of its time is over; a responder that fails is asked again after
// a minute at first.
constexpr Duration soonest = 60s;
constexpr Duration latest = 12h;

struct Place {
  std::string host;
  uint16_t port = 80;
  std::string authority;
  std::string path;
};

// "http://host[:port][/path]".
std::optional<Place> place_of(std::string_view url) {
  constexpr std::string_view scheme = "http://";
  if (!url.starts_with(scheme)) return std::nullopt;
  url.remove_prefix(scheme.size());
  const size_t slash = std::min(url.find('/'), url.size());
  Place place;
  place.authority = url.substr(0, slash);
  place.path = slash < url.size() ? std::string(url.substr(slash)) : "/";
  const auto [host, port] = cut(place.authority, ':');
  place.host = host;
  if (port) {
    const auto number = parse_decimal<uint16_t>(*port);
    if (!number) return std::nullopt;
    place.port = *number;
  }
  const bool clean = std::ranges::all_of(url, [](char c) { return c > ' ' && c < 0x7f; });
  if (place.host.empty() || !clean) return std::nullopt;
  return place;
}

}  // namespace

class OcspStapler::Watched final : private Probe::Asker {
 public:
  Watched(OcspStapler& owner, std::shared_ptr<const tls::Credential> credential,
          tls::OcspQuestion question, Place place)
      : owner_(owner),
        credential_(std::move(credential)),
        question_(std::move(question)),
        place_(std::move(place)),
        again_(owner.loop_, *this),
        show_(owner.loop_, *this) {
    again_.start(0ms);
  }
  ~Watched() { bury_probe(); }

  bool is_of(const tls::Credential& credential) const {
    return credential_->has_same_certificate(credential);
  }
  // The same certificate, read again. What is known of it is shown with this one, too.
  void follow(std::shared_ptr<const tls::Credential> credential) {
    const bool knows = credential->staple() == (answer_ ? answer_->der : std::string());
    credential_ = std::move(credential);
    if (!knows) show_.start(0ms);
  }

 private:
  void ask() {
    if (answer_ && owner_.clock_.wall() >= answer_->next_update) {
      answer_.reset();
      owner_.staple_(*credential_, {});
    }
    resolving_ = owner_.resolver().resolve(
        place_.host, place_.port, [this](Result<std::vector<SocketAddress>> addresses) {
          if (!addresses) return fail(addresses.error().detail);
          Probe::Asker& asker = *this;
          Probe::Question question{.path = place_.path,
                                   .timeout = answer_limit,
                                   .most_body = most_answer,
                                   .body = question_.body,
                                   .content_type = "application/ocsp-request"};
          // Of several addresses another one each time.
          const SocketAddress& address = (*addresses)[failures_ % addresses->size()];
          probe_ = std::make_unique<Probe>(owner_.loop_, place_.authority, address,
                                           net::make_plain_transport(), std::move(question), asker);
        });
  }

  void on_probe_answer(ProbeAnswer answer) override {
    bury_probe();
    if (answer.status != 200) return fail(answer.reason);
    auto checked = tls::check_ocsp_answer(*credential_, answer.body);
    if (!checked) return fail(checked.error().detail);
    if (std::exchange(failures_, 0) > 0)
      owner_.log_.info("ocsp_answered", {{"responder", question_.url}});
    answer_ = std::move(*checked);
    again_.start(std::clamp<Duration>(left() / 2, soonest, latest));
    show();
  }

  // A new answer is got long before the old one is over; with less than that it is asked for again
  // when it is over, and no longer shown.
  void fail(const std::string& why) {
    if (failures_++ == 0) {
      owner_.log_.warning(
          "ocsp_failed",
          {{"responder", question_.url}, {"certificate", credential_->origin()}, {"reason", why}});
    }
    Duration pause = std::min<Duration>(soonest * (1 << std::min(failures_ - 1, 6u)), 1h);
    if (answer_) pause = std::clamp<Duration>(left(), 1ms, pause);
    again_.start(pause);
  }

  void show() { owner_.staple_(*credential_, answer_ ? answer_->der : std::string()); }

  Duration left() const {
    return std::chrono::duration_cast<Duration>(answer_->next_update - owner_.clock_.wall());
  }

  void bury_probe() {
    if (!probe_) return;
    probe_->close();
    owner_.loop_.bury(std::move(probe_));
  }

  OcspStapler& owner_;
  std::shared_ptr<const tls::Credential> credential_;
  tls::OcspQuestion question_;
  Place place_;
  Pending resolving_;
  std::unique_ptr<Probe> probe_;
  net::Timer<&Watched::ask> again_;
  net::Timer<&Watched::show> show_;
  std::optional<tls::OcspAnswer> answer_;  // that is shown
  unsigned failures_ = 0;                  // in a row
};

OcspStapler::OcspStapler(net::Loop& loop, const Clock& clock, const Log& log, Staple staple)
    : loop_(loop), clock_(clock), log_(log), staple_(std::move(staple)) {}

OcspStapler::~OcspStapler() = default;

net::Resolver& OcspStapler::resolver() {
  if (!resolver_) resolver_ = std::make_unique<net::SystemResolver>(loop_);
  return *resolver_;
}

void OcspStapler::watch(const tls::Credentials& credentials) {
  std::vector<std::unique_ptr<Watched>> next;
  for (const auto& credential : credentials) {
    const auto known = std::ranges::find_if(
        watched_, [&](const auto& each) { return each && each->is_of(*credential); });
    if (known != watched_.end()) {
      (*known)->follow(credential);
      next.push_back(std::move(*known));
      continue;
    }
    auto question = tls::make_ocsp_question(*credential);
    if (!question) continue;
    auto place = place_of(question->url);
    if (!place) continue;
    next.push_back(
        std::make_unique<Watched>(*this, credential, std::move(*question), std::move(*place)));
  }
  watched_ = std::move(next);
}

}  // namespace usher::control
