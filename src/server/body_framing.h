// Where a request's body ends, and what of the bytes until there is the body: RFC 9112, sections 6 and 7.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "server/api_error.h"

namespace layerboost {

/// What is said to a body of more than `most` bytes.
ApiError body_too_large(std::uint64_t most);

/// Takes a body out of the bytes that come, whatever pieces they come in. Keeps none of them.
class BodyFraming {
 public:
  /// A body of `length` bytes.
  explicit BodyFraming(std::uint64_t length)
      : state_(length > 0 ? State::content : State::complete), left_(length), chunked_(false) {}
  /// One in chunks, of at most `most_content` bytes; chunk extensions and trailers, which are overlooked, may take
  /// `most_extra` together.
  BodyFraming(std::uint64_t most_content, std::size_t most_extra)
      : state_(State::size), most_content_(most_content), more_content_(most_content), more_extra_(most_extra) {}

  /// The next piece of the body at the front of `bytes`, which loses it and the framing around it; empty: all of
  /// `bytes` is used, or the body is complete. Throws ApiError for what isn't a body or is too large; nothing may be
  /// asked after that.
  std::string_view next(std::string_view& bytes);
  [[nodiscard]] bool complete() const { return state_ == State::complete; }

 private:
  enum class State {
    size,            // of a chunk, in hexadecimal digits
    extension,       // up to the line's end
    size_end,        // the second half of that
    content,         // of a chunk, or the whole body
    content_cr,      // the line's end that follows a chunk
    content_lf,      //
    trailer_begin,   // a line of the trailer, or the empty one that ends it
    trailer,         //
    trailer_end,     //
    last_line_feed,  //
    complete
  };

  void take(char byte);
  void take_size(char byte);
  void take_extra(char byte, State end);
  void begin_content();

  State state_;
  std::uint64_t left_ = 0;          // bytes of the chunk at hand, or of the body
  std::uint64_t most_content_ = 0;  // bytes that all chunks may have,
  std::uint64_t more_content_ = 0;  // and what is left of them for further ones
  std::size_t more_extra_ = 0;      // bytes that further extensions and trailers may have
  int digits_ = 0;
  bool chunked_ = true;
};

}  // namespace layerboost
