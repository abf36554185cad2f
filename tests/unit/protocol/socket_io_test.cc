#include "protocol/socket_io.h"

#include <gtest/gtest.h>

#include <string>

namespace usher::protocol {
namespace {

using enum SocketIoType;

struct Read {
  std::string_view text;
  SocketIoType type;
  uint32_t attachments;
  std::string_view name_space;
  std::optional<uint64_t> ack_id;
  std::string_view event;
};

TEST(SocketIo, ReadsTheBeginningOfEveryKindOfPacket) {
  const std::string long_name(300, 'n');
  const std::string long_event = "2[\"" + long_name;
  const Read table[] = {
      {"0", connect, 0, "/", {}, ""},
      {R"(0{"token":"a"})", connect, 0, "/", {}, ""},
      {R"(0/admin,{"token":"a"})", connect, 0, "/admin", {}, ""},
      {"0/admin?x=1,", connect, 0, "/admin", {}, ""},
      {"0/admin", connect, 0, "/admin", {}, ""},
      {"1", disconnect, 0, "/", {}, ""},
      {"1/admin,", disconnect, 0, "/admin", {}, ""},
      {R"(2["user-join",{"auth":{}}])", event, 0, "/", {}, "user-join"},
      {R"(213["echo",1])", event, 0, "/", 13, "echo"},
      {R"(2/admin,7["echo"])", event, 0, "/admin", 7, "echo"},
      {R"(2["a\"b",1])", event, 0, "/", {}, R"(a\"b)"},
      {R"(2[1,2])", event, 0, "/", {}, ""},
      {R"(2["cut)", event, 0, "/", {}, ""},
      {R"(2["cut\)", event, 0, "/", {}, ""},
      {long_event, event, 0, "/", {}, ""},
      {"318446744073709551615[]", ack, 0, "/", 18446744073709551615U, ""},
      {R"(4{"message":"no"})", connect_error, 0, "/", {}, ""},
      {R"(52-["file",{"_placeholder":true,"num":0}])", binary_event, 2, "/", {}, "file"},
      {R"(51-/admin,12["file"])", binary_event, 1, "/admin", 12, "file"},
      {"61-/admin,12[]", binary_ack, 1, "/admin", 12, ""},
  };
  for (const Read& each : table) {
    const auto read = read_socket_io(each.text);
    ASSERT_TRUE(read) << each.text;
    EXPECT_EQ(read->type, each.type) << each.text;
    EXPECT_EQ(read->attachments, each.attachments) << each.text;
    EXPECT_EQ(read->name_space, each.name_space) << each.text;
    EXPECT_EQ(read->ack_id, each.ack_id) << each.text;
    EXPECT_EQ(read->event, each.event) << each.text;
  }
}

TEST(SocketIo, ReadsNothingElse) {
  const std::string endless = "0/" + std::string(socket_io_beginning, 'n');
  for (const std::string_view text :
       {std::string_view(""), std::string_view("7"), std::string_view("x"), std::string_view("5"),
        std::string_view("5["), std::string_view("5-[]"), std::string_view("599999999999-[]"),
        std::string_view("51001-[]"), std::string_view("218446744073709551616[]"),
        std::string_view(endless)}) {
    EXPECT_FALSE(read_socket_io(text)) << text;
  }
}

}  // namespace
}  // namespace usher::protocol
