// One client's connection. Only http_server.cc and http_connection.cc include this, for the sake of Asio's headers.
#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <cstdint>
#include <list>
#include <map>
#include <memory>
#include <set>

#include "server/http.h"
#include "server/limits.h"

namespace layerboost {

/// What all connections of a server share. For the loop's thread only. Requires: it outlives them.
struct HttpConnections {
  Limits limits;
  HttpHandler handler;
  std::shared_ptr<BodyBudget> bodies;
  int open = 0;
  std::map<int, std::uint64_t> answers;         // by status
  bool keep_alive = true;                       // false: each connection ends with its answer
  std::set<std::shared_ptr<HttpReply>> busy;    // those whose answers aren't with their clients yet, kept alive here
  std::list<std::function<void()>> unneeded{};  // each ends a connection that has no whole head of a request; the first
                                                // has waited for one the longest

  /// Ends the connection that is needed the least; false: all are needed.
  bool make_room();
};

/// Reads requests from `socket` and answers them until either side has enough. A connection lives by its pending
/// operations and, while a request is being answered, by all.busy. `spare`: it has a place beyond limits.connections,
/// and asks for what a head is enough for; work is refused.
void serve_connection(boost::asio::ip::tcp::socket socket, HttpConnections& all, bool spare);

}  // namespace layerboost
