#include "routing/redis/resp.h"

#include <hiredis/hiredis.h>

#include <iterator>
#include <string>
#include <vector>

namespace usher::routing::redis {

std::string format_command(std::span<const std::string_view> words) {
  std::vector<const char*> texts;
  std::vector<size_t> sizes;
  for (const std::string_view word : words) {
    texts.push_back(word.data());
    sizes.push_back(word.size());
  }
  char* formatted = nullptr;
  const int size = redisFormatCommandArgv(&formatted, static_cast<int>(words.size()), texts.data(),
                                          sizes.data());
  if (size < 0) return {};
  const std::unique_ptr<char, decltype(&redisFreeCommand)> owner(formatted, &redisFreeCommand);
  return std::string(formatted, static_cast<size_t>(size));
}

namespace {

// Types of RESP3, which hiredis 1.x reads and 0.14 does not know. Nobody has asked for it (HELLO
// 3): a server that speaks it is no Redis, or a mad one.
constexpr const char* resp3_names[] = {"a double",     "a boolean",        "a map",
                                       "a set",        "an attribute",     "a push message",
                                       "a big number", "a verbatim string"};
constexpr int first_of_resp3 = 7;  // REDIS_REPLY_DOUBLE

const char* resp3_name(int type) {
  const int index = type - first_of_resp3;
  return index >= 0 && index < static_cast<int>(std::size(resp3_names)) ? resp3_names[index]
                                                                        : "an unknown type";
}

}  // namespace

// What hiredis calls while it parses. An element is built in its place in its parent; nullptr, with
// the reason in the budget, for what is refused. Each function that hiredis has must be there: 1.x
// calls what it finds, set or not.
struct ReplyReader::Builder {
  static Budget& budget_of(const redisReadTask* task) {
    Budget& budget = *static_cast<Budget*>(task->privdata);
    if (!task->parent) budget = {};
    return budget;
  }

  static Reply* place_of(const redisReadTask* task, size_t bytes, size_t elements) {
    Budget& budget = budget_of(task);
    budget.bytes += bytes;
    budget.elements += elements;
    if (budget.bytes > most_bytes || budget.elements > most_elements) {
      budget.refused = "too long";
      return nullptr;
    }
    if (!task->parent) return std::make_unique<Reply>().release();
    return &static_cast<Reply*>(task->parent->obj)->array[static_cast<size_t>(task->idx)];
  }

  static void* refuse_resp3(const redisReadTask* task, const char* name) {
    budget_of(task).refused = std::string(name) + " of RESP3, where RESP2 was spoken";
    return nullptr;
  }

  static void* create_string(const redisReadTask* task, char* text, size_t size) {
    const bool refusal = task->type == REDIS_REPLY_ERROR;
    if (!refusal && task->type != REDIS_REPLY_STRING && task->type != REDIS_REPLY_STATUS) {
      return refuse_resp3(task, resp3_name(task->type));
    }
    Reply* reply = place_of(task, size, 0);
    if (!reply) return nullptr;
    reply->kind = refusal ? Reply::Kind::refusal : Reply::Kind::text;
    reply->text.assign(text, size);
    return reply;
  }

  // Count is int in hiredis 0.14 and size_t in 1.x, which bounds no depth.
  template <typename Count>
  static void* create_array(const redisReadTask* task, Count count) {
    if (task->type != REDIS_REPLY_ARRAY) return refuse_resp3(task, resp3_name(task->type));
    size_t depth = 0;
    for (const redisReadTask* outer = task->parent; outer; outer = outer->parent)
      ++depth;
    if (depth >= most_depth) {
      budget_of(task).refused = "nested too deep";
      return nullptr;
    }
    Reply* reply = place_of(task, 0, static_cast<size_t>(count));
    if (!reply) return nullptr;
    reply->kind = Reply::Kind::array;
    reply->array.resize(static_cast<size_t>(count));
    return reply;
  }

  static void* create_integer(const redisReadTask* task, long long value) {
    Reply* reply = place_of(task, 0, 0);
    if (!reply) return nullptr;
    reply->kind = Reply::Kind::integer;
    reply->integer = value;
    return reply;
  }

  // RESP2's is a string or an array of the length -1.
  static void* create_nil(const redisReadTask* task) {
    if (task->type == REDIS_REPLY_NIL) return refuse_resp3(task, "a null");
    return place_of(task, 0, 0);
  }

  static void* create_double(const redisReadTask* task, double, char*, size_t) {
    return refuse_resp3(task, resp3_name(task->type));
  }

  static void* create_bool(const redisReadTask* task, int) {
    return refuse_resp3(task, resp3_name(task->type));
  }

  static void free_object(void* root) {
    const std::unique_ptr<Reply> owner(static_cast<Reply*>(root));
  }

  // The table of hiredis 1.x has functions that that of 0.14 has not.
  template <typename Functions>
  static Functions make_functions() {
    Functions made{};
    made.createString = &create_string;
    made.createArray = &create_array;
    made.createInteger = &create_integer;
    made.createNil = &create_nil;
    made.freeObject = &free_object;
    if constexpr (requires { made.createDouble; }) made.createDouble = &create_double;
    if constexpr (requires { made.createBool; }) made.createBool = &create_bool;
    return made;
  }

  static redisReplyObjectFunctions* functions() {
    static redisReplyObjectFunctions table = make_functions<redisReplyObjectFunctions>();
    return &table;
  }
};

void ReplyReader::Free::operator()(redisReader* reader) const { redisReaderFree(reader); }

ReplyReader::ReplyReader() : reader_(redisReaderCreateWithFunctions(Builder::functions())) {
  reader_->privdata = &budget_;
}
ReplyReader::~ReplyReader() = default;

void ReplyReader::feed(std::span<const char> bytes) {
  redisReaderFeed(reader_.get(), bytes.data(), bytes.size());
}

Result<std::optional<Reply>> ReplyReader::next() {
  void* root = nullptr;
  if (redisReaderGetReply(reader_.get(), &root) != REDIS_OK) {
    const std::string why = budget_.refused.empty() ? reader_->errstr : budget_.refused;
    return Error{Errc::store_error, Side::store, "bad reply: " + why};
  }
  if (!root) {
    if (reader_->len - reader_->pos <= most_bytes) return std::optional<Reply>();
    return Error{Errc::store_error, Side::store, "bad reply: too long"};
  }
  const std::unique_ptr<Reply> owner(static_cast<Reply*>(root));
  return std::optional<Reply>(std::move(*owner));
}

}  // namespace usher::routing::redis
