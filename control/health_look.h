// One look at one replica: asks whether it is ready; and where that is not answered well, or late,
// whether it lives. What it answers is a Finding.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "conf/settings.h"
#include "control/health_judge.h"
#include "control/probe.h"
#include "net/loop.h"
#include "net/timer.h"
#include "routing/replica.h"
#include "tls/client_context.h"

namespace usher::control {

// Where it is asked, and how.
struct LookedAt {
  routing::Replica replica;
  std::string host;
  conf::HealthSettings settings;
  std::shared_ptr<const tls::ClientContext> tls;  // of its upstream

  std::unique_ptr<Probe> ask(net::Loop& loop, Probe::Question question, Probe::Asker& asker) const;
};

class HealthLook final {
 public:
  // Nothing: the question could not be asked, and nothing is known of the replica.
  using Found = std::function<void(std::optional<Finding>)>;

  HealthLook(net::Loop& loop, const LookedAt& at, Found found);

  // Answers once, in a later turn. Not while it is under way.
  void start();
  bool under_way() const { return ready_.open() || life_.open(); }
  // It may know a path by now that it did not know before.
  void forget_paths() { knows_path_ = true; }

 private:
  class Question final : private Probe::Asker {
   public:
    explicit Question(HealthLook& look) : look_(look) {}
    ~Question() { close(); }
    void ask(Probe::Question question);
    void close();
    void forget();
    bool asked() const { return asked_; }
    bool open() const { return probe_ != nullptr; }
    const ProbeAnswer* answer() const { return answer_ ? &*answer_ : nullptr; }

   private:
    void on_probe_answer(ProbeAnswer answer) override;

    HealthLook& look_;
    std::unique_ptr<Probe> probe_;
    std::optional<ProbeAnswer> answer_;
    bool asked_ = false;
  };

  void ask_life(std::chrono::milliseconds timeout);
  void on_late();
  void on_answer();
  bool decides(const ProbeAnswer& ready) const;
  void finish();
  void explain(Finding& finding) const;

  net::Loop& loop_;
  const LookedAt& at_;
  Found found_;
  Question ready_{*this};
  Question life_{*this};
  net::Timer<&HealthLook::on_late> late_;
  bool knows_path_ = true;  // settings.path was not answered with 404
};

}  // namespace usher::control
