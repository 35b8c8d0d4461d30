#include "server/page.h"

#include "base/asset.h"
#include "base/error.h"

namespace layerboost {
namespace {

/// serve.html with the files that its {{NAME}} stand for.
std::string make_page() {
  std::string page(bytes_of(serve_assets(), "serve.html"));
  for (std::size_t open = page.find("{{"); open != std::string::npos; open = page.find("{{", open)) {
    const std::size_t close = page.find("}}", open);
    LB_CHECK(close != std::string::npos);
    const std::string_view content =
        bytes_of(serve_assets(), std::string_view(page).substr(open + 2, close - open - 2));
    page.replace(open, close + 2 - open, content);
    open += content.size();
  }
  return page;
}

}  // namespace

const HttpAnswer& page_answer() {
  static const HttpAnswer answer = {
      .type = "text/html; charset=utf-8",
      .body = make_page(),
      .headers = {{"Content-Security-Policy",
                   "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:; "
                   "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'"},
                  {"X-Content-Type-Options", "nosniff"},
                  {"Referrer-Policy", "no-referrer"}}};
  return answer;
}

}  // namespace layerboost
