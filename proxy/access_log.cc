#include "proxy/access_log.h"

#include "base/log_text.h"

namespace usher::proxy {
namespace {

void add(std::string& line, std::string_view key, std::string_view value) {
  line.append(",\"").append(key).append("\":");
  append_log_string(line, value);
}

void add(std::string& line, std::string_view key, uint64_t value) {
  line.append(",\"").append(key).append("\":").append(std::to_string(value));
}

std::string_view path_of(std::string_view target) { return target.substr(0, target.find('?')); }

}  // namespace

void append_escaped(std::string& line, std::string_view text) {
  constexpr std::string_view digits = "0123456789ABCDEF";
  if (text.empty()) line += '-';
  const size_t start = line.size();
  for (const char c : text) {
    const size_t before = line.size();
    const auto byte = static_cast<uint8_t>(c);
    if (c == '"' || c == '\\' || byte < 0x20 || byte >= 0x7f) {
      line.append("\\x").append({digits[byte >> 4], digits[byte & 15]});
    } else {
      line += c;
    }
    if (line.size() - start > longest_log_field) {
      line.resize(before);
      line += cut_note(text.size());
      return;
    }
  }
}

std::string to_json(const AccessRecord& record, std::string_view node) {
  std::string line = R"({"time":")" + to_rfc3339(record.time) + '"';
  add(line, "node", node);
  add(line, "client", record.client);
  add(line, "method", record.method);
  add(line, "host", record.host);
  add(line, "path", path_of(record.target));
  add(line, "protocol", record.protocol);
  add(line, "status", record.status);
  add(line, "bytes_in", record.bytes_in);
  add(line, "bytes_out", record.bytes_out);
  add(line, "duration_ms", static_cast<uint64_t>(record.duration.count()));
  if (record.first_byte.count() >= 0) {
    add(line, "first_byte_ms", static_cast<uint64_t>(record.first_byte.count()));
  } else {
    line += ",\"first_byte_ms\":null";
  }
  add(line, "replica", record.replica);
  add(line, "affinity", record.affinity);
  add(line, "attempts", record.attempts);
  if (!record.closed_by.empty()) add(line, "closed_by", record.closed_by);
  if (record.error.empty()) {
    line += ",\"error\":null";
  } else {
    add(line, "error", record.error);
  }
  add(line, "request_id", record.request_id);
  if (!record.trace_id.empty()) add(line, "trace_id", record.trace_id);
  add(line, "user_agent", record.user_agent);
  line += "}\n";
  return line;
}

}  // namespace usher::proxy
