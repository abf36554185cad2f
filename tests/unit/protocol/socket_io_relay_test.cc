#include "protocol/socket_io_relay.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace usher::protocol {
namespace {

using Phase = SocketIoRelay::Phase;
using namespace std::chrono_literals;

constexpr std::string_view open_packet =
    R"(0{"sid":"a","upgrades":[],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000})";

// The payloads of frames, in order; "<close>", "<ping>", "<pong>" for control frames.
std::vector<std::string> words(std::string_view bytes) {
  std::vector<std::string> said;
  while (const auto header = read_frame_header(bytes)) {
    const size_t size = header->size + static_cast<size_t>(header->payload);
    const auto frame = bytes.substr(0, size);
    if (header->opcode == Opcode::close) {
      said.push_back("<close>");
    } else if (header->control()) {
      said.push_back(header->opcode == Opcode::ping ? "<ping>" : "<pong>");
    } else {
      std::string payload(size, '\0');
      payload.resize(read_payload(frame, payload));
      said.push_back(payload);
    }
    bytes.remove_prefix(size);
  }
  return said;
}

using Words = std::vector<std::string>;

// A relay between a client and a replica that say what the test says.
class Scene final : private SocketIoRelay::Ends {
 public:
  // `open`: up to the replica's answer to the CONNECT.
  explicit Scene(bool open = true) {
    if (!open) return;
    replica(open_packet), client("40{\"token\":1}"), replica("40{\"sid\":\"x\"}"), heard();
  }

  void client(std::string_view text) { client_frames(make_frame(Opcode::text, text, true)); }
  void client_frames(std::string_view frames) { relay.from_client(frames, now); }
  void replica(std::string_view text) { replica_frames(make_frame(Opcode::text, text, false)); }
  void replica_frames(std::string_view frames) { relay.from_replica(frames, now); }
  // The next replica, up to its answer to the CONNECT.
  void join() {
    relay.join_replica();
    replica(open_packet);
    replica("40{\"sid\":\"y\"}");
  }
  struct Heard {
    Words client;
    Words replica;
  };
  Heard heard() {
    return {words(std::exchange(to_client_, {})), words(std::exchange(to_replica_, {}))};
  }

  SocketIoSession::Replayable replayable =
      std::make_shared<const std::vector<std::string>>(std::vector<std::string>{"user-join"});
  SocketIoRelay relay{*this, replayable};
  MonotonicTime now{1h};

