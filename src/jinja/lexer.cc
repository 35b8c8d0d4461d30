#include "jinja/lexer.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <utility>

#include "base/utf8.h"
#include "jinja/repr.h"
#include "jinja/text.h"

namespace layerboost::jinja {

namespace {

using TokenKind = Token::Kind;

std::string with_unix_lines(std::string_view source) {
  std::string out;
  out.reserve(source.size());
  for (std::size_t i = 0; i < source.size(); ++i) {
    if (source[i] == '\r' && i + 1 < source.size() && source[i + 1] == '\n') continue;
    out += source[i] == '\r' ? '\n' : source[i];
  }
  if (out.ends_with('\n')) out.pop_back();
  return out;
}

bool is_blank(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }
bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool begins_name(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || static_cast<unsigned char>(c) >= 0x80;
}

class Lexer {
 public:
  explicit Lexer(std::string_view source) : source_(with_unix_lines(source)) {}

  std::vector<Token> run() {
    while (at_ < source_.size()) {
      const std::size_t tag = next_tag();
      const char opening = tag == std::string::npos ? '\0' : source_[tag + 1];
      const char sign = tag == std::string::npos ? '\0' : sign_at(tag + 2);
      put_data(tag, opening, sign);
      if (opening == '\0') break;
      at_ = tag + 2 + (sign == '\0' ? 0 : 1);
      if (opening == '#')
        skip_comment();
      else if (opening == '%' && raw_follows())
        put_raw();
      else
        read_code(opening == '{');
    }
    put(TokenKind::end, "");
    return std::move(tokens_);
  }

 private:
  [[nodiscard]] std::string_view rest() const { return std::string_view(source_).substr(at_); }
  [[nodiscard]] char sign_at(std::size_t at) const {
    return at < source_.size() && (source_[at] == '-' || source_[at] == '+') ? source_[at] : '\0';
  }

  void put(TokenKind kind, std::string text) { tokens_.push_back({kind, std::move(text), line_}); }

  // Everything passes here, so that lines are counted.
  void advance(std::size_t count) {
    const auto from = source_.begin() + static_cast<std::ptrdiff_t>(at_);
    line_ += static_cast<int>(std::count(from, from + static_cast<std::ptrdiff_t>(count), '\n'));
    at_ += count;
  }

  // The next "{{", "{%" or "{#".
  [[nodiscard]] std::size_t next_tag() const {
    for (std::size_t i = at_; (i = source_.find('{', i)) != std::string::npos; ++i)
      if (i + 1 < source_.size() && std::string_view("{%#").find(source_[i + 1]) != std::string_view::npos) return i;
    return std::string::npos;
  }

  // Without the white space that the tag after it takes away.
  void put_data(std::size_t tag, char opening, char sign) {
    const std::string_view whole = rest().substr(0, tag == std::string::npos ? tag : tag - at_);
    std::string_view data = whole;
    if (sign == '-') {
      data = strip(data, Side::right);
    } else if (sign != '+' && opening != '{' && opening != '\0') {
      const std::size_t line_start = data.rfind('\n') + 1;  // 0: there is no line end
      const bool starts_line = line_start > 0 || at_ == 0 || source_[at_ - 1] == '\n';
      if (starts_line && strip(data.substr(line_start), Side::left).empty()) data = data.substr(0, line_start);
    }
    if (!data.empty()) put(TokenKind::data, std::string(data));
    advance(whole.size());
  }

  // After the end of a block or comment: "-" takes all white space, nothing takes one line end.
  void skip_after(char sign) {
    if (sign == '-')
      advance(rest().size() - strip(rest(), Side::left).size());
    else if (sign != '+' && rest().starts_with('\n'))
      advance(1);
  }

  void skip_comment() {
    const std::size_t end = source_.find("#}", at_);
    if (end == std::string::npos) throw SyntaxError(line_, "a comment {# without #}");
    const char sign = end > at_ ? sign_at(end - 1) : '\0';
    advance(end + 2 - at_);
    skip_after(sign);
  }

