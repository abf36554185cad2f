#include "routing/redis/resp.h"

#include <hiredis/hiredis.h>

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

// What hiredis calls while it parses. An element is built in its place in its parent; nullptr for
// one that is more than we take.
struct ReplyReader::Builder {
  static Reply* place_of(const redisReadTask* task, size_t bytes, size_t elements) {
    Budget& budget = *static_cast<Budget*>(task->privdata);
    if (!task->parent) budget = {};
    budget.bytes += bytes;
    budget.elements += elements;
    if (budget.bytes > most_bytes || budget.elements > most_elements) return nullptr;
    if (!task->parent) return std::make_unique<Reply>().release();
    return &static_cast<Reply*>(task->parent->obj)->array[static_cast<size_t>(task->idx)];
  }

  static void* create_string(const redisReadTask* task, char* text, size_t size) {
    Reply* reply = place_of(task, size, 0);
    if (!reply) return nullptr;
    reply->kind = task->type == REDIS_REPLY_ERROR ? Reply::Kind::refusal : Reply::Kind::text;
    reply->text.assign(text, size);
    return reply;
  }

  // Count is int in hiredis 0.14 and size_t in 1.x.
  template <typename Count>
  static void* create_array(const redisReadTask* task, Count count) {
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

  static void* create_nil(const redisReadTask* task) { return place_of(task, 0, 0); }

  static void free_object(void* root) {
    const std::unique_ptr<Reply> owner(static_cast<Reply*>(root));
  }

  static redisReplyObjectFunctions* functions() {
    static redisReplyObjectFunctions table = [] {
      redisReplyObjectFunctions made{};
      made.createString = &create_string;
      made.createArray = &create_array;
      made.createInteger = &create_integer;
      made.createNil = &create_nil;
      made.freeObject = &free_object;
      return made;
    }();
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
    return Error{Errc::store_error, Side::store, std::string("bad reply: ") + reader_->errstr};
  }
  if (!root) {
    if (reader_->len - reader_->pos <= most_bytes) return std::optional<Reply>();
    return Error{Errc::store_error, Side::store, "bad reply: too long"};
  }
  const std::unique_ptr<Reply> owner(static_cast<Reply*>(root));
  return std::optional<Reply>(std::move(*owner));
}

}  // namespace usher::routing::redis
