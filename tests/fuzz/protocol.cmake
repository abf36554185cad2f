# HTTP/1.1 and what usher reads in it. The transcript of a parser is the unit tests' helper.
foreach(target protocol_request protocol_response)
  usher_fuzz(${target} DEPS usher_protocol)
  target_sources(fuzz_${target} PRIVATE ${CMAKE_CURRENT_SOURCE_DIR}/../unit/protocol/transcript.cc)
endforeach()
usher_fuzz(protocol_chunked DEPS usher_protocol)
usher_fuzz(protocol_fields DEPS usher_protocol)
usher_fuzz(websocket_frames DEPS usher_protocol)
