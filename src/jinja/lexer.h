// Template text to tokens, with white space controlled as `trim_blocks` and `lstrip_blocks` have it.
#pragma once

#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace layerboost::jinja {

struct Token {
  enum class Kind {
    data,  // text to print
    output_begin,
    output_end,  // {{ }}
    block_begin,
    block_end,  // {% %}
    name,
    string,  // without quotes, escapes resolved
    integer,
    real,
    symbol,
    end
  };
  Kind kind = Kind::end;
  std::string text;
  int line = 1;  // of the template, from 1
};

/// Where a template can't be read.
class SyntaxError : public std::runtime_error {
 public:
  SyntaxError(int at, const std::string& message) : std::runtime_error(message), line(at) {}
  int line;
};

/// The tokens of `source`, the last of kind `end`. As Jinja does, line ends become "\n" and one at the end is left out.
/// Throws SyntaxError.
std::vector<Token> tokenize(std::string_view source);

}  // namespace layerboost::jinja
