#include "kernels/scratch.h"

#include <gtest/gtest.h>
#include <omp.h>

#include <algorithm>
#include <cstdint>
#include <vector>

namespace layerboost {
namespace {

TEST(ScratchStack, PartsAreAlignedAndApart) {
  ScratchStack stack;
  ScratchStack::Frame frame(stack);
  std::vector<std::byte*> parts;
  for (const std::size_t size : {1, 100, 4096, 64, 100000, 0, 7}) {
    parts.push_back(frame.take<std::byte>(size));
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(parts.back()) % 64, 0U);
    std::fill_n(parts.back(), size, static_cast<std::byte>(parts.size()));
  }
  EXPECT_EQ(parts[0][0], std::byte{1});
  EXPECT_EQ(parts[1][99], std::byte{2});
  EXPECT_EQ(parts[2][4095], std::byte{3});
  EXPECT_EQ(parts[4][0], std::byte{5});
  EXPECT_EQ(parts[4][99999], std::byte{5});
}

TEST(ScratchStack, WhatACalleeTakesIsTakenAgain) {
  ScratchStack stack;
  ScratchStack::Frame caller(stack);
  int* const own = caller.take<int>(10);
  own[9] = 7;
  const auto call = [&] {
    ScratchStack::Frame callee(stack);
    int* const part = callee.take<int>(1000);
    std::fill_n(part, 1000, 1);
    return part;
  };
  EXPECT_EQ(call(), call());
  EXPECT_EQ(own[9], 7);
}

TEST(ScratchStack, HoldsContainers) {
  ScratchStack stack;
  const auto last = [&] {
    ScratchStack::Frame frame(stack);
    std::pmr::vector<int> numbers(&frame);
    for (int i = 0; i < 1000; ++i) numbers.push_back(i);
    const std::pmr::vector<int> copy(numbers, &frame);
    return copy.back();
  };
  EXPECT_EQ(last(), 999);
  const std::size_t kept = stack.bytes();
  EXPECT_GE(kept, 2 * 1000 * sizeof(int));
  EXPECT_EQ(last(), 999);
  EXPECT_EQ(stack.bytes(), kept);
}

TEST(ScratchStack, KeepsOneBlockOfWhatWasInUseAtTheSameTime) {
  ScratchStack stack;
  const auto run = [&] {
    ScratchStack::Frame first(stack);
    const std::byte* const own = first.take<std::byte>(1024);
    std::ptrdiff_t distance = 0;
    for (int i = 0; i < 3; ++i) {
      ScratchStack::Frame second(stack);
      second.take<std::byte>(2048);
      distance = second.take<std::byte>(4096) - own;
    }
    return distance;
  };
  EXPECT_EQ(stack.bytes(), 0U);
  run();
  EXPECT_EQ(stack.bytes(), 7168U);
  EXPECT_EQ(run(), 3072);
  EXPECT_EQ(stack.bytes(), 7168U);
}

TEST(KernelScratch, ThreadsHaveStacksOfTheirOwn) {
  const int threads_before = omp_get_max_threads();
  KernelScratch scratch;
  omp_set_num_threads(1);
  {
    ScratchStack::Frame frame(scratch.threads().mine());
    frame.take<int>(16);
  }
  EXPECT_EQ(&scratch.threads().mine(), &scratch.caller());
  omp_set_num_threads(4);
  const KernelScratch::Threads threads = scratch.threads();
  std::vector<int> wrong(4);
#pragma omp parallel for schedule(static, 1)
  for (int i = 0; i < 4; ++i) {
    ScratchStack::Frame frame(threads.mine());
    int* const part = frame.take<int>(1000);
    std::fill_n(part, 1000, i);
#pragma omp flush
    wrong[static_cast<std::size_t>(i)] = static_cast<int>(1000 - std::count(part, part + 1000, i));
  }
  omp_set_num_threads(threads_before);
  EXPECT_EQ(wrong, std::vector<int>(4));
  EXPECT_EQ(scratch.bytes(), 4 * 4032U);
}

}  // namespace
}  // namespace layerboost
