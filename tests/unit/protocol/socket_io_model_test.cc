// Random lives of a Socket.IO session: messages, losses, drains and refusals in any order, between
// a client and replicas that keep to the protocol. A small model of both says what they must have
// seen. SEED and STEPS in the environment repeat or lengthen a run.

#include <gtest/gtest.h>

#include <cstdlib>
#include <deque>
#include <map>
#include <random>
#include <set>
#include <string>

#include "protocol/socket_io_relay.h"

namespace usher::protocol {
namespace {

using Phase = SocketIoRelay::Phase;

constexpr std::string_view open_packet = R"(0{"sid":"a","pingInterval":25000,"pingTimeout":20000})";

std::string number_in(std::string_view text, size_t at) {
  return std::string(text.substr(at, text.find_first_not_of("0123456789", at) - at));
}

// Whole messages from bytes, strictly.
class Ear {
 public:
  explicit Ear(bool from_client) : from_client_(from_client) {}
  std::deque<std::string> hear(std::string_view bytes) {
    held_ += bytes;
    std::deque<std::string> messages;
    while (const auto header = read_frame_header(held_)) {
      const size_t size = header->size + static_cast<size_t>(header->payload);
      if (held_.size() < size) break;
      EXPECT_EQ(header->reserved, 0);
      EXPECT_EQ(header->masked, from_client_);
      if (!header->control()) {
        EXPECT_EQ(header->opcode == Opcode::continuation, !message_.empty());
        message_ += held_.substr(0, size);
        if (header->final) {
          std::string payload(message_.size(), '\0');
          payload.resize(read_payload(message_, payload));
          const bool text = (message_[0] & 0x0f) == 1;
          messages.push_back(text ? payload : "<binary>");
          message_.clear();
        }
      }
      held_.erase(0, size);
    }
    return messages;
  }

 private:
  bool from_client_;
  std::string held_;
  std::string message_;
};

class Life final : private SocketIoRelay::Ends {
 public:
  explicit Life(unsigned seed) : random_(seed) { attach(); }

  void run(int steps) {
    for (int i = 0; i < steps && !over_; ++i) {
      now_ += std::chrono::milliseconds(below(1000));
      step();
    }
    if (over_) return;
    // Peace at the end: whoever is owed something gets it.
    if (relay_.phase() == Phase::leaving) lose();
    if (over_) return;
    if (relay_.phase() == Phase::alone) attach();
    for (int i = 0; i < 20 && !over_; ++i) {
      deliver_all();
      while (!to_answer_.empty())
        answer();
    }
    if (over_) return;
    EXPECT_EQ(relay_.phase(), Phase::relaying);
    for (const auto& [id, serial] : unanswered_)
      ADD_FAILURE() << "no answer to event " << serial;
    EXPECT_EQ(relay_.session().obstacle(), "");
  }
  unsigned moves() const { return moves_; }
  bool over() const { return over_; }

 private:
  unsigned below(unsigned n) { return std::uniform_int_distribution<unsigned>(0, n - 1)(random_); }
  bool chance(unsigned percent) { return below(100) < percent; }

  void to_client(std::span<const char> frames) override {
    for (const std::string& said : client_ear_.hear({frames.data(), frames.size()}))
      client_hears(said);
  }
  void to_replica(std::span<const char> frames) override {
    ASSERT_NE(relay_.phase(), Phase::alone) << "words to nobody";
    for (std::string& said : replica_ear_.hear({frames.data(), frames.size()}))
      in_pipe_.push_back(std::move(said));
  }

  // In random pieces, and messages in random fragments.
  template <typename Feed>
  void send(std::string_view payload, bool text, bool masked, Feed feed) {
    std::string bytes;
    const size_t cut =
        chance(20) && payload.size() > 1 ? 1 + below(payload.size() - 1) : payload.size();
    bytes = make_frame(text ? Opcode::text : Opcode::binary, payload.substr(0, cut), masked);
    if (cut < payload.size()) {
      bytes[0] = static_cast<char>(bytes[0] & 0x7f);
      if (chance(30)) bytes += make_frame(Opcode::ping, "p", masked);
      bytes += make_frame(Opcode::continuation, payload.substr(cut), masked);
    }
    for (size_t at = 0; at < bytes.size();) {
      const size_t size = 1 + below(static_cast<unsigned>(bytes.size() - at));
      feed(std::string_view(bytes).substr(at, size));
      at += size;
    }
  }
  void client_says(std::string_view payload, bool text = true) {
    send(payload, text, true, [this](std::string_view piece) { relay_.from_client(piece, now_); });
    look();
  }
  void replica_says(std::string_view payload, bool text = true) {
    if (over_ || relay_.phase() == Phase::alone) return;
    send(payload, text, false,
         [this](std::string_view piece) { relay_.from_replica(piece, now_); });
    look();
  }

