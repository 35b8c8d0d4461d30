#include "server/allowed_hosts.h"

#include <gtest/gtest.h>

#include "base/error.h"

namespace layerboost {
namespace {

TEST(AllowedHosts, NamesThatASiteCouldHaveAreRefused) {
  const AllowedHosts hosts({"Models.Example.org"});
  for (const char* host :
       {"localhost", "LOCALHOST:8080", "web.localhost", "127.0.0.1:80", "[::1]:8080", "192.168.1.7",
        "models.example.org", "MODELS.example.org.:8080", "gpu-box", "gpu-box:8080", "host.docker.internal:8080", ""})
    EXPECT_TRUE(hosts.allow(host, false)) << host;
  for (const char* host : {"evil.example", "evil.example:8080", "localhost.evil.example", "127.0.0.1.evil.example",
                           "xmodels.example.org", "[evil.example]", "1.2.3", "evil.example."})
    EXPECT_FALSE(hosts.allow(host, false)) << host;
}

TEST(AllowedHosts, ForPagesOfThatNameBeingWithoutADotIsNotEnough) {
  const AllowedHosts hosts({"box"});
  EXPECT_TRUE(hosts.allow("box", true));
  EXPECT_TRUE(hosts.allow("localhost:8080", true));
  EXPECT_FALSE(hosts.allow("other", true));
}

TEST(AllowedHosts, EverythingWhereNothingIsChecked) { EXPECT_TRUE(AllowedHosts().allow("evil.example", true)); }

TEST(AllowedHosts, WhatIsNoNameIsAnError) {
  for (const char* name : {"", "http://a.example", "a.example:80", "*.example", "a b"})
    EXPECT_THROW(AllowedHosts({name}), Error) << name;
}

}  // namespace
}  // namespace layerboost
