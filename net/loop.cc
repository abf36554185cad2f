#include "net/loop.h"

#include <event2/event.h>
#include <event2/event_struct.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>

#include <algorithm>
#include <cstdlib>

#include "net/stream.h"

namespace usher::net {
namespace {

constexpr size_t scratch_size = 64 * 1024;
constexpr size_t largest_spare = 32 * 1024;
constexpr size_t most_spares = 32;
constexpr int breaks_per_turn = 64;

event_base* make_base() {
  event_config* config = event_config_new();
  // Only this thread touches the base; the mailbox has its own lock.
  event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK);
  event_config_set_flag(config, EVENT_BASE_FLAG_IGNORE_ENV);
  event_config_require_features(config, EV_FEATURE_ET | EV_FEATURE_EARLY_CLOSE);
  event_base* base = event_base_new_with_config(config);
  event_config_free(config);
  if (!base) std::abort();  // no epoll: nothing can be served
  return base;
}

}  // namespace

struct Loop::Events {
  event mail;
  event turn_end;
  event next_turn;
  event breaks;
};

Loop::Loop()
    : base_(make_base()),
      events_(std::make_unique<Events>()),
      scratch_(scratch_size),
      breaks_fd_(::epoll_create1(EPOLL_CLOEXEC)),
      mail_fd_(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
  if (!breaks_fd_.valid() || !mail_fd_.valid()) std::abort();
  event_assign(
      &events_->mail, base_, mail_fd_.get(), EV_READ | EV_PERSIST,
      [](evutil_socket_t, short, void* self) { static_cast<Loop*>(self)->on_mail(); }, this);
  event_assign(
      &events_->turn_end, base_, -1, 0,
      [](evutil_socket_t, short, void* self) { static_cast<Loop*>(self)->on_turn_end(); }, this);
  event_assign(
      &events_->next_turn, base_, -1, 0,
      [](evutil_socket_t, short, void* self) { static_cast<Loop*>(self)->on_next_turn(); }, this);
  event_assign(
      &events_->breaks, base_, breaks_fd_.get(), EV_READ | EV_PERSIST,
      [](evutil_socket_t, short, void* self) { static_cast<Loop*>(self)->on_breaks(); }, this);
  event_add(&events_->mail, nullptr);
  event_add(&events_->breaks, nullptr);
}

Loop::~Loop() {
  free_buried();
  event_del(&events_->mail);
  event_del(&events_->breaks);
  event_del(&events_->turn_end);
  event_del(&events_->next_turn);
  event_base_free(base_);
}

void Loop::run() { event_base_loop(base_, EVLOOP_NO_EXIT_ON_EMPTY); }

void Loop::run_ready() { event_base_loop(base_, EVLOOP_NONBLOCK); }

void Loop::stop() {
  post([this] { event_base_loopbreak(base_); });
}

void Loop::later(std::function<void()> work) {
  later_.push_back(std::move(work));
  constexpr timeval now{0, 0};
  if (!event_pending(&events_->next_turn, EV_TIMEOUT, nullptr))
    event_add(&events_->next_turn, &now);
}

void Loop::post(std::function<void()> work) {
  bool first = false;
  {
    const std::lock_guard lock(mail_mutex_);
    first = mail_.empty();
    mail_.push_back(std::move(work));
  }
  if (first) ::eventfd_write(mail_fd_.get(), 1);
}

void Loop::bury(std::unique_ptr<Mortal> dead) {
  dead_.push_back(std::move(dead));
  event_active(&events_->turn_end, EV_TIMEOUT, 0);
}

MonotonicTime Loop::now() { return std::chrono::steady_clock::now(); }

std::string Loop::borrow_buffer() {
  std::string buffer;
  if (spare_buffers_.empty()) {
    buffer.reserve(buffer_size);
  } else {
    buffer = std::move(spare_buffers_.back());
    spare_buffers_.pop_back();
  }
  return buffer;
}

void Loop::give_back(std::string buffer) {
  const bool handy = buffer.capacity() >= buffer_size && buffer.capacity() <= largest_spare;
  if (!handy || spare_buffers_.size() >= most_spares) return;
  buffer.clear();
  spare_buffers_.push_back(std::move(buffer));
}

void Loop::at_turn_end(TurnEnd& who) {
  if (flushing_.empty()) event_active(&events_->turn_end, EV_TIMEOUT, 0);
  flushing_.push_back(&who);
}

void Loop::forget(TurnEnd& who) {
  std::replace(flushing_.begin(), flushing_.end(), &who, static_cast<TurnEnd*>(nullptr));
}

void Loop::at_next_turn(Stream& stream) {
  continuing_.push_back(&stream);
  constexpr timeval now{0, 0};
  if (!event_pending(&events_->next_turn, EV_TIMEOUT, nullptr))
    event_add(&events_->next_turn, &now);
}

void Loop::forget(Stream& stream) {
  forget(static_cast<TurnEnd&>(stream));
  std::replace(continuing_.begin(), continuing_.end(), &stream, static_cast<Stream*>(nullptr));
}

bool Loop::watch_for_breaks(int fd, Stream& stream) {
  // EPOLLERR and EPOLLHUP come unasked.
  epoll_event wanted{.events = EPOLLET, .data = {.ptr = &stream}};
  return ::epoll_ctl(breaks_fd_.get(), EPOLL_CTL_ADD, fd, &wanted) == 0;
}

void Loop::on_breaks() {
  // One at a time: what one of them closes is not reported any more.
  epoll_event broken{};
  for (int i = 0; i < breaks_per_turn; ++i) {
    if (::epoll_wait(breaks_fd_.get(), &broken, 1, 0) != 1) return;
    static_cast<Stream*>(broken.data.ptr)->on_broken();
  }
}

void Loop::on_turn_end() {
  // Flushing may make others write: the list grows while it is walked.
  for (size_t i = 0; i < flushing_.size(); ++i) {
    if (flushing_[i]) flushing_[i]->on_turn_end();
  }
  flushing_.clear();
  free_buried();
}

void Loop::free_buried() {
  while (!dead_.empty()) {
    const std::vector<std::unique_ptr<Mortal>> dead = std::exchange(dead_, {});
  }
}

void Loop::on_next_turn() {
  const std::vector<std::function<void()>> work = std::exchange(later_, {});
  for (const auto& run : work)
    run();
  std::vector<Stream*> streams = std::exchange(continuing_, {});
  // A stream that is closed meanwhile stays in memory until the end of the turn: close() only marks
  // it.
  for (Stream* stream : streams) {
    if (stream) stream->on_continue();
  }
}

void Loop::on_mail() {
  eventfd_t count = 0;
  ::eventfd_read(mail_fd_.get(), &count);
  std::vector<std::function<void()>> mail;
  {
    const std::lock_guard lock(mail_mutex_);
    mail.swap(mail_);
  }
  for (const auto& run : mail)
    run();
}

}  // namespace usher::net
