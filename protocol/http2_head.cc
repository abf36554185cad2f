#include "protocol/http2_head.h"

#include <algorithm>

#include "base/strings.h"
#include "protocol/field_rules.h"

namespace usher::protocol {
namespace {

// What a field costs in HTTP/1.1 beside its name and value.
constexpr size_t field_overhead = 4;
// Beyond so many times the limit a head is no mistake.
constexpr size_t bomb_factor = 4;

}  // namespace

void Http2HeadBuilder::begin(HeadLimits limits) {
  limits_ = limits;
  text_.clear();
  cookie_.clear();
  pieces_.clear();
  size_ = 0;
}

bool Http2HeadBuilder::add(std::string_view name, std::string_view value) {
  size_ += name.size() + value.size() + field_overhead;
  if (size_ > bomb_factor * limits_.bytes) return false;
  if (size_ > limits_.bytes || pieces_.size() > limits_.fields) return true;
  if (name == "cookie") {
    if (!cookie_.empty()) cookie_.append("; ");
    cookie_.append(value);
    return true;
  }
  pieces_.push_back({text_.size(), name.size(), value.size()});
  text_.append(name).append(value);
  return true;
}

void Http2HeadBuilder::take_fields(Headers& into, PseudoFields* pseudo) const {
  const std::string_view kept = into.keep(text_);
  into.reserve(pieces_.size() + 8);
  for (const Piece& piece : pieces_) {
    const auto name = kept.substr(piece.start, piece.name);
    const auto value = kept.substr(piece.start + piece.name, piece.value);
    if (!name.starts_with(':')) {
      into.append_kept(name, value);
    } else if (pseudo) {
      pseudo->set(name, value);
    }
  }
  if (!cookie_.empty()) into.append("cookie", cookie_);
}

Result<RequestHead> Http2HeadBuilder::take_request(bool ended) {
  RequestHead head;
  PseudoFields pseudo;
  take_fields(head.headers, &pseudo);
  if (size_ > limits_.bytes || pieces_.size() > limits_.fields) {
    return Error{Errc::head_too_large, Side::client, std::to_string(size_) + " bytes"};
  }
  if (Outcome framed = frame_request(head, pseudo, ended); !framed) {
    return std::move(framed).error();
  }
  return head;
}

Headers Http2HeadBuilder::take_trailers() {
  Headers trailers;
  if (size_ <= limits_.bytes) take_fields(trailers, nullptr);
  return trailers;
}

void Http2FieldWriter::reserve(const Headers& headers) {
  fields_.clear();
  names_.clear();
  size_t size = 0;
  for (const Field& field : headers)
    size += field.name.size();
  names_.reserve(size);  // views into it stay
}

void Http2FieldWriter::add(std::string_view name, std::string_view value) {
  const auto octets = [](std::string_view view) {
    return reinterpret_cast<uint8_t*>(const_cast<char*>(view.data()));  // nghttp2 only reads
  };
  fields_.push_back({octets(name), octets(value), name.size(), value.size(), NGHTTP2_NV_FLAG_NONE});
}

std::span<const nghttp2_nv> Http2FieldWriter::head(uint16_t status, const ResponseHead& head) {
  reserve(head.headers);
  status_ = std::to_string(status);
  add(":status", status_);
  const bool opens = head.status == 101;
  for (const Field& field : head.headers) {
    if (field.is(hop_by_hop | framing_field)) continue;
    if (opens && equals_ignoring_case(field.name, "sec-websocket-accept")) continue;
    const size_t start = names_.size();
    for (const char c : field.name)
      names_.push_back(to_lower(c));
    add(std::string_view(names_).substr(start), field.value);
  }
  const bool sized = head.body.kind == BodyKind::length && !head.interim() && !opens;
  if (sized || head.announced_length) {
    number_ = std::to_string(sized ? head.body.length : *head.announced_length);
    add("content-length", number_);
  }
  return fields_;
}

std::span<const nghttp2_nv> Http2FieldWriter::trailers(const Headers& trailers) {
  reserve(trailers);
  for (const Field& field : trailers) {
    const size_t start = names_.size();
    for (const char c : field.name)
      names_.push_back(to_lower(c));
    add(std::string_view(names_).substr(start), field.value);
  }
  return fields_;
}

}  // namespace usher::protocol