  void step() {
    switch (below(12)) {
      case 0:
      case 1: return client_event(chance(60), chance(50));
      case 2: return client_binary();
      case 3: return answer();
      case 4:
      case 5: return deliver();
      case 6: return deliver_all();
      case 7: return replica_event();
      case 8: return pings();
      case 9:
        if (chance(40)) lose();
        return;
      case 10:
        if (relay_.phase() == Phase::alone) attach();
        return;
      default:
        if (relay_.quiet(now_) && chance(30)) relay_.leave();
        return;
    }
  }

  void client_event(bool wants_ack, bool may_repeat) {
    const unsigned serial = ++serials_;
    const std::string id = wants_ack ? std::to_string(++ids_) : "";
    if (wants_ack) unanswered_[id] = serial;
    if (may_repeat) repeatable_.insert(serial);
    client_says("42" + id + "[\"" + (may_repeat ? "again" : "once") + "\"," +
                std::to_string(serial) + "]");
  }
  void client_binary() {
    const unsigned serial = ++serials_;
    client_says("451-[\"once\"," + std::to_string(serial) + ",{}]");
    if (!over_) client_says("attachment", false);
  }
  void answer() {
    if (to_answer_.empty()) return;
    const std::string id = to_answer_.front();
    to_answer_.pop_front();
    client_says("43" + id + "[]");
  }
  void pings() {
    if (chance(50)) {
      if (replica_connected_) {
        ++replica_pings_;
        replica_says("2");
      }
    } else if (relay_.session().opened()) {
      relay_.ping(now_);
    }
    for (; client_pings_ > 0 && !over_ && chance(80); --client_pings_)
      client_says("3");
  }
  void replica_event() {
    if (!replica_connected_) return;
    const unsigned kind = below(3);
    if (kind == 0) return replica_says("42[\"news\"]");
    if (kind == 1) {
      replica_says("451-[\"file\",{}]");
      return replica_says("attachment", false);
    }
    const std::string id = std::to_string(++replica_ids_);
    asked_by_replica_.insert(id);
    replica_says("42" + id + "[\"question\"," + std::to_string(replica_) + "]");
  }

  void deliver_all() {
    while (!in_pipe_.empty() && !over_)
      deliver();
  }
  // The replica reads one message.
  void deliver() {
    if (in_pipe_.empty()) return;
    const std::string said = in_pipe_.front();
    in_pipe_.pop_front();
    if (said == "<binary>") return;
    if (said == "3") {
      EXPECT_GT(replica_pings_, 0U) << "a pong that this replica did not ask for";
      --replica_pings_;
    } else if (said.starts_with("40")) {
      EXPECT_FALSE(replica_connected_);
      replica_connected_ = true;
      replica_says("40{\"sid\":\"s\"}");
    } else if (said.starts_with("43")) {
      EXPECT_EQ(asked_by_replica_.erase(number_in(said, 2)), 1U) << "an answer for another replica";
    } else {
      EXPECT_TRUE(replica_connected_);
      handle(said);
    }
  }
  void handle(const std::string& said) {
    const std::string id = said.starts_with("42") ? number_in(said, 2) : "";
    const auto serial = static_cast<unsigned>(std::stoul(number_in(said, said.find(',') + 1)));
    const bool again = repeatable_.contains(serial) && handled_.contains(serial);
    EXPECT_TRUE(handled_.insert(serial).second || again) << "event " << serial << " twice";
    if (!again && serial < last_handled_) {
      // Only what is said again may come out of its order.
      EXPECT_TRUE(repeatable_.contains(serial)) << "event " << serial << " out of order";
    }
    last_handled_ = std::max(last_handled_, serial);
    if (!id.empty()) replica_says("43" + id + "[]");
  }

