#include "server/body_framing.h"

#include <gtest/gtest.h>

#include <string>

namespace layerboost {
namespace {

struct Taken {
  std::string content, rest;
  bool complete = false;
};

/// What `framing` takes out of `bytes` when they come in pieces of `size`.
Taken take(BodyFraming framing, const std::string& bytes, std::size_t size) {
  Taken taken;
  for (std::size_t i = 0; i < bytes.size(); i += size) {
    const std::string piece = bytes.substr(i, size);
    std::string_view left = piece;
    for (std::string_view content = framing.next(left); !content.empty(); content = framing.next(left))
      taken.content += content;
    taken.rest += left;
  }
  taken.complete = framing.complete();
  return taken;
}

int status_of(BodyFraming framing, const std::string& bytes) {
  try {
    take(framing, bytes, bytes.size());
  } catch (const ApiError& error) {
    return error.status();
  }
  return 0;
}

const BodyFraming in_chunks(1000, 100);

TEST(BodyFraming, TakesWhatBelongsToTheBodyInWhateverPiecesItComes) {
  const std::string chunks =
      "5\r\nhello\r\n00A;name=\"value\"\r\n0123456789\r\n0;last\r\nTrailer: x\r\nOther: y\r\n\r\nGET ";
  for (const std::size_t size : {1, 2, 3, 7, 1000}) {
    const Taken taken = take(in_chunks, chunks, size);
    EXPECT_TRUE(taken.complete);
    EXPECT_EQ(taken.content, "hello0123456789");
    EXPECT_EQ(taken.rest, "GET ");
    const Taken plain = take(BodyFraming(5), "helloGET ", size);
    EXPECT_TRUE(plain.complete);
    EXPECT_EQ(plain.content, "hello");
    EXPECT_EQ(plain.rest, "GET ");
  }
  EXPECT_TRUE(BodyFraming(0).complete());
  EXPECT_FALSE(take(in_chunks, "5\r\nhello\r\n0\r\n", 100).complete);
}

TEST(BodyFraming, RefusesWhatIsNotInChunks) {
  for (const std::string bytes :
       {"\r\n", "x\r\n", "0x5\r\nhello", "-1\r\n", "5\nhello\r\n", "5\r\nhelloX", "5\r\nhello\n", "5\r\nhello\r\n\r\n",
        "10000000000000000\r\n", "00000000000000005\r\n", "5;a\nb\r\n", "0\r\nA: b\n", "0\r\n\rX"})
    EXPECT_EQ(status_of(in_chunks, bytes), 400) << bytes;
  EXPECT_EQ(status_of(in_chunks, std::string("5;a\0b\r\n", 8)), 400);
}

TEST(BodyFraming, IsBounded) {
  EXPECT_EQ(status_of(in_chunks, "3e9\r\n"), 413);
  EXPECT_EQ(status_of(in_chunks, "ffffffffffffffff\r\n"), 413);
  EXPECT_EQ(status_of(in_chunks, "3e8\r\n" + std::string(1000, 'x') + "\r\n1\r\n"), 413);
  EXPECT_EQ(status_of(in_chunks, "1;" + std::string(200, 'a')), 431);
  EXPECT_EQ(status_of(in_chunks, "0\r\nX: " + std::string(200, 'a')), 431);
  std::string many;
  for (int i = 0; i < 50; ++i) many += "1;abc\r\nx\r\n";
  EXPECT_EQ(status_of(in_chunks, many), 431);
}

}  // namespace
}  // namespace layerboost
