// The server: an engine that answers OpenAI's API over HTTP, with health, metrics and a live page. Three kinds of
// threads take part. The event loop (HttpServer) reads requests and writes answers; workers (Api) make a
// GenerationRequest of a body, which may take long; the compute thread is the caller's, who runs Engine::run() in it.
// What the engine writes is posted to the loop, where a CompletionAnswer turns it into the client's JSON. A server
// listens from its constructor to its destructor. After drain() or a signal it refuses new work, finishes what was
// begun, and makes Engine::run() return. It loads no model and makes no engine, and there is no TLS: a proxy in front
// does that.
#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "kernels/kv_segment.h"
#include "server/api.h"
#include "server/level_table.h"

namespace layerboost {

/// "10 softmax, 20 window:64+4", most frequent first.
std::string mixers_in_words(const MixerList& mixers);

struct ServerOptions {
  std::string host = "127.0.0.1";
  int port = 8080;                       // 0: any free one
  std::string api_key;                   // empty: everybody may ask
  std::vector<std::string> allow_hosts;  // names by which it may be asked; without one, and without a key, it looks at
                                         // names where only programs on this machine can connect
  std::vector<std::string> allow_origins;  // sites ("https://example.org") whose pages may ask; "*": all
  bool log_requests = false;               // a line for each on stderr
  std::vector<std::string> names;          // of the model, as requests give it: at least one
  std::string plan;                        // its hash; empty: the model's own mixers
  std::string chat_template;               // Jinja; empty: the model's own
  bool plain_messages = false;             // control tokens in messages are plain text
  KvType kv = KvType::bf16;                // of the mixers, to be named
  bool model_sampling = true;              // what a request doesn't say of sampling, the model's makers do
  Limits limits;                           // positions 0: the model's, or what the memory holds
  LevelTable levels = {};                  // where the engine's plans are a ladder: one entry for each
};

/// The event loop runs in a thread of its own from the constructor to the destructor; Engine::run() is called by
/// another one, the compute thread.
class Server {
 public:
  /// Listens and answers at once. `mixers`: of the engine's first plan. Throws Error when host and port can't be had.
  /// Requires: `engine`, `model` and `mixers` outlive this; options.levels, where it is a ladder, has all the engine's
  /// plans.
  Server(Engine& engine, const Model& model, const MixerList& mixers, const ServerOptions& options);

  /// Cuts off what isn't answered. Requires: no thread is in Engine::run().
  ~Server() { http_.stop(); }
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  [[nodiscard]] int port() const { return http_.port(); }
  /// Whether only programs on this machine can connect.
  [[nodiscard]] bool on_loopback() const { return http_.on_loopback(); }

  /// New work is refused from now on; when all that was begun is with its clients, Engine::run() returns. SIGINT and
  /// SIGTERM do the same (base/interrupt.h). Thread-safe.
  void drain() { asked_to_drain_ = true; }

 private:
  void look_for_the_end();

  Engine& engine_;
  HttpServer http_;
  std::optional<ChatTemplate> chat_;
  std::optional<PlainMessages> plain_messages_;
  std::unique_ptr<Api> api_;
  std::atomic<bool> asked_to_drain_ = false;
  bool draining_ = false;  // the loop's thread
};

}  // namespace layerboost
