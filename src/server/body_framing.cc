#include "server/body_framing.h"

#include <algorithm>

namespace layerboost {
namespace {

[[noreturn]] void refuse_chunks() { refuse("", "not a valid HTTP request: the body isn't in chunks as announced"); }

void expect_byte(char byte, char expected) {
  if (byte != expected) refuse_chunks();
}

/// The value of a hexadecimal digit; -1: it isn't one.
int digit_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

}  // namespace

ApiError body_too_large(std::uint64_t most) {
  return {
      413, "invalid_request_error",
      fmt::format("the body is larger than {} bytes; send less, or start the server with a larger `max-body`", most)};
}

std::string_view BodyFraming::next(std::string_view& bytes) {
  while (!bytes.empty() && state_ != State::complete) {
    if (state_ == State::content) {
      const auto size = static_cast<std::size_t>(std::min<std::uint64_t>(left_, bytes.size()));
      const std::string_view piece = bytes.substr(0, size);
      bytes.remove_prefix(size);
      left_ -= size;
      if (left_ == 0) state_ = chunked_ ? State::content_cr : State::complete;
      return piece;
    }
    take(bytes.front());
    bytes.remove_prefix(1);
  }
  return {};
}

void BodyFraming::take(char byte) {
  switch (state_) {
    case State::size:
      return take_size(byte);
    case State::extension:
      return take_extra(byte, State::size_end);
    case State::size_end:
      expect_byte(byte, '\n');
      return begin_content();
    case State::content_cr:
      expect_byte(byte, '\r');
      state_ = State::content_lf;
      return;
    case State::content_lf:
      expect_byte(byte, '\n');
      state_ = State::size;
      return;
    case State::trailer_begin:
      if (byte == '\r') {
        state_ = State::last_line_feed;
        return;
      }
      state_ = State::trailer;
      [[fallthrough]];
    case State::trailer:
      return take_extra(byte, State::trailer_end);
    case State::trailer_end:
      expect_byte(byte, '\n');
      state_ = State::trailer_begin;
      return;
    case State::last_line_feed:
      expect_byte(byte, '\n');
      state_ = State::complete;
      return;
    case State::content:
    case State::complete:
      return;
  }
}

void BodyFraming::take_size(char byte) {
  constexpr int most_digits = 16;  // of 64 bits
  if (const int value = digit_value(byte); value >= 0) {
    if (++digits_ > most_digits) refuse_chunks();
    left_ = 16 * left_ + static_cast<std::uint64_t>(value);
    return;
  }
  if (digits_ == 0) refuse_chunks();
  if (byte == ';' || byte == ' ' || byte == '\t') {
    state_ = State::extension;
  } else {
    expect_byte(byte, '\r');
    state_ = State::size_end;
  }
}

void BodyFraming::take_extra(char byte, State end) {
  if (byte == '\r') {
    state_ = end;
    return;
  }
  if (static_cast<unsigned char>(byte) < ' ' && byte != '\t') refuse_chunks();
  if (more_extra_ == 0)
    throw ApiError(431, "invalid_request_error", "the body's chunk extensions and trailers are too large");
  --more_extra_;
}

void BodyFraming::begin_content() {
  if (left_ > more_content_) throw body_too_large(most_content_);
  more_content_ -= left_;
  state_ = left_ > 0 ? State::content : State::trailer_begin;
  digits_ = 0;
}

}  // namespace layerboost