  [[nodiscard]] std::size_t blanks_at(std::size_t at) const {
    std::size_t count = 0;
    while (at + count < source_.size() && is_blank(source_[at + count])) ++count;
    return count;
  }

  // The length of " WORD -%}" at `at`, and its sign; 0: something else.
  [[nodiscard]] std::pair<std::size_t, char> tag_of(std::string_view word, std::size_t at) const {
    std::size_t i = at + blanks_at(at);
    if (source_.compare(i, word.size(), word) != 0) return {0, '\0'};
    i += word.size();
    i += blanks_at(i);
    const char sign = sign_at(i);
    if (sign != '\0') ++i;
    if (source_.compare(i, 2, "%}") != 0) return {0, '\0'};
    return {i + 2 - at, sign};
  }

  [[nodiscard]] bool raw_follows() const { return tag_of("raw", at_).first > 0; }

  void put_raw() {
    const auto [length, sign] = tag_of("raw", at_);
    advance(length);
    if (sign == '-') skip_after('-');
    for (std::size_t i = at_; (i = source_.find("{%", i)) != std::string::npos; ++i) {
      const char before = sign_at(i + 2);
      const std::size_t word = i + 2 + (before == '\0' ? 0 : 1);
      const auto [end_length, after] = tag_of("endraw", word);
      if (end_length == 0) continue;
      put_data(i, '%', before);
      advance(word + end_length - at_);
      skip_after(after);
      return;
    }
    throw SyntaxError(line_, "{% raw %} without {% endraw %}");
  }

  // What stands between {{ and }}, or {% and %}.
  void read_code(bool output) {
    const int begin_line = line_;
    put(output ? TokenKind::output_begin : TokenKind::block_begin, "");
    std::vector<char> brackets;
    while (true) {
      advance(blanks_at(at_));
      if (at_ >= source_.size()) throw SyntaxError(begin_line, output ? "{{ without }}" : "{% without %}");
      const char sign = sign_at(at_);
      if (brackets.empty() && source_.compare(at_ + (sign == '\0' ? 0 : 1), 2, output ? "}}" : "%}") == 0 &&
          !(output && sign == '+')) {
        put(output ? TokenKind::output_end : TokenKind::block_end, "");
        advance(sign == '\0' ? 2 : 3);
        if (!output || sign == '-') skip_after(sign);
        return;
      }
      read_token(brackets);
    }
  }

  void read_token(std::vector<char>& brackets) {
    const char c = source_[at_];
    if (is_digit(c)) return read_number();
    if (c == '\'' || c == '"') return read_string(c);
    if (begins_name(c)) {
      std::size_t length = 1;
      while (at_ + length < source_.size() && (begins_name(source_[at_ + length]) || is_digit(source_[at_ + length])))
        ++length;
      put(TokenKind::name, source_.substr(at_, length));
      return advance(length);
    }
    read_symbol(brackets);
  }

  void read_symbol(std::vector<char>& brackets) {
    static constexpr std::string_view pairs[] = {"//", "**", "==", "!=", ">=", "<="};
    const std::string_view two = rest().substr(0, 2);
    if (std::find(std::begin(pairs), std::end(pairs), two) != std::end(pairs)) {
      put(TokenKind::symbol, std::string(two));
      return advance(2);
    }
    const char c = source_[at_];
    if (std::string_view("+-/*%~[](){}<>=.:|,;").find(c) == std::string_view::npos)
      throw SyntaxError(line_, fmt::format("unexpected character {}", repr_of(*CodePoints(rest()).begin())));
    if (c == '(' || c == '[' || c == '{') brackets.push_back(c == '(' ? ')' : c == '[' ? ']' : '}');
    if (c == ')' || c == ']' || c == '}') {
      if (brackets.empty() || brackets.back() != c) throw SyntaxError(line_, fmt::format("unexpected \"{}\"", c));
      brackets.pop_back();
    }
    put(TokenKind::symbol, std::string(1, c));
    advance(1);
  }

