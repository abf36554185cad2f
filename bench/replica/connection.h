// One connection that a proxy has made to the replica: requests one after the other, or what a
// websocket or a stream of events has made of it. Owns itself; ends when the proxy closes it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "bench/payload.h"
#include "bench/poller.h"
#include "bench/replica/metronome.h"

namespace usher::bench {

// What the connections of a replica share.
struct Replica {
  Poller poller;
  Metronome metronome{poller};
  Payload payload;
  std::string page = std::string(1024, 'x');
};

class Connection : public Handler, private Stream {
 public:
  // Takes the accepted socket.
  Connection(Replica& replica, int socket);
  ~Connection() override;

  void on_ready(uint32_t events) override;

 private:
  enum class Speaks : uint8_t { requests, echo, socketio, tokens, events };

  void read();
  void discard_upload();
  void serve_requests();
  void serve(std::string_view head);
  void upgrade(std::string_view head, Speaks speaks);
  void answer(std::string_view body);
  void hear_messages();
  void hear_packet(std::string_view packet);
  void on_beat() override;
  void begin_stream();
  void end_stream();
  void flush();
  void watch(uint32_t events);

  Replica& replica_;
  int socket_;
  Speaks speaks_ = Speaks::requests;
  bool streams_ = false;
  bool ended_ = false;
  uint32_t watched_;
  size_t upload_ = 0;         // of the request's body
  size_t upload_left_ = 0;    // still to come
  size_t download_left_ = 0;  // of the payload, still to be sent after out_
  std::string in_;
  std::string out_;
};

}  // namespace usher::bench
