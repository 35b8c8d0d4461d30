#include "server/http_body.h"

#include <gtest/gtest.h>

namespace layerboost {
namespace {

TEST(HttpBody, LargeOnesShareWhatThereIsAndSmallOnesAreFree) {
  constexpr std::size_t mib = std::size_t{1} << 20;
  const auto budget = std::make_shared<BodyBudget>(2 * mib);
  const std::string piece(16384, 'x');
  const auto fill = [&](HttpBody& body) {
    while (body.text().size() < mib && body.append(piece)) {
    }
    return body.text().size();
  };
  {
    HttpBody first(budget, mib), second(budget, mib), third(budget, mib);
    EXPECT_EQ(fill(first), mib);
    EXPECT_EQ(fill(second), mib);
    EXPECT_LT(fill(third), mib);
    HttpBody small(budget, mib);
    for (std::size_t i = 0; i < HttpBody::free_bytes / piece.size(); ++i) EXPECT_TRUE(small.append(piece));
  }
  HttpBody later(budget, mib);
  EXPECT_EQ(fill(later), mib);
}

TEST(HttpBody, GrowsWithWhatComes) {
  const auto budget = std::make_shared<BodyBudget>(std::size_t{1} << 20);
  HttpBody body(budget, std::size_t{1} << 30);
  EXPECT_TRUE(body.append("ab"));
  EXPECT_LT(body.text().capacity(), 1000U);
}

}  // namespace
}  // namespace layerboost
