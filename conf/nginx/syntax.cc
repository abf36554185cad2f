#include "conf/nginx/syntax.h"

#include "conf/words.h"

namespace usher::conf::nginx {
namespace {

constexpr unsigned deepest_include = 16;
constexpr unsigned deepest_block = 32;
constexpr size_t most_directives = 50'000;
constexpr size_t most_files = 1000;
constexpr size_t longest_word = 64 * 1024;

enum class Mark : uint8_t { semicolon, open, close, end, broken };

bool is_space(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }

// Words up to the next ";", "{" or "}".
class Lexer final {
 public:
  Lexer(std::shared_ptr<const std::string> file, std::string_view text, Report& report)
      : file_(std::move(file)), text_(text), report_(report) {}

  Mark next(std::vector<std::string>& words, Place& at) {
    words.clear();
    while (true) {
      skip_space();
      if (words.empty()) at = place();
      if (done()) return Mark::end;
      switch (peek()) {
        case ';': take(); return Mark::semicolon;
        case '{': take(); return Mark::open;
        case '}': take(); return Mark::close;
        default: break;
      }
      auto word = peek() == '"' || peek() == '\'' ? quoted() : plain();
      if (!word) return Mark::broken;
      words.push_back(*std::move(word));
    }
  }

  Place place() const { return {file_, line_, column_}; }

 private:
  bool done() const { return next_ >= text_.size(); }
  char peek(size_t ahead = 0) const {
    return next_ + ahead < text_.size() ? text_[next_ + ahead] : '\0';
  }
  char take() {
    const char c = text_[next_++];
    if (c == '\n') {
      ++line_;
      column_ = 1;
    } else {
      ++column_;
    }
    return c;
  }

  void skip_space() {
    while (!done()) {
      if (is_space(peek())) {
        take();
      } else if (peek() == '#') {
        while (!done() && peek() != '\n')
          take();
      } else {
        return;
      }
    }
  }

  // After a backslash: nginx knows quotes, itself and three letters; before others it stays.
  void escaped(std::string& word) {
    take();
    if (done()) return;
    const char c = take();
    switch (c) {
      case '"':
      case '\'':
      case '\\': word += c; return;
      case 't': word += '\t'; return;
      case 'r': word += '\r'; return;
      case 'n': word += '\n'; return;
      default: word.append("\\").append(1, c); return;
    }
  }

  std::optional<std::string> quoted() {
    const Place began = place();
    const char quote = take();
    std::string word;
    while (!done() && peek() != quote && word.size() < longest_word) {
      if (peek() == '\\') {
        escaped(word);
      } else {
        word += take();
      }
    }
    if (done() || peek() != quote) return broken(began, "the closing quote is missing");
    take();
    const char after = peek();
    if (!done() && !is_space(after) && after != ';' && after != '{' && after != ')') {
      return broken(place(), "unexpected " + in_quotes(std::string_view(&after, 1)) +
                                 " after a closing quote");
    }
    return word;
  }

  std::optional<std::string> plain() {
    const Place began = place();
    std::string word;
    while (!done() && word.size() < longest_word) {
      const char c = peek();
      if (is_space(c) || c == ';' || c == '{') return word;
      if (c == '\\') {
        escaped(word);
        continue;
      }
      word += take();
      // "${name}" is no block.
      if (c == '$' && peek() == '{') {
        while (!done() && peek() != '}' && !is_space(peek()) && peek() != ';')
          word += take();
        if (peek() == '}') word += take();
      }
    }
    if (!done()) return broken(began, "too long a word");
    return word;
  }

  std::nullopt_t broken(const Place& at, const std::string& text) {
    report_.error(at, text);
    return std::nullopt;
  }

  std::shared_ptr<const std::string> file_;
  std::string_view text_;
  Report& report_;
  size_t next_ = 0;
  uint32_t line_ = 1;
  uint32_t column_ = 1;
};

class Parser final {
 public:
  Parser(const std::string& path, const Files& files, Report& report)
      : folder_(path.substr(0, path.rfind('/') + 1)), files_(files), report_(report) {}

  bool file(const std::string& path, std::string_view text, std::vector<Directive>& into) {
    Lexer lexer(std::make_shared<const std::string>(path), text, report_);
    return block(lexer, into, 0);
  }

 private:
  bool block(Lexer& lexer, std::vector<Directive>& into, unsigned depth) {
    std::vector<std::string> words;
    Place at;
    while (true) {
      const Mark mark = lexer.next(words, at);
      switch (mark) {
        case Mark::broken: return false;
        case Mark::end:
          if (!words.empty())
            return fail(lexer.place(), "unexpected end of file, expecting \";\" or \"}\"");
          if (depth > 0) return fail(lexer.place(), "unexpected end of file, expecting \"}\"");
          return true;
        case Mark::close:
          if (!words.empty()) return fail(at, "unexpected \"}\"; a \";\" is missing before it");
          if (depth == 0) return fail(at, "unexpected \"}\"");
          return true;
        case Mark::semicolon:
        case Mark::open: break;
      }
      if (words.empty())
        return fail(at, mark == Mark::open ? "unexpected \"{\"" : "unexpected \";\"");
      if (++directives_ > most_directives) return fail(at, "too many directives");
      Directive made{std::move(words.front()), {}, mark == Mark::open, {}, at};
      made.args.assign(std::make_move_iterator(words.begin() + 1),
                       std::make_move_iterator(words.end()));
      if (made.name == "include" && !made.has_block) {
        if (!include(made, into)) return false;
        continue;
      }
      if (made.has_block) {
        if (depth + 1 > deepest_block) return fail(at, "blocks are nested too deep");
        if (!block(lexer, made.block, depth + 1)) return false;
      }
      into.push_back(std::move(made));
    }
  }

  bool include(const Directive& directive, std::vector<Directive>& into) {
    if (directive.args.size() != 1)
      return fail(directive.at, "invalid number of arguments in \"include\" directive");
    if (include_depth_ >= deepest_include)
      return fail(directive.at, "files include each other too deep");
    std::string path = directive.args.front();
    if (!path.starts_with('/')) path.insert(0, folder_);
    const bool pattern = path.find_first_of("*?[") != std::string::npos;
    for (const std::string& each : pattern ? files_.glob(path) : std::vector{path}) {
      const auto text = files_.read(each);
      if (!text) {
        // usher knows what browsers need of it; a machine without nginx has none.
        if (each.ends_with("/mime.types") && text.error().code == Errc::not_found) continue;
        return fail(directive.at, in_quotes(each) + " " + text.error().detail);
      }
      if (++included_ > most_files) return fail(directive.at, "too many files are included");
      ++include_depth_;
      const bool good = file(each, *text, into);
      --include_depth_;
      if (!good) return false;
    }
    return true;
  }

  bool fail(const Place& at, const std::string& text) {
    report_.error(at, text);
    return false;
  }

  std::string folder_;
  const Files& files_;
  Report& report_;
  unsigned include_depth_ = 0;
  size_t included_ = 0;
  size_t directives_ = 0;
};

}  // namespace

std::optional<std::vector<Directive>> parse(const std::string& path, std::string_view text,
                                            const Files& files, Report& report) {
  std::vector<Directive> directives;
  if (!Parser(path, files, report).file(path, text, directives)) return std::nullopt;
  return directives;
}

}  // namespace usher::conf::nginx