 private:
  void to_client(std::span<const char> frames) override {
    to_client_.append(frames.data(), frames.size());
  }
  void to_replica(std::span<const char> frames) override {
    to_replica_.append(frames.data(), frames.size());
  }
  std::string to_client_;
  std::string to_replica_;
};

TEST(SocketIoRelay, PassesOnWhatBothSay) {
  Scene scene;
  scene.client("42[\"hello\"]");
  scene.replica("42[\"world\"]");
  const auto heard = scene.heard();
  EXPECT_EQ(heard.replica, Words{"42[\"hello\"]"});
  EXPECT_EQ(heard.client, Words{"42[\"world\"]"});
}

TEST(SocketIoRelay, OpensTheSessionAgainAndTheClientHearsOnlyOfTheNewSid) {
  Scene scene;
  scene.client("40/admin,{\"a\":1}");
  scene.replica("40/admin,{\"sid\":\"z\"}");
  scene.heard();
  ASSERT_EQ(scene.relay.obstacle(), "");
  scene.relay.lose_replica();
  scene.client("42[\"meanwhile\"]");
  EXPECT_EQ(scene.relay.phase(), Phase::alone);
  scene.relay.join_replica();
  EXPECT_TRUE(scene.heard().replica.empty());
  scene.replica(open_packet);
  auto heard = scene.heard();
  EXPECT_EQ(heard.replica, (Words{"40{\"token\":1}", "40/admin,{\"a\":1}"}));
  EXPECT_TRUE(heard.client.empty());
  scene.replica("40{\"sid\":\"y\"}");
  EXPECT_EQ(scene.relay.phase(), Phase::joining);
  scene.replica("40/admin,{\"sid\":\"y\"}");
  EXPECT_EQ(scene.relay.phase(), Phase::relaying);
  heard = scene.heard();
  EXPECT_EQ(heard.client, (Words{"40{\"sid\":\"y\"}", "40/admin,{\"sid\":\"y\"}"}));
  EXPECT_EQ(heard.replica, Words{"42[\"meanwhile\"]"});
}

TEST(SocketIoRelay, OpensElsewhereWhatItsFirstReplicaHadNotOpened) {
  Scene scene(false);
  scene.client("40{\"token\":1}");
  EXPECT_EQ(scene.heard().replica, Words{"40{\"token\":1}"});
  EXPECT_EQ(scene.relay.obstacle(), "");
  scene.relay.lose_replica();
  EXPECT_EQ(scene.relay.ping_due(), MonotonicTime::max()) << "it knows of no interval yet";
  scene.relay.join_replica();
  scene.replica(open_packet);
  const Scene::Heard heard = scene.heard();
  EXPECT_EQ(heard.client, Words{std::string(open_packet)});
  EXPECT_EQ(heard.replica, Words{"40{\"token\":1}"});
  scene.replica("40{\"sid\":\"y\"}");
  EXPECT_EQ(scene.relay.phase(), Phase::relaying);
}

TEST(SocketIoRelay, SaysAgainOnlyWhatMayBeSaidTwice) {
  Scene scene;
  scene.client("421[\"user-join\",{}]");
  EXPECT_EQ(scene.relay.obstacle(), "");
  scene.heard();
  scene.relay.lose_replica();
  scene.client("42[\"later\"]");
  scene.join();
  EXPECT_EQ(scene.heard().replica,
            (Words{"40{\"token\":1}", "421[\"user-join\",{}]", "42[\"later\"]"}));
  EXPECT_EQ(scene.relay.replayed(), 1U);
  scene.replica("431[]");
  EXPECT_EQ(scene.heard().client.back(), "431[]");

  scene.client("422[\"pay\",100]");
  EXPECT_NE(scene.relay.obstacle(), "");
  scene.replica("432[]");
  EXPECT_EQ(scene.relay.obstacle(), "");
}

TEST(SocketIoRelay, KeepsAnAnswerForAFormerReplicaFromTheNewOne) {
  Scene scene;
  scene.replica("427[\"confirm\"]");
  scene.relay.lose_replica();
  scene.join();
  scene.heard();
  scene.client("437[true]");
  EXPECT_TRUE(scene.heard().replica.empty());
  scene.replica("427[\"confirm\"]");
  scene.client("437[true]");
  EXPECT_EQ(scene.heard().replica, Words{"437[true]"});
}

TEST(SocketIoRelay, EndsRatherThanTakeOneAnswerForAnother) {
  Scene scene;
  scene.replica("421[\"confirm\"]");
  scene.relay.lose_replica();
  scene.join();
  scene.replica("421[\"confirm\"]");
  EXPECT_TRUE(scene.relay.refused());
}

TEST(SocketIoRelay, RespectsADisconnectOfTheClients) {
  Scene scene;
  scene.client("40/admin,");
  scene.replica("40/admin,{}");
  scene.relay.lose_replica();
  scene.heard();
  scene.client("41/admin,");
  scene.join();
  EXPECT_EQ(scene.heard().replica, Words{"40{\"token\":1}"});
  scene.client("41");
  scene.relay.lose_replica();
  scene.heard();
  scene.relay.join_replica();
  scene.replica(open_packet);
  EXPECT_TRUE(scene.heard().replica.empty());
  EXPECT_EQ(scene.relay.phase(), Phase::relaying);
}

TEST(SocketIoRelay, EndsWhenTheNewReplicaRefusesTheClient) {
  Scene scene;
  scene.relay.lose_replica();
  scene.relay.join_replica();
  scene.replica(open_packet);
  scene.heard();
  scene.replica("44{\"message\":\"expired\"}");
  EXPECT_TRUE(scene.relay.refused());
  EXPECT_TRUE(scene.heard().client.empty());
}

TEST(SocketIoRelay, AnswersForEachPingWhoAskedForIt) {
  Scene scene;
  scene.replica("2");
  scene.relay.lose_replica();
  scene.relay.ping(scene.now);
  scene.join();
  scene.replica("2");
  scene.heard();
  for (int i = 0; i < 3; ++i)
    scene.client("3");
  EXPECT_EQ(scene.heard().replica, Words{"3"}) << "the pong for its own ping";
}

TEST(SocketIoRelay, PingsWhenNobodyElseDoes) {
  Scene scene;
  scene.replica("2");
  EXPECT_EQ(scene.relay.ping_due(), scene.now + 35s) << "the replica has the first word";
  scene.relay.lose_replica();
  EXPECT_EQ(scene.relay.ping_due(), scene.now + 25s);
  scene.now += 25s;
  scene.relay.ping(scene.now);
  EXPECT_EQ(scene.relay.ping_due(), scene.now + 25s);
  EXPECT_EQ(scene.relay.session().client_silent_at(), scene.now + 20s);
}

TEST(SocketIoRelay, ACloseThatPromisesAReturnIsALossAndAnyOtherIsTheEnd) {
  for (const uint16_t code : {1001, 1012}) {
    Scene scene;
    scene.replica_frames(make_close_frame(code, "", false));
    EXPECT_TRUE(scene.relay.lost()) << code;
    EXPECT_TRUE(scene.heard().client.empty());
  }
  for (const uint16_t code : {1000, 1002, 1008, 1011, 4001}) {
    Scene scene;
    scene.replica_frames(make_close_frame(code, "", false));
    EXPECT_FALSE(scene.relay.lost()) << code;
    EXPECT_TRUE(scene.relay.over());
    EXPECT_EQ(scene.heard().client, Words{"<close>"});
  }
}

TEST(SocketIoRelay, TheFirstCloseSaysWhoEndedItAndNothingFollowsEither) {
  for (const Side first : {Side::client, Side::replica}) {
    Scene scene;
    const auto close = [&](Side side) {
      const std::string frame = make_close_frame(1000, "", side == Side::client);
      side == Side::client ? scene.client_frames(frame) : scene.replica_frames(frame);
    };
    close(first);
    close(first == Side::client ? Side::replica : Side::client);
    EXPECT_EQ(scene.relay.closed_by(), first);
    scene.client("42[\"late\"]");
    scene.replica("42[\"late\"]");
    const auto heard = scene.heard();
    EXPECT_EQ(heard.client, Words{"<close>"});
    EXPECT_EQ(heard.replica, Words{"<close>"});
    EXPECT_FALSE(scene.relay.lost());
  }
}

TEST(SocketIoRelay, LeavesAReplicaThatIsWellInOrder) {
  Scene scene;
  EXPECT_FALSE(scene.relay.quiet(scene.now - 1s));
  EXPECT_TRUE(scene.relay.quiet(scene.now));
  scene.replica("2");
  scene.heard();
  scene.relay.leave();
  scene.client("3");  // too late for who asked, and nobody else's
  scene.client("42[\"next\"]");
  scene.replica("42[\"last words\"]");
  const auto heard = scene.heard();
  EXPECT_EQ(heard.replica, Words{"<close>"});
  EXPECT_EQ(heard.client, Words{"42[\"last words\"]"});
  scene.replica_frames(make_close_frame(1001, "", false));
  EXPECT_TRUE(scene.relay.lost());
  scene.relay.lose_replica();
  scene.join();
  EXPECT_EQ(scene.heard().replica, (Words{"40{\"token\":1}", "42[\"next\"]"}));
}

TEST(SocketIoRelay, TearsNoPacketAndForgetsWhatTheReplicaBegan) {
  Scene scene;
  const std::string binary_event = make_frame(Opcode::text, "451-[\"file\",{}]", false);
  scene.replica_frames(binary_event);
  EXPECT_TRUE(scene.heard().client.empty());
  EXPECT_EQ(scene.relay.obstacle(), "");
  scene.relay.lose_replica();
  scene.join();
  EXPECT_EQ(scene.heard().client, Words{"40{\"sid\":\"y\"}"});

  const std::string frame = make_frame(Opcode::text, "42[\"" + std::string(100'000, 'x'), false);
  scene.replica_frames(std::string_view(frame).substr(0, 70'000));
  EXPECT_NE(scene.relay.obstacle(), "");
}

TEST(SocketIoRelay, HoldsALongMessageBackUntilThereIsAReplica) {
  Scene scene;
  scene.relay.lose_replica();
  const std::string payload = "42[\"" + std::string(200'000, 'x') + "\"]";
  const std::string frame = make_frame(Opcode::text, payload, true);
  scene.client_frames(std::string_view(frame).substr(0, 100'000));
  EXPECT_TRUE(scene.relay.full());
  scene.join();
  EXPECT_FALSE(scene.relay.full());
  scene.client_frames(std::string_view(frame).substr(100'000));
  EXPECT_EQ(scene.heard().replica.back(), payload);
}

TEST(SocketIoRelay, EachSideIsHeldToTheProtocol) {
  Scene scene;
  scene.client_frames(make_frame(Opcode::text, "2", false));
  EXPECT_EQ(scene.relay.fault(), Side::client);
  Scene other;
  other.replica_frames(make_frame(Opcode::text, "2", true));
  EXPECT_EQ(other.relay.fault(), Side::replica);
}

TEST(SocketIoRelay, RemembersABoundedNumberOfThings) {
  Scene acks;
  for (size_t i = 0; i <= SocketIoSession::most_outstanding; ++i)
    acks.client("42" + std::to_string(i) + "[\"user-join\"]");
  EXPECT_NE(acks.relay.obstacle(), "");
  Scene namespaces;
  for (size_t i = 0; i <= SocketIoSession::most_namespaces; ++i)
    namespaces.client("40/n" + std::to_string(i) + ",");
  EXPECT_NE(namespaces.relay.obstacle(), "");
  Scene large;
  large.client("40{\"token\":\"" + std::string(SocketIoSession::most_connect, 'x') + "\"}");
  EXPECT_NE(large.relay.obstacle(), "");
}

}  // namespace
}  // namespace usher::protocol