  void read_number() {
    const auto digits = [&](std::size_t i) {
      while (i < source_.size() &&
             (is_digit(source_[i]) || (source_[i] == '_' && i + 1 < source_.size() && is_digit(source_[i + 1]))))
        ++i;
      return i;
    };
    std::size_t end = digits(at_);
    bool real = false;
    const bool after_point = at_ > 0 && source_[at_ - 1] == '.';  // "a.0.1" has no 0.1 in it
    if (!after_point && end + 1 < source_.size() && source_[end] == '.' && is_digit(source_[end + 1])) {
      real = true;
      end = digits(end + 1);
    }
    if (!after_point && end < source_.size() && (source_[end] == 'e' || source_[end] == 'E')) {
      const std::size_t sign = end + 1 < source_.size() && sign_at(end + 1) != '\0' ? 1 : 0;
      if (end + 1 + sign < source_.size() && is_digit(source_[end + 1 + sign])) {
        real = true;
        end = digits(end + 1 + sign);
      }
    }
    std::string text = source_.substr(at_, end - at_);
    std::erase(text, '_');
    put(real ? TokenKind::real : TokenKind::integer, text);
    advance(end - at_);
  }

  void read_string(char quote) {
    std::size_t end = at_ + 1;
    while (end < source_.size() && source_[end] != quote) end += source_[end] == '\\' ? 2 : 1;
    if (end >= source_.size()) throw SyntaxError(line_, "a string without its closing quote");
    put(TokenKind::string, unescaped(std::string_view(source_).substr(at_ + 1, end - at_ - 1)));
    advance(end + 1 - at_);
  }

  // Replaces a literal's escapes as Python does; those that it doesn't know stay.
  static std::string unescaped(std::string_view text) {
    static constexpr std::string_view simple = "\\'\"abfnrtv", meaning = "\\'\"\a\b\f\n\r\t\v";
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
      if (text[i] != '\\' || i + 1 == text.size()) {
        out += text[i];
        continue;
      }
      const char c = text[++i];
      if (const std::size_t known = simple.find(c); known != std::string_view::npos) {
        out += meaning[known];
      } else if (c >= '0' && c <= '7') {
        i += append_code_point(text.substr(i, 3), 8, 1, out) - 1;
      } else if (c == 'x' || c == 'u' || c == 'U') {
        const std::size_t digits = c == 'x' ? 2 : c == 'u' ? 4 : 8;
        const std::size_t read = append_code_point(text.substr(i + 1, digits), 16, digits, out);
        if (read == 0) (out += '\\') += c;
        i += read;
      } else if (c != '\n') {
        (out += '\\') += c;
      }
    }
    return out;
  }

  // Reads the digits that `text` begins with, at least `fewest`; returns how many (0: too few, nothing is appended).
  static std::size_t append_code_point(std::string_view text, unsigned base, std::size_t fewest, std::string& out) {
    char32_t value = 0;
    std::size_t count = 0;
    for (; count < text.size(); ++count) {
      const char c = text[count];
      const unsigned digit = is_digit(c)            ? static_cast<unsigned>(c - '0')
                             : c >= 'a' && c <= 'f' ? static_cast<unsigned>(c - 'a') + 10
                             : c >= 'A' && c <= 'F' ? static_cast<unsigned>(c - 'A') + 10
                                                    : base;
      if (digit >= base) break;
      value = value * base + digit;
    }
    if (count < fewest) return 0;
    const bool scalar = value < 0xD800 || (value > 0xDFFF && value <= 0x10FFFF);
    append_utf8(scalar ? value : 0xFFFD, out);
    return count;
  }

  const std::string source_;
  std::size_t at_ = 0;
  int line_ = 1;
  std::vector<Token> tokens_;
};

}  // namespace

std::vector<Token> tokenize(std::string_view source) { return Lexer(source).run(); }

}  // namespace layerboost::jinja
