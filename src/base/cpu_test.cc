#include "base/cpu.h"

#include <gtest/gtest.h>
#include <omp.h>
#include <sched.h>

#include <thread>

#include "base/error.h"

namespace layerboost {
namespace {

TEST(Cpu, ChoosesTheHighestLevelUnlessALowerOneIsAskedFor) {
  EXPECT_EQ(choose_isa(Isa::avx512, ""), Isa::avx512);
  EXPECT_EQ(choose_isa(Isa::avx512, "avx2"), Isa::avx2);
  EXPECT_EQ(choose_isa(Isa::avx2, ""), Isa::avx2);
}

TEST(Cpu, RefusesLevelsThatTheMachineLacksOrNobodyKnows) {
  EXPECT_THROW(choose_isa(Isa::avx2, "avx512"), Error);
  try {
    choose_isa(Isa::avx512, "sse9");
    FAIL() << "accepted";
  } catch (const Error& error) {
    EXPECT_STREQ(error.what(), "LAYERBOOST_ISA=sse9: unknown; allowed: avx2, avx512");
  }
}

TEST(Cpu, NamesItself) { EXPECT_FALSE(cpu_name().empty()); }

TEST(Cpu, DefaultThreadsRespectAffinity) {
  std::thread([] {
    cpu_set_t allowed;
    ASSERT_EQ(sched_getaffinity(0, sizeof allowed, &allowed), 0);
    int first = 0;
    while (!CPU_ISSET(first, &allowed)) ++first;
    EXPECT_GE(default_threads(), 1);
    EXPECT_LE(default_threads(), CPU_COUNT(&allowed));
    CPU_ZERO(&allowed);
    CPU_SET(first, &allowed);
    ASSERT_EQ(sched_setaffinity(0, sizeof allowed, &allowed), 0);
    EXPECT_EQ(default_threads(), 1);
  }).join();
}

TEST(Cpu, UseThreadsSetsOpenMp) {
  const int before = omp_get_max_threads();
  EXPECT_EQ(use_threads(3), 3);
  EXPECT_EQ(omp_get_max_threads(), 3);
  EXPECT_EQ(use_threads(0), default_threads());
  EXPECT_THROW(use_threads(-1), Error);
  EXPECT_THROW(use_threads(4096), Error);
  omp_set_num_threads(before);
}

}  // namespace
}  // namespace layerboost