  void client_hears(const std::string& said) {
    if (attachments_ > 0) {
      EXPECT_EQ(said, "<binary>") << "a torn event";
      --attachments_;
      return;
    }
    EXPECT_NE(said, "<binary>");
    EXPECT_FALSE(said.starts_with("41"));
    if (said.starts_with("45")) attachments_ = 1;
    if (said == "2") ++client_pings_;
    if (said.starts_with("0")) {
      EXPECT_EQ(++opens_, 1U) << "a second open packet";
    }
    if (said.starts_with("43")) {
      const bool wanted = unanswered_.erase(number_in(said, 2)) == 1;
      EXPECT_TRUE(wanted) << "an answer twice: " << said;
    }
    if (said.starts_with("42") && said.find("question") != std::string::npos) {
      to_answer_.push_back(number_in(said, 2));
    }
  }

  void attach() {
    ++replica_;
    replica_connected_ = false;
    replica_pings_ = replica_ids_ = 0;
    asked_by_replica_.clear();
    in_pipe_.clear();
    replica_ear_ = Ear(true);
    if (replica_ == 1) {
      replica_says_open();
      client_says("40{\"token\":1}");
      deliver_all();
      return;
    }
    ++moves_;
    relay_.join_replica();
    replica_says_open();
    if (chance(80)) deliver_all();
  }
  void replica_says_open() {
    send(open_packet, true, false,
         [this](std::string_view piece) { relay_.from_replica(piece, now_); });
    look();
  }

  // The replica dies; what it had not read is gone, and so is what it was just saying.
  void lose() {
    if (relay_.phase() == Phase::alone) return;
    if (chance(30) && replica_connected_) {
      const std::string begun = make_frame(Opcode::text, "451-[\"file\",{}]", false);
      relay_.from_replica(
          std::string_view(begun).substr(0, 1 + below(static_cast<unsigned>(begun.size()))), now_);
    }
    in_pipe_.clear();
    if (!relay_.obstacle().empty()) {
      over_ = true;
      return;
    }
    relay_.lose_replica();
    replica_connected_ = false;
  }
  // The client would get Close 1012.
  void look() { over_ = over_ || relay_.refused() || relay_.fault().has_value(); }

  std::minstd_rand random_;
  MonotonicTime now_{std::chrono::hours(1)};
  bool over_ = false;
  unsigned moves_ = 0;

  // The client.
  Ear client_ear_{false};
  unsigned serials_ = 0;
  unsigned ids_ = 0;
  unsigned opens_ = 0;
  unsigned client_pings_ = 0;
  unsigned attachments_ = 0;
  std::map<std::string, unsigned> unanswered_;
  std::set<unsigned> repeatable_;
  std::deque<std::string> to_answer_;

  // The replicas, one after the other.
  Ear replica_ear_{true};
  unsigned replica_ = 0;
  bool replica_connected_ = false;
  unsigned replica_pings_ = 0;
  unsigned replica_ids_ = 0;
  std::deque<std::string> in_pipe_;
  std::set<std::string> asked_by_replica_;
  std::set<unsigned> handled_;
  unsigned last_handled_ = 0;

  SocketIoRelay relay_{
      *this, std::make_shared<const std::vector<std::string>>(std::vector<std::string>{"again"})};
};

unsigned from_environment(const char* name, unsigned usual) {
  const char* const text = std::getenv(name);
  return text ? static_cast<unsigned>(std::strtoul(text, nullptr, 10)) : usual;
}

TEST(SocketIoModel, WhateverHappensNothingIsDoneTwiceOrLostSilently) {
  const unsigned first = from_environment("SEED", 1);
  const unsigned lives = from_environment("LIVES", 3000);
  unsigned moves = 0;
  unsigned to_the_end = 0;
  for (unsigned seed = first; seed < first + lives && !testing::Test::HasFailure(); ++seed) {
    SCOPED_TRACE("SEED=" + std::to_string(seed));
    Life life(seed);
    life.run(60);
    moves += life.moves();
    to_the_end += life.over() ? 0 : 1;
  }
  if (lives < 1000) return;
  EXPECT_GT(moves, lives / 2) << "it must not be that nothing ever happens";
  EXPECT_GT(to_the_end, lives / 10);
}

}  // namespace
}  // namespace usher::protocol
