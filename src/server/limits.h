// What one client may ask of the server. Whatever is above these is refused with an answer that names the limit.
#pragma once

#include <chrono>
#include <cstddef>

namespace layerboost {

struct Limits {
  // Limits of a connection.
  std::size_t body = std::size_t{8} << 20;  // bytes of a request's body
  std::size_t bodies =
      std::size_t{128} << 20;                // of all bodies together, beyond the first 64 KiB of each; at least body
  std::size_t head = std::size_t{16} << 10;  // bytes of its headers; of chunk extensions and trailers, too
  int connections = 2048;  // open at the same time; for one more the one that has been idle the longest makes room
  std::chrono::seconds idle{75};        // without a request (longer than proxies keep connections: nginx 60 s)
  std::chrono::seconds head_time{20};   // from a request's first byte to the end of its headers
  std::chrono::seconds body_time{60};   // from there to the end of its body
  std::chrono::seconds write_time{60};  // for the client to take what was written
  std::chrono::milliseconds said_all{
      250};  // of a client that sends no more, before it is asked to show that it is there
  std::chrono::milliseconds silence{10000};  // of a stream, before something that means nothing is sent (proxies close
                                             // silent ones, some after 15 s)
  // Limits of a request.
  int positions = 0;  // prompt and new tokens together: the model's positions, or fewer, or what is asked for of a
                      // model that reads longer texts
  int unasked = 0;    // ... where a request doesn't say how many new tokens, unless its prompt has as many already: the
                      // model's positions, beyond which texts may be slow to write; 0: as `positions`
  int max_tokens = 0;              // new tokens; 0: as many as positions allow
  int choices = 128;               // prompts * n
  int inputs = 2048;               // texts to be embedded
  int logprobs = 20;               // likeliest alternatives of each token
  int stop_strings = 16;           // and stop tokens
  std::size_t stop_length = 1024;  // bytes of a stop string
  int bad_words = 1024;
  std::size_t bad_word_tokens = std::size_t{16} << 10;  // of all bad words together, with and without a space in front
  int json_depth = 32;
  std::size_t logprobs_of_request = std::size_t{1} << 20;  // tokens * n * (1 + alternatives), prompts' too, and ids
  std::size_t repeated = std::size_t{1} << 20;  // bytes of what a response repeats of its request, several times in a
                                                // stream
  std::size_t embedding_numbers = std::size_t{1} << 22;  // of one answer: texts * numbers of each
};

}  // namespace layerboost
