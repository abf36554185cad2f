// What nghttp2 calls, what that leaves to be done, and the calls of the owner, in one file: they
// share the streams' state, and none of it is of use without the others.

#include "protocol/http2_server_codec.h"

#include <nghttp2/nghttp2.h>

#include <algorithm>
#include <bit>
#include <optional>
#include <unordered_map>
#include <utility>

#include "base/seeded_hash.h"
#include "base/strings.h"
#include "protocol/http2_head.h"

namespace usher::protocol {
namespace {

// The connection's window: what all streams together may have on their way.
constexpr int32_t connection_window = 16 * 1024 * 1024;
constexpr size_t frame_header_size = 9;
// What a stream at its held mark may have allocated: the mark, and one small read beyond it.
constexpr size_t held_capacity = 16 * 1024;

std::span<const char> chars(const uint8_t* data, size_t size) {
  return {reinterpret_cast<const char*>(data), size};
}
std::string_view text(const uint8_t* data, size_t size) {
  return {reinterpret_cast<const char*>(data), size};
}

// What a head costs while it waits (RFC 7541 section 4.1).
size_t size_of(std::span<const nghttp2_nv> fields) {
  size_t size = 0;
  for (const nghttp2_nv& field : fields)
    size += field.namelen + field.valuelen + 32;
  return size;
}

struct SessionDeleter {
  void operator()(nghttp2_session* session) const { nghttp2_session_del(session); }
};

}  // namespace

// The callbacks only record what happens; whoever owns the codec acts when they have returned.
struct Http2ServerCodec::Impl {
  struct Stream {
    Result<RequestHead> request{RequestHead{}};
    Headers trailers;     // of the request
    std::string out;      // of the response, not yet handed on
    size_t out_sent = 0;  // of `out`
    size_t heads = 0;     // handed to nghttp2 and not yet sent
    uint64_t sent = 0;    // of all data
    Headers out_trailers;
    bool websocket = false;
    bool ended = false;  // by the client
    bool closed = false;
    bool finishing = false;  // send_end()
    bool breaking = false;   // break_off()
    bool refusing = false;   // refuse_rest()
    bool resetting = false;  // by us
    bool deferred = false;   // waits for send_data()
    bool was_high = false;
    size_t queued() const { return out.size() - out_sent; }
    size_t waiting() const { return queued() + heads; }
    // Holds no more memory than the power of two above what waits.
    void append(std::span<const char> more) {
      if (out.size() + more.size() > out.capacity()) fit(std::bit_ceil(queued() + more.size()));
      out.append(more.data(), more.size());
    }
    void fit(size_t capacity) {
      std::string fitting;
      fitting.reserve(capacity);
      fitting.append(out, out_sent);
      out.swap(fitting);
      out_sent = 0;
    }
  };

  explicit Impl(const Http2Limits& its_limits);

  Stream* find(StreamId id) {
    const auto found = streams.find(id);
    return found == streams.end() ? nullptr : &found->second;
  }
  void record(Http2EventKind kind, StreamId id, std::span<const char> data = {},
              uint32_t code = 0) {
    events.push_back({kind, id, data, code});
  }
  void submit_reset(StreamId id, Http2Code code) {
    nghttp2_submit_rst_stream(session.get(), NGHTTP2_FLAG_NONE, id, static_cast<uint32_t>(code));
  }
  void resume(StreamId id, Stream& stream) {
    if (!std::exchange(stream.deferred, false)) return;
    nghttp2_session_resume_data(session.get(), id);
  }
  bool count(uint32_t& counter, uint32_t most, Errc cause, std::string_view what);
  size_t most_waiting(StreamId id, const Stream& stream) const;
  bool is_high(StreamId id, Stream& stream);
  void add_head(Stream& stream, std::span<const nghttp2_nv> fields);
  void take_head(const nghttp2_frame& frame);
  void tell_if_low(StreamId id, Stream& stream);

  int on_begin_frame(const nghttp2_frame_hd& frame);
  int on_begin_headers(const nghttp2_frame& frame);
  int on_header(const nghttp2_frame& frame, std::string_view name, std::string_view value);
  int on_frame(const nghttp2_frame& frame);
  int on_frame_sent(const nghttp2_frame& frame);
  int on_frame_dropped(const nghttp2_frame& frame);
  void take_turns();
  int on_data(StreamId id, std::span<const char> data);
  int on_closed(StreamId id, uint32_t code);
  ssize_t read(StreamId id, Stream& stream, size_t most, uint32_t& flags);
  int send_data(const nghttp2_frame& frame, const uint8_t* head, size_t size, Stream& stream);
  void submit_head(StreamId id, Stream& stream, const ResponseHead& head);
  bool write_some(std::string& into, size_t most);
  void settle();

