// Do the clients of these websockets still live where the websockets lead? Asked of the store when
// announcements of moves may have been missed, or came before the websocket; at a pace, for a node
// may carry thousands.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/pending.h"
#include "net/loop.h"
#include "net/timer.h"
#include "routing/session_directory.h"

namespace usher::proxy {

class HomeCheck final {
 public:
  struct Resident {
    std::string client;
    routing::Binding home;  // when its websocket was opened
  };
  using OnMoved = std::function<void(const std::string& client, const std::string& replica_id)>;

  HomeCheck(net::Loop& loop, routing::SessionDirectory& sessions, OnMoved on_moved)
      : sessions_(sessions), on_moved_(std::move(on_moved)), tick_(loop, *this) {}

  // Drops what is left of an earlier check.
  void start(std::vector<Resident> residents);
  // One more, at once if nobody is being asked about.
  void add(Resident resident);

 private:
  static constexpr size_t each_tick = 20;
  static constexpr std::chrono::milliseconds between_ticks{20};
  static constexpr std::chrono::milliseconds without_store{500};  // until it is tried again

  void on_tick();
  void on_answer(size_t index, const Result<std::optional<routing::Binding>>& answer);

  routing::SessionDirectory& sessions_;
  OnMoved on_moved_;
  std::vector<Resident> residents_;
  size_t next_ = 0;  // to be asked about
  size_t unanswered_ = 0;
  bool failed_ = false;             // one of those of this tick; they are asked about again
  std::vector<Pending> questions_;  // of this tick
  net::Timer<&HomeCheck::on_tick> tick_;
};

}  // namespace usher::proxy