  static nghttp2_session_callbacks* make_callbacks();

  Http2Limits limits;
  std::unique_ptr<nghttp2_session, SessionDeleter> session;
  std::unordered_map<StreamId, Stream, SeededHash> streams;
  std::vector<Http2Event> events;
  Http2HeadBuilder builder;  // one head at a time: nothing comes between its frames
  StreamId building = 0;     // the stream whose head is being read
  std::string* out = nullptr;
  size_t out_most = 0;
  std::string early;       // what settle() has had written; pull() hands it on
  bool unsettled = false;  // more than heads of requests have come
  size_t received = 0;     // of bodies, in this call to receive()
  size_t waiting = 0;      // of all streams
  uint64_t sent = 0;       // likewise
  Http2FieldWriter writer;

  MonotonicTime counted_since{};
  uint32_t resets = 0;
  uint32_t control_frames = 0;
  StreamId newest = 0;  // of the requests
  Error fatal;          // why the connection is to end; code none: it is not
  uint32_t goodbye = NGHTTP2_ENHANCE_YOUR_CALM;  // what the client is told then
  bool told = false;                             // receive() has returned why
  bool acknowledged = false;                     // our settings
  std::optional<Error> failure;                  // nghttp2 has ended the connection
  std::string fault;                             // what nghttp2 says of the client's last mistake
};

// --- What arrives
// -----------------------------------------------------------------------------------

bool Http2ServerCodec::Impl::count(uint32_t& counter, uint32_t most, Errc cause,
                                   std::string_view what) {
  if (++counter <= most) return true;
  fatal = {cause, Side::client,
           "more than " + std::to_string(most) + " " + std::string(what) + " within " +
               std::to_string(flood_interval.count()) + " s"};
  return false;
}

int Http2ServerCodec::Impl::on_begin_frame(const nghttp2_frame_hd& frame) {
  bool good = true;
  unsettled |= frame.type == NGHTTP2_DATA;
  switch (frame.type) {
    case NGHTTP2_WINDOW_UPDATE: return 0;
    case NGHTTP2_HEADERS:
      // Section 5.1.1: nghttp2 takes a stream that was passed over for one that is closed.
      if (frame.stream_id > newest || nghttp2_session_find_stream(session.get(), frame.stream_id))
        return 0;
      goodbye = NGHTTP2_PROTOCOL_ERROR;
      fatal = {Errc::http2_error, Side::client, "a request on a stream of the past"};
      return NGHTTP2_ERR_CALLBACK_FAILURE;
    case NGHTTP2_DATA:
      if (frame.length > 0 || (frame.flags & NGHTTP2_FLAG_END_STREAM) != 0) return 0;
      break;
    case NGHTTP2_RST_STREAM:
      good = count(resets, limits.resets, Errc::rapid_reset, "streams were reset");
      return good ? 0 : NGHTTP2_ERR_CALLBACK_FAILURE;
    default: break;
  }
  good = count(control_frames, limits.control_frames, Errc::frame_flood, "frames of no use");
  return good ? 0 : NGHTTP2_ERR_CALLBACK_FAILURE;
}

int Http2ServerCodec::Impl::on_begin_headers(const nghttp2_frame& frame) {
  builder.begin(limits.head);
  building = frame.hd.stream_id;
  if (frame.headers.cat != NGHTTP2_HCAT_REQUEST) {
    unsettled = true;
    return 0;
  }
  newest = std::max(newest, building);
  Stream& stream = streams[building];
  nghttp2_session_set_stream_user_data(session.get(), building, &stream);
  return 0;
}

int Http2ServerCodec::Impl::on_header(const nghttp2_frame&, std::string_view name,
                                      std::string_view value) {
  if (builder.add(name, value)) return 0;
  fatal = {Errc::header_flood, Side::client, "header fields beyond any limit"};
  return NGHTTP2_ERR_CALLBACK_FAILURE;
}

int Http2ServerCodec::Impl::on_frame(const nghttp2_frame& frame) {
  const StreamId id = frame.hd.stream_id;
  const bool last = (frame.hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
  switch (frame.hd.type) {
    case NGHTTP2_HEADERS: {
      building = 0;
      Stream* const stream = find(id);
      if (!stream) return 0;
      if (frame.headers.cat == NGHTTP2_HCAT_REQUEST) {
        stream->request = builder.take_request(last);
        stream->websocket = stream->request && stream->request->wants_websocket;
        take_turns();
        record(Http2EventKind::request, id);
      } else {
        stream->trailers = builder.take_trailers();
      }
      break;
    }
    case NGHTTP2_DATA: break;
    case NGHTTP2_PRIORITY: take_turns(); return 0;
    case NGHTTP2_SETTINGS:
      acknowledged = acknowledged || (frame.hd.flags & NGHTTP2_FLAG_ACK) != 0;
      return 0;
    case NGHTTP2_PING:
      if ((frame.hd.flags & NGHTTP2_FLAG_ACK) != 0) record(Http2EventKind::pong, 0);
      return 0;
    default: return 0;
  }
  Stream* const stream = find(id);
  if (!last || !stream) return 0;
  stream->ended = true;
  record(Http2EventKind::end, id);
  return 0;
}

// Each stream in its turn, whatever the client asks for: one that always has more to send would
// silence those that depend on it, websockets above all.
void Http2ServerCodec::Impl::take_turns() {
  nghttp2_stream* const root = nghttp2_session_get_root_stream(session.get());
  for (const auto& [id, stream] : streams) {
    nghttp2_stream* const known = nghttp2_session_find_stream(session.get(), id);
    const int32_t weight = stream.websocket ? NGHTTP2_MAX_WEIGHT : NGHTTP2_DEFAULT_WEIGHT;
    if (!known ||
        (nghttp2_stream_get_parent(known) == root && nghttp2_stream_get_weight(known) == weight)) {
      continue;
    }
    nghttp2_priority_spec turns;
    nghttp2_priority_spec_init(&turns, 0, weight, 0);
    nghttp2_session_change_stream_priority(session.get(), id, &turns);
  }
}

int Http2ServerCodec::Impl::on_data(StreamId id, std::span<const char> data) {
  received += data.size();
  if (find(id)) record(Http2EventKind::data, id, data);
  return 0;
}

int Http2ServerCodec::Impl::on_closed(StreamId id, uint32_t code) {
  Stream* const stream = find(id);
  if (!stream) return 0;
  stream->closed = true;
  waiting -= stream->waiting();
  std::string().swap(stream->out);
  stream->out_sent = stream->heads = 0;
  record(Http2EventKind::closed, id, {}, code);
  return 0;
}

// --- What leaves
// ------------------------------------------------------------------------------------

// What the client's windows let in leaves at the end of the turn, whichever stream it is of.
size_t Http2ServerCodec::Impl::most_waiting(StreamId id, const Stream& stream) const {
  const auto left = [](int32_t window) { return static_cast<size_t>(std::max(window, 0)); };
  const size_t let_in = std::min(
      {left(nghttp2_session_get_stream_remote_window_size(session.get(), id)),
       left(nghttp2_session_get_remote_window_size(session.get())), high_mark - held_mark});
  const size_t others = waiting - stream.waiting();
  return held_mark + let_in - std::min(let_in, others);
}

bool Http2ServerCodec::Impl::is_high(StreamId id, Stream& stream) {
  const bool high = stream.waiting() >= held_mark && stream.waiting() >= most_waiting(id, stream);
  stream.was_high = stream.was_high || high;
  return high;
}

void Http2ServerCodec::Impl::tell_if_low(StreamId id, Stream& stream) {
  if (!stream.was_high || stream.waiting() >= low_mark) return;
  stream.was_high = false;
  record(Http2EventKind::writable, id);
}

void Http2ServerCodec::Impl::add_head(Stream& stream, std::span<const nghttp2_nv> fields) {
  const size_t size = size_of(fields);
  stream.heads += size;
  waiting += size;
}

void Http2ServerCodec::Impl::take_head(const nghttp2_frame& frame) {
  Stream* const stream = find(frame.hd.stream_id);
  if (frame.hd.type != NGHTTP2_HEADERS || !stream || stream->closed) return;
  const size_t size = std::min(stream->heads, size_of({frame.headers.nva, frame.headers.nvlen}));
  stream->heads -= size;
  waiting -= size;
  sent += size;
  tell_if_low(frame.hd.stream_id, *stream);
}

ssize_t Http2ServerCodec::Impl::read(StreamId id, Stream& stream, size_t most, uint32_t& flags) {
  const size_t size = std::min(most, stream.queued());
  const bool all = size == stream.queued();
  if (all && stream.finishing) {
    flags |= NGHTTP2_DATA_FLAG_EOF;
    if (!stream.out_trailers.empty()) {
      flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
      const auto fields = writer.trailers(stream.out_trailers);
      add_head(stream, fields);
      nghttp2_submit_trailer(session.get(), id, fields.data(), fields.size());
    }
  } else if (size == 0) {
    if (stream.breaking) {
      stream.resetting = true;
      submit_reset(id, Http2Code::internal_error);
    }
    stream.deferred = true;
    return NGHTTP2_ERR_DEFERRED;
  }
  flags |= NGHTTP2_DATA_FLAG_NO_COPY;
  return static_cast<ssize_t>(size);
}

int Http2ServerCodec::Impl::send_data(const nghttp2_frame& frame, const uint8_t* head, size_t size,
                                      Stream& stream) {
  out->append(text(head, frame_header_size));
  out->append(stream.out, stream.out_sent, size);
  stream.out_sent += size;
  stream.sent += size;
  sent += size;
  waiting -= size;
  const size_t left = stream.queued();
  if (left == 0) {
    std::string().swap(stream.out);
    stream.out_sent = 0;
  } else if (left <= held_mark && stream.out.capacity() > held_capacity) {
    stream.fit(held_capacity);
  }
  tell_if_low(frame.hd.stream_id, stream);
  return out->size() < out_most ? 0 : NGHTTP2_ERR_PAUSE;
}

int Http2ServerCodec::Impl::on_frame_dropped(const nghttp2_frame& frame) {
  take_head(frame);
  return 0;
}

int Http2ServerCodec::Impl::on_frame_sent(const nghttp2_frame& frame) {
  const StreamId id = frame.hd.stream_id;
  take_head(frame);
  if (frame.hd.type == NGHTTP2_GOAWAY && frame.goaway.error_code != NGHTTP2_NO_ERROR && !told) {
    failure = {Errc::http2_error, Side::client,
               fault.empty() ? "error " + std::to_string(frame.goaway.error_code) : fault};
    return 0;
  }
  if (frame.hd.type == NGHTTP2_RST_STREAM) {
    // What a client makes us reset costs as much as what it resets itself.
    Stream* const stream = find(id);
    const bool ours = stream && (stream->resetting || stream->refusing);
    if (!ours) count(resets, limits.resets, Errc::rapid_reset, "streams had to be reset");
    return 0;
  }
  const bool carries = frame.hd.type == NGHTTP2_DATA || frame.hd.type == NGHTTP2_HEADERS;
  if (!carries || (frame.hd.flags & NGHTTP2_FLAG_END_STREAM) == 0) return 0;
  Stream* const stream = find(id);
  if (!stream) return 0;
  record(Http2EventKind::sent, id);
  if (stream->refusing && !stream->ended) submit_reset(id, Http2Code::no_error);
  return 0;
}

void Http2ServerCodec::Impl::submit_head(StreamId id, Stream& stream, const ResponseHead& head) {
  uint16_t status = head.status;
  const bool opens = stream.websocket && status == 101;
  if (opens) status = 200;
  // RFC 8441 section 5: a 2xx opens the websocket, and this one has not been opened.
  if (stream.websocket && !opens && status >= 200 && status < 300) status = 502;
  const auto fields = writer.head(status, head);
  add_head(stream, fields);
  if (head.interim()) {
    nghttp2_submit_headers(session.get(), NGHTTP2_FLAG_NONE, id, nullptr, fields.data(),
                           fields.size(), nullptr);
    return;
  }
  const bool empty = !opens && (head.body.kind == BodyKind::none ||
                                (head.body.kind == BodyKind::length && head.body.length == 0));
  const nghttp2_data_provider body{
      .source = {.ptr = &stream},
      .read_callback = [](nghttp2_session*, int32_t stream_id, uint8_t*, size_t most,
                          uint32_t* flags, nghttp2_data_source* source, void* self) {
        return static_cast<Impl*>(self)->read(stream_id, *static_cast<Stream*>(source->ptr), most,
                                              *flags);
      }};
  nghttp2_submit_response(session.get(), id, fields.data(), fields.size(), empty ? nullptr : &body);
}

// False: there is nothing more.
bool Http2ServerCodec::Impl::write_some(std::string& into, size_t most) {
  const size_t at = into.size();
  out = &into;
  out_most = most;
  const uint8_t* data = nullptr;
  const ssize_t size = nghttp2_session_mem_send(session.get(), &data);
  if (size > 0) into.append(text(data, static_cast<size_t>(size)));
  out = nullptr;
  return size >= 0 && into.size() > at;
}

// A body that is not as long as its Content-Length, and trailers that are malformed, have nghttp2
// reset the stream; it says so only when the reset is written. Nobody is to hear of such a request,
// so that is done before anybody does.
void Http2ServerCodec::Impl::settle() {
  unsettled = false;
  while (nghttp2_session_get_outbound_queue_size(session.get()) > 0) {
    if (!write_some(early, early.size() + 1)) return;
  }
}

// --- The session
// ------------------------------------------------------------------------------------

nghttp2_session_callbacks* Http2ServerCodec::Impl::make_callbacks() {
  nghttp2_session_callbacks* all = nullptr;
  nghttp2_session_callbacks_new(&all);
  nghttp2_session_callbacks_set_on_begin_frame_callback(
      all, [](nghttp2_session*, const nghttp2_frame_hd* frame, void* self) {
        return static_cast<Impl*>(self)->on_begin_frame(*frame);
      });
  nghttp2_session_callbacks_set_on_begin_headers_callback(
      all, [](nghttp2_session*, const nghttp2_frame* frame, void* self) {
        return static_cast<Impl*>(self)->on_begin_headers(*frame);
      });
  nghttp2_session_callbacks_set_on_header_callback(
      all, [](nghttp2_session*, const nghttp2_frame* frame, const uint8_t* name, size_t name_size,
              const uint8_t* value, size_t value_size, uint8_t, void* self) {
        return static_cast<Impl*>(self)->on_header(*frame, text(name, name_size),
                                                   text(value, value_size));
      });
  nghttp2_session_callbacks_set_on_invalid_header_callback(
      all,
      [](nghttp2_session*, const nghttp2_frame*, const uint8_t*, size_t, const uint8_t*, size_t,
         uint8_t, void*) -> int { return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE; });
  nghttp2_session_callbacks_set_on_frame_recv_callback(
      all, [](nghttp2_session*, const nghttp2_frame* frame, void* self) {
        return static_cast<Impl*>(self)->on_frame(*frame);
      });
  nghttp2_session_callbacks_set_on_frame_send_callback(
      all, [](nghttp2_session*, const nghttp2_frame* frame, void* self) {
        return static_cast<Impl*>(self)->on_frame_sent(*frame);
      });
  nghttp2_session_callbacks_set_on_frame_not_send_callback(
      all, [](nghttp2_session*, const nghttp2_frame* frame, int, void* self) {
        return static_cast<Impl*>(self)->on_frame_dropped(*frame);
      });
  nghttp2_session_callbacks_set_on_data_chunk_recv_callback(
      all, [](nghttp2_session*, uint8_t, int32_t id, const uint8_t* data, size_t size, void* self) {
        return static_cast<Impl*>(self)->on_data(id, chars(data, size));
      });
  nghttp2_session_callbacks_set_on_stream_close_callback(
      all, [](nghttp2_session*, int32_t id, uint32_t code, void* self) {
        return static_cast<Impl*>(self)->on_closed(id, code);
      });
  nghttp2_session_callbacks_set_send_data_callback(
      all, [](nghttp2_session*, nghttp2_frame* frame, const uint8_t* head, size_t size,
              nghttp2_data_source* source, void* self) {
        return static_cast<Impl*>(self)->send_data(*frame, head, size,
                                                   *static_cast<Stream*>(source->ptr));
      });
  nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(
      all, [](nghttp2_session*, const nghttp2_frame*, int error, void* self) {
        auto& impl = *static_cast<Impl*>(self);
        if (impl.fault.empty()) impl.fault = nghttp2_strerror(error);
        return 0;
      });
  nghttp2_session_callbacks_set_error_callback2(
      all, [](nghttp2_session*, int, const char* message, size_t size, void* self) {
        static_cast<Impl*>(self)->fault.assign(message, std::min<size_t>(size, 160));
        return 0;
      });
  return all;
}

Http2ServerCodec::Impl::Impl(const Http2Limits& its_limits) : limits(its_limits) {
  static nghttp2_session_callbacks* const callbacks = make_callbacks();
  static nghttp2_option* const options = [] {
    nghttp2_option* made = nullptr;
    nghttp2_option_new(&made);
    nghttp2_option_set_no_auto_window_update(made, 1);
    // The limit of a response's head is the parser's.
    nghttp2_option_set_max_send_header_block_length(made, 16 * 1024 * 1024);
    return made;
  }();
  nghttp2_session* made = nullptr;
  nghttp2_session_server_new2(&made, callbacks, this, options);
  session.reset(made);

  std::vector<nghttp2_settings_entry> settings{
      {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, limits.streams},
      {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, std::min(limits.first_window, limits.window)},
      {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, static_cast<uint32_t>(limits.head.bytes)}};
  if (limits.extended_connect) settings.push_back({NGHTTP2_SETTINGS_ENABLE_CONNECT_PROTOCOL, 1});
  nghttp2_submit_settings(made, NGHTTP2_FLAG_NONE, settings.data(), settings.size());
  nghttp2_session_set_local_window_size(made, NGHTTP2_FLAG_NONE, 0, connection_window);
}

Http2ServerCodec::Http2ServerCodec(const Http2Limits& limits)
    : impl_(std::make_unique<Impl>(limits)) {}

Http2ServerCodec::~Http2ServerCodec() = default;

Outcome Http2ServerCodec::receive(std::span<const char> input, MonotonicTime now) {
  if (now - impl_->counted_since > flood_interval) {
    impl_->counted_since = now;
    impl_->resets = impl_->control_frames = 0;
  }
  nghttp2_session* const session = impl_->session.get();
  impl_->received = 0;
  impl_->fault.clear();
  const ssize_t read = nghttp2_session_mem_recv(
      session, reinterpret_cast<const uint8_t*>(input.data()), input.size());
  if (impl_->received > 0) nghttp2_session_consume_connection(session, impl_->received);
  if (impl_->unsettled && read >= 0) impl_->settle();
  if (impl_->fatal.code == Errc::none && read == NGHTTP2_ERR_FLOODED) {
    impl_->fatal = {Errc::frame_flood, Side::client, "acknowledgements that it does not read"};
  }
  if (impl_->fatal.code != Errc::none) {
    impl_->told = true;
    nghttp2_session_terminate_session(session, impl_->goodbye);
    return std::exchange(impl_->fatal, {});
  }
  if (read < 0) {
    return Error{Errc::http2_error, Side::client, nghttp2_strerror(static_cast<int>(read))};
  }
  return {};
}

std::optional<Error> Http2ServerCodec::take_failure() {
  return std::exchange(impl_->failure, std::nullopt);
}

void Http2ServerCodec::take_events(std::vector<Http2Event>& into) {
  into.clear();
  into.swap(impl_->events);
}

bool Http2ServerCodec::has_output() const {
  return !impl_->early.empty() || nghttp2_session_want_write(impl_->session.get()) != 0;
}

bool Http2ServerCodec::pull(std::string& out, size_t most) {
  const size_t before = out.size();
  if (!impl_->early.empty()) out.append(std::exchange(impl_->early, {}));
  while (out.size() < before + most) {
    if (!impl_->write_some(out, before + most)) break;
  }
  return out.size() > before;
}

Result<RequestHead> Http2ServerCodec::take_request(StreamId id) {
  Impl::Stream* const stream = impl_->find(id);
  if (!stream) return Error{Errc::client_gone, Side::client, "the stream is closed"};
  return std::exchange(stream->request, Result<RequestHead>(RequestHead{}));
}

Headers Http2ServerCodec::take_trailers(StreamId id) {
  Impl::Stream* const stream = impl_->find(id);
  return stream ? std::move(stream->trailers) : Headers{};
}

bool Http2ServerCodec::ended(StreamId id) const {
  const Impl::Stream* const stream = impl_->find(id);
  return !stream || stream->ended;
}

bool Http2ServerCodec::closed(StreamId id) const {
  const Impl::Stream* const stream = impl_->find(id);
  return !stream || stream->closed;
}

void Http2ServerCodec::consume(StreamId id, size_t bytes) {
  if (bytes > 0) nghttp2_session_consume_stream(impl_->session.get(), id, bytes);
}

void Http2ServerCodec::open_window(StreamId id) {
  nghttp2_session_set_local_window_size(impl_->session.get(), NGHTTP2_FLAG_NONE, id,
                                        static_cast<int32_t>(impl_->limits.window));
}

void Http2ServerCodec::send_head(StreamId id, const ResponseHead& head) {
  Impl::Stream* const stream = impl_->find(id);
  if (stream && !stream->closed) impl_->submit_head(id, *stream, head);
}

void Http2ServerCodec::send_data(StreamId id, std::span<const char> data) {
  Impl::Stream* const stream = impl_->find(id);
  if (!stream || stream->closed || stream->finishing || data.empty()) return;
  stream->append(data);
  impl_->waiting += data.size();
  impl_->resume(id, *stream);
}

void Http2ServerCodec::send_end(StreamId id, const Headers& trailers) {
  Impl::Stream* const stream = impl_->find(id);
  if (!stream || stream->closed || stream->finishing) return;
  stream->finishing = true;
  for (const Field& field : trailers) {
    if (!field.is(not_in_trailers)) stream->out_trailers.append(field.name, field.value);
  }
  impl_->resume(id, *stream);
}

void Http2ServerCodec::refuse_rest(StreamId id) {
  Impl::Stream* const stream = impl_->find(id);
  if (stream) stream->refusing = true;
}

void Http2ServerCodec::break_off(StreamId id) {
  Impl::Stream* const stream = impl_->find(id);
  if (!stream || stream->closed || stream->finishing) return;
  stream->breaking = true;
  impl_->resume(id, *stream);
}

void Http2ServerCodec::reset(StreamId id, Http2Code code) {
  Impl::Stream* const stream = impl_->find(id);
  if (!stream || stream->closed) return;
  stream->resetting = true;
  impl_->submit_reset(id, code);
}

void Http2ServerCodec::release(StreamId id) {
  const auto found = impl_->streams.find(id);
  if (found != impl_->streams.end() && found->second.closed) impl_->streams.erase(found);
}

bool Http2ServerCodec::above_high_mark(StreamId id) {
  Impl::Stream* const stream = impl_->find(id);
  return stream && !stream->closed && impl_->is_high(id, *stream);
}

size_t Http2ServerCodec::room(StreamId id) const {
  const Impl::Stream* const stream = impl_->find(id);
  if (!stream || stream->closed) return held_mark;
  const size_t most = impl_->most_waiting(id, *stream);
  return most - std::min(most, stream->waiting());
}

bool Http2ServerCodec::waits(StreamId id) const {
  const Impl::Stream* const stream = impl_->find(id);
  return stream && stream->waiting() > 0;
}

bool Http2ServerCodec::shut(StreamId id) const {
  return nghttp2_session_get_stream_remote_window_size(impl_->session.get(), id) <= 0;
}

uint64_t Http2ServerCodec::sent_in_all() const { return impl_->sent; }

bool Http2ServerCodec::acknowledged() const { return impl_->acknowledged; }

size_t Http2ServerCodec::queued(StreamId id) const {
  const Impl::Stream* const stream = impl_->find(id);
  return stream ? stream->queued() : 0;
}

uint64_t Http2ServerCodec::sent(StreamId id) const {
  const Impl::Stream* const stream = impl_->find(id);
  return stream ? stream->sent : 0;
}

void Http2ServerCodec::announce_end() { nghttp2_submit_shutdown_notice(impl_->session.get()); }

void Http2ServerCodec::end() {
  nghttp2_session* const session = impl_->session.get();
  nghttp2_submit_goaway(session, NGHTTP2_FLAG_NONE,
                        nghttp2_session_get_last_proc_stream_id(session), NGHTTP2_NO_ERROR, nullptr,
                        0);
}

void Http2ServerCodec::ping() {
  nghttp2_submit_ping(impl_->session.get(), NGHTTP2_FLAG_NONE, nullptr);
}

bool Http2ServerCodec::over() const {
  nghttp2_session* const session = impl_->session.get();
  return nghttp2_session_want_read(session) == 0 && !has_output();
}

uint32_t Http2ServerCodec::resets() const { return impl_->resets; }

bool Http2ServerCodec::receiving_head() const { return impl_->building != 0; }

}  // namespace usher::protocol
